# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of a command line as a request: a range `A/B`, and parameters `key=value`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dasflex_core.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dasflex_core.site import Request, Site

__all__ = ["pairs_of", "request_of"]


def pairs_of(words: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """The parameters that words write. Raises `QueryError` for a word that is neither a range nor a parameter.

    >>> pairs_of(["2020-001/2020-002", "format.type=csv"])
    (('time', '2020-001/2020-002'), ('format.type', 'csv'))
    """
    return tuple(_pair(word) for word in words)


def _pair(word: str) -> tuple[str, str]:
    name, sign, value = word.partition("=")
    if sign and name.strip():
        return name.strip(), value
    if not sign and ("/" in word or " to " in word):
        return "time", word
    raise QueryError(
        f"{word!r} is neither a range A/B nor a parameter key=value; write it like 2020-01-01/2020-01-02 or "
        "format.type=csv",
        kind="query.bad-value",
    )


def request_of(site: Site, source: str, words: Iterable[str], every: str | None = None) -> Request:
    """The request that a source and words write; `every` is the bin width, or the interval of a model."""
    request = site.request(source, pairs_of(words))
    if every is None:
        return request
    step = site[source][::every]
    return site.request(source, (*step.pairs, *request.pairs))

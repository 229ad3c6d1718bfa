# SPDX-License-Identifier: GPL-3.0-or-later
"""Partial requests as a definition writes them: TOML's dotted keys are the canonical names of parameters."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from dasflex_core.catalog.keys import TIME
from dasflex_core.catalog.kinds import scalar
from dasflex_core.catalog.quantities import UnfitError, range_ends
from dasflex_core.errors import QueryError
from dasflex_core.times import parse_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dasflex_core.catalog.findings import KeyPath, Problems
    from dasflex_core.catalog.model import Pairs

__all__ = ["read_request"]

_BEGIN: Final = "read.time.min"
_END: Final = "read.time.max"
_PARAMETER: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*(?:\.[A-Za-z0-9][A-Za-z0-9_-]*)+")


def read_request(raw: Mapping[str, Any], path: KeyPath, problems: Problems) -> Pairs:
    """The partial request that a table holds, less what is wrong with it, which is noted.

    `raw` has the families as its keys, and perhaps `time`.
    """
    pairs: dict[str, str] = {}
    for where, value in _leaves(raw, path):
        try:
            for name, text in _pairs(".".join(str(part) for part in where[len(path) :]), value):
                if name in pairs:
                    problems.add(where, f"{name} is said twice: 'time' is short for {_BEGIN} and {_END}")
                pairs[name] = text
        except UnfitError as error:
            problems.add(where, error.message)
    return tuple(pairs.items())


def _leaves(raw: Mapping[str, Any], path: KeyPath) -> Iterator[tuple[KeyPath, object]]:
    """The values of nested tables, with their paths."""
    for name, value in raw.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, (*path, name))
        else:
            yield (*path, name), value


def _pairs(name: str, value: object) -> Pairs:
    """The pairs that one key stands for."""
    if name == TIME:
        if not isinstance(value, str):
            raise UnfitError('must be a range in quotes, such as "2016-07-05 to 2016-07-06"')
        begin, end = range_ends(value)
        return ((_BEGIN, begin), (_END, end))
    if name.startswith(f"{TIME}."):
        raise UnfitError(f'must be written as {TIME} = "A to B", or as read.{name}')
    if not _PARAMETER.fullmatch(name):
        raise UnfitError(f"{name!r} is no parameter; one is written like bin.time.max")
    text = scalar(value)
    if name in {_BEGIN, _END}:
        try:
            parse_time(text)
        except QueryError as error:
            raise UnfitError(error.message) from error
    return ((name, text),)

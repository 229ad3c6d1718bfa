# SPDX-License-Identifier: GPL-3.0-or-later
"""What is asked by the address of a WebSocket: a source, and a request of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from dasflex_core.claims import UNKNOWN, Claim
from dasflex_core.errors import NotFoundError, shown
from dasflex_core.plan.parameters import canonical_name
from dasflex_core.queries import joined_lists, query_pairs
from dasflex_core.site import Request
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dasflex_core.queries import Pairs
    from dasflex_core.site import Source

__all__ = ["Asked", "asked_of", "request_of", "source_of"]

#: What may stand in front of the id of a source, and what stands behind it, in lower case.
_FRONT: Final = ("/dasws", "/source")
_BEHIND: Final = ("/flexrt", "/flex")
_BEGIN, _END, _BOTH = "read.time.min", "read.time.max", "time"


@dataclass(frozen=True, slots=True)
class Asked:
    """Parameters of a source, as they were sent; `ticket` says who asks."""

    pairs: tuple[tuple[str, str], ...]
    ticket: str = ""


def source_of(path: str, public: str) -> str:
    """The id of the source that a path asks for, `/dasws/ID/flexRT` and the like; `public` is the daemon's address.

    Raises `NotFoundError` for any other path.

    >>> source_of("/dasws/Examples/Live/flexRT", ""), source_of("/live/a/b/FLEXRT/", "wss://example.org/live/")
    ('Examples/Live', 'a/b')
    """
    clean = "/" + "/".join(filter(None, path.split("/")))
    own = urlsplit(public).path.rstrip("/").lower()
    for front in (own, *_FRONT):
        if front and clean.lower().startswith(f"{front}/"):
            clean = clean[len(front) :]
            break
    for behind in _BEHIND:
        if clean.lower().endswith(behind) and len(clean) > len(behind) + 1:
            return clean[1 : -len(behind)]
    raise NotFoundError(
        f"There is nothing at {shown(path)}; a source is at /dasws/SOURCE/flexRT", kind="not-found.source"
    )


def asked_of(query: str) -> Asked:
    """The parameters that a query has. Raises `QueryError` where it cannot be read."""
    pairs = joined_lists(query_pairs(query))
    tickets = [value for name, value in pairs if name.strip().lower() == "ticket"]
    kept = tuple(pair for pair in pairs if pair[0].strip().lower() != "ticket")
    return Asked(kept, tickets[-1] if tickets else "")


def request_of(source: Source, asked: Asked, claim: Claim = UNKNOWN) -> Request:
    """The request of whoever asks.

    A source that has a live reader, asked for no end, is followed for ever, from now if not before.
    """
    pairs: Pairs = list(asked.pairs)
    if any(reader.live for reader in source.definition.readers):
        given = {canonical_name(name) for name, value in (*pairs, *_defaults(source)) if value.strip()}
        if not given & {_END, _BOTH}:
            pairs.append((_END, "forever"))
            if _BEGIN not in given:
                pairs.append((_BEGIN, "now"))
        elif _END in given and _BEGIN not in given and _is_forever(pairs):
            pairs.append((_BEGIN, "now"))
    return Request(source, tuple(pairs), claim=claim)


def _defaults(source: Source) -> Iterable[tuple[str, str]]:
    """The request that the definition completes others with."""
    return source.definition.defaults


def _is_forever(pairs: Pairs) -> bool:
    """Whether the end of the range is none."""
    return any(canonical_name(name) == _END and value.strip().lower() == "forever" for name, value in pairs)

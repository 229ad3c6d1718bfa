# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes known of one request while it is answered: who it is for, what they expect, how long things took."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from dasflex_core.errors import QueryError

if TYPE_CHECKING:
    from dasflex_cgi.exchange import Asked
    from dasflex_core.errors import DasflexError
    from dasflex_core.streamtype import StreamType

__all__ = ["Pairs", "Visit", "address", "joined_lists", "query_pairs"]

Pairs = list[tuple[str, str]]

_MOST_FIELDS = 200
_HEX = frozenset("0123456789abcdefABCDEF")


class Visit:
    """One request on its way to an answer.

    `id` is the request's id, which a run replaces by its own. `wanted` is the stream type that the client expects, as
    far as that can be told, and `das2` whether it speaks the `das2` convention: both decide the form of a failure.
    `source` is the id of the source that was asked, as the catalog writes it, and `error` what went wrong.
    """

    def __init__(self, asked: Asked, identifier: str) -> None:
        self.asked = asked
        self.id = identifier
        self.wanted: StreamType | None = None
        self.das2 = False
        self.source = ""
        self.error: DasflexError | None = None
        self.begun = time.time()
        self._clock = time.perf_counter()
        self._last = self._clock
        self._timed: list[tuple[str, float]] = []

    def mark(self, phase: str) -> None:
        """Notes that a phase has ended: it took the time since the one before it."""
        now = time.perf_counter()
        self._timed.append((phase, now - self._last))
        self._last = now

    @property
    def seconds(self) -> float:
        """The seconds since the request came."""
        return time.perf_counter() - self._clock

    @property
    def timing(self) -> str:
        """The phases as `Server-Timing` has them, in milliseconds; blank where there were none."""
        return ", ".join(f"{name};dur={seconds * 1e3:.1f}" for name, seconds in self._timed)


def query_pairs(query: str) -> Pairs:
    """The names and values of a query, decoded once; a `+` is a blank.

    Raises `QueryError` where an escape is none, where the text is no UTF-8, and for more fields than anybody needs.
    """
    try:
        text = query.encode("latin-1").decode()
        if all(len(each) > 1 and _HEX.issuperset(each[:2]) for each in text.split("%")[1:]):
            return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
        wrong: ValueError | None = None
    except ValueError as error:
        wrong = error
    raise QueryError(
        f"The query of this address cannot be read: it has at most {_MOST_FIELDS} fields, in UTF-8 with % escapes"
    ) from wrong


def joined_lists(pairs: Pairs) -> Pairs:
    """The pairs of a query, with a list in one that has several fields, as the boxes of a form send it.

    >>> joined_lists([("bin.stats", "min"), ("a", "1"), ("bin.stats", "max")])
    [('bin.stats', 'min,max'), ('a', '1')]
    """
    if len({name for name, _text in pairs}) == len(pairs):
        return pairs
    from dasflex_core.plan.parameters import canonical_facts, canonical_name

    found: Pairs = []
    places: dict[str, int] = {}
    for name, text in pairs:
        facts = canonical_facts(canonical_name(name))
        if facts is None or facts.type != "list" or not text.strip():
            found.append((name, text))
        elif name in places:
            known = found[places[name]][1]
            if text not in known.split(","):
                found[places[name]] = (name, f"{known},{text}")
        else:
            places[name] = len(found)
            found.append((name, text))
    return found


def address(asked: Asked, path: str, public: str) -> str:
    """The absolute address of a path of this server, as the client would write it; `public` stands in for its host."""
    return f"{asked.origin}{asked.base}{path}" if asked.origin else public.rstrip("/") + path

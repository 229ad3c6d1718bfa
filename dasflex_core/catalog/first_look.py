# SPDX-License-Identifier: GPL-3.0-or-later
"""An example for a source whose definition has none: programs that walk the catalog try what a node shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_core.plan.reaching import sample_text
from dasflex_core.times import FOREVER, Time, format_time, parse_time

if TYPE_CHECKING:
    from dasflex_core.catalog.model import Definition, Pairs, Span
    from dasflex_core.plan.offering import Offer

__all__ = ["first_look"]

#: What is asked of a source that does not say when it has data.
_SOME_DAY: Final = ("2000-01-01", "2000-01-02")
#: Records of a first look, where it is known how far apart they are; else it is one day long.
_RECORDS: Final = 1000
_DAY: Final = 86_400.0
_ENDS: Final = ("read.time.min", "read.time.max")


def first_look(definition: Definition, offer: Offer) -> tuple[str, Pairs]:
    """A title, and the request for the beginning of the data: what must be asked, and the times where they can be."""
    begin, end = _range(definition)
    times = dict(zip(_ENDS, (begin, end), strict=True))
    pairs = [
        (param.name, times.get(param.name) or sample_text(param, definition))
        for param in offer.params
        if param.name in times or (param.name in offer.required and param.default is None)
    ]
    return ("The first data" if definition.range else "Some day", tuple(pairs))


def _range(definition: Definition) -> tuple[str, str]:
    """The beginning of the times of the source."""
    span = definition.range
    if span is None:
        return _SOME_DAY
    if not span.begin[:1].isdigit():  # it moves with the present
        return span.begin, _end(span)
    cadence = definition.coords["time"].cadence
    begin, last = parse_time(span.begin), parse_time(span.end)
    length = round((_RECORDS * cadence if cadence else _DAY) * 1e9)
    end = Time(begin.ns + length)
    return span.begin, format_time(end) if last == FOREVER or end.ns < last.ns else span.end


def _end(span: Span) -> str:
    """The end of a range that moves with the present, where that has one."""
    return "now" if span.end == "forever" else span.end

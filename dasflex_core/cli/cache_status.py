# SPDX-License-Identifier: GPL-3.0-or-later
"""How a cache level stands: its blocks, how much of a range they cover, and how often they are used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from dasflex_core.cache.hits import hits_of
from dasflex_core.prices import amount
from dasflex_core.times import Time
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dasflex_core.cache.hits import Hits
    from dasflex_core.cache.keeping import Kept
    from dasflex_core.cache.periods import Period
    from dasflex_core.cli.cache_stock import Stock

__all__ = ["Covered", "Standing", "bar", "lines", "plain", "standing"]

#: Columns of the bar, at most.
_WIDEST: Final = 60
#: Below this share a column is empty, and above the other it is full.
_NOTHING: Final = 1e-9
#: What stands for a column, by its state, in a file and on a terminal.
_PLAIN: Final = {"there": "#", "part": "+", "stale": "!", "missing": "."}
_FINE: Final = {"there": "█", "part": "▒", "stale": "!", "missing": "·"}
_LEGEND: Final = "█ there  ▒ in part  ! stale  · missing"

State = Literal["there", "stale", "another", "damaged"]


@dataclass(frozen=True, slots=True)
class Covered:
    """The part [begin, end) of a range that a block covers, in nanoseconds, and whether it may be used."""

    begin: int
    end: int
    state: State


@dataclass(frozen=True, slots=True)
class Standing:
    """How a level stands: how many blocks are in which state, and what those that are there hold.

    `bytes` is all that lies in its folder. `first` and `last` are the ends of what is there, `span` the range of the
    bar: nanoseconds, None where there is none.
    """

    level: Kept
    counts: dict[State, int]
    bytes: int
    records: int
    covered: tuple[Covered, ...]
    span: tuple[int, int] | None
    hits: Hits | None

    @property
    def first(self) -> int | None:
        """Where what is there begins."""
        return min((each.begin for each in self.covered if each.state == "there"), default=None)

    @property
    def last(self) -> int | None:
        """Where what is there ends."""
        return max((each.end for each in self.covered if each.state == "there"), default=None)

    @property
    def share(self) -> float:
        """The share of the range of the bar that is there."""
        if self.span is None:
            return 0.0
        begin, end = self.span
        there = (min(each.end, end) - max(each.begin, begin) for each in self.covered if each.state == "there")
        return sum(each for each in there if each > 0) / max(1, end - begin)


def standing(stock: Stock, level: Kept) -> Standing:
    """How a level of a source stands, in the range that was asked for, else at all times."""
    counts: dict[State, int] = {"there": 0, "stale": 0, "another": 0, "damaged": 0}
    covered = []
    size = records = 0
    period = level.shelf.period
    for found in stock.lying(level):
        size += found.size
        if found.block is None:
            counts["damaged"] += found.state == "damaged"
            continue
        state: State = "another" if found.block.key != level.shelf.key else level.shelf.state(found.block)
        counts[state] += 1
        covered.append(Covered(found.begin, period.next(found.begin), state))
        records += found.block.records if state == "there" else 0
    ends = [end for each in covered for end in (each.begin, each.end)]
    span = stock.span or stock.declared or ((min(ends), max(ends)) if ends else None)
    return Standing(level, counts, size, records, tuple(covered), span, hits_of(stock.folder).get(level.name))


def bar(covered: Iterable[Covered], span: tuple[int, int], period: Period) -> list[str]:
    """The states of the columns of a bar: `there`, `part`, `stale` or `missing`.

    There are as many columns as periods, but no more than fit on a line.
    """
    begin, end = span
    columns = _columns(begin, end, period)
    there, stale = [0.0] * columns, [0.0] * columns
    width = (end - begin) / columns
    for each in covered:
        shares = there if each.state == "there" else stale
        low, high = max(each.begin, begin) - begin, min(each.end, end) - begin
        for column in range(max(0, int(low / width)), min(columns, int(high / width) + 1)):
            shares[column] += max(0.0, min(high, (column + 1) * width) - max(low, column * width)) / width
    return [_state(here, old) for here, old in zip(there, stale, strict=True)]


def lines(standing: Standing, *, fine: bool = False) -> Iterator[str]:
    """What a terminal (`fine`) or a file is told of a level."""
    level, counts = standing.level, standing.counts
    yield f"{level.name}  {level.level.title}"
    if level.declined:
        yield f"   cannot be kept: {level.declined}"
    others = {"stale": "stale", "another": "of another reader, option or algorithm", "damaged": "damaged"}
    more = "".join(f", {counts[state]:,} {text}" for state, text in others.items() if counts[state])  # type: ignore[index]  # the keys are states
    yield f"   blocks    {counts['there']:,} there{more}"
    yield f"   size      {amount(standing.bytes)}, {standing.records:,} records"
    if standing.first is not None and standing.last is not None:
        yield f"   kept      {Time(standing.first)} to {Time(standing.last)}"
    if standing.span is not None:
        glyphs = _FINE if fine else _PLAIN
        drawn = "".join(glyphs[each] for each in bar(standing.covered, standing.span, level.shelf.period))
        yield f"   coverage  {drawn}  {_percent(standing.share)}"
        yield f"             {Time(standing.span[0])} to {Time(standing.span[1])}"
        if fine:
            yield f"             {_LEGEND}"
    if standing.hits is not None:
        hits = standing.hits
        yield (
            f"   hits      {_percent(hits.rate)}: {hits.used:,} of {hits.used + hits.missing:,} blocks that"
            f" {hits.requests:,} requests wanted since {str(Time(hits.since * 1_000_000_000))[:10]}"
        )


def plain(standing: Standing) -> dict[str, Any]:
    """A level as JSON has it."""
    level, hits = standing.level, standing.hits
    span = standing.span
    return {
        "level": int(level.name),
        "title": level.level.title,
        "period": level.shelf.period.word,
        "width": level.level.seconds or None,
        "folder": level.shelf.folder,
        "declined": level.declined,
        "blocks": {"there": standing.counts["there"], **{name: standing.counts[name] for name in _REST}},
        "bytes": standing.bytes,
        "records": standing.records,
        "begin": _text(standing.first),
        "end": _text(standing.last),
        "range": [_text(each) for each in span] if span else None,
        "share": round(standing.share, 6),
        "coverage": "".join(_PLAIN[each] for each in bar(standing.covered, span, level.shelf.period)) if span else "",
        "hits": {"requests": hits.requests, "used": hits.used, "missing": hits.missing, "rate": round(hits.rate, 6)}
        if hits
        else None,
    }


_REST: Final[tuple[State, ...]] = ("stale", "another", "damaged")


def _columns(begin: int, end: int, period: Period) -> int:
    """How many columns a bar has: no more than there are periods."""
    columns = 0
    for _each in period.over(begin, end):
        columns += 1
        if columns == _WIDEST:
            break
    return max(1, columns)


def _state(there: float, stale: float) -> str:
    """What is drawn of a column of which these shares are there, and stale."""
    if there > 1 - 1e-6:
        return "there"
    if stale > _NOTHING and there <= _NOTHING:
        return "stale"
    return "part" if there > _NOTHING else "missing"


def _percent(share: float) -> str:
    """A share in percent; all of it only where nothing is missing."""
    return f"{share:.0%}" if share in (0.0, 1.0) else f"{min(max(share, 0.001), 0.999):.1%}"


def _text(ns: int | None) -> str | None:
    """A time as JSON has it."""
    return None if ns is None else str(Time(ns))

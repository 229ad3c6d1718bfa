# SPDX-License-Identifier: GPL-3.0-or-later
"""When a data set has data, and a stretch of it by which it may be tried."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_core.errors import QueryError
from dasflex_core.plan.binding import view_chain
from dasflex_core.plan.parameters import canonical_pairs
from dasflex_core.times import FOREVER, parse_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dasflex_core.catalog.model import Span
    from dasflex_core.site import Site
    from dasflex_hapi.serving.data_sets import DataSet
    from dasflex_hapi.writing.learning import Learned

__all__ = ["cadence_of", "changed_at", "covered_at", "sample_of", "sample_spans", "span_of"]

_SECOND: Final = 1_000_000_000
_DAY: Final = 86_400 * _SECOND
#: A client may ask whole days up to the last one: where data go on, the end is so many days after today's (HAPI 3.3,
#: 3.6.4, which advises an end in the future).
_AHEAD: Final = 2
#: Records that a sample has at least, where it is known how many there will be, and its least length.
_RECORDS: Final = 200
_SAMPLE: Final = 10 * _SECOND


def span_of(data_set: DataSet, learned: Learned | None = None) -> tuple[int, int]:
    """When there are data: `[start, stop)` in ns since 1970.

    It is what the definition says, else what was measured, else the range of the examples. An end that moves lies some
    days ahead. Raises `QueryError` where nobody knows.
    """
    for definition in view_chain(data_set.source.definition, data_set.source.site.catalog.find):
        if definition.range is not None:
            return _span(definition.range)
    covered = _covered(data_set)
    if covered is not None:
        return covered
    spans = list(_example_spans(data_set))
    if spans:
        return min(begin for begin, _ in spans), max(end for _, end in spans)
    if learned is not None:
        return learned.first, learned.last + 1
    raise QueryError(f"Nobody knows when {data_set.name} has data. Say it by coords.time.range", kind="query.bad-range")


def _span(written: Span) -> tuple[int, int]:
    """The range that a definition says."""
    begin, end = parse_time(written.begin), parse_time(written.end)
    moving = end >= FOREVER or written.end.strip().lower().startswith("now")
    return begin.ns, _ahead() if moving else end.ns


def changed_at(data_set: DataSet, learned: Learned) -> float:
    """When the range was another last, in seconds since 1970: today, where its end moves; 0 where nobody knows."""
    if span_of(data_set, learned)[1] == _ahead():
        return float(parse_time("now").ns // _DAY * (_DAY // _SECOND))
    return covered_at(data_set.source.site, data_set.source.id) / _SECOND


def covered_at(site: Site, source: str) -> int:
    """When the coverage of a source was measured last, in ns since 1970; 0 where it never was."""
    from dasflex_core.upkeep.coverage import coverage_path

    try:
        return coverage_path(site.config, source).stat().st_mtime_ns
    except OSError:
        return 0


def _ahead() -> int:
    """A midnight some days from now."""
    return (parse_time("now").ns // _DAY + _AHEAD) * _DAY


def _covered(data_set: DataSet) -> tuple[int, int] | None:
    """From the first to the last bin with data, where that was measured."""
    from dasflex_core.upkeep.coverage import coverage_path, read_coverage

    found = read_coverage(coverage_path(data_set.source.site.config, data_set.source.id))
    filled = [place for place, count in enumerate(found.records) if count] if found is not None else []
    if found is None or not filled:
        return None
    width = found.width * _SECOND
    return found.begin + filled[0] * width, found.begin + (filled[-1] + 1) * width


def _example_spans(data_set: DataSet) -> Iterator[tuple[int, int]]:
    """The ranges of the examples, of the source and of what it shows."""
    for definition in view_chain(data_set.source.definition, data_set.source.site.catalog.find):
        for each in definition.examples:
            pairs = canonical_pairs(each.request)
            begin, end = (pairs.get(f"read.time.{name}", "") for name in ("min", "max"))
            if begin and end:
                first, last = parse_time(begin), parse_time(end)
                if first < last < FOREVER:
                    yield first.ns, last.ns


def sample_spans(data_set: DataSet) -> Iterator[tuple[int, int]]:
    """Ranges from which a data set may be described: those of the examples, then the beginning of all."""
    yield from _example_spans(data_set)
    try:
        begin, end = span_of(data_set)
    except QueryError:
        return
    yield begin, min(end, begin + _DAY)


def cadence_of(data_set: DataSet, learned: Learned) -> float | None:
    """The seconds between records: those that the request asks, else what was seen, else what the definition says."""
    if data_set.step:
        return data_set.step
    if learned.cadence is not None:
        return learned.cadence
    time = data_set.source.definition.coords.get("time")
    return time.cadence if time else None


def sample_of(data_set: DataSet, learned: Learned) -> tuple[int, int]:
    """A stretch with some records: from the first that was seen on."""
    start, stop = span_of(data_set, learned)
    cadence = cadence_of(data_set, learned) or max(1.0, (learned.last - learned.first) / _SECOND / _RECORDS)
    begin = max(start, learned.first // _SECOND * _SECOND)
    length = max(_SAMPLE, -(-round(cadence * _RECORDS * _SECOND) // _SECOND) * _SECOND)
    return begin, min(stop, begin + length)

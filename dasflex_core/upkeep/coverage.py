# SPDX-License-Identifier: GPL-3.0-or-later
"""How much data a source has when: its records in each bin of its whole range, in a small file beside its blocks.

It is measured by the request `calc.rate` in pieces, of which each is kept when it is done: what was measured of the
same data is not measured again, but for a bin that was not over. A cache level with `calc.rate` says how wide bins are.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from dasflex_core.errors import BusyError, QueryError, SourceError
from dasflex_core.run.filing import replaced
from dasflex_core.times import Time, format_time, parse_range, parse_time
from dasflex_core.upkeep.failures import Failure, failure
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from dasflex_core.config import Config
    from dasflex_core.site import Source

__all__ = ["FILE", "Coverage", "Measured", "coverage_path", "measure", "read_coverage"]

#: The file, in the folder of a source.
FILE: Final = "coverage.json"
_RATE: Final = "calc.rate"
_DAY: Final = 86_400
#: Widths of bins in seconds, of which the first is taken that makes no more than so many bins.
_WIDTHS: Final = (1, 10, 60, 600, 3600, 6 * 3600, _DAY, 7 * _DAY, 30 * _DAY, 365 * _DAY)
_MOST: Final = 1_000
#: Bins that are measured at once.
_PIECE: Final = 20
_NS: Final = 1_000_000_000
#: The seconds of what rates are told per: of widths that are a unit, else per second (das-streams 5.4).
_UNITS: Final = {"s**-1": 1, "minute**-1": 60, "hour**-1": 3600, "day**-1": _DAY}


@dataclass(frozen=True, slots=True)
class Coverage:
    """The records of a source in bins of `width` seconds from `begin` on (nanoseconds); None where nothing is known.

    `made` is when it was measured last, and `changed` the date of the data then, in seconds since 1970.
    """

    source: str
    begin: int
    width: int
    records: tuple[int | None, ...]
    made: float = 0.0
    changed: int | None = None

    @property
    def end(self) -> int:
        """Where the last bin ends, in nanoseconds."""
        return self.begin + len(self.records) * self.width * _NS

    def plain(self) -> bytes:
        """The file: JSON, with null for what is not known."""
        facts = {
            "source": self.source,
            "begin": f"{format_time(Time(self.begin))}Z",
            "end": f"{format_time(Time(self.end))}Z",
            "width": self.width,
            "records": self.records,
            "made": f"{format_time(Time(int(self.made) * _NS))}Z",
            "changed": self.changed,
        }
        return json.dumps(facts, separators=(",", ":")).encode() + b"\n"

    def runs(self) -> Iterator[tuple[int, int, bool | None]]:
        """Bins that follow one another and are alike, from and to (nanoseconds): with data, without, or unknown."""
        first = 0
        states = [None if each is None else each > 0 for each in self.records]
        for place in range(1, len(states) + 1):
            if place == len(states) or states[place] is not states[first]:
                yield self.begin + first * self.width * _NS, self.begin + place * self.width * _NS, states[first]
                first = place


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of a measurement: the coverage, in which nothing is known of the parts that failed."""

    coverage: Coverage
    failures: tuple[Failure, ...] = ()


def coverage_path(config: Config, source: str) -> Path:
    """Where the file of a source is."""
    return config.cache_root / "data" / source / FILE


def read_coverage(path: Path) -> Coverage | None:
    """What a file says; None where there is none, or it cannot be read."""
    try:
        return _coverage(json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def measure(source: Source, tell: Callable[[float | None, str], None], span: str = "") -> Measured:
    """Measures what is not known of a source, or of a `span` of it (`A/B`), and keeps it.

    `tell` is told how much is done, from 0 to 1, and where. Where the reader fails, what it has of other times is
    measured all the same. Raises `QueryError` for a source without a range, or of which records cannot be counted.
    """
    site = source.site
    bound = site.planner.bound(source.definition, {})
    changed = None if bound.changed is None else int(bound.changed)
    wanted = _blank(source, changed)
    path = coverage_path(site.config, source.id)
    known = read_coverage(path)
    found = wanted if known is None or known.changed != changed else _fitted(known, wanted)
    first, last = (each.ns for each in parse_range(span)) if span else (found.begin, found.end)
    pieces = [
        (place, min(place + _PIECE, len(found.records)))
        for place in range(0, len(found.records), _PIECE)
        if None in found.records[place : place + _PIECE]
        and _begin(found, place) < last
        and first < _begin(found, place + _PIECE)
    ]
    failures = []
    for count, (begin, end) in enumerate(pieces):
        since, until = (format_time(Time(_begin(found, place))) for place in (begin, end))
        tell(count / len(pieces), since)
        try:
            counts = _counted(source, found, begin, end)
        except (SourceError, BusyError) as error:
            failures.append(failure(f"{since} to {until}", error))
            continue
        records = (*found.records[:begin], *counts, *found.records[end:])
        found = replace(found, records=records, made=float(parse_time("now").ns // _NS))
        path.parent.mkdir(parents=True, exist_ok=True)
        replaced(path, found.plain())
    tell(1.0, "")
    return Measured(found, tuple(failures))


def _begin(found: Coverage, place: int) -> int:
    """Where a bin begins, in nanoseconds."""
    return found.begin + place * found.width * _NS


def _blank(source: Source, changed: int | None) -> Coverage:
    """The coverage of a source of which nothing is known."""
    text = str(source.definition.range or "")
    if not text:
        raise QueryError(f"{source.id} does not say its range (coords.time.range)", kind="query.bad-range")
    now = parse_time("now")
    begin, end = parse_range(text, now=now)
    last = min(end.ns, now.ns)
    width = _width(source, (last - begin.ns) / _NS)
    first = begin.ns // (min(width, _DAY) * _NS) * (min(width, _DAY) * _NS)
    bins = max(0, -(-(last - first) // (width * _NS)))
    return Coverage(source.id, first, width, (None,) * bins, changed=changed)


def _width(source: Source, seconds: float) -> int:
    """How wide bins are: as a cache level says, or so that there are not too many."""
    for level in source.definition.cache.levels:
        if (written := dict(level.request).get(_RATE, "")).isdecimal() and int(written):
            return int(written)
    return next((each for each in _WIDTHS if seconds <= each * _MOST), _WIDTHS[-1])


def _fitted(known: Coverage, wanted: Coverage) -> Coverage:
    """What is known in the bins that are wanted. The last that was known may have been measured before it was over."""
    if (known.begin, known.width) != (wanted.begin, wanted.width) or len(known.records) > len(wanted.records):
        return wanted
    over = [each if _begin(known, place + 1) <= known.made * _NS else None for place, each in enumerate(known.records)]
    rest = wanted.records[len(over) :]
    return replace(wanted, records=(*over, *rest), made=known.made)


def _counted(source: Source, found: Coverage, begin: int, end: int) -> list[int]:
    """The records of some bins, counted by the source's reader or of its blocks."""
    span = [format_time(Time(_begin(found, place))) for place in (begin, end)]
    answer = source.ask(read_time_min=span[0], read_time_max=span[1], calc_rate=str(found.width)).read()
    counts = [0] * (end - begin)
    for table in answer.values():
        unit = _UNITS.get(table.units("rate").rpartition(" ")[2], 1)
        for moment, rate in zip(table["time"].astype("M8[ns]").astype("i8"), table["rate"], strict=True):
            place = int(moment - _begin(found, begin)) // (found.width * _NS)
            if 0 <= place < len(counts):
                counts[place] += round(float(rate) * found.width / unit)
    return counts


def _coverage(plain: dict[str, Any]) -> Coverage:
    """The coverage that was written. Raises `ValueError` and its kin for what is none."""
    return Coverage(
        str(plain["source"]),
        parse_time(plain["begin"]).ns,
        int(plain["width"]),
        tuple(None if each is None else int(each) for each in plain["records"]),
        parse_time(plain["made"]).ns / _NS,
        None if plain["changed"] is None else int(plain["changed"]),
    )

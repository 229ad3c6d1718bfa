# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan is expected to cost and to give, before it runs, and what that rests on.

What runs of the same shape gave comes first (`dasflex_core.history`), then what the definition says: the rate of the
reader, the cadence or the interval of its records, how many values are in one. The range is that part of what is asked
for which the source has data.
"""

from __future__ import annotations

from dataclasses import replace
from math import ceil
from typing import TYPE_CHECKING, Final

from dasflex_core.errors import ConfigError, NotFoundError, QueryError
from dasflex_core.history import Run, Shape, note_runs, read_history
from dasflex_core.plan.binding import view_chain
from dasflex_core.plan.identity import answer_id
from dasflex_core.prices import Basis, Estimate
from dasflex_core.streamtype import ARRAYS
from dasflex_core.times import FOREVER, Time, parse_range, parse_time
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dasflex_core.catalog.model import Definition, Rate, Reader
    from dasflex_core.solved import Plan

__all__ = ["Extent", "estimate", "extent_of", "note_run"]

WIDTH: Final = "bin.time.max"
INTERVAL: Final = "read.time.inter"
BEGIN: Final = "read.time.min"
END: Final = "read.time.max"
#: The families of parameters that leave records records: others make something else of them, as spectra.
_AS_READ: Final = frozenset({"read", "bin", "format"})
#: What a record takes, beside its values and for each: as numbers, and as text (das 2.2 ICD: `time24`, `ascii11`).
_NUMBERS: Final = (8.0, 4.0)
_TEXT: Final = (25.0, 12.0)
#: About what text takes of what the same as numbers does, where no more is known.
_GROWTH: Final = 3.0
#: What is taken for the beginning of an answer, its header, in bytes, and what that may be at most.
_HEADER: Final = (2_000.0, 50_000.0)
#: The same of its seconds, in which programs are started.
_START: Final = (0.3, 5.0)
_NOTHING: Final = (0.0, 0.0)
#: How many times longer than the longest run a request may be, for which that run is a measure.
_FAR: Final = 1_000.0
#: Behind the name of a shape: what the same runs cost, which grows with what is read and not with the bins; and what
#: was read where nobody counted records.
_WORK: Final = ":work"
_BYTES: Final = ":bytes"


@dataclass(frozen=True, slots=True)
class Extent:
    """The range of time of which a request has data; None where it has no end that is known.

    `cut` says that the source has data for a part of what was asked only, or that it knows ends that were not given.
    """

    begin: Time | None = None
    end: Time | None = None
    cut: bool = False

    @property
    def seconds(self) -> float | None:
        """The length; None where it is not known."""
        if self.begin is None or self.end is None or self.end == FOREVER:
            return None
        return max(0.0, (self.end.ns - self.begin.ns) / 1e9)


def extent_of(plan: Plan) -> Extent:
    """The range of time of which a plan has data."""
    request = dict(plan.solution.request)
    begin, end = (parse_time(request[name]) if name in request else None for name in (BEGIN, END))
    cut = False
    for definition in _chain(plan):
        if definition.range is None:
            continue
        try:
            first, last = parse_range(str(definition.range))
        except QueryError:  # the definition was read when that was no fault
            continue
        if begin is None or begin < first:
            begin, cut = first, True
        if last != FOREVER and (end is None or (last < end and end != FOREVER)):
            end, cut = last, True
    return Extent(begin, end, cut)


def estimate(plan: Plan) -> Estimate:
    """What a plan is expected to cost and to give."""
    work = _Work.of(plan)
    if work.span == 0.0:
        return Estimate(work.start, 0, 0, 0, ("coverage",))
    history = read_history(plan.history)
    coverage: tuple[Basis, ...] = ("coverage",) if work.extent.cut and work.ranged else ()
    made = _measured(work, history)
    if made is None:
        made = _reckoned(work, history.get(work.reading) or history.get(work.reading + _BYTES))
    return replace(made, basis=(*made.basis, *coverage) if made.basis else ())


def note_run(
    plan: Plan, given: int, records: int | None, read: int, seconds: float, note: Callable[[str], None]
) -> None:
    """Keeps what a complete run of a plan gave: bytes and records, the bytes that it read, and its seconds of work."""
    work = _Work.of(plan)
    units, span = work.units, work.read_units
    if plan.solution.produces.kind == ARRAYS.kind or not units or not span:
        return
    counted = records is not None and work.width is None and work.families <= _AS_READ
    of_reader = Run(span, read, records if counted else None, seconds, read)
    runs = {
        work.shape: Run(units, given, records, seconds, read),
        work.shape + _WORK: of_reader,
        work.reading + ("" if counted else _BYTES): of_reader,
    }
    note_runs(plan.history, runs, note)


@dataclass(frozen=True, slots=True)
class _Work:
    """A plan as an estimate sees it.

    `width` is that of its bins of time and `interval` that of its records, in seconds, where it makes or has such.
    `ranged` says whether it depends on a range of time at all.
    """

    plan: Plan
    definition: Definition
    reader: Reader | None
    request: Mapping[str, str]
    families: frozenset[str]
    extent: Extent
    width: float | None
    interval: float | None
    ranged: bool

    @classmethod
    def of(cls, plan: Plan) -> _Work:
        """What an estimate sees of a plan."""
        solution = plan.solution
        consumed = {name for step in solution.path.steps for name in step.consumes}
        reads = set(solution.path.steps[0].spec.reads)
        request = {name: text for name, text in solution.request if name in consumed}
        base = _chain(plan)[-1]
        name = solution.whole.steps[0].spec.name
        reader = next((each for each in base.readers if (each.name or "reader") == name), None)
        time = base.coords.get("time")
        interval = _positive(request.get(INTERVAL, ""))
        if interval is None and time is not None and time.interval is not None:
            interval = time.interval.default
        return cls(
            plan=plan,
            definition=base,
            reader=reader,
            request=request,
            families=frozenset(each.partition(".")[0] for each in consumed),
            extent=extent_of(plan),
            width=_positive(request.get(WIDTH, "")),
            interval=interval,
            ranged=bool({BEGIN, END} & (consumed | reads)),
        )

    @property
    def start(self) -> float:
        """The seconds that the stages take to begin, as they declare them."""
        return sum(step.spec.cost.start for step in self.plan.solution.path.steps)

    @property
    def missing(self) -> float:
        """The share of the range for which the cache has no blocks: what is read."""
        use = self.plan.solution.use
        return 1.0 if use is None else use.pieces.missing

    @property
    def span(self) -> float | None:
        """The seconds of data time; None where they are not known."""
        return self.extent.seconds if self.ranged else None

    @property
    def units(self) -> float | None:
        """What an answer grows with: the bins, the intervals or the seconds of its range; 1 without a range."""
        found, records = self._in(self.width or self.interval), self.records
        return found if found is None or not (self.width and records) else min(found, records)

    @property
    def read_units(self) -> float | None:
        """The same for what is read."""
        return self._in(self.interval)

    def _in(self, step: float | None) -> float | None:
        """The range in steps, or in seconds; 1 without a range, None where that has no end."""
        if not self.ranged:
            return 1.0
        span = self.span
        return None if span is None else ceil(span / step) if step else span

    @property
    def shape(self) -> str:
        """A name for all that makes the answer but its range and its step."""
        path = self.plan.solution.path
        names = " ".join(step.spec.name for step in path.steps)
        return answer_id(names, _stepless(self.request), path, None)

    @property
    def reading(self) -> str:
        """The same for what its reader writes."""
        path = self.plan.solution.path
        first = path.steps[0]
        alone = replace(path, steps=(first,), produces=first.spec.produces)
        mine = {name: text for name, text in self.request.items() if name in first.consumes}
        return answer_id(f"{first.spec.name}, read", _stepless(mine), alone, None)

    @property
    def rate(self) -> Rate | None:
        """What the reader gives: by its definition, else by what a plugin knows of it."""
        return (self.reader.rate if self.reader else None) or self.plan.solution.rate

    @property
    def records(self) -> float | None:
        """The records that the reader writes, by its definition."""
        span = self.span
        if span is None:
            return None
        time, rate = self.definition.coords.get("time"), self.rate
        step = self.interval or (None if rate or time is None else time.cadence)
        return ceil(span / step) if step else span * rate.packets if rate else None

    @property
    def values(self) -> float | None:
        """The values of a record, by the definition; None where the length of an axis is not said."""
        named = self.request.get("read.data", "")
        wanted = {each.strip() for each in named.split(",") if each.strip()}
        total = 0.0
        for name, item in self.definition.data.items():
            if name in wanted or (not wanted and item.default):
                sizes = [self._size(axis) for axis in item.axes if axis != "time"]
                count = 1.0
                for size in sizes:
                    if size is None:
                        return None
                    count *= size
                total += count
        return total or None

    def _size(self, axis: str) -> float | None:
        """The values along an axis; None where that is not said, or differs."""
        coord = self.definition.coords.get(axis)
        if coord is None:
            return None
        if coord.of == "time" and self.width is not None:  # the samples of a waveform go into the bins
            return 1.0
        return len(coord.tags) or (coord.size if coord.size and coord.size > 0 else None)

    @property
    def reads_text(self) -> bool:
        """Whether the reader writes text."""
        return self._is_text(str(self.plan.solution.whole.steps[0].spec.produces))

    def _is_text(self, written: str) -> bool:
        """Whether a stream type is text."""
        kind, _, rest = written.partition("/")
        known = [
            each.text
            for each in self.plan.request.source.site.registry.stream_types
            if each.type.kind == kind and str(each.type).endswith(rest)
        ]
        return bool(known) and all(known)


def _chain(plan: Plan) -> tuple[Definition, ...]:
    """The source, and what it is a view of, as far as that is there."""
    definition = plan.request.source.definition
    if not definition.viewed:
        return (definition,)
    try:
        return view_chain(definition, plan.request.source.site.catalog.find)
    except (ConfigError, NotFoundError):  # it is being checked, and not installed yet
        return (definition,)


def _measured(work: _Work, history: Mapping[str, Shape]) -> Estimate | None:
    """What runs of the same shape tell; None where there were none, or none that is long enough to be a measure."""
    shape, cost, units, span = history.get(work.shape), history.get(work.shape + _WORK), work.units, work.read_units
    if shape is None or cost is None or units is None or span is None:
        return None
    if units > _FAR * shape.long.units or span > _FAR * cost.long.units:
        return None
    records = work.records if work.width is None and work.families <= _AS_READ else None
    if shape.short.records is not None and shape.long.records is not None:
        records = shape.expected(lambda run: run.records or 0.0, units, *_NOTHING)
    return Estimate(
        seconds=max(work.start, cost.expected(lambda run: run.seconds, span, *_START)),
        read=round(cost.expected(lambda run: run.read, span, *_HEADER)),
        bytes=round(shape.expected(lambda run: run.bytes, units, *_HEADER)),
        records=_whole(records),
        basis=("history",),
    )


def _reckoned(work: _Work, shape: Shape | None) -> Estimate:
    """What the definition tells, and where it does not, what was read for other requests of the source."""
    basis: dict[Basis, None] = {}
    units = work.read_units
    known = shape if shape is not None and units is not None and units <= _FAR * shape.long.units else None
    records, read = work.records, None
    if records is not None:
        basis["rate"] = None
    elif known is not None and known.long.records is not None and known.short.records is not None and units is not None:
        records = known.expected(lambda run: run.records or 0.0, units, *_NOTHING)
        basis["history"] = None
    if work.rate and records is not None:
        read = records * work.rate.size
    elif known is not None and units is not None:
        read = known.expected(lambda run: run.read, units, *_HEADER)
        basis["history"] = None
    elif records is not None and work.values is not None:
        read = records * _record(work.values, text=work.reads_text)
    size, count = _answer(work, records, read, measured="history" in basis)
    seconds = work.plan.solution.seconds
    if read is not None:
        costs = [step.spec.cost for step in work.plan.solution.path.steps]
        seconds = sum(cost.start + cost.per_gb * read / 1e9 for cost in costs)
        read *= work.missing
    return Estimate(seconds, _whole(read), _whole(size), _whole(count), tuple(basis))


def _answer(
    work: _Work, records: float | None, read: float | None, *, measured: bool
) -> tuple[float | None, float | None]:
    """Bytes and records of the answer, of the records and bytes that are read; None where they are not known.

    Where it was `measured` what is read, the answer is no larger than that makes it.
    """
    plan = work.plan
    if len(plan.solution.whole.steps) == 1:
        return read, records
    if not work.families <= _AS_READ or plan.media_type.startswith("image/"):
        return None, None
    text = plan.type is not None and plan.type.text
    values = work.values
    if values is None and records and read is not None:
        head, each = _TEXT if work.reads_text else _NUMBERS
        values = max(1.0, (read / records - head) / each)
    span = work.span
    if work.width is not None:
        bins = None if span is None else ceil(span / work.width)
        records = bins if records is None else records if bins is None else min(records, bins)
        values = values and values * (work.request.get("bin.stats", "").count(",") + 1)
    reckoned = None if records is None or values is None else records * _record(values, text=text)
    copied = None if read is None else read * (1.0 if text == work.reads_text else _GROWTH if text else 1 / _GROWTH)
    if work.width is not None:
        return reckoned if reckoned is None or copied is None or not measured else min(reckoned, copied), records
    return copied if measured or reckoned is None else reckoned, records


def _record(values: float, *, text: bool) -> float:
    """The bytes of a record of so many values."""
    head, each = _TEXT if text else _NUMBERS
    return head + each * values


def _stepless(request: Mapping[str, str]) -> list[tuple[str, str]]:
    """The parameters without the range, and without how wide its steps are."""
    return [
        (name, "" if name in (WIDTH, INTERVAL) else text) for name, text in request.items() if name not in (BEGIN, END)
    ]


def _positive(text: str) -> float | None:
    """A number of seconds above zero; None for anything else."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 < number < float("inf") else None


def _whole(number: float | None) -> int | None:
    """The number as a whole one."""
    return None if number is None else round(number)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Moments of the values in bins of time, from which the bins of any multiple of the width can be made.

The bins are those of `bin_average` on the absolute grid, found by the same code; what differs is that they are given as
sums, extremes and counts, not as statistics. Of means beside which their counts stand, those that are weighted by these
are kept, too, since a mean alone is weighted and other statistics are not.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dasflex_core.arrays import Dataset, Records
from dasflex_core.moments import Moments
from dasflex_core.times import GRID
from dasflex_reduce.accumulating import Accumulator
from dasflex_reduce.binned import Binned, bin_dataset, clock_of
from dasflex_reduce.binning import Runs
from dasflex_reduce.grid import Grid, Origin
from dasflex_reduce.moment_stage import MomentStage
from dasflex_reduce.record_bins import RecordBins

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from dasflex_core.arrays import Fill, Item, Variable
    from dasflex_reduce.binning import Integers
    from dasflex_reduce.binning import Moments as Found
    from dasflex_reduce.bursts import Bursts, Rows
    from dasflex_reduce.outputs import Job

__all__ = ["KEPT", "SAMPLES", "Sums", "weighted_name"]

#: The statistics that can be made of what is kept.
KEPT: Final = ("mean", "min", "max", "stddev", "count")
#: The name of the part that tells of bins to which samples belong, not whole records: no variable has it.
SAMPLES: Final = ""
_WEIGHTED: Final = " by its counts"


class Sums(MomentStage[Records, "_Summed"]):
    """The stage: records in, moments out; all else passes. `seconds` is the width of the bins."""

    takes = Records

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def dataset(self, dataset: Dataset) -> tuple[Dataset, _Summed | None]:
        """The same dataset, of which the moments are."""
        clock = clock_of(dataset)
        return dataset, None if clock is None else _Summed(dataset, clock, self._seconds)

    def put(self, bins: _Summed | None, item: Records) -> Iterator[Item]:
        """The bins that these records close; records without times pass."""
        return iter((item,)) if bins is None else bins.take(Records(item.dataset.plain, item.columns))


def weighted_name(name: str) -> str:
    """The name under which the moments of means that are weighted by their counts are kept."""
    return name + _WEIGHTED


class _Summed:
    """The bins of a dataset as moments."""

    def __init__(self, dataset: Dataset, clock: Variable, seconds: float) -> None:
        every = [bin_dataset(dataset, clock, KEPT, seconds)]
        means = bin_dataset(dataset, clock, ("mean",), seconds)
        if heavy := tuple(job for job in means.jobs if job.weights):
            every.append(replace(means, jobs=heavy))
        apart = every[0].offsets is not None or every[0].bursts is not None
        kind = _KeptSamples if apart else _Kept
        self._kept = [kind(dataset, each, seconds) for each in every]

    def take(self, batch: Records) -> Iterator[Moments]:
        """The bins that these records close."""
        return _joined([each.take(batch) for each in self._kept])

    def rest(self) -> Iterator[Moments]:
        """The bins that are still open."""
        return _joined([each.rest() for each in self._kept])


def _joined(flows: list[Iterator[Any]]) -> Iterator[Moments]:
    """The moments that all reducers of a dataset give for the same bins, as one item."""
    for some in zip(*flows, strict=True):
        parts = {name: found for each in some for name, found in each.parts.items()}
        yield Moments(some[0].dataset, some[0].begins, parts)


class _Kept(RecordBins):
    """Some variables of a dataset in bins to which whole records belong."""

    def __init__(self, source: Dataset, binned: Binned, seconds: float) -> None:
        super().__init__(binned, Grid(Origin(GRID), seconds, downward=True), seconds, careful=True)
        self._source = source
        self._width = round(seconds * 1e9)

    def _accumulator(self, jobs: tuple[Job, ...], **shape: Any) -> Accumulator:  # noqa: ANN401  as the base passes it
        return _Open(jobs, **shape)

    def _told(self, closed: Integers, made: Mapping[str, Any]) -> Any:  # noqa: ANN401  moments, where the base has records
        return Moments(self._source, GRID + closed * self._width, made)


class _KeptSamples(_Kept):
    """The same where samples of a record have a bin each, which depends on how wide bins are.

    Moments are those of samples that share the bin of their record and that of themselves, so that wider bins can be
    made of either; `begins` is that of the record, by whose time streams are cut. The part `SAMPLES` says of them:
    `begins`, of the bin of the samples; `reach`, how wide a bin must be so that the record belongs to it as a whole;
    and `continues`, whether the same record has moments before these. What a record has once counts in each of its
    bins, and must not count again where these become one.
    """

    def __init__(self, source: Dataset, binned: Binned, seconds: float) -> None:
        super().__init__(source, binned, seconds)
        self._bins: Integers = np.zeros(0, dtype=np.int64)
        self._reaches: Integers = self._bins
        self._marks: dict[int, tuple[int, ...]] = {}
        self._latest = -1

    def take(self, batch: Records) -> Iterator[Records]:
        """The bins that these records close."""
        binned, clock = self._binned, self._binned.clock
        if binned.offsets is not None:
            self._place(batch[clock.name], clock.units, clock.fill)
            self._reach(np.full(len(batch), np.ptp(binned.offsets)))
        yield from super().take(batch)

    def _rows(self, batch: Records, bursts: Bursts) -> Rows:
        rows = super()._rows(batch, bursts)
        self._place(rows.begins, "UTC", None)
        self._reach(rows.spans)
        return rows

    def _place(self, times: Any, units: str, fill: Fill) -> None:  # noqa: ANN401  a column
        """Notes the bins of records by their own times."""
        numbers, kept = self._ruler.numbers(times, units, fill)
        self._bins = np.zeros(len(times), dtype=np.int64)
        self._bins[... if kept is None else kept] = numbers

    def _reach(self, spans: Integers) -> None:
        """Notes how many bins the samples of records span."""
        self._reaches = -(-spans // self._width)

    def _numbered(self, numbers: Integers, record: NDArray[np.intp]) -> Integers:
        """Numbers that tell apart what has moments of its own; what they mean is noted."""
        marks = np.empty((len(numbers), 4), dtype=np.int64)
        marks[:, 0], marks[:, 1], marks[:, 2] = self._bins[record], numbers, self._reaches[record]
        moved = np.zeros(len(numbers), dtype=np.int64)
        np.cumsum(numbers[1:] != numbers[:-1], out=moved[1:])
        runs = Runs.of(record)
        marks[:, 3] = moved > moved[runs.starts][runs.of_row]
        changed = np.ones(len(numbers), dtype=np.int64)
        changed[1:] = (marks[1:] != marks[:-1]).any(axis=1)
        changed[0] = tuple(marks[0].tolist()) != self._marks.get(self._latest)
        told = self._latest + np.cumsum(changed)
        places = np.flatnonzero(changed)
        self._marks.update(zip(told[places].tolist(), map(tuple, marks[places].tolist()), strict=True))
        self._latest = int(told[-1])
        return told

    def _told(self, closed: Integers, made: Mapping[str, Any]) -> Any:  # noqa: ANN401  as above
        marks = np.array([self._marks.pop(each) for each in closed.tolist()], dtype=np.int64)
        begins, samples, reaches, continues = marks.T
        told = {
            "begins": GRID + samples * self._width,
            "reach": reaches * self._width,
            "continues": continues == 1,
        }
        return Moments(self._source, GRID + begins * self._width, {SAMPLES: told, **made})


class _Open(Accumulator):
    """The state of variables that are alike, whose closed bins come out as moments by variable."""

    def _columns(self, closed: Found, middles: NDArray[Any] | None) -> Any:  # noqa: ANN401, ARG002  as above; no medians are kept
        size = next(iter(closed.values())).shape[1] // len(self._jobs)
        made: dict[str, dict[str, NDArray[Any]]] = {}
        for place, job in enumerate(self._jobs):
            own = slice(place * size, (place + 1) * size)
            name = weighted_name(job.source.name) if job.weights else job.source.name
            made[name] = {key: np.ascontiguousarray(array[:, own]) for key, array in closed.items()}
        return made

# SPDX-License-Identifier: GPL-3.0-or-later
"""Bins along the records of one dataset: the open one is carried from batch to batch, the closed ones come out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from dasflex_core import epochs
from dasflex_core.arrays import Ragged, Records, is_fill
from dasflex_reduce.accumulating import Accumulator, alike
from dasflex_reduce.binning import Runs
from dasflex_reduce.bursts import Rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from dasflex_core.arrays import Fill, Variable
    from dasflex_reduce.binned import Binned
    from dasflex_reduce.binning import Integers
    from dasflex_reduce.bursts import Bursts
    from dasflex_reduce.outputs import Job

__all__ = ["RecordBins", "Ruler"]


class Ruler(Protocol):
    """What tells bins along a coordinate: `grid.Grid` for times, `grid.Line` for numbers."""

    def numbers(self, values: NDArray[Any], units: str, fill: Fill = None) -> tuple[Integers, NDArray[np.bool_] | None]:
        """The bins of values in these units, and which of the values have one; None where all have."""
        ...

    def centres(self, numbers: Integers, units: str, dtype: np.dtype[Any]) -> NDArray[Any]:
        """The middles of bins, in these units."""
        ...


class RecordBins:
    """The bins of a dataset: `binned` says how it is reduced, `ruler` which bin a record is in.

    `seconds` is the width of bins of time. With `careful`, means are as good as their type.
    """

    def __init__(self, binned: Binned, ruler: Ruler, seconds: float = 0.0, *, careful: bool = False) -> None:
        offsets = binned.offsets
        each = offsets is not None or binned.bursts is not None
        along = [job for job in binned.jobs if each and (job.axis is not None or job.source.ragged)]
        plain = [job for job in binned.jobs if job not in along]
        self._binned = binned
        self._ruler = ruler
        self._seconds = seconds
        self._accumulators = [self._accumulator(jobs, careful=careful) for jobs in alike(plain)]
        # What lies along the samples, which have bins of their own.
        self._along = [self._accumulator(jobs, careful=careful, **_shape_along(jobs, offsets)) for jobs in alike(along)]
        self._open: int | None = None

    def _accumulator(self, jobs: tuple[Job, ...], **shape: Any) -> Accumulator:  # noqa: ANN401  how many samples, or which shape
        """The state of variables that are alike."""
        return Accumulator(jobs, **shape)

    def take(self, batch: Records) -> Iterator[Records]:
        """The bins that these records close. Records without a coordinate are left out."""
        if self._binned.bursts is not None:
            yield from self._take_bursts(batch, self._binned.bursts)
            return
        clock, offsets = self._binned.clock, self._binned.offsets
        columns = {name: column for name, column in batch.columns.items() if not isinstance(column, Ragged)}
        along = columns[clock.name]
        if offsets is not None:
            rows = np.repeat(np.arange(len(batch)), len(offsets))
            yield from self._take_samples(columns, columns, _sample_times(along, clock, offsets), rows)
            return
        numbers, kept = self._ruler.numbers(along, clock.units, clock.fill)
        if not len(numbers):
            return
        runs = Runs.of(numbers)
        joined, closed = self._follow(numbers[runs.starts])
        made: dict[str, NDArray[Any]] = {}
        for accumulator in self._accumulators:
            made |= accumulator.take(columns, runs, joined=joined, kept=kept)
        if len(closed):
            yield self._told(closed, made)

    def _take_samples(
        self,
        plain: Mapping[str, NDArray[Any]],
        along: Mapping[str, NDArray[Any]],
        times: NDArray[np.datetime64],
        record: NDArray[np.intp],
    ) -> Iterator[Records]:
        """The bins that samples close: each has a time and belongs to a record.

        What a record has once counts once in each bin that it has samples in.
        """
        numbers, kept = self._ruler.numbers(times, "UTC")
        if not len(numbers):
            return
        record = record if kept is None else record[kept]
        numbers = self._numbered(numbers, record)
        joined, closed = self._follow(numbers[Runs.of(numbers).starts])
        pairs = Runs.of(record * 2 + _parity(numbers)).starts  # where the record or the bin changes
        runs = Runs.of(numbers[pairs])
        made: dict[str, NDArray[Any]] = {}
        for accumulator in self._accumulators:
            picked = {name: plain[name][record[pairs]] for name in accumulator.names}
            made |= accumulator.take(picked, runs, joined=joined)
        runs = Runs.of(numbers)
        for accumulator in self._along:
            made |= accumulator.take(along, runs, joined=joined, kept=kept)
        if len(closed):
            yield self._told(closed, made)

    def _numbered(self, numbers: Integers, record: NDArray[np.intp]) -> Integers:  # noqa: ARG002  for those who need it
        """The bins of samples, whose records are numbered, by the numbers that tell them apart."""
        return numbers

    def _follow(self, bins: Integers) -> tuple[bool, Integers]:
        """Opens the last of these bins: whether the first was open before, and the bins that are closed by that."""
        joined = self._open is not None and self._open == int(bins[0])
        earlier = [self._open] if self._open is not None and not joined else []
        closed = np.concatenate([np.array(earlier, dtype=np.int64), bins[:-1]])
        self._open = int(bins[-1])
        return joined, closed

    def _take_bursts(self, batch: Records, bursts: Bursts) -> Iterator[Records]:
        """The same for records that hold samples of a waveform, some more than others."""
        if not len(batch):
            return
        rows = self._rows(batch, bursts)
        plain = {name: each for name, each in batch.columns.items() if not isinstance(each, Ragged)}
        sources = {job.source.name: job.source for job in self._binned.jobs}
        along = {
            name: rows.values(sources.get(name, batch.dataset[name]), each)
            for name, each in batch.columns.items()
            if isinstance(each, Ragged) and name != bursts.column
        }
        yield from self._take_samples(plain, along, rows.times, rows.record)

    def _rows(self, batch: Records, bursts: Bursts) -> Rows:
        """The rows of records that hold samples."""
        return Rows.of(batch, self._binned.clock, bursts, self._seconds)

    def rest(self) -> Iterator[Records]:
        """The bin that is still open."""
        if self._open is None:
            return
        last, self._open = self._open, None
        every = (*self._accumulators, *self._along)
        yield self._told(np.array([last]), {name: column for each in every for name, column in each.rest().items()})

    def _told(self, closed: Integers, made: Mapping[str, NDArray[Any]]) -> Records:
        """The records of closed bins."""
        dataset, along = self._binned.dataset, self._binned.time
        centres = self._ruler.centres(closed, along.units, along.dtype)
        return Records(dataset, {name: made.get(name, centres) for name in dataset.wire})


def _shape_along(jobs: tuple[Job, ...], offsets: Integers | None) -> dict[str, Any]:
    """How what lies along the samples of records is taken: as many in each record as there are offsets, or not."""
    return {"shape": jobs[0].source.leaf} if offsets is None else {"samples": len(offsets)}


def _parity(numbers: Integers) -> Integers:
    """0 or 1 for each number, which changes wherever the number does.

    >>> _parity(np.array([4, 4, 6, 7, 7])).tolist()
    [0, 0, 1, 0, 0]
    """
    changed = np.zeros(len(numbers), dtype=np.int64)
    changed[1:] = numbers[1:] != numbers[:-1]
    parity: Integers = np.cumsum(changed) % 2
    return parity


def _sample_times(times: NDArray[Any], clock: Variable, offsets: Integers) -> NDArray[np.datetime64]:
    """The time of each sample of records that begin at `times`, one after another."""
    begins = epochs.to_datetime64(times, clock.units)
    begins = np.where(is_fill(times, clock.fill), np.datetime64("NaT"), begins)
    samples: NDArray[np.datetime64] = begins[:, None] + offsets.view("m8[ns]")
    return samples.reshape(-1)

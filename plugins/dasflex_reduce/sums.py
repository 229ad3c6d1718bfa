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

from dasflex_core.arrays import Dataset, NoData, Problem, Records
from dasflex_core.moments import Moments
from dasflex_reduce.accumulating import Accumulator
from dasflex_reduce.binned import Binned, bin_dataset, clock_of
from dasflex_reduce.binning import Runs
from dasflex_reduce.grid import Grid, Origin
from dasflex_reduce.record_bins import RecordBins

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from dasflex_core.arrays import Item, Variable
    from dasflex_reduce.binning import Integers
    from dasflex_reduce.binning import Moments as Found
    from dasflex_reduce.outputs import Job

__all__ = ["GRID", "KEPT", "SAMPLES", "Sums", "plain", "weighted_name"]

#: Where bin 0 of the absolute grid begins: midnight of 2000-01-01, in nanoseconds since 1970.
GRID: Final = 946_684_800 * 1_000_000_000
#: The statistics that can be made of what is kept.
KEPT: Final = ("mean", "min", "max", "stddev", "count")
#: The name of the part that bins have to which samples belong, not whole records: no variable has it.
SAMPLES: Final = ""
_WEIGHTED: Final = " by its counts"
_NEVER: Final = 1 << 62


class Sums:
    """The stage: records in, moments out; all else passes. `seconds` is the width of the bins."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._active: dict[int, _Summed] = {}
        self._came = False
        self._gave = False

    def feed(self, item: Item, /) -> Iterator[Item]:
        """What comes out because of this item."""
        self._came = self._came or (isinstance(item, Records) and len(item) > 0)
        for given in self._given(item):
            self._gave = self._gave or isinstance(given, Moments | Records | NoData | Problem)
            yield given

    def finish(self) -> Iterator[Item]:
        """The bins that are still open, in the order of the datasets' ids."""
        while self._active:
            for given in self._active.pop(min(self._active)).rest():
                self._gave = True
                yield given
        if self._came and not self._gave:
            yield NoData()

    def _given(self, item: Item) -> Iterator[Item]:
        if isinstance(item, Records):
            summed = self._active.get(item.dataset.id)
            yield from (item,) if summed is None else summed.take(Records(plain(item.dataset), item.columns))
        elif isinstance(item, Dataset):
            if (earlier := self._active.pop(item.id, None)) is not None:
                yield from earlier.rest()
            dataset = plain(item)
            if (clock := clock_of(dataset)) is not None:
                self._active[item.id] = _Summed(dataset, clock, self._seconds)
            yield dataset
        else:
            yield item


def plain(dataset: Dataset) -> Dataset:
    """The dataset less what belongs to others: nobody knows what becomes of that when records are changed."""
    return replace(dataset, extras=()) if dataset.extras else dataset


def weighted_name(name: str) -> str:
    """The name under which the moments of means that are weighted by their counts are kept."""
    return name + _WEIGHTED


class _Summed:
    """The bins of a dataset as moments.

    Where the samples of a record span more than a bin, bins are kept twice: those of wider bins, to which records
    belong as a whole, and those to which each sample belongs by its own time. The latter wait for the former, so that
    all bins come in the order of time.
    """

    def __init__(self, dataset: Dataset, clock: Variable, seconds: float) -> None:
        every = [bin_dataset(dataset, clock, KEPT, seconds)]
        means = bin_dataset(dataset, clock, ("mean",), seconds)
        if heavy := tuple(job for job in means.jobs if job.weights):
            every.append(replace(means, jobs=heavy))
        apart = every[0].offsets is not None or every[0].bursts is not None
        whole = every[0].bursts is None
        self._wholes = [_Kept(dataset, replace(each, offsets=None), seconds) for each in every if whole]
        self._samples = [_KeptSamples(dataset, each, seconds) for each in every if apart]
        self._waiting: list[Moments] = []

    def take(self, batch: Records) -> Iterator[Moments]:
        """The bins that these records close."""
        yield from _joined([each.moments(batch) for each in self._wholes])
        self._waiting += _joined([each.moments(batch) for each in self._samples])
        begin = self._wholes[0].begin if self._wholes else None
        yield from self._passed(_NEVER if begin is None else begin)

    def rest(self) -> Iterator[Moments]:
        """The bins that are still open."""
        yield from _joined([each.last() for each in self._wholes])
        self._waiting += _joined([each.last() for each in self._samples])
        yield from self._passed(_NEVER)

    def _passed(self, until: int) -> Iterator[Moments]:
        """Those that wait, up to the first that begins at a time or later."""
        while self._waiting:
            first = self._waiting.pop(0)
            late = np.flatnonzero(first.begins >= until)
            if not len(late):
                yield first
                continue
            early, later = _cut(first, int(late[0]))
            self._waiting.insert(0, later)
            if len(early):
                yield early
            return


def _cut(moments: Moments, place: int) -> tuple[Moments, Moments]:
    """The bins before a place, and the others."""
    halves = []
    for rows in (slice(0, place), slice(place, None)):
        parts = {name: {key: array[rows] for key, array in each.items()} for name, each in moments.parts.items()}
        halves.append(Moments(moments.dataset, moments.begins[rows], parts))
    return halves[0], halves[1]


def _joined(flows: list[Iterator[Moments]]) -> Iterator[Moments]:
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

    @property
    def begin(self) -> int | None:
        """Where the bin that is open begins."""
        return None if self._open is None else GRID + self._open * self._width

    def moments(self, batch: Records) -> Iterator[Moments]:
        """The bins that these records close."""
        given: Iterator[Any] = self.take(batch)
        return given

    def last(self) -> Iterator[Moments]:
        """The bin that is open."""
        given: Iterator[Any] = self.rest()
        return given

    def _accumulator(self, jobs: tuple[Job, ...], **shape: Any) -> Accumulator:  # noqa: ANN401  as the base passes it
        return _Open(jobs, **shape)

    def _told(self, closed: Sequence[int], made: Mapping[str, Any]) -> Any:  # noqa: ANN401  moments, where the base has records
        return Moments(self._source, GRID + np.array(closed, dtype=np.int64) * self._width, made)


class _KeptSamples(_Kept):
    """The same in bins to which each sample of a record belongs by its own time.

    What a record has once counts once in each of its bins, so that it must not count again where these become one. So
    a bin that has both is given as two: one of the record that has samples in the bin before, too, and one of the
    records that begin in it. `SAMPLES` says which they are.
    """

    def _numbered(self, numbers: Integers, record: NDArray[np.intp]) -> Integers:
        """Twice the number of the bin, and one more for records that have no samples in the bin before."""
        changed = np.zeros(len(numbers), dtype=np.int64)
        changed[1:] = numbers[1:] != numbers[:-1]
        moved = np.cumsum(changed)
        runs = Runs.of(record)
        marked: Integers = numbers * 2 + (moved == moved[runs.starts][runs.of_row])
        return marked

    def _told(self, closed: Sequence[int], made: Mapping[str, Any]) -> Any:  # noqa: ANN401  as above
        marked = np.array(closed, dtype=np.int64)
        parts = {SAMPLES: {"continues": marked % 2 == 0}, **made}
        return Moments(self._source, GRID + marked // 2 * self._width, parts)


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

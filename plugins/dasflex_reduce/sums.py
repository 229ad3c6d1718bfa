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

from dasflex_core.arrays import Dataset, NoData, Records, StreamHeader
from dasflex_core.moments import Moments
from dasflex_reduce.accumulating import Accumulator
from dasflex_reduce.binned import Binned, bin_dataset, clock_of
from dasflex_reduce.grid import Grid, Origin
from dasflex_reduce.record_bins import RecordBins

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from dasflex_core.arrays import Item
    from dasflex_reduce.binning import Moments as Found
    from dasflex_reduce.outputs import Job

__all__ = ["GRID", "KEPT", "Sums", "plain", "weighted_name"]

#: Where bin 0 of the absolute grid begins: midnight of 2000-01-01, in nanoseconds since 1970.
GRID: Final = 946_684_800 * 1_000_000_000
#: The statistics that can be made of what is kept.
KEPT: Final = ("mean", "min", "max", "stddev", "count")
_WEIGHTED: Final = " by its counts"


class Sums:
    """The stage: records in, moments out; all else passes. `seconds` is the width of the bins."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._active: dict[int, list[_Kept]] = {}
        self._came = False
        self._gave = False

    def feed(self, item: Item, /) -> Iterator[Item]:
        """What comes out because of this item."""
        for given in self._given(item):
            self._gave = self._gave or not isinstance(given, StreamHeader | Dataset)
            yield given

    def finish(self) -> Iterator[Item]:
        """The bins that are still open, in the order of the datasets' ids."""
        while self._active:
            for given in _joined(self._active.pop(min(self._active)), lambda each: each.rest()):
                self._gave = True
                yield given
        if self._came and not self._gave:
            yield NoData()

    def _given(self, item: Item) -> Iterator[Item]:
        if isinstance(item, Records):
            self._came = self._came or len(item) > 0
            kept = self._active.get(item.dataset.id)
            batch = Records(plain(item.dataset), item.columns)
            yield from (item,) if kept is None else _joined(kept, lambda each: each.take(batch))
        elif isinstance(item, Dataset):
            yield from _joined(self._active.pop(item.id, []), lambda each: each.rest())
            dataset = plain(item)
            if made := _reducers(dataset, self._seconds):
                self._active[item.id] = made
            yield dataset
        else:
            yield item


def plain(dataset: Dataset) -> Dataset:
    """The dataset less what belongs to others: nobody knows what becomes of that when records are changed."""
    return replace(dataset, extras=()) if dataset.extras else dataset


def weighted_name(name: str) -> str:
    """The name under which the moments of means that are weighted by their counts are kept."""
    return name + _WEIGHTED


def _reducers(dataset: Dataset, seconds: float) -> list[_Kept]:
    """What sums a dataset: all variables, and once more those whose means have counts. Nothing without a clock."""
    clock = clock_of(dataset)
    if clock is None:
        return []
    whole = bin_dataset(dataset, clock, KEPT, seconds)
    means = bin_dataset(dataset, clock, ("mean",), seconds)
    heavy = tuple(job for job in means.jobs if job.weights)
    made = [_Kept(dataset, whole, seconds)]
    return [*made, _Kept(dataset, replace(means, jobs=heavy), seconds)] if heavy else made


def _joined(kept: list[_Kept], ask: Any) -> Iterator[Moments]:  # noqa: ANN401  a method of those that it is given
    """The moments that all reducers of a dataset give for the same bins, as one item."""
    for some in zip(*(ask(each) for each in kept), strict=True):
        parts = {name: found for each in some for name, found in each.parts.items()}
        yield Moments(some[0].dataset, some[0].begins, parts)


class _Kept(RecordBins):
    """The bins of a dataset as moments."""

    def __init__(self, source: Dataset, binned: Binned, seconds: float) -> None:
        super().__init__(binned, Grid(Origin(GRID), seconds, downward=True), seconds)
        self._source = source
        self._width = round(seconds * 1e9)

    def _accumulator(self, jobs: tuple[Job, ...], **shape: Any) -> Accumulator:  # noqa: ANN401  as the base passes it
        return _Open(jobs, **shape)

    def _told(self, closed: Sequence[int], made: Mapping[str, Any]) -> Any:  # noqa: ANN401  moments, where the base has records
        begins = GRID + np.array(closed, dtype=np.int64) * self._width
        return Moments(self._source, begins, made)


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

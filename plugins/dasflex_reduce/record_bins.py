# SPDX-License-Identifier: GPL-3.0-or-later
"""Bins along the records of one dataset: the open one is carried from batch to batch, the closed ones come out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from dasflex_core import epochs
from dasflex_core.arrays import Ragged, Records, is_fill
from dasflex_reduce.accumulating import Accumulator, alike
from dasflex_reduce.binning import Runs

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from dasflex_core.arrays import Fill, Variable
    from dasflex_reduce.binned import Binned
    from dasflex_reduce.binning import Integers

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
    """The bins of a dataset: `binned` says how it is reduced, `ruler` which bin a record is in."""

    def __init__(self, binned: Binned, ruler: Ruler) -> None:
        offsets = binned.offsets
        samples = None if offsets is None else len(offsets)
        self._binned = binned
        self._ruler = ruler
        self._accumulators = [Accumulator(jobs, samples) for jobs in alike(binned.jobs)]
        self._open: int | None = None

    def take(self, batch: Records) -> Iterator[Records]:
        """The bins that these records close. Records without a coordinate are left out."""
        clock, offsets = self._binned.clock, self._binned.offsets
        columns = {name: column for name, column in batch.columns.items() if not isinstance(column, Ragged)}
        along = columns[clock.name]
        if offsets is None:
            numbers, kept = self._ruler.numbers(along, clock.units, clock.fill)
        else:
            numbers, kept = self._ruler.numbers(_sample_times(along, clock, offsets), "UTC")
        if not len(numbers):
            return
        runs = Runs.of(numbers)
        joined = self._open is not None and self._open == int(numbers[0])
        closed = [self._open] if self._open is not None and not joined else []
        bins = numbers[runs.starts].tolist()
        closed += bins[:-1]
        self._open = bins[-1]
        made: dict[str, NDArray[Any]] = {}
        for accumulator in self._accumulators:
            made |= accumulator.take(columns, runs, joined=joined, kept=kept)
        if closed:
            yield self._told(closed, made)

    def rest(self) -> Iterator[Records]:
        """The bin that is still open."""
        if self._open is None:
            return
        last, self._open = self._open, None
        yield self._told([last], {name: column for each in self._accumulators for name, column in each.rest().items()})

    def _told(self, closed: Sequence[int], made: Mapping[str, NDArray[Any]]) -> Records:
        """The records of closed bins."""
        dataset, along = self._binned.dataset, self._binned.time
        centres = self._ruler.centres(np.array(closed, dtype=np.int64), along.units, along.dtype)
        return Records(dataset, {name: made.get(name, centres) for name in dataset.wire})


def _sample_times(times: NDArray[Any], clock: Variable, offsets: Integers) -> NDArray[np.datetime64]:
    """The time of each sample of records that begin at `times`, one after another."""
    begins = epochs.to_datetime64(times, clock.units)
    begins = np.where(is_fill(times, clock.fill), np.datetime64("NaT"), begins)
    samples: NDArray[np.datetime64] = begins[:, None] + offsets.view("m8[ns]")
    return samples.reshape(-1)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Averages, extremes and deviations in bins of time (das-streams 5.1 and 5.2).

Consecutive records of one bin become one record at its middle; a bin that comes again later is written again, and an
empty one is not. Bin 0 begins at `read.time.min`, or at the first record of the stream. Answers do not depend on how a
stream is cut into batches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dasflex_core import epochs
from dasflex_core.arrays import Ragged, Records, is_fill
from dasflex_core.run.reducing import PerDataset
from dasflex_core.stages import Reducer, param
from dasflex_core.times import parse_time
from dasflex_reduce.accumulating import Accumulator, alike
from dasflex_reduce.binned import bin_dataset, clock_of
from dasflex_reduce.binning import Runs
from dasflex_reduce.facts import binned_header
from dasflex_reduce.grid import Grid, Origin
from dasflex_reduce.outputs import STATISTICS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from dasflex_core.arrays import Dataset, Item, StreamHeader, Variable
    from dasflex_core.stages import Value
    from dasflex_reduce.binned import Binned
    from dasflex_reduce.binning import Integers

__all__ = ["BinAverage"]

#: The origin of a grid that no request begins: midnight, so that it agrees with blocks of days.
_GRID: Final = 946_684_800 * 1_000_000_000


class BinAverage(
    Reducer,
    name="bin-average",
    reads=("read.time.min",),
    adds="sampled",
    drops="waveform",
    admits="dasflex_reduce.offers:has_records",
    per_gb=1.5,
):
    """Statistics of the values in bins of time."""

    seconds: float = param(
        "bin.time.max", units="s", low=1e-9, title="Width of the bins", help="Each holds the records of so many seconds"
    )
    stats: tuple[str, ...] = param(
        "bin.stats", mode="modifier", values=STATISTICS, default="mean", title="What is told of the values of a bin"
    )
    align: str = param(
        "bin.align",
        mode="modifier",
        values={"begin": "At the begin of the request", "grid": "At midnight, whatever was asked"},
        default="begin",
        title="Where bins begin",
    )

    def __init__(self, **values: Value | None) -> None:
        super().__init__(**values)
        self._values = values
        self._origin = Origin(self._begin())
        self._stage: PerDataset | None = None
        self._binned: Binned | None = None
        self._columns: list[Accumulator] = []
        self._open: int | None = None

    def _begin(self) -> int | None:
        """Where bin 0 begins; None for the first record."""
        if self.align == "grid":
            return _GRID
        begin = getattr(self, "read_time_min", None)
        return parse_time(begin).ns if begin else None

    def feed(self, item: Item, /) -> Iterable[Item]:
        """What comes out because of this item. The datasets of a stream share where bin 0 begins."""
        if self._stage is None:
            self._stage = PerDataset(self.spec, self._another)
        return self._stage.feed(item)

    def _another(self) -> BinAverage:
        """An object for one dataset."""
        made = BinAverage(**self._values)
        made._origin = self._origin
        return made

    def header(self, header: StreamHeader) -> StreamHeader:
        """The header with the resolution of the bins."""
        return binned_header(header, self.seconds, self.stats)

    def dataset(self, dataset: Dataset) -> Dataset:
        """The dataset of bins; one without times along its records stays as it is."""
        clock = clock_of(dataset)
        if clock is None:
            return dataset
        self._grid = Grid(self._origin, self.seconds, downward=self.align == "grid")
        self._binned = bin_dataset(dataset, clock, self.stats, self.seconds)
        offsets = self._binned.offsets
        samples = None if offsets is None else len(offsets)
        self._columns = [Accumulator(jobs, samples) for jobs in alike(self._binned.jobs)]
        return self._binned.dataset

    def records(self, batch: Records) -> Iterable[Records]:
        """The bins that these records close. Records without a time are left out."""
        binned = self._binned
        if binned is None:
            return (batch,)
        columns = {name: column for name, column in batch.columns.items() if not isinstance(column, Ragged)}
        clock = binned.clock
        if binned.offsets is None:
            numbers, kept = self._grid.numbers(columns[clock.name], clock.units, clock.fill)
        else:
            numbers, kept = self._grid.numbers(*_sample_times(columns[clock.name], clock, binned.offsets))
        if not len(numbers):
            return ()
        runs = Runs.of(numbers)
        joined = self._open is not None and self._open == int(numbers[0])
        closed = [self._open] if self._open is not None and not joined else []
        bins = numbers[runs.starts].tolist()
        closed += bins[:-1]
        self._open = bins[-1]
        made: dict[str, NDArray[Any]] = {}
        for accumulator in self._columns:
            made |= accumulator.take(columns, runs, joined=joined, kept=kept)
        return (self._told(binned, closed, made),) if closed else ()

    def finish(self) -> Iterable[Item]:
        """The bin that is still open."""
        if self._stage is not None:
            stage, self._stage = self._stage, None
            return stage.finish()
        binned, last = self._binned, self._open
        if binned is None or last is None:
            return ()
        self._open = None
        made = {name: column for each in self._columns for name, column in each.rest().items()}
        return (self._told(binned, [last], made),)

    def _told(self, binned: Binned, closed: list[int], made: Mapping[str, NDArray[Any]]) -> Records:
        """The records of closed bins."""
        numbers: Integers = np.array(closed, dtype=np.int64)
        time = binned.time
        centres = self._grid.centres(numbers, time.units, time.dtype)
        return Records(binned.dataset, {name: made.get(name, centres) for name in binned.dataset.wire})


def _sample_times(times: NDArray[Any], clock: Variable, offsets: Integers) -> tuple[NDArray[Any], str]:
    """The time of each sample of records that begin at `times`, one after another, and its units."""
    begins = epochs.to_datetime64(times, clock.units)
    begins = np.where(is_fill(times, clock.fill), np.datetime64("NaT"), begins)
    return (begins[:, None] + offsets.view("m8[ns]")).reshape(-1), "UTC"

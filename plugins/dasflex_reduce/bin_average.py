# SPDX-License-Identifier: GPL-3.0-or-later
"""Averages, extremes and deviations in bins of time (das-streams 5.1 and 5.2).

Consecutive records of one bin become one record at its middle; a bin that comes again later is written again, and an
empty one is not. Bin 0 begins at `read.time.min`, or at the first record of the stream. Answers do not depend on how a
stream is cut into batches.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dasflex_core.run.reducing import PerDataset
from dasflex_core.stages import Reducer, param
from dasflex_core.times import GRID, parse_time
from dasflex_reduce.binned import bin_dataset, clock_of, repeats
from dasflex_reduce.facts import binned_header
from dasflex_reduce.grid import WIDEST, Grid, Origin
from dasflex_reduce.outputs import STATISTICS
from dasflex_reduce.record_bins import RecordBins

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dasflex_core.arrays import Dataset, Item, Records, StreamHeader
    from dasflex_core.stages import Value

__all__ = ["BinAverage"]


class BinAverage(
    Reducer,
    name="bin-average",
    reads=("read.time.min",),
    adds="sampled",
    drops="waveform ragged",
    admits="dasflex_reduce.admitting_bins:has_records",
    per_gb=1.5,
):
    """Statistics of the values in bins of time."""

    seconds: float = param(
        "bin.time.max",
        units="s",
        low=1e-9,
        high=WIDEST,
        title="Width of the bins",
        help="Each holds the records of so many seconds",
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
        self._bins: RecordBins | None = None
        self._known: dict[int, Dataset] = {}

    def _begin(self) -> int | None:
        """Where bin 0 begins; None for the first record."""
        if self.align == "grid":
            return GRID
        begin = getattr(self, "read_time_min", None)
        return parse_time(begin).ns if begin else None

    def feed(self, item: Item, /) -> Iterable[Item]:
        """What comes out because of this item. The datasets of a stream share where bin 0 begins."""
        if self.align == "grid" and repeats(item, self._known):
            return ()
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
        grid = Grid(self._origin, self.seconds, downward=self.align == "grid")
        binned = bin_dataset(dataset, clock, self.stats, self.seconds)
        self._bins = RecordBins(binned, grid, self.seconds, careful=self.align == "grid")
        return binned.dataset

    def records(self, batch: Records) -> Iterable[Records]:
        """The bins that these records close. Records without a time are left out."""
        return (batch,) if self._bins is None else self._bins.take(batch)

    def finish(self) -> Iterable[Item]:
        """The bins that are still open."""
        if self._stage is not None:
            stage, self._stage = self._stage, None
            return stage.finish()
        return () if self._bins is None else self._bins.rest()

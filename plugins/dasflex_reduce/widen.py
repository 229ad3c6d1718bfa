# SPDX-License-Identifier: GPL-3.0-or-later
"""Bins of time made of the moments of narrower ones: what `bin_average` would give on the absolute grid.

Times, extremes and counts are the same. Sums are added in another order, so that means differ by their rounding; the
squares of deviations are put together as Chan's formula does (Chan, Golub and LeVeque 1979).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dasflex_core.moments import Moments
from dasflex_core.times import GRID
from dasflex_reduce.binned import bin_dataset, clock_of
from dasflex_reduce.binning import Runs, sum_runs
from dasflex_reduce.facts import binned_header
from dasflex_reduce.grid import Grid, Origin
from dasflex_reduce.moment_stage import MomentStage
from dasflex_reduce.record_bins import RecordBins
from dasflex_reduce.sums import SAMPLES, weighted_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from dasflex_core.arrays import Dataset, Item, Records, StreamHeader
    from dasflex_reduce.accumulating import Accumulator
    from dasflex_reduce.binned import Binned
    from dasflex_reduce.binning import Moments as Found
    from dasflex_reduce.outputs import Job

__all__ = ["Widen"]

#: Fewer columns are taken as lines.
_WIDE: Final = 8
#: So many bins are reduced at once: what is in the cache of a processor is added faster.
_ROWS: Final = 1 << 14


class Widen(MomentStage[Moments, "_Wide"]):
    """The stage: moments in, records out. `seconds` is the width of the bins, `stats` what is told of their values."""

    takes = Moments

    def __init__(self, seconds: float, stats: Sequence[str]) -> None:
        super().__init__()
        self._seconds = seconds
        self._stats = tuple(stats)

    def header(self, header: StreamHeader) -> StreamHeader:
        """The header says how wide the bins are."""
        return binned_header(header, self._seconds, self._stats)

    def dataset(self, dataset: Dataset) -> tuple[Dataset, _Wide | None]:
        """The dataset of bins; one without times along its records stays as it is."""
        clock = clock_of(dataset)
        if clock is None:
            return dataset, None
        binned = bin_dataset(dataset, clock, self._stats, self._seconds)
        return binned.dataset, _Wide(binned, self._seconds)

    def put(self, bins: _Wide | None, item: Moments) -> Iterator[Item]:
        """The bins that these moments close."""
        if bins is not None:
            for first in range(0, len(item), _ROWS):
                yield from bins.put(item.rows(slice(first, first + _ROWS)) if len(item) > _ROWS else item)


class _Wide(RecordBins):
    """The bins of a dataset, of moments instead of records."""

    def __init__(self, binned: Binned, seconds: float) -> None:
        super().__init__(binned, Grid(Origin(GRID), seconds, downward=True), seconds)
        self._width = round(seconds * 1e9)

    def put(self, item: Moments) -> Iterator[Records]:
        """The bins that these moments close."""
        begins, samples = item.begins, item.parts.get(SAMPLES)
        if samples is not None:
            begins = np.where(samples["reach"] <= self._width, begins, samples["begins"])
        numbers = (begins - GRID) // self._width
        runs = Runs.of(numbers)
        joined, closed = self._follow(numbers[runs.starts])
        again = None if samples is None else _again(samples["continues"], runs, joined=joined)
        made: dict[str, NDArray[Any]] = {}
        for accumulator in (*self._accumulators, *self._along):
            found = _of(accumulator, item)
            if again is not None and not _is_of_samples(accumulator.jobs[0]):
                found = _less(found, again)
            made |= accumulator.absorb(_over(found, runs), joined=joined)
        if len(closed):
            yield self._told(closed, made)


def _is_of_samples(job: Job) -> bool:
    """Whether a variable has a value for each sample of a record."""
    return job.axis is not None or job.source.ragged


def _again(continues: NDArray[np.bool_], runs: Runs, *, joined: bool) -> NDArray[np.bool_]:
    """The bins of records that have counted already in those bins that become one."""
    again = continues.copy()
    again[runs.starts[1:] if joined else runs.starts] = False
    return again


def _less(found: Found, these: NDArray[np.bool_]) -> Found:
    """The moments without those of some bins; an extreme, or a value below zero, may be seen twice."""
    kept = ("low", "high", "negative", "first")
    return {name: array if name in kept else np.where(these[:, None], 0, array) for name, array in found.items()}


def _of(accumulator: Accumulator, item: Moments) -> Found:
    """The moments of the variables of a group, side by side, as far as its statistics need them."""
    jobs = accumulator.jobs
    parts = [item.parts[weighted_name(job.source.name) if job.weights else job.source.name] for job in jobs]
    names = parts[0].keys() & _needed(jobs[0])
    if len(parts) == 1:
        return {name: parts[0][name] for name in names}
    return {name: np.concatenate([part[name].T for part in parts]).T for name in names}


def _needed(job: Job) -> set[str]:
    """The names of the moments that a job's statistics are made of."""
    return {"count", "weight"}.union(*(_MADE_OF[each] for each in job.statistics))


_MADE_OF: Final[dict[str, set[str]]] = {
    "mean": {"total", "rest", "turn", "negative"},
    "stddev": {"total", "rest", "spread", "turn", "negative"},
    "min": {"low"},
    "max": {"high"},
    "count": set(),
    "sum": {"total"},
    "first": {"first"},
}


def _over(found: Found, runs: Runs) -> Found:
    """The moments of runs of bins. A few columns are taken as lines, which lie together."""
    if len(runs) == runs.rows:
        return {name: array.copy() for name, array in found.items()}
    if found["count"].shape[1] >= _WIDE:
        return _reduced(found, runs, 0)
    return {
        name: array.T for name, array in _reduced({name: array.T for name, array in found.items()}, runs, 1).items()
    }


def _reduced(found: Found, runs: Runs, axis: int) -> Found:
    """The moments of runs that lie along an axis."""
    made: Found = {}
    with np.errstate(invalid="ignore", over="ignore"):
        for name in found.keys() & _OVER.keys():
            made[name] = _OVER[name].reduceat(found[name], runs.starts, axis=axis)
        if "total" in found:
            made["total"] = sum_runs(found["total"], runs, axis)
        if "rest" in found:
            made["rest"] = sum_runs(found["rest"], runs, axis) + _lost(found["total"], made["total"], runs, axis)
        if "spread" in found:
            made["spread"] = _spread(found, made, runs, axis)
        if "first" in found:
            made["first"] = _first(found, runs, axis)
    return made


def _lost(totals: NDArray[np.float64], whole: NDArray[np.float64], runs: Runs, axis: int) -> NDArray[np.float64]:
    """What the sums of runs lost when they were added."""
    means = whole / (runs.lengths if axis else runs.lengths[:, None])
    lost = sum_runs(totals - np.repeat(means, runs.lengths, axis=axis), runs, axis)
    return np.where(np.isfinite(lost), lost, 0.0)


def _spread(found: Found, made: Found, runs: Runs, axis: int) -> NDArray[np.float64]:
    """The sums of the squares of the distances from the means of runs."""
    counts = found["count"]
    whole = made["total"] / np.maximum(made["count"], 1)
    apart = found["total"] / np.maximum(counts, 1) - np.repeat(whole, runs.lengths, axis=axis)
    apart[counts == 0] = 0.0
    return sum_runs(found["spread"] + counts * apart * apart, runs, axis)


def _first(found: Found, runs: Runs, axis: int) -> NDArray[Any]:
    """The first values of runs, of those bins that have one."""
    numbers = np.arange(runs.rows)
    places = np.where(found["count"] > 0, numbers if axis else numbers[:, None], runs.rows)
    first = np.minimum(np.minimum.reduceat(places, runs.starts, axis=axis), runs.rows - 1)
    values: NDArray[Any] = np.take_along_axis(found["first"], first, axis=axis)
    return values


_OVER: Final[dict[str, np.ufunc]] = {
    "count": np.add,
    "weight": np.add,
    "turn": np.add,
    "low": np.minimum,
    "high": np.maximum,
    "negative": np.logical_or,
}

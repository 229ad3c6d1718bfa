# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries the open bin of variables from batch to batch, and gives the values of the bins that are closed.

A bin is a few numbers, however many records it holds; only a median needs the values themselves, and is refused where
these pass `LARGEST_MEDIAN` bytes.
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dasflex_core.arrays import is_fill
from dasflex_core.errors import QueryError
from dasflex_reduce.binning import angles, chain, deviation, mean, moments, part, together, weighted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from dasflex_core.arrays import Variable
    from dasflex_reduce.binning import Integers, Moments, Runs
    from dasflex_reduce.outputs import Job

__all__ = ["LARGEST_MEDIAN", "Accumulator", "alike"]

#: The most bytes of one variable that are kept for the median of one bin.
LARGEST_MEDIAN: Final = 64 << 20


def alike(jobs: Iterable[Job]) -> list[tuple[Job, ...]]:
    """The jobs in groups that are reduced at once: single values of one type and fill with the same statistics."""
    groups: dict[object, list[Job]] = {}
    for job in jobs:
        plain = job.period is None and not job.weights and not job.statistics & {"first", "median"}
        single = plain and not job.source.shape
        kind = (job.source.dtype.newbyteorder("="), repr(job.source.fill), job.statistics)
        groups.setdefault(kind if single else job.source.name, []).append(job)
    return [tuple(group) for group in groups.values()]


class Accumulator:
    """The state of variables that are alike. Runs of records come in, columns of closed bins go out, by name.

    `samples` is how many samples of a record, along `Job.axis`, have a bin each; None where a whole record has one.
    `shape` is that of the values of a bin, where it is not what the job says. With `careful`, means are as good as
    their type.
    """

    def __init__(
        self,
        jobs: tuple[Job, ...],
        samples: int | None = None,
        shape: tuple[int, ...] | None = None,
        *,
        careful: bool = False,
    ) -> None:
        first = jobs[0]
        self._jobs = jobs
        self._samples = samples
        self._careful = careful
        self._wanted = frozenset("mean" if each == "sum" else each for each in first.statistics)
        own = tuple(extent for place, extent in enumerate(first.source.shape) if place != first.axis)
        self._shape = own if shape is None else shape
        self._open: Moments | None = None
        self._medians = _Medians(first.source) if "median" in first.statistics else None

    @property
    def jobs(self) -> tuple[Job, ...]:
        """The variables that are alike, and what comes out of each."""
        return self._jobs

    @property
    def names(self) -> frozenset[str]:
        """The columns that are needed."""
        return frozenset(name for job in self._jobs for name in (job.source.name, job.weights) if name)

    def take(
        self,
        columns: Mapping[str, NDArray[Any]],
        runs: Runs,
        *,
        joined: bool,
        kept: NDArray[np.bool_] | None = None,
    ) -> dict[str, NDArray[Any]]:
        """The values of the bins that these runs of records close; `joined` says that the first continues the open bin.

        Runs are of those records, or samples, that are `kept`; the last stays open.
        """
        first, along = self._jobs[0], runs
        rows, runs = self._rows(columns, along, kept)
        middles = self._medians.take(rows, runs, joined=joined) if self._medians else None
        if first.weights:
            weights, _runs = self._rows({first.source.name: columns[first.weights]}, along, kept)
            found = weighted(rows, first.source.fill, weights, runs)
        else:
            found = moments(rows, first.source.fill, runs, self._wanted, first.period, careful=self._careful)
        return self.absorb(found, middles, joined=joined)

    def absorb(self, found: Moments, middles: NDArray[Any] | None = None, *, joined: bool) -> dict[str, NDArray[Any]]:
        """The values of the bins that the moments of these runs close; arrays of `found` are written to."""
        if self._open is not None and joined:
            for name, array in together(self._open, part(found, slice(0, 1))).items():
                found[name][:1] = array
        elif self._open is not None:
            found = chain(self._open, found)
        self._open = {name: array[-1:].copy() for name, array in found.items()}
        return self._columns(part(found, slice(0, -1)), middles)

    def rest(self) -> dict[str, NDArray[Any]]:
        """The values of the bin that is open, which is then closed."""
        if self._open is None:
            return {}
        found, self._open = self._open, None
        return self._columns(found, self._medians.rest() if self._medians else None)

    def _rows(
        self, columns: Mapping[str, NDArray[Any]], runs: Runs, kept: NDArray[np.bool_] | None
    ) -> tuple[NDArray[Any], Runs]:
        """The values in an array of their own, one column for each that is reduced by itself, and the runs of its rows.

        An inner axis that is averaged too makes several rows of a record.
        """
        job, column = self._jobs[0], columns[self._jobs[0].source.name]
        native = column.dtype.newbyteorder("=")
        if len(self._jobs) > 1 and kept is None and self._samples is None:
            lines = np.empty((len(self._jobs), len(column)), dtype=native)
            for line, each in zip(lines, self._jobs, strict=True):
                line[...] = columns[each.source.name]
            return lines.T, runs
        if len(self._jobs) > 1:
            column = np.stack([columns[each.source.name] for each in self._jobs], axis=1)
        if kept is not None and self._samples is None:
            column = column[kept]
        if job.axis is not None:
            inner = column.shape[1 + job.axis]
            column = np.moveaxis(column, 1 + job.axis, 1).reshape(len(column) * inner, -1)
            runs = runs.times(inner) if self._samples is None else runs
        if kept is not None and self._samples is not None:
            column = column[kept]
        return np.array(column.reshape(len(column), -1), dtype=native), runs

    def _columns(self, closed: Moments, middles: NDArray[Any] | None) -> dict[str, NDArray[Any]]:
        """The columns of all outputs."""
        made = {}
        size = prod(self._shape)
        for statistic in self._jobs[0].statistics:
            values = middles if statistic == "median" else self._values(closed, statistic)
            if values is None:
                raise TypeError(f"{statistic} of {self._jobs[0].source.name} was not asked for")
            for place, job in enumerate(self._jobs):
                own = slice(place * size, (place + 1) * size)
                variable = next(each.variable for each in job.outputs if each.statistic == statistic)
                counting = statistic in ("count", "sum")
                column = _filled(values[:, own], closed["count"][:, own], variable, counting=counting)
                made[variable.name] = column.reshape(len(column), *self._shape)
        return made

    def _values(self, closed: Moments, statistic: str) -> NDArray[Any] | None:
        """The values of one statistic, of shape (bins, columns), meaningless where there are none."""
        job = self._jobs[0]
        if job.period and statistic in ("mean", "stddev"):
            return _round(closed, statistic, job.period, job.lowest)
        if statistic == "mean":
            return mean(closed)
        if statistic == "stddev":
            return deviation(closed)
        names = {"min": "low", "max": "high", "sum": "total"}
        return closed.get(names.get(statistic, statistic))


def _filled(values: NDArray[Any], count: Integers, variable: Variable, *, counting: bool) -> NDArray[Any]:
    """The values in the type of their variable, with fill where a bin held nothing."""
    with np.errstate(invalid="ignore", over="ignore"):
        if variable.dtype.kind in "iu" and values.dtype.kind == "f":
            values = np.rint(values)
        column = values.astype(variable.dtype)
    empty = count == 0
    if counting or not empty.any():
        return column
    if variable.fill is not None:
        column[empty] = variable.fill
    elif variable.dtype.kind == "f":
        column[empty] = np.nan
    return column


def _round(closed: Moments, statistic: str, period: float, lowest: float | None) -> NDArray[Any]:
    """The mean of values round a circle, or their deviation (that of Mardia: of a narrow spread, the ordinary one)."""
    if statistic == "stddev":
        with np.errstate(invalid="ignore", divide="ignore"):
            length = np.minimum(np.abs(closed["turn"]) / closed["count"], 1.0)
            spread: NDArray[Any] = np.sqrt(-2 * np.log(length)) * (period / (2 * np.pi))
            return spread
    return angles(closed, period, lowest)


class _Medians:
    """The values of the open bin, which a median needs."""

    def __init__(self, source: Variable) -> None:
        self._source = source
        self._open: list[NDArray[np.float64]] = []

    def take(self, rows: NDArray[Any], runs: Runs, *, joined: bool) -> NDArray[np.float64]:
        """The medians of the bins that are closed, of shape (bins, columns)."""
        numbers = rows.astype(np.float64)
        numbers[is_fill(rows, self._source.fill)] = np.nan
        blocks = np.split(numbers, runs.starts[1:])
        closed = []
        if self._open and joined:
            self._open.append(blocks.pop(0))
        if self._open and blocks:
            closed.append(_median(np.concatenate(self._open)))
            self._open = []
        closed += [_median(block) for block in blocks[:-1]]
        if blocks:
            self._open = [blocks[-1].copy()]
        if sum(each.nbytes for each in self._open) > LARGEST_MEDIAN:
            raise QueryError(
                f"The median of {self._source.name} needs all values of a bin, which are more than"
                f" {LARGEST_MEDIAN >> 20} MiB; ask for shorter bins, or for the mean",
                kind="query.bad-value",
            )
        return np.concatenate(closed) if closed else np.empty((0, rows.shape[1]))

    def rest(self) -> NDArray[np.float64]:
        """The median of the bin that is open."""
        open_, self._open = self._open, []
        return _median(np.concatenate(open_))


def _median(block: NDArray[np.float64]) -> NDArray[np.float64]:
    """The medians of columns, of shape (1, columns); NaN is left out, and sorts to the end."""
    ordered = np.sort(block, axis=0)
    count = np.count_nonzero(~np.isnan(ordered), axis=0)
    places = np.maximum([(count - 1) // 2, count // 2], 0)
    with np.errstate(invalid="ignore"):
        middle: NDArray[np.float64] = np.take_along_axis(ordered, places, axis=0).mean(axis=0)
    return middle[None, :]

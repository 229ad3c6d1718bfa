# SPDX-License-Identifier: GPL-3.0-or-later
"""Carries the open bin of one variable from batch to batch, and gives the values of the bins that are closed.

A bin is a few numbers, however many records it holds; only a median needs the values themselves, and is refused where
these pass `LARGEST_MEDIAN` bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dasflex_core.arrays import is_fill
from dasflex_core.errors import QueryError
from dasflex_reduce.binning import chain, moments, together

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dasflex_core.arrays import Variable
    from dasflex_reduce.binning import Integers, Moments
    from dasflex_reduce.outputs import Job

__all__ = ["LARGEST_MEDIAN", "Accumulator"]

#: The most bytes of one variable that are kept for the median of one bin.
LARGEST_MEDIAN: Final = 64 << 20


class Accumulator:
    """The state of one variable. Runs of records come in, columns of closed bins go out, by name.

    `samples` is how many samples of a record have a bin of their own; None where a whole record has one.
    """

    def __init__(self, job: Job, samples: int | None = None) -> None:
        self._job = job
        self._samples = samples
        self._wanted = frozenset("mean" if each == "sum" else each for each in job.statistics)
        self._shape = tuple(extent for place, extent in enumerate(job.source.shape) if place != job.axis)
        self._open: Moments | None = None
        self._medians = _Medians(job.source) if "median" in job.statistics else None

    def take(
        self, column: NDArray[Any], starts: Integers, *, joined: bool, kept: NDArray[np.bool_] | None = None
    ) -> dict[str, NDArray[Any]]:
        """The values of the bins that these runs of records close; `joined` says that the first continues the open bin.

        `column` is that of the variable. Runs are of those records, or samples, that are `kept`, of which there is one
        at least; the last run stays open.
        """
        rows, starts = self._rows(column, starts, kept)
        found = moments(rows, self._job.source.fill, starts, self._wanted, self._job.period)
        if self._open is not None and joined:
            head = together(self._open, found.rows(slice(0, 1)))
            found = head if len(starts) == 1 else chain(head, found.rows(slice(1, None)))
        elif self._open is not None:
            found = chain(self._open, found)
        self._open = found.rows(slice(-1, None)).copied()
        middles = self._medians.take(rows, starts, joined=joined) if self._medians else None
        return self._columns(found.rows(slice(0, -1)), middles)

    def rest(self) -> dict[str, NDArray[Any]]:
        """The values of the bin that is open, which is then closed."""
        if self._open is None:
            return {}
        found, self._open = self._open, None
        return self._columns(found, self._medians.rest() if self._medians else None)

    def _rows(
        self, column: NDArray[Any], starts: Integers, kept: NDArray[np.bool_] | None
    ) -> tuple[NDArray[Any], Integers]:
        """The column as rows of values, one column for each that is reduced by itself, and where runs of rows begin.

        An inner axis that is averaged too makes several rows of a record.
        """
        axis = self._job.axis
        if kept is not None and self._samples is None:
            column = column[kept]
        if axis is not None:
            inner = column.shape[1 + axis]
            column = np.moveaxis(column, 1 + axis, 1).reshape(len(column) * inner, -1)
            starts = starts * inner if self._samples is None else starts
        elif self._samples is not None:
            column = np.repeat(column, self._samples, axis=0)
        if kept is not None and self._samples is not None:
            column = column[kept]
        return column.reshape(len(column), -1), starts

    def _columns(self, closed: Moments, middles: NDArray[Any] | None) -> dict[str, NDArray[Any]]:
        """The columns of all outputs."""
        made = {}
        for each in self._job.outputs:
            values = middles if each.statistic == "median" else self._values(closed, each.statistic)
            if values is None:
                raise TypeError(f"{each.statistic} of {self._job.source.name} was not asked for")
            column = _filled(values, closed.count, each.variable, counting=each.statistic in ("count", "sum"))
            made[each.variable.name] = column.reshape(len(column), *self._shape)
        return made

    def _values(self, closed: Moments, statistic: str) -> NDArray[Any] | None:
        """The values of one statistic, of shape (bins, columns), meaningless where there are none."""
        job = self._job
        if job.period and statistic in ("mean", "stddev"):
            return _round(closed, statistic, job.period, job.lowest)
        if statistic == "mean":
            return closed.mean()
        if statistic == "stddev":
            return closed.deviation()
        known = {"min": closed.low, "max": closed.high, "first": closed.first, "count": closed.count}
        return known.get(statistic, closed.total)


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
    """The mean of values round a circle, or their deviation (that of Mardia: of a narrow spread, the ordinary one).

    The mean is in the range that begins at `lowest`, or from 0 on, or round 0 where a value of the bin is negative.
    """
    if closed.turn is None or closed.negative is None:
        raise TypeError("sums round the circle were not asked for")
    with np.errstate(invalid="ignore", divide="ignore"):
        if statistic == "stddev":
            length = np.minimum(np.abs(closed.turn) / closed.count, 1.0)
            spread: NDArray[Any] = np.sqrt(-2 * np.log(length)) * (period / (2 * np.pi))
            return spread
        mean = np.angle(closed.turn) * (period / (2 * np.pi))
        begin = np.where(closed.negative, -period / 2, 0.0) if lowest is None else lowest
        found: NDArray[Any] = (mean - begin) % period + begin
        return found


class _Medians:
    """The values of the open bin, which a median needs."""

    def __init__(self, source: Variable) -> None:
        self._source = source
        self._open: list[NDArray[np.float64]] = []

    def take(self, rows: NDArray[Any], starts: Integers, *, joined: bool) -> NDArray[np.float64]:
        """The medians of the bins that are closed, of shape (bins, columns)."""
        numbers = rows.astype(np.float64)
        numbers[is_fill(rows, self._source.fill)] = np.nan
        blocks = np.split(numbers, starts[1:])
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

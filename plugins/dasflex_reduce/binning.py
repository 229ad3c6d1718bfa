# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel of all binning: what runs of rows hold, as moments that can be put together.

Values are rows of columns, fill is left out, and rows that follow one another in one bin make a run. Sums are in
float64: products with ones where runs are long (BLAS adds faster than `reduceat`); where they are short, all first rows
are added to all second ones, and so on. The deviation is that from the mean of the run, and that of two runs put
together is Chan's (Chan, Golub and LeVeque 1979), so that nothing cancels and batches may end inside a bin.

>>> rows = np.array([[1.0], [3.0], [-1e31], [8.0]])
>>> found = moments(rows, -1e31, np.array([0, 2]), frozenset({"mean", "max", "stddev"}))
>>> found.count.ravel().tolist(), found.mean().ravel().tolist(), found.high.ravel().tolist()
([2, 1], [2.0, 8.0], [3.0, 8.0])
>>> whole = together(found.rows(slice(0, 1)), found.rows(slice(1, 2)))
>>> whole.mean().item(), round(whole.deviation().item(), 4)
(4.0, 3.6056)
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from dasflex_core.arrays import is_fill

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dasflex_core.arrays import Fill

    Floats: TypeAlias = NDArray[np.float64]
    Integers: TypeAlias = NDArray[np.int64]

__all__ = ["Moments", "chain", "moments", "starts_of", "together"]

#: Runs of at least so many rows are reduced one by one; of shorter ones all first rows are taken, then all second ones.
_LONG: Final = 12
#: Rows of fewer columns are reduced by `reduceat`, which is at its best there.
_WIDE: Final = 8


@dataclass(frozen=True, slots=True)
class Moments:
    """What is known of runs of rows: arrays of the shape (runs, columns); those that nobody asked for are None.

    `count` is how many values are no fill, `total` their sum, `spread` the sum of the squares of their distances from
    the mean; `low` and `high` are the extremes and `first` the first value, in the type of the data and meaningless
    where `count` is 0. `turn` is the sum of the unit vectors of values round a circle, as complex numbers, and
    `negative` says whether one of them was below zero.
    """

    count: Integers
    total: Floats | None = None
    spread: Floats | None = None
    low: NDArray[Any] | None = None
    high: NDArray[Any] | None = None
    first: NDArray[Any] | None = None
    turn: NDArray[np.complex128] | None = None
    negative: NDArray[np.bool_] | None = None

    def rows(self, which: slice) -> Moments:
        """Some of the runs."""
        return Moments(*(None if part is None else part[which] for part in _parts(self)))  # type: ignore[arg-type]

    def copied(self) -> Moments:
        """The same in arrays of its own, so that no batch is kept in memory by its last run."""
        return Moments(*(None if part is None else part.copy() for part in _parts(self)))  # type: ignore[arg-type]

    def mean(self) -> Floats:
        """The means; NaN where there is no value."""
        if self.total is None:
            raise TypeError("the sums were not asked for")
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.total / self.count

    def deviation(self) -> Floats:
        """The sample deviations (divided by n - 1): 0 of one value, NaN of none."""
        if self.spread is None:
            raise TypeError("the deviations were not asked for")
        with np.errstate(invalid="ignore"):
            found: Floats = np.sqrt(self.spread / np.maximum(self.count - 1, 1))
        return np.where(self.count > 0, found, np.nan)


def _parts(one: Moments) -> tuple[NDArray[Any] | None, ...]:
    """All arrays in the order of the class."""
    return one.count, one.total, one.spread, one.low, one.high, one.first, one.turn, one.negative


def starts_of(numbers: NDArray[Any]) -> Integers:
    """Where the runs of equal numbers begin.

    >>> starts_of(np.array([4, 4, 5, 4])).tolist()
    [0, 2, 3]
    """
    return np.flatnonzero(np.concatenate([np.ones(min(len(numbers), 1), dtype=np.bool_), numbers[1:] != numbers[:-1]]))


def moments(
    values: NDArray[Any], fill: Fill, starts: Integers, wanted: frozenset[str], period: float | None = None
) -> Moments:
    """The moments of the runs of rows of `values` (rows, columns) that begin at `starts`.

    `wanted` has of `mean`, `stddev`, `min`, `max` and `first`; counts are always there. NaN is left out as fill is.
    `period` asks for the mean and the deviation round a circle. Values that are no numbers have a first only.
    """
    rows, columns = values.shape
    if "first" in wanted or values.dtype.kind not in "iuf":
        return _first(values, fill, starts)
    data = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("="))
    if data.base is values.base or data is values:
        data = data.copy()
    bad = _missing(data, fill)
    lengths = np.diff(starts, append=rows)
    found = Moments(_counts(bad, lengths, starts, columns))
    if period:
        found = _round_circle(found, data, bad, starts, period)
    elif wanted & {"mean", "stddev"}:
        found = _sums(found, data, bad, starts, lengths, spread="stddev" in wanted)
    flat = data.reshape(-1)
    if "min" in wanted:
        flat[bad] = _largest(data.dtype)
        found = replace(found, low=_over_runs(np.minimum, data, starts))
    if "max" in wanted:
        flat[bad] = -_largest(data.dtype) if data.dtype.kind == "f" else np.iinfo(data.dtype).min
        found = replace(found, high=_over_runs(np.maximum, data, starts))
    return found


def _missing(data: NDArray[Any], fill: Fill) -> Integers:
    """The flat places of fill and of NaN."""
    missing = is_fill(data, fill)
    if data.dtype.kind == "f":
        with np.errstate(over="ignore", invalid="ignore"):
            flat = data.reshape(-1)
            if np.isnan(np.dot(flat, flat)):  # squares never cancel, so only a NaN makes their sum one
                missing |= np.isnan(data)
    return np.flatnonzero(missing)


def _largest(dtype: np.dtype[Any]) -> Any:  # noqa: ANN401  a number of that type
    """What no value of the type is above."""
    return np.inf if dtype.kind == "f" else np.iinfo(dtype).max


def _counts(bad: Integers, lengths: Integers, starts: Integers, columns: int) -> Integers:
    """How many values of each run and column are there."""
    counts = np.repeat(lengths[:, None], columns, axis=1)
    if bad.size:
        row, column = (bad, np.zeros_like(bad)) if columns == 1 else np.divmod(bad, columns)
        run = np.searchsorted(starts, row, side="right") - 1
        counts -= np.bincount(run * columns + column, minlength=counts.size).reshape(counts.shape)
    return counts


def _sums(
    found: Moments, data: NDArray[Any], bad: Integers, starts: Integers, lengths: Integers, *, spread: bool
) -> Moments:
    """The moments with sums and, if asked for, squares of the distances from the mean of the run."""
    numbers = data.astype(np.float64)
    flat = numbers.reshape(-1)
    flat[bad] = 0.0
    with np.errstate(invalid="ignore", over="ignore"):  # infinite values, whose sum is infinite or none
        total = _sum_runs(numbers, starts)
        if not spread:
            return replace(found, total=total)
        means = total / np.maximum(found.count, 1)
        if _by_run(starts, numbers):
            for mean, block in zip(means, np.split(numbers, starts[1:]), strict=True):
                np.subtract(block, mean, out=block)
        else:
            numbers -= np.repeat(means, lengths, axis=0)
        flat[bad] = 0.0
        np.multiply(numbers, numbers, out=numbers)
        return replace(found, total=total, spread=_sum_runs(numbers, starts))


def _by_run(starts: Integers, data: NDArray[Any]) -> bool:
    """Whether runs are long and wide enough to be taken one by one."""
    return data.shape[1] >= _WIDE and len(data) >= _LONG * len(starts)


def _sum_runs(numbers: Floats, starts: Integers) -> Floats:
    """The sums of runs of rows."""
    if not _by_run(starts, numbers):
        return _over_short(np.add, numbers, starts)
    sums = np.empty((len(starts), numbers.shape[1]))
    ones = np.ones(len(numbers))
    first = 0
    for place, last in enumerate([*starts[1:].tolist(), len(numbers)]):
        np.dot(ones[first:last], numbers[first:last], out=sums[place])
        first = last
    return sums


def _over_runs(extreme: np.ufunc, data: NDArray[Any], starts: Integers) -> NDArray[Any]:
    """The smallest or the largest of runs of rows."""
    if not _by_run(starts, data):
        return _over_short(extreme, data, starts)
    found = np.empty((len(starts), data.shape[1]), dtype=data.dtype)
    first = 0
    for place, last in enumerate([*starts[1:].tolist(), len(data)]):
        extreme.reduce(data[first:last], axis=0, out=found[place])
        first = last
    return found


def _over_short(function: np.ufunc, data: NDArray[Any], starts: Integers) -> NDArray[Any]:
    """The sums or extremes of runs of rows that are short, or narrow: a single column is taken as a line."""
    if data.shape[1] == 1:
        line: NDArray[Any] = function.reduceat(data[:, 0], starts)
        return line[:, None]
    lengths = np.diff(starts, append=len(data))
    found: NDArray[Any]
    if data.shape[1] < _WIDE or lengths.max() > _LONG * _LONG:
        found = function.reduceat(data, starts, axis=0)
        return found
    found = data[starts]
    for place in range(1, int(lengths.max())):
        longer = np.flatnonzero(lengths > place)
        if len(longer) == len(starts):
            function(found, data[starts + place], out=found)
        else:
            found[longer] = function(found[longer], data[starts[longer] + place])
    return found


def _round_circle(found: Moments, data: NDArray[Any], bad: Integers, starts: Integers, period: float) -> Moments:
    """The moments with the sums of unit vectors."""
    angles = data.astype(np.float64) * (2 * np.pi / period)
    with np.errstate(invalid="ignore"):
        turns = np.exp(1j * angles)
    turns.reshape(-1)[bad] = 0.0
    negative = data < 0
    negative.reshape(-1)[bad] = False
    return replace(
        found,
        turn=np.add.reduceat(turns, starts, axis=0),
        negative=np.logical_or.reduceat(negative, starts, axis=0),
    )


def _first(values: NDArray[Any], fill: Fill, starts: Integers) -> Moments:
    """The count and the first value of each run that is no fill, for data of any type."""
    missing = is_fill(values, fill)
    if values.dtype.kind == "f":
        missing |= np.isnan(values)
    rows = len(values)
    places = np.where(missing, rows, np.arange(rows)[:, None])
    first = np.minimum(np.minimum.reduceat(places, starts, axis=0), rows - 1)
    count = np.add.reduceat((~missing).astype(np.int64), starts, axis=0)
    return Moments(count, first=np.take_along_axis(values, first, axis=0))


def together(one: Moments, other: Moments) -> Moments:
    """The moments of two parts of the same runs, of which `one` came first."""
    count = one.count + other.count
    none, alone = one.count == 0, other.count == 0
    return Moments(
        count,
        _added(one.total, other.total),
        _chan(one, other, count),
        None if one.low is None or other.low is None else np.minimum(one.low, other.low),
        None if one.high is None or other.high is None else np.maximum(one.high, other.high),
        None if one.first is None or other.first is None else np.where(none & ~alone, other.first, one.first),
        _added(one.turn, other.turn),
        None if one.negative is None or other.negative is None else one.negative | other.negative,
    )


def _added(one: NDArray[Any] | None, other: NDArray[Any] | None) -> NDArray[Any] | None:
    """The sum of two arrays; None of none."""
    with np.errstate(invalid="ignore", over="ignore"):
        return None if one is None or other is None else one + other


def _chan(one: Moments, other: Moments, count: Integers) -> Floats | None:
    """The sum of the squares of the distances from the mean of both parts."""
    if one.spread is None or other.spread is None or one.total is None or other.total is None:
        return None
    with np.errstate(invalid="ignore", over="ignore"):
        apart = other.total / np.maximum(other.count, 1) - one.total / np.maximum(one.count, 1)
        both = one.count * (other.count / np.maximum(count, 1))
        between = np.where(both > 0, apart * apart * both, 0.0)
        return one.spread + other.spread + between


def chain(earlier: Moments, later: Moments) -> Moments:
    """The runs of `earlier`, then those of `later`."""
    pairs = zip(_parts(earlier), _parts(later), strict=True)
    joined = (None if one is None or other is None else np.concatenate([one, other]) for one, other in pairs)
    return Moments(*joined)  # type: ignore[arg-type]

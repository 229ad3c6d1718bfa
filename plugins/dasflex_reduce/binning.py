# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel of all binning: what runs of rows hold, as moments that can be put together.

Values are rows of columns, fill is left out, and rows that follow one another in one bin make a run. Sums are in
float64: products with ones where runs are long (BLAS adds faster than `reduceat`), of no more than `_FAN` rows at a
time and then of such sums, so that rounding does not grow with the run (Higham, Accuracy and Stability of Numerical
Algorithms, 4.2); where they are short, all first rows are added to all second ones, and so on; a few columns are taken
as lines, whose sums are numpy's pairwise ones. Where it matters, the distances from the mean are added, too, which
tells what the mean lacks. The deviation is that from the mean of the run, and that of two runs put together is Chan's
(Chan, Golub and LeVeque 1979), so that nothing cancels and batches may end inside a bin.

>>> rows = np.array([[1.0], [3.0], [-1e31], [8.0]])
>>> found = moments(rows, -1e31, Runs.of(np.array([4, 4, 5, 5])), frozenset({"mean", "max", "stddev"}))
>>> found["count"].ravel().tolist(), mean(found).ravel().tolist(), found["high"].ravel().tolist()
([2, 1], [2.0, 8.0], [3.0, 8.0])
>>> whole = together(part(found, slice(0, 1)), part(found, slice(1, 2)))
>>> mean(whole).item(), round(deviation(whole).item(), 4)
(4.0, 3.6056)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from dasflex_core.arrays import is_fill

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dasflex_core.arrays import Fill

    Floats: TypeAlias = NDArray[np.float64]
    Integers: TypeAlias = NDArray[np.int64]
    #: What is known of runs of rows, by name; each array has the shape (runs, columns). `count` is how many values are
    #: no fill, `total` their sum, `rest` what this lost by rounding, as far as that is known, `spread` the sum of the
    #: squares of their distances from the mean; `low` and `high` are the extremes and `first` the first value, in the
    #: type of the data and meaningless where `count` is 0. `turn` is the sum of the unit vectors of values round a
    #: circle, and `negative` whether one of them was below zero. `weight` is what `total` is divided by, where values
    #: are means themselves.
    Moments: TypeAlias = dict[str, NDArray[Any]]

__all__ = ["Runs", "angles", "chain", "deviation", "mean", "moments", "part", "sum_runs", "together", "weighted"]

#: Runs of at least so many rows are reduced one by one; of shorter ones all first rows are taken, then all second ones.
_LONG: Final = 12
#: Rows that are added one after another.
_FAN: Final = 128
#: A deviation of so much of the mean is one of rounding.
_ROUNDING: Final = 2.0**-52
#: A mean direction that is so much of a turn from 0 is 0: it is the rounding of sines.
_ROUND: Final = 1e-15
#: Fewer columns are taken as lines.
_WIDE: Final = 8


@dataclass(frozen=True)
class Runs:
    """Runs of rows that follow one another: where each begins, and how many rows there are in all; one at least."""

    starts: Integers
    rows: int

    @classmethod
    def of(cls, numbers: NDArray[Any]) -> Runs:
        """The runs of equal numbers.

        >>> Runs.of(np.array([4, 4, 5, 4])).starts.tolist()
        [0, 2, 3]
        """
        changes = np.flatnonzero(numbers[1:] != numbers[:-1])
        starts = np.zeros(len(changes) + 1, dtype=np.int64)
        np.add(changes, 1, out=starts[1:])
        return cls(starts, len(numbers))

    def times(self, count: int) -> Runs:
        """The same runs, where there are so many rows for each."""
        return Runs(self.starts * count, self.rows * count)

    def __len__(self) -> int:
        return len(self.starts)

    @cached_property
    def bounds(self) -> list[tuple[int, int]]:
        """The first row of each run, and the one behind its last."""
        starts = self.starts.tolist()
        return list(zip(starts, [*starts[1:], self.rows], strict=True))

    @cached_property
    def lengths(self) -> Integers:
        """The rows of each run."""
        lengths = np.empty_like(self.starts)
        np.subtract(self.starts[1:], self.starts[:-1], out=lengths[:-1])
        lengths[-1] = self.rows - self.starts[-1]
        return lengths

    @cached_property
    def of_row(self) -> NDArray[np.intp]:
        """The run of each row."""
        return np.repeat(np.arange(len(self)), self.lengths)


def weighted(values: NDArray[Any], fill: Fill, weights: NDArray[Any], runs: Runs) -> Moments:
    """The counts and sums of values that are means of `weights` values each, and in `weight` the sums of these.

    >>> found = weighted(np.array([[2.0], [8.0]]), None, np.array([[3], [1]]), Runs.of(np.zeros(2)))
    >>> mean(found).item()
    3.5
    """
    with np.errstate(invalid="ignore", over="ignore"):
        heavy = (weights > 0) & ~is_fill(values, fill) & (values == values)  # noqa: PLR0124  no NaN
        loads = np.where(heavy, weights, 0.0).astype(np.float64)
        sums = np.where(heavy, values, 0.0) * loads
    return {
        "count": np.add.reduceat(heavy.astype(np.int64), runs.starts, axis=0),
        "total": np.add.reduceat(sums, runs.starts, axis=0),
        "weight": np.add.reduceat(loads, runs.starts, axis=0),
    }


def moments(
    values: NDArray[Any],
    fill: Fill,
    runs: Runs,
    wanted: frozenset[str],
    period: float | None = None,
    *,
    careful: bool = False,
) -> Moments:
    """The moments of runs of rows of `values` (rows, columns), an array that is overwritten.

    `wanted` has of `mean`, `stddev`, `min`, `max` and `first`; counts are always there. NaN is left out as fill is.
    `period` asks for the mean and the deviation round a circle. With `careful`, what sums lose by rounding is found,
    which takes as long again: then two ways to one mean differ by less than 4 units in the last place. Values that are
    no numbers have a first only.
    """
    if "first" in wanted or values.dtype.kind not in "iuf":
        return _first(values, fill, runs)
    narrow = values.shape[1] < _WIDE
    data = np.ascontiguousarray(values.T if narrow else values)
    bad = _missing(data, fill)
    axis = 1 if narrow else 0
    found: Moments = {"count": _counts(bad, runs, data.shape[1 - axis], axis)}
    if period:
        found |= _round_circle(data, bad, runs, axis, period)
    elif wanted & {"mean", "stddev"}:
        found |= _sums(data, bad, runs, axis, found["count"], squares="stddev" in wanted, careful=careful)
    flat = data.reshape(-1)
    real = data.dtype.kind == "f"
    if "min" in wanted:
        flat[bad] = np.inf if real else np.iinfo(data.dtype).max
        found["low"] = _over_runs(np.minimum, data, runs, axis)
    if "max" in wanted:
        flat[bad] = -np.inf if real else np.iinfo(data.dtype).min
        found["high"] = _over_runs(np.maximum, data, runs, axis)
    return {name: array.T for name, array in found.items()} if narrow else found


def _missing(data: NDArray[Any], fill: Fill) -> Integers:
    """The flat places of fill and of NaN."""
    missing = is_fill(data, fill)
    if data.dtype.kind == "f":
        with np.errstate(over="ignore", invalid="ignore"):
            flat = data.reshape(-1)
            if np.isnan(np.dot(flat, flat)):  # squares never cancel, so only a NaN makes their sum one
                missing |= np.isnan(data)
    return np.flatnonzero(missing)


def _counts(bad: Integers, runs: Runs, columns: int, axis: int) -> Integers:
    """How many values of each run and column are there; runs lie along `axis`."""
    shape = (len(runs), columns) if axis == 0 else (columns, len(runs))
    counts = np.empty(shape, dtype=np.int64)
    counts[...] = runs.lengths[:, None] if axis == 0 else runs.lengths
    if bad.size:
        length = columns if axis == 0 else runs.rows
        first = bad // length
        second = bad - first * length
        place = runs.of_row[first] * columns + second if axis == 0 else first * len(runs) + runs.of_row[second]
        counts -= np.bincount(place, minlength=counts.size).reshape(shape)
    return counts


def _sums(
    data: NDArray[Any], bad: Integers, runs: Runs, axis: int, counts: Integers, *, squares: bool, careful: bool
) -> Moments:
    """The sums; where wanted what these lost by rounding, and the squares of the distances from the mean of the run."""
    numbers = data.astype(np.float64)
    flat = numbers.reshape(-1)
    flat[bad] = 0.0
    with np.errstate(invalid="ignore", over="ignore"):  # infinite values, whose sum is infinite or none
        total = sum_runs(numbers, runs, axis)
        if not (careful or squares):
            return {"total": total, "rest": np.zeros_like(total)}
        means = total / np.maximum(counts, 1)
        if axis == 0 and _by_run(runs):
            for place, (first, last) in enumerate(runs.bounds):
                np.subtract(numbers[first:last], means[place], out=numbers[first:last])
        else:
            numbers -= np.take(means, runs.of_row, axis=axis)
        flat[bad] = 0.0
        drift = sum_runs(numbers, runs, axis)  # of the mean, which is rounded
        found = {"total": total, "rest": np.where(np.isfinite(drift), drift, 0.0)}
        if squares:
            np.multiply(numbers, numbers, out=numbers)
            spread = sum_runs(numbers, runs, axis) - drift * drift / np.maximum(counts, 1)
            found["spread"] = np.maximum(spread, 0.0)
        return found


def _by_run(runs: Runs) -> bool:
    """Whether runs are long enough to be taken one by one."""
    return runs.rows >= _LONG * len(runs)


def sum_runs(numbers: Floats, runs: Runs, axis: int = 0) -> Floats:
    """The sums of runs."""
    if axis == 1 or not _by_run(runs):
        return _over_short(np.add, numbers, runs, axis)
    sums = np.empty((len(runs), numbers.shape[1]))
    ones = np.ones(min(_FAN, runs.rows))
    for place, (first, last) in enumerate(runs.bounds):
        rows = numbers[first:last]
        while len(rows) > _FAN:
            whole = len(rows) // _FAN * _FAN
            some = np.matmul(ones, rows[:whole].reshape(-1, _FAN, rows.shape[1]))
            rows = np.concatenate([some, rows[whole:]]) if whole < len(rows) else some
        np.dot(ones[: len(rows)], rows, out=sums[place])
    return sums


def _over_runs(extreme: np.ufunc, data: NDArray[Any], runs: Runs, axis: int) -> NDArray[Any]:
    """The smallest or the largest of runs."""
    if axis == 1 or not _by_run(runs):
        return _over_short(extreme, data, runs, axis)
    found = np.empty((len(runs), data.shape[1]), dtype=data.dtype)
    for place, (first, last) in enumerate(runs.bounds):
        extreme.reduce(data[first:last], axis=0, out=found[place])
    return found


def _over_short(function: np.ufunc, data: NDArray[Any], runs: Runs, axis: int) -> NDArray[Any]:
    """The sums or extremes of lines, or of runs of rows that are short."""
    longest = int(runs.lengths.max())
    found: NDArray[Any]
    if axis == 1 or longest > _LONG * _LONG:
        found = function.reduceat(data, runs.starts, axis=axis)
        return found
    found = data[runs.starts]
    for place in range(1, longest):
        longer = np.flatnonzero(runs.lengths > place)
        if len(longer) == len(runs):
            function(found, data[runs.starts + place], out=found)
        else:
            found[longer] = function(found[longer], data[runs.starts[longer] + place])
    return found


def _round_circle(data: NDArray[Any], bad: Integers, runs: Runs, axis: int, period: float) -> Moments:
    """The sums of unit vectors, as complex numbers."""
    with np.errstate(invalid="ignore", over="ignore"):
        turns = np.exp(data.astype(np.float64) * (2j * np.pi / period))
    turns.reshape(-1)[bad] = 0.0
    negative = data < 0
    negative.reshape(-1)[bad] = False
    return {
        "turn": np.add.reduceat(turns, runs.starts, axis=axis),
        "negative": np.logical_or.reduceat(negative, runs.starts, axis=axis),
    }


def _first(values: NDArray[Any], fill: Fill, runs: Runs) -> Moments:
    """The count and the first value of each run that is no fill, for data of any type."""
    missing = is_fill(values, fill)
    if values.dtype.kind == "f":
        missing |= np.isnan(values)
    places = np.where(missing, runs.rows, np.arange(runs.rows)[:, None])
    first = np.minimum(np.minimum.reduceat(places, runs.starts, axis=0), runs.rows - 1)
    count = np.add.reduceat((~missing).astype(np.int64), runs.starts, axis=0)
    return {"count": count, "first": np.take_along_axis(values, first, axis=0)}


def mean(found: Moments) -> Floats:
    """The means; NaN where there is no value."""
    with np.errstate(invalid="ignore", divide="ignore"):
        total = found["total"] + found["rest"] if "rest" in found else found["total"]
        means: Floats = total / found.get("weight", found["count"])
    return means


def angles(found: Moments, period: float, lowest: float | None = None) -> Floats:
    """The means of values round a circle; meaningless where there is no value.

    They are in the range that begins at `lowest`, the least valid value, else from 0 on, or round 0 where a value of
    the run is negative; the upper end of the range belongs to the next turn.

    >>> rows = np.array([[359.0], [1.0]])
    >>> angles(moments(rows, None, Runs(np.array([0]), 2), frozenset({"mean"}), 360.0), 360.0).tolist()
    [[0.0]]
    """
    with np.errstate(invalid="ignore"):
        middle = np.angle(found["turn"]) * (period / (2 * np.pi))
        middle = np.where(np.abs(middle) < period * _ROUND, 0.0, middle)
        begin = np.where(found["negative"], -period / 2, 0.0) if lowest is None else lowest
        turned: Floats = (middle - begin) % period + begin
        return np.where(turned - begin < period, turned, begin)


def deviation(found: Moments) -> Floats:
    """The sample deviations (divided by n - 1): 0 of one value, NaN of none.

    What cannot be told from the rounding of the mean is 0: values that are all equal do not differ.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        deviations = np.sqrt(found["spread"] / np.maximum(found["count"] - 1, 1))
        deviations[deviations < _ROUNDING * np.abs(mean(found))] = 0.0
    return np.where(found["count"] > 0, deviations, np.nan)


def part(found: Moments, which: slice) -> Moments:
    """The moments of some of the runs."""
    return {name: array[which] for name, array in found.items()}


def chain(earlier: Moments, later: Moments) -> Moments:
    """The runs of `earlier`, then those of `later`."""
    return {name: np.concatenate([array, later[name]]) for name, array in earlier.items()}


def together(one: Moments, other: Moments) -> Moments:
    """The moments of two parts of the same runs, of which `one` came first."""
    found: Moments = {}
    with np.errstate(invalid="ignore", over="ignore"):
        for name, array in one.items():
            if name == "spread":
                found[name] = _chan(one, other)
            elif name == "rest":
                found[name] = _rest(one, other)
            elif name == "first":
                found[name] = np.where((one["count"] == 0) & (other["count"] > 0), other[name], array)
            else:
                found[name] = _PUT_TOGETHER[name](array, other[name])
    return found


_PUT_TOGETHER: Final[dict[str, np.ufunc]] = {
    "count": np.add,
    "total": np.add,
    "weight": np.add,
    "turn": np.add,
    "low": np.minimum,
    "high": np.maximum,
    "negative": np.logical_or,
}


def _rest(one: Moments, other: Moments) -> Floats:
    """What the sum of both totals lacks (the two-sum of Knuth, The Art of Computer Programming 2, 4.2.2)."""
    whole = one["total"] + other["total"]
    added = whole - one["total"]
    lost = (one["total"] - (whole - added)) + (other["total"] - added)
    rest: Floats = one["rest"] + other["rest"] + np.where(np.isfinite(lost), lost, 0.0)
    return rest


def _chan(one: Moments, other: Moments) -> Floats:
    """The sum of the squares of the distances from the mean of both parts."""
    apart = other["total"] / np.maximum(other["count"], 1) - one["total"] / np.maximum(one["count"], 1)
    both = one["count"] * (other["count"] / np.maximum(one["count"] + other["count"], 1))
    spread: Floats = one["spread"] + other["spread"] + np.where(both > 0, apart * apart * both, 0.0)
    return spread

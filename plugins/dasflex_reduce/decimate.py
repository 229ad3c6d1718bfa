# SPDX-License-Identifier: GPL-3.0-or-later
"""Fewer records for a display: about `view.points` for the range that was asked, and the picture stays the same.

The range is cut into buckets of equal time. Of lines, each bucket keeps the records that hold the least and the
greatest value of each line, as they are: no peak is lost, and nothing is shown that was not measured. Of values over an
axis, such as spectra, each bucket becomes one record at its middle, the mean without fill, since a picture has one
column for it. Rows of different lengths come with their records; where there is nothing else, the first record of each
bucket is kept, as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from dasflex_core import epochs
from dasflex_core.arrays import Ragged, Records
from dasflex_core.errors import QueryError
from dasflex_core.record_times import time_of
from dasflex_core.stages import Reducer, param
from dasflex_core.times import FOREVER, parse_time
from dasflex_reduce.binning import Runs, angles, mean, moments, part, together
from dasflex_reduce.outputs import circle_of
from dasflex_reduce.picking import chained, rows_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from dasflex_core.arrays import Column, Dataset, Variable
    from dasflex_reduce.binning import Moments

    Integers = NDArray[np.int64]
    Columns = dict[str, Column]

__all__ = ["Decimate"]

#: Lines that count for the number of buckets; of more, a bucket may keep more records.
_LINES: Final = 4


class _Way(Protocol):
    """How the records of buckets become fewer."""

    def feed(self, columns: Columns, buckets: Integers) -> Iterator[Columns]: ...
    def finish(self) -> Iterator[Columns]: ...


class Decimate(
    Reducer,
    name="decimate",
    accepts="arrays",
    refuses="waveform",
    reads=("read.time.min", "read.time.max"),
    admits="dasflex_reduce.admitting:decimate",
    per_gb=1.0,
):
    """Fewer records, for a display of so many points."""

    points: int = param("view.points", low=1, title="Points", help="About how many points a line may have")

    read_time_min: str | None
    read_time_max: str | None
    _way: _Way | None = None

    def dataset(self, dataset: Dataset) -> Dataset:
        """The same: records become fewer, and stay what they are. A dataset without a time passes as it is."""
        self._dataset = dataset
        time = time_of(dataset)
        every = [each for each in dataset.data() if each.per_record and each.dtype.kind in "iuf"]
        if time is None or not every:
            return dataset
        numbers = [each for each in every if not each.ragged]
        self._time = time
        lines = [each for each in numbers if all(extent is None for extent in each.index[1:])]
        count = sum(each.vector.components if each.vector else 1 for each in lines)
        flat = len(lines) == len(numbers)
        buckets = max(1, self.points // (2 * min(count, _LINES)) if flat and lines else self.points)
        self._begin, end = _moment(self.read_time_min), _moment(self.read_time_max)
        self._width = max(1, -(-(end - self._begin) // buckets))
        self._way = _Extremes(dataset, lines) if flat else _Means(dataset, numbers, time, self._middle)
        return dataset

    def records(self, batch: Records) -> Records | Iterable[Records]:
        """The records of the buckets that end in this batch."""
        if self._way is None or not len(batch):
            return batch
        held = _plain(batch.columns[self._time.name])
        times = epochs.to_datetime64(held, self._time.units).view(np.int64)
        buckets = (times - self._begin) // self._width
        return self._told(self._way.feed(dict(batch.columns), buckets))

    def finish(self) -> Iterable[Records]:
        """The records of the last bucket."""
        return () if self._way is None else self._told(self._way.finish())

    def _told(self, found: Iterable[Columns]) -> Iterator[Records]:
        """Columns as records of the dataset."""
        for columns in found:
            if len(columns[self._time.name]):
                yield Records(self._dataset, columns)

    def _middle(self, buckets: Integers) -> NDArray[Any]:
        """The times in the middle of buckets, in the form of the time of the dataset."""
        times = (self._begin + buckets * self._width + self._width // 2).view("M8[ns]")
        dtype = self._time.dtype
        units = "UTC" if dtype.kind == "M" else self._time.units
        return epochs.from_datetime64(times, units, None if dtype.kind == "M" else dtype).astype(dtype, copy=False)


def _moment(text: str | None) -> int:
    """A time as nanoseconds since 1970. Raises `QueryError` where there is none."""
    moment = FOREVER if text is None else parse_time(text)
    if moment == FOREVER:
        raise QueryError("view.points needs a time range that has both ends", kind="query.missing-parameter")
    return moment.ns


def _plain(column: Column) -> NDArray[Any]:
    """A column that has one value, or as many as each other record has, for each record."""
    if isinstance(column, Ragged):
        raise TypeError("a ragged column was taken for one that is not")
    return column


def _rows(columns: Columns, rows: NDArray[np.intp]) -> Columns:
    """Some rows of all columns."""
    return {name: rows_of(column, rows) for name, column in columns.items()}


def _numbers(columns: Columns, variable: Variable, dataset: Dataset) -> NDArray[np.float64]:
    """The values of a variable with fill as NaN, one column for each value of a record."""
    found = Records(dataset, {variable.name: columns[variable.name]}).floats(variable.name)
    return found.reshape(len(found), -1)


def _runs(buckets: Integers) -> NDArray[np.intp]:
    """Where runs of records of the same bucket begin."""
    return np.flatnonzero(np.concatenate([[True], buckets[1:] != buckets[:-1]]))


class _Extremes:
    """Of each bucket the records with the least and the greatest value of each line; of one of fill only, the first.

    Without lines, it is the first of each bucket.
    """

    def __init__(self, dataset: Dataset, lines: list[Variable]) -> None:
        self._dataset = dataset
        self._lines = lines
        self._held: tuple[Columns, Integers] | None = None

    def feed(self, columns: Columns, buckets: Integers) -> Iterator[Columns]:
        """What is kept of the buckets that end here. What the last one has kept so far is held."""
        if self._held is not None:
            earlier, own = self._held
            columns = {name: chained([earlier[name], column]) for name, column in columns.items()}
            buckets = np.concatenate([own, buckets])
        starts = _runs(buckets)
        kept = self._kept(columns, starts)
        last = int(starts[-1])
        done, open_ = kept[kept < last], kept[kept >= last]
        self._held = _rows(columns, open_), buckets[open_]
        yield _rows(columns, done)

    def _kept(self, columns: Columns, starts: NDArray[np.intp]) -> NDArray[np.intp]:
        """The records that are kept, in order."""
        total = len(next(iter(columns.values())))
        counts = np.diff(np.append(starts, total))
        run = np.repeat(np.arange(len(starts)), counts)
        kept = np.zeros(total, dtype=np.bool_)
        for line in self._lines:
            for values in _numbers(columns, line, self._dataset).T:
                for sign in (1.0, -1.0):
                    signed = np.where(np.isnan(values), np.inf, sign * values)
                    least = np.minimum.reduceat(signed, starts)
                    places = np.flatnonzero((signed == least[run]) & (signed < np.inf))
                    kept[places[np.unique(run[places], return_index=True)[1]]] = True
        empty = np.add.reduceat(kept, starts, dtype=np.int64) == 0
        kept[starts[empty]] = True
        return np.flatnonzero(kept)

    def finish(self) -> Iterator[Columns]:
        """What the last bucket keeps."""
        if self._held is not None:
            yield self._held[0]


class _Means:
    """Of each bucket one record: the mean of what is not fill, at the middle; other values are those of the first.

    Values round a circle have their mean round that.
    """

    def __init__(self, dataset: Dataset, numbers: list[Variable], time: Variable, middle: Any) -> None:  # noqa: ANN401
        self._dataset = dataset
        self._numbers = numbers
        self._circles = {each.name: circle_of(dataset.dimension(each), each) for each in numbers}
        self._time = time
        self._middle = middle
        self._sums: dict[str, Moments] = {}
        self._firsts: Columns = {}
        self._bucket: Integers | None = None

    def feed(self, columns: Columns, buckets: Integers) -> Iterator[Columns]:
        """The records of the buckets that end here. The sums of the last one are held."""
        runs = Runs.of(buckets)
        own = buckets[runs.starts]
        goes_on = self._bucket is not None and own[0] == self._bucket[0]
        if not goes_on:
            yield from self.finish()
        sums: dict[str, Moments] = {}
        for variable in self._numbers:
            column = _plain(columns[variable.name])
            rows = np.array(column.reshape(len(column), -1), dtype=column.dtype.newbyteorder("="))
            period, _lowest = self._circles[variable.name]
            found = sums[variable.name] = moments(rows, variable.fill, runs, frozenset({"mean"}), period)
            if goes_on:
                for name, array in together(self._sums[variable.name], part(found, slice(0, 1))).items():
                    found[name][:1] = array
        firsts = _rows(columns, runs.starts)
        if goes_on:
            rest = np.arange(1, len(own))
            firsts = {name: chained([self._firsts[name], rows_of(each, rest)]) for name, each in firsts.items()}
        yield self._made(sums, firsts, own, slice(0, -1))
        self._sums = {name: part(found, slice(-1, None)) for name, found in sums.items()}
        self._firsts = _rows(firsts, np.array([len(own) - 1]))
        self._bucket = own[-1:]

    def _made(self, sums: dict[str, Moments], firsts: Columns, own: Integers, rows: slice) -> Columns:
        """The records of some buckets."""
        made = _rows(firsts, np.arange(len(own))[rows])
        made[self._time.name] = self._middle(own[rows])
        for variable in self._numbers:
            found = part(sums[variable.name], rows)
            period, lowest = self._circles[variable.name]
            middle = angles(found, period, lowest) if period else mean(found)
            with np.errstate(invalid="ignore", over="ignore"):
                if variable.dtype.kind != "f":
                    middle = np.rint(middle)
                empty = np.nan if variable.fill is None else float(variable.fill)
                filled = np.where(found["count"] == 0, empty, middle)
                made[variable.name] = filled.astype(variable.dtype).reshape(-1, *variable.shape)
        return made

    def finish(self) -> Iterator[Columns]:
        """The record of the last bucket."""
        if self._bucket is not None:
            yield self._made(self._sums, self._firsts, self._bucket, slice(None))
            self._bucket = None

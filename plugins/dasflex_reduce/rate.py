# SPDX-License-Identifier: GPL-3.0-or-later
"""How many records, or bytes of data, there are in each bin of time, over all datasets of a stream (das-streams 5.4).

One dataset comes out, at the end: every bin from the first with data to the last, those without data too, at their
middles. Classic `das2_bin_ratesec` counts in the same way; that it stops after one bin (`-m`), calls empty bins covered
(`-e`) and fails at widths that are no unit are mended: bins of another width are counted per second.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dasflex_core.arrays import (
    VARIES,
    Dataset,
    Dimension,
    Encoding,
    NoData,
    Problem,
    Properties,
    Property,
    Ragged,
    Records,
    StreamHeader,
    Variable,
)
from dasflex_core.errors import QueryError
from dasflex_core.stages import Reducer, param
from dasflex_core.times import parse_time
from dasflex_reduce.binned import clock_of
from dasflex_reduce.binning import Runs
from dasflex_reduce.facts import put_in_place
from dasflex_reduce.grid import WIDEST, Grid, Origin

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from dasflex_core.arrays import Column, Item
    from dasflex_core.stages import Value
    from dasflex_reduce.grid import Integers

__all__ = ["LARGEST", "Rate"]

#: The most bins from the first to the last.
LARGEST: Final = 4_000_000
#: Bins in one batch of records.
_BATCH: Final = 32768
#: The units of bins that are a unit of time themselves.
_UNITS: Final = {1.0: "s**-1", 60.0: "minute**-1", 3600.0: "hour**-1", 86400.0: "day**-1"}
_OF: Final = {
    "records": "Records in each bin",
    "bytes": "Bytes of data in each bin",
    "kB": "The same in units of 1,024 bytes",
    "MB": "The same in units of 1,024 kB",
    "GB": "The same in units of 1,024 MB",
    "events": "1 where a bin has records, 0 where it has none",
}
_BYTES: Final = {"bytes": 1.0, "kB": 1024.0, "MB": 1024.0**2, "GB": 1024.0**3}


class Rate(
    Reducer,
    name="rate",
    reads=("read.time.min",),
    refuses="live",
    adds="sampled one",
    drops="waveform spectra scatter ragged strings",
    admits="dasflex_reduce.admitting_bins:has_records",
):
    """How much data there are in bins of time."""

    seconds: float = param(
        "calc.rate", units="s", low=1e-3, high=WIDEST, title="Width of the bins in which data are counted"
    )
    of: str = param("calc.rate.of", mode="modifier", values=_OF, default="records", title="What is counted")
    title: str | None = param(
        "calc.rate.title", mode="modifier", title="Title of the stream", help="In place of its own"
    )
    label: str | None = param("calc.rate.label", mode="modifier", title="Label of the counts", help="On their axis")

    def __init__(self, **values: Value | None) -> None:
        super().__init__(**values)
        begin = getattr(self, "read_time_min", None)
        self._grid = Grid(Origin(parse_time(begin).ns if begin else None), self.seconds)
        self._clocks: dict[int, Variable | None] = {}
        self._counted = _Counts()
        self._generation = 3
        self._told_why = False

    def feed(self, item: Item, /) -> Iterator[Item]:
        """What comes out because of this item: records are counted, headers changed, the rest passes."""
        match item:
            case Records():
                self._count(item)
            case Dataset():
                self._clocks[item.id] = clock_of(item)
            case StreamHeader():
                self._generation = item.generation
                yield self.header(item)
            case _:
                self._told_why = self._told_why or isinstance(item, NoData | Problem)
                yield item

    def _count(self, batch: Records) -> None:
        """Adds the records to the counts of their bins."""
        clock = self._clocks.get(batch.dataset.id)
        column = batch[clock.name] if clock else None
        if clock is None or column is None or isinstance(column, Ragged) or not len(column):
            return
        numbers, kept = self._grid.numbers(column, clock.units, clock.fill)
        if not len(numbers):
            return
        sizes = None
        if self.of in _BYTES:
            sizes = _sizes(batch) if kept is None else _sizes(batch)[kept]
        self._counted.add(numbers, sizes)
        if self._counted.span > LARGEST:
            raise QueryError(
                f"There are {self._counted.span:,} bins of {self.seconds:g} s from the first data to the last; at most"
                f" {LARGEST:,} are counted. Ask for wider bins with calc.rate",
                kind="query.bad-value",
            )

    def header(self, header: StreamHeader) -> StreamHeader:
        """The header without what it says of the values that were counted."""
        kept = [each for each in header.properties if not (each.name[:1] in "yz" and each.name[1:2].isupper())]
        properties = Properties(tuple(kept)).without("xCacheResInfo")
        text = "String" if header.generation == 2 else "string"
        title = properties.text("title")
        for name, value in (
            ("title", self.title or (f"{title} (coverage)" if title else "Coverage")),
            ("renderer", "stairSteps"),
            ("sourceId", properties.text("sourceId", "dasflex")),
        ):
            properties = put_in_place(properties, Property(name, value, text))
        for name in ("xTagWidth", "xCacheResolution"):
            entry = (
                Property(name, f"{self.seconds:f} s", "Datum")
                if header.generation == 2
                else Property(name, f"{self.seconds:f}", "real", "s")
            )
            properties = put_in_place(properties, entry)
        return StreamHeader(header.generation, properties)

    def finish(self) -> Iterable[Item]:
        """The dataset of the counts, and these; `NoData` where there was nothing to count."""
        if not self._counted.span:
            return () if self._told_why else (NoData("There are no data to count in the interval"),)
        return self._told()

    def _told(self) -> Iterator[Item]:
        """The dataset and its records, in batches."""
        dataset = _declared(self.of, self.seconds, self._generation, self.label)
        yield dataset
        time, value = dataset.columns
        scale = (1.0 if self.seconds in _UNITS else self.seconds) * _BYTES.get(self.of, 1.0)
        for numbers, counts in self._counted.batches():
            values = (counts > 0 if self.of == "events" else counts / scale).astype(value.dtype)
            centres = self._grid.centres(numbers, time.units, time.dtype)
            yield Records(dataset, {time.name: centres, value.name: values})


class _Counts:
    """How much there is in each bin. Bins without anything take no room."""

    def __init__(self) -> None:
        self._bins: Integers = np.zeros(0, dtype=np.int64)
        self._amounts: NDArray[np.float64] = np.zeros(0)
        self._new: list[tuple[Integers, NDArray[np.float64]]] = []
        self._low = self._high = 0

    @property
    def span(self) -> int:
        """How many bins there are from the first to the last."""
        return self._high - self._low

    def add(self, numbers: Integers, sizes: NDArray[np.float64] | None) -> None:
        """Counts these bins, each time one, or by the sizes."""
        starts = Runs.of(numbers).starts
        amounts = np.ones(len(numbers)) if sizes is None else sizes
        self._new.append((numbers[starts], np.add.reduceat(amounts, starts)))
        low, high = int(numbers.min()), int(numbers.max()) + 1
        self._low, self._high = (min(low, self._low), max(high, self._high)) if self.span else (low, high)
        if sum(len(bins) for bins, _amounts in self._new) > max(_BATCH, len(self._bins)):
            self._merge()

    def _merge(self) -> None:
        """Puts what is new among what was there, which must not be done for each batch."""
        pairs = [(self._bins, self._amounts), *self._new]
        bins, places = np.unique(np.concatenate([each for each, _amounts in pairs]), return_inverse=True)
        self._amounts = np.bincount(places, np.concatenate([amounts for _bins, amounts in pairs])).astype(np.float64)
        self._bins, self._new = bins, []

    def batches(self) -> Iterator[tuple[Integers, NDArray[np.float64]]]:
        """All bins from the first to the last, and how much there is in each."""
        self._merge()
        for begin in range(self._low, self._high, _BATCH):
            numbers = np.arange(begin, min(begin + _BATCH, self._high))
            amounts = np.zeros(len(numbers))
            first, last = np.searchsorted(self._bins, [begin, begin + len(numbers)])
            amounts[self._bins[first:last] - begin] = self._amounts[first:last]
            yield numbers, amounts


def _sizes(batch: Records) -> NDArray[np.float64]:
    """The bytes of each record as its stream holds them, without the tag."""
    total = np.zeros(len(batch))
    for variable in batch.dataset.columns:
        width = variable.encoding.width if variable.encoding else variable.dtype.itemsize
        total += _values(batch[variable.name]) * (width if width > 0 else variable.dtype.itemsize)
    return total


def _values(column: Column) -> NDArray[np.int64]:
    """How many values each record of a column has."""
    if not isinstance(column, Ragged):
        return np.full(len(column), int(np.prod(column.shape[1:])))
    inner = _values(column.values)
    ends = np.concatenate([[0], np.cumsum(inner)])
    found: NDArray[np.int64] = ends[column.offsets[1:]] - ends[column.offsets[:-1]]
    return found


def _declared(of: str, seconds: float, generation: int, asked: str | None) -> Dataset:
    """The dataset of the counts, with the label that was asked for or one of ours."""
    old = generation == 2
    name = "coverage" if of == "events" else "rate"
    units = "" if of == "events" else f"{'packets' if of == 'records' else of} {_UNITS.get(seconds, 's**-1')}"
    label = asked or ("Coverage" if of == "events" else f"Rate ({units})")
    order = "LEreal" if not old else "little_endian_real"
    time = Variable(
        "time",
        "center",
        "datetime",
        "us2000",
        (VARIES,),
        np.dtype("<f8"),
        encoding=Encoding(order, 8),
        plane="x" if old else "",
        plane_name="time" if old else "",
    )
    own: Any = Properties((Property("yLabel", label, "String"),)) if old else Properties((Property("label", label),))
    value = Variable(
        name,
        "center",
        "real",
        units,
        (VARIES,),
        np.dtype("<f4"),
        fill=-1e31,
        label=label,
        properties=own,
        encoding=Encoding(order, 4),
        plane="y" if old else "",
        plane_name=name if old else "",
    )
    dimensions = (
        Dimension("time", "time", coordinate=True, variables=(time,), axis="x"),
        Dimension(name, name, coordinate=False, variables=(value,)),
    )
    return Dataset(1, name, (VARIES,), dimensions, ("time", name), generation=generation)

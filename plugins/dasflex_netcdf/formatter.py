# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes arrays into a NetCDF-4 file, batch by batch, so that no more than a batch is held in memory."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Final

import h5netcdf
import numpy as np

from dasflex_core.arrays import Ragged, Records, StreamHeader
from dasflex_core.batching import Gathering, one_kind_only
from dasflex_core.errors import SourceError
from dasflex_core.stages import FileFormatter, param
from dasflex_netcdf.layout import layout_of
from dasflex_netcdf.values import fill_of, type_of, values_of

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from dasflex_core.arrays import Dataset, Item
    from dasflex_core.stages import Value
    from dasflex_netcdf.layout import Layout, Part

__all__ = ["NetcdfFormatter"]

_CONVENTIONS: Final = "CF-1.11"
_READS: Final = ("read.time.min", "read.time.max", "bin.time.max", "bin.stats", "dft.length")
#: About how many values a chunk of a variable holds, and a batch that is written.
_CHUNK: Final = 1 << 16
_BATCH: Final = 1 << 18


class NetcdfFormatter(
    FileFormatter,
    name="netcdf",
    accepts="arrays",
    produces="netcdf",
    needs="finite",
    reads=_READS,
    start=0.3,
    per_gb=12.0,
):
    """NetCDF-4 file with the attributes of the CF conventions."""

    deflate: int = param(
        "format.netcdf.deflate",
        mode="offered",
        low=0,
        high=9,
        default="1",
        title="How hard values are compressed",
        help="0: not at all; 9: slowest and smallest.",
    )

    def __init__(self, *, scratch: Path, **values: Value | None) -> None:
        super().__init__(scratch=scratch, **values)
        self._path = scratch / "answer.nc"
        self._file: h5netcdf.File | None = None
        self._stream = StreamHeader()
        self._layout: Layout | None = None
        self._name = ""
        self._layouts: dict[int, Layout] = {}  # by the id of the dataset
        self._gathering = Gathering(1)
        self._lengths: dict[str, int] = {}

    def feed(self, item: Item, /) -> None:
        """Takes one item. Records wait until there are enough."""
        if not isinstance(item, Records):
            super().feed(item)
            return
        if item.dataset.id not in self._layouts:
            raise SourceError(f"Records of {item.dataset.name} come before its declaration", kind="source.stream")
        for batch in self._gathering.add(item):
            self._write(self._layouts[batch.dataset.id], batch)

    def header(self, header: StreamHeader) -> None:
        """What is said of the stream."""
        self._stream = header

    def dataset(self, dataset: Dataset) -> None:
        """Makes the variables, for the first dataset. Raises `QueryError` for another with other columns."""
        layout = layout_of(dataset)
        self._rest()
        self._layouts[dataset.id] = layout
        if self._layout is None:
            self._layout, self._name = layout, dataset.name
            self._gathering = Gathering.of_values(_BATCH, dataset)
            self._declare(layout)
        elif _alike(layout) != _alike(self._layout):
            raise one_kind_only(self._name, dataset.name)

    def finish(self) -> Path:
        """Writes what waits, and what is said of all."""
        self._rest()
        file = self._opened()
        for each in self._stream.properties:
            if each.name and "/" not in each.name:
                file.attrs[each.name] = f"{each.text} {each.units}".strip()
        asked = {name: getattr(self, name.replace(".", "_")) for name in _READS}
        told = " ".join(f"{name}={text}" for name, text in asked.items() if text)
        file.attrs["history"] = f"dasflex {told}".strip()
        file.attrs["Conventions"] = _CONVENTIONS
        file.close()
        return self._path

    def _opened(self) -> h5netcdf.File:
        """The file, which is made when there is something to write."""
        if self._file is None:
            self._file = h5netcdf.File(self._path, "w")
        return self._file

    def _declare(self, layout: Layout) -> None:
        """Makes the dimensions and variables, and writes what is the same for all records."""
        file = self._opened()
        file.dimensions[layout.record] = None
        for name, size in layout.extents:
            file.dimensions[name] = size or None
        for name, sample in layout.counts:
            made = file.create_variable(name, (layout.record,), np.dtype("<i8"), chunks=(_CHUNK // 16,))
            made.attrs["sample_dimension"] = sample
            made.attrs["long_name"] = "number of samples in each record"
        for part in layout.parts:
            self._declare_part(part, dict(layout.extents))

    def _declare_part(self, part: Part, extents: dict[str, int]) -> None:
        """Makes a variable."""
        grows = part.per_record
        shape = [extents[name] for name in (part.dimensions[1:] if grows else part.dimensions)]
        chunks = (max(1, _CHUNK // max(1, prod(shape))), *shape) if grows else None
        more = (
            {"compression": "gzip", "compression_opts": self.deflate, "shuffle": True} if grows and self.deflate else {}
        )
        made = self._opened().create_variable(
            part.variable.name, part.dimensions, type_of(part), fillvalue=fill_of(part), chunks=chunks, **more
        )
        for name, text in part.attributes:
            made.attrs[name] = text
        if not grows and part.variable.values is not None:
            made[...] = values_of(part, np.asarray(part.variable.values))

    def _write(self, layout: Layout, batch: Records) -> None:
        """Appends records."""
        if not len(batch):
            return
        file = self._opened()
        begin = self._grown(layout.record, len(batch))
        samples: dict[str, tuple[int, NDArray[np.int64]]] = {}
        for part in layout.parts:
            if not part.per_record:
                continue
            column = batch[part.variable.name]
            made = file.variables[part.variable.name]
            if not isinstance(column, Ragged):
                made[begin : begin + len(batch)] = values_of(part, column)
                continue
            sample, counts = part.dimensions[0], np.diff(column.offsets)
            if sample not in samples:
                samples[sample] = self._grown(sample, int(counts.sum())), counts
                file.variables[part.runs][begin : begin + len(batch)] = counts
            first, expected = samples[sample]
            if not np.array_equal(counts, expected):
                raise SourceError(
                    f"The runs of {part.variable.name} have other lengths than those of variables along the same index",
                    kind="source.stream",
                )
            if counts.any():
                made[first : first + int(counts.sum())] = values_of(part, column.leaves)

    def _rest(self) -> None:
        """Writes what waits."""
        for batch in self._gathering.rest():
            self._write(self._layouts[batch.dataset.id], batch)

    def _grown(self, dimension: str, more: int) -> int:
        """Makes room along a dimension; gives where that begins."""
        begin = self._lengths.get(dimension, 0)
        self._lengths[dimension] = begin + more
        if more:
            self._opened().resize_dimension(dimension, begin + more)
        return begin


def _alike(layout: Layout) -> list[object]:
    """What makes two layouts the same for the file, with the values of what is the same for all records."""
    return [
        layout.extents,
        *(
            (each.variable.name, each.dimensions, each.attributes, str(type_of(each)), str(fill_of(each)), _same(each))
            for each in layout.parts
        ),
    ]


def _same(part: Part) -> str:
    """The values of a variable that is the same for all records, as text; blank for others."""
    values = part.variable.values
    return "" if part.per_record or values is None else str(np.asarray(values).tolist())

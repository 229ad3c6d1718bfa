# SPDX-License-Identifier: GPL-3.0-or-later
"""Histograms of exact values: how often each value of each data variable occurs (das-streams 5.8).

Each variable gives a dataset of its own, with its values in order as the coordinate and their counts, or the fraction
of values at or below each, or at or above. Fill and NaN do not count, where classic das2_histo counted them.
"""

from __future__ import annotations

import re
from dataclasses import replace
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
    is_fill,
)
from dasflex_core.errors import SourceError
from dasflex_core.stages import Reducer, param

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from dasflex_core.arrays import Column, Item

__all__ = ["Histogram"]

_KINDS: Final = {
    "count": "How often each value occurs",
    "below": "Fraction of values that are not greater",
    "above": "Fraction of values that are not less",
}
#: Different values of one variable, at most.
_MOST: Final = 1_000_000
_EXACT: Final = 1 << 24
#: A property of das2 that says something of an axis, such as `xTagWidth`.
_AXIS: Final = re.compile("[xyz][A-Z]")


class Histogram(
    Reducer, name="histogram", accepts="arrays", drops="waveform spectra sampled ragged scatter", per_gb=8.0
):
    """Histograms of exact values. One object counts the whole stream, since its datasets are numbered anew."""

    kind: str = param("calc.histogram", values=_KINDS, title="What is told of each value")

    def __init__(self, **values: Any) -> None:  # noqa: ANN401  as in the base
        super().__init__(**values)
        self._tables: dict[tuple[int, str], tuple[Variable, int, NDArray[Any], NDArray[np.int64]]] = {}
        self._told = False

    def feed(self, item: Item, /) -> Iterator[Item]:
        """Nothing but comments and the head of the stream, until all values are counted."""
        if isinstance(item, StreamHeader):
            yield self.header(item)
        elif isinstance(item, Records):
            self._count(item)
        elif not isinstance(item, Dataset):
            self._told = self._told or isinstance(item, NoData | Problem)
            yield item

    def header(self, header: StreamHeader) -> StreamHeader:
        """The head with another title, and without what says of axes that are there no more, such as those of times."""
        kept = (each for each in header.properties if each.name != "renderer" and not _AXIS.match(each.name))
        properties = Properties(tuple(kept))
        title = properties.get("title")
        if title is not None:
            properties = properties.put(replace(title, text=f"{title.text.rstrip()} - Histogram"))
        return replace(header, properties=properties)

    def _count(self, batch: Records) -> None:
        """Adds the values of a batch. Raises `SourceError` where there are too many different ones."""
        for variable in batch.dataset.data():
            if not variable.per_record or variable.dtype.kind not in "iufb" or variable.semantic == "blob":
                continue
            flat = _flat(batch[variable.name])
            values = flat[~is_fill(flat, variable.fill)]
            if values.dtype.kind == "f":
                values = values[~np.isnan(values)]
            found, counts = np.unique(values, return_counts=True)
            key = batch.dataset.id, variable.name
            if key in self._tables:
                _, _, known, before = self._tables[key]
                found, place = np.unique(np.concatenate([known, found]), return_inverse=True)
                counts = np.bincount(place, np.concatenate([before, counts]), minlength=len(found)).astype(np.int64)
            if len(found) > _MOST:
                raise SourceError(
                    f"{variable.name} has more than {_MOST:,} different values, which have no histogram of exact"
                    " values; ask for a shorter range",
                    kind="source.limit",
                )
            self._tables[key] = variable, batch.dataset.generation, found, counts.astype(np.int64)

    def finish(self) -> Iterator[Item]:
        """A dataset and its records for each variable that had values."""
        tables = [table for table in self._tables.values() if len(table[2])]
        for number, (variable, generation, values, counts) in enumerate(tables, start=1):
            dataset = self._declared(number, variable, generation, int(counts.sum()))
            yield dataset
            y = dataset.variables[f"{variable.name}_hist"]
            column = self._told_of(counts).astype(y.dtype)
            yield Records(
                dataset, {variable.name: values.astype(dataset.variables[variable.name].dtype), y.name: column}
            )
        if not tables and not self._told:
            yield NoData()

    def _told_of(self, counts: NDArray[np.int64]) -> NDArray[Any]:
        """What is told of each value."""
        if self.kind == "count":
            return counts
        total = counts.sum()
        below = np.cumsum(counts)
        return np.asarray((below if self.kind == "below" else total - below + counts) / total)

    def _declared(self, number: int, variable: Variable, generation: int, total: int) -> Dataset:
        """The dataset of the histogram of a variable."""
        width = 8 if self.kind == "count" and total > _EXACT else 4
        old = generation == 2
        encoding = Encoding("little_endian_real" if old else "LEreal", width)
        kept = variable.encoding if variable.dtype.kind == "f" else None
        dtype = np.dtype(f"<f{width}")
        label = variable.label or variable.name
        x = replace(
            variable, role="center", index=(VARIES,), fill=None, vector=None, plane="x" if old else "", encoding=kept,
            properties=type(variable.properties)(), label=label, plane_name=variable.name,
        )  # fmt: skip
        title = Property("yLabel" if old else "label", _KINDS[self.kind], "String" if old else "string")
        y = Variable(
            name=f"{variable.name}_hist",
            role="center",
            semantic="real",
            units="",
            index=(VARIES,),
            dtype=dtype,
            fill=0.0,
            label=_KINDS[self.kind],
            encoding=encoding,
            properties=type(variable.properties)((title,)),
            plane="y" if old else "",
            plane_name=f"{variable.name}_hist",
        )
        return Dataset(
            id=number,
            name=f"packet_{number:02d}" if old else f"{variable.name}_hist".replace(".", "_"),
            index=(VARIES,),
            dimensions=(
                Dimension(x.name, x.name, coordinate=True, variables=(x,), axis="x"),
                Dimension(y.name, "count", coordinate=False, variables=(y,)),
            ),
            wire=(x.name, y.name),
            generation=generation,
        )


def _flat(column: Column) -> NDArray[Any]:
    """All values of a column."""
    while isinstance(column, Ragged):
        column = column.values
    return column.reshape(-1)

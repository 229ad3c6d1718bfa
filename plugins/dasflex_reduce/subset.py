# SPDX-License-Identifier: GPL-3.0-or-later
"""Cuts a stream down to the variables, and to the part of an axis, that were asked for.

`select` keeps the data variables that `read.data` names, with the coordinates that these need. `cut` keeps
[`read.{coord}.min`, `read.{coord}.max`) of a coordinate other than time: of an inner axis that is the same for all
records the values in that range, of a coordinate with one value in each record the records.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dasflex_core.arrays import VARIES, Dataset, NoData, Problem, Ragged, Records
from dasflex_core.errors import QueryError, did_you_mean, listing, shown
from dasflex_core.stages import Reducer, param
from dasflex_reduce.picking import only, rows_where

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from dasflex_core.arrays import Column, Item, Variable

__all__ = ["Cut", "Select"]


class Select(Reducer, name="select", accepts="arrays", admits="dasflex_reduce.admitting:select", per_gb=0.1):
    """Only the data variables that were asked for.

    A name is that of a variable, of a dimension (which has all roles of a quantity), or of a das2 plane, in any case
    of letters. It may belong to any dataset of the stream; datasets that have none of the names are left out. So this
    is one object for the whole stream: a name that no dataset had before the first records is an error.
    """

    names: tuple[str, ...] = param("read.data", title="The data variables", help="Their names, between commas")

    def __init__(self, **values: Any) -> None:  # noqa: ANN401  as in the base
        super().__init__(**values)
        self._made: dict[int, Dataset | None] = {}
        self._missing = {name.lower(): name for name in self.names}
        self._there: dict[str, None] = {}
        self._came = self._gave = False

    def feed(self, item: Item, /) -> Iterator[Item]:
        """What is left of an item. Raises `QueryError` for a name that nothing has, with what there is."""
        if isinstance(item, Dataset):
            made = self._made[item.id] = self._selected(item)
            if made is not None:
                yield made
        elif isinstance(item, Records):
            self._came = True
            self._check()
            made = self._made.get(item.dataset.id)
            if made is not None:
                self._gave = True
                yield Records(made, {name: item[name] for name in made.wire})
        else:
            self._gave = self._gave or isinstance(item, NoData | Problem)
            yield item

    def finish(self) -> Iterator[Item]:
        """That there is nothing, where all records were of other variables."""
        if not self._came:
            self._check()
        elif not self._gave:
            yield NoData()

    def _selected(self, dataset: Dataset) -> Dataset | None:
        """The dataset with the variables of these names, or None where it has none of them."""
        kept: set[str] = set()
        for each in dataset.data():
            spelt = {each.name, each.plane_name.strip(), dataset.dimension(each).name} - {""}
            self._there |= dict.fromkeys(sorted(spelt & {each.name, each.plane_name}))
            lower = {name.lower() for name in spelt}
            if lower & {name.lower() for name in self.names}:
                kept.add(each.name)
            for name in lower:
                self._missing.pop(name, None)
        return only(dataset, kept) if kept else None

    def _check(self) -> None:
        """Raises `QueryError` where a name is that of nothing."""
        if self._missing and self._there:
            name = next(iter(self._missing.values()))
            raise QueryError(
                f"read.data={shown(name)}: there is no such variable.{did_you_mean(name, self._there)} There are"
                f" {listing(self._there)}",
                kind="query.bad-value",
            )


class Cut(Reducer, name="cut", accepts="arrays", admits="dasflex_reduce.admitting:cut", per_gb=0.5):
    """Only a part of an axis other than time."""

    low: float | None = param(
        "read.{coord}.min", mode="offered", title="Lowest value", help="In the units of the coordinate; it is kept"
    )
    high: float | None = param(
        "read.{coord}.max", mode="offered", title="Lowest value that is no longer wanted", help="In the same units"
    )

    _made: Dataset | None = None

    def dataset(self, dataset: Dataset) -> Dataset | None:
        """The dataset with what is left of the axis; None where nothing is.

        Raises `QueryError` for an axis that differs from record to record.
        """
        self._masks: dict[int, slice | NDArray[np.bool_]] = {}
        self._per_record: list[Variable] = []
        empty: set[int] = set()
        seen: set[int] = set()
        for variable in _coordinates(dataset, str(self.coord)):
            inner = [place for place, extent in enumerate(variable.index) if place and extent is not None]
            if not inner and variable.per_record and variable.dtype.kind in "iuf":
                self._per_record.append(variable)
            elif inner and (variable.per_record or len(inner) > 1 or VARIES in variable.index[1:]):
                raise QueryError(
                    f"{variable.name} of dataset {dataset.name} differs from record to record, so that it cannot be"
                    f" cut; leave read.{self.coord}.min and read.{self.coord}.max out",
                    kind="query.unreachable-type",
                )
            elif inner and inner[0] not in seen and variable.values is not None:
                seen.add(inner[0])
                mask = self._within(variable.values.ravel())
                if not mask.any():
                    empty.add(inner[0])
                elif not mask.all():
                    self._masks[inner[0]] = _as_slice(mask)
        if empty:
            left = {each.name for each in dataset.data() if all(each.index[place] is None for place in empty)}
            if not left:
                self._made = None
                return None
        else:
            left = {each.name for each in dataset.data()}
        cut = self._declared(dataset)
        self._made = only(cut, left) if empty else cut
        return self._made

    def _within(self, values: NDArray[Any]) -> NDArray[np.bool_]:
        """Which values are in the range."""
        wanted = np.ones(values.shape, dtype=np.bool_)
        if self.low is not None:
            wanted &= values >= self.low
        if self.high is not None:
            wanted &= values < self.high
        return wanted

    def _declared(self, dataset: Dataset) -> Dataset:
        """The dataset with shorter indices."""
        index = list(dataset.index)
        for place, mask in self._masks.items():
            index[place] = len(np.arange(index[place])[mask])
        dimensions = tuple(
            replace(dimension, variables=tuple(self._cut(each, index) for each in dimension.variables))
            for dimension in dataset.dimensions
        )
        return replace(dataset, index=tuple(index), dimensions=dimensions)

    def _cut(self, variable: Variable, index: list[int]) -> Variable:
        """A variable of the dataset with shorter indices."""
        touched = [place for place in self._masks if variable.index[place] is not None]
        if not touched:
            return variable
        own = tuple(None if old is None else new for old, new in zip(variable.index, index, strict=True))
        if variable.values is None:
            return replace(variable, index=own)
        values = np.asarray(self._taken(variable.values, variable, 0))
        text, (place, *_more) = variable.text, touched
        pieces = [piece for piece in text.split(",") if piece.strip()]
        if len(pieces) == variable.index[place]:
            text = ",".join(np.array(pieces, dtype=object)[self._masks[place]])
        rules = tuple(
            replace(rule, minimum=repr(float(values.flat[0])))
            for rule in variable.sequences
            if isinstance(self._masks[place], slice) and values.dtype.kind == "f"
        )
        return replace(variable, index=own, values=values, text=text, sequences=rules)

    def _taken(self, column: NDArray[Any], variable: Variable, first: int) -> NDArray[Any]:
        """The values of a variable in the range; axis `first` is that of the first inner index."""
        axis = first
        for place, extent in enumerate(variable.index):
            if not place or extent is None:
                continue
            if place in self._masks:
                column = column[(*(slice(None),) * axis, self._masks[place])]
            axis += 1
        return column

    def records(self, batch: Records) -> Iterable[Records]:
        """The records with the values that are in the range."""
        made = self._made
        if made is None:
            return ()
        found: Records | None = batch
        if self._per_record:
            wanted = np.ones(len(batch), dtype=np.bool_)
            for variable in self._per_record:
                wanted &= self._within(batch.floats(variable.name))
            found = rows_where(batch, wanted)
        if found is None:
            return ()
        columns: dict[str, Column] = {}
        for name in made.wire:
            column = found[name]
            columns[name] = (
                column if isinstance(column, Ragged) else self._taken(column, batch.dataset.variables[name], 1)
            )
        return (Records(made, columns),)


def _coordinates(dataset: Dataset, name: str) -> list[Variable]:
    """The coordinates that a request means by a name: of a dimension called so, or of that kind of thing."""
    wanted = name.lower()
    return [
        each
        for dimension in dataset.dimensions
        if dimension.coordinate and wanted in (dimension.name.lower(), dimension.physical.lower())
        for each in dimension.variables
        if each.role in ("center", "mean", "average", "min") and each.vector is None
    ]


def _as_slice(mask: NDArray[np.bool_]) -> slice | NDArray[np.bool_]:
    """A mask of neighbours as a slice, which copies nothing."""
    found = np.flatnonzero(mask)
    first, last = int(found[0]), int(found[-1]) + 1
    return slice(first, last) if last - first == len(found) else mask

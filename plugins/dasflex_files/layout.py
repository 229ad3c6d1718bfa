# SPDX-License-Identifier: GPL-3.0-or-later
"""What is given of a file as datasets of the in-memory stream, and its records as theirs."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dasflex_core.arrays import VARIES, Dataset, Dimension, Properties, Property, Records, Variable, Vector
from dasflex_files.choosing import grouped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from dasflex_core.arrays import Column, Fill
    from dasflex_files.choosing import Given
    from dasflex_files.describing import Described, Held

__all__ = ["Layout"]

_TIME: Final = "time"
_FREQUENCIES: Final = ("Hz", "kHz", "MHz", "GHz")
_LETTERS: Final = "yzw"
#: The fill of TT2000 (CDF User's Guide, CDF_TIME_TT2000).
_NO_TT2000: Final = -(2**63)


class Layout:
    """The datasets of one file. `constant` gives the values of an axis that is the same for all records.

    `spelt` is how the definition spells the names of coordinates, by their lower case.
    """

    def __init__(
        self,
        described: Described,
        given: Sequence[Given],
        constant: Callable[[str], NDArray[Any]],
        spelt: Mapping[str, str],
    ) -> None:
        self._described = described
        self._constant = constant
        self._spelt = spelt
        self._groups = grouped(given)
        self.datasets = tuple(self._dataset(place, group) for place, group in enumerate(self._groups, 1))

    @property
    def names(self) -> tuple[str, ...]:
        """The variables of the file that are read."""
        held = {each.held.name: None for group in self._groups for each in group}
        axes = [axis for group in self._groups for each in group for axis in self._axes(each) if axis and axis.varies]
        return tuple(held | {axis.name: None for axis in axes})

    def records(self, batch: Mapping[str, NDArray[Any]]) -> Iterator[Records]:
        """The records of each dataset, of a batch that was read."""
        for dataset, group in zip(self.datasets, self._groups, strict=True):
            columns: dict[str, Column] = {_TIME: batch[self._described.time]}
            for each in group:
                for axis in self._axes(each):
                    if axis and axis.varies:
                        columns[self._named(axis.name)] = batch[axis.name]
                places = tuple(slice(None) if place is None else place for place in each.places)
                columns[each.name] = batch[each.held.name][(slice(None), *places)]
            types = {variable.name: variable.dtype for variable in dataset.columns}
            yield Records(dataset, {name: np.ascontiguousarray(columns[name], types[name]) for name in dataset.wire})

    def _named(self, name: str) -> str:
        """The name of a coordinate as the definition spells it."""
        return self._spelt.get(name.lower(), name)

    def _axes(self, each: Given) -> list[Held | None]:
        """The axis of each inner index; None where there is none, or where it is an index of its own."""
        return [self._described.variable(name) if name else None for name in each.axes]

    def _dataset(self, number: int, group: Sequence[Given]) -> Dataset:
        """The declaration of a dataset."""
        widest = max(group, key=lambda each: len(each.signature))
        extents = () if widest.is_vector else widest.shape
        rank = 1 + len(extents)
        dimensions = [Dimension(_TIME, "time", coordinate=True, variables=(self._times(rank),), axis="x")]
        axes = self._axes(widest) if extents else []
        for place, axis in enumerate(axes):
            if axis is not None and axis.name not in [each.name for each in axes[:place] if each]:
                dimensions.append(self._axis(axis, place, extents))
        dimensions += [_data(each, extents) for each in group]
        names = [_TIME, *(each.variables[0].name for each in dimensions[1:] if each.variables[0].values is None)]
        title = "_".join([_TIME, *(self._named(axis.name) for axis in axes if axis)])
        return Dataset(
            number, title if number == 1 else f"{title}_{number}", (VARIES, *extents), tuple(dimensions), tuple(names)
        )

    def _times(self, rank: int) -> Variable:
        """The variable of the times."""
        index = (VARIES, *(None,) * (rank - 1))
        if self._described.units == "UTC":
            return Variable(_TIME, "center", "datetime", "UTC", index, np.dtype("M8[ns]"))
        return Variable(_TIME, "center", "datetime", self._described.units, index, np.dtype("<i8"), fill=_NO_TT2000)

    def _axis(self, axis: Held, place: int, extents: tuple[int, ...]) -> Dimension:
        """The dimension of an axis."""
        name = self._named(axis.name)
        dtype = np.dtype(axis.dtype)
        own = tuple(extent if at == place else None for at, extent in enumerate(extents))
        values = None if axis.varies else np.ascontiguousarray(self._constant(axis.name), dtype).reshape(-1)
        index = (VARIES if axis.varies else None, *own)
        variable = Variable(
            name, "center", _semantic(axis), axis.units, index, dtype, _fill(axis), axis.label, values=values
        )
        physical = "frequency" if axis.units in _FREQUENCIES else name
        letter = _LETTERS[place] if place < len(_LETTERS) else ""
        return Dimension(name, physical, coordinate=True, variables=(variable,), axis=letter, properties=_said(axis))


def _data(each: Given, extents: tuple[int, ...]) -> Dimension:
    """The dimension of a variable of data. In a dataset of others with axes it may have one value in each record."""
    held = each.held
    inner: tuple[int | None, ...] = (None,) * len(extents)
    if each.shape and not each.is_vector:
        inner = each.shape
    vector = Vector(each.shape[0]) if each.is_vector else None
    variable = Variable(
        each.name, "center", _semantic(held), held.units, (VARIES, *inner), np.dtype(held.dtype), _fill(held),
        held.label, vector,
    )  # fmt: skip
    return Dimension(each.name, each.name, coordinate=False, variables=(variable,), properties=_said(held))


def _semantic(held: Held) -> str:
    """What kind of values a variable has."""
    kind = np.dtype(held.dtype).kind
    if kind == "M" or held.units == "TT2000":
        return "datetime"
    return {"f": "real", "S": "string", "b": "bool"}.get(kind, "integer")


def _fill(held: Held) -> Fill:
    """The fill of a variable, in the kind of its values; None where it has none."""
    kind = np.dtype(held.dtype).kind
    found: Fill = None
    if kind == "M":
        found = np.datetime64("NaT", "ns")
    elif held.units == "TT2000":
        found = _NO_TT2000
    elif held.fill and kind == "S":
        found = held.fill.encode()
    elif held.fill:
        with suppress(ValueError, OverflowError):  # text that is no number
            whole = held.fill.lstrip("-").isdigit()
            found = float(held.fill) if kind == "f" else int(held.fill) if whole else int(float(held.fill))
    return found


def _said(held: Held) -> Properties:
    """What is said of a variable, in the names of das3."""
    entries = [Property("title", held.title)] if held.title else []
    entries += [Property("label", held.label)] if held.label else []
    entries += [Property("scaleType", held.scale)] if held.scale else []
    if held.valid:
        low, high = held.valid
        entries += [Property("validMin", repr(low), "real"), Property("validMax", repr(high), "real")]
    return Properties(tuple(entries))

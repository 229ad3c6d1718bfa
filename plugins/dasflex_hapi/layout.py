# SPDX-License-Identifier: GPL-3.0-or-later
"""The parameters of a HAPI data set as datasets of the in-memory stream, and its records as theirs.

Parameters over the same bins share a dataset. Those without bins stand in the one that has some, or in one of their
own where bins differ. Three values without bins are a vector; other arrays without bins run over their index.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dasflex_core.arrays import (
    VARIES,
    Dataset,
    Dimension,
    Properties,
    Property,
    Records,
    StreamHeader,
    Variable,
    Vector,
)
from dasflex_core.values import dataclass
from dasflex_hapi.info import Bins
from dasflex_hapi.moments import moments
from dasflex_hapi.spelling import spelt

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from dasflex_core.arrays import Fill
    from dasflex_hapi.info import Info, Parameter

    Columns = Mapping[str, NDArray[Any]]

__all__ = ["Layout"]

_TIME: Final = "time"
_VECTOR: Final = 3
_FREQUENCIES: Final = ("Hz", "kHz", "MHz", "GHz")
_LETTERS: Final = "yzw"
#: Roles of the edges of bins.
_EDGES: Final = (("min", 0), ("max", 1))


@dataclass(frozen=True, slots=True)
class _Column:
    """Where the values of a variable come from: the parameter, and which of its values."""

    variable: Variable
    parameter: Parameter
    place: tuple[int | slice, ...] = ()


class Layout:
    """The datasets of a stream."""

    def __init__(self, info: Info) -> None:
        self._info = info
        self._time = info.parameters[0]
        self._by_name = {each.name: each for each in info.parameters}
        self._used: set[str] = set()
        self.datasets: tuple[Dataset, ...] = ()
        self._columns: list[list[_Column]] = []
        for number, group in enumerate(self._groups(), 1):
            self._add(number, group)

    @property
    def header(self) -> StreamHeader:
        """The head of the stream."""
        said = (("title", self._info.description), ("citation", self._info.citation))
        return StreamHeader(3, Properties(tuple(Property(name, text) for name, text in said if text)))

    def records(self, columns: Columns) -> Iterator[Records]:
        """The records of each dataset, of rows that were read."""
        times = moments(columns[self._time.name])
        for dataset, held in zip(self.datasets, self._columns, strict=True):
            found = {_TIME: times}
            for each in held:
                found[each.variable.name] = _values(each, columns[each.parameter.name])
            yield Records(dataset, found)

    def _groups(self) -> list[list[Parameter]]:
        """The parameters of each dataset: those with the same bins."""
        data = [each for each in self._info.parameters[1:] if each.name not in self._info.axes]
        groups: dict[object, list[Parameter]] = {}
        for each in data:
            groups.setdefault(_signature(each), []).append(each)
        plain = groups.pop((), [])
        if len(groups) == 1:
            only = {id(each) for each in plain} | {id(each) for group in groups.values() for each in group}
            return [[each for each in data if id(each) in only]]
        return [group for group in (plain, *groups.values()) if group] or [[]]

    def _add(self, number: int, group: Sequence[Parameter]) -> None:
        """Adds a dataset."""
        self._used = {_TIME}
        widest = max(group, key=lambda each: len(_signature(each)), default=None)
        extents = widest.size if widest is not None and _signature(widest) else ()
        index = (VARIES, *(None,) * len(extents))
        stamp = Properties((Property("timeStampLocation", self._info.stamp),)) if self._info.stamp else Properties()
        times = Variable(_TIME, "center", "datetime", "UTC", index, np.dtype("M8[ns]"))
        dimensions = [Dimension(_TIME, "time", coordinate=True, variables=(times,), axis="x", properties=stamp)]
        columns: list[_Column] = []
        if widest is not None:
            for place in range(len(extents)):
                dimension, held = self._axis(widest, place, extents)
                dimensions.append(dimension)
                columns += held
        for each in group:
            dimension, held = self._data(each, extents)
            dimensions.append(dimension)
            columns += held
        axes = [each.name for each in dimensions[1:] if each.coordinate]
        name = "_".join([_TIME, *axes]) + (f"_{number}" if number > 1 else "")
        wire = (_TIME, *(each.variable.name for each in columns))
        self.datasets += (Dataset(number, name, (VARIES, *extents), tuple(dimensions), wire),)
        self._columns.append(columns)

    def _unused(self, name: str) -> str:
        """A name that no other variable has."""
        found, count = spelt(name), 1
        while found in self._used:
            count += 1
            found = f"{spelt(name)}_{count}"
        self._used.add(found)
        return found

    def _axis(self, parameter: Parameter, place: int, extents: tuple[int, ...]) -> tuple[Dimension, list[_Column]]:
        """The coordinate that one dimension runs over."""
        bins = parameter.bins[place] if place < len(parameter.bins) else Bins("")
        name = self._unused(bins.name or f"{parameter.name}_index")
        own = tuple(extent if at == place else None for at, extent in enumerate(extents))
        variables: list[Variable] = []
        columns: list[_Column] = []

        def put(role: str, values: NDArray[np.float64] | None, source: str, where: tuple[int | slice, ...]) -> None:
            full = name if role == "center" else self._unused(f"{name}_{role}")
            index = (VARIES if values is None else None, *own)
            fill = None if values is not None else _fill(self._by_name[source])
            dtype = np.dtype("<f8") if values is not None else _type(self._by_name[source])
            made = Variable(full, role, "real", bins.units, index, dtype, fill, bins.label, values=values)
            variables.append(made)
            if values is None:
                columns.append(_Column(made, self._by_name[source], where))

        for role, values, source, where in _tags(bins, extents[place]):
            put(role, values, source, where)
        physical = "frequency" if bins.units in _FREQUENCIES else name
        letter = _LETTERS[place] if place < len(_LETTERS) else ""
        said = Properties((Property("label", bins.label),)) if bins.label else Properties()
        return Dimension(
            name, physical, coordinate=True, variables=tuple(variables), axis=letter, properties=said
        ), columns  # fmt: skip

    def _data(self, parameter: Parameter, extents: tuple[int, ...]) -> tuple[Dimension, list[_Column]]:
        """The variable of a parameter. One whose values have different units is several."""
        inner: tuple[int | None, ...] = (None,) * len(extents)
        vector = None
        if _signature(parameter):
            inner = parameter.size
        elif parameter.size == (_VECTOR,):
            vector = Vector(_VECTOR, frame=parameter.frame)
        mixed = len(set(parameter.units)) > 1 and vector is not None
        name = self._unused(parameter.name)
        label = " ".join(parameter.labels) if len(set(parameter.labels)) == 1 else ""
        said = [("title", parameter.description), ("label", label)]
        properties = Properties(tuple(Property(key, text) for key, text in said if text))
        columns: list[_Column] = []
        for place in range(parameter.count) if mixed else [-1]:
            role, own = ("center", name) if place < 1 else (f"component_{place}", self._unused(f"{name}_{place}"))
            made = Variable(
                own, role, _semantic(parameter), parameter.units[max(place, 0)], (VARIES, *inner), _type(parameter),
                _fill(parameter), label, None if mixed else vector,
            )  # fmt: skip
            columns.append(_Column(made, parameter, (place,) if mixed else ()))
        variables = tuple(each.variable for each in columns)
        return Dimension(name, name, coordinate=False, variables=variables, properties=properties), columns


def _tags(bins: Bins, extent: int) -> Iterator[tuple[str, NDArray[np.float64] | None, str, tuple[int | slice, ...]]]:
    """The roles of a coordinate with their values, or the parameter that has these and where in its records."""
    fixed = None if isinstance(bins.ranges, str) or not bins.ranges else np.array(bins.ranges)
    if isinstance(bins.centers, str):
        yield "center", None, bins.centers, ()
    elif bins.centers:
        yield "center", np.array(bins.centers), "", ()
    elif fixed is not None:
        yield "center", fixed.mean(axis=1), "", ()
    elif not bins.ranges:
        yield "center", np.arange(extent, dtype=np.float64), "", ()
    for role, side in _EDGES:
        if isinstance(bins.ranges, str):
            yield role, None, bins.ranges, (slice(None), side)
        elif fixed is not None:
            yield role, np.ascontiguousarray(fixed[:, side]), "", ()


def _signature(parameter: Parameter) -> tuple[object, ...]:
    """What a parameter runs over; nothing for one value, and for a vector. Others with the same share a dataset."""
    if not parameter.size or (parameter.size == (_VECTOR,) and not any(each.said for each in parameter.bins)):
        return ()
    bins = [parameter.bins[place] if place < len(parameter.bins) else None for place in range(len(parameter.size))]
    return tuple(zip(parameter.size, bins, strict=True))


def _semantic(parameter: Parameter) -> str:
    """What kind of values a parameter has."""
    return {"double": "real", "integer": "integer", "string": "string"}.get(parameter.type, "datetime")


def _type(parameter: Parameter) -> np.dtype[Any]:
    """The type of the values of a column."""
    return np.dtype(
        {"double": "<f8", "integer": "<i4", "isotime": "M8[ns]"}.get(parameter.type, f"S{parameter.length}")
    )


def _fill(parameter: Parameter) -> Fill:
    """The fill of a column; None where there is none, and for NaN, which is always one."""
    text = parameter.fill
    if parameter.type == "isotime":
        return np.datetime64("NaT", "ns")
    if text is None:
        return None
    if parameter.type == "string":
        return text.encode()
    try:
        number = float(text)
    except ValueError:
        return None
    if parameter.type == "integer":
        return int(number) if number == int(number) else None
    return None if number != number else number  # noqa: PLR0124  the test for NaN


def _values(column: _Column, values: NDArray[Any]) -> NDArray[Any]:
    """The values of a variable, of the column of its parameter."""
    parameter = column.parameter
    picked = values[(slice(None), *column.place)] if column.place else values
    if parameter.type != "isotime":
        return np.ascontiguousarray(picked)
    found = moments(picked, gaps=True)
    if parameter.fill:
        found = np.where(np.char.strip(picked, b" \0") == parameter.fill.encode(), np.datetime64("NaT", "ns"), found)
    return found

# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables that one dataset becomes: what depends on what, labels and lengths beside them, and their names.

ISTP guidelines, DEPEND_n: DEPEND_0 is the epoch of the records, DEPEND_n the coordinate along axis n of a value. An
axis without a coordinate gets a counter, since each must have one; that of the components of a vector has labels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dasflex_cdf.attributes import Attributes, Own, Place, attributes_of
from dasflex_cdf.columns import Intake
from dasflex_cdf.kinds import TYPES
from dasflex_cdf.parts import parts_of
from dasflex_cdf.saying import Said
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from dasflex_cdf.holding import Room
    from dasflex_cdf.kinds import CdfType
    from dasflex_cdf.names import Names
    from dasflex_cdf.parts import Part
    from dasflex_core.arrays import Dataset, Records, StreamHeader, Variable

__all__ = ["Group", "Made"]

#: Which role of a coordinate is plotted against.
_ROLES: Final = ("center", "mean", "average", "reference", "offset")
#: The names of the components by the system (das 3.0, vectors), in letters that all programs print.
_SYMBOLS: Final = {
    "cartesian": ("x", "y", "z"),
    "cylindrical": ("rho", "phi", "z"),
    "spherical": ("r", "theta", "phi"),
    "centric": ("r", "phi", "theta"),
    "detic": ("phi", "theta", "a"),
    "graphic": ("phi", "theta", "a"),
}
#: Roles that say how far off a value may be (ISTP, DELTA_PLUS_VAR).
_DELTAS: Final = {
    "DELTA_PLUS_VAR": ("max_error", "uncertainty", "std_dev"),
    "DELTA_MINUS_VAR": ("min_error", "uncertainty", "std_dev"),
}
_LENGTHS: Final = TYPES["i4"]


@dataclass(frozen=True, slots=True)
class Made:
    """A variable of the file: `values` have the records as first axis where it has `records`; text has no `type`.

    `source` is the variable of the stream, blank for what is made beside these.
    """

    name: str
    values: NDArray[Any]
    type: CdfType | None
    records: bool
    attributes: Attributes
    source: str = ""


class Group:
    """One dataset: its records as they come, and the variables that it becomes."""

    def __init__(self, stream: StreamHeader, dataset: Dataset, room: Room) -> None:
        self.dataset = dataset
        self.records = 0
        self._stream = stream
        self._room = room
        self._columns = {each.name: Intake(each, room) for each in dataset.columns}

    @property
    def first(self) -> int | None:
        """The first time of all, as TT2000; None where there is none."""
        found = [each.first for each in self._columns.values() if each.first is not None]
        return min(found, default=None)

    def add(self, batch: Records) -> None:
        """Takes some records."""
        self.records += len(batch)
        for name, intake in self._columns.items():
            intake.add(batch[name])

    def variables(self, names: Names) -> Iterator[Made]:
        """The variables of the file, coordinates where the stream had them."""
        parts = list(parts_of(self.dataset, self._columns, self._room))
        epoch = _epoch(parts)
        ordered = sorted(parts, key=lambda each: each is not epoch)
        known = [(each, names.of(each, epoch, self.dataset.name)) for each in ordered]
        axes = _Axes(known, names)
        for part, name in known:
            yield from self._made(part, name, known, axes, epoch, names)
        yield from axes.counters()

    def _made(
        self, part: Part, name: str, known: list[tuple[Part, str]], axes: _Axes, epoch: Part | None, names: Names
    ) -> Iterator[Made]:
        """A variable, with those of its labels and lengths."""
        own = {id(each): other for each, other in known}
        depends: dict[int, str] = {}
        if part.records and epoch is not None and part is not epoch:
            depends[0] = own[id(epoch)]
        labels: dict[int, str] = {}
        for axis, place in enumerate(part.places, 1):
            if place > 0 and not axes.is_axis(part):
                depends[axis] = axes.name(part, place, part.values.shape[axis - (not part.records)])
            elif place < 0 and part.variable.vector is not None:
                labels[axis] = names.free(f"{name}_label", self.dataset.name)
        lengths = {
            axis: names.free(f"{name}_length" + (f"_{axis}" if len(part.lengths) > 1 else ""), self.dataset.name)
            for axis, _values in part.lengths
        }
        where = Place(name, depends, labels, dict(_deltas(part, known)), lengths, axes.timed(depends))
        about = attributes_of(self._stream, self.dataset, part, where)
        yield Made(name, part.values, part.type, part.records, about, part.variable.name)
        for target in labels.values():
            yield _labels(
                target, name, _components(Said(self._stream, self.dataset, part.dimension, part.variable), part)
            )
        for axis, values in part.lengths:
            yield _length(lengths[axis], name, values, depends)


def _epoch(parts: list[Part]) -> Part | None:
    """The variable that the records depend on: their time, or else the first coordinate with one value in each."""
    found = [each for each in parts if each.records and each.dimension.coordinate and not each.places and not each.made]
    times = [each for each in found if each.type is TYPES["time"]]

    def rank(part: Part) -> tuple[bool, int]:
        role = part.variable.role
        return part.dimension.physical != "time", _ROLES.index(role) if role in _ROLES else len(_ROLES)

    return min(times, key=rank) if times else next((each for each in found if each.type is not None), None)


class _Axes:
    """The coordinates along the inner indices of a dataset, and the counters where there are none."""

    def __init__(self, known: list[tuple[Part, str]], names: Names) -> None:
        self._names = names
        self._coordinates = [
            (part, name)
            for part, name in known
            if part.dimension.coordinate and part.inner and part.variable.vector is None and part.type is not None
        ]
        self._counters: dict[tuple[int, int], str] = {}

    def is_axis(self, part: Part) -> bool:
        """Whether a variable is what others are plotted against, and depends on no other."""
        return any(part is each for each, _name in self._coordinates)

    def timed(self, depends: dict[int, str]) -> bool:
        """Whether all axes beside the records are offsets of time."""
        times = {name for part, name in self._coordinates if part.dimension.physical == "time"}
        return all(name in times for axis, name in depends.items() if axis)

    def name(self, part: Part, place: int, extent: int) -> str:
        """The variable along an index of a value."""

        def rank(candidate: tuple[Part, str]) -> tuple[int, bool, int]:
            each, _name = candidate
            role = each.variable.role
            time = each.dimension.physical == "time"
            return len(each.inner), time, _ROLES.index(role) if role in _ROLES else len(_ROLES)

        fitting = [
            each
            for each in self._coordinates
            if place in each[0].inner <= part.inner and (part.records or not each[0].records)
        ]
        if fitting:
            return min(fitting, key=rank)[1]
        if (place, extent) not in self._counters:
            self._counters[place, extent] = self._names.free(f"index_{place}")
        return self._counters[place, extent]

    def counters(self) -> Iterator[Made]:
        """The counters, from 0 on."""
        for (_place, extent), name in self._counters.items():
            about = _about(name, "Place along the axis, from 0 on", "index", extent)
            yield Made(name, np.arange(extent, dtype="i4"), _LENGTHS, records=False, attributes=about)


def _about(name: str, text: str, label: str, most: int) -> Attributes:
    """The attributes of a number that counts."""
    return {
        "CATDESC": text,
        "FIELDNAM": name,
        "VAR_TYPE": "support_data",
        "LABLAXIS": label,
        "FORMAT": _LENGTHS.format,
        "FILLVAL": Own(_LENGTHS.fill),
        "VALIDMIN": Own(0),
        "VALIDMAX": Own(most),
        "UNITS": " ",
        "SCALETYP": "linear",
    }


def _length(name: str, of: str, values: NDArray[np.int32], depends: dict[int, str]) -> Made:
    """The lengths of the runs of a variable."""
    about = _about(name, f"How many values of {of} are no padding", "length", int(values.max(initial=0)))
    inner = {f"DEPEND_{axis}": target for axis, target in depends.items() if axis < values.ndim}
    return Made(name, values, _LENGTHS, records=True, attributes={**about, **inner})


def _labels(name: str, of: str, texts: tuple[str, ...]) -> Made:
    """The labels of the components of a vector (ISTP, LABL_PTR_1)."""
    encoded = [text.encode() for text in texts]
    width = max(map(len, encoded))
    values = np.array(encoded, f"S{width}")
    about: Attributes = {
        "CATDESC": f"Labels of the components of {of}",
        "FIELDNAM": name,
        "VAR_TYPE": "metadata",
        "FORMAT": f"A{width}",
        "FILLVAL": " ",
    }
    return Made(name, values, None, records=False, attributes=about)


def _components(said: Said, part: Part) -> tuple[str, ...]:
    """The labels of the components: `compLabel` where it has as many items, else by the system and the frame."""
    variable, dimension = part.variable, part.dimension
    vector = variable.vector
    if vector is None:
        return ()
    for items in said.lists("compLabel", "componentLabel"):
        if len(items) == vector.components:
            return tuple(items)
    known = _SYMBOLS.get(vector.system, _SYMBOLS["cartesian"])
    order = vector.order or tuple(range(vector.components))
    symbols = [known[slot % 3] for slot in order[: vector.components]]
    frame = vector.frame or dimension.frame
    if dimension.coordinate:
        return tuple(f"{symbol}_{frame}" if frame else symbol for symbol in symbols)
    return tuple(f"{dimension.name}_{symbol}" for symbol in symbols)


def _deltas(part: Part, known: list[tuple[Part, str]]) -> Iterator[tuple[str, str]]:
    """The variables that say how far off this one may be, where they are of its type, units and shape."""
    if part.variable.role not in ("center", "mean", "average") or part.made:
        return

    def alike(one: Variable, other: Variable) -> bool:
        return (one.units, one.index, one.dtype, one.vector) == (other.units, other.index, other.dtype, other.vector)

    for attribute, roles in _DELTAS.items():
        for each, name in known:
            if each.dimension is part.dimension and each.variable.role in roles and alike(each.variable, part.variable):
                yield attribute, name
                break

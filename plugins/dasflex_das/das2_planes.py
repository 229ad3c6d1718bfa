# SPDX-License-Identifier: GPL-3.0-or-later
"""Which das2 planes hold the variables of a das3 dataset, and which of its variables das2 cannot hold.

Values of one number per record become `<y>` planes, one for each component of a vector; values over one inner index
of fixed extent become a `<yscan>`, a waveform where the inner coordinate is an offset of time; a coordinate on the
y axis beside them makes a scatter of `<y>` and `<z>`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Never

from dasflex_core.errors import QueryError
from dasflex_core.values import dataclass
from dasflex_das.das3_properties import items

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dasflex_core.arrays import Dataset, Dimension, Variable

__all__ = ["Plane", "planes_of"]

_KINDS: Final = ("x", "y", "z", "yscan")
_X_ROLES: Final = ("center", "reference", "average", "mean", "min", "max")
_TAG_ROLES: Final = ("center", "average", "mean", "offset", "min", "max")
#: The symbols of components (the das3 stream format, vectors), as plane names may hold them.
_SYMBOLS: Final = {
    "cartesian": ("x", "y", "z"),
    "cylindrical": ("rho", "phi", "z"),
    "spherical": ("r", "theta", "phi"),
    "centric": ("r", "phi", "theta"),
    "detic": ("phi", "theta", "a"),
    "graphic": ("phi", "theta", "a"),
}


@dataclass(frozen=True, slots=True)
class Plane:
    """One das2 plane: its kind, its name, and the das3 variable whose values it holds.

    `component` is the slot of a vector and `symbol` its sign; `label` that of the component, where the stream names
    it. `tags` is the coordinate of the inner index of a yscan, at `place` in the index of the dataset, or None where it
    has none. `scatter` says that `<y>` is a coordinate, and `<z>` the data.
    """

    kind: str
    name: str
    variable: Variable
    dimension: Dimension
    component: int | None = None
    symbol: str = ""
    label: str = ""
    tags: Variable | None = None
    place: int = 0
    scatter: bool = False

    @property
    def caption(self) -> str:
        """What the values are called on an axis: a component has its symbol with the label of the vector."""
        if self.label or self.component is None or not self.variable.label:
            return self.label or self.variable.label
        return f"{self.variable.label} {self.symbol}"

    @property
    def waveform(self) -> bool:
        """Whether the tags are offsets of time."""
        return self.tags is not None and self.tags.role == "offset"


def planes_of(dataset: Dataset) -> tuple[Plane, ...]:
    """The planes of a das3 dataset, in the order in which das2 has them: x, y, z, yscan.

    Raises `QueryError` (`query.unreachable-type`) that names the first variable that das2 cannot hold.
    """
    x = _x_of(dataset)
    others = [variable for variable in dataset.columns if variable.name != x.name]
    for variable in others:
        _check(dataset, variable)
    second = _second(dataset, others)
    found = [Plane("x", x.name, x, dataset.dimension(x))]
    for variable in others:
        place = next((at for at, extent in enumerate(variable.index) if at and extent is not None), 0)
        kind = "yscan" if place else "z" if second and variable.name != second else "y"
        tags = _tags(dataset, variable, place, x) if place else None
        found += _components(variable, dataset.dimension(variable), kind, tags, place)
    ordered = sorted(_apart(found, dataset), key=lambda each: _KINDS.index(each.kind))
    return tuple(replace(each, scatter=bool(second)) for each in ordered)


def _apart(planes: list[Plane], dataset: Dataset) -> Iterator[Plane]:
    """The planes, where a component is never called as another variable or dimension is: `b_x_2` beside `b_x`."""
    taken = {*dataset.variables, *(dimension.name for dimension in dataset.dimensions)}
    for plane in planes:
        name, count = plane.name, 1
        while plane.component is not None and name in taken:
            count += 1
            name = f"{plane.name}_{count}"
        taken.add(name)
        yield replace(plane, name=name)


def _refuse(dataset: Dataset, variable: Variable, why: str) -> Never:
    """Raises the error of a variable that das2 cannot hold."""
    raise QueryError(
        f"{variable.name} of dataset {dataset.name} {why}, which das2 cannot hold; ask for das3, or leave it out",
        kind="query.unreachable-type",
    )


def _check(dataset: Dataset, variable: Variable) -> None:
    """Raises `QueryError` for a variable that no plane can hold."""
    if variable.semantic == "string" or variable.dtype.kind == "S":
        _refuse(dataset, variable, "is text")
    if variable.semantic == "blob":
        _refuse(dataset, variable, "holds blobs")
    if variable.ragged:
        _refuse(dataset, variable, "is ragged")
    inner = sum(extent is not None for extent in variable.index[1:])
    if inner > 1:
        _refuse(dataset, variable, f"has rank {1 + inner}")
    if inner and dataset.dimension(variable).coordinate:
        _refuse(dataset, variable, "is a coordinate that changes along records and along a second index")


def _x_of(dataset: Dataset) -> Variable:
    """The coordinate that becomes `<x>`: a time if there is one, the x axis before others, the value itself first."""
    found = [
        (dimension, variable)
        for dimension in dataset.dimensions
        for variable in dimension.variables
        if dimension.coordinate
        and variable.per_record
        and not variable.shape
        and variable.dtype.kind != "S"
        and variable.role in _X_ROLES
    ]
    if not found:
        raise QueryError(
            f"Dataset {dataset.name} has no coordinate with one number per record, which das2 streams need as <x>",
            kind="query.unreachable-type",
        )
    return min(
        found,
        key=lambda pair: (pair[1].semantic != "datetime", pair[0].axis != "x", _X_ROLES.index(pair[1].role)),
    )[1]


def _second(dataset: Dataset, others: list[Variable]) -> str:
    """The name of the coordinate that makes a scatter, blank where there is none.

    It has one number per record and stands on the y axis, and no variable has an inner index.
    """
    if any(extent is not None for variable in others for extent in variable.index[1:]):
        return ""
    found = [
        variable
        for variable in others
        if variable.role == "center"
        and variable.vector is None
        and dataset.dimension(variable).coordinate
        and dataset.dimension(variable).axis == "y"
    ]
    return found[0].name if len(found) == 1 else ""


def _tags(dataset: Dataset, variable: Variable, place: int, x: Variable) -> Variable | None:
    """The coordinate along an inner index. Offsets are understood of time, where the reference is `<x>`."""
    found = [
        each
        for dimension in dataset.dimensions
        if dimension.coordinate
        for each in dimension.variables
        if each.index[place] is not None and each.vector is None and each.role in _TAG_ROLES and not each.per_record
    ]
    found = [each for each in found if sum(extent is not None for extent in each.index) == 1]
    if not found:
        return None
    tags = min(found, key=lambda each: (_TAG_ROLES.index(each.role), dataset.dimension(each).axis != "y"))
    if tags.role == "offset" and not (x.role == "reference" and dataset.dimension(tags) == dataset.dimension(x)):
        _refuse(dataset, variable, f"is measured along {tags.name}, an offset to what changes from record to record")
    return tags


def _components(variable: Variable, dimension: Dimension, kind: str, tags: Variable | None, place: int) -> list[Plane]:
    """The planes of a variable: one, or one for each component of a vector."""
    if variable.vector is None:
        return [Plane(kind, variable.name, variable, dimension, tags=tags, place=place)]
    vector = variable.vector
    symbols = _SYMBOLS.get(vector.system, ("0", "1", "2"))
    order = vector.order or tuple(range(vector.components))
    labels = variable.properties.get("compLabel") or dimension.properties.get("compLabel")
    names = items(labels) if labels else []
    signs = [str(symbols[order[slot]] if slot < len(order) else slot) for slot in range(vector.components)]
    return [
        Plane(
            kind,
            f"{variable.name}_{sign}",
            variable,
            dimension,
            slot,
            sign,
            names[slot] if len(names) == vector.components else "",
            tags,
            place,
        )
        for slot, sign in enumerate(signs)
    ]

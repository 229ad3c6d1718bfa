# SPDX-License-Identifier: GPL-3.0-or-later
"""Tags: the text of the coordinate values that belong to the elements of a value with inner axes."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from dasflex_core.arrays import Dataset, Dimension, Variable

__all__ = ["element_tags", "text_of"]

#: The roles that place a value, the best first.
_ROLES = ("center", "offset", "reference")


def element_tags(dataset: Dataset, variable: Variable) -> Iterator[tuple[str, str]]:
    """For each element of a value, without the components of a vector and in C order: its index, and its tags.

    The index is blank where tags say everything; tags are blank where there are none. A scalar has one element.
    """
    places = _inner(variable)
    shape = tuple(variable.index[place] or 0 for place in places)
    covered: set[int] = set()
    layers: list[NDArray[Any]] = []
    for dimension in dataset.dimensions:
        for coordinate in _placing(dimension, variable):
            own = _inner(coordinate)
            covered.update(own)
            layers.append(np.broadcast_to(_texts(coordinate).reshape(_spread(coordinate, places)), shape))
    open_axes = [axis for axis, place in enumerate(places) if place not in covered]
    for where in product(*(range(extent) for extent in shape)):
        index = ",".join(str(where[axis]) for axis in open_axes)
        yield index, "; ".join(str(layer[where]) for layer in layers)


def _inner(variable: Variable) -> tuple[int, ...]:
    """The places of the inner indices that a variable depends on."""
    return tuple(place for place, extent in enumerate(variable.index) if place and extent is not None)


def _placing(dimension: Dimension, variable: Variable) -> list[Variable]:
    """The variable of a dimension of coordinates whose values tell the elements apart, or none."""
    if not dimension.coordinate:
        return []
    wanted = set(_inner(variable))
    found = [
        each
        for each in dimension.variables
        if each.values is not None
        and not each.per_record
        and each.vector is None
        and each.name != variable.name
        and set(_inner(each))
        and set(_inner(each)) <= wanted
    ]
    found.sort(key=lambda each: _ROLES.index(each.role) if each.role in _ROLES else len(_ROLES))
    return found[:1]


def _spread(coordinate: Variable, places: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of the coordinate's values among all inner indices: 1 where they do not depend on one."""
    return tuple(coordinate.index[place] or 1 for place in places)


def _texts(coordinate: Variable) -> NDArray[Any]:
    """The values of a coordinate with their units, as text."""
    units = f" {coordinate.units}" if coordinate.units and coordinate.dtype.kind != "M" else ""
    values = np.asarray(coordinate.values)
    return np.array([f"{text_of(value)}{units}" for value in values.ravel()], dtype=object)


def text_of(value: object) -> str:
    """One value of a header: 15 digits of a double, as das headers write, so that 3 · 0.1 is 0.3; or fewer."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip()
    if isinstance(value, np.float32):
        return str(value).removesuffix(".0")
    if isinstance(value, float | np.floating):
        return f"{float(value):.15g}"
    return str(value)

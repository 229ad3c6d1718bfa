# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a dataset is drawn, and how: lines over a coordinate, a picture over two, or coloured points.

What belongs to one dimension is one quantity: the mean of bins with their least and greatest value, and the components
of a vector. Of a waveform, each record is a run of samples whose times are the reference and the offsets together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from dasflex_core import epochs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dasflex_core.arrays import Dataset, Dimension, Variable

__all__ = ["Quantity", "is_time", "quantities_of"]

#: The roles of what was measured, and of its means; das-streams 3.5 and 2.12.
_MEASURED: Final = ("center", "mean", "average", "median", "reference")
_LOW: Final = ("min", "minimum")
_HIGH: Final = ("max", "maximum")
#: Values that no coordinate tells apart are lines of one panel, if they are no more than these.
_FEW: Final = 8


@dataclass(frozen=True, slots=True)
class Quantity:
    """Something that has a panel: `values` over `x`, and over `y` where it is a picture or coloured points.

    `offset` is added to `x`, which is then the reference of a waveform. `low` and `high` are the extremes of the bins
    whose means are the values.
    """

    kind: Literal["lines", "image", "points"]
    dataset: Dataset
    dimension: Dimension
    values: Variable
    x: Variable
    offset: Variable | None = None
    y: Variable | None = None
    low: Variable | None = None
    high: Variable | None = None


def is_time(variable: Variable) -> bool:
    """Whether the values are moments: of das2, whatever counts from an epoch."""
    return variable.dtype.kind == "M" or (variable.dtype.kind in "iuf" and epochs.is_epoch(variable.units))


def quantities_of(dataset: Dataset) -> list[Quantity]:
    """What is drawn of a dataset, in its order; what cannot be drawn is left out."""
    found: list[Quantity] = []
    for dimension in dataset.dimensions:
        if dimension.coordinate:
            continue
        numbers = [each for each in dimension.variables if _number(each)]
        main = [each for each in numbers if each.role in _MEASURED] or [
            each for each in numbers if each.role not in (*_LOW, *_HIGH, "count", "weight", "stddev", "std_dev")
        ]
        alone = not main
        for each in main or numbers:
            low = None if alone else _extreme(numbers, each, _LOW)
            high = None if alone else _extreme(numbers, each, _HIGH)
            quantity = _quantity(dataset, dimension, each, low, high)
            if quantity is not None:
                found.append(quantity)
    return _paired(found)


def _number(variable: Variable) -> bool:
    """Whether the values are numbers of records."""
    return variable.dtype.kind in "iufb" and variable.semantic not in ("string", "blob") and not is_time(variable)


def _extreme(numbers: list[Variable], mean: Variable, roles: tuple[str, ...]) -> Variable | None:
    """The extremes that belong to a mean: of the same shape."""
    return next((each for each in numbers if each.role in roles and each.index == mean.index), None)


def _paired(found: list[Quantity]) -> list[Quantity]:
    """The quantities, with lines that have only a least and only a greatest value as one band."""
    pairs: dict[str, list[Quantity]] = {}
    for each in found:
        if each.kind == "lines" and each.values.role in (*_LOW, *_HIGH):
            pairs.setdefault(each.dimension.name, []).append(each)
    both = {name: some for name, some in pairs.items() if {each.values.role[:3] for each in some} == {"min", "max"}}
    made = []
    for each in found:
        some = both.get(each.dimension.name)
        if some is None or each not in some:
            made.append(each)
        elif each is some[0]:
            low, high = sorted((one.values for one in some[:2]), key=lambda one: one.role[:3] == "max")
            made.append(Quantity("lines", each.dataset, each.dimension, low, each.x, each.offset, None, low, high))
    return made


def _quantity(
    dataset: Dataset, dimension: Dimension, values: Variable, low: Variable | None, high: Variable | None
) -> Quantity | None:
    """How the values are drawn; None where they cannot be."""
    axes = list(_coordinates(dataset, values))
    outer = [each for each in axes if _outer(each)]
    rank = sum(extent is not None for extent in values.index)
    if not values.per_record or not outer or rank > 2:
        return None
    x = next((each for each in outer if is_time(each)), outer[0])
    offset = _offset(dataset, axes, x)
    others = [each for each in axes if each is not x and each is not offset and not _same(dataset, each, x)]
    if rank == 1 or offset is not None:
        beside = [each for each in others if _outer(each)]
        placed = values.plane == "z" or offset is not None or not is_time(x) or len(beside) == 1
        if beside and not values.vector and placed:
            return Quantity("points", dataset, dimension, values, x, offset, beside[0])
        return Quantity("lines", dataset, dimension, values, x, offset, None, low, high)
    inner = [each for each in others if not _outer(each)]
    inner.sort(key=lambda each: each.role not in ("center", "mean", "average"))
    if not inner and 0 < (values.index[1] or 0) <= _FEW:
        return Quantity("lines", dataset, dimension, values, x, None, None, low, high)
    return Quantity("image", dataset, dimension, values, x, None, inner[0] if inner else None)


def _coordinates(dataset: Dataset, values: Variable) -> Iterator[Variable]:
    """The coordinates of values that are numbers or moments."""
    for each in dataset.axes(values):
        if each.dtype.kind in "iufM" and each.role in ("center", "reference", "offset", "mean", "average"):
            yield each


def _outer(variable: Variable) -> bool:
    """Whether there is one value for each record."""
    return variable.per_record and all(extent is None for extent in variable.index[1:])


def _same(dataset: Dataset, one: Variable, other: Variable) -> bool:
    """Whether two variables are of one dimension."""
    return dataset.dimension(one).name == dataset.dimension(other).name


def _offset(dataset: Dataset, axes: list[Variable], x: Variable) -> Variable | None:
    """The offsets within a record from its time, where it is a waveform."""
    if x.role not in ("reference", "center"):
        return None
    return next((each for each in axes if each.role == "offset" and _same(dataset, each, x)), None)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Tells whether two streams of items say the same, whatever the batches in which their records come."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from dasflex_core.arrays import Dataset, Ragged, Records
from dasflex_core.batching import joined

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from dasflex_core.arrays import Item, Variable

    #: A declaration of a dataset and what follows it: the records, in one batch per declaration.
    Merged: TypeAlias = tuple[list[Item], list[Records]]

__all__ = ["difference", "in_pieces", "joined", "merged", "misfit"]


def in_pieces(items: Iterable[Item], size: int) -> Iterator[Item]:
    """The same items, with batches of at most `size` records."""
    for item in items:
        if isinstance(item, Records) and len(item) > size:
            yield from (item.slice(slice(first, first + size)) for first in range(0, len(item), size))
        else:
            yield item


def merged(items: Iterable[Item]) -> Merged:
    """The items that are no records, in order, and the records of each declaration in one batch.

    Two streams are the same where both are: the order of records is kept within a dataset, and batches of different
    datasets may come in any turn.
    """
    others: list[Item] = []
    batches: dict[int, list[Records]] = {}
    current: dict[int, int] = {}
    for item in items:
        if isinstance(item, Records):
            batches.setdefault(current.get(item.dataset.id, -1), []).append(item)
        else:
            if isinstance(item, Dataset):
                current[item.id] = len(others)
            others.append(item)
    return others, [joined(batches[place]) for place in sorted(batches)]


def difference(one: object, other: object, *, rtol: float = 0.0, where: str = "") -> str:
    """What first differs between two values, lists of items or whole streams; empty where nothing does.

    NaN equals NaN and NaT equals NaT. `rtol` is the relative difference that reals may have. Types of arrays count,
    their byte order does not.
    """
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return _array_difference(one, other, rtol, where)
    if type(one) is not type(other):
        return f"{where}: {one!r} is not {other!r}"
    if isinstance(one, dict) and isinstance(other, dict):
        if list(one) != list(other):
            return f"{where}: {list(one)} are not {list(other)}"
        pairs = [(f"{where}[{key!r}]", one[key], other[key]) for key in one]
    elif isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        if len(one) != len(other):
            return f"{where}: {len(one)} are not {len(other)}: {one!r:.200}, {other!r:.200}"
        pairs = [(f"{where}[{place}]", *pair) for place, pair in enumerate(zip(one, other, strict=True))]
    elif is_dataclass(one) and is_dataclass(other):
        name = type(one).__name__
        pairs = [
            (f"{where}{'.' if where else name + '.'}{each.name}", getattr(one, each.name), getattr(other, each.name))
            for each in fields(one)
            if each.compare
        ]
    else:
        return "" if _equal(one, other) else f"{where}: {one!r} is not {other!r}"
    return next(filter(None, (difference(a, b, rtol=rtol, where=place) for place, a, b in pairs)), "")


def _equal(one: Any, other: Any) -> bool:  # noqa: ANN401  scalars of any kind
    """Whether two scalars are equal, or are both not equal to themselves: NaN, NaT."""
    return bool(one == other) or bool(one != one and other != other)  # noqa: PLR0124


def _array_difference(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any], rtol: float, where: str) -> str:
    """What differs between two arrays."""
    text = one.dtype.kind == other.dtype.kind == "S"  # its width is that of the longest in the batch
    if one.shape != other.shape or not (text or one.dtype.newbyteorder("=") == other.dtype.newbyteorder("=")):
        return f"{where}: {one.dtype} of {one.shape} is not {other.dtype} of {other.shape}"
    if one.dtype.kind in "fc" and rtol:
        same = np.isclose(one, other, rtol=rtol, atol=0.0, equal_nan=True)
    else:
        same = one == other
        if one.dtype.kind in "fcM":
            same |= (one != one) & (other != other)  # noqa: PLR0124  NaN and NaT
    if same.all():
        return ""
    place = np.unravel_index(int(np.argmin(same)), one.shape)
    return f"{where}{[int(index) for index in place]}: {one[place]!r} is not {other[place]!r}"


def misfit(batch: Records) -> str:
    """How a batch does not fit the declaration of its dataset; empty where it does. Byte order may be another."""
    dataset = batch.dataset
    if bool(dataset.extras) != (batch.extras is not None):
        return f"{dataset.name} declares {len(dataset.extras)} extras, and a batch does not agree"
    if set(batch.columns) != set(dataset.wire):
        return f"{dataset.name} declares the columns {dataset.wire}, and a batch has {tuple(batch.columns)}"
    for variable in dataset.columns:
        column = batch[variable.name]
        if isinstance(column, Ragged):
            wrong = _run_misfit(variable, column)
            if wrong:
                return wrong
            leaves = column.leaves
        elif variable.ragged or column.shape != (len(batch), *variable.shape):
            return f"{variable.name} is declared with the shape {variable.shape}, and a batch has {column.shape}"
        else:
            leaves = column
        if not _typed(leaves.dtype, variable.dtype):
            return f"{variable.name} is declared as {variable.dtype}, and a batch has {leaves.dtype}"
    return ""


def _typed(own: np.dtype[Any], declared: np.dtype[Any]) -> bool:
    """Whether a column may have that type; strings that are declared without a width have any."""
    of_any_length = declared.kind == "S" and not declared.itemsize
    return own.kind == "S" if of_any_length else own.newbyteorder("=") == declared.newbyteorder("=")


def _run_misfit(variable: Variable, column: Ragged) -> str:
    """How the runs of a column do not fit the declaration; empty where they do."""
    if not variable.ragged:
        return f"{variable.name} is declared with the shape {variable.shape}, and a batch has ragged values"
    if column.depth != variable.depth or column.leaves.shape[1:] != variable.leaf:
        return (
            f"{variable.name} is declared with {variable.depth} levels of runs of the shape {variable.leaf}, and a"
            f" batch has {column.depth} of {column.leaves.shape[1:]}"
        )
    level: NDArray[Any] | Ragged = column
    while isinstance(level, Ragged):
        lengths = np.diff(level.offsets)
        if level.offsets[0] or (lengths < 0).any() or level.offsets[-1] != len(level.values):
            return f"{variable.name} has runs that do not follow one another"
        level = level.values
    return ""

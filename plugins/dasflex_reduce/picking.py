# SPDX-License-Identifier: GPL-3.0-or-later
"""Less of a dataset: some rows of its records, some of its variables, some of its inner indices."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dasflex_core.arrays import Ragged, Records

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from numpy.typing import NDArray

    from dasflex_core.arrays import Column, Dataset, Variable

__all__ = ["chained", "on_places", "only", "rows_of", "rows_where", "used_places"]


def rows_where(batch: Records, wanted: NDArray[np.bool_]) -> Records | None:
    """The records of a batch where `wanted` is true; None where it is nowhere.

    All of them are the batch itself, and neighbours are views of it: no value is copied.
    """
    found = np.flatnonzero(wanted)
    if not len(found):
        return None
    if len(found) == len(batch):
        return batch
    first, last = int(found[0]), int(found[-1]) + 1
    if last - first == len(found):
        return batch.slice(slice(first, last))
    return Records(batch.dataset, {name: rows_of(column, found) for name, column in batch.columns.items()})


def rows_of(column: Column, rows: NDArray[np.intp]) -> Column:
    """The rows of a column at these places."""
    if not isinstance(column, Ragged):
        picked: NDArray[Any] = column[rows]
        return picked
    counts = np.diff(column.offsets)[rows]
    offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    begins = np.repeat(column.offsets[:-1][rows] - offsets[:-1], counts)
    return Ragged(rows_of(column.values, begins + np.arange(int(offsets[-1]))), offsets)


def chained(columns: Sequence[Column]) -> Column:
    """Columns of one variable, one after the other."""
    ragged = [each for each in columns if isinstance(each, Ragged)]
    if not ragged:
        whole: NDArray[Any] = np.concatenate([each for each in columns if not isinstance(each, Ragged)])
        return whole
    ends = np.cumsum([0, *(int(each.offsets[-1]) for each in ragged)])
    offsets = [each.offsets[bool(place) :] + ends[place] for place, each in enumerate(ragged)]
    return Ragged(chained([each.values for each in ragged]), np.concatenate(offsets))


def on_places(variable: Variable, places: Sequence[int]) -> Variable:
    """The variable as it stands in a dataset that has only these of its indices."""
    rules = tuple(
        replace(rule, intervals=tuple(rule.intervals[place] for place in places))
        if len(rule.intervals) == len(variable.index)
        else rule
        for rule in variable.sequences
    )
    return replace(variable, index=tuple(variable.index[place] for place in places), sequences=rules)


def used_places(variable: Variable) -> set[int]:
    """The inner indices on which a variable depends."""
    return {place for place, extent in enumerate(variable.index) if place and extent is not None}


def only(dataset: Dataset, data: Container[str]) -> Dataset:
    """The dataset with only these of its data variables, and without the coordinates and indices that no data use.

    Coordinates that each record has one value of stay.
    """
    used = {place for each in dataset.data() if each.name in data for place in used_places(each)}
    places = [place for place in range(dataset.rank) if not place or place in used]
    dimensions = []
    for dimension in dataset.dimensions:
        left = tuple(
            on_places(each, places)
            for each in dimension.variables
            if (dimension.coordinate or each.name in data) and used_places(each) <= used
        )
        if left:
            dimensions.append(replace(dimension, variables=left))
    names = {each.name for dimension in dimensions for each in dimension.variables}
    return replace(
        dataset,
        index=tuple(dataset.index[place] for place in places),
        dimensions=tuple(dimensions),
        wire=tuple(name for name in dataset.wire if name in names),
    )

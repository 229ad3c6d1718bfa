# SPDX-License-Identifier: GPL-3.0-or-later
"""Batches of records put together: one after another, or into batches of as many records each."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from dasflex_core.arrays import Ragged, Records
from dasflex_core.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dasflex_core.arrays import Column, Dataset

__all__ = ["Gathering", "joined", "one_kind_only"]


class Gathering:
    """Gathers the batches of one dataset into batches of `count` records, however they were cut before.

    Where the dataset is declared anew with other columns, such as times in other units or with another fill, what waits
    comes first: records that mean different things are never in one batch.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._waiting: list[Records] = []
        self._held = 0

    @classmethod
    def of_values(cls, values: int, dataset: Dataset) -> Gathering:
        """A gathering into batches of about so many values, of records whose runs count as one value each."""
        size = sum(prod(extent for extent in each.shape if extent > 0) for each in dataset.columns)
        return cls(max(1, values // max(1, size)))

    def add(self, batch: Records) -> Iterator[Records]:
        """The batches that are full with this one."""
        if self._waiting and not _one_kind(self._waiting[0].dataset, batch.dataset):
            yield from self.rest()
        first = 0
        while self._held + len(batch) - first >= self._count:
            last = first + self._count - self._held
            self._waiting.append(batch.slice(slice(first, last)))
            yield from self.rest()
            first = last
        if first < len(batch):
            self._waiting.append(batch.slice(slice(first, len(batch))))
            self._held += len(batch) - first

    def rest(self) -> Iterator[Records]:
        """What has been gathered so far."""
        if self._waiting:
            yield joined(self._waiting) if len(self._waiting) > 1 else self._waiting[0]
            self._waiting, self._held = [], 0


def _one_kind(one: Dataset, other: Dataset) -> bool:
    """Whether records of both mean the same; most are of the very same declaration."""
    return one is other or one.columns == other.columns


def one_kind_only(first: str, other: str) -> QueryError:
    """The error of a format that holds one kind of record, for two datasets, by name, whose columns differ."""
    return QueryError(
        f"Datasets {first} and {other} have different columns, and this format holds one kind of record. Choose "
        "variables that stand in one dataset with read.data",
        kind="query.unreachable-type",
    )


def joined(batches: Sequence[Records]) -> Records:
    """One batch of all records, in order."""
    names = batches[0].columns
    columns = {name: _concatenated([batch[name] for batch in batches]) for name in names}
    extras = [batch.extras for batch in batches if batch.extras is not None]
    return Records(batches[0].dataset, columns, _chained(extras) if extras else None)


def _concatenated(columns: list[Column]) -> Column:
    """Columns one after another."""
    arrays = [column for column in columns if not isinstance(column, Ragged)]
    if len(arrays) == len(columns):
        return np.concatenate(arrays)
    return _chained([column for column in columns if isinstance(column, Ragged)])


def _chained(ragged: list[Ragged]) -> Ragged:
    """Columns of runs one after another."""
    shifts = np.cumsum([0, *(int(column.offsets[-1]) for column in ragged)])
    offsets = [column.offsets[1:] + shift for column, shift in zip(ragged, shifts, strict=False)]
    first = np.zeros(1, dtype=np.int64)
    return Ragged(_concatenated([column.values for column in ragged]), np.concatenate([first, *offsets]))

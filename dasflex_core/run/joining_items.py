# SPDX-License-Identifier: GPL-3.0-or-later
"""Several streams of items as one: one after the other, or interleaved as they come."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from dasflex_core.arrays import Dataset, NoData, Records, StreamHeader
from dasflex_core.moments import Moments
from dasflex_core.run.silence import SILENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dasflex_core.arrays import Item
    from dasflex_core.run.conveyor import Conveyor

__all__ = ["concat_items", "merge_items", "same"]

#: The largest id that classic das tools read (the das3 stream format, framing).
_LARGEST_ID: Final = 99


def concat_items(inputs: Sequence[Callable[[], Iterator[Item]]]) -> Iterator[Item]:
    """The inputs as one stream; each is begun when the one before it has ended.

    It has the header of the first, each declaration of a dataset only where it is new, and `NoData` only if no input
    had records.
    """
    join = _Join()
    for begin in inputs:
        for item in begin():
            yield from join.pass_on(item)
    yield from join.finish()


def merge_items(inputs: Sequence[Callable[[], Iterator[Item]]], conveyor: Conveyor[Item]) -> Iterator[Item]:
    """The inputs interleaved as they come, with new ids for their datasets.

    The header is that of the first input, which is therefore waited for. Ids are the same each time while they stay
    below 100: dataset `i` of input `k` of `n` becomes `(i - 1)·n + k + 1`, counting inputs from 0.
    """
    numbers = _Numbers(len(inputs))
    join = _Join()
    conveyor.load(0, inputs[0])
    while (first := conveyor.take()) is not None and first[1] is SILENCE:
        yield SILENCE
    for place, begin in enumerate(inputs[1:], start=1):
        conveyor.load(place, begin)
    taken = first or conveyor.take()
    while taken is not None:
        place, item = taken
        yield from join.pass_on(numbers.renumber(place, item))
        taken = conveyor.take()
    yield from join.finish()


class _Join:
    """Leaves out what one stream may hold only once."""

    def __init__(self) -> None:
        self._headed = False
        self._declared: dict[int, Dataset] = {}
        self._nothing: NoData | None = None
        self._something = False

    def pass_on(self, item: Item) -> Iterator[Item]:
        """The item, or nothing where it would be a repetition."""
        match item:
            case StreamHeader():
                if not self._headed:
                    yield item
                self._headed = True
            case Dataset():
                earlier = self._declared.get(item.id)
                self._declared[item.id] = item
                if earlier is not item and (earlier is None or not same(earlier, item)):
                    yield item
            case NoData():
                self._nothing = self._nothing or item
            case _:
                self._something = self._something or isinstance(item, Records | Moments)
                yield item

    def finish(self) -> Iterator[Item]:
        """That there was nothing, if all inputs say so."""
        if self._nothing is not None and not self._something:
            yield self._nothing


class _Numbers:
    """The new ids of the datasets of several streams."""

    def __init__(self, streams: int) -> None:
        self._streams = streams
        self._given: dict[tuple[int, int], int] = {}
        self._datasets: dict[tuple[int, int], Dataset] = {}

    def renumber(self, place: int, item: Item) -> Item:
        """The item with the new id of its dataset, if it has to do with one."""
        if isinstance(item, Dataset):
            return self._dataset(place, item)
        if isinstance(item, Records):
            made = self._datasets.get((place, item.dataset.id)) or self._dataset(place, item.dataset)
            return Records(made, item.columns, item.extras)
        return item

    def _dataset(self, place: int, dataset: Dataset) -> Dataset:
        """The declaration with its new id, which the records that follow refer to."""
        made = replace(dataset, id=self._number(place, dataset.id))
        self._datasets[place, dataset.id] = made
        return made

    def _number(self, place: int, number: int) -> int:
        """The new id of a dataset, the same at each of its declarations."""
        taken = self._given.values()
        if (place, number) not in self._given:
            wanted = (number - 1) * self._streams + place + 1
            if not 0 < wanted <= _LARGEST_ID or wanted in taken:
                wanted = next(free for free in range(1, len(taken) + 2) if free not in taken)
            self._given[place, number] = wanted
        return self._given[place, number]


def same(one: object, other: object) -> bool:
    """Whether two values are equal, where they may hold arrays: these are compared by type and bytes.

    Nested tuples and dataclasses are looked into, since `==` of what holds an array has no single answer.
    """
    if type(one) is not type(other):
        return False
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    if isinstance(one, tuple) and isinstance(other, tuple):
        return len(one) == len(other) and all(same(left, right) for left, right in zip(one, other, strict=True))
    if is_dataclass(one) and not isinstance(one, type):
        compared = (each.name for each in fields(one) if each.compare)
        return all(same(getattr(one, name), getattr(other, name)) for name in compared)
    return bool(one == other) or (one != one and other != other)  # noqa: PLR0124  a fill of NaN equals itself here

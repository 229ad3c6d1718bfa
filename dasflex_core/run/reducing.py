# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs a reducer over a stream: one object for each dataset that it suits, while others pass by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_core.arrays import Dataset, NoData, Problem, Records, StreamHeader, traits_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dasflex_core.arrays import Item
    from dasflex_core.stages import Reducer, StageSpec

__all__ = ["PerDataset"]

#: Traits of a whole stream, which the planner has checked and which no declaration of a dataset shows.
_OF_STREAMS: Final = frozenset({"finite", "live", "sampled", "one"})


class PerDataset:
    """A `Stage` of items around a `Reducer`.

    An object is made for each dataset that has the traits which the reducer needs, and made anew when the dataset is
    declared anew: the old one is finished first. Other datasets, comments and the rest pass as they are. The stream's
    header is given to an object of its own. What belongs to others (`Dataset.extras`) is given to no reducer. Where
    records came, and reducers left nothing of them, `NoData` says so.
    """

    def __init__(self, spec: StageSpec, create: Callable[[], Reducer]) -> None:
        self._needs = spec.needs - _OF_STREAMS
        self._create = create
        self._active: dict[int, Reducer] = {}
        self._header: StreamHeader | None = None
        self._came = False
        self._gave = False

    def feed(self, item: Item, /) -> Iterator[Item]:
        """What comes out because of this item."""
        self._came = self._came or (isinstance(item, Records) and len(item) > 0)
        for given in self._given(item):
            self._note(given)
            yield given

    def _note(self, item: Item) -> None:
        """Notes that something was given that answers the request: records, or why there are none."""
        self._gave = self._gave or isinstance(item, NoData | Problem) or (isinstance(item, Records) and len(item) > 0)

    def _given(self, item: Item) -> Iterator[Item]:
        """What comes out because of this item."""
        if isinstance(item, Records):
            reducer = self._active.get(item.dataset.id)
            yield from (item,) if reducer is None else _several(reducer.records(_plain_records(item)))
        elif isinstance(item, Dataset):
            yield from self._redefine(item)
        elif isinstance(item, StreamHeader):
            self._header = item
            yield self._create().header(item)
        else:
            yield item

    def finish(self) -> Iterator[Item]:
        """What the reducers of all datasets have left, in the order of their ids, as classic programs write it."""
        while self._active:
            reducer = self._active.pop(min(self._active))
            for given in reducer.finish():
                self._note(given)
                yield given
        if self._came and not self._gave:
            yield NoData()

    def _redefine(self, dataset: Dataset) -> Iterator[Item]:
        """Finishes what worked under this id, and starts afresh if the dataset suits."""
        earlier = self._active.pop(dataset.id, None)
        if earlier is not None:
            yield from earlier.finish()
        if self._needs <= traits_of((dataset,)):
            reducer = self._active[dataset.id] = self._create()
            reducer.stream = self._header
            declared = reducer.dataset(dataset.plain)
            if declared is not None:
                yield declared
        else:
            yield dataset


def _plain_records(batch: Records) -> Records:
    """The records less what belongs to others."""
    return Records(batch.dataset.plain, batch.columns) if batch.dataset.extras else batch


def _several(batches: Records | Iterable[Item]) -> Iterable[Item]:
    """What a reducer gave for a batch, one item or many."""
    return (batches,) if isinstance(batches, Records) else batches

# SPDX-License-Identifier: GPL-3.0-or-later
"""What the stages that make moments of bins, and bins of moments, share: the bins of each dataset, until they close."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Generic, Protocol, TypeVar

from dasflex_core.arrays import Dataset, NoData, Problem, Records, StreamHeader
from dasflex_core.moments import Moments
from dasflex_reduce.binned import repeats

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dasflex_core.arrays import Item

__all__ = ["MomentStage"]


class _Open(Protocol):
    """The bins of a dataset that are open."""

    def rest(self) -> Iterator[Item]:
        """What is left when the dataset ends or is declared anew."""
        ...


Bins = TypeVar("Bins", bound=_Open)
Taken = TypeVar("Taken", Records, Moments)


class MomentStage(Generic[Taken, Bins]):
    """A stage of items that takes those of one kind, `takes`, into the bins of their dataset; all else passes.

    A dataset that is declared as before goes on. Where something came, and nothing was made of it, `NoData` says so.
    """

    takes: ClassVar[type[Records | Moments]]

    def __init__(self) -> None:
        self._active: dict[int, Bins] = {}
        self._known: dict[int, Dataset] = {}
        self._came = False
        self._gave = False

    def feed(self, item: Item, /) -> Iterator[Item]:
        """What comes out because of this item."""
        self._came = self._came or (isinstance(item, self.takes) and len(item) > 0)
        for given in () if repeats(item, self._known) else self._given(item):
            self._gave = self._gave or isinstance(given, Moments | Records | NoData | Problem)
            yield given

    def finish(self) -> Iterator[Item]:
        """The bins that are still open, in the order of the datasets' ids."""
        while self._active:
            for given in self._active.pop(min(self._active)).rest():
                self._gave = True
                yield given
        if self._came and not self._gave:
            yield NoData()

    def header(self, header: StreamHeader) -> StreamHeader:
        """The header of the stream that comes out; by default the same."""
        return header

    def dataset(self, dataset: Dataset) -> tuple[Dataset, Bins | None]:
        """The declaration of what comes out of a dataset, and its bins; None where it has no times along records."""
        raise NotImplementedError

    def put(self, bins: Bins | None, item: Taken) -> Iterator[Item]:
        """What comes out of what is taken; of a dataset without bins there are none."""
        raise NotImplementedError

    def _given(self, item: Item) -> Iterator[Item]:
        if isinstance(item, self.takes):
            yield from self.put(self._active.get(item.dataset.id), item)  # type: ignore[arg-type]  # it is one of those
        elif isinstance(item, Dataset):
            if (earlier := self._active.pop(item.id, None)) is not None:
                yield from earlier.rest()
            made, bins = self.dataset(item.plain)
            if bins is not None:
                self._active[item.id] = bins
            yield made
        elif isinstance(item, StreamHeader):
            yield self.header(item)
        else:
            yield item

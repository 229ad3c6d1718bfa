# SPDX-License-Identifier: GPL-3.0-or-later
"""What bins hold, as sums from which wider bins can be made: what takes the place of records between two stages.

A stream of moments has the header and the datasets of the stream whose records were summed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import numpy as np
    from numpy.typing import NDArray

    from dasflex_core.arrays import Dataset, Item

__all__ = ["Moments", "gathered"]

#: So many bins are dealt with at once.
_TOGETHER: Final = 1 << 14


@dataclass(frozen=True, slots=True)
class Moments:
    """The moments of some bins of a dataset, which are in the order in which the stream came to them.

    `begins` is where each begins, in nanoseconds of UTC since 1970, of shape (bins,). `parts` has by variable and by
    the name of a moment an array of shape (bins, values of a record).
    """

    dataset: Dataset
    begins: NDArray[np.int64]
    parts: Mapping[str, Mapping[str, NDArray[Any]]]

    def __len__(self) -> int:
        return len(self.begins)

    @property
    def nbytes(self) -> int:
        """The bytes of its arrays."""
        return self.begins.nbytes + sum(array.nbytes for each in self.parts.values() for array in each.values())

    def rows(self, rows: slice) -> Moments:
        """Some of the bins; no value is copied."""
        parts = {name: {key: array[rows] for key, array in each.items()} for name, each in self.parts.items()}
        return Moments(self.dataset, self.begins[rows], parts)

    def within(self, begin: int, end: int) -> Moments | None:
        """The bins that begin in [begin, end), in nanoseconds; None where there is none."""
        inside = (self.begins >= begin) & (self.begins < end)
        count = int(inside.sum())
        if count == len(self):
            return self if count else None
        if not count:
            return None
        first = int(inside.argmax())
        if inside[first : first + count].all():
            return self.rows(slice(first, first + count))
        parts = {name: {key: array[inside] for key, array in each.items()} for name, each in self.parts.items()}
        return Moments(self.dataset, self.begins[inside], parts)


def gathered(items: Iterable[Item]) -> Iterator[Item]:
    """The same items, with moments of one dataset that follow one another as one, up to so many bins."""
    held: list[Moments] = []
    count = 0
    for item in items:
        if held and not (isinstance(item, Moments) and _alike(held[0], item) and count < _TOGETHER):
            yield _as_one(held)
            held, count = [], 0
        if isinstance(item, Moments):
            held.append(item)
            count += len(item)
        else:
            yield item
    if held:
        yield _as_one(held)


def _alike(one: Moments, other: Moments) -> bool:
    """Whether moments are of the same dataset, and say the same of it."""
    return one.dataset.id == other.dataset.id and one.parts.keys() == other.parts.keys()


def _as_one(some: list[Moments]) -> Moments:
    """Moments one after the other as one."""
    if len(some) == 1:
        return some[0]
    import numpy as np

    parts = {
        name: {key: np.concatenate([each.parts[name][key] for each in some]) for key in found}
        for name, found in some[0].parts.items()
    }
    return Moments(some[0].dataset, np.concatenate([each.begins for each in some]), parts)

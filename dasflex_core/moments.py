# SPDX-License-Identifier: GPL-3.0-or-later
"""What bins hold, as sums from which wider bins can be made: what takes the place of records between two stages.

A stream of moments has the header and the datasets of the stream whose records were summed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from dasflex_core.arrays import Dataset

__all__ = ["Moments"]


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

    def within(self, begin: int, end: int) -> Moments | None:
        """The bins that begin in [begin, end), in nanoseconds; None where there is none."""
        inside = (self.begins >= begin) & (self.begins < end)
        if inside.all():
            return self if len(self) else None
        if not inside.any():
            return None
        parts = {name: {key: array[inside] for key, array in each.items()} for name, each in self.parts.items()}
        return Moments(self.dataset, self.begins[inside], parts)

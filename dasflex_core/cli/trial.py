# SPDX-License-Identifier: GPL-3.0-or-later
"""What came of running an example: its datasets, how much there was, and between which bounds the values were."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from math import inf
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from dasflex_core.arrays import Dataset, Item, Records, Variable

__all__ = ["MOST", "Extent", "Trial"]

#: How many bytes of an example are looked at.
MOST: Final = 64_000_000


@dataclass(slots=True)
class Extent:
    """The smallest and the largest value that a variable had, fill left out; how many there were.

    Times are nanoseconds since 1970 (`time`). `outside` counts the values beyond `bounds`.
    """

    low: float
    high: float
    count: int
    time: bool = False
    outside: int = 0


@dataclass(slots=True)
class Trial:
    """What came of running an example: the datasets, records and bytes (`size`); `bounded` says that it was stopped.

    One that has given data is looked at for `enough` seconds at most, from when it is watched. `extents` are those of
    the variables with numbers or times, by their names; `bounds` are the valid values of some.
    """

    most: int = MOST
    bounds: dict[str, tuple[float, float]] = field(default_factory=dict)
    enough: float = inf
    datasets: dict[int, Dataset] = field(default_factory=dict)
    extents: dict[str, Extent] = field(default_factory=dict)
    records: int = 0
    size: int = 0
    bounded: bool = False

    @property
    def empty(self) -> bool:
        """Whether there were no data: no records, or no bytes of a stream that nothing decodes."""
        return not self.records and (bool(self.datasets) or not self.size)

    def watch(self, pieces: Iterable[bytes | Item]) -> None:
        """Counts what comes, up to `most` bytes."""
        from dasflex_core.arrays import Dataset, Records

        enough = time.monotonic() + self.enough
        for piece in pieces:
            if isinstance(piece, Dataset):
                self.datasets[piece.id] = piece
                for variable in piece.variables.values():
                    if variable.values is not None:
                        self._measure(variable, variable.values)
            elif isinstance(piece, Records):
                self.records += len(piece)
                self._take(piece)
            elif isinstance(piece, bytes):
                self.size += len(piece)
            if self.size > self.most or (self.size and time.monotonic() > enough):
                self.bounded = True
                break

    def _take(self, batch: Records) -> None:
        """Counts a batch, and measures its columns."""
        from dasflex_core.arrays import Ragged

        for variable in batch.dataset.columns:
            column = batch[variable.name]
            values = column.leaves if isinstance(column, Ragged) else column
            self.size += values.nbytes
            self._measure(variable, values)

    def _measure(self, variable: Variable, values: NDArray[Any]) -> None:
        """Widens the extent of a variable."""
        found = _extent(variable, values, self.bounds.get(variable.name))
        if found is None:
            return
        known = self.extents.get(variable.name)
        if known is None:
            self.extents[variable.name] = found
            return
        known.low, known.high = min(known.low, found.low), max(known.high, found.high)
        known.count += found.count
        known.outside += found.outside


def _extent(variable: Variable, values: NDArray[Any], bounds: tuple[float, float] | None) -> Extent | None:
    """The extent of some values; None where there are none that can be measured."""
    import numpy as np

    from dasflex_core.arrays import is_fill
    from dasflex_core.epochs import is_epoch, to_datetime64

    if values.dtype.kind not in "iufM" or not values.size:
        return None
    values = values[~is_fill(values, variable.fill)]
    if is_epoch(variable.units) and values.dtype.kind != "M":
        values = to_datetime64(values, variable.units)
    time = values.dtype.kind == "M"
    numbers: NDArray[Any] = (
        values[~np.isnat(values)].astype("M8[ns]").view("i8") if time else values[np.isfinite(values)]
    )
    if not numbers.size:
        return None
    outside = 0
    if bounds is not None and not time:
        outside = int(np.count_nonzero((numbers < bounds[0]) | (numbers > bounds[1])))
    number = int if time else float  # the nanoseconds of today are no double
    return Extent(number(numbers.min()), number(numbers.max()), numbers.size, time, outside)

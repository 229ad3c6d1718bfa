# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether variables that share an index have runs of the same lengths, which das3 wants and nothing enforces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dasflex_core.arrays import Ragged

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dasflex_core.arrays import Records, Variable

__all__ = ["uneven"]


def uneven(records: Records) -> tuple[int, str] | None:
    """The first record in which two variables differ in the lengths of runs over one index, and what to say of it.

    Only variables over the same indices down to that of the runs are compared (the das3 stream format, index space).
    """
    known: dict[tuple[int, ...], tuple[str, list[NDArray[np.int64]]]] = {}
    for variable in records.dataset.columns:
        chain = _offsets(variable, records)
        places = [place for place, extent in enumerate(variable.index) if place and extent is not None]
        for level in range(len(chain)):
            name, other = known.setdefault(tuple(places[: level + 1]), (variable.name, chain[: level + 1]))
            if not np.array_equal(other[-1], chain[level]):
                return _record(other, chain[: level + 1]), f"{variable.name} has runs of other lengths than {name}"
    return None


def _offsets(variable: Variable, records: Records) -> list[NDArray[np.int64]]:
    """Where runs begin and end at each level of a column, without the bytes of blobs."""
    column = records[variable.name]
    found: list[NDArray[np.int64]] = []
    while isinstance(column, Ragged) and len(found) < variable.depth - (variable.semantic == "blob"):
        found.append(column.offsets)
        column = column.values
    return found


def _record(one: list[NDArray[np.int64]], other: list[NDArray[np.int64]]) -> int:
    """The number of the first record in which the innermost of these levels differ; those outside are the same."""
    size = min(len(one[-1]), len(other[-1]))
    entry = int(np.argmax(np.append(one[-1][:size] != other[-1][:size], np.True_))) - 1
    for offsets in reversed(one[:-1]):
        entry = int(np.searchsorted(offsets, entry, side="right")) - 1
    return max(0, entry)

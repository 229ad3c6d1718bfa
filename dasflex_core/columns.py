# SPDX-License-Identifier: GPL-3.0-or-later
"""What a column of a batch is made of: values, runs of values, and fill. Public in `dasflex_core.arrays`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Column", "Fill", "Ragged", "is_fill"]

#: A value that stands for "no measurement": a number, a time, text, or None where there is none.
Fill: TypeAlias = float | int | str | bytes | np.datetime64 | None


@dataclass(frozen=True, slots=True)
class Ragged:
    """Values of records of different lengths: record r holds `values[offsets[r]:offsets[r + 1]]`, as in Arrow.

    `values` has the shape (total, *`Variable.leaf`); `offsets` is int64 of length records + 1, and starts with 0.
    Several levels nest: `values` is then itself `Ragged`, with one entry per run, and so on, `Variable.depth` levels in
    all. A blob is a run of bytes.
    """

    values: NDArray[Any] | Ragged
    offsets: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def depth(self) -> int:
        """The number of levels of runs."""
        return 1 + (self.values.depth if isinstance(self.values, Ragged) else 0)

    @property
    def leaves(self) -> NDArray[Any]:
        """The values of all runs of all records, one after the other."""
        return self.values.leaves if isinstance(self.values, Ragged) else self.values

    def with_leaves(self, leaves: NDArray[Any]) -> Ragged:
        """The same runs of other values, as many as there are."""
        inner = self.values.with_leaves(leaves) if isinstance(self.values, Ragged) else leaves
        return Ragged(inner, self.offsets)


Column: TypeAlias = NDArray[Any] | Ragged


def is_fill(values: NDArray[Any], fill: Fill) -> NDArray[np.bool_]:
    """Where values are fill, by the relative test of das2 (das 2.2, fill values): |fill - v| < 1e-5 · |fill|.

    The test must be relative, since -1e31 as a float32 is not -1e31. Integers, times and text compare exactly; a fill
    of NaN or NaT finds NaN or NaT, and None finds nothing. The answer has the shape of `values`.
    """
    if fill is None:
        return np.zeros(values.shape, dtype=np.bool_)
    found: NDArray[np.bool_]
    if values.dtype.kind == "M":
        found = np.isnat(values)
    elif values.dtype.kind != "f" or not isinstance(fill, (int, float)):
        found = np.asarray(values == fill)
    elif np.isnan(fill):
        found = np.isnan(values)
    elif fill == 0 or np.isinf(fill):
        found = np.asarray(values == fill)
    else:
        low, high = sorted((fill * (1 - 1e-5), fill * (1 + 1e-5)))
        with np.errstate(over="ignore"):  # a fill beyond the type's range is none that it can hold
            found = np.asarray(values > values.dtype.type(low))
            found &= values < values.dtype.type(high)
    return found

# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of times, states and strings, one cell each, as columns of bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from dasflex_core import epochs
from dasflex_core.arrays import is_fill
from dasflex_core.digits import iso_times, iso_width
from dasflex_core.quoting import quoted

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dasflex_core.arrays import Variable

    #: One cell per value, of any shape: text on the left, NUL behind it.
    Cells: TypeAlias = NDArray[np.bytes_]

__all__ = ["right_aligned", "states", "strings", "times"]


def times(variable: Variable, values: NDArray[Any], digits: int, *, empties: bool) -> Cells:
    """Times in UTC with `digits` of a second; a missing one is empty with `empties`, else the das fill time."""
    missing = is_fill(values, variable.fill)
    moments = values if values.dtype.kind == "M" else epochs.to_datetime64(values, variable.units)
    if missing.any():
        moments = np.where(missing, np.datetime64("NaT", "ns"), moments)
    text = iso_times(moments, digits)
    if empties:
        missing = np.isnat(moments)
        if missing.any():
            text[missing] = 0
    return text.view(f"S{iso_width(digits)}")[..., 0]


def states(variable: Variable, values: NDArray[Any]) -> Cells:
    """`True` and `False`, which data frames read as they are; fill is empty."""
    text = np.where(values != 0, b"True", b"False")
    missing = values.dtype.kind != "b" and is_fill(values, variable.fill)
    return np.where(missing, b"", text)


def strings(variable: Variable, values: NDArray[Any], delimiter: bytes, *, empties: bool) -> Cells:
    """Text, less the blanks that pad it, quoted where it has to be; fill is empty with `empties`."""
    text = np.strings.rstrip(values, b" ")
    missing = is_fill(values, variable.fill)
    if empties and missing.any():
        text = np.where(missing, b"", text)
    return quoted(text, delimiter)


def right_aligned(cells: Cells) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The cells as rows of bytes with the text on the right, and the lengths of the texts."""
    width = cells.dtype.itemsize
    rows = np.ascontiguousarray(cells).view(np.uint8).reshape(*cells.shape, width)
    if rows[..., -1].all():  # all are as long as can be, as times are
        return rows, np.full(cells.shape, width, dtype=np.int64)
    right = np.strings.rjust(cells, width).astype(cells.dtype)
    return right.view(np.uint8).reshape(rows.shape), np.strings.str_len(cells)

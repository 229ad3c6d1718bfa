# SPDX-License-Identifier: GPL-3.0-or-later
"""The times of what comes of the samples of a waveform."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dasflex_core import epochs, units
from dasflex_core.arrays import Encoding

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dasflex_core.arrays import Variable

    Places = NDArray[np.intp]

__all__ = ["shifted", "x_with_room"]

#: The width of text that tells two times a microsecond apart.
_TIME_WIDTH: Final = 27


def x_with_room(variable: Variable) -> Variable:
    """The variable of a time, in an encoding that tells times of less than a millisecond apart."""
    encoding, dtype = variable.encoding, variable.dtype
    if dtype.kind == "f" and dtype.itemsize < 8:
        wide = Encoding(encoding.name, 8) if encoding else None
        return replace(variable, dtype=np.dtype(f"{dtype.str[0]}f8"), encoding=wide)
    if encoding is not None and dtype.kind == "M" and encoding.width < _TIME_WIDTH:
        return replace(variable, encoding=replace(encoding, width=_TIME_WIDTH))
    return variable


def shifted(column: NDArray[Any], variable: Variable, seconds: NDArray[np.float64], record: Places) -> NDArray[Any]:
    """The times of some records of a column, each with so many seconds added, in the type of the variable."""
    times = column[record]
    if times.dtype.kind == "M":
        return np.asarray(times + np.rint(seconds * 1e9).astype("m8[ns]"))
    scale = _per_second(variable.units)
    if times.dtype.kind in "iu":
        return np.asarray(times + np.rint(seconds * scale).astype(np.int64), dtype=variable.dtype)
    return np.asarray(times.astype(np.float64) + seconds * scale, dtype=variable.dtype)


@cache
def _per_second(epoch: str) -> float:
    """How many units of an epoch are a second. Raises `SourceError` for units that are no epoch."""
    return units.convert_factor("s", epochs.interval_units(epoch)) or 1.0

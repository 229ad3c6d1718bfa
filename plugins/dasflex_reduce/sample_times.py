# SPDX-License-Identifier: GPL-3.0-or-later
"""How far the samples of a waveform are apart, and the times of what comes of them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dasflex_core import epochs, units
from dasflex_core.arrays import Encoding
from dasflex_core.errors import QueryError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dasflex_core.arrays import Dataset, Variable

    Places = NDArray[np.intp]

__all__ = ["cadence_of", "shifted", "x_with_room"]

#: Two samples are as far apart as the next two within this part of the distance, with so many exceptions.
_REGULAR: Final = 0.01
_EXCEPTIONS: Final = 2
#: The width of text that tells two times a microsecond apart.
_TIME_WIDTH: Final = 27


def cadence_of(dataset: Dataset, offset: Variable, place: int) -> tuple[float, float]:
    """The offset of the first sample and the distance of two, in seconds. Raises `QueryError` where that varies."""
    scale = units.convert_factor(offset.units, "s")
    if scale is None or offset.per_record:
        why = "differs from record to record" if scale else f"has units {offset.units!r}, which are no time"
        raise QueryError(
            f"{offset.name} of {dataset.name} {why}, so that it has no spectral density", kind="query.unreachable-type"
        )
    rule = offset.sequences[0] if offset.sequences else None
    text = rule.intervals[place] if rule and len(rule.intervals) == len(offset.index) else "-"
    if rule is not None and text not in ("", "-"):
        return float(rule.minimum) * scale, float(text) * scale
    values = offset.values
    if values is None or values.size < 2:
        raise QueryError(f"{offset.name} of {dataset.name} says no distance of samples", kind="query.unreachable-type")
    steps = np.diff(values.astype(np.float64))
    usual = float(np.median(steps))
    odd = int((np.abs(steps - usual) > _REGULAR * abs(usual)).sum())
    if odd > _EXCEPTIONS or usual <= 0:
        raise QueryError(
            f"The samples of {dataset.name} are not equally far apart in time ({odd:,} of {len(steps):,} steps of"
            f" {offset.name} differ), so that they have no spectral density",
            kind="query.unreachable-type",
        )
    mean = float(steps.mean()) if odd == 0 else usual
    return float(values.flat[0]) * scale, mean * scale


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

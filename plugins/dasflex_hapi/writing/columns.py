# SPDX-License-Identifier: GPL-3.0-or-later
"""Columns of a batch as the values that HAPI has for them: doubles, integers of 32 bits, times and texts in bytes.

What is missing becomes the fill that the parameter declares, in csv and in binary alike, so that both read back as the
same numbers. Infinities are missing too, as neither JSON nor readers of HAPI's csv know them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dasflex_core import epochs
from dasflex_core.arrays import Ragged, is_fill
from dasflex_core.digits import iso_times, iso_width
from dasflex_core.errors import SourceError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dasflex_core.arrays import Column, Records, Variable
    from dasflex_hapi.info import Parameter
    from dasflex_hapi.writing.form import Shown

__all__ = ["rounded_times", "type_of", "values_of"]

_TYPES: Final = {"double": "<f8", "integer": "<i4"}
_ZULU: Final = ord("Z")


def type_of(parameter: Parameter) -> np.dtype[Any]:
    """The type of one value of a parameter in the binary form (HAPI 3.3, 3.7.4)."""
    return np.dtype(_TYPES.get(parameter.type, f"S{parameter.length}"))


def rounded_times(shown: Shown, batch: Records) -> NDArray[np.int64]:
    """When each record is, in ns since 1970, as its time is written; the lowest number where the time is missing.

    What lies halfway goes to the even digit, as `iso_times` has it, so that what is written is what was selected.
    """
    column: Any = batch[shown.variable]
    variable = batch.dataset.variables[shown.variable]
    times = epochs.to_datetime64(column, variable.units).astype("M8[ns]", copy=False)
    missing = np.isnat(times) | is_fill(column, variable.fill)
    ns = times.view(np.int64)
    unit = 10 ** (9 - shown.digits)
    if unit > 1:
        steps = ns // unit
        rest = ns - steps * unit
        steps += (rest > unit // 2) | ((rest == unit // 2) & (steps & 1 == 1))
        ns = steps * unit
    if missing.any():
        ns = np.where(missing, np.iinfo(np.int64).min, ns)
    return ns


def values_of(shown: Shown, batch: Records) -> NDArray[Any]:
    """The values of a parameter, of shape (records, *size). Raises `SourceError` where more come than there is room."""
    parameter = shown.parameter
    variable = batch.dataset.variables[shown.variable]
    column: Column
    if variable.per_record:
        column = batch[shown.variable]
    else:
        column = np.broadcast_to(np.asarray(variable.values)[np.newaxis], (len(batch), *variable.shape))
    if isinstance(column, Ragged):
        rows = _padded(parameter, _converted(shown, variable, column.leaves), column.offsets)
        return rows if parameter.size else rows[:, 0]
    found = _converted(shown, variable, column)
    if not parameter.size:
        return found.reshape(len(found))
    if found.shape[1:] != parameter.size:
        count = found.shape[1]
        flat = found.reshape(len(found) * count, *found.shape[2:])
        return _padded(parameter, flat, np.arange(len(found) + 1, dtype=np.int64) * count)
    return found


def _converted(shown: Shown, variable: Variable, values: NDArray[Any]) -> NDArray[Any]:
    """Values of any shape as those of the parameter, fill and all."""
    kind = shown.parameter.type
    if kind == "isotime":
        return times_text(_moments(variable, values), shown.digits)
    missing = is_fill(values, variable.fill)
    if kind == "string":
        texts: NDArray[Any] = np.strings.rstrip(values, b" \0")
        if texts.dtype.itemsize > shown.parameter.length:
            _check_room(shown.parameter, int(np.strings.str_len(texts).max(initial=0)), shown.parameter.length, "bytes")
        return np.where(missing, _fill_bytes(shown.parameter), texts).astype(type_of(shown.parameter))
    if kind == "double":
        with np.errstate(invalid="ignore"):  # a signalling NaN
            numbers = values.astype("<f8")
        missing |= ~np.isfinite(numbers)
    else:
        numbers = values.astype("<i4")
    if missing.any() and shown.parameter.fill is not None:
        numbers[missing] = _fill_number(shown.parameter)
    return numbers


def _moments(variable: Variable, values: NDArray[Any]) -> NDArray[np.datetime64]:
    """Times as datetime64, NaT where they are missing."""
    times = epochs.to_datetime64(values, variable.units)
    missing = is_fill(values, variable.fill)
    return np.where(missing, np.datetime64("NaT", "ns"), times) if missing.any() else times


def times_text(times: NDArray[np.datetime64], digits: int) -> NDArray[Any]:
    """Times as HAPI writes them, `YYYY-MM-DDThh:mm:ss.fffZ` (HAPI 3.3, 3.7.1), of the type `S`."""
    width = iso_width(digits)
    text = np.empty((*times.shape, width + 1), dtype=np.uint8)
    iso_times(times, digits, out=text[..., :width])
    text[..., width] = _ZULU
    return text.view(f"S{width + 1}")[..., 0]


def _padded(parameter: Parameter, values: NDArray[Any], offsets: NDArray[np.int64]) -> NDArray[Any]:
    """Runs of values as rows of as many values as there is room for, fill behind."""
    room = parameter.size[0] if parameter.size else 1
    lengths = np.diff(offsets)
    _check_room(parameter, int(lengths.max(initial=0)), room, "values")
    rows = np.empty((len(lengths), *(parameter.size or (1,))), dtype=type_of(parameter))
    rows[...] = _fill_bytes(parameter) if rows.dtype.kind == "S" else _fill_number(parameter)
    rows[np.arange(room) < lengths[:, np.newaxis]] = values[offsets[0] : offsets[-1]]
    return rows


def _check_room(parameter: Parameter, count: int, room: int, what: str) -> None:
    """Raises `SourceError` where more has come than the description has room for."""
    if count > room:
        raise SourceError(
            f"{parameter.name} has {count} {what} in a record, and its description says {room}. "
            "Describe the data set anew: dasflex hapi --again SOURCE",
            kind="source.stream",
        )


def _fill_number(parameter: Parameter) -> float:
    """What stands for a missing number."""
    return float(parameter.fill or "NaN")


def _fill_bytes(parameter: Parameter) -> bytes:
    """What stands for a missing text or time."""
    return (parameter.fill or "").encode()

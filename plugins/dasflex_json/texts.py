# SPDX-License-Identifier: GPL-3.0-or-later
"""The values of a column as JSON text: numbers with the shortest digits, times in ISO 8601, null for what is missing.

Reals that are no numbers, infinities among them, are null, as JSON (RFC 8259) has none. Runs of different lengths are
lists of lists. Files within a stream are base64 text (RFC 4648).
"""

from __future__ import annotations

from base64 import b64encode
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson

from dasflex_core import epochs
from dasflex_core.arrays import Ragged, is_fill
from dasflex_core.digits import iso_times, iso_width
from dasflex_core.record_times import is_time

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from dasflex_core.arrays import Column, Variable

__all__ = ["column_text", "entry_texts"]

_OPEN: Final = ord('"')
_COMMA: Final = ord(",")


def column_text(variable: Variable, column: Column, digits: int) -> bytes:
    """The list of all values of a column; times have `digits` of a second."""
    if isinstance(column, Ragged):
        return _listed(entry_texts(variable, column, digits))
    if column.ndim == 1 and is_time(variable):
        return _listed([_joined_times(variable, column, digits)])
    return _plain_text(variable, column, digits)


def entry_texts(variable: Variable, column: Column, digits: int) -> list[bytes]:
    """The text of each entry of a column: of each record, or of each run inside one."""
    if not isinstance(column, Ragged):
        if column.ndim == 1 and column.dtype.kind != "S":  # no cell holds a comma
            return column_text(variable, column, digits)[1:-1].split(b",") if len(column) else []
        entries: Any = _plain(variable, column, digits)
        return [orjson.dumps(each, option=orjson.OPT_SERIALIZE_NUMPY) for each in entries]
    spans = list(pairwise(column.offsets.tolist()))
    if variable.semantic == "blob" and not isinstance(column.values, Ragged):
        data = np.ascontiguousarray(column.values).tobytes()
        return [b'"%b"' % b64encode(data[first:last]) for first, last in spans]
    inner = entry_texts(variable, column.values, digits)
    return [_listed(inner[first:last]) for first, last in spans]


def _listed(texts: Iterable[bytes]) -> bytes:
    return b"[%b]" % b",".join(texts)


def _joined_times(variable: Variable, values: NDArray[Any], digits: int) -> bytes:
    """Times in quotes with commas between them."""
    times = _moments(variable, values)
    width = iso_width(digits)
    cells = np.empty((len(times), width + 3), dtype=np.uint8)
    cells[:, 0] = cells[:, -2] = _OPEN
    cells[:, -1] = _COMMA
    iso_times(times, digits, out=cells[:, 1:-2])
    missing = np.isnat(times)
    if missing.any():
        cells[missing, :-1] = np.frombuffer(b"null".ljust(width + 2), dtype=np.uint8)  # blanks stand between values
    return cells.tobytes()[:-1]


def _moments(variable: Variable, values: NDArray[Any]) -> NDArray[np.datetime64]:
    """The times as datetime64, NaT where they are fill."""
    times = epochs.to_datetime64(values, variable.units)
    missing = is_fill(values, variable.fill)
    return np.where(missing, np.datetime64("NaT", "ns"), times) if missing.any() else times


def _plain_text(variable: Variable, values: NDArray[Any], digits: int) -> bytes:
    """Values of any shape, none of whose lengths varies."""
    return orjson.dumps(_plain(variable, values, digits), option=orjson.OPT_SERIALIZE_NUMPY)


def _plain(variable: Variable, values: NDArray[Any], digits: int) -> object:
    """The values as something that orjson writes."""
    if is_time(variable):
        times = _moments(variable, values)
        text = iso_times(times, digits).view(f"S{iso_width(digits)}")[..., 0].astype(str)
        return _with_none(text.astype(object), np.isnat(times))
    missing = is_fill(values, variable.fill)
    letter = values.dtype.kind
    if letter == "f":
        numbers = values.astype(np.float32 if values.dtype.itemsize <= 4 else np.float64, order="C")
        numbers[missing] = np.nan
        return numbers
    if letter == "S":
        decoded = np.strings.decode(np.strings.rstrip(values, b" "), "utf-8", "replace").astype(object)
        return _with_none(decoded, missing)
    if letter in "iu" and variable.semantic == "bool":
        values = values != 0
    if missing.any():
        return _with_none(values.astype(object), missing)
    return np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("="))


def _with_none(values: NDArray[np.object_], missing: NDArray[np.bool_]) -> object:
    """The values in lists, None where they are missing."""
    values[missing] = None
    return values.tolist()

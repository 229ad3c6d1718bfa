# SPDX-License-Identifier: GPL-3.0-or-later
"""Times as HAPI writes them, to datetime64 of nanoseconds (HAPI 3.3, 3.7.1), a whole column at a time.

    1999Z   1999-01Z   1999-001Z   1999-01-15T23Z   1999-01-15T23:45:01.123456789Z   1999-015T23:45:01Z

A column has one of the forms in all of its values.

>>> print(*moments(np.array([b"1999-015T12:00Z", b"2000-366T00:00Z"])))
1999-01-15T12:00:00.000000000 2000-12-31T00:00:00.000000000
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dasflex_core.errors import QueryError, SourceError
from dasflex_core.times import parse_time

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["moments"]

_DAY_OF_YEAR: Final = 8
_DAYS_IN_YEAR: Final = 366
_LONGEST: Final = 30


def moments(texts: NDArray[np.bytes_], *, gaps: bool = False) -> NDArray[np.datetime64]:
    """The times that texts are. With `gaps`, what is no time is none (NaT). Raises `SourceError`."""
    if not len(texts):
        return np.empty(texts.shape, "M8[ns]")
    bare: NDArray[Any] = np.char.rstrip(np.char.strip(texts, b" \0"), b"Zz")
    try:
        if bare.dtype.itemsize <= _LONGEST:
            read: NDArray[np.datetime64] = (
                bare.astype("U").astype("M8[ns]") if not _is_ordinal(bare) else _ordinal(bare)
            )
            return read
    except ValueError:  # a leap second, 24:00, or what is no time
        pass
    flat = [_moment(bytes(each), gaps=gaps) for each in bare.flat]
    return np.array(flat, "M8[ns]").reshape(bare.shape)


def _is_ordinal(bare: NDArray[Any]) -> bool:
    """Whether times have the day of the year in the place of month and day."""
    text = bytes(bare.flat[0])
    return text[4:5] == b"-" and (len(text) == _DAY_OF_YEAR or text[_DAY_OF_YEAR : _DAY_OF_YEAR + 1] == b"T")


def _ordinal(bare: NDArray[Any]) -> NDArray[np.datetime64]:
    """Times with days of the year. Raises `ValueError` for others."""
    flat = np.ascontiguousarray(bare).reshape(-1)
    size = flat.dtype.itemsize
    digits = flat.view(np.uint8).reshape(len(flat), size)
    days = digits[:, 5:_DAY_OF_YEAR].astype(np.int64) - ord("0")
    if (digits[:, 4] != ord("-")).any() or ((days < 0) | (days > 9)).any():
        raise ValueError("no day of the year")
    day = days @ np.array([100, 10, 1])
    if ((day < 1) | (day > _DAYS_IN_YEAR)).any():
        raise ValueError("no day of the year")
    years = np.ascontiguousarray(digits[:, :4]).view("S4").reshape(-1).astype("U").astype("M8[Y]")
    found = (years.astype("M8[D]") + (day - 1)).astype("M8[ns]")
    if size > _DAY_OF_YEAR:
        clock = np.ascontiguousarray(digits[:, _DAY_OF_YEAR:]).view(f"S{size - _DAY_OF_YEAR}").reshape(-1).astype("U")
        found = found + (np.char.add("1970-01-01", clock).astype("M8[ns]") - np.datetime64(0, "ns"))
    shaped: NDArray[np.datetime64] = found.reshape(bare.shape)
    return shaped


def _moment(text: bytes, *, gaps: bool) -> np.datetime64:
    """One time of any form."""
    try:
        ns = parse_time(text.decode("ascii", "replace")).ns
    except QueryError as error:
        if gaps:
            return np.datetime64("NaT", "ns")
        raise SourceError(f"The HAPI server sends {text[:40]!r} as a time", kind="source.stream") from error
    return np.datetime64(ns, "ns")

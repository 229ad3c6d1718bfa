# SPDX-License-Identifier: GPL-3.0-or-later
"""The values of a column as the elements of its field: of the type of the wire, with what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dasflex_core import epochs
from dasflex_core.arrays import Ragged, is_fill
from dasflex_core.digits import iso_times
from dasflex_core.errors import SourceError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dasflex_core.arrays import Column
    from dasflex_votable.fields import Field

__all__ = ["elements"]

_DIGITS: Final = 9
#: The last character that UCS-2 has, and what stands for others.
_LAST_CODE: Final = 0xFFFF
_REPLACEMENT: Final = 0xFFFD
#: The largest number of a `long`.
_LONGEST: Final = (1 << 63) - 1


def elements(field: Field, column: Column) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.bool_]]:
    """The elements of a column, where each record's begin among them, and which records have none at all.

    The elements have a shape of (entries, `field.count`) and the type `field.wire`. What is missing among reals is NaN,
    among integers the field's own null. Offsets have one more than there are records. A record is missing where it is
    empty, or where its single value is fill. Raises `SourceError` for a number that is too large for VOTable.
    """
    values = column.values if isinstance(column, Ragged) else column
    if isinstance(values, Ragged):
        raise TypeError(f"{field.variable.name}: runs within runs")
    if field.kind == "words":
        return _words(field, values)
    offsets = column.offsets if isinstance(column, Ragged) else np.arange(len(column) + 1)
    made, missing = _BY_KIND[field.kind](field, values)
    made = made.reshape(len(values), field.count)
    missing = missing.reshape(len(values), field.count // field.letters)
    empty: NDArray[np.bool_] = np.diff(offsets) == 0
    lacking = empty if isinstance(column, Ragged) else np.asarray(missing.all(axis=1))
    return made, offsets.astype(np.int64), lacking


def _times(field: Field, values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Times in ISO 8601 to the nanosecond, as DALI 1.1, section 3.3.3, has a `timestamp`; blank where missing."""
    times = epochs.to_datetime64(values, field.variable.units)
    missing = is_fill(values, field.variable.fill) | np.isnat(times)
    # The text ends in Z, which a DALI timestamp may have or not; TIMESYS says it, so that it is left out.
    text = iso_times(times, _DIGITS)[..., : field.letters].copy()
    text[missing] = 0
    return text.view("S1"), missing


def _texts(field: Field, values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Texts of a fixed length in UCS-2, padded with nulls; what that has no code for is a replacement character."""
    missing = is_fill(values, field.variable.fill)
    decoded = np.strings.decode(np.strings.rstrip(values, b" \0"), "utf-8", "replace")
    fixed = np.ascontiguousarray(np.where(missing, "", decoded), dtype=f"=U{field.letters}")
    codes = fixed.reshape(*fixed.shape, 1).view(np.uint32)
    return np.where(codes > _LAST_CODE, _REPLACEMENT, codes).astype(">u2"), missing


def _words(field: Field, values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.bool_]]:
    """Texts of any length as runs of characters, as `elements` gives them."""
    missing = is_fill(values, field.variable.fill)
    decoded = np.where(missing, "", np.strings.decode(np.strings.rstrip(values, b" \0"), "utf-8", "replace"))
    codes = np.frombuffer("".join(decoded.tolist()).encode("utf-32-le"), dtype="<u4")
    offsets = np.concatenate([[0], np.cumsum(np.strings.str_len(decoded))]).astype(np.int64)
    return np.where(codes > _LAST_CODE, _REPLACEMENT, codes).astype(">u2")[:, None], offsets, np.asarray(missing)


def _flags(field: Field, values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Flags as the letters T and F, and a blank that stands for none."""
    missing = is_fill(values, field.variable.fill)
    return np.where(missing, b" ", np.where(values != 0, b"T", b"F")).astype("S1"), missing


def _octets(_field: Field, values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """The bytes of a file."""
    return np.ascontiguousarray(values).view("u1"), np.zeros(values.shape, bool)


def _numbers(field: Field, values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Numbers in the type of the wire."""
    missing = is_fill(values, field.variable.fill)
    if values.dtype == np.uint64 and (values[~missing] > _LONGEST).any():
        raise SourceError(
            f"{field.variable.name} has numbers above {_LONGEST}, which no integer of a VOTable holds; "
            "choose another format",
            kind="source.stream",
        )
    if field.wire[-2] != "f":
        whole = values.astype(field.wire)
        if field.null is not None:
            whole[missing] = field.null
        return whole, missing
    with np.errstate(invalid="ignore"):  # a signalling NaN
        reals = values.astype(field.wire)
    reals[missing] = np.nan
    return reals, missing


_BY_KIND: Final = {"time": _times, "text": _texts, "flag": _flags, "bytes": _octets, "number": _numbers}

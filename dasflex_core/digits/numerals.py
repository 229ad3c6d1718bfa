# SPDX-License-Identifier: GPL-3.0-or-later
"""Columns of numbers in fixed-width text to float64, with what `float(text)` gives for each.

Such columns (das2 `asciiN`, das3 `utf8` of fixed width) are mostly written by one printf format, so that points and
exponents stand below one another. The layout is taken from a row; rows that follow it are read digit column by digit
column into an integer m and a decimal exponent q, and m · 10**q is a product of about 106 bits. Rows of another
layout, and those that lie so near to the middle of two doubles that the error could decide, go to `float`.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import numpy as np

from dasflex_core.digits import powers
from dasflex_core.errors import SourceError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes: TypeAlias = NDArray[np.uint8]
    Floats: TypeAlias = NDArray[np.float64]
    Flags: TypeAlias = NDArray[np.bool_]

__all__ = ["blank_mask", "byte_matrix", "parse_numbers"]

_BLOCK: Final = 16384  # rows per block: its columns stay in a cache
_GAPS: Final = b" \n\r\t\0"  # what may stand around a number
_LAYOUT: Final = re.compile(rb"[ \n\r\t\0]*[+-]?(\d*)(\.\d*)?(?:[eE]([+-]?)(\d{1,3}))?[ \n\r\t\0]*")
_MOST_DIGITS: Final = 18  # as many as a signed 64-bit integer holds
_LARGEST_POWER: Final = 270  # 10**q, its error and the products stay within the range of doubles
_SAMPLES: Final = 8  # rows that are tried for a layout


class _Layout(NamedTuple):
    """Where the parts of a number end, as columns: sign and whole digits, point and fraction, exponent."""

    whole: int
    fraction: int  # equal to `whole` where there is no point
    exponent: bool
    signed: bool  # whether the exponent has a sign
    end: int


@cache
def _is_gap() -> Flags:
    """Whether a byte may stand around a number."""
    gap = np.zeros(256, dtype=np.bool_)
    gap[list(_GAPS)] = True
    return gap


def byte_matrix(text: NDArray[Any]) -> Bytes:
    """Text as bytes of shape (…, width): an `S` array gets an axis of its characters, uint8 stays as it is.

    Raises `SourceError` for anything else.
    """
    text = np.asarray(text)
    if text.dtype.kind == "S" and text.dtype.itemsize:
        text = np.ascontiguousarray(text)
        return text.reshape(-1).view(np.uint8).reshape(*text.shape, text.dtype.itemsize)
    if text.dtype != np.uint8 or text.ndim == 0:
        raise SourceError(f"Text of fixed width is bytes, not {text.dtype}", kind="source.stream")
    return text


def blank_mask(text: NDArray[Any]) -> Flags:
    """Where there is no text but blanks, line ends and NUL: a value that is missing (das 3.0, fixed-width text)."""
    return np.asarray(_is_gap()[byte_matrix(text)].all(axis=-1))


def parse_numbers(text: NDArray[Any]) -> Floats:
    """The numbers of fixed-width texts: `float(text)` of each, and NaN where there are only blanks (`blank_mask`).

    `text` is uint8 of shape (…, width), or an `S` array; the answer has the shape without the width. Blanks around
    and inside a number do not count (das 3.0, fixed-width values). Raises `SourceError` that names a malformed text.
    """
    rows = byte_matrix(text)
    flat = rows.reshape(-1, rows.shape[-1])
    numbers = np.empty(len(flat), dtype=np.float64)
    for first in range(0, len(flat), _BLOCK):
        _read_block(flat[first : first + _BLOCK], numbers[first : first + _BLOCK])
    return numbers.reshape(rows.shape[:-1])


def _read_block(rows: Bytes, numbers: Floats) -> None:
    """Read the numbers of a block of rows."""
    layout = _layout(rows)
    regular = np.zeros(len(rows), dtype=np.bool_)
    if layout:
        numbers[:], regular = _read_columns(np.ascontiguousarray(rows.T), layout)
    odd = np.flatnonzero(~regular)
    if odd.size:
        numbers[odd] = _read_one_by_one(rows[odd])


def _read_one_by_one(rows: Bytes) -> Floats:
    """The numbers of rows that follow no layout."""
    numbers = np.full(len(rows), np.nan)
    written = np.flatnonzero(~_is_gap()[rows].all(axis=1))
    rows = np.ascontiguousarray(rows[written])
    texts = rows.reshape(-1).view(f"S{rows.shape[1]}").tolist()
    plain = not np.any(rows == ord("_"))  # which Python's own numbers may hold
    try:
        numbers[written] = [float(text) for text in texts] if plain else [_number(text) for text in texts]
    except ValueError:
        numbers[written] = [_number(text) for text in texts]
    return numbers


def _number(text: bytes) -> float:
    """The number of one text, which may hold blanks."""
    try:
        return float(text.translate(None, _GAPS).replace(b"_", b"?"))
    except ValueError as error:
        shown = text.decode("latin-1").strip()
        raise SourceError(f"{shown!r} is no number; one is written like -1.25e+01", kind="source.stream") from error


def _layout(rows: Bytes) -> _Layout | None:
    """The layout of the first rows that have one, or None."""
    for row in rows[:_SAMPLES]:
        match = _LAYOUT.fullmatch(row.tobytes())
        if match and (match[1] or len(match[2] or b"") > 1):
            whole, fraction, exponent = match.end(1), match.end(2), match.end(4)
            return _Layout(whole, max(whole, fraction), exponent > 0, bool(match[3]), max(whole, fraction, exponent))
    return None


def _read_columns(columns: Bytes, layout: _Layout) -> tuple[Floats, Flags]:
    """The numbers of all rows, and where they are right; `columns` has the shape (width, rows)."""
    digits = columns - np.uint8(0x30)
    is_digit = digits < 10
    mantissa, negative, regular = _whole(columns, digits, is_digit, layout.whole)
    some_digit = np.asarray(is_digit[: layout.whole].any(axis=0))
    fraction = range(layout.whole + 1, layout.fraction)
    if layout.fraction > layout.whole:
        regular &= columns[layout.whole] == ord(".")
    if fraction:
        some_digit[:] = True
    regular &= some_digit & _extend(mantissa, digits, is_digit, fraction)
    if layout.whole + len(fraction) > _MOST_DIGITS:
        regular &= is_digit[: layout.whole].sum(axis=0) + len(fraction) <= _MOST_DIGITS
    power = np.full(len(mantissa), -len(fraction), dtype=np.int64)
    if layout.exponent:
        regular &= (columns[layout.fraction] | 0x20) == ord("e")
        start = layout.fraction + 1 + layout.signed
        exponent = np.zeros(len(mantissa), dtype=np.int64)
        regular &= _extend(exponent, digits, is_digit, range(start, layout.end))
        if layout.signed:
            minus = columns[start - 1] == ord("-")
            regular &= minus | (columns[start - 1] == ord("+"))
            np.negative(exponent, out=exponent, where=minus)
        power += exponent
    regular &= _is_gap()[columns[layout.end :]].all(axis=0)
    numbers, sure = _scaled(mantissa, np.where(regular, power, 0))
    return np.copysign(numbers, np.where(negative, -1.0, 1.0)), regular & sure


def _extend(number: NDArray[np.int64], digits: Bytes, is_digit: Flags, places: range) -> Flags:
    """Append the digits of these columns to each number, in place; where all of them are digits."""
    for place in places:
        number *= 10
        number += digits[place]
    return np.asarray(is_digit[places.start : places.stop].all(axis=0))


def _whole(columns: Bytes, digits: Bytes, is_digit: Flags, end: int) -> tuple[NDArray[np.int64], Flags, Flags]:
    """The digits before the point, whether there is a minus, and whether nothing else stands there but blanks first."""
    count = columns.shape[1]
    mantissa = np.zeros(count, dtype=np.int64)
    negative, begun = np.zeros(count, dtype=np.bool_), np.zeros(count, dtype=np.bool_)
    regular = np.ones(count, dtype=np.bool_)
    for place in range(end):
        if is_digit[place].all():
            _extend(mantissa, digits, is_digit, range(place, place + 1))
            begun[:] = True
            continue
        column = columns[place]
        minus, blank = column == ord("-"), column == ord(" ")
        regular &= is_digit[place] | (~begun & (blank | minus | (column == ord("+"))))
        negative |= minus
        begun |= ~blank
        if is_digit[place].any():
            mantissa *= 10
            mantissa += digits[place] * is_digit[place]
    return mantissa, negative, regular


def _scaled(mantissa: NDArray[np.int64], power: NDArray[np.int64]) -> tuple[Floats, Flags]:
    """The doubles nearest to mantissa · 10**power, and where that is sure."""
    sure = np.abs(power) <= _LARGEST_POWER
    power = np.where(sure, power, 0)
    lowest, highest = int(power.min(initial=0)), int(power.max(initial=0))
    tens, rests = (table.take(power - lowest) for table in powers.power_pairs(lowest, highest))
    high = mantissa.astype(np.float64)
    low = (mantissa - high.astype(np.int64)).astype(np.float64)
    nearest, error = powers.product(high, tens)
    error += high * rests + low * tens
    result = nearest + error
    margin = np.abs(nearest) * 2.0**-98
    sure &= (nearest + (error - margin) == result) & (nearest + (error + margin) == result)
    return result, sure

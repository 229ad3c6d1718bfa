# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers as text: fill as headers name it, and decimal notation where `%e` loses digits that there is room for."""

from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dasflex_core import digits

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from dasflex_core.arrays import Fill

__all__ = ["keep_digits", "write_reals", "write_side_by_side"]

#: The bytes of a number in `%e` beside its significant digits: sign, point and exponent of four.
_BESIDE_DIGITS: Final = 6
#: Digits after which a decimal notation is not trusted: those that any double carries.
_TRUSTED: Final = 15
#: The smallest number in decimal notation. Below it zeros behind the point take more room than an exponent.
_LEAST: Final = 1e-4


def write_side_by_side(room: NDArray[np.uint8], columns: Iterable[tuple[NDArray[Any], Fill]]) -> None:
    """Writes columns of the same records, each with its fill, as the values of a record one after the other.

    `room` has the shape (records, values, bytes of each). What is alike costs the calls of numpy once.
    """
    found = [(values.reshape(len(values), prod(values.shape[1:])), fill) for values, fill in columns]
    first, fill = found[0]
    if all(values.dtype == first.dtype and other == fill for values, other in found):
        write_reals(room, np.concatenate([values for values, _fill in found], axis=1), fill)
        return
    start = 0
    for values, own in found:
        stop = start + values.shape[1]
        write_reals(room[:, start:stop], values, own)
        start = stop


def write_reals(room: NDArray[np.uint8], values: NDArray[Any], fill: Fill) -> None:
    """Writes numbers in `%e` with a blank behind each; `room` has the bytes of each as a row, that of the blank too.

    Fill that a float32 holds only nearly, such as -1e31, is written as the number that headers name.
    """
    room[..., -1] = ord(" ")
    behind_point = room.shape[-1] - 2 - _BESIDE_DIGITS
    digits.fixed_e(values, behind_point, out=room[..., :-1])
    if values.dtype.kind != "f" or values.dtype.itemsize > 4 or not isinstance(fill, float):
        return
    near = values.dtype.type(fill)
    if float(near) == fill or not np.isfinite(near):
        return
    with np.errstate(invalid="ignore"):  # a signalling NaN
        found = values == near
    if found.any():
        room[found, :-1] = _fill_row(fill, behind_point, room.shape[-1] - 1)


@lru_cache(maxsize=64)
def _fill_row(fill: float, behind_point: int, width: int) -> NDArray[np.uint8]:
    """The bytes of a fill value, which is the same in all batches of a stream."""
    row = digits.fixed_e(np.asarray(fill), behind_point, width=width)
    row.flags.writeable = False
    return row


def keep_digits(room: NDArray[Any], values: NDArray[Any]) -> None:
    """Writes numbers again, in decimal notation, where `%e` lost digits that this has room for.

    `room` has the bytes of each number as a row, as `%e` wrote it. A text field of width 10 may have held `123.45678`;
    `%e` leaves three of these digits in the same width.
    """
    width = room.shape[-1]
    if width - _BESIDE_DIGITS >= _TRUSTED - 2:  # `%e` has as many digits as decimal notation may have
        return
    numbers = values.astype(np.float64)
    size = np.abs(numbers)
    most = 10.0 ** (min(width, _TRUSTED) - 1)
    kind = values.dtype if values.dtype.kind == "f" else numbers.dtype
    with np.errstate(over="ignore"):  # what rounds up beyond the largest float
        written = digits.parse_numbers(room).astype(kind)
    lost = (written != numbers) & (size >= _LEAST) & (size < most)
    if not lost.any():
        return
    number, rows = numbers[lost], room[lost]
    whole = np.maximum(np.searchsorted(10.0 ** np.arange(_TRUSTED), np.abs(number), side="right"), 1)
    for count in np.unique(whole).tolist():
        for sign in (b"", b"-"):
            picked = np.flatnonzero((whole == count) & ((number < 0) == bool(sign)))
            behind = min(width - count - 1 - len(sign), _TRUSTED - count)
            if behind >= 0:
                _rewrite(rows, picked, number, (count, behind), sign)
    better = np.abs(digits.parse_numbers(rows).astype(kind) - number) < np.abs(written[lost] - number)
    rows[~better] = room[lost][~better]
    room[lost] = rows


def _rewrite(
    rows: NDArray[Any], picked: NDArray[np.intp], number: NDArray[Any], form: tuple[int, int], sign: bytes
) -> None:
    """Writes the picked rows with some digits before the point and some behind it, as `form` says."""
    count, behind = form
    scaled = np.rint(np.abs(number[picked]) * 10.0**behind)
    fits = scaled < 10.0 ** (count + behind)  # what rounds to one digit more stays as it is
    rows[picked[fits]] = _decimal(scaled[fits].astype(np.int64), form, rows.shape[-1], sign)


def _decimal(scaled: NDArray[np.int64], form: tuple[int, int], width: int, sign: bytes) -> NDArray[np.uint8]:
    """The texts of scaled / 10**behind, which have `whole` digits before the point, behind a sign."""
    whole, behind = form
    text = digits.integers(scaled, width=whole + behind, pad=ord("0"))
    rows = np.full((len(scaled), width), ord(" "), dtype=np.uint8)
    point = width - behind - 1
    rows[:, point + 1 :] = text[:, whole:]
    rows[:, point] = ord(".")
    rows[:, point - whole : point] = text[:, :whole]
    if sign:
        rows[:, point - whole - 1] = ord(sign)
    return rows

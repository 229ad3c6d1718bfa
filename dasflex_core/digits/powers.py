# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of decimal digits and powers of ten, and exact products of doubles: what turns numbers into text and back.

Tables are made at first use and shared; nobody may write to them.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from math import floor, inf, log10, nextafter
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Places: TypeAlias = NDArray[np.int64]
    Words: TypeAlias = NDArray[np.uint32]
    Bytes: TypeAlias = NDArray[np.uint8]

__all__ = ["Scales", "decades", "exponents", "power_pairs", "product", "put_word", "quads", "scales"]

#: Multiplying by 2**27 + 1 cuts a double in two halves of 26 bits (Veltkamp 1968).
_SPLIT: Final = 134217729.0


class Scales(NamedTuple):
    """What a value is multiplied with, by place: 2 · biased binary exponent + (1 from the power of ten on)."""

    power: Places  # the decimal exponent p of the multiplier 10**p
    high: Floats  # the nearest double to 10**p
    low: Floats  # 10**p less that double


def _shared(table: NDArray[Any]) -> NDArray[Any]:
    """The table, protected."""
    table.flags.writeable = False
    return table


@cache
def quads() -> Words:
    """The four digits of 0 to 9999 as the 32-bit word whose bytes, in the order of memory, are the text."""
    number = np.arange(10000, dtype=np.uint16)
    text = np.stack([number // 1000, number // 100 % 10, number // 10 % 10, number % 10], axis=1).astype(np.uint8)
    return _shared((text + 0x30).view(np.dtype("<u4"))[:, 0])


def put_word(rows: Bytes, start: int, words: NDArray[Any]) -> None:
    """Write one word of 2, 4 or 8 bytes per row, from the byte `start` on; `words` may be flat, `rows` need not be."""
    size = words.dtype.itemsize
    rows[..., start : start + size].view(words.dtype)[..., 0] = words.reshape(rows.shape[:-1])


@cache
def decades() -> tuple[Floats, Places]:
    """For each biased binary exponent: the one power of ten among its doubles (or inf), and k, with 10**k below that.

    The power is the smallest double not below 10**(k+1), so that comparing with it compares with the true power. The
    tables hold the doubles from 1e-99 to 1e100; other places are 0 and inf.
    """
    power, below = np.full(2048, inf), np.zeros(2048, dtype=np.int64)
    for biased in range(1023 - 330, 1023 + 334):
        least = 2.0 ** (biased - 1023)
        k = floor(log10(least))
        next_power = float(f"1e{k + 1}")
        if Fraction(next_power) < Fraction(10) ** (k + 1):
            next_power = nextafter(next_power, inf)
        below[biased] = k
        if next_power < 2.0 * least:
            power[biased] = next_power
    return _shared(power), _shared(below)


def _decimal_exponents() -> Places:
    """The decimal exponent by place: k, and k + 1 above the power of ten."""
    k = np.repeat(decades()[1], 2)
    k[1::2] += 1
    return k


@cache
def exponents() -> Words:
    """The text of the exponent, `e+00`, as a 32-bit word, by place."""
    k = _decimal_exponents()
    size = np.abs(k) % 100
    text = np.stack([np.full(k.shape, 0x65), np.where(k < 0, 0x2D, 0x2B), 0x30 + size // 10, 0x30 + size % 10], axis=1)
    return _shared(text.astype(np.uint8).view(np.dtype("<u4"))[:, 0])


@cache
def scales(significant: int) -> Scales:
    """The multipliers that give `significant` digits before the decimal point. The place of zero has 0."""
    power = significant - 1 - _decimal_exponents()
    lowest = int(power.min())
    high, low = (table.take(power - lowest) for table in power_pairs(lowest, int(power.max())))
    high[:2] = low[:2] = 0.0
    return Scales(_shared(power), _shared(high), _shared(low))


@cache
def power_pairs(lowest: int, highest: int) -> tuple[Floats, Floats]:
    """10**p for p from `lowest` to `highest`, as the nearest double and the nearest double to the rest."""
    pairs = np.array([_power_pair(power) for power in range(lowest, highest + 1)])
    return _shared(pairs[:, 0].copy()), _shared(pairs[:, 1].copy())


def _power_pair(power: int) -> tuple[float, float]:
    """10**power in two doubles. Python's division of integers is correctly rounded."""
    numerator, denominator = 10 ** max(power, 0), 10 ** max(-power, 0)
    high = numerator / denominator
    top, bottom = high.as_integer_ratio()
    return high, (numerator * bottom - top * denominator) / (denominator * bottom)


def product(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """The product of a and b as the nearest doubles and their errors, exactly (Dekker 1971)."""
    nearest = a * b
    cut = a * _SPLIT
    a_high = cut - (cut - a)
    a_low = a - a_high
    cut = b * _SPLIT
    b_high = cut - (cut - b)
    b_low = b - b_high
    error = a_high * b_high
    error -= nearest
    error += a_high * b_low
    error += a_low * b_high
    error += a_low * b_low
    return nearest, error

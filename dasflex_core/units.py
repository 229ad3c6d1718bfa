# SPDX-License-Identifier: GPL-3.0-or-later
"""Unit strings of das streams: their canonical text, their arithmetic, and factors between them (das-streams 2.9).

A unit string is factors separated by blanks, each a word with an exponent behind `**` or `^`, which may be a
fraction; `/` inverts every factor that follows. An empty string is dimensionless. Words that are not known are
allowed and kept, so `counts/s` and `log10Ratio` are units like others; only known words convert.

>>> canonical("V^2/m^2/Hz")
'V**2 m**-2 Hz**-1'
>>> multiply("V**2 m**-2 Hz**-1", "Hz")
'V**2 m**-2'
>>> invert("ms")
'kHz'
>>> convert_factor("km/s", "m/s")
1000.0
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import cache
from math import pi
from typing import Final, NamedTuple, TypeAlias

from dasflex_core.errors import QueryError

__all__ = ["canonical", "convert_factor", "divide", "invert", "multiply", "power"]

#: The factors of a unit, in the order of their first appearance; no exponent is 0.
Factors: TypeAlias = dict[str, Fraction]

_MICRO_SIGN: Final = "\u00b5"
_GREEK_MU: Final = "\u03bc"
_FACTOR: Final = re.compile(r"(?P<word>[^\s/*^]+)(?:\s*(?:\*\*|\^)\s*\(?(?P<exponent>[+-]?\d+(?:\.\d+|/\d+)?)\)?)?")
_GAP: Final = re.compile(r"\s*([/*])?\s*")

#: The words that das programs take for the same unit.
_SYNONYMS: Final = {
    "sec": "s",
    "second": "s",
    "seconds": "s",
    "millisec": "ms",
    "microsec": "μs",
    "micros": "μs",
    "us": "μs",
    "nanosec": "ns",
    "hertz": "Hz",
    "Hertz": "Hz",
}
#: Words that are one another's inverse.
_INVERSE: Final = {"s": "Hz", "ms": "kHz", "μs": "MHz", "ns": "GHz"}
_PERIOD: Final = {frequency: period for period, frequency in _INVERSE.items()}

_PREFIXES: Final = {"p": -12, "n": -9, "μ": -6, "m": -3, "c": -2, "d": -1, "h": 2, "k": 3, "M": 6, "G": 9, "T": 12}
_PREFIXED: Final = ("s", "Hz", "m", "V", "T", "A", "W", "J", "eV", "Pa", "N", "g", "K", "rad", "bar")


class _Meaning(NamedTuple):
    """What a known word is: `scale` times a power of a base unit."""

    scale: Fraction | float
    base: str
    exponent: int = 1


#: No unit of nature has a higher exponent, and a scale to a power is computed exactly.
_HIGHEST: Final = 99


def canonical(text: str) -> str:
    """The unit string in canonical form: synonyms, `**`, blanks; a whole that is a known inverse becomes one word.

    Raises `QueryError` for text that is no unit string, such as `m**`.
    """
    return _text(_factors(text))


def multiply(first: str, second: str) -> str:
    """The units of a product. A period and its frequency meet: `Hz` times `s` is dimensionless."""
    return _product(first, second, 1)


def divide(first: str, second: str) -> str:
    """The units of a quotient."""
    return _product(first, second, -1)


def power(units: str, exponent: Fraction | int) -> str:
    """The units of a power."""
    return _product("", units, exponent)


def invert(units: str) -> str:
    """The units of one over a value: `s` gives `Hz`, `kHz` gives `ms`."""
    return power(units, -1)


def convert_factor(first: str, second: str) -> float | None:
    """What a value in the first units is multiplied with to be in the second, or None where they do not convert."""
    from_scale, from_bases = _reduced(_factors(first))
    to_scale, to_bases = _reduced(_factors(second))
    return float(from_scale / to_scale) if from_bases == to_bases else None


def _product(first: str, second: str, exponent: Fraction | int) -> str:
    """The units of the first times a power of the second."""
    factors = _factors(first)
    for word, own in _factors(second).items():
        _put(factors, word, own * exponent)
    return _text(factors)


def _factors(text: str) -> Factors:
    """The factors of a unit string."""
    factors: Factors = {}
    text, place, sign = text.strip().replace(_MICRO_SIGN, _GREEK_MU), 0, 1
    while place < len(text):
        gap = _GAP.match(text, place)
        place = gap.end() if gap else place
        sign = -1 if gap and gap[1] == "/" else sign
        factor = _FACTOR.match(text, place)
        if not factor:
            message = f"{text!r} is no unit string. Write factors like V**2 m**-2 Hz**-1 or V/m."
            raise QueryError(message, kind="query.bad-value")
        place = factor.end()
        word = factor["word"]
        if word != "1":  # as in 1/s
            _put(factors, _SYNONYMS.get(word, word), sign * _exponent(text, factor["exponent"]))
    return factors


def _exponent(text: str, exponent: str | None) -> Fraction:
    """The number of an exponent; none is 1."""
    try:
        number = Fraction(exponent or 1)
    except ZeroDivisionError as error:
        raise QueryError(f"{text!r} has an exponent divided by zero", kind="query.bad-value") from error
    if abs(number) > _HIGHEST or number.denominator > _HIGHEST:
        raise QueryError(f"{text[:100]!r} has an exponent beyond {_HIGHEST}", kind="query.bad-value")
    return number


def _put(factors: Factors, word: str, exponent: Fraction) -> None:
    """Multiply by a factor, in place. Where its inverse stands already, that one takes the exponent."""
    partner = _INVERSE.get(word) or _PERIOD.get(word)
    if word not in factors and partner in factors:
        word, exponent = partner, -exponent
    total = factors.get(word, 0) + exponent
    if total:
        factors[word] = Fraction(total)
    else:
        factors.pop(word, None)


def _text(factors: Factors) -> str:
    """The canonical text."""
    if len(factors) == 1:
        [(word, exponent)] = factors.items()
        partner = _INVERSE.get(word) or _PERIOD.get(word)
        if partner and exponent == -1:
            return partner
    return " ".join(word if exponent == 1 else f"{word}**{exponent}" for word, exponent in factors.items())


@cache
def _meanings() -> dict[str, _Meaning]:
    """The words that convert."""
    known = {base: _Meaning(Fraction(1), base) for base in _PREFIXED}
    known |= {
        prefix + base: _Meaning(Fraction(f"1e{exponent}"), base)
        for prefix, exponent in _PREFIXES.items()
        for base in _PREFIXED
    }
    scaled: dict[tuple[str, ...], tuple[Fraction | float, str]] = {
        ("min", "minute", "minutes"): (Fraction(60), "s"),
        ("h", "hr", "hour", "hours"): (Fraction(3600), "s"),
        ("d", "day", "days"): (Fraction(86400), "s"),
        ("nanoseconds", "nanosecond"): (Fraction(1, 10**9), "s"),
        ("microseconds", "microsecond"): (Fraction(1, 10**6), "s"),
        ("milliseconds", "millisecond"): (Fraction(1, 1000), "s"),
        ("V", "volt", "volts"): (Fraction(1), "V"),
        ("meter", "meters", "metre", "metres"): (Fraction(1), "m"),
        ("AU",): (Fraction(149_597_870_700), "m"),
        ("G", "gauss"): (Fraction(1, 10**4), "T"),
        ("radian", "radians"): (Fraction(1), "rad"),
        ("deg", "degree", "degrees", "°"): (pi / 180, "rad"),
        ("%", "percent"): (Fraction(1, 100), ""),
    }
    for words, (scale, base) in scaled.items():
        known |= {word: _Meaning(scale, base) for word in words}
    known |= {word: _Meaning(one.scale, "s", -1) for word, one in known.items() if one.base == "Hz"}
    return known


def _reduced(factors: Factors) -> tuple[Fraction | float, Factors]:
    """The scale of a unit to its base units, and these."""
    scale: Fraction | float = Fraction(1)
    bases: Factors = {}
    for word, exponent in factors.items():
        meaning = _meanings().get(word, _Meaning(Fraction(1), word))
        part = meaning.scale ** (int(exponent) if exponent.denominator == 1 else float(exponent))
        scale = scale * part
        if meaning.base:
            total = bases.get(meaning.base, Fraction(0)) + exponent * meaning.exponent
            bases[meaning.base] = total
    return scale, {base: exponent for base, exponent in bases.items() if exponent}

# SPDX-License-Identifier: GPL-3.0-or-later
"""The numbers, quantities and ranges of a definition: each function reads one form of them, or raises `UnfitError`."""

from __future__ import annotations

import math
import re
import sys
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from dasflex_core import times
from dasflex_core.catalog.model import Rate, Span
from dasflex_core.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "BYTES",
    "RATE",
    "REAL",
    "UnfitError",
    "bounds",
    "byte_count",
    "count",
    "extent",
    "flag",
    "number",
    "positive",
    "range_ends",
    "rate",
    "seconds",
    "shortest",
    "shown",
    "span",
]

#: A number without a sign. Each text can be matched in one way only, so that a long one takes no squared time.
REAL = r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_LARGEST: Final = sys.float_info.max
_UNITS = r"[A-Za-zµμ%][^\s]*"
_NUMBERS = (
    rf"(?P<begin>(?P<low>[+-]?{REAL})(?:\s+(?P<first>{_UNITS}))?)"
    rf"\s+to\s+(?P<end>(?P<high>[+-]?{REAL})(?:\s+(?P<last>{_UNITS}))?)"
)
_AMOUNT = r"\s*(B|kB|MB|GB|TB|KiB|MiB|GiB|TiB)"
#: An amount of bytes, such as `4 kB`.
BYTES = rf"({REAL}){_AMOUNT}"
#: A rate of packets, such as `10 packet/s of 4 kB`.
RATE = rf"({REAL})\s*packets?/s\s+of\s+({REAL}{_AMOUNT})"
_PREFIXES: Final[Mapping[str, int]] = MappingProxyType(
    {"B": 1}
    | {f"{prefix}B": 1000**power for power, prefix in enumerate("kMGT", 1)}
    | {f"{prefix}iB": 1024**power for power, prefix in enumerate("KMGT", 1)}
)


class UnfitError(Exception):
    """A value is not what its key takes. `key` names one below the key at hand, where that is at fault."""

    def __init__(self, message: str, key: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.key = key


def shown(value: object) -> str:
    """A value in an error's text, as TOML has it where that is short."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        return "a table" if isinstance(value, dict) else "a list"
    return repr(value) if isinstance(value, str) else str(value)


def flag(value: object) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise UnfitError(f"must be true or false, without quotes, not {shown(value)}")
    return value


def number(value: object) -> float:
    """A finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnfitError(f"must be a number, not {shown(value)}")
    if not -_LARGEST <= value <= _LARGEST:
        raise UnfitError(f"must be a number of ordinary size, not {shown(value):.40}")
    return float(value)


def positive(value: object) -> float:
    """A number above 0."""
    found = number(value)
    if found <= 0:
        raise UnfitError(f"must be above 0, not {shown(value)}")
    return found


def count(value: object) -> int:
    """A whole number from 1 on."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise UnfitError(f"must be a whole number, not {shown(value)}")
    if value < 1:
        raise UnfitError(f"must be 1 or more, not {value}")
    return value


def extent(value: object) -> int:
    """A whole number from 1 on; or -1, as in arrays, for the `*` of a length that varies."""
    if value == "*":
        return -1
    if isinstance(value, str):
        raise UnfitError(f'must be a whole number, or "*" where it differs from record to record, not {shown(value)}')
    return count(value)


def seconds(value: object) -> float:
    """The seconds of a length of time with its unit, above 0."""
    if not isinstance(value, str):
        raise UnfitError(f'must be a length of time with its unit, such as "60 ms" or "10 min", not {shown(value)}')
    try:
        length = times.seconds(value)
    except QueryError as error:
        raise UnfitError(error.message) from error
    if length <= 0 or not math.isfinite(length):
        raise UnfitError(f"must be longer than nothing, not {value!r}")
    return length


def byte_count(value: object) -> int:
    """The bytes of an amount with its unit."""
    found = re.fullmatch(BYTES, value.strip()) if isinstance(value, str) else None
    if not found:
        raise UnfitError(f'must be an amount of bytes with its unit, such as "4 kB" or "2 GB", not {shown(value)}')
    amount = float(found[1]) * _PREFIXES[found[2]]
    if not 0.5 < amount <= _LARGEST:
        raise UnfitError(f"must be 1 B or more, and of ordinary size, not {value!r}")
    return round(amount)


def rate(value: object) -> Rate:
    """What a reader writes: `10 packet/s of 4 kB`."""
    found = re.fullmatch(RATE, value.strip()) if isinstance(value, str) else None
    if not found or not 0 < float(found[1]) <= _LARGEST:
        raise UnfitError(f'must be written like "10 packet/s of 4 kB", not {shown(value)}')
    return Rate(float(found[1]), byte_count(found[2]))


def bounds(value: object) -> tuple[float, float]:
    """Two numbers, the lower first."""
    if not isinstance(value, list) or len(value) != 2:
        raise UnfitError(f"must be two numbers, the lowest and the highest, such as [0, 15], not {shown(value)}")
    low, high = number(value[0]), number(value[1])
    if low >= high:
        raise UnfitError(f"must have the lower number first, not {shown(value[0])} and {shown(value[1])}")
    return low, high


def span(value: object) -> Span:
    """`A to B`, of times, or of numbers with or without units."""
    if not isinstance(value, str):
        raise UnfitError(f'must be a range in quotes, such as "2016-07-05 to now" or "10 to 100", not {shown(value)}')
    value = " ".join(value.split())
    try:
        return Span(*range_ends(value))
    except UnfitError:
        found = re.fullmatch(_NUMBERS, value)
        if not found:
            raise
    if found["first"] == found["last"] and float(found["low"]) >= float(found["high"]):
        raise UnfitError(f"the range {value!r} is empty: it must have the lower number first")
    return Span(*found.group("begin", "end"))


def range_ends(text: str) -> tuple[str, str]:
    """The two ends of a range of times, `A to B` or `A/B`, each as it may stand in a URL.

    Raises `UnfitError` where it is no range, or empty.
    """
    try:
        begin, end = times.parse_range(text)
    except QueryError as error:
        raise UnfitError(error.message) from error
    clean = re.sub(r"\s+UTC$", "", text.strip())
    ends = re.split(r"\s+to\s+", clean)
    if len(ends) == 1:
        parts = clean.split("/")
        ends = ["/".join(parts[: len(parts) // 2]), "/".join(parts[len(parts) // 2 :])]
    first, last = (each.strip() for each in ends)
    if "P" not in (first[:1].upper(), last[:1].upper()):  # neither is a length of time
        return first, last
    if "now" in clean.lower():
        raise UnfitError(f"{text!r} moves with the present: write both of its ends, as in now-PT10M to now")
    return str(begin), str(end)


def shortest(value: float) -> str:
    """The shortest text of a number: 60, 0.25, 1e-17."""
    if isinstance(value, int):
        return str(value)
    digits, mark, exponent = repr(value).removesuffix(".0").partition("e")
    return f"{digits}{mark}{int(exponent)}" if mark else digits

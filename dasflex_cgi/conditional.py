# SPDX-License-Identifier: GPL-3.0-or-later
"""Conditional requests: whether what a client holds is still what it would get (RFC 9110, section 13).

A CGI program that serves a file imports this, so that it imports nothing itself (tier T0): dates are written and read
here, since the modules that could do it cost such a program more than its answer.
"""

from __future__ import annotations

import time

TYPE_CHECKING = False  # the module of that name costs as much as all of this one
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

__all__ = ["http_date", "part_of", "read_http_date", "unchanged", "weak_tag"]

#: Digits of the numbers of a range.
_DIGITS: Final = 36
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def weak_tag(identity: str) -> str:
    """The entity tag of an answer id. It is weak: compressed or not, the data are the same.

    >>> weak_tag("mfrggzdf")
    'W/"mfrggzdf"'
    """
    return f'W/"{identity}"'


def http_date(seconds: float) -> str:
    """Seconds since 1970 as HTTP writes them, whatever the locale; fractions are dropped.

    >>> http_date(784111777.9)
    'Sun, 06 Nov 1994 08:49:37 GMT'
    """
    at = time.gmtime(int(seconds))
    clock = f"{at.tm_hour:02d}:{at.tm_min:02d}:{at.tm_sec:02d}"
    return f"{_DAYS[at.tm_wday]}, {at.tm_mday:02d} {_MONTHS[at.tm_mon - 1]} {at.tm_year:04d} {clock} GMT"


def read_http_date(text: str) -> int | None:
    """The seconds since 1970 of a date in the form that all clients write today; None for any other text.

    >>> read_http_date("Sun, 06 Nov 1994 08:49:37 GMT")
    784111777
    >>> read_http_date("yesterday") is None
    True
    """
    words = text.split()
    if len(words) != 6 or words[2] not in _MONTHS or words[5] not in ("GMT", "UTC"):
        return None
    numbers = [words[1], words[3], *words[4].split(":")]
    if len(numbers) != 5 or not all(each.isascii() and each.isdigit() and len(each) <= 4 for each in numbers):
        return None
    day, year, hour, minute, second = map(int, numbers)
    if not (1 <= day <= 31 and year >= 1970 and hour <= 23 and minute <= 59 and second <= 60):
        return None
    return ((_days(year, _MONTHS.index(words[2]) + 1) + day - 1) * 24 + hour) * 3600 + minute * 60 + second


def _days(year: int, month: int) -> int:
    """The days from 1970 to the first of a month of the Gregorian calendar.

    >>> _days(1970, 1), _days(2000, 3), _days(2001, 1)
    (0, 11017, 11323)
    """
    years, months = (year, month - 3) if month > 2 else (year - 1, month + 9)  # a year that ends with its leap day
    return 365 * years + years // 4 - years // 100 + years // 400 + (153 * months + 2) // 5 - 719468


def unchanged(headers: Mapping[str, str], tag: str, changed: float | None) -> bool:
    """Whether 304 is the answer to a request with these headers (their names in lower case).

    `tag` is the entity tag of what would be sent, and `changed` its date; without either, nothing is known to be
    unchanged. A tag that is asked for decides alone; tags are compared weakly.
    """
    asked = headers.get("if-none-match", "").strip()
    if asked:
        opaque = tag.removeprefix("W/")
        return bool(tag) and (
            asked == "*" or any(each.strip().removeprefix("W/") == opaque for each in asked.split(","))
        )
    since = headers.get("if-modified-since")
    if since is None or changed is None:
        return False
    held = read_http_date(since)
    return held is not None and int(changed) <= held


def part_of(headers: Mapping[str, str], tag: str, changed: str, size: int) -> tuple[int, int] | None:
    """The first byte and the number of bytes of the one part that a `Range` asks of so many (RFC 9110, 14.2).

    None where all is to be sent: for several parts, for what is no range, and where `If-Range` names neither the tag
    nor the date of what there is. No bytes are a part that is not there.

    >>> part_of({"range": "bytes=2-4"}, '"a"', "", 10), part_of({"range": "bytes=-3"}, '"a"', "", 10)
    ((2, 3), (7, 3))
    >>> part_of({"range": "bytes=10-"}, '"a"', "", 10), part_of({"range": "bytes=0-1,4-5"}, '"a"', "", 10)
    ((0, 0), None)
    """
    held = headers.get("if-range", "").strip()
    unit, _, asked = headers.get("range", "").partition("=")
    begin, dash, end = asked.strip().partition("-")
    digits = begin + end
    if (held and held not in (tag, changed)) or unit.strip().lower() != "bytes" or not dash:
        return None
    if not (digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS):
        return None
    if not begin:
        count = min(int(end), size)
        return size - count if count else 0, count
    first, last = int(begin), min(int(end), size - 1) if end else size - 1
    if end and int(end) < int(begin):
        return None
    return (first, last - first + 1) if first < size else (0, 0)

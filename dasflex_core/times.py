# SPDX-License-Identifier: GPL-3.0-or-later
"""One time, one duration, one range: their texts, and the value that a time is.

Accepted are the forms of das-streams 2.10: ISO 8601 calendar and ordinal dates with missing lower fields, a blank for
the `T`, a trailing `Z`, and the classic heuristics; and `now`, `now-PT10M`, `forever`. Everything is UTC. Columns of
times are the business of `dasflex_core.digits` and `dasflex_core.epochs`; this module imports no numpy.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from datetime import date
from typing import Final, NamedTuple, NoReturn, TypeAlias

from dasflex_core.errors import QueryError
from dasflex_core.leapseconds import leap_seconds, tt2000_of_utc, utc_of_tt2000

__all__ = [
    "FOREVER",
    "GRID",
    "Time",
    "format_time",
    "from_tt2000",
    "parse_duration",
    "parse_quantity",
    "parse_range",
    "parse_time",
    "seconds",
    "to_tt2000",
]

_SECOND: Final = 1_000_000_000
_DAY: Final = 86400 * _SECOND
_ORDINAL_1970: Final = 719163  # date(1970, 1, 1).toordinal()
_FIRST: Final = (1 - _ORDINAL_1970) * _DAY  # 0001-01-01
_END: Final = (date.max.toordinal() + 1 - _ORDINAL_1970) * _DAY  # 10000-01-01
_LONGEST: Final = 100  # characters of a time, which bounds the work on a hostile one

_ISO: Final = re.compile(
    r"(\d{4})(?:-(\d{2}))?(?:-(\d{2,3}))?"
    r"(?:(?:[Tt]| +)(\d{2})(?::(\d{2})(?::(\d{2})(?:[.,](\d*))?)?)?)?\s*(?:[Zz]|\+00:?00)?",
    re.ASCII,
)
_CLOCK: Final = re.compile(r"(?:^|[\sTt,_])(\d{1,2}):(\d{1,2})(?::(\d{1,2})(?:[.,](\d*))?)?\s*[Zz]?\s*$", re.ASCII)
_NOW: Final = re.compile(r"now(?:\s*([+\- ])\s*(P\S+))?", re.ASCII | re.IGNORECASE)
_NUMBER: Final = r"(\d+(?:[.,]\d+)?)"
_DURATION: Final = re.compile(
    rf"(-?)P(?=[\dT])(?:{_NUMBER}W)?(?:{_NUMBER}D)?(?:T(?=\d)(?:{_NUMBER}H)?(?:{_NUMBER}M)?(?:{_NUMBER}S)?)?",
    re.ASCII | re.IGNORECASE,
)
_DURATION_UNITS: Final = (7 * _DAY, _DAY, 3600 * _SECOND, 60 * _SECOND, _SECOND)
_QUANTITY: Final = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*((?![\d.,]).*)", re.ASCII)
_MONTHS: Final = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
#: The words for units of time in definitions, as a fraction of seconds: multiply, divide.
_TIME_UNITS: Final = {
    word: scale
    for words, scale in (
        ("ns", (1, 10**9)),
        ("us µs μs", (1, 10**6)),
        ("ms", (1, 1000)),
        ("s sec second seconds", (1, 1)),
        ("min minute minutes", (60, 1)),
        ("h hr hour hours", (3600, 1)),
        ("d day days", (86400, 1)),
    )
    for word in words.split()
}


@dataclass(frozen=True, slots=True, order=True)
class Time:
    """A moment of UTC, in the years 1 to 9999.

    `ns` counts nanoseconds since 1970-01-01, leap seconds not counted. Inside a leap second `ns` stays on the last
    nanosecond before it and `leap` counts 1 to 10**9 from there, so that 23:59:59.999999999 < 23:59:60 < 00:00:00.
    """

    ns: int
    leap: int = 0

    def __str__(self) -> str:
        return format_time(self)

    def shifted(self, ns: int) -> Time:
        """The time that many nanoseconds later, leap seconds not counted. `FOREVER` stays where it is.

        Raises `QueryError` outside the years 1 to 9999.
        """
        if self.ns >= _END:
            return self
        if not _FIRST <= self.ns + ns < _END:
            raise QueryError(f"{ns / _DAY:.6g} days from {self} leave the years 0001 to 9999", kind="query.bad-time")
        return Time(self.ns + ns, 0 if ns else self.leap)


#: Where bins on the absolute grid begin: midnight of 2000-01-01, in nanoseconds since 1970. Where bins divide a day, an
#: hour or whatever the period is, a period begins with a bin.
GRID: Final = 946_684_800 * 1_000_000_000
#: Later than every time: the end of a range without end.
FOREVER: Final = Time(_END)


#: Year, month, day, and the day of the year if that was written.
_Date: TypeAlias = tuple[int, int, int, int | None]


class _Fields(NamedTuple):
    """The parts of a time as written; `ordinal` is the day of the year, if that is in place of month and day."""

    year: int
    month: int = 1
    day: int = 1
    ordinal: int | None = None
    hour: int = 0
    minute: int = 0
    second: int = 0
    nanosecond: int = 0


def _fail(text: str, reason: str = "") -> NoReturn:
    """Refuse the text of a time."""
    shown = text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
    because = f": {reason}" if reason else ""
    message = f"{shown!r} is no time{because}. Write one like 2017-01-15T10:30:00, 2017-015T10:30 or now-PT10M."
    raise QueryError(message, kind="query.bad-time")


def parse_time(text: str, *, now: Time | None = None) -> Time:
    """The time that `text` writes; `now` stands for the present, which is read from the clock if it is not given.

    Digits beyond the nanosecond are cut off. `24:00` is midnight at the end of the day; `:60` is accepted where the
    table has a leap second. Raises `QueryError` (`query.bad-time`) that names the text.
    """
    clean = text.strip()
    if len(clean) > _LONGEST:
        _fail(text)
    if clean.lower() == "forever":
        return FOREVER
    relative = _NOW.fullmatch(clean)
    if relative:
        sign, duration = relative.groups()
        start = now or Time(time.time_ns())
        return start.shifted(parse_duration(duration) * (-1 if sign == "-" else 1)) if duration else start
    return _moment(text, _iso(clean) or _classic(text, clean))


def _iso(text: str) -> _Fields | None:
    """The fields of an ISO 8601 time, or None if it is written in another way."""
    match = _ISO.fullmatch(text)
    if not match:
        return None
    year, month, day, hour, minute, second, fraction = match.groups()
    if (hour and not day) or (day and (len(day) == 3) == bool(month)):
        return None
    ordinal = int(day) if day and not month else None
    date_fields = int(year), int(month or 1), int(day) if day and month else 1, ordinal
    return _Fields(*date_fields, int(hour or 0), int(minute or 0), int(second or 0), _fraction(fraction))


def _fraction(digits: str | None) -> int:
    """The nanoseconds of the digits behind the point."""
    return int((digits or "")[:9].ljust(9, "0"))


def _classic(text: str, clean: str) -> _Fields:
    """The fields by the heuristics of classic das programs: names of months, slashes, years of two digits."""
    clock = _CLOCK.search(clean)
    hour, minute, second, fraction = clock.groups() if clock else ("0", "0", "0", "")
    words = [word for word in re.split(r"[\s/\-_,.;]+", clean[: clock.start()] if clock else clean) if word]
    year, month, day, ordinal = _classic_date(text, words)
    if year < 100:
        year += 1900
    return _Fields(year, month, day, ordinal, int(hour), int(minute), int(second or 0), _fraction(fraction))


def _classic_date(text: str, words: list[str]) -> _Date:
    """Year, month, day and day of the year from the words of a date."""
    names = [word.lower() for word in words if word.isalpha()]
    digits = [word for word in words if not word.isalpha()]
    if not all(word.isascii() and word.isdigit() and len(word) <= 4 for word in digits):
        _fail(text)
    numbers = [int(word) for word in digits]
    date_fields = _named_month(names, numbers) if names else _numbers(digits, numbers)
    return date_fields or _fail(text)


def _named_month(names: list[str], numbers: list[int]) -> _Date | None:
    """The date of one name of a month (three letters or more) with a year and perhaps a day; the year may be first."""
    months = [number for number, name in enumerate(_MONTHS, 1) if len(names[0]) > 2 and name.startswith(names[0])]
    if len(names) > 1 or not months:
        return None
    match numbers:
        case [year]:
            return year, months[0], 1, None
        case [year, day] if year > 31:
            return year, months[0], day, None
        case [day, year]:
            return year, months[0], day, None
    return None


def _numbers(digits: list[str], numbers: list[int]) -> _Date | None:
    """The date of two or three numbers; one above 31 or of four digits is a year, and the month precedes the day."""
    found: _Date | None = None
    match numbers:
        case [year, ordinal] if len(digits[1]) == 3:
            found = year, 1, 1, ordinal
        case [year, month] if year > 31:
            found = year, month, 1, None
        case [month, year] if year > 31:
            found = year, month, 1, None
        case [year, month, day] if year > 31 or len(digits[0]) == 4:
            found = year, month, day, None
        case [day, month, year] if day > 12:
            found = year, month, day, None
        case [month, day, year]:
            found = year, month, day, None
    return found


def _moment(text: str, fields: _Fields) -> Time:
    """The time with these fields. Raises `QueryError` for one that does not exist."""
    year, month, day, ordinal, hour, minute, second, nanosecond = fields
    try:
        days = date(year, month, day).toordinal() - _ORDINAL_1970
    except ValueError as error:
        _fail(text, str(error))
    if ordinal is not None:
        days += ordinal - 1
        if not 1 <= ordinal <= date(year, 12, 31).timetuple().tm_yday:
            _fail(text, f"{year} has no day {ordinal}")
    if hour == 24 and not (minute or second or nanosecond):
        days, hour = days + 1, 0
    if hour > 23 or minute > 59 or second > 60:
        _fail(text, f"a clock never shows {hour:02d}:{minute:02d}:{second:02d}")
    ns = days * _DAY + (hour * 3600 + minute * 60 + second) * _SECOND + nanosecond
    if second == 60:
        if (hour, minute) != (23, 59) or days not in leap_seconds().days:
            _fail(text, "there is no leap second then")
        last = (days + 1) * _DAY - 1
        return Time(last, ns - last)
    if ns >= _END:
        _fail(text, "the last year is 9999")
    return Time(ns)


def format_time(t: Time, digits: int | None = None) -> str:
    """The time as `YYYY-MM-DDThh:mm:ss[.f…]`, without `Z`; `FOREVER` is `forever`.

    `digits` (0 to 9) are those behind the point; None gives 0, 3, 6 or 9 of them, the fewest that lose nothing. What
    lies halfway goes to the even digit, and rounding carries through minutes, days and years: `:60` is written only for
    a time inside a leap second. In the last instant of 9999 nothing can carry, and the rest is cut off.
    """
    if t.ns >= _END:
        return "forever"
    ns = t.leap - 1 if t.leap else t.ns
    if digits is None:
        digits = next(count for count in (0, 3, 6, 9) if ns % 10 ** (9 - count) == 0)
    unit = 10 ** (9 - digits)
    count, rest = divmod(ns, unit)
    rounded = (count + (2 * rest > unit or (2 * rest == unit and count % 2))) * unit
    if t.leap and rounded < _SECOND:
        days, minutes, second = t.ns // _DAY, 1439, 60
    else:
        rounded = t.ns + 1 if t.leap else rounded
        rounded = rounded if rounded < _END else ns // unit * unit
        days, minutes, second = rounded // _DAY, rounded // _SECOND % 86400 // 60, rounded // _SECOND % 60
    text = f"{date.fromordinal(days + _ORDINAL_1970)}T{minutes // 60:02d}:{minutes % 60:02d}:{second:02d}"
    return f"{text}.{rounded % _SECOND // unit:0{digits}d}" if digits else text


def parse_duration(text: str) -> int:
    """The nanoseconds of an ISO 8601 duration such as `PT10M` or `P1DT12H`, which may begin with a minus.

    Raises `QueryError` for anything else, and for years and months, whose length is not fixed.
    """
    match = _DURATION.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if not match:
        message = f"{text[:_LONGEST]!r} is no duration. Write weeks, days, hours, minutes, seconds like P1D or PT1H30M."
        raise QueryError(message, kind="query.bad-time")
    sign, *numbers = match.groups()
    total = 0
    for number, unit in zip(numbers, _DURATION_UNITS, strict=True):
        whole, _, fraction = (number or "0").replace(",", ".").partition(".")
        total += int(whole) * unit + int(fraction or 0) * unit // 10 ** len(fraction)
    return -total if sign else total


def parse_quantity(text: str) -> tuple[float, str]:
    """The number and the unit of a quantity such as `60 ms`; the unit may be empty. Raises `QueryError`."""
    match = _QUANTITY.fullmatch(text.strip()) if len(text) <= _LONGEST else None
    if not match:
        message = f"{text[:_LONGEST]!r} is no quantity. Write a number and its unit, like 60 ms or 10 min."
        raise QueryError(message, kind="query.bad-value")
    return float(match[1]), match[2]


def seconds(text: str) -> float:
    """The seconds of a quantity of time such as `60 ms`, `10 min` or `2 days`, or of an ISO 8601 duration.

    Raises `QueryError` for another unit, and for none.
    """
    if text.lstrip(" -")[:1] in ("P", "p"):
        return parse_duration(text) / _SECOND
    value, unit = parse_quantity(text)
    if unit not in _TIME_UNITS:
        given = f"{unit!r} is no unit of time" if unit else "it has no unit"
        raise QueryError(f"{text!r}: {given}. Write ns, μs, ms, s, min, h or days.", kind="query.bad-value")
    up, down = _TIME_UNITS[unit]
    return value * up / down


def parse_range(text: str, *, now: Time | None = None) -> tuple[Time, Time]:
    """The half-open range `[A, B)` that `A to B` or `A/B` writes; an end may be a duration from the other one.

    A trailing ` UTC` is ignored. Raises `QueryError`: `query.bad-time`, and `query.bad-range` where A is not before B.
    """
    clean = re.sub(r"\s+UTC$", "", text.strip())
    ends = re.split(r"\s+to\s+", clean)
    if len(ends) == 1:  # dates may hold slashes too: the one in the middle parts the two ends
        parts = clean.split("/")
        half = len(parts) // 2
        ends = ["/".join(parts[:half]), "/".join(parts[half:])] if len(parts) % 2 == 0 else []
    if len(ends) != 2 or not all(ends):
        shown = text[: 2 * _LONGEST]
        message = f"{shown!r} is no range of time. Write 2017-01-15/2017-01-16 or 2017-01-15 to 2017-01-16."
        raise QueryError(message, kind="query.bad-time")
    now = now or Time(time.time_ns())
    first, last = (end.strip() for end in ends)
    if last[:1] in ("P", "p"):
        begin = parse_time(first, now=now)
        end = begin.shifted(parse_duration(last))
    elif first[:1] in ("P", "p"):
        end = parse_time(last, now=now)
        begin = end.shifted(-parse_duration(first))
    else:
        begin, end = parse_time(first, now=now), parse_time(last, now=now)
    if begin >= end:
        message = f"The range {text!r} is empty: it begins at {begin} and ends at {end}."
        raise QueryError(message, kind="query.bad-range")
    return begin, end


def to_tt2000(t: Time) -> int:
    """The TT2000 of a time: nanoseconds since 2000-01-01T12:00:00 TT, leap seconds counted."""
    return tt2000_of_utc(t.ns, t.leap)


def from_tt2000(tt2000: int) -> Time:
    """The time of a TT2000, exactly, also inside a leap second."""
    return Time(*utc_of_tt2000(tt2000))

# SPDX-License-Identifier: GPL-3.0-or-later
"""The periods of blocks: where a UTC second, minute, hour, day, month or year begins, and how its file is called.

Times are nanoseconds since 1970-01-01, leap seconds not counted, as `Time.ns`: a leap second belongs to the period
before it. The calendar is the Gregorian one, from the year 1 to 9999.

    >>> month = PERIODS["month"]
    >>> from dasflex_core.times import Time, parse_time
    >>> begin = month.snap(parse_time("2024-02-29T12:00").ns)
    >>> str(Time(begin)), str(Time(month.next(begin))), month.name(begin), month.folders(begin)
    ('2024-02-01T00:00:00', '2024-03-01T00:00:00', '2024-02', ('2024',))
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final

from dasflex_core.errors import ConfigError, QueryError, did_you_mean
from dasflex_core.times import FOREVER
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["PERIODS", "Period", "can_be_told", "period"]

_SECOND: Final = 1_000_000_000
_DAY: Final = 86400 * _SECOND
_ORDINAL_1970: Final = 719163  # date(1970, 1, 1).toordinal()
_FIRST: Final = (1 - _ORDINAL_1970) * _DAY


def can_be_told(begin: int, end: int) -> bool:
    """Whether a range lies within the years 1 to 9999, and ends before what is taken for the end of all times.

    >>> can_be_told(0, 1), can_be_told(_FIRST - 1, 0), can_be_told(0, FOREVER.ns)
    (True, False, False)
    """
    return begin >= _FIRST and end < FOREVER.ns


@dataclass(frozen=True, slots=True)
class Period:
    """A period of UTC.

    `length` is its nanoseconds, 0 where that differs (`month`, `year`); `fields` counts the fields of time that the
    names of its files have (das-streams 6.2).
    """

    word: str
    length: int
    fields: int

    def snap(self, ns: int) -> int:
        """Where the period that holds this time begins. Raises `QueryError` outside the years 1 to 9999."""
        if not _FIRST <= ns < FOREVER.ns:
            raise QueryError("a block lies within the years 0001 to 9999", kind="query.bad-time")
        if self.length:
            return ns // self.length * self.length
        day = date.fromordinal(ns // _DAY + _ORDINAL_1970)
        first = day.replace(day=1) if self.word == "month" else day.replace(month=1, day=1)
        return (first.toordinal() - _ORDINAL_1970) * _DAY

    def next(self, ns: int) -> int:
        """Where the period behind the one that holds this time begins; behind the last it is that of `FOREVER`."""
        begin = self.snap(ns)
        if self.length:
            return begin + self.length
        first = date.fromordinal(begin // _DAY + _ORDINAL_1970)
        if self.word == "month" and first.month < 12:
            return (first.replace(month=first.month + 1).toordinal() - _ORDINAL_1970) * _DAY
        if first.year == date.max.year:
            return FOREVER.ns
        return (date(first.year + 1, 1, 1).toordinal() - _ORDINAL_1970) * _DAY

    def over(self, begin: int, end: int) -> Iterator[tuple[int, int]]:
        """The periods that overlap [begin, end), as half-open ranges in the order of time."""
        at = begin
        while at < end:
            first, at = self.snap(at), self.next(at)
            yield first, at

    def count(self, begin: int, end: int) -> int:
        """How many periods overlap [begin, end).

        >>> PERIODS["month"].count(0, 32 * _DAY), PERIODS["second"].count(0, 2 * _SECOND + 1)
        (2, 3)
        """
        if begin >= end:
            return 0
        first, last = self.snap(begin), self.next(end - 1)
        if self.length:
            return (last - first) // self.length
        return sum(1 for _each in self.over(first, last))

    def name(self, ns: int) -> str:
        """How the file of the period that holds this time begins: `2031-04-02`, `2031-04-02T11-05`."""
        return _named(_parts(ns, self.fields))

    def folders(self, ns: int) -> tuple[str, ...]:
        """The folders of that file below its level."""
        return _parts(ns, self.fields)[:-1]

    def path(self, ns: int) -> str:
        """Both: `2031/04/2031-04-02`."""
        parts = _parts(ns, self.fields)
        return "/".join((*parts[:-1], _named(parts)))

    def divides(self, width: int) -> bool:
        """Whether bins of that many nanoseconds, on the grid since 1970, never lie across a boundary."""
        return width > 0 and (self.length or _DAY) % width == 0


def _named(parts: tuple[str, ...]) -> str:
    """Fields of time as the name of a file has them."""
    days, clock = "-".join(parts[:3]), "-".join(parts[3:])
    return f"{days}T{clock}" if clock else days


def _parts(ns: int, fields: int) -> tuple[str, ...]:
    """The first of year, month, day, hour, minute and second, as text with their zeros."""
    days, second = divmod(ns // _SECOND, 86400)
    day = date.fromordinal(days + _ORDINAL_1970)
    parts: tuple[str, ...] = (f"{day.year:04d}", f"{day.month:02d}", f"{day.day:02d}")
    if fields > len(parts):
        parts += (f"{second // 3600:02d}", f"{second // 60 % 60:02d}", f"{second % 60:02d}")
    return parts[:fields]


#: Every period by its word, the shortest first.
PERIODS: Final[Mapping[str, Period]] = {
    "second": Period("second", _SECOND, 6),
    "minute": Period("minute", 60 * _SECOND, 5),
    "hour": Period("hour", 3600 * _SECOND, 4),
    "day": Period("day", _DAY, 3),
    "month": Period("month", 0, 2),
    "year": Period("year", 0, 1),
}


def period(word: str) -> Period:
    """The period of that word. Raises `ConfigError` for another."""
    if word not in PERIODS:
        message = f"{word!r} is no period of blocks: {', '.join(PERIODS)}.{did_you_mean(word, PERIODS)}"
        raise ConfigError(message, kind="config.bad-value")
    return PERIODS[word]

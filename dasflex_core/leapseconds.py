# SPDX-License-Identifier: GPL-3.0-or-later
"""The leap-second table, and the conversion of one time between UTC and TT2000.

The table ships as `leap_seconds.txt`; the environment variable `DASFLEX_LEAP_SECONDS` may name another, in the same
form or in that of the CDF library's `CDFLeapSeconds.txt`. Vectorised conversions are in `dasflex_core.epochs`.

TT2000 is the time of CDF files: nanoseconds since 2000-01-01T12:00:00 TT, leap seconds counted, where
TT = TAI + 32.184 s. From 1960 to 1971 TAI - UTC ran with a drift; as the CDF library does, it is evaluated at noon and
held for the day, and before 1960 it is 0. UTC is a count of nanoseconds since 1970-01-01 without leap seconds.
"""

from __future__ import annotations

import os
from bisect import bisect_right
from datetime import date
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Final

from dasflex_core.errors import ConfigError, Place
from dasflex_core.values import dataclass

__all__ = ["TT2000_LESS_UTC", "LeapSeconds", "leap_seconds", "tt2000_of_utc", "utc_of_tt2000"]

_SECOND: Final = 1_000_000_000
_DAY: Final = 86400 * _SECOND
_ORDINAL_1970: Final = 719163  # date(1970, 1, 1).toordinal()
_MJD_1970: Final = 40587
#: TT2000 less UTC, both in nanoseconds from their own zero, where TAI - UTC is 0.
TT2000_LESS_UTC: Final = 32_184_000_000 - 946_728_000 * _SECOND
_COMMENTS: Final = ("#", ";")


@dataclass(frozen=True, slots=True, eq=False)  # a table is itself: comparing thousands of steps would be slow
class LeapSeconds:
    """TAI - UTC as steps: from `starts[i]` (UTC, ns) on it is `offsets[i]` (ns).

    `instants[i]` is the TT2000 at which step i begins. `days` are the days since 1970-01-01 whose last minute has a
    second 60. `expires` is the day from which another leap second may have been announced, None where the table does
    not say. `source` is the path of the table.
    """

    source: str
    expires: date | None
    starts: tuple[int, ...]
    offsets: tuple[int, ...]
    instants: tuple[int, ...]
    days: frozenset[int]


@dataclass(frozen=True, slots=True)
class _Rule:
    """One row of the table: from `day` on, TAI - UTC is offset + (MJD - reference) · drift, in ns and ns per day."""

    day: int
    offset: int
    reference: int = 0
    drift: int = 0

    def at(self, day: int) -> int:
        """TAI - UTC on that day, in ns; a drift is taken at noon."""
        return self.offset + (2 * (day + _MJD_1970 - self.reference) + 1) * self.drift // 2


def leap_seconds() -> LeapSeconds:
    """The table in use. Raises `ConfigError` if it cannot be read."""
    named = os.environ.get("DASFLEX_LEAP_SECONDS")
    return _load(named or str(Path(__file__).with_name("leap_seconds.txt")))


@cache
def _load(path: str) -> LeapSeconds:
    """The table in that file."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The leap-second table {path} cannot be read: {error}", kind="config.unreadable") from error
    rules: list[_Rule] = []
    expires = None
    for number, line in enumerate(text.splitlines(), 1):
        try:
            if line.startswith(_COMMENTS):
                label, _, value = line[1:].partition(":")
                expires = date.fromisoformat(value.strip()) if label.strip() == "Expires" else expires
            elif line.strip():
                rules.append(_rule(line.split()))
        except ValueError as error:
            message = f"{Place(path, number)}: {line.strip()!r} is no row like '2017-01-01 37'"
            raise ConfigError(message, kind="config.bad-value") from error
    if not rules or any(later.day <= rule.day for rule, later in pairwise(rules)):
        message = f"The leap-second table {path} needs rows with ascending dates"
        raise ConfigError(message, kind="config.bad-value")
    return _steps(path, expires, rules)


def _rule(words: list[str]) -> _Rule:
    """The row with those words: the date in one word or in three. Raises `ValueError`."""
    if "-" not in words[0]:
        words = ["-".join(word.zfill(2) for word in words[:3]), *words[3:]]
    day = date.fromisoformat(words[0]).toordinal() - _ORDINAL_1970
    match words[1:]:
        case [offset]:
            return _Rule(day, _nanoseconds(offset))
        case [offset, reference, drift]:
            return _Rule(day, _nanoseconds(offset), int(float(reference)), _nanoseconds(drift))
        case _:
            raise ValueError


def _nanoseconds(text: str) -> int:
    """Decimal seconds as nanoseconds."""
    return round(float(text) * 1e9)


def _steps(source: str, expires: date | None, rules: list[_Rule]) -> LeapSeconds:
    """The table whose steps follow from the rules: one for each rule without drift, one a day for the others."""
    starts, offsets = [-(2**63)], [0]
    for rule, later in zip(rules, [*rules[1:], None], strict=True):
        last = later.day if rule.drift and later else rule.day + 1
        for day in range(rule.day, last):
            starts.append(day * _DAY)
            offsets.append(rule.at(day))
    instants = [start + offset + TT2000_LESS_UTC for start, offset in zip(starts, offsets, strict=True)]
    days = frozenset(
        later.day - 1 for rule, later in pairwise(rules) if not rule.drift and later.offset - rule.offset == _SECOND
    )
    return LeapSeconds(source, expires, tuple(starts), tuple(offsets), tuple(instants), days)


def tt2000_of_utc(ns: int, leap: int = 0) -> int:
    """The TT2000 of a UTC time; `leap` is how far inside a leap second it is (see `dasflex_core.times.Time`)."""
    table = leap_seconds()
    step = max(bisect_right(table.starts, ns) - 1, 0)
    return ns + leap + table.offsets[step] + TT2000_LESS_UTC


def utc_of_tt2000(tt2000: int) -> tuple[int, int]:
    """The UTC time of a TT2000: nanoseconds since 1970, and how far inside a leap second it is (0: not in one).

    Inside a leap second the first number stays on the last nanosecond before it.
    """
    table = leap_seconds()
    step = max(bisect_right(table.instants, tt2000) - 1, 0)
    ns = tt2000 - table.offsets[step] - TT2000_LESS_UTC
    if step + 1 < len(table.starts) and ns >= table.starts[step + 1]:
        last = table.starts[step + 1] - 1
        return last, ns - last
    return ns, 0

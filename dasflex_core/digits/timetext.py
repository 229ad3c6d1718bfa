# SPDX-License-Identifier: GPL-3.0-or-later
"""Columns of times as ISO 8601 text, both ways: `YYYY-MM-DDThh:mm:ss[.f…]` and its kin to and from datetime64[ns].

Writing cuts a time into the day, the minute of the day, the second and the fraction, each of which a table turns into
a word of bytes. Reading takes the layout (calendar or ordinal, how far it goes) from a row and reads the rows that
follow it column by column; other texts go to `dasflex_core.times.parse_time`, so every form it knows is read.

A datetime64[ns] reaches from 1677-09-21 to 2262-04-11 and has no leap seconds. Times outside, such as the fill time
0001-01-01 (das-streams 2.10), are NaT; a time inside a leap second is the last nanosecond before it.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import numpy as np

from dasflex_core.digits import powers
from dasflex_core.digits.numerals import byte_matrix
from dasflex_core.errors import QueryError, SourceError
from dasflex_core.times import parse_time

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes: TypeAlias = NDArray[np.uint8]
    Flags: TypeAlias = NDArray[np.bool_]
    Integers: TypeAlias = NDArray[np.int64]
    Times: TypeAlias = NDArray[np.datetime64]

__all__ = ["FILL_TIME", "iso_times", "iso_width", "parse_iso"]

#: The text of a time that is missing (das-streams 2.10); a fraction of zeros follows where there are digits.
FILL_TIME: Final = "0001-01-01T00:00:00"

_SECOND: Final = 1_000_000_000
_DAY: Final = 86400 * _SECOND
_NAT: Final = -(2**63)
_LAST: Final = 2**63 - 1
_BLOCK: Final = 16384  # times per block: its arrays stay in a cache
_FIRST_YEAR: Final = 1678  # the whole years of datetime64[ns]
_YEARS: Final = 2262 - 1678
_GAPS: Final = " \n\r\t\0"
_SAMPLES: Final = 8  # rows that are tried for a layout
_LAYOUT: Final = re.compile(
    rb"[ \t]*(\d{4})(?:-(\d\d))?(?:-(\d{2,3}))?(?:[T ](\d\d)(?::(\d\d)(?::(\d\d)(?:\.(\d+))?)?)?)?[ \n\r\t\0Z]*"
)


def iso_width(digits: int) -> int:
    """The width of a time with that many digits behind the point."""
    return 20 + digits if digits else 19


def iso_times(times: Times, digits: int, *, out: Bytes | None = None) -> Bytes:
    """The text `YYYY-MM-DDThh:mm:ss[.f…]` of each time, as bytes of shape (*times.shape, iso_width(digits)).

    `digits` is 0 to 9. What lies halfway goes to the even digit, as where C prints seconds (das-streams 2.5), and
    rounding carries through minutes, days and years, so `:60` never appears. NaT is the fill time. A shorter form of a
    time (`YYYY-MM-DDThh:mm`) is the beginning of its row. `out`, if given, is written to and returned: any array of
    that shape whose last axis is contiguous. Raises `QueryError` for digits that cannot be.
    """
    if not 0 <= digits <= 9:
        raise QueryError(f"A time has 0 to 9 digits of a second, not {digits}", kind="query.bad-value")
    times = np.asarray(times)
    if out is None:
        out = np.empty((*times.shape, iso_width(digits)), dtype=np.uint8)
    if times.ndim == 0:
        iso_times(times[np.newaxis], digits, out=out[np.newaxis])
        return out
    step = max(1, _BLOCK * len(times) // max(1, times.size))
    for first in range(0, len(times), step):
        block = times[first : first + step].astype("M8[ns]")
        _write_block(out[first : first + step], block, digits)
    return out


def _write_block(rows: Bytes, times: Times, digits: int) -> None:
    """Write the rows of one block; what a word overlaps on its left is written later."""
    if times.size == 0:
        return
    unit = 10 ** (9 - digits)
    missing = np.isnat(times)
    ns = np.where(missing, 0, times.ravel().view(np.int64).reshape(times.shape))
    if unit > 1:
        ns = np.minimum(ns, _LAST - unit // 2) + unit // 2
    day = ns // _DAY
    ns -= day * _DAY
    second = (ns // _SECOND).astype(np.uint32)
    ns -= second * np.int64(_SECOND)
    fraction = (ns // unit).astype(np.uint32)
    if unit > 1:
        halfway = ns == fraction * np.int64(unit)  # it went up: an odd digit goes back, which borrows nothing
        if halfway.any():
            last = fraction if digits else second
            last -= halfway & (last & np.uint32(1) == 1)
    for end in range(rows.shape[-1], 20, -4):
        rest = fraction // np.uint32(10000)
        powers.put_word(rows, end - 4, powers.quads().take(fraction - rest * np.uint32(10000)))
        fraction = rest
    if digits:
        rows[..., 19] = ord(".")
    _put_dates(rows, day)
    minute = second // np.uint32(60)
    powers.put_word(rows, 11, _clocks().take(minute))
    powers.put_word(rows, 17, _pairs().take(second - minute * np.uint32(60)))
    if missing.any():
        text = FILL_TIME + (f".{0:0{digits}d}" if digits else "")
        rows[missing] = np.frombuffer(text.encode(), dtype=np.uint8)


def _put_dates(rows: Bytes, day: Integers) -> None:
    """Write `YYYY-MM-DDT` and one byte more. The texts of neighbouring days are made once."""
    first, last = int(day.min()), int(day.max())
    if last - first < day.size:
        texts, place = _dates(np.arange(first, last + 1)), day - first
    else:
        texts, place = _dates(day.ravel()), np.arange(day.size)
    powers.put_word(rows, 0, texts[:, :8].view(np.dtype("<u8"))[:, 0].take(place))
    powers.put_word(rows, 8, texts[:, 8:].view(np.dtype("<u4"))[:, 0].take(place))


def _dates(days: Integers) -> Bytes:
    """The text `YYYY-MM-DDT?` of days since 1970, as rows of 12 bytes."""
    dates = days.astype("M8[D]")
    months = dates.astype("M8[M]")
    month_count = months.astype(np.int64)
    rows = np.full((len(days), 12), ord("-"), dtype=np.uint8)
    powers.put_word(rows, 0, powers.quads().take(month_count // 12 + 1970))
    powers.put_word(rows, 5, _pairs().take(month_count % 12 + 1))
    powers.put_word(rows, 8, _pairs().take((dates - months.astype("M8[D]")).astype(np.int64) + 1))
    rows[:, 10] = ord("T")
    return rows


@cache
def _pairs() -> NDArray[np.uint16]:
    """The two digits of 0 to 99 as a 16-bit word."""
    pairs = (powers.quads()[:100] >> np.uint32(16)).astype("<u2")
    pairs.flags.writeable = False
    return pairs


@cache
def _clocks() -> NDArray[np.uint64]:
    """The text `hh:mm:00` of each minute of a day, as a 64-bit word."""
    text = "".join(f"{minute // 60:02d}:{minute % 60:02d}:00" for minute in range(1440))
    return np.frombuffer(text.encode(), dtype="<u8")


class _Layout(NamedTuple):
    """Where the text of a time begins, whether its date is ordinal, where its fraction starts (or 0), where it ends."""

    begin: int
    ordinal: bool
    fields: tuple[tuple[int, int], ...]  # of year, month, day (or day of the year), hour, minute, second: [begin, end)
    fraction: tuple[int, int]
    separators: tuple[tuple[int, bytes], ...]
    end: int


def parse_iso(text: NDArray[Any]) -> Times:
    """The times of fixed-width texts as datetime64[ns]; blanks give NaT, as do times that it cannot hold.

    `text` is uint8 of shape (…, width), or an `S` array; the answer has the shape without the width. Every form of
    das-streams 2.5 and 2.10 is read. Digits beyond the nanosecond are cut off. `:60` where there is no leap second is
    the next minute, since classic programs round so. Raises `SourceError` that names a malformed text.
    """
    rows = byte_matrix(text)
    flat = rows.reshape(-1, rows.shape[-1])
    ns = np.empty(len(flat), dtype=np.int64)
    for first in range(0, len(flat), _BLOCK):
        _read_block(flat[first : first + _BLOCK], ns[first : first + _BLOCK])
    return ns.view("M8[ns]").reshape(rows.shape[:-1])


def _read_block(rows: Bytes, ns: Integers) -> None:
    """Read the times of a block of rows."""
    layout = _layout(rows)
    regular = np.zeros(len(rows), dtype=np.bool_)
    if layout:
        ns[:], regular = _read_columns(np.ascontiguousarray(rows.T), layout)
    known: dict[bytes, int] = {}
    for place in np.flatnonzero(~regular).tolist():
        written = rows[place].tobytes()
        if written not in known:  # odd texts such as fill come again and again
            known[written] = _read_one(written)
        ns[place] = known[written]


def _read_one(written: bytes) -> int:
    """The nanoseconds of one text, or those of NaT."""
    text = written.decode("latin-1").strip(_GAPS)
    if not text:
        return _NAT
    problem = SourceError(f"{text!r} is no time; one is written like 2017-01-15T10:30:00", kind="source.stream")
    if text.lower().startswith(("now", "forever")):  # which are for requests
        raise problem
    try:
        ns = parse_time(text).ns
    except QueryError:
        ns = _carried(text, problem)
    return ns if _NAT < ns <= _LAST else _NAT


def _carried(text: str, problem: SourceError) -> int:
    """The nanoseconds of a time that classic programs rounded to `:60`. Raises the problem for another text."""
    before, count = re.subn(r"(\d:\d\d):60(?=\D|$)", r"\1:59", text)
    if not count:
        raise problem
    try:
        return parse_time(before).ns + _SECOND
    except QueryError:
        raise problem from None


def _layout(rows: Bytes) -> _Layout | None:
    """The layout of the first rows that have one, or None."""
    for row in rows[:_SAMPLES]:
        match = _LAYOUT.fullmatch(row.tobytes())
        if not match:
            continue
        _, month, day, hour, *_ = match.groups()
        if (hour and not day) or (day and (len(day) == 3) == bool(month)):
            continue
        fields = tuple(match.span(group) for group in range(1, 7) if match[group])
        marks = {2: b"-", 3: b"-", 4: b"T ", 5: b":", 6: b":", 7: b"."}
        separators = tuple((match.start(group) - 1, mark) for group, mark in marks.items() if match[group])
        fraction = match.span(7) if match[7] else (0, 0)
        end = max(match.end(group) for group in range(1, 8))
        return _Layout(match.start(1), bool(day) and not month, fields, fraction, separators, end)
    return None


@cache
def _month_starts() -> Integers:
    """The first day, since 1970, of each month from 1678 to the January after the last whole year."""
    months = np.arange(12 * (_FIRST_YEAR - 1970), 12 * (_FIRST_YEAR + _YEARS - 1970) + 1).astype("M8[M]")
    starts = months.astype("M8[D]").astype(np.int64)
    starts.flags.writeable = False
    return starts


def _read_columns(columns: Bytes, layout: _Layout) -> tuple[Integers, Flags]:
    """The nanoseconds of all rows, and where they are right; `columns` has the shape (width, rows)."""
    count = columns.shape[1]
    digits = columns - np.uint8(0x30)
    regular = np.ones(count, dtype=np.bool_)
    for place, marks in layout.separators:
        regular &= np.logical_or.reduce([columns[place] == mark for mark in marks])
    for place in (*range(layout.begin), *range(layout.end, len(columns))):
        regular &= np.logical_or.reduce([columns[place] == ord(gap) for gap in _GAPS + "Z"])
    parts = [_number(digits, begin, end, regular) for begin, end in layout.fields]
    days = _days(parts, layout, regular)
    clock = np.zeros(count, dtype=np.int64)
    for part, limit, size in zip(parts[2 if layout.ordinal else 3 :], (24, 60, 60), (3600, 60, 1), strict=False):
        regular &= part < limit
        clock += part * size
    begin, end = layout.fraction
    used = min(end, begin + 9)
    for place in range(used, end):
        regular &= digits[place] < 10
    clock *= _SECOND
    clock += _number(digits, begin, used, regular) * 10 ** (9 - (used - begin))
    clock += days * _DAY
    return clock, regular


def _number(digits: Bytes, begin: int, end: int, regular: Flags) -> Integers:
    """The numbers of the columns [begin, end); `regular` is cleared where there is no digit."""
    number = np.zeros(digits.shape[1], dtype=np.int64)
    for place in range(begin, end):
        number *= 10
        number += digits[place]
        regular &= digits[place] < 10
    return number


def _days(parts: list[Integers], layout: _Layout, regular: Flags) -> Integers:
    """The days since 1970 of the dates; `regular` is cleared for those that do not exist, or not in these years."""
    year = parts[0] - _FIRST_YEAR
    regular &= (year >= 0) & (year < _YEARS)
    first = year * 12
    span = 12
    day: Integers | np.int64 = np.int64(0)
    if layout.ordinal:
        day = parts[1] - 1
    elif len(parts) > 1:
        regular &= (parts[1] >= 1) & (parts[1] <= 12)
        first += parts[1] - 1
        span = 1
        day = parts[2] - 1 if len(parts) > 2 else day
    starts = _month_starts()
    begin = starts.take(first, mode="clip")
    regular &= (day >= 0) & (begin + day < starts.take(first + span, mode="clip"))
    return begin + day

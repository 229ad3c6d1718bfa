# SPDX-License-Identifier: GPL-3.0-or-later
"""What the log viewer knows: read from the logs at each request, within a time and a number that bound it.

Nothing here is asked of a path that a client writes: days, addresses and ids are held against patterns, and files are
those that the directory of logs lists.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from datetime import UTC, date, datetime, timedelta
from heapq import nlargest
from itertools import groupby
from operator import attrgetter
from stat import S_ISREG
from typing import TYPE_CHECKING, Final

from dasflex_cgi.log_view_model import (
    LEAST_ERROR,
    Address,
    Addresses,
    Day,
    Days,
    Entries,
    Found,
    OneRequest,
    Sources,
    SourceUse,
    Span,
    Tail,
    Tally,
    Wanted,
)
from dasflex_core.errors import NotFoundError, QueryError, shown
from dasflex_core.log_reading import entries_before, entry_of, last_entries, log_files, rows
from dasflex_core.logs import log_name
from dasflex_core.run.records import read_record

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from dasflex_core.config import Config
    from dasflex_core.log_reading import LogFile
    from dasflex_core.logs import LogEntry

__all__ = [
    "address_of",
    "addresses_on",
    "by_source",
    "day_of",
    "days_of",
    "entries_on",
    "one_request",
    "search",
    "span_of",
    "tail_of",
]

#: Entries on a page, and of the tail.
PAGE: Final = 200
TAIL: Final = 100
#: Files whose ends the tail looks at, those that were written last.
_TAIL_FILES: Final = 40
#: Days that are looked at unless others are asked for.
DAYS: Final = 31
SEARCH_DAYS: Final = 7
#: The days of a span, at the most.
_MOST_DAYS: Final = 3_700
#: Seconds that a page may read for.
_COUNTING: Final = 2.0
_SEARCHING: Final = 5.0
#: Bytes of what programs said that are shown, from the end on.
_SAID: Final = 1 << 16
#: Addresses of one day on a page.
_MOST_ADDRESSES: Final = 1_000
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d")
_ADDRESS: Final = re.compile(r"[0-9A-Za-z.:-]{1,64}")
_REQUEST: Final = re.compile(r"[0-9a-z]{22}")
_PLACE: Final = re.compile(r"(\d{1,4})-(\d{1,15})")
_PART: Final = re.compile(r"\.log(?:\.(\d{1,4}))?(?:\.gz)?")
_DIGITS: Final = "0123456789abcdefghjkmnpqrstvwxyz"


class Budget:
    """The seconds that an answer may read for."""

    def __init__(self, seconds: float) -> None:
        self._until = time.monotonic() + seconds

    @property
    def spent(self) -> bool:
        """Whether they are over."""
        return time.monotonic() > self._until


# -- what is asked for


def span_of(since: str, until: str, days: int) -> Span:
    """The days that are asked for; those up to today where nothing is said. Raises `QueryError` for what is no day."""
    last = _day(until, "until") if until else datetime.now(UTC).date()
    first = _day(since, "since") if since else last - timedelta(days=days - 1)
    if not 0 <= (last - first).days < _MOST_DAYS:
        raise QueryError(f"since ({first}) must not be after until ({last}), nor more than {_MOST_DAYS} days before it")
    return Span(first.isoformat(), last.isoformat())


def day_of(text: str) -> str:
    """A day. Raises `NotFoundError` for what is none."""
    try:
        return _day(text, "day").isoformat()
    except QueryError:
        raise _nothing(text) from None


def address_of(text: str) -> str:
    """An address as names of files have it; blank for a blank one. Raises `QueryError` for what can be none."""
    plain = text.strip()
    if not plain:
        return ""
    if not _ADDRESS.fullmatch(plain):
        raise QueryError(f"{shown(plain)} is no address; write one as 192.0.2.7 or 2001:db8::1")
    return log_name(plain, 0.0).rpartition("_")[0]


def _day(text: str, name: str) -> date:
    """A day of a query. Raises `QueryError`."""
    plain = text.strip()
    with contextlib.suppress(ValueError, OverflowError):
        if _DAY.fullmatch(plain):
            found = date.fromisoformat(plain)
            _earliest = found - timedelta(days=_MOST_DAYS)
            return found
    raise QueryError(f"{name} is a day such as {datetime.now(UTC).date()}, not {shown(plain)}")


def _nothing(text: str) -> NotFoundError:
    """What is said of what is not there."""
    return NotFoundError(f"There is nothing in the logs at {shown(text)}")


# -- days and addresses


def days_of(config: Config, span: Span, address: str) -> Days:
    """The days with logs."""
    budget = Budget(_COUNTING)
    files = log_files(config.log_path, since=span.since, until=span.until, client=address)
    found: list[Day] = []
    for day, of_day in groupby(reversed(files), key=attrgetter("day")):
        these = list(of_day)
        addresses = len({each.client for each in these})
        found.append(Day(day, addresses, sum(each.bytes for each in these), _counted(these, budget)))
    return Days(span, address, tuple(found), config.log_path.is_dir())


def addresses_on(config: Config, day: str) -> Addresses:
    """The addresses of a day."""
    budget = Budget(_COUNTING)
    files = log_files(config.log_path, since=day, until=day)
    found: list[Address] = []
    for client, of_client in groupby(files, key=attrgetter("client")):
        these = list(of_client)
        if len(found) < _MOST_ADDRESSES:
            size = sum(each.bytes for each in these)
            found.append(Address(client, address_of(client), size, _counted(these, budget)))
    return Addresses(day, tuple(found), len({each.client for each in files}) - len(found))


def _counted(files: Iterable[LogFile], budget: Budget) -> Tally | None:
    """What is in files, all together; None where that would take too long."""
    requests = errors = sent = 0
    for file in files:
        for row in rows(file):
            requests += 1
            errors += row.status >= LEAST_ERROR
            sent += row.bytes
            if not requests % 500 and budget.spent:
                return None
        if budget.spent:
            return None
    return Tally(requests, errors, sent)


def entries_on(config: Config, day: str, address: str, before: str) -> Entries:
    """A page of the entries of an address on a day. Raises `QueryError`, and `NotFoundError` where there are none."""
    files = log_files(config.log_path, since=day, until=day, client=address)[::-1]
    if not files:
        raise _nothing(f"{day}/{address}")
    part, end = _place(before)
    found: list[LogEntry] = []
    older = ""
    for file in files:
        number = _part_of(file)
        if number < part or len(found) == PAGE:
            continue
        for begin, entry in entries_before(file, end if number == part else None):
            found.append(entry)
            if len(found) == PAGE:
                older = f"{number}-{begin}"
                break
    return Entries(day, files[0].client, address, tuple(found), older)


def _place(before: str) -> tuple[int, int | None]:
    """The part of a log, and the byte of it, before which a page begins. Raises `QueryError`."""
    if not before:
        return 0, None
    named = _PLACE.fullmatch(before)
    if named is None:
        raise QueryError(f"before is what a page says of those behind it, not {shown(before)}")
    return int(named[1]), int(named[2])


def _part_of(file: LogFile) -> int:
    """How often a file was begun anew since it was full: 0 for the one that is written to."""
    named = _PART.search(file.path.name)
    return int(named[1] or 0) if named else 0


# -- one request


def one_request(config: Config, identifier: str) -> OneRequest:
    """What is known of a request. Raises `NotFoundError` where nothing is, or for what is no id."""
    request = identifier.strip().lower()
    if not _REQUEST.fullmatch(request) or not set(request) <= set(_DIGITS):
        raise _nothing(identifier)
    entry = _entry_of(config, request)
    record = None
    with contextlib.suppress(NotFoundError):
        record = read_record(request, str(config.requests))
    said, cut = _said_by(config.requests / f"{request}.log")
    if entry is None and record is None and not said:
        raise _nothing(identifier)
    return OneRequest(request, entry, record, said, cut)


def _entry_of(config: Config, request: str) -> LogEntry | None:
    """The entry of a request, on the day that its id says, or where it began just before midnight."""
    milliseconds = 0
    for digit in request[:9]:
        milliseconds = milliseconds * 32 + _DIGITS.index(digit)
    budget = Budget(_SEARCHING)
    try:
        day = datetime.fromtimestamp(milliseconds / 1000, UTC).date()
        before = day - timedelta(days=1)
    except (OverflowError, ValueError, OSError):
        return None
    for file in reversed(log_files(config.log_path, since=before.isoformat(), until=day.isoformat())):
        entry = entry_of(file, request)
        if entry is not None or budget.spent:
            return entry
    return None


def _said_by(path: Path) -> tuple[str, bool]:
    """The end of a plain file, and whether there is more before it; blank where there is none."""
    try:
        opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return "", False
    try:
        facts = os.fstat(opened)
        if not S_ISREG(facts.st_mode):
            return "", False
        first = max(0, facts.st_size - _SAID)
        return os.pread(opened, _SAID, first).decode("utf-8", "replace"), first > 0
    except OSError:
        return "", False
    finally:
        os.close(opened)


# -- sources, search, tail


def by_source(config: Config, span: Span) -> Sources:
    """The use of each source over days, counted from the last day on for as long as there is time."""
    budget = Budget(_SEARCHING)
    found: dict[str, list[int]] = {}
    stopped = ""
    count = 0
    for file in reversed(log_files(config.log_path, since=span.since, until=span.until)):
        for row in rows(file):
            tally = found.setdefault(row.source, [0, 0, 0])
            tally[0] += 1
            tally[1] += row.status >= LEAST_ERROR
            tally[2] += row.bytes
            count += 1
            if not count % 500 and budget.spent:
                break
        if budget.spent:
            stopped = file.day
            break
    uses = [SourceUse(source, Tally(*numbers)) for source, numbers in found.items()]
    return Sources(span, tuple(sorted(uses, key=lambda each: (-each.tally.requests, each.source))), stopped)


def search(config: Config, span: Span, wanted: Wanted, before: str) -> Found:
    """The entries of days that are wanted, the latest days first, at most as many as a page has.

    Raises `QueryError` for a place to go on from that is none.
    """
    budget = Budget(_SEARCHING)
    name, _, place = before.rpartition(":")
    end = _place(f"0-{place}" if before else "")[1]
    files = log_files(config.log_path, since=span.since, until=span.until, client=wanted.address)[::-1]
    names = [each.path.name for each in files]
    if before and name not in names:
        raise QueryError("The logs have changed since; begin the search anew")
    found: list[LogEntry] = []
    count = 0
    for file in files[names.index(name) if before else 0 :]:
        for begin, entry in entries_before(file, end):
            count += 1
            if wanted.fits(entry):
                found.append(entry)
            why = "results" if len(found) == PAGE else "time" if not count % 200 and budget.spent else ""
            if why:
                return Found(span, wanted, tuple(found), count, why, file.day, f"{file.path.name}:{begin}")
        end = None
    return Found(span, wanted, tuple(found), count, "", "", "")


def tail_of(config: Config, address: str, here: str) -> Tail:
    """The entries that ended last, without those of the page at `here` that shows them.

    Those of yesterday are among them: a request is logged on the day that it began.
    """
    today = datetime.now(UTC).date()
    files = log_files(config.log_path, since=(today - timedelta(days=1)).isoformat(), client=address)
    latest = nlargest(_TAIL_FILES, files, key=_written)
    ours = re.compile(re.escape(here) + r"/?(\?.*)?")
    all_ = (entry for file in latest for entry in last_entries(file, TAIL))
    found = (entry for entry in all_ if not ours.fullmatch(entry.target))
    return Tail(address, tuple(nlargest(TAIL, found, key=lambda each: each.time + each.seconds)))


def _written(file: LogFile) -> int:
    """When a file was written last."""
    with contextlib.suppress(OSError):
        return file.path.stat(follow_symlinks=False).st_mtime_ns
    return 0

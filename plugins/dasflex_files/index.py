# SPDX-License-Identifier: GPL-3.0-or-later
"""The index of a collection: which files there are, and the range of time of each, kept in a small database.

A look-up asks the file system only for the directories that may hold files of the range, and lists those that have
changed since (a directory's date changes when a file comes, goes, or is replaced by another). All directories are
looked at once in `ALL_EVERY` seconds. SQLite sees to it that several processes may look and write at once; what one
cannot write it keeps in memory, so that an answer is never older than the directories.
"""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from dasflex_core.errors import ConfigError
from dasflex_core.plan.identity import digest
from dasflex_core.values import dataclass
from dasflex_files.calendar_fields import ALWAYS
from dasflex_files.listing import Listing
from dasflex_files.ranges import read_orbits

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dasflex_files.pattern import Pattern
    from dasflex_files.ranges import Orbits

__all__ = ["ALL_EVERY", "Found", "Index", "OneFile"]

#: Seconds after which directories are looked at that no request has asked for.
ALL_EVERY: Final = 60.0
#: Seconds that one process waits for another that writes.
_PATIENCE: Final = 2.0
#: Grows when the tables change: an index of another form is left alone, and a new one made.
_FORM: Final = 1
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS directory (path TEXT PRIMARY KEY, parent TEXT, date INTEGER, sure INTEGER, begin INTEGER,
  end INTEGER);
CREATE TABLE IF NOT EXISTS file (path TEXT PRIMARY KEY, parent TEXT, begin INTEGER, end INTEGER, reach INTEGER,
  version TEXT, key TEXT, date INTEGER);
CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value TEXT);
CREATE INDEX IF NOT EXISTS file_begin ON file (begin);
CREATE INDEX IF NOT EXISTS file_parent ON file (parent);
CREATE INDEX IF NOT EXISTS file_date ON file (date);
CREATE INDEX IF NOT EXISTS directory_parent ON directory (parent);
"""


@dataclass(frozen=True, slots=True)
class OneFile:
    """A file of the collection: its path, the range [begin, end) that its name says, and its date, in nanoseconds."""

    path: str
    begin: int
    end: int
    date: int


@dataclass(frozen=True, slots=True)
class Found:
    """The files whose range overlaps what was asked, in order of time, and the date of the newest of all.

    The dates of the directories count, too: a file may bring an older date of its own, and one may be gone.
    """

    files: tuple[OneFile, ...]
    newest: float | None


class Index:
    """The index of one collection, kept below a directory; where that is blank or cannot be written, in memory.

    It is open from when it is made until `close`, for one thread. Raises `ConfigError` for a directory of the
    collection that may not be listed.
    """

    def __init__(self, pattern: Pattern, keep: str, clock: Callable[[], float] = time.time) -> None:
        self._pattern = pattern
        self._clock = clock
        self._orbits = _orbits(pattern)
        self._base = _opened(Path(keep, "files", f"{digest([pattern.text, _FORM])}.sqlite") if keep else None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_failure: object) -> None:
        self._base.close()

    def look(self, begin: int, end: int) -> Found:
        """The files that overlap [begin, end), by nanoseconds since 1970."""
        try:
            self._refresh(begin, end)
        except sqlite3.OperationalError:  # locked for long, or not to be written: what is new stays with us
            self._leave()
            self._refresh(begin, end)
        rows = self._base.execute(
            "SELECT path, begin, end, key, date FROM file WHERE begin < ? AND reach > ? AND begin >= ?"
            " ORDER BY begin, version, path",
            (end, begin, max(begin - self._longest(), ALWAYS[0])),
        ).fetchall()
        versioned = any(each.code == "v" for each in self._pattern.fields)
        best = {
            (first, last, key) if versioned else path: OneFile(path, first, last, date)
            for path, first, last, key, date in rows
        }
        files = sorted(filter(None, map(_now, best.values())), key=lambda each: (each.begin, each.path))
        return Found(tuple(files), self._newest(files))

    def last(self, count: int) -> tuple[OneFile, ...]:
        """The last files by their time, the last one first, as they were when the index was looked at."""
        rows = self._base.execute(
            "SELECT path, begin, end, date FROM file ORDER BY begin DESC, version DESC LIMIT ?", (count,)
        ).fetchall()
        return tuple(OneFile(*row) for row in rows)

    def count(self) -> tuple[int, int, int]:
        """How many files there are, and the begin of the first and the end of the last; (0, 0, 0) without any."""
        row = self._base.execute("SELECT COUNT(*), MIN(begin), MAX(end) FROM file").fetchone()
        return (row[0], row[1] or 0, row[2] or 0)

    def fact(self, name: str) -> str:
        """A text that was kept under a name; blank where there is none."""
        row = self._base.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
        return str(row[0]) if row else ""

    def keep(self, **facts: str) -> None:
        """Keeps texts under names, where the index can be written."""
        with suppress(sqlite3.OperationalError), self._base:
            self._base.executemany("INSERT OR REPLACE INTO fact VALUES (?, ?)", list(facts.items()))

    def _leave(self) -> None:
        """Goes on in memory, with what can be read of the file."""
        memory = _connected(":memory:")
        with suppress(sqlite3.OperationalError):
            self._base.backup(memory)
        self._base.close()
        self._base = memory

    def _refresh(self, begin: int, end: int) -> None:
        """Lists the directories that have changed, of those that may have files of the range, or of all."""
        now = self._clock()
        whole = not 0 <= now - float(self.fact("looked") or 0) < ALL_EVERY
        listing = Listing(self._pattern, self._orbits, self._base, None if whole else (begin, end))
        listing.look(self._pattern.root, ())
        if not listing.changed and not whole:
            return
        with self._base:
            listing.write()
            self._base.execute("INSERT OR REPLACE INTO fact VALUES ('longest', '')")
            if whole:
                self._base.execute("INSERT OR REPLACE INTO fact VALUES ('looked', ?)", (repr(now),))

    def _longest(self) -> int:
        """The longest range of a file, in nanoseconds, so that the search need not begin with the first."""
        kept = self.fact("longest")
        if kept:
            return int(kept)
        (found,) = self._base.execute("SELECT MAX(reach - begin) FROM file").fetchone()
        longest = found if isinstance(found, int) else ALWAYS[1]  # beyond 64 bits it is a float
        self.keep(longest=str(longest))
        return longest

    def _newest(self, files: Iterable[OneFile]) -> float | None:
        """The date of the newest file or directory, in seconds since 1970."""
        (file,) = self._base.execute("SELECT MAX(date) FROM file").fetchone()
        if file is None:
            return None
        (directory,) = self._base.execute("SELECT MAX(date) FROM directory").fetchone()
        return max(int(file), int(directory or 0), *(each.date for each in files), 0) / 1e9


def _opened(path: Path | None) -> sqlite3.Connection:
    """The database, made where there is none. One that is broken is thrown away; without a place it is in memory."""
    for _attempt in range(2):
        if path is None:
            break
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            return _connected(str(path))
        except (sqlite3.OperationalError, OSError):
            break
        except sqlite3.DatabaseError:
            path.unlink(missing_ok=True)
    return _connected(":memory:")


def _connected(path: str) -> sqlite3.Connection:
    """A database with its tables."""
    base = sqlite3.connect(path, timeout=_PATIENCE)
    try:
        if base.execute("SELECT COUNT(*) FROM sqlite_master WHERE type = 'table'").fetchone()[0] < 3:
            base.executescript(_TABLES)
    except sqlite3.Error:
        base.close()
        raise
    return base


def _now(each: OneFile) -> OneFile | None:
    """The file with the date that it has now; None where it is gone."""
    try:
        date = os.stat(each.path).st_mtime_ns  # noqa: PTH116  thousands of files: Path costs more than the call
    except OSError:
        return None
    return each if date == each.date else replace(each, date=date)


def _orbits(pattern: Pattern) -> Orbits:
    """The files of orbits that fields name. Raises `ConfigError` for one that cannot be read."""
    found: Orbits = {}
    for each in pattern.fields:
        if each.code == "o":
            file = each.modifiers.get("id", "")
            try:
                text = Path(pattern.root, file).read_text(encoding="utf-8")
            except OSError as error:
                message = f"{pattern.text}: the orbits of $(o;id={file}) cannot be read: {error.strerror}"
                raise ConfigError(message, kind="config.unreadable") from error
            found[file] = read_orbits(text, file)
    return found

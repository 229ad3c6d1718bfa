# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks at the directories of a collection: which have changed since they were listed, and what is in them now."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

from dasflex_core.errors import ConfigError
from dasflex_files.calendar_fields import DAY

if TYPE_CHECKING:
    import sqlite3

    from dasflex_files.pattern import Pattern
    from dasflex_files.ranges import Orbits

__all__ = ["Listing"]

#: A directory that changed so few nanoseconds before it was listed may change again without another date.
_UNSURE: Final = 2_000_000_000
#: A directory is looked at for what is so many nanoseconds outside of the range of its name, and no more: a year.
_WIDEST: Final = 366 * DAY


class Listing:
    """One look at the directories. With `span`, only at those whose names say that they may have files in it.

    What has changed is gathered, and written by `write`, so that nobody waits while directories are listed.
    """

    def __init__(
        self, pattern: Pattern, orbits: Orbits, base: sqlite3.Connection, span: tuple[int, int] | None
    ) -> None:
        self._pattern = pattern
        self._orbits = orbits
        self._base = base
        self._span = span
        self._depth = len(pattern.levels)
        self._gone: list[str] = []
        self._directories: list[tuple[str, str, int, int, int, int]] = []
        self._files: list[tuple[object, ...]] = []
        self._listed: list[str] = []

    @property
    def changed(self) -> bool:
        """Whether there is something to write."""
        return bool(self._gone or self._directories)

    def look(self, path: str, names: tuple[str, ...], parent: str = "") -> None:
        """Looks at a directory and at those below it; `names` are the names of its levels below the root.

        Raises `ConfigError` for one that may not be listed.
        """
        try:
            date = os.stat(path).st_mtime_ns  # noqa: PTH116  many directories: Path costs more than the call
        except (FileNotFoundError, NotADirectoryError):
            self._gone.append(path)
            return
        known = self._base.execute("SELECT date, sure FROM directory WHERE path = ?", (path,)).fetchone()
        if known is not None and known[0] == date and known[1]:
            if len(names) + 1 < self._depth:
                self._below(path, names)
            return
        begin, end = self._pattern.part(names, self._orbits) if names else (-(2**63), 2**63 - 1)
        sure = time.time_ns() - date > _UNSURE
        self._directories.append((path, parent, date, sure, begin, end))
        self._list(path, names)

    def _below(self, path: str, names: tuple[str, ...]) -> None:
        """Looks at the directories that are known below one."""
        query = "SELECT path FROM directory WHERE parent = ?"
        values: tuple[object, ...] = (path,)
        if self._span is not None:  # one more on either side: names are not always as exact as their fields
            query += " AND begin - min(end - begin, ?) < ? AND end + min(end - begin, ?) > ?"
            values = (path, _WIDEST, self._span[1], _WIDEST, self._span[0])
        for (each,) in self._base.execute(query, values).fetchall():
            self.look(each, (*names, each.rpartition("/")[2]), path)

    def _list(self, path: str, names: tuple[str, ...]) -> None:
        """Lists a directory: its files, or the directories below it."""
        level = self._pattern.levels[len(names)]
        leaf = len(names) + 1 == self._depth
        self._listed.append(path)
        seen: set[str] = set()
        try:
            with os.scandir(path) as entries:
                for entry in entries:
                    if level.match(entry.name) is None or (entry.is_dir() == leaf) or not _is_text(entry.name):
                        continue
                    seen.add(entry.path)
                    if leaf:
                        self._file(entry, names)
                    else:
                        self.look(entry.path, (*names, entry.name), path)
        except FileNotFoundError:
            self._gone.append(path)
        except PermissionError as error:
            raise ConfigError(
                f"{path} may not be listed; make it readable for the server", kind="config.unreadable"
            ) from error
        known = self._base.execute("SELECT path FROM directory WHERE parent = ?", (path,)).fetchall()
        self._gone += [each for (each,) in known if each not in seen]

    def _file(self, entry: os.DirEntry[str], names: tuple[str, ...]) -> None:
        """Takes a file whose name fits."""
        found = self._pattern.named((*names, entry.name), self._orbits)
        if found is None:
            return
        try:
            date = entry.stat().st_mtime_ns
        except OSError:  # it went away while we looked
            return
        parent = entry.path.rpartition("/")[0] or "/"
        self._files.append((entry.path, parent, found.begin, found.end, found.reach, found.version, found.key, date))

    def write(self) -> None:
        """Writes what has changed, within the transaction of the caller."""
        base = self._base
        for path in self._gone:
            base.execute("DELETE FROM file WHERE parent = ? OR parent GLOB ?", (path, f"{_plain(path)}/*"))
            base.execute("DELETE FROM directory WHERE path = ? OR path GLOB ?", (path, f"{_plain(path)}/*"))
        base.executemany("DELETE FROM file WHERE parent = ?", [(path,) for path in self._listed])
        base.executemany("INSERT OR REPLACE INTO directory VALUES (?, ?, ?, ?, ?, ?)", self._directories)
        base.executemany("INSERT OR REPLACE INTO file VALUES (?, ?, ?, ?, ?, ?, ?, ?)", self._files)


def _plain(path: str) -> str:
    """A path in which nothing is a wildcard of GLOB."""
    return "".join(f"[{char}]" if char in "*?[" else char for char in path)


def _is_text(name: str) -> bool:
    """Whether a name can be written down; one of other bytes than UTF-8 is no file that a pattern means."""
    return not any("\ud800" <= char <= "\udfff" for char in name)

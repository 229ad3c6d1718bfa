# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads request logs back: the files of LOG_PATH, and their entries, one at a time, in either form.

Files are opened without following links and without waiting, so that nothing in the directory holds a reader up. What
is no entry is passed over: a line that was cut off when a disk was full says nothing of the others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dasflex_core.logs import LogEntry

__all__ = ["LogFile", "entries", "last_entries", "log_files", "read_entries"]


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file of logs: its path, the address of its client and its day of UTC, such as `2026-11-22`, and its bytes."""

    path: Path
    client: str
    day: str
    bytes: int


def log_files(directory: Path, *, since: str = "", until: str = "", client: str = "") -> list[LogFile]:
    """The files of request logs below a directory, by day and client; none where there is no such directory.

    `since` and `until` are days, or beginnings of them, such as `2026-11`; both are meant with all that is in them.
    Files that were rotated (`….log.1`) and compressed (`.gz`) are among them.
    """
    raise NotImplementedError


def entries(file: LogFile) -> Iterator[LogEntry]:
    """The entries of a file, in its order. A file that cannot be read any more has none."""
    raise NotImplementedError


def last_entries(file: LogFile, count: int) -> list[LogEntry]:
    """The last entries of a file, the latest last; only its end is read."""
    raise NotImplementedError


def read_entries(directory: Path, *, since: str = "", until: str = "", client: str = "") -> Iterator[LogEntry]:
    """The entries of all these files, one file after the other."""
    for file in log_files(directory, since=since, until=until, client=client):
        yield from entries(file)

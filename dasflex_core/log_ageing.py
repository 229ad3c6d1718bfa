# SPDX-License-Identifier: GPL-3.0-or-later
"""Removes logs and records of requests that are too old, or too many: by whichever process writes, once an hour or so.

A file below LOG_PATH says when that was done last: its date. Whoever finds it old takes its lock and does the work, in
a thread of a server, or behind the answer of a CGI program, for some seconds at most; what is left is done soon after.
Nothing but what dasflex has named is removed: `CLIENT_DAY.log`, also rotated and compressed, and `ID.json` and `ID.log`
below `requests`. What stands behind answer ids stays.

What is slow to import is imported only where there is something to do.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

from dasflex_core.logs import AGEING_PERIOD, AGEING_STAMP, ageing_due

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dasflex_core.config import Config

__all__ = ["LogKeeper"]

#: Seconds until the next ageing where the last one had more to do than it had time for, or found too much; and between
#: two looks of one process.
_SOON: Final = 120.0
_LOOK: Final = 30.0
#: Seconds that one ageing may take.
_SLICE: Final = 10.0
_DAY: Final = 86_400.0
#: By what steps of age, in seconds, the oldest are told from the others; more exact is only slower.
_STEP: Final = 3_600
#: What the system uses of a disk for a file, at least.
_BLOCK: Final = 4_096
_NAMED_ID: Final = 22
#: How much is left of what may be, so that it is not too much again at once.
_LEFT: Final = 0.9


class LogKeeper:
    """The logs of one root, and how long they are kept: `days` and `megabytes`, 0 for either being no limit.

    `look` is for a process that lasts, and costs next to nothing; `due` and `age` are for one that has answered.
    """

    def __init__(self, directory: str, days: float, megabytes: float, note: Callable[[str], None]) -> None:
        self._directory = directory
        self._days = days
        self._most = megabytes * 1e6
        self._note = note
        self._next = 0.0

    @classmethod
    def of(cls, config: Config, note: Callable[[str], None]) -> LogKeeper:
        """The logs of a root, kept as its configuration says."""
        return cls(str(config.log_path), config.log_keep_days, config.log_max_megabytes, note)

    def look(self) -> None:
        """Begins an ageing in a thread of its own, if it is time for one."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + _LOOK
        if self.due():
            from threading import Thread

            Thread(target=self.age, name="dasflex-logs", daemon=True).start()

    def due(self) -> bool:
        """Whether it is time for an ageing."""
        return bool(self._days or self._most) and ageing_due(self._directory)

    def age(self, seconds: float = _SLICE) -> int:
        """Removes what is too old or too much, for so many seconds at most, and gives the number of files.

        Does nothing where another process does it. Never raises for what goes wrong on the disk.
        """
        import fcntl

        try:
            lock = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError:  # there is no such directory, and so no logs
            return 0
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return self._aged(seconds) if self.due() else 0
        except BlockingIOError:
            return 0
        except OSError as error:
            self._note(f"old logs cannot be removed: {error}")
            return 0
        finally:
            os.close(lock)

    def _aged(self, seconds: float) -> int:
        """The same, under the lock. Raises `OSError` where nothing can be written and there is room."""
        begun = self._stamped(0.0)
        by_age, by_size = (_Ageing(self._directory, time.monotonic() + seconds * part) for part in (0.5, 1.0))
        whole = by_age.older_than(time.time() - self._days * _DAY) if self._days else True
        if self._most:
            whole = by_size.down_to(self._most) and whole
        if not whole or not begun:
            self._stamped(AGEING_PERIOD - _SOON)
        return by_age.removed + by_size.removed

    def _stamped(self, earlier: float) -> bool:
        """Writes down when it was done, or so much earlier; false where there is no room for that either."""
        import errno

        try:
            try:
                self._write_stamp(earlier)
            except PermissionError:  # it is another user's, who shares the directory
                os.unlink(f"{self._directory}/{AGEING_STAMP}")  # noqa: PTH108  pathlib is not needed for anything else here
                self._write_stamp(earlier)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            return False
        return True

    def _write_stamp(self, earlier: float) -> None:
        """Gives the stamp its date. Raises `OSError`."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        stamp = os.open(f"{self._directory}/{AGEING_STAMP}", flags, 0o640)
        try:
            os.utime(stamp, (time.time() - earlier,) * 2)
        finally:
            os.close(stamp)


class _Ageing:
    """One ageing of a directory, which ends at a time of the monotonic clock."""

    def __init__(self, directory: str, until: float) -> None:
        self.removed = 0
        self._directory = directory
        self._until = until

    def older_than(self, when: float) -> bool:
        """Removes the files that were last written before a time; false where there was not time enough."""
        for path, size, written in self._files():
            if size >= 0 and written < when:
                self._remove(path)
        return time.monotonic() < self._until

    def down_to(self, most: float) -> bool:
        """Removes the oldest files until the others take so many bytes; false where that is to be looked at soon.

        The files are counted by the hours of their age, so that the memory does not grow with their number.
        """
        taken: dict[int, int] = {}
        for _path, size, written in self._files():
            step = int(written) // _STEP
            taken[step] = taken.get(step, 0) + size
        over = sum(taken.values()) - most
        if over <= 0:
            return time.monotonic() < self._until
        over += (1 - _LEFT) * most
        last = 0
        for step in sorted(taken):
            last = step
            over -= taken[step]
            if over <= 0:
                break
        spare = -over  # of the last hour, this much may stay
        for path, size, written in self._files():
            step = int(written) // _STEP
            if step == last and size <= spare:
                spare -= size
            elif step <= last:
                self._remove(path)
        return False

    def _files(self) -> Iterator[tuple[str, int, float]]:
        """Path, bytes on the disk and date of each file that may be removed, while there is time."""
        for below, is_ours in (("", _is_log), ("/requests", _is_record)):
            try:
                found = os.scandir(self._directory + below)
            except OSError:
                continue
            with found:
                for entry in found:
                    if time.monotonic() > self._until:
                        return
                    if not is_ours(entry.name):
                        continue
                    try:
                        facts = entry.stat(follow_symlinks=False)
                    except OSError:  # another process has removed it
                        continue
                    yield entry.path, max(facts.st_size, _BLOCK), facts.st_mtime

    def _remove(self, path: str) -> None:
        """Removes a file, if it is there and can be."""
        try:
            os.unlink(path)  # noqa: PTH108  there may be a million
        except OSError:
            return
        self.removed += 1


def _is_log(name: str) -> bool:
    """Whether a file is a log of requests.

    >>> _is_log("192.0.2.7_2026-11-22.log"), _is_log("192.0.2.7_2026-11-22.log.1.gz"), _is_log("websocd.log")
    (True, True, False)
    """
    client, _, rest = name.rpartition("_")
    day, log, _more = rest.partition(".log")
    return bool(client and log) and len(day) == 10 and day[4:8:3] == "--" and day.replace("-", "").isdigit()


def _is_record(name: str) -> bool:
    """Whether a file is a record of a request, what its readers said, or what was left of either in writing.

    >>> _is_record("06fzjdexw6m8f8mvwd0m2y.json"), _is_record(".06fzjdexw6m8f8mvwd0m2y.json.12ab.partial")
    (True, True)
    """
    named, _, suffix = name.lstrip(".").partition(".")
    return len(named) == _NAMED_ID and named.isalnum() and suffix.partition(".")[0] in ("json", "log")

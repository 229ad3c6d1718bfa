# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory of jobs: one directory each, which any program of the site may look at and change.

    ID/job.json     what is to be done: plain JSON, written once
    ID/status.json  what became of it, replaced as a whole
    ID/result       the answer, when it is whole; until then `result.part`
    ID/lock         held by the program that runs it, and so free as soon as that is gone, however it went
    ID/cancel       there when somebody wants it to end
    ID/log          what the program that runs it has said
    active/ID       there until the job has ended, so that those are found without looking at all
    gate            held while the number of jobs is looked at and changed

Whoever runs jobs needs no more than this: it takes one that waits, holds its lock, and writes status and result.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import time
from typing import TYPE_CHECKING, Any, Final

from dasflex_core.errors import BusyError, ConfigError, NotFoundError
from dasflex_core.jobs.model import Job, Status, from_plain, to_plain
from dasflex_core.run.filing import replaced

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Jobs", "made_at"]

_ID: Final = re.compile(r"[0-9a-hjkmnp-tv-z]{22}")
_DIGITS: Final = "0123456789abcdefghjkmnpqrstvwxyz"
#: The letters of an id that tell when it was made (`dasflex_core.run.records`).
_TIME: Final = 9
_FOLDER: Final = 0o770
_FILE: Final = 0o660
#: Seconds that one waits for others who look at the jobs, and between two looks.
_PATIENCE: Final = 15.0
_STEP: Final = 0.02


class Jobs:
    """The jobs of a site. Everything here may be called by many processes at once."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    # -- what there is

    def find(self, identifier: str) -> Job:
        """A job by its id, case aside. Raises `NotFoundError`: `not-found.job`, or `not-found.gone` after its time."""
        named = self._checked(identifier)
        kept = self._read(named, "job.json")
        if kept is None:
            if self.status(named).removed:
                text = f"The job {named} and its result have been removed; ask again for the data"
                raise NotFoundError(text, kind="not-found.gone")
            raise _unknown(identifier)
        return from_plain(Job, kept)

    def status(self, identifier: str) -> Status:
        """What became of a job so far: one that waits, where nothing is said of it."""
        kept = self._read(identifier, "status.json")
        return Status() if kept is None else from_plain(Status, kept)

    def active(self) -> list[str]:
        """The ids of the jobs that have not ended, the oldest first."""
        return self._ids(self.directory / "active")

    def ids(self) -> list[str]:
        """The ids of all jobs that are kept, and of those that are remembered as removed; the oldest first."""
        return self._ids(self.directory)

    def folder(self, identifier: str) -> Path:
        """The directory of a job."""
        return self.directory / identifier

    def result(self, identifier: str) -> Path:
        """The file of the result, there when it is whole."""
        return self.directory / identifier / "result"

    def partial(self, identifier: str) -> Path:
        """The file of the result until it is whole."""
        return self.directory / identifier / "result.part"

    def size(self) -> int:
        """The bytes of all results, whole or not."""
        total = 0
        for each in self.ids():
            for file in (self.result(each), self.partial(each)):
                with contextlib.suppress(OSError):
                    total += file.stat().st_size
        return total

    # -- what is done with them

    def add(self, job: Job) -> None:
        """Adds a job that waits. Raises `BusyError` or `ConfigError` where it cannot be written."""
        folder = self.folder(job.id)
        with _writing(folder):
            folder.mkdir(mode=_FOLDER, parents=True)
            self._write(job.id, "job.json", to_plain(job))
            self._write(job.id, "status.json", to_plain(Status()))
            (self.directory / "active").mkdir(mode=_FOLDER, exist_ok=True)
            (self.directory / "active" / job.id).touch(_FILE)

    def put(self, identifier: str, status: Status) -> None:
        """Replaces the status of a job; one that has ended is not active any more.

        Raises `BusyError` or `ConfigError` where that cannot be written.
        """
        with _writing(self.folder(identifier)):
            self._write(identifier, "status.json", to_plain(status))
            if status.over:
                self.leave(identifier)

    def leave(self, identifier: str) -> None:
        """Takes a job out of those that are active. Raises as `put`."""
        with _writing(self.directory):
            (self.directory / "active" / identifier).unlink(missing_ok=True)

    def remove(self, identifier: str, status: Status) -> None:
        """Removes all of a job but its status, which says so: `status` with the time. Raises as `put`."""
        with _writing(self.folder(identifier)):
            self.drop_partial(identifier)  # first of all: a full disk has then room for the rest
            self.result(identifier).unlink(missing_ok=True)
            self.put(identifier, status)
            for each in self.folder(identifier).iterdir():
                if each.name not in ("status.json", "lock"):
                    each.unlink(missing_ok=True)

    def drop_partial(self, identifier: str) -> None:
        """Removes what there is of a result that is not whole. Raises as `put`."""
        with _writing(self.folder(identifier)):
            self.partial(identifier).unlink(missing_ok=True)

    def forget(self, identifier: str) -> None:
        """Removes whatever is there of a job."""
        (self.directory / "active" / identifier).unlink(missing_ok=True)
        shutil.rmtree(self.folder(identifier), ignore_errors=True)

    def wish_end(self, identifier: str) -> None:
        """Says that a job is to end."""
        with contextlib.suppress(OSError):
            (self.folder(identifier) / "cancel").touch(_FILE)

    def end_wished(self, identifier: str) -> bool:
        """Whether a job is to end: somebody has said so, or its directory has gone."""
        folder = self.folder(identifier)
        return (folder / "cancel").exists() or not folder.exists()

    # -- who is at it

    def take(self, identifier: str, patience: float = 1.0) -> int | None:
        """The lock of a job, as a file descriptor that holds it; None where somebody else does.

        Children that inherit the descriptor hold the lock, too. Raises `OSError`.
        """
        descriptor = self._lock_file(identifier)
        end = time.monotonic() + patience
        while descriptor is not None:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > end:
                    os.close(descriptor)
                    return None
                time.sleep(_STEP)  # somebody may only have looked whether it is held
            else:
                os.ftruncate(descriptor, 0)  # who held it before is nobody to kill any more
                return descriptor
        return None

    def is_held(self, identifier: str) -> bool:
        """Whether a program runs a job now; one of another user, of which nothing can be told, may be."""
        try:
            descriptor = self._lock_file(identifier)
        except PermissionError:
            return True
        if descriptor is None:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    def sign(self, lock: int) -> None:
        """Writes who holds a lock into its file."""
        os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)

    def kill(self, identifier: str) -> None:
        """Kills the program that holds the lock of a job; its guardian ends what it had started."""
        with contextlib.suppress(OSError, ValueError):
            pid = int((self.folder(identifier) / "lock").read_text("ascii"))
            if self.is_held(identifier) and pid > 1:
                os.kill(pid, signal.SIGKILL)

    @contextlib.contextmanager
    def gate(self) -> Iterator[None]:
        """Holds everybody else off who would look how many jobs there are, and start or add some.

        Raises `BusyError` where that takes too long, `ConfigError` where nothing can be written.
        """
        with _writing(self.directory):
            self.directory.mkdir(mode=_FOLDER, parents=True, exist_ok=True)
            descriptor = os.open(self.directory / "gate", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, _FILE)
        try:
            end = time.monotonic() + _PATIENCE
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > end:
                        raise BusyError("Too many ask for jobs at this moment", kind="busy.limit") from None
                    time.sleep(_STEP)
            yield
        finally:
            os.close(descriptor)

    # -- how it is done

    def _checked(self, identifier: str) -> str:
        """An id as it is written in file names. Raises `NotFoundError` for what is none."""
        named = identifier.lower()
        if not _ID.fullmatch(named):
            raise _unknown(identifier)
        return named

    def _ids(self, directory: Path) -> list[str]:
        """The ids that name entries of a directory."""
        try:
            return sorted(each for each in os.listdir(directory) if _ID.fullmatch(each))  # noqa: PTH208  names only
        except OSError:
            return []

    def _read(self, identifier: str, name: str) -> dict[str, Any] | None:
        """The object in a file of a job; None where there is none that can be read."""
        try:
            kept = json.loads((self.folder(identifier) / name).read_bytes())
        except (OSError, ValueError, RecursionError):
            return None
        return kept if isinstance(kept, dict) else None

    def _write(self, identifier: str, name: str, value: object) -> None:
        """Replaces a file of a job, whole or not at all. Raises `OSError`."""
        replaced(self.folder(identifier) / name, (json.dumps(value, ensure_ascii=False) + "\n").encode())

    def _lock_file(self, identifier: str) -> int | None:
        """The file of a lock, opened; None where the job has gone. Raises `OSError`."""
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            return os.open(self.folder(identifier) / "lock", flags, _FILE)
        except FileNotFoundError:
            return None


def made_at(identifier: str) -> float:
    """When an id was made, in seconds since 1970: its first letters say so."""
    number = 0
    for each in identifier[:_TIME]:
        number = number * 32 + _DIGITS.index(each)
    return number / 1e3


def _unknown(identifier: str) -> NotFoundError:
    """What is said of a job that is not there."""
    return NotFoundError(f"There is no job {identifier[:40]!r}; jobs are kept for some days", kind="not-found.job")


@contextlib.contextmanager
def _writing(place: Path) -> Iterator[None]:
    """Turns what the disk refuses into errors: a full one into `BusyError`, any other into `ConfigError`."""
    import errno

    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise BusyError("The server has no room for jobs now", kind="busy.limit", detail=str(error)) from error
        raise ConfigError(f"{place} cannot be written: {error.strerror}", kind="config.unreadable") from error

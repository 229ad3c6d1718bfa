# SPDX-License-Identifier: GPL-3.0-or-later
"""Going into the background, and the file that says which process it is that runs there.

The pid file is locked for as long as the daemon lives, and no longer, however it ends. So a file whose lock can be had
is a stale one, whether or not a process has its number by now.
"""

from __future__ import annotations

import fcntl
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from dasflex_core.cli.exit_codes import FAILED
from dasflex_core.errors import BusyError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Background", "PidFile", "into_background"]

_UMASK: Final = 0o022
_MODE: Final = 0o644
_FLAGS: Final = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
#: What a parent prints that hears nothing from its daemon.
_SILENT: Final = "The daemon ended before it served; {log} may say why"


class PidFile:
    """A pid file that this process has taken. Its lock goes on to the processes that are forked off.

    Raises `BusyError` where a daemon that lives has it, and `ConfigError` where it cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        try:
            self._descriptor = self._taken()
        except OSError as error:
            raise ConfigError(f"The pid file {self.path} cannot be written: {error.strerror}") from error

    def write(self) -> None:
        """Says that this process is the daemon. Whoever reads the file finds the whole number, or that of before."""
        beside = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        try:
            beside.unlink(missing_ok=True)
            descriptor = os.open(beside, _FLAGS | os.O_EXCL, _MODE)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            os.write(descriptor, b"%d\n" % os.getpid())
            beside.rename(self.path)
        except OSError as error:
            with suppress(OSError):
                beside.unlink()
            raise ConfigError(f"The pid file {self.path} cannot be written: {error.strerror}") from error
        os.close(self._descriptor)
        self._descriptor = descriptor

    def remove(self) -> None:
        """Takes the file away, if it is still that of this process."""
        with suppress(OSError):
            if self._is_ours(self._descriptor):
                self.path.unlink()

    def _taken(self) -> int:
        """The file, opened and locked. Raises `OSError`, and `BusyError` where another process has the lock."""
        while True:
            descriptor = os.open(self.path, _FLAGS, _MODE)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pid = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
                os.close(descriptor)
                whose = f"as process {pid}" if pid else "and is about to serve"
                raise BusyError(f"A daemon with the pid file {self.path} runs already, {whose}") from None
            if self._is_ours(descriptor):
                return descriptor
            os.close(descriptor)  # it was replaced or removed between the two calls

    def _is_ours(self, descriptor: int) -> bool:
        """Whether the file at the path is the one that is open."""
        try:
            return os.path.samestat(os.fstat(descriptor), self.path.stat(follow_symlinks=False))
        except FileNotFoundError:
            return False


class Background:
    """What a daemon says to the one who has started it, who waits: that it serves, or why it does not."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def serves(self) -> None:
        """Lets the parent end with success."""
        self._say("0\n")

    def failed(self, code: int, message: str) -> None:
        """Lets the parent end with that exit code, and print the message; does nothing once it serves."""
        self._say(f"{code}\n{message}")

    def _say(self, text: str) -> None:
        if self._descriptor < 0:
            return
        with suppress(BrokenPipeError):
            os.write(self._descriptor, text.encode())
        os.close(self._descriptor)
        self._descriptor = -1


def into_background(log: Path, tell: Callable[[str], None]) -> Background:
    """Returns in a daemon only; its parent waits until that serves or has failed, tells the latter, and exits.

    The daemon is in a session of its own that no terminal can get hold of, in the directory `/`, with the umask 022,
    without standard input and with the log as its standard output. Nothing may have started a thread yet. Raises
    `ConfigError` where the log cannot be written.
    """
    open_log(log)
    reading, writing = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    if child := os.fork():
        os.close(writing)
        os.waitpid(child, 0)
        _wait(reading, log, tell)
    os.close(reading)
    os.setsid()
    if os.fork():
        os._exit(0)
    os.chdir("/")
    os.umask(_UMASK)
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    open_log(log, take=True)
    return Background(writing)


def open_log(log: Path, *, take: bool = False) -> None:
    """Opens the log, and has standard output and errors written to it if it is to be taken. Raises `ConfigError`."""
    try:
        descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise ConfigError(f"The log {log} cannot be written: {error.strerror}") from error
    if take:
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(descriptor, 1)
        os.dup2(descriptor, 2)
    os.close(descriptor)


def _wait(reading: int, log: Path, tell: Callable[[str], None]) -> NoReturn:
    """Ends this process as its daemon says."""
    with open(reading, encoding="utf-8") as pipe:
        code, _, message = pipe.read().partition("\n")
    if not code.isdecimal():
        code, message = str(FAILED), _SILENT.format(log=log)
    for line in message.splitlines():
        tell(line)
    os._exit(int(code))

# SPDX-License-Identifier: GPL-3.0-or-later
"""A command at work: one or more programs joined by pipes, watched by their limits, and what they write."""

from __future__ import annotations

import contextlib
import math
import os
import select
import signal
from threading import Event
from time import monotonic, sleep
from typing import TYPE_CHECKING, Final

from dasflex_core.errors import BusyError, ConfigError, DasflexError, SourceError
from dasflex_core.run import guardian
from dasflex_core.run.environment import environment
from dasflex_core.run.family import cancelled
from dasflex_core.run.feeding import Feeder
from dasflex_core.run.messages import Messages
from dasflex_core.run.settings import CHUNK
from dasflex_core.run.watching import confine, watch

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Sequence

    from dasflex_core.plan.graph import Command
    from dasflex_core.run.family import Family
    from dasflex_core.run.settings import PumpSettings

__all__ = ["Process"]

#: Seconds in which the end of the messages is waited for after the end of the programs.
_LAST_WORDS: Final = 0.5
#: How an end by a signal is told: by the system, and by a shell whose child it was.
_PIPE_CLOSED: Final = (-signal.SIGPIPE, 128 + signal.SIGPIPE)
_CPU_SPENT: Final = (-signal.SIGXCPU, 128 + signal.SIGXCPU)
_FILE_FULL: Final = (-signal.SIGXFSZ, 128 + signal.SIGXFSZ)


class Process:
    """A started command. Its programs run from now on, and end with the family at the latest.

    With `feed`, a thread writes what it gives to standard input, else that is /dev/null. Raises `SourceError`
    (`source.start`) or `BusyError` if a program cannot be started.
    """

    def __init__(
        self, name: str, command: Command, family: Family, settings: PumpSettings, feed: Iterator[bytes] | None = None
    ) -> None:
        if not command.argvs or not all(command.argvs):
            raise ConfigError(f"{name}: the command has no program", kind="config.bad-value")
        self.name = name
        self.limits = command.limits
        self.written = 0
        self._family = family
        self._programs: list[subprocess.Popen[bytes]] = []
        self._failure: DasflexError | None = None
        self._done = Event()
        self._feeder: Feeder | None = None
        self._output = -1
        self._last_sign = monotonic()
        self._look = settings.look
        with contextlib.ExitStack() as pipes:
            self._start(command, settings, feed, pipes)
        watch(family, self.limits, self._scratch, self._done, self._exceeded)

    def chunks(self) -> Iterator[bytes]:
        """What the last program writes, in chunks of up to 256 KiB, as they come.

        An empty chunk says that nothing has come for a while, as the settings say.
        Raises `SourceError` where a program fails (`source.exit`), is silent for too long (`source.silent`) or uses
        more than it may (`source.limit`), after all that it wrote before.
        """
        try:
            while True:
                yield from self._await_output()
                chunk = self._read()
                if not chunk:
                    break
                yield chunk
            yield from self._await_exit()
            self._check()
        finally:
            self.close()

    def fileno(self) -> int:
        """What can be watched for bytes to read, by whoever waits without a thread of its own."""
        return self._output

    def await_bytes(self) -> float:
        """Begins a wait for output, and gives the seconds after which `look` is to be called if nothing came."""
        self._last_sign = monotonic()
        return self._patience()

    def look(self) -> float:
        """Looks at the clock in a wait: too long a silence is a failure. Gives the seconds until the next look."""
        self._check_silence()
        return self._patience()

    def take(self) -> bytes | None:
        """The next bytes, none at the end and after a failure; None where one would have to wait for them."""
        return self._read() if self._failure or self._poll.poll(0) else None

    def exited(self) -> bool:
        """Whether the programs have ended behind their last bytes, or must now. Never waits, and reaps none."""
        if self._failure is None and self._family.ended:
            self._failure = cancelled()
        if self._failure is None and any(map(_runs, self._programs)):
            self._check_silence()
            return self._failure is not None
        return True

    def conclude(self) -> None:
        """Reaps the programs when they have `exited`. Raises what went wrong, as `chunks` does behind the last."""
        self._check()

    def close(self) -> None:
        """Stops reading. A program that still writes is ended by that, or with the family. May be called twice."""
        self._done.set()
        output, self._output = self._output, -1
        if output >= 0:
            os.close(output)

    def _start(
        self, command: Command, settings: PumpSettings, feed: Iterator[bytes] | None, pipes: contextlib.ExitStack
    ) -> None:
        """Starts the programs from the first to the last, each reading what the one before it writes."""
        self._scratch = _scratch(self._family, settings)
        variables = environment(command, settings, self._family.token, self._scratch)
        reading, feeding = _pipe(pipes) if feed is not None else (_null(pipes), -1)
        complaints, complaining = _pipe(pipes)
        for argv in command.argvs:
            following, writing = _pipe(pipes)
            program = self._family.start(
                self._enclosed(argv, command, settings),
                name=self.name,
                directory=command.directory,
                environ=variables,
                stdin=reading,
                stdout=writing,
                stderr=complaining,
            )
            self._programs.append(program)
            confine(program.pid, self.limits)
            self._limit_cpu(program.pid)
            reading = following
        # From here on the ends that this process works with are its own to close; the others close with `pipes`.
        self._output = os.dup(reading)
        self._poll = select.poll()
        self._poll.register(self._output, select.POLLIN)
        self._messages = Messages(os.dup(complaints), settings.log)
        if feed is not None:
            self._feeder = Feeder(os.dup(feeding), feed, self._sign)

    def _enclosed(self, argv: Sequence[str], command: Command, settings: PumpSettings) -> Sequence[str]:
        """The command of a program, in the sandbox where there is one."""
        if settings.sandbox is None:
            return argv
        from dasflex_core.run.sandbox import enclosed

        return enclosed(argv, settings.sandbox, command.limits, directory=command.directory, scratch=self._scratch)

    def _limit_cpu(self, pid: int) -> None:
        """Sets the limit of CPU time, which children inherit: SIGXCPU at the limit, SIGKILL a second later.

        The program runs already, so that it may have children that inherited none: it is looked until there are no
        more of these.
        """
        if not self.limits.cpu:
            return
        import resource

        seconds = max(1, math.ceil(self.limits.cpu))
        limited: set[int] = set()
        try:
            while new := {pid, *guardian.members((self._family.token,), (pid,))} - limited:
                for each in new:
                    with contextlib.suppress(ProcessLookupError):  # it has ended already
                        resource.prlimit(each, resource.RLIMIT_CPU, (seconds, seconds + 1))
                limited |= new
        except PermissionError as error:
            text = f"The stage {self.name} has a limit of CPU time, which cannot be set for another user's program"
            raise SourceError(text, kind="source.start", detail=str(error)) from error

    def _sign(self) -> None:
        """Notes that the programs were given something, so that their silence is counted from now."""
        self._last_sign = monotonic()

    def _read(self) -> bytes:
        """The next bytes, or none at the end and after a failure."""
        chunk = b"" if self._failure else os.read(self._output, CHUNK)
        self.written += len(chunk)
        if self.limits.output and self.written > self.limits.output:
            self._failure = self._over(f"has written more than {self.limits.output:,} bytes")
            chunk = chunk[: max(0, len(chunk) - (self.written - self.limits.output))]
        return chunk

    def _await_output(self) -> Iterator[bytes]:
        """Waits until there is something to read or the end, with empty chunks; too long a wait is a failure."""
        self._last_sign = monotonic()
        while not self._failure and not self._poll.poll(self._patience() * 1000):
            self._check_silence()
            if not self._failure:
                yield b""

    def _patience(self) -> float:
        """The seconds to wait before the next look around."""
        if not self.limits.silence:
            return self._look
        return max(0.001, min(self._look, self._last_sign + self.limits.silence - monotonic()))

    def _check_silence(self) -> None:
        """Notes a failure if the run was ended, or if nothing came for too long."""
        if self._feeder is not None and self._feeder.waiting:
            self._sign()
        if self._failure is not None:
            return
        if self._family.ended:
            self._failure = cancelled()
        elif self.limits.silence and monotonic() - self._last_sign >= self.limits.silence:
            text = f"The stage {self.name} was ended, since it wrote nothing for {self.limits.silence:g} s"
            self._failure = SourceError(text, kind="source.silent")

    def _exceeded(self, what: str) -> None:
        """Ends the programs, which have used more than they may: from the thread that watches them."""
        self._failure = self._over(what)
        self._family.freeze()
        self._family.stop(self._programs)

    def _over(self, what: str) -> SourceError:
        """The error for a limit that was reached."""
        return SourceError(f"The stage {self.name} was ended, since it {what}", kind="source.limit")

    def _check(self) -> None:
        """Raises what went wrong, if anything did, once the programs have ended."""
        if self._failure is not None:
            self._family.stop(self._programs)
            raise self._failure
        self._family.leave(self._programs)
        self._done.set()
        self._messages.wait(_LAST_WORDS)
        if self._feeder is not None and self._feeder.failure is not None:
            raise self._feeder.failure
        if self._feeder is not None and self._feeder.nothing and not self.written:
            return  # a filter may fail where there is nothing to filter; nothing in, nothing out
        failed = self._culprit()
        if failed is not None:
            raise self._exit_error(failed)

    def _await_exit(self) -> Iterator[bytes]:
        """Waits, with empty chunks, until the programs have ended: one may close its output and go on."""
        self._last_sign = looked = monotonic()
        pause = 0.0005
        while not self.exited():
            sleep(pause)
            pause = min(pause * 2, 0.02)
            if monotonic() - looked >= self._look:
                looked = monotonic()
                yield b""

    def _culprit(self) -> subprocess.Popen[bytes] | None:
        """The first program that failed.

        One that was ended because the next program, which succeeded, had read enough has not failed.
        """
        for program, follower in zip(self._programs, (*self._programs[1:], None), strict=True):
            enough = program.returncode in _PIPE_CLOSED and follower is not None and follower.returncode == 0
            if program.returncode and not enough:
                return program
        return None

    def _exit_error(self, program: subprocess.Popen[bytes]) -> SourceError:
        """The error for a program that failed: how, for everyone; which and its last words, for the administrator."""
        which = str(program.args[0]) if isinstance(program.args, (list, tuple)) else ""
        detail = f"{which}\n{self._messages.last_lines()}".strip()
        status = program.returncode
        if self.limits.cpu and status in _CPU_SPENT:
            over = self._over(f"used more than {self.limits.cpu:g} s of CPU time")
            return SourceError(over.message, kind=over.kind, detail=detail)
        if self.limits.scratch and status in _FILE_FULL:
            over = self._over(f"wrote a file of more than {self.limits.scratch:,} bytes")
            return SourceError(over.message, kind=over.kind, detail=detail)
        how = f"was ended by signal {-status}" if status < 0 else f"failed with exit status {status}"
        when = "after part of its output" if self.written else "before any output"
        return SourceError(f"The stage {self.name} {how} {when}", kind="source.exit", detail=detail)


def _runs(program: subprocess.Popen[bytes]) -> bool:
    """Whether a program has not ended yet; it is not reaped if it has."""
    try:
        return not os.waitid(os.P_PID, program.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
    except ChildProcessError:  # it was reaped as the run was ended
        return False


def _scratch(family: Family, settings: PumpSettings) -> str:
    """The directory for temporary files of the run; blank where none can be made, of which the log is told."""
    base = settings.scratch or settings.environ.get("TMPDIR") or "/tmp"  # noqa: S108 # nosec B108 # it gets its own below
    try:
        return family.scratch(base)
    except OSError as error:
        settings.note(f"programs have no directory for temporary files below {base}: {error.strerror}")
        return ""


def _null(pipes: contextlib.ExitStack) -> int:
    """/dev/null for reading."""
    descriptor = os.open(os.devnull, os.O_RDONLY)
    pipes.callback(os.close, descriptor)
    return descriptor


def _pipe(pipes: contextlib.ExitStack) -> tuple[int, int]:
    """A pipe of 256 KiB, or of what the system grants; both ends close with `pipes`."""
    import fcntl

    try:
        reading, writing = os.pipe()
    except OSError as error:
        raise BusyError(
            "The server has too much to do; try again later", kind="busy.limit", detail=str(error)
        ) from error
    pipes.callback(os.close, reading)
    pipes.callback(os.close, writing)
    with contextlib.suppress(OSError):  # pipe(7): a user's buffers are limited in all
        fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, CHUNK)
    return reading, writing

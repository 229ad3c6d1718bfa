# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs of one run and all that they started: begun, guarded, and ended together."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final, Self
from weakref import finalize

from dasflex_core.errors import BusyError, DasflexError, QueryError, SourceError
from dasflex_core.run import guardian

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Family", "Guardian"]

#: What the system says when it has no more processes, memory or descriptors to give.
_SCARCE: Final = (errno.EAGAIN, errno.ENOMEM, errno.EMFILE, errno.ENFILE)
_REAPED: Final = 0.5
#: Seconds that a guardian has for ending the runs that are left: those between its signals, and some to spare.
_PATIENCE: Final = 5.0
#: All that the guardian inherits: an interpreter may need it to start. It must not look like a process of a run.
_LIBRARIES: Final = ("LD_LIBRARY_PATH",)


class Guardian:
    """A small process that ends the programs of this process's runs if it should die without doing so.

    It serves any number of runs, from any thread. It must be made after a server has forked its workers, each with
    its own: whoever holds a copy of its pipe keeps it waiting. Raises `BusyError` where no process can be started.
    """

    def __init__(self, python: str = sys.executable, grace: float = 0.3) -> None:
        reading, self._writing = os.pipe()
        try:
            self._process = subprocess.Popen(
                (python, "-I", "-S", guardian.__file__, str(grace)),
                stdin=reading,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={name: os.environ[name] for name in _LIBRARIES if name in os.environ},
                start_new_session=True,
            )
        except OSError as error:
            os.close(self._writing)
            raise BusyError(
                "The server can start no more programs now; try again later", kind="busy.limit", detail=str(error)
            ) from error
        finally:
            os.close(reading)
        self._open: set[str] = set()  # the runs that are not over
        self._end = finalize(self, _ended, self._process, self._writing, self._open)
        self._end.atexit = False  # what runs then is what it is there for

    def watch(self, token: str, pid: int) -> None:
        """Adds a program, which leads a session of its own, to a run."""
        self._open.add(token)
        self._tell(f"+{token} {pid}\n")

    def keep(self, token: str, directory: str) -> None:
        """Adds the directory of a run, which is to be removed with all that is in it."""
        if "\n" not in directory:
            self._open.add(token)
            self._tell(f"*{token} {directory}\n")

    def forget(self, token: str, pid: int = 0) -> None:
        """Says that the run is over or, with its number, that one of its programs has ended and was reaped."""
        if not pid:
            self._open.discard(token)
        self._tell(f"-{token} {pid}\n" if pid else f"-{token}\n")

    @property
    def awake(self) -> bool:
        """Whether it still watches: somebody may have killed it."""
        return self._process.poll() is None

    def close(self) -> None:
        """Ends the guardian itself, as when nobody has it any more, and by it the runs that are not over.

        One is not where a signal came while it was being ended.
        """
        self._end()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_reason: object) -> None:
        self.close()

    def _tell(self, line: str) -> None:
        """Writes one line, whole, since it is short (pipe(7), PIPE_BUF)."""
        with contextlib.suppress(BrokenPipeError):  # somebody killed it: runs go on unguarded
            os.write(self._writing, os.fsencode(line))


def _ended(process: subprocess.Popen[bytes], writing: int, runs: set[str]) -> None:
    """Ends the process of a guardian: at once where all runs are over, else when it has ended them."""
    if not runs:
        process.kill()
    os.close(writing)  # it takes this for our end
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:  # somebody else holds its pipe
        process.kill()
        process.wait()


class Family:
    """The programs of one run, marked by its token."""

    def __init__(self, token: str, *, python: str, grace: float, guardian: Guardian | None = None) -> None:
        self.token = token
        self._python = python
        self._grace = grace
        self._guardian = guardian
        self._own: Guardian | None = None
        self._programs: list[subprocess.Popen[bytes]] = []
        self._names: list[str] = []
        self._scratch = ""
        self._begun = False  # before the first program is on the list: Ctrl-C may come in between
        self._lock = Lock()
        self._ended = False

    @property
    def ended(self) -> bool:
        """Whether `end` was called: nothing may be started any more, and what ran was killed."""
        return self._ended

    @property
    def programs(self) -> list[tuple[str, subprocess.Popen[bytes]]]:
        """The programs that were started, each with the name of its stage."""
        return list(zip(self._names, self._programs, strict=False))

    def start(
        self,
        argv: Sequence[str],
        *,
        name: str,
        directory: str,
        environ: Mapping[str, str],
        stdin: int,
        stdout: int,
        stderr: int,
    ) -> subprocess.Popen[bytes]:
        """Starts a program in a session of its own.

        Raises `SourceError` (`source.start`), in which `name` is the stage's, `QueryError` where the values of the
        request make the command too long, or `BusyError`.
        """
        with self._lock:
            if self._ended:
                raise cancelled()
            watcher = self._watcher()
            self._begun = True
            try:
                program = subprocess.Popen(
                    argv,
                    stdin=stdin,
                    stdout=stdout,
                    stderr=stderr,
                    cwd=directory or None,
                    env=environ,
                    start_new_session=True,
                )
            except (OSError, ValueError) as error:
                raise _start_error(error, name, argv, directory, environ.get("PATH", "")) from error
            watcher.watch(self.token, program.pid)
            self._programs.append(program)
            self._names.append(name)
            return program

    def scratch(self, base: str) -> str:
        """The directory for the temporary files of the programs, below `base`: made when it is first asked for.

        Whatever is in it is removed when the run ends. Raises `OSError` where it cannot be made.
        """
        with self._lock:
            if not self._scratch and not self._ended:
                path = os.path.join(base, f"dasflex-{self.token}")  # noqa: PTH118  pathlib is for what is read more often
                os.mkdir(path, 0o700)  # noqa: PTH102
                self._scratch = path
                self._watcher().keep(self.token, path)
            return self._scratch

    def _watcher(self) -> Guardian:
        """The guardian, started if there is none yet."""
        if self._guardian is not None:
            return self._guardian
        if self._own is None:
            self._own = Guardian(self._python, self._grace)
        return self._own

    def members(self) -> set[int]:
        """The processes of the run: its programs, and all that these have started and that can be known by a mark."""
        sessions = {program.pid for program in self._programs if program.returncode is None}
        return guardian.members((self.token,), sessions)

    def freeze(self) -> None:
        """Stops all processes of the run, which are to be ended then."""
        guardian.freeze((self.token,), {program.pid for program in self._programs if program.returncode is None})

    def leave(self, programs: Sequence[subprocess.Popen[bytes]]) -> None:
        """Reaps programs that have ended by themselves, after a signal to what they left in their groups.

        The order matters: until a program is reaped, its number cannot become another group's.
        """
        with self._lock:
            for program in programs:
                if program.returncode is None:
                    with contextlib.suppress(ProcessLookupError, PermissionError):
                        os.killpg(program.pid, signal.SIGTERM)
                    program.wait()
                watcher = self._guardian or self._own
                if watcher is not None and not self._ended:
                    watcher.forget(self.token, program.pid)

    def stop(self, programs: Sequence[subprocess.Popen[bytes]]) -> None:
        """Ends some programs of the run, with what is in their sessions, before the run is over."""
        with self._lock:
            self._end({program.pid for program in programs if program.returncode is None}, ())

    def end(self) -> None:
        """Ends all programs of the run and what they started, and waits until they are gone. May be called twice."""
        with self._lock:
            if self._ended:
                return
            self._ended = True
            if self._begun:
                self._end({program.pid for program in self._programs if program.returncode is None}, (self.token,))
            self._remove_scratch()
            watcher = self._guardian or self._own
            if watcher is not None:
                watcher.forget(self.token)
            if self._own is not None:
                self._own.close()

    def _remove_scratch(self) -> None:
        """Removes the temporary files."""
        if not self._scratch:
            return
        try:
            os.rmdir(self._scratch)  # noqa: PTH106  most programs leave nothing
        except OSError:
            from shutil import rmtree

            rmtree(self._scratch, ignore_errors=True)

    def _end(self, sessions: set[int], tokens: tuple[str, ...]) -> None:
        """Ends the processes with these marks, and reaps the programs among them."""
        guardian.end(tokens, sessions, self._grace)
        for program in self._programs:
            if program.pid in sessions:
                with contextlib.suppress(subprocess.TimeoutExpired):  # it waits for a device: not even SIGKILL helps
                    program.wait(_REAPED)


def cancelled() -> DasflexError:
    """The error of a run that somebody ended from outside: a server that stops, or a consumer that has enough."""
    return BusyError("The request was ended before it was answered", kind="busy.stopped")


def _start_error(error: Exception, name: str, argv: Sequence[str], directory: str, path: str) -> DasflexError:
    """The error for a program that could not be started, by what the system said."""
    if isinstance(error, OSError) and error.errno == errno.E2BIG:
        return QueryError(
            f"The request is too long for the command of the stage {name}; ask for less in one request",
            kind="query.bad-value",
            detail=str(error),
        )
    if isinstance(error, OSError) and error.errno in _SCARCE:
        return BusyError(
            "The server can start no more programs now; try again later", kind="busy.limit", detail=str(error)
        )
    reason = "the system refuses it"
    if isinstance(error, FileNotFoundError):
        reason = _what_is_missing(argv[0], directory, path)
    elif isinstance(error, PermissionError):
        reason = "its program may not be executed"
    elif isinstance(error, OSError) and error.errno == errno.ENOEXEC:
        reason = "its program is no executable; a script needs a first line such as #!/usr/bin/env python3"
    return SourceError(
        f"The stage {name} could not be started: {reason}",
        kind="source.start",
        detail=f"{argv[0] if argv else 'no program'} in {directory or 'the directory of the server'}: {error}",
    )


def _what_is_missing(program: str, directory: str, path: str) -> str:
    """What the system did not find when it was to start a program: it says the same of all these."""
    here = Path(directory)
    if not here.is_dir():
        return "its working directory is not there"
    places = [here / program] if "/" in program else [here / each / program for each in path.split(os.pathsep)]
    if any(each.is_file() for each in places):
        return "the interpreter that the first line of its program names is not there"
    return "its program is not there"

# SPDX-License-Identifier: GPL-3.0-or-later
"""Ends all the processes of a run; started as a program, it does so when the process that started it is gone.

A reader may start others, and these may leave its process group, so the processes of a run are told by two marks:
the session of each program that was started, and the run's token in the environment variable `DASFLEX_REQUEST`, which
children inherit.

As a program (`python -I -S guardian.py GRACE`) it reads lines from standard input: `+TOKEN PID` for a program that
leads a session of its own, `-TOKEN PID` for one that has ended, `*TOKEN DIRECTORY` for where the programs of a run keep
temporary files, and `-TOKEN` for a run that is over. Nobody but the process that started it holds the other end of that
pipe, so the end of the input says that this process is gone, however it went: then all runs that are not over are
ended, and their files removed. It imports nothing of dasflex, which keeps its start short.
"""

from __future__ import annotations

import os
import signal
import sys
from time import monotonic, sleep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

#: The environment variable that marks the processes of a run; readers may use its value, the request id, in messages.
VARIABLE = "DASFLEX_REQUEST"
_PROC = "/proc"
_STEP = 0.01
#: Seconds after which a process that survives SIGKILL (it waits for a device) is left alone.
_PATIENCE = 1.0
#: How often it is looked, at most, until it is sure that nothing is left.
_LOOKS = 20
#: How the state of a process begins that is gone, or waits to be reaped.
_DEAD: tuple[list[bytes], ...] = ([], [b"Z"], [b"X"])


def members(tokens: Collection[str], sessions: Collection[int]) -> set[int]:
    """The processes of these runs by their ids, zombies and this process left out; none where there is no /proc."""
    return _look(tokens, sessions)[0]


def _look(tokens: Collection[str], sessions: Collection[int]) -> tuple[set[int], set[str]]:
    """The processes of these runs, and those of which nothing could be told when their turn came."""
    try:
        names = [name for name in os.listdir(_PROC) if name.isdigit()]  # noqa: PTH208  pathlib would triple the start
    except OSError:
        return set(), set()
    marks = {f"{VARIABLE}={token}".encode() for token in tokens}
    found: set[int] = set()
    unknown: set[str] = set()
    for name in names:
        variables = _environment(name)
        fields = _stat(name)  # read last: what lives now had the variables that were read
        lives = fields[:1] not in _DEAD
        if lives and (int(fields[3]) in sessions or not marks.isdisjoint(variables)):
            found.add(int(name))
        elif not lives or variables == [b""]:
            unknown.add(name)
    return found - {os.getpid()}, unknown


def _surely(tokens: Collection[str], sessions: Collection[int]) -> set[int]:
    """The processes of these runs; where there seem to be none, it is looked until that is sure.

    A process that starts another and ends while /proc is being listed hides both: one is gone when its turn comes, and
    the other was not there when the list was made. Nor can one be told that is just becoming another program. So it is
    looked again until nothing is unknown that was not unknown before.
    """
    before: set[str] | None = None
    for _time in range(_LOOKS):
        found, unknown = _look(tokens, sessions)
        if found or (before is not None and unknown <= before):
            return found
        before = unknown
    return set()


def end(tokens: Collection[str], sessions: Collection[int], grace: float) -> set[int]:
    """Ends these runs: SIGTERM, and SIGKILL for what is still there after `grace` seconds. Gives what withstood."""
    deadline = monotonic() + grace
    found = _signal(_surely(tokens, sessions), signal.SIGTERM)
    if not found:
        return found
    while found and monotonic() < deadline:
        sleep(_STEP)
        found = {pid for pid in found if _alive(pid)}
    if found:
        freeze(tokens, sessions)
    deadline = monotonic() + _PATIENCE
    while (found := _signal(_surely(tokens, sessions), signal.SIGKILL)) and monotonic() < deadline:
        sleep(_STEP)
    return found


def freeze(tokens: Collection[str], sessions: Collection[int]) -> None:
    """Stops the processes of these runs, so that none starts others while they are being ended.

    What multiplies is stopped faster than it grows only if it is not asked first: SIGSTOP cannot be caught.
    """
    stopped: set[int] = set()
    deadline = monotonic() + _PATIENCE
    while (found := members(tokens, sessions) - stopped) and monotonic() < deadline:
        _signal(found, signal.SIGSTOP)
        stopped |= found


def resident(pids: Collection[int]) -> int:
    """The bytes of memory in which these processes reside; what two of them share counts twice."""
    page = os.sysconf("SC_PAGE_SIZE")
    total = 0
    for pid in pids:
        fields = _read(f"{pid}/statm").split()
        total += int(fields[1]) * page if len(fields) > 1 else 0
    return total


def worked(pids: Collection[int]) -> float:
    """The seconds of CPU time that these processes have used, and those of their children whose end they have seen."""
    ticks = 0
    for pid in pids:
        ticks += sum(int(each) for each in _stat(pid)[11:15])
    return ticks / os.sysconf("SC_CLK_TCK")


def _read(name: str) -> bytes:
    """The first 256 KiB of a file of /proc; nothing where the process is gone or another user's."""
    try:
        descriptor = os.open(f"{_PROC}/{name}", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(descriptor, 1 << 18)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def _stat(name: str | int) -> list[bytes]:
    """State, parent, group, session and so on of a process (proc(5), /proc/PID/stat from its third field on)."""
    return _read(f"{name}/stat").rpartition(b")")[2].split()


def _alive(pid: int) -> bool:
    """Whether the process is there, and more than a zombie."""
    return _stat(pid)[:1] not in _DEAD


def _environment(name: str) -> list[bytes]:
    """The variables that a process was started with."""
    return _read(f"{name}/environ").split(b"\0")


def _signal(pids: Iterable[int], number: int) -> set[int]:
    """Sends a signal to processes, and gives those that were there."""
    reached = set()
    for pid in pids:
        try:
            os.kill(pid, number)
        except (ProcessLookupError, PermissionError):
            continue
        reached.add(pid)
    return reached


def _listen() -> tuple[dict[str, set[int]], dict[str, str]]:
    """What there is to end when the input ends: the sessions of each run that is not over, and its directory."""
    runs: dict[str, set[int]] = {}
    directories: dict[str, str] = {}
    held = b""
    while chunk := os.read(0, 4096):
        *lines, held = (held + chunk).split(b"\n")
        for line in lines:
            token, _blank, pid = os.fsdecode(line[1:]).partition(" ")
            if line[:1] == b"+":
                runs.setdefault(token, set()).add(int(pid))
            elif line[:1] == b"*":
                directories[token] = pid
            elif pid:
                runs.get(token, set()).discard(int(pid))
            else:
                runs.pop(token, None)
                directories.pop(token, None)
    return runs, directories


def main() -> None:
    """Waits until the process that started this one is gone, and ends what it left."""
    runs, directories = _listen()
    if runs:
        end(runs, {pid for pids in runs.values() for pid in pids}, float(sys.argv[1]))
    if directories:
        from shutil import rmtree

        for each in directories.values():
            rmtree(each, ignore_errors=True)


if __name__ == "__main__":
    main()

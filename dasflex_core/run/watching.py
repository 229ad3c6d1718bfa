# SPDX-License-Identifier: GPL-3.0-or-later
"""What programs and all that they started use together, looked at while they run.

The system limits one process at a time; a reader that starts others, or fills a directory file by file, is known only
by looking at the whole family: its memory, its CPU time, its number, and its temporary files.
"""

from __future__ import annotations

import os
from threading import Thread
from time import monotonic
from typing import TYPE_CHECKING, Final

from dasflex_core.run import guardian
from dasflex_core.run.settings import LOOK

if TYPE_CHECKING:
    from collections.abc import Callable
    from threading import Event

    from dasflex_core.plan.graph import Limits
    from dasflex_core.run.family import Family

__all__ = ["confine", "watch"]

#: Seconds before the first look, and between two; a look may take a twentieth of the time, but not less than one in
#: `LOOK` seconds: what multiplies must not have long, and a crowded machine must not be busy with looking.
_PAUSE: Final = 0.1
_SHARE: Final = 20
#: Files and directories that temporary files may be, whatever their sizes.
_MOST_FILES: Final = 100_000


def confine(pid: int, limits: Limits) -> None:
    """Sets what the system limits for each process, which its children inherit: no core dump, no huge file.

    A program of another user, which may set its own, is left as it is.
    """
    import resource

    bounds = [(resource.RLIMIT_CORE, 0)]
    if limits.scratch:
        bounds.append((resource.RLIMIT_FSIZE, limits.scratch))
    try:
        for which, most in bounds:
            resource.prlimit(pid, which, (most, most))
    except (PermissionError, ProcessLookupError, ValueError):
        return  # it has ended already, or belongs to somebody else, or has less already


def watch(family: Family, limits: Limits, scratch: str, done: Event, over: Callable[[str], None]) -> None:
    """Looks at a family in a thread of its own until it is `done`; `over` is told what it has too much of, once.

    `scratch` is the directory of temporary files, blank where there is none.
    """
    if limits.memory or limits.cpu or limits.processes or (scratch and limits.scratch):
        work = _Watch(family, limits, scratch, done, over)
        Thread(target=work.run, name="dasflex-watch", daemon=True).start()


class _Watch:
    """The thread that looks."""

    def __init__(self, family: Family, limits: Limits, scratch: str, done: Event, over: Callable[[str], None]) -> None:
        self._family = family
        self._limits = limits
        self._scratch = scratch
        self._done = done
        self._over = over

    def run(self) -> None:
        """Looks until it is over."""
        pause = _PAUSE
        while not self._done.wait(pause) and not self._family.ended:
            begun = monotonic()
            what = self._excess()
            if what:
                self._over(what)
                return
            pause = min(max(_PAUSE, _SHARE * (monotonic() - begun)), LOOK)

    def _excess(self) -> str:
        """What there is too much of; blank where all is well."""
        limits, found = self._limits, self._family.members()
        if limits.processes and len(found) > limits.processes:
            return f"was more than {limits.processes:,} processes"
        if limits.memory and guardian.resident(found) > limits.memory:
            return f"used more than {limits.memory:,} bytes of memory"
        if limits.cpu and guardian.worked(found) > limits.cpu:
            return f"used more than {limits.cpu:g} s of CPU time"
        if self._scratch and limits.scratch:
            return _too_full(self._scratch, limits.scratch)
        return ""


def _too_full(directory: str, most: int) -> str:
    """What is wrong with a directory that takes more than `most` bytes of the disk; blank where it does not."""
    size = count = 0
    waiting = [directory]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    count += 1
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        size += entry.stat(follow_symlinks=False).st_blocks * 512
        except OSError:
            continue  # it was removed, or is not for us to read
        if size > most:
            return f"filled more than {most:,} bytes of disk"
        if count > _MOST_FILES:
            return f"made more than {_MOST_FILES:,} temporary files"
    return ""

# SPDX-License-Identifier: GPL-3.0-or-later
"""Several workers of one program: each is a process, which is started again where it was killed."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import FrameType

__all__ = ["work_together"]

#: Seconds after which a worker that ended is started again.
_PAUSE: Final = 1.0
_LOOK: Final = 0.1
_LOGGER: Final = logging.getLogger("dasflex.work")


def work_together(count: int, options: tuple[str, ...]) -> None:
    """Works with so many workers until a signal ends them, or until all have ended that were told to do so.

    They end, too, when this process is killed: each has the reading end of a pipe that nobody else writes to.
    """
    together = _Together(count, options)
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, together.stop)
    together.run(again="--once" not in options)


class _Together:
    """The workers, and what becomes of them."""

    def __init__(self, count: int, options: tuple[str, ...]) -> None:
        self._count = count
        self._command = (sys.executable, "-P", "-m", "dasflex_work", *options)
        self._workers: list[subprocess.Popen[bytes]] = []
        self._stopping = False
        self._reading, self._writing = os.pipe()

    def run(self, *, again: bool) -> None:
        """Starts the workers, and those that are missing where `again` is true, until all are to end."""
        self._workers = [self._started() for _each in range(self._count)]
        while any(each.poll() is None for each in self._workers) or (again and not self._stopping):
            time.sleep(_LOOK)
            if again and not self._stopping:
                self._replace()

    def stop(self, number: int, _frame: FrameType | None) -> None:
        """Passes a signal on."""
        self._stopping = True
        for each in self._workers:
            if each.poll() is None:
                each.send_signal(number)

    def _replace(self) -> None:
        """Starts a worker for each that has ended."""
        for place, each in enumerate(self._workers):
            if each.poll() is not None:
                _LOGGER.warning("a worker ended with %d, another one is started", each.returncode)
                time.sleep(_PAUSE)
                if self._stopping:
                    return
                self._workers[place] = self._started()
                if self._stopping:  # the signal came while it was being started
                    self._workers[place].terminate()

    def _started(self) -> subprocess.Popen[bytes]:
        """A new worker, in a session of its own: a Ctrl-C of the terminal reaches it from here, and once."""
        leash = ("--leash", str(self._reading))
        return subprocess.Popen((*self._command, *leash), pass_fds=(self._reading,), start_new_session=True)

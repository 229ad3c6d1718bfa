# SPDX-License-Identifier: GPL-3.0-or-later
"""Work that a CGI program leaves behind: done by a process of its own, which nobody waits for."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dasflex_core.config import Config

__all__ = ["age_apart"]

_STREAMS = (0, 1, 2)


def age_apart(config: Config) -> None:
    """Removes old logs in a process that holds nothing of this one: Apache waits until all have let go of its pipes."""
    import warnings

    from dasflex_core.log_ageing import LogKeeper

    keeper = LogKeeper.of(config, _unsaid)
    if not keeper.due():
        return
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of threads, which have ended, or are not needed any more
            process = os.fork()
    except OSError:  # the system has no process to spare: another request will find one
        return
    if process:
        return
    try:
        _let_go()
        keeper.age()
    finally:
        os._exit(0)


def _let_go() -> None:
    """Leaves the session of the server, and what it reads and writes; others have their turn first."""
    import signal

    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    os.setsid()
    os.nice(10)
    null = os.open(os.devnull, os.O_RDWR)
    for each in _STREAMS:
        os.dup2(null, each)
    os.closerange(max(_STREAMS) + 1, null + 64)


def _unsaid(_text: str) -> None:
    """Nobody reads what this process says."""

# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of one worker: it waits for the server of the lists, works, and begins anew where that was away."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from redis import RedisError
from rq.exceptions import StopRequested

from dasflex_core.errors import BusyError
from dasflex_work.broker import connected, place
from dasflex_work.worker import TaskWorker, preload
from dasflex_work.worklist import WorkList

if TYPE_CHECKING:
    from redis import Redis

    from dasflex_core.site import Site

__all__ = ["work"]

#: Seconds between two looks for a server that does not answer: the first, and the longest.
_FIRST: Final = 0.5
_LONGEST: Final = 5.0
_LOGGER: Final = logging.getLogger("dasflex.work")


def work(site: Site, *, beat: int, every: float, once: bool, leash: int | None) -> None:
    """Works until a signal ends it, or with `once` until nothing waits.

    `leash` is a descriptor at whose end the worker ends. Raises `ConfigError`, and with `once` `BusyError`.
    """
    if leash is not None:
        _end_with(leash)
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, _stop)
    preload(site)
    lives = 0
    try:
        while True:
            connection = connected(site.config, patient=True) if once else _reached(site)
            lives += 1
            name = f"{socket.gethostname()}-{os.getpid()}-{lives}"
            worker = TaskWorker(WorkList(site, connection), name, beat=beat, every=every)
            _LOGGER.info("worker %s at Redis %s", name, place(site.config))
            try:
                worker.work(burst=once, logging_level="WARNING")
            except RedisError as error:
                _LOGGER.warning("Redis at %s went away: %s", place(site.config), error)
            except StopRequested:  # while it was beginning, when it may be on the list of workers already
                with suppress(RedisError):
                    worker.register_death()  # type: ignore[no-untyped-call]
                return
            if worker.asked_to_stop or once:
                return
            time.sleep(_FIRST)
    except StopRequested:
        return


def _reached(site: Site) -> Redis:
    """The connection, once the server answers. That it does not is told once."""
    pause, told = _FIRST, False
    while True:
        try:
            found = connected(site.config, patient=True)
        except BusyError as error:
            if not told:
                _LOGGER.warning("%s; tasks wait until it does", error.message)
            told = True
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST)
        else:
            if told:
                _LOGGER.info("Redis at %s answers again", place(site.config))
            return found


def _stop(_number: int, _frame: object) -> None:
    """Ends a worker that does nothing."""
    raise StopRequested


def _end_with(descriptor: int) -> None:
    """Ends the worker, when its task is done, as soon as whoever started it is gone."""

    def watch() -> None:
        os.read(descriptor, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, name="dasflex-work-leash", daemon=True).start()

# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of a running server: it serves until a signal ends it, and ends what it began in order.

After SIGINT or SIGTERM nothing new is taken; what is being answered may go on for a grace time, and is then ended, and
so are the programs that run for it. A second signal ends that time. SIGHUP lets the site be read anew.
"""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from dasflex_cgi.current import Current
    from dasflex_cgi.http_server import HttpServer
    from dasflex_cgi.scgi import ScgiServer
    from dasflex_cgi.websocket import WebSocketDaemon

__all__ = ["Stopping"]

#: Seconds after which a signal is seen, at the latest, by a server that has nothing to do.
_ROUND: Final = 0.25
#: Seconds in which answers that were ended may come to their end, before their connections are closed.
_ENDING: Final = 1.0


class Stopping:
    """What the signals of a process ask for; made in its main thread, it takes them from then on.

    `grace` is how many seconds answers may go on after the first signal to stop.
    """

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._stops = 0
        self._renewals = 0
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        signal.signal(signal.SIGHUP, self._renew)

    def run(
        self, http: HttpServer, scgi: ScgiServer | None, current: Current, daemon: WebSocketDaemon | None = None
    ) -> None:
        """Serves until a signal ends it, and returns when all has ended but the daemon, which was told to end."""
        try:
            while not self._stops:
                http.turn(_ROUND)
                if self._renewals:
                    self._renewals = 0
                    current.renew()
                    if daemon is not None:
                        daemon.renew()
        finally:
            if daemon is not None:
                daemon.stop()
            http.stop_accepting()
            if scgi is not None:
                scgi.stop_accepting()

        def busy() -> bool:
            return http.busy or (scgi is not None and scgi.busy)

        _turn_while(http, self._grace, lambda: busy() and self._stops < 2)
        http.ending = True
        current.end()
        _turn_while(http, _ENDING, busy)
        http.close()

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stops += 1

    def _renew(self, _number: int, _frame: FrameType | None) -> None:
        self._renewals += 1


def _turn_while(http: HttpServer, seconds: float, condition: Callable[[], bool]) -> None:
    """Lets a server go on while a condition holds, for at most so many seconds."""
    end = time.monotonic() + seconds
    while condition() and (left := end - time.monotonic()) > 0:
        http.turn(min(left, 0.05))

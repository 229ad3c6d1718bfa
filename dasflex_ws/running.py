# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of a daemon: it serves until a signal ends it, and tells whoever has started it how it goes."""

from __future__ import annotations

import logging
import os
import signal
from functools import partial
from typing import TYPE_CHECKING, Final

import trio

from dasflex_core.cli.daemonizing import open_log
from dasflex_core.errors import DasflexError
from dasflex_core.values import dataclass
from dasflex_ws.hub import Hub
from dasflex_ws.listening import load_certificate
from dasflex_ws.metrics import Metrics
from dasflex_ws.serving import Serving, serve
from dasflex_ws.status import Status

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import AsyncIterator, Callable, Sequence
    from pathlib import Path

    from dasflex_core.run import Guardian
    from dasflex_core.site import Site
    from dasflex_ws.handed import Handed
    from dasflex_ws.notifying import Manager

__all__ = ["Outset", "Running"]

#: Seconds that the end may take. Whoever is not through by then is ended by the system; the guardian ends the readers.
_ENDING: Final = 15
_LOGGER: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outset:
    """What a daemon begins with.

    `status` are the sockets at which it is asked how it is; `log` is the file that it writes to instead of a terminal,
    `tls` what its TLS needs, by the files of `certificate` and key; `reopen` gives the site anew, and `serves` is
    called when connections are accepted. `quit_now` is called before the process is ended without any ceremony.
    """

    listeners: Sequence[socket.socket]
    status: Sequence[socket.socket]
    handed: Handed | None
    log: Path | None
    tls: ssl.SSLContext | None
    certificate: tuple[Path | None, Path | None] | None
    manager: Manager
    reopen: Callable[[], Site]
    serves: Callable[[], None]
    quit_now: Callable[[], None]
    where: str


class Running:
    """A daemon at work, for the site that it begins with."""

    def __init__(self, site: Site, outset: Outset, guardian: Guardian) -> None:
        self._outset = outset
        self._guardian = guardian
        self._site = site
        self._serving: Serving | None = None
        self._stops = 0
        self._scope = trio.CancelScope()

    async def run(self) -> None:
        """Serves until a signal ends it, and all that it has begun."""
        with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM, signal.SIGHUP) as signals:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._obey, signals)
                with self._scope:
                    await self._serve()
                nursery.cancel_scope.cancel()
        signal.alarm(0)

    async def _serve(self) -> None:
        """Serves until it is cancelled."""
        outset, metrics = self._outset, Metrics()
        limiter = trio.CapacityLimiter(os.cpu_count() or 1)
        hub = Hub(limiter=limiter, guardian=self._guardian, runtime=self._site.config.runtime, metrics=metrics)
        serving = self._serving = Serving(
            self._site, hub=hub, guardian=self._guardian, limiter=limiter, metrics=metrics, tls=outset.tls
        )
        status = Status(metrics, lambda: serving.site, lambda: bool(self._stops))
        async with trio.open_nursery() as nursery:
            handed = None if outset.handed is None else self._handed(outset.handed)
            await nursery.start(partial(serve, _streams(outset.listeners), serving, handed=handed))
            if outset.status:
                nursery.start_soon(status.serve, _streams(outset.status))
            if outset.manager.watchdog:
                nursery.start_soon(self._give_signs, outset.manager.watchdog / 2)
            outset.serves()
            outset.manager.ready(f"Serving at {outset.where}")

    async def _handed(self, handed: Handed) -> AsyncIterator[tuple[trio.SocketStream, bytes]]:
        """The connections that are handed over. Once nobody hands over any more, the daemon ends."""
        async for each in handed.connections():
            yield each
        self._stop()

    async def _give_signs(self, pause: float) -> None:
        """Tells the service manager that the daemon turns."""
        while True:
            self._outset.manager.alive()
            await trio.sleep(pause)

    async def _obey(self, signals: AsyncIterator[int]) -> None:
        """Does what signals ask for."""
        async for number in signals:
            if number == signal.SIGHUP:
                await self._renew()
            elif not self._stops:
                self._stop()
            else:
                self._outset.quit_now()
                os._exit(128 + number)

    def _stop(self) -> None:
        """Lets all come to its end, within a time."""
        self._stops += 1
        self._outset.manager.stopping()
        signal.alarm(_ENDING)
        self._scope.cancel()

    async def _renew(self) -> None:
        """Opens the log anew, which may have been moved away, and reads site and certificate for what comes."""
        outset = self._outset
        outset.manager.reloading()
        try:
            if outset.log is not None:
                open_log(outset.log, take=True)
            site = await trio.to_thread.run_sync(outset.reopen)
            if outset.tls is not None and outset.certificate is not None:
                load_certificate(outset.tls, *outset.certificate)
        except Exception as error:  # noqa: BLE001  a plugin may raise anything, and the daemon must go on
            told = error.message if isinstance(error, DasflexError) else f"{type(error).__name__}: {error}"
            _LOGGER.warning("The old configuration stays, since the new one cannot be read: %s", told)
        else:
            self._site = site
            if self._serving is not None:
                self._serving.site = site
            _LOGGER.info("The configuration was read anew")
        outset.manager.ready(f"Serving at {outset.where}")


def _streams(listeners: Sequence[socket.socket]) -> list[trio.SocketListener]:
    """The same sockets, for trio."""
    return [trio.SocketListener(trio.socket.from_stdlib_socket(each)) for each in listeners]

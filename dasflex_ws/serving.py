# SPDX-License-Identifier: GPL-3.0-or-later
"""The WebSocket server: what all its connections share, and the loops that accept them."""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Final

import trio

from dasflex_core.log_ageing import LogKeeper
from dasflex_core.logs import RequestLog
from dasflex_ws.admission import Doors
from dasflex_ws.connection import Connection
from dasflex_ws.ending import GOING_AWAY, Ending

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Sequence

    from dasflex_core.run import Guardian
    from dasflex_core.site import Site
    from dasflex_ws.hub import Hub
    from dasflex_ws.metrics import Metrics

__all__ = ["Serving", "serve"]

#: Seconds that a client has for its part of the handshake of TLS.
_HANDSHAKE: Final = 10.0
#: Seconds that all connections have to end when the server does.
_FAREWELL: Final = 5.0
_LOGGER: Final = logging.getLogger(__name__)


class Serving:
    """What the connections of a server share. `site` may be replaced: new requests see the new one."""

    def __init__(
        self,
        site: Site,
        *,
        hub: Hub,
        guardian: Guardian,
        limiter: trio.CapacityLimiter,
        metrics: Metrics,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.site = site
        self.hub = hub
        self.guardian = guardian
        self.limiter = limiter
        self.metrics = metrics
        self.tls = tls
        self.doors = Doors()
        self._connections: set[Connection] = set()
        self._nursery: trio.Nursery | None = None

    @property
    def site(self) -> Site:
        """The site that new requests are asked of."""
        return self._site

    @site.setter
    def site(self, site: Site) -> None:
        self._site = site
        self.log = RequestLog.of(site.config, _LOGGER.warning, LogKeeper.of(site.config, _LOGGER.warning).look)

    def take(self, stream: trio.SocketStream, begun: bytes = b"") -> None:
        """Serves a connection that was accepted elsewhere, from which some bytes were read already."""
        if self._nursery is None:
            stream.socket.close()
        else:
            self._nursery.start_soon(self.accepted, stream, begun)

    async def accepted(self, stream: trio.SocketStream, begun: bytes = b"", *, plain: bool = True) -> None:
        """Serves one connection to its end; it is encrypted unless it is `plain`."""
        most = self.site.config.websocket_connections
        if most and len(self._connections) >= 2 * most:  # most of these have not said what they want
            await trio.aclose_forcefully(stream)
            return
        try:
            peer = str(stream.socket.getpeername()[0])
        except (OSError, IndexError):
            peer = ""
        talked: trio.SocketStream | trio.SSLStream[trio.SocketStream] = stream
        if self.tls is not None and not plain:
            talked = trio.SSLStream(stream, self.tls, server_side=True, https_compatible=True)
            try:
                with trio.fail_after(_HANDSHAKE):
                    await talked.do_handshake()
            except (OSError, trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
                await trio.aclose_forcefully(stream)
                return
        connection = Connection(talked, self, peer, begun)
        self._connections.add(connection)
        try:
            await connection.run()
        finally:
            self._connections.discard(connection)

    async def home(self, stopping: trio.Event, *, task_status: trio.TaskStatus[trio.Nursery]) -> None:
        """Runs the hub and, in a nursery that it gives, the connections, until it is told to stop.

        Then all clients are told so, and the readers end. It cannot be cancelled before that.
        """
        with trio.CancelScope(shield=True):
            async with trio.open_nursery() as below:
                await below.start(self.hub.run)
                async with trio.open_nursery() as nursery:
                    self._nursery = nursery
                    task_status.started(nursery)
                    await stopping.wait()
                    self._nursery = None
                    for each in list(self._connections):
                        each.stop(Ending(GOING_AWAY, "The server is stopping"))
                    nursery.cancel_scope.deadline = trio.current_time() + _FAREWELL
                below.cancel_scope.cancel()


async def serve(
    listeners: Sequence[trio.SocketListener],
    serving: Serving,
    *,
    handed: AsyncIterator[tuple[trio.SocketStream, bytes]] | None = None,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Accepts connections until it is cancelled; then all clients get 1001, and the readers end.

    The hub is run here. `handed` are connections that were accepted elsewhere, with what was read from them. Says that
    it has started when connections are accepted.
    """
    stopping = trio.Event()

    async def take(stream: trio.SocketStream) -> None:
        await serving.accepted(stream, plain=False)

    async with trio.open_nursery() as outer:
        nursery = await outer.start(serving.home, stopping)
        try:
            async with trio.open_nursery() as accepting:
                if handed is not None:
                    accepting.start_soon(_take, handed, serving)
                if listeners:
                    await accepting.start(partial(trio.serve_listeners, take, [*listeners], handler_nursery=nursery))
                task_status.started()
                await trio.sleep_forever()
        finally:
            stopping.set()


async def _take(handed: AsyncIterator[tuple[trio.SocketStream, bytes]], serving: Serving) -> None:
    """Serves connections that were accepted elsewhere."""
    async for stream, begun in handed:
        serving.take(stream, begun)

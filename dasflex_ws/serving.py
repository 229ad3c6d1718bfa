# SPDX-License-Identifier: GPL-3.0-or-later
"""The WebSocket server: what all its connections share, and the loops that accept them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterable, Sequence

    from dasflex_core.run import Guardian
    from dasflex_core.site import Site
    from dasflex_ws.hub import Hub
    from dasflex_ws.metrics import Metrics

__all__ = ["Serving", "serve"]


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


async def serve(
    listeners: Sequence[trio.SocketListener],
    serving: Serving,
    *,
    handed: AsyncIterable[tuple[trio.SocketStream, bytes]] | None = None,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Accepts connections until it is cancelled; then all clients get 1001, and the readers end.

    The hub is run here. Connections that were accepted elsewhere come from `handed`, each with the bytes that were read
    from it already; they are plain, whatever `tls` is. Says that it has started when connections are accepted.
    """
    raise NotImplementedError

# SPDX-License-Identifier: GPL-3.0-or-later
"""The live hub: gives every watcher of a live instrument a seat at the one reader that follows it."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from dasflex_core.run import Guardian
    from dasflex_core.site import Plan
    from dasflex_ws.answering import Ending
    from dasflex_ws.channel import Channel
    from dasflex_ws.metrics import Metrics

__all__ = ["Hub", "Seat"]


class Seat:
    """The place of one watcher, taken before the connection is upgraded and held until it is over.

    `slow`, `limit` and `text` are what the channel is to be told by `Channel.live`, which `watch` does itself.
    """

    async def watch(self, channel: Channel) -> Ending:
        """Shows the watcher all that comes until it leaves or the stream cannot go on.

        Does not close the channel: the ending says the code and the reason.
        """
        raise NotImplementedError


class Hub:
    """All live readers of a server and who watches them.

    `run` must be running (in the nursery of the server) while seats are taken. When it is cancelled all readers end,
    and whoever still watches gets an ending with code 1001. `runtime` is the directory for the locks of instruments
    that admit one reader.
    """

    def __init__(
        self,
        *,
        limiter: trio.CapacityLimiter,
        guardian: Guardian,
        runtime: Path,
        metrics: Metrics | None = None,
    ) -> None:
        raise NotImplementedError

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Runs the readers and the branches; ends them all when it is cancelled."""
        raise NotImplementedError

    def takes(self, plan: Plan) -> bool:
        """Whether a plan follows the present, so that its watcher belongs here; others are finite and are answered."""
        raise NotImplementedError

    @asynccontextmanager
    async def seat(self, plan: Plan) -> AsyncIterator[Seat]:
        """A seat for the watcher of a plan: `async with hub.seat(plan) as seat: …upgrade…; await seat.watch(channel)`.

        The reader is started if it does not run. Waits until there are data, though no longer than a moment, since an
        instrument may be silent. Raises `DasflexError` where the reader fails before any data, where the instrument
        admits one reader and another is on, or where there are as many watchers as the definition allows: to be told
        as an HTTP status.
        """
        raise NotImplementedError
        yield

# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests at once over the WebSocket: a turn is waited for while others have theirs."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trio

from dasflex_core.errors import BusyError
from dasflex_core.run.turns import PAUSE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from dasflex_core.solved import Plan

__all__ = ["turn_of"]


@asynccontextmanager
async def turn_of(plan: Plan, client: str | None) -> AsyncIterator[None]:
    """The turn of a plan that is run for a client, by its address; None is nobody, who needs none.

    Raises `BusyError` where the turn does not come in time.
    """
    if client is None:
        yield
        return
    crowd = plan.crowd(client)
    last = trio.current_time() + crowd.patience
    while True:
        try:
            leave = crowd.enter()
            break
        except BusyError:
            if trio.current_time() + PAUSE > last:
                raise
        await trio.sleep(PAUSE)
    try:
        yield
    finally:
        leave()

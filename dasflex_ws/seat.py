# SPDX-License-Identifier: GPL-3.0-or-later
"""The place of one watcher at a live reader, from before the upgrade of its connection until it leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

import trio

from dasflex_core.errors import BusyError, DasflexError
from dasflex_ws.answering import answer
from dasflex_ws.ending import FAILED, GOING_AWAY, TRY_LATER, Ending
from dasflex_ws.frames import encoded

if TYPE_CHECKING:
    from dasflex_ws.channel import Channel
    from dasflex_ws.pumping import TrioPump
    from dasflex_ws.reading import Rules
    from dasflex_ws.wording import Words

__all__ = ["BACKLOG", "Alone", "Seat", "Way"]

#: Bytes that may wait for one client.
BACKLOG: Final = 4 << 20


class Way(Protocol):
    """How what comes gets to one watcher."""

    @property
    def largest(self) -> int:
        """Bytes in the largest message so far."""
        ...

    async def show(self, channel: Channel) -> None:
        """Sends what comes until nothing comes any more. Raises `DasflexError` where that is a failure."""
        ...


class Seat:
    """The place of one watcher, taken before the connection is upgraded and held until it is over."""

    def __init__(self, way: Way, rules: Rules, words: Words) -> None:
        self._way = way
        self._rules = rules
        self._words = words

    async def watch(self, channel: Channel) -> Ending:
        """Shows the watcher all that comes until it leaves, the server stops, or the stream cannot go on.

        Does not close the channel: the ending says the code and the reason.
        """
        limit = max(BACKLOG, 4 * self._way.largest)
        channel.live("drop" if self._rules.drop else "disconnect", limit, self._warning)
        failure: DasflexError | None = None
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_until_gone, channel, nursery.cancel_scope)
            try:
                await self._way.show(channel)
            except DasflexError as error:
                failure = error
            nursery.cancel_scope.cancel()
        if isinstance(failure, BusyError):
            return Ending(TRY_LATER, failure.message, failure)
        if failure is not None:
            return Ending(FAILED, failure.message, failure)
        return Ending(GOING_AWAY, "The server is stopping" if not channel.gone.is_set() else "")

    def _warning(self, messages: int, size: int) -> bytes:
        """The frame that tells a slow client how much it was not sent; nothing where the type has no comments."""
        text = f"The connection is too slow: {messages:,} messages of {size:,} bytes were not sent here"
        packet = self._words.comment("log:warning", text)
        return encoded(packet, text=self._words.text) if packet else b""


class Alone:
    """The place of a watcher with a reader of its own, which ends when that does."""

    def __init__(self, pump: TrioPump) -> None:
        self._pump = pump

    async def watch(self, channel: Channel) -> Ending:
        """Shows the watcher all that comes, waiting for its channel. Does not close that."""
        ending = Ending(GOING_AWAY)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_until_gone, channel, nursery.cancel_scope)
            ending = await answer(self._pump, channel)
            nursery.cancel_scope.cancel()
        return ending


async def _until_gone(channel: Channel, scope: trio.CancelScope) -> None:
    """Cancels a scope when the client has gone."""
    await channel.gone.wait()
    scope.cancel()

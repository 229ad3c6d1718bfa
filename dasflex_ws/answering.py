# SPDX-License-Identifier: GPL-3.0-or-later
"""A finite answer over a WebSocket: what the pump gives, in messages of whole packets, as fast as they are taken."""

from __future__ import annotations

from math import inf
from typing import TYPE_CHECKING, Final, Protocol

import trio

from dasflex_core.errors import DasflexError
from dasflex_ws.ending import FAILED, NORMAL, Ending
from dasflex_ws.frames import encoded
from dasflex_ws.messages import Packer

if TYPE_CHECKING:
    from dasflex_ws.messages import Message
    from dasflex_ws.pumping import TrioPump

__all__ = ["answer"]

#: Seconds that packets wait, at most, for more to come into their message, from the message before on.
_GATHER: Final = 0.02


class Sink(Protocol):
    """What takes WebSocket frames: a `Channel`."""

    async def send(self, frame: bytes, /) -> None:
        """Waits until a frame is written."""
        ...


async def answer(pump: TrioPump, channel: Sink) -> Ending:
    """Sends all that a pump gives, and says how it ended: the caller closes the connection so.

    The reader waits while the client does not take what is there. A failure is told in the stream, where its format
    can, before the ending says it.
    """
    packer = Packer(pump.framer, text=pump.text)
    due = -inf  # when what waits must go: nobody waits for the first packets, nor for those of a slow stream
    try:
        while True:
            pieces: list[bytes] | None = []
            with trio.move_on_at(due if packer.waits else inf):
                pieces = await pump.take()
            if pieces is None:
                break
            for piece in pieces:
                for message in packer.feed(piece):
                    await _send(message, channel)
                    due = trio.current_time() + _GATHER
            if packer.waits and trio.current_time() >= due:
                await _send(packer.rest(), channel)
                due = trio.current_time() + _GATHER
        await _send(packer.rest(), channel)
    except DasflexError as failure:
        await _send(packer.rest(), channel)
        return Ending(FAILED, failure.message, failure)
    return Ending(NORMAL)


async def _send(message: Message | None, channel: Sink) -> None:
    """Sends a message, if there is one."""
    if message is not None:
        await channel.send(encoded(message.data, text=message.text))

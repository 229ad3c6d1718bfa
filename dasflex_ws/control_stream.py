# SPDX-License-Identifier: GPL-3.0-or-later
"""What trio-websocket takes for the connection: it receives from it, and what it has to say goes by the channel."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

if TYPE_CHECKING:
    from dasflex_ws.channel import Channel

__all__ = ["ControlStream"]


class ControlStream(trio.abc.Stream):
    """The stream that trio-websocket has: it receives from the connection, and sends by the channel."""

    def __init__(
        self,
        stream: trio.SocketStream | trio.SSLStream[trio.SocketStream],
        channel: Channel,
        handshake: bytes,
        rest: bytes,
    ) -> None:
        self._stream = stream
        self._channel = channel
        self._handshake = handshake
        self._rest = rest

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Sends control frames, and the end of the handshake."""
        await self._channel.control(bytes(data))

    async def wait_send_all_might_not_block(self) -> None:
        """Does not wait: the channel does."""
        await trio.lowlevel.checkpoint()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """The handshake; once that is answered what came behind it, and then what comes."""
        if self._handshake:
            await trio.lowlevel.checkpoint()
            handshake, self._handshake = self._handshake, b""
            return handshake
        await self._channel.upgraded.wait()
        if self._rest:
            rest, self._rest = self._rest, b""
            return rest
        return bytes(await self._stream.receive_some(max_bytes))

    async def aclose(self) -> None:
        """Does nothing: the connection below is closed by whoever opened it, which is told of the end otherwise."""
        await trio.lowlevel.checkpoint()

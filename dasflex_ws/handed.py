# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections that `dasflex serve` hands over: clients that asked its HTTP port for a WebSocket.

They come over a Unix socket of whole messages, each with the descriptor of the connection and the bytes that were read
from it. The end of that socket is the end of the server.
"""

from __future__ import annotations

import socket
import sys
from typing import TYPE_CHECKING, Final

import trio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

__all__ = ["Handed"]

#: Bytes of a message: more than the server hands over.
_LONGEST: Final = 1 << 17
_ONE: Final = socket.CMSG_SPACE(4)


class Handed:
    """The connections that come over a socket, which is taken over by its descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)
        self._socket.set_inheritable(False)

    async def connections(self) -> AsyncIterator[tuple[trio.SocketStream, bytes]]:
        """Each connection with the bytes that its client has sent so far, until the server is gone."""
        incoming = trio.socket.from_stdlib_socket(self._socket)
        while True:
            try:
                data, passed, _flags, _from = await incoming.recvmsg(_LONGEST, _ONE, socket.MSG_CMSG_CLOEXEC)
            except ConnectionError:
                return
            if not data:
                return
            for descriptor in _descriptors(passed):
                yield trio.SocketStream(trio.socket.from_stdlib_socket(socket.socket(fileno=descriptor))), data


def _descriptors(passed: list[tuple[int, int, bytes]]) -> list[int]:
    """The descriptors that came with a message (unix(7), SCM_RIGHTS)."""
    return [
        int.from_bytes(data[at : at + 4], sys.byteorder)
        for level, kind, data in passed
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS)
        for at in range(0, len(data) - 3, 4)
    ]

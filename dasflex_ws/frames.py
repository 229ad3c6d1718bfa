# SPDX-License-Identifier: GPL-3.0-or-later
"""WebSocket frames as a server sends them (RFC 6455, 5.2): not masked, each a whole message."""

from __future__ import annotations

from typing import Final

__all__ = ["CLOSE", "closing", "encoded", "opcode"]

#: The opcode of a close frame.
CLOSE: Final = 8
_FIN: Final = 0x80
_TEXT: Final = 1
_BINARY: Final = 2
#: Bytes of a reason.
_REASON: Final = 123


def encoded(payload: bytes, *, text: bool) -> bytes:
    """The frame that holds a payload as one whole message.

    >>> encoded(b"Hello", text=True).hex()
    '810548656c6c6f'
    """
    first = _FIN | (_TEXT if text else _BINARY)
    size = len(payload)
    if size < 126:
        return bytes((first, size)) + payload
    if size < 1 << 16:
        return bytes((first, 126)) + size.to_bytes(2) + payload
    return bytes((first, 127)) + size.to_bytes(8) + payload


def closing(code: int, reason: str = "") -> bytes:
    """The close frame with a code and a reason, which is cut where it is too long (RFC 6455, 5.5.1)."""
    payload = code.to_bytes(2) + reason.encode("utf-8", "replace")[:_REASON].decode("utf-8", "ignore").encode()
    return bytes((_FIN | CLOSE, len(payload))) + payload


def opcode(frame: bytes | bytearray | memoryview) -> int:
    """What kind of frame some bytes begin with."""
    return frame[0] & 0x0F if frame else 0

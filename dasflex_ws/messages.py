# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts the bytes of an answer into messages of whole packets: up to 64 KiB of them, or one that is longer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dasflex_core.stages import Framer

__all__ = ["LONGEST", "Message", "Packer", "is_text", "together"]

#: Bytes in the payload of a message. Shorter frames are slow: at 4 KiB, loopback carries a tenth of what it can.
LONGEST: Final = 1 << 16


class Message(NamedTuple):
    """The payload of one WebSocket message. `text` says that it is sent as a text message, so it is valid UTF-8."""

    data: bytes
    text: bool


class Packer:
    """Makes messages of the pieces of an answer, split anywhere where `framer` tells packets.

    Without a framer the pieces are what a formatter gave, and text is cut behind a line if need be. What does not fill
    a message waits; `rest` gives it. Text that is no UTF-8 is sent as a binary message, since RFC 6455 (8.1) has a
    client fail the connection otherwise. With one, what is no packet is left out, as newlines between those of das2.
    """

    def __init__(self, framer: Framer | None, *, text: bool, longest: int = LONGEST) -> None:
        self._framer = together(framer, longest)
        self._text = text
        self._longest = longest
        self._waiting: list[bytes] = []
        self._size = 0

    @property
    def waits(self) -> bool:
        """Whether whole packets wait for more."""
        return bool(self._waiting)

    def feed(self, chunk: bytes) -> list[Message]:
        """The messages that are full with this piece. Raises `SourceError` for what is no stream of its type."""
        pieces = self._whole(chunk)
        made: list[Message] = []
        for piece in pieces:
            if self._waiting and self._size + len(piece) > self._longest:
                made.append(self._message())
            self._waiting.append(piece)
            self._size += len(piece)
            if self._size >= self._longest:
                made.append(self._message())
        return made

    def rest(self) -> Message | None:
        """What waits, if anything does."""
        return self._message() if self._waiting else None

    def _whole(self, chunk: bytes) -> Iterator[bytes]:
        """The packets that this piece completes, or what may stand in a message by itself."""
        if self._framer is not None:
            return (frame.data for frame in self._framer.feed(chunk))
        return _pieces(chunk, self._longest, text=self._text)

    def _message(self) -> Message:
        """A message of what waits."""
        data = self._waiting[0] if len(self._waiting) == 1 else b"".join(self._waiting)
        self._waiting, self._size = [], 0
        return Message(data, self._text and is_text(data))


def together(framer: Framer | None, longest: int = LONGEST) -> Framer | None:
    """The framer, which gives data packets that came together as one frame where it can: less is to be done then."""
    if framer is not None and hasattr(framer, "together"):
        framer.together = longest
    return framer


def is_text(data: bytes) -> bool:
    """Whether these bytes may be a text message, which must be UTF-8 (RFC 6455, 8.1)."""
    if data.isascii():
        return True
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _pieces(chunk: bytes, longest: int, *, text: bool) -> Iterator[bytes]:
    """The same bytes in pieces of at most so many, text cut behind a line or at least behind a character."""
    at = 0
    while len(chunk) - at > longest:
        end = at + longest
        if text:
            line = chunk.rfind(b"\n", at, end) + 1
            end = line if line > at else _character(chunk, at, end)
        yield chunk[at:end]
        at = end
    if at < len(chunk):
        yield chunk[at:] if at else chunk


def _character(chunk: bytes, at: int, end: int) -> int:
    """Where the character that is cut at `end` begins: bytes within one are 10xxxxxx (RFC 3629)."""
    place = end
    while place > max(at, end - 4) and chunk[place] & 0xC0 == 0x80:
        place -= 1
    return place if place > at else end

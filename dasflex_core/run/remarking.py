# SPDX-License-Identifier: GPL-3.0-or-later
"""What the client is told in the stream itself: in its header, and by comments right behind that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dasflex_core.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dasflex_core.arrays import Item
    from dasflex_core.stages import Frame, Framer

__all__ = ["REMARK", "SOURCE", "headed", "remarked_items"]

#: The type of comment of a remark, which Autoplot writes to its log, and the program that makes it.
REMARK = "log:info"
SOURCE = "dasflex"


def headed(
    chunks: Iterable[bytes], framer: Framer, write: Callable[[bytes], bytes], *, plain: bool = False
) -> Iterator[bytes]:
    """The same bytes, with what `write` makes of the first packet, the stream header, in its place.

    They stay as they are where that cannot be done: in one whose head is no packet (whoever checks the stream says so),
    and in a compressed stream, unless it shall be `plain`: its packets then come as the framer gives them. Empty chunks
    pass while the header is not whole.
    """
    head, source = b"", iter(chunks)
    for chunk in source:
        if not chunk:
            yield chunk
            continue
        head += chunk
        try:
            frames = iter(framer.feed(chunk))  # what is behind the header is not walked over here
            first = next(frames, None)
        except SourceError:
            break
        if first is None:
            continue
        if first.kind == "header" and head.startswith(first.data):
            yield write(first.data)
            head = head[len(first.data) :]
        elif first.kind == "header" and plain:
            yield write(first.data)
            yield from _unpacked(frames, framer, source)
            return
        break
    if head:
        yield head
    yield from source


def _unpacked(frames: Iterable[Frame], framer: Framer, source: Iterable[bytes]) -> Iterator[bytes]:
    """The packets of what the framer has been given, and of what comes after it. Raises `SourceError`."""
    yield b"".join(frame.data for frame in frames)
    for chunk in source:
        yield b"".join(frame.data for frame in framer.feed(chunk))
    yield b"".join(frame.data for frame in framer.finish())


def remarked_items(items: Iterable[Item], remarks: Iterable[str]) -> Iterator[Item]:
    """The same items, with comments behind the stream header."""
    from dasflex_core.arrays import Comment, StreamHeader

    for item in items:
        yield item
        if isinstance(item, StreamHeader):
            yield from (Comment(REMARK, text, SOURCE) for text in remarks)

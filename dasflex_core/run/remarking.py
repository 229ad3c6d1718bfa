# SPDX-License-Identifier: GPL-3.0-or-later
"""What the client is told in the stream itself: comments right behind the stream header."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dasflex_core.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dasflex_core.arrays import Item
    from dasflex_core.stages import Framer

__all__ = ["REMARK", "SOURCE", "remarked_bytes", "remarked_items"]

#: The type of comment of a remark, which Autoplot writes to its log, and the program that makes it.
REMARK = "log:info"
SOURCE = "dasflex"


def remarked_bytes(chunks: Iterable[bytes], framer: Framer, comments: bytes) -> Iterator[bytes]:
    """The same bytes, with packets of comments behind the first packet, which is the stream header.

    They are left out where that cannot be done: in a compressed stream, and in one whose head is no packet (whoever
    checks the stream says so).
    """
    head, source = b"", iter(chunks)
    for chunk in source:
        head += chunk
        try:
            frames = list(framer.feed(chunk))
        except SourceError:
            break
        if frames:
            header = frames[0].data
            if frames[0].kind == "header" and head.startswith(header):
                yield header + comments
                head = head[len(header) :]
            break
    if head:
        yield head
    yield from source


def remarked_items(items: Iterable[Item], remarks: Iterable[str]) -> Iterator[Item]:
    """The same items, with comments behind the stream header."""
    from dasflex_core.arrays import Comment, StreamHeader

    for item in items:
        yield item
        if isinstance(item, StreamHeader):
            yield from (Comment(REMARK, text, SOURCE) for text in remarks)

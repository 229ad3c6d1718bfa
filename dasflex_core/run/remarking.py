# SPDX-License-Identifier: GPL-3.0-or-later
"""What the client is told in the stream itself: in its header, and by comments right behind that."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING

from dasflex_core.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dasflex_core.arrays import Item
    from dasflex_core.stages import Framer

__all__ = ["REMARK", "SOURCE", "headed", "remarked_items"]

#: The type of comment of a remark, which Autoplot writes to its log, and the program that makes it.
REMARK = "log:info"
SOURCE = "dasflex"


def headed(chunks: Iterable[bytes], framer: Framer, write: Callable[[bytes], bytes]) -> Iterator[bytes]:
    """The same bytes, with what `write` makes of the first packet, the stream header, in its place.

    They stay as they are where that cannot be done: in a compressed stream, and in one whose head is no packet (whoever
    checks the stream says so). Empty chunks pass while the header is not whole.
    """
    head, source = b"", iter(chunks)
    for chunk in source:
        if not chunk:
            yield chunk
            continue
        head += chunk
        try:
            frames = tuple(islice(framer.feed(chunk), 1))  # what is behind the header is not walked over here
        except SourceError:
            break
        if frames:
            header = frames[0].data
            if frames[0].kind == "header" and head.startswith(header):
                yield write(header)
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

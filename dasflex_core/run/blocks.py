# SPDX-License-Identifier: GPL-3.0-or-later
"""Blocks of the cache in a plan: their streams as one. Nothing is given that is not what was written.

Where a block cannot be read, or its checksum is another, the source's reader gives that part, and whoever looks after
the cache is told; the block is made again, since it is removed.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, cast

from dasflex_core.cache.block import checked, read_block, remove
from dasflex_core.run.joining import Joint
from dasflex_core.stages import Frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dasflex_core.cache.block import Block, Declared, Part
    from dasflex_core.run.context import Piece, Run
    from dasflex_core.stages import Framer

__all__ = ["block_streams", "broken", "opened"]


def broken(run: Run, reopen: Callable[[int, int], Iterator[Piece]], block: Block, error: OSError) -> Iterator[Piece]:
    """What takes the place of a block that is broken, which is removed: what `reopen` gives for its period.

    One that another program has made anew meanwhile stays.
    """
    run.settings.note(f"the cache block {block.base} is broken and was removed: {error}")
    with suppress(OSError):
        if read_block(block.base) == block:
            remove(block.base)
    return reopen(block.begin, block.end)


def block_streams(
    blocks: Iterable[Block], create: Callable[[], Framer | None], instead: Callable[[Block, OSError], Iterator[Piece]]
) -> Iterator[bytes]:
    """The streams of blocks as one: the header of the first, each declaration where it is new, and all data.

    Where the headers stand is known, so that data pass as they are. Blocks without records are left out.
    """
    joint = Joint()
    for block in blocks:
        if not block.records:
            continue
        try:
            chunks = opened(block, block.stream)
        except OSError as error:
            yield from _framed(cast("Iterator[bytes]", instead(block, error)), create, joint)
            continue
        yield from _spliced(chunks, block.declared, joint)


def opened(block: Block, part: Part) -> Iterator[bytes]:
    """The bytes of a part, of which the first are there: what is broken is known by then."""
    chunks = checked(block.path(part), part)
    first = next(chunks, b"")

    def rest() -> Iterator[bytes]:
        yield first
        yield from chunks

    return rest()


def _framed(chunks: Iterator[bytes], create: Callable[[], Framer | None], joint: Joint) -> Iterator[bytes]:
    """A stream of which it is not known where its headers are."""
    framer = create()
    if framer is None:
        yield from chunks
        return
    for chunk in chunks:
        yield b"".join([frame.data for frame in framer.feed(chunk) if joint.passes(frame)])
    for frame in framer.finish():
        yield frame.data


def _spliced(chunks: Iterator[bytes], declared: tuple[Declared, ...], joint: Joint) -> Iterator[bytes]:
    """A stream without those of its headers that the joint holds back."""
    headers = iter(declared)
    header = next(headers, None)
    at = 0
    held = b""
    for chunk in chunks:
        held += chunk
        while header is not None and at + len(held) >= header.offset + header.size:
            begin = header.offset - at
            end = begin + header.size
            frame = Frame("header" if header.id < 0 else "dataset", max(header.id, 0), held[begin:end])
            if begin:
                yield held[:begin]
            if joint.passes(frame):
                yield frame.data
            held, at, header = held[end:], at + end, next(headers, None)
        safe = len(held) if header is None else min(len(held), max(0, header.offset - at))
        if safe:
            yield held[:safe]
            held, at = held[safe:], at + safe
    if held:
        yield held

# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes of a stream around packets: chunks that wait until theirs is whole, and packets that are alike. No numpy."""

from __future__ import annotations

__all__ = ["end_of_alike", "put_behind"]


def put_behind(pieces: list[bytes], chunk: bytes) -> None:
    """Puts a chunk behind those that wait. Short ones are joined, so that many take little more than their bytes."""
    pieces.append(chunk)
    while len(pieces) > 1 and len(pieces[-1]) >= len(pieces[-2]):
        pieces[-2:] = [pieces[-2] + pieces[-1]]


def end_of_alike(data: bytes | bytearray, at: int, tag: int, size: int, longest: int) -> int:
    """Where the packets end that begin at a place with the same tag and have the same size: all that are whole.

    `tag` is the length of the tag, `size` that of the first packet with it; together they have at most `longest` bytes,
    or are one packet.

    >>> end_of_alike(b":01:a:01:b:02:c", 0, 4, 5, 100)
    10
    """
    mark = bytes(data[at : at + tag])
    end, last = at + size, min(len(data), at + longest)
    while end + size <= last and data.startswith(mark, end):
        end += size
    return end

# SPDX-License-Identifier: GPL-3.0-or-later
"""Chunks of a stream that wait until their packet is whole. No numpy."""

from __future__ import annotations

__all__ = ["put_behind"]


def put_behind(pieces: list[bytes], chunk: bytes) -> None:
    """Puts a chunk behind those that wait. Short ones are joined, so that many take little more than their bytes."""
    pieces.append(chunk)
    while len(pieces) > 1 and len(pieces[-1]) >= len(pieces[-2]):
        pieces[-2:] = [pieces[-2] + pieces[-1]]

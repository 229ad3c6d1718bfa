# SPDX-License-Identifier: GPL-3.0-or-later
"""Draws the logo that dasflex brings, a stream that becomes bins: `python -m dasflex_cgi.logo static/logo.png`."""

from __future__ import annotations

import math
import struct
import sys
import zlib
from pathlib import Path
from typing import Final

__all__ = ["draw", "png"]

SIZE: Final = 128
#: Points of the drawing in each direction for one point of the picture, so that edges are smooth.
_FINE: Final = 3
_BLUE: Final = (20, 54, 92)
_LIGHT: Final = (126, 200, 240)
_GOLD: Final = (247, 197, 80)
#: The heights of the bins on the right half, in parts of the picture.
_BINS: Final = (0.20, 0.34, 0.26, 0.42)

Colour = tuple[int, int, int]


def _inside(x: float, y: float) -> bool:
    """Whether a point is in the square with round corners; coordinates run from 0 to 1."""
    near_x, near_y = max(0.18 - x, x - 0.82, 0.0), max(0.18 - y, y - 0.82, 0.0)
    return math.hypot(near_x, near_y) <= 0.18


def _colour(x: float, y: float) -> Colour | None:
    """The colour of a point; None outside of the logo."""
    if not _inside(x, y):
        return None
    if x > 0.52:
        place = (x - 0.54) / 0.085
        bin_, part = int(place), place % 1.0
        on = 0 <= place < len(_BINS) and part < 0.8
        return _GOLD if on and abs(y - 0.5) < _BINS[bin_] * 0.8 else _BLUE
    height = 0.5 + 0.24 * math.sin(x * 34) * (0.4 + x)
    slope = 0.24 * 34 * math.cos(x * 34) * (0.4 + x)
    return _LIGHT if abs(y - height) < 0.022 * math.hypot(1, slope) and x > 0.09 else _BLUE


def draw(size: int = SIZE) -> list[bytes]:
    """The rows of the picture, four bytes (red, green, blue, opacity) a point."""
    rows = []
    for row in range(size):
        line = bytearray()
        for column in range(size):
            fine = [
                _colour((column + (i + 0.5) / _FINE) / size, (row + (j + 0.5) / _FINE) / size)
                for i in range(_FINE)
                for j in range(_FINE)
            ]
            seen = [each for each in fine if each]
            mean = [sum(each[part] for each in seen) // max(1, len(seen)) for part in range(3)]
            line += bytes([*mean, 255 * len(seen) // len(fine)])
        rows.append(bytes(line))
    return rows


def png(rows: list[bytes]) -> bytes:
    """The rows as a PNG file (RFC 2083): colour with opacity, eight bits a part."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", len(rows[0]) // 4, len(rows), 8, 6, 0, 0, 0)
    packed = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", packed) + chunk(b"IEND", b"")


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(png(draw()))

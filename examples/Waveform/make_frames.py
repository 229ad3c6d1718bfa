# SPDX-License-Identifier: Unlicense
"""Make the two small frames that are shipped with the example: `make_frames.py [DIR]`, by default `frames`.

They have the layout of real ones (see reader.py) but 20 lines in place of 800, and hold no data of Voyager: a tone
that rises from 500 Hz to 12 kHz, one that falls, and noise. The bytes are the same wherever and whenever they are made.
"""

from __future__ import annotations

import math
import random
import struct
import sys
from pathlib import Path

RATE = 28_800  # samples a second
LINES = 20
SECONDS = 0.06 * LINES
FRAMES = (  # day and time of line 1, spacecraft clock, frequency in Hz at the beginning and at the end
    ("1979-03-01", "12:27:00.000", 52, 500, 12_000),
    ("1979-03-01", "12:27:48.000", 53, 12_000, 500),
)


def sample(seconds: float, low: float, high: float, noise: random.Random) -> int:
    """Give one stored value, 0 to 15, of a tone that drifts from one frequency to another."""
    turns = low * seconds + (high - low) / SECONDS * seconds**2 / 2
    strength = 5 * math.sin(math.pi * seconds / SECONDS)
    return min(15, max(0, round(7.5 + strength * math.sin(2 * math.pi * turns) + noise.random() - noise.random())))


def line(number: int, clock: int, low: float, high: float, noise: random.Random) -> bytes:
    """Give the record of one line: what the reader needs of its prefix, and 1600 samples."""
    start = 0.06 * (number - 1)
    values = [sample(start + i / RATE, low, high, noise) for i in range(1600)]
    record = bytearray(1024)
    struct.pack_into(">3H", record, 18, 16_269, clock, number)  # spacecraft clock and line count
    record[36:68] = b"SYNTHETIC, NO DATA OF VOYAGER".ljust(32)
    struct.pack_into(">H", record, 116, number)
    struct.pack_into(">2h", record, 142, 1, 1)  # one minor frame, and it is full
    struct.pack_into(">2h", record, 216, 1, 800)  # the first and the last valid pixel
    record[220:1020] = bytes(high << 4 | low for high, low in zip(values[0::2], values[1::2], strict=True))
    return bytes(record)


def frame(day: str, time: str, clock: int, low: float, high: float) -> bytes:
    """Give all records of one frame."""
    first = bytearray(1024)
    first[36:68] = b"SYNTHETIC, NO DATA OF VOYAGER".ljust(32)
    first[248:298] = f"VOYAGER-1 PWS  2/16269:{clock} {day}T{time}Z".encode()
    noise = random.Random(clock)
    return bytes(first) + b"".join(line(1 + i, clock, low, high, noise) for i in range(LINES))


def main() -> None:
    """Write the frames into a folder."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).with_name("frames"))
    folder.mkdir(exist_ok=True)
    for day, time, clock, low, high in FRAMES:
        name = f"VG1_{day}_{time.replace(':', '-').replace('.', '-')}.DAT"
        (folder / name).write_bytes(frame(day, time, clock, low, high))


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: GPL-3.0-or-later
"""Decoding ragged das3 waveforms from a pipe, as a ratio to the same values in packets of a fixed size.

`python tests/bench/bench_ragged.py [RECORDS]`: records of a TT2000 time and about 10^3 float32, whose number varies
from record to record, and the same number of records of exactly 10^3; both in the same run. Then four ids of ragged
records in turn, and short runs of about ten values, for the cost of a packet. Each figure is the median of five, with
the lowest and the highest; md5 over the same bytes is beside them.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from dasflex_core.arrays import Records
from dasflex_das.das3_decoder import Das3Decoder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

CHUNK = 1 << 18
RUNS = 5
#: What the issue asks: ragged decoding at this part of the rate of fixed sizes, and four ids at this part of one.
WANTED, WANTED_IDS = 1 / 3, 1 / 2

HEADER = b'<stream type="das-basic-stream" version="3.0"/>'
DATASET = (
    '<dataset name="wave{number}" rank="2" index="*;{extent}"><coord physDim="time" name="time"><scalar'
    ' semantic="datetime" index="*;-" units="TT2000"><packet numItems="1" itemBytes="8" encoding="LEint"/></scalar>'
    '</coord><data physDim="E" name="ex"><scalar semantic="real" index="*;{extent}" units="V"><packet'
    ' numItems="{extent}" itemBytes="4" encoding="LEreal"/></scalar></data></dataset>'
)


def stream(records: int, length: int, ids: int, *, ragged: bool) -> Iterator[bytes]:
    """A das3 stream of about so many records, in pieces; the ids take turns."""
    yield b"|Sx||%d|%b" % (len(HEADER), HEADER)
    for number in range(1, ids + 1):
        body = DATASET.format(number=number, extent="*" if ragged else length).encode()
        yield b"|Hx|%d|%d|%b" % (number, len(body), body)
    random = np.random.default_rng(1)
    values = random.normal(size=4 * length).astype("<f4").tobytes()
    lengths = random.integers(length - length // 5, length + length // 5, endpoint=True, size=1000).tolist()
    piece = []
    for place, own in enumerate(lengths):
        count = own if ragged else length
        body = place.to_bytes(8, "little") + (b"[j|%d]" % count if ragged else b"") + values[: 4 * count]
        piece.append(b"|Pd|%d|%d|%b" % (place % ids + 1, len(body), body))
    whole = b"".join(piece)
    for _piece in range(max(1, records // 1000)):
        yield whole


def chunks_of(path: Path) -> Iterator[bytes]:
    """The bytes of a file through a pipe, which holds as much as the pump's does."""
    with subprocess.Popen(["cat", str(path)], stdout=subprocess.PIPE, pipesize=CHUNK) as process:
        if process.stdout is None:
            raise RuntimeError("cat has no output")
        while chunk := os.read(process.stdout.fileno(), CHUNK):
            yield chunk


def decode(chunks: Iterable[bytes]) -> int:
    """Decodes a stream and counts its records."""
    decoder = Das3Decoder()
    count = sum(len(item) for chunk in chunks for item in decoder.feed(chunk) if isinstance(item, Records))
    list(decoder.finish())
    return count


def md5(chunks: Iterable[bytes]) -> str:
    """The digest of a stream: the yardstick."""
    digest = hashlib.md5(usedforsecurity=False)
    for chunk in chunks:
        digest.update(chunk)
    return digest.hexdigest()


def in_memory(path: Path) -> list[bytes]:
    """The chunks of a file."""
    with path.open("rb") as file:
        return list(iter(lambda: file.read(CHUNK), b""))


def seconds(work: Callable[[], object]) -> float:
    """How long the work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(records: int, length: int, ids: int, *, ragged: bool) -> dict[str, list[float]]:
    """Bytes per second of md5, and of decoding from memory and from a pipe, `RUNS` times in turn."""
    figures: dict[str, list[float]] = {"md5": [], "decode from memory": [], "decode from a pipe": [], "µs a packet": []}
    with tempfile.NamedTemporaryFile(suffix=".d3b") as file:
        for piece in stream(records, length, ids, ragged=ragged):
            file.write(piece)
        file.flush()
        path = Path(file.name)
        size, memory = path.stat().st_size, in_memory(path)
        for _run in range(RUNS):
            figures["md5"].append(size / seconds(lambda: md5(memory)))
            from_memory = seconds(lambda: decode(memory))
            figures["decode from memory"].append(size / from_memory)
            figures["decode from a pipe"].append(size / seconds(lambda: decode(chunks_of(path))))
            figures["µs a packet"].append(from_memory / records * 1e6)
    return figures


def report(title: str, figures: dict[str, list[float]]) -> float:
    """Prints the figures of one stream; gives the rate from a pipe."""
    print(title)
    for name, own in figures.items():
        low, middle, high = min(own), median(own), max(own)
        if name.startswith("µs"):
            print(f"  {name:<22} {middle:8.2f}        ({low:.2f} to {high:.2f})")
        else:
            ratio = middle / median(figures["md5"])
            print(f"  {name:<22} {middle / 1e6:8.0f} MB/s  {ratio:6.2f} x md5  ({low / 1e6:.0f} to {high / 1e6:.0f})")
    return median(figures["decode from a pipe"])


def main(arguments: list[str]) -> int:
    """Prints the figures; 1 if one of them misses what is wanted."""
    records = int(arguments[0]) if arguments else 100_000
    fixed = report(f"{records:,} records of 1,000 float32, fixed", measure(records, 1000, 1, ragged=False))
    ragged = report(f"{records:,} records of about 1,000 float32, ragged", measure(records, 1000, 1, ragged=True))
    print(f"  {ragged / fixed:.2f} of the rate of fixed sizes; wanted: {WANTED:.2f}")
    turns = report(f"{records:,} ragged records of four ids in turn", measure(records, 1000, 4, ragged=True))
    print(f"  {turns / ragged:.2f} of the rate of one id; wanted: {WANTED_IDS:.2f}")
    report(f"{records:,} records of about 10 float32, ragged", measure(records, 10, 1, ragged=True))
    return int(ragged < WANTED * fixed or turns < WANTED_IDS * ragged)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

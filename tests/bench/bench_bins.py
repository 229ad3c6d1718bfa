# SPDX-License-Identifier: GPL-3.0-or-later
"""Bins of time from a pipe to das2 bytes, first to last byte, as a ratio to md5 of the same bytes in the same run.

`python tests/bench/bench_bins.py [MEGABYTES]`: spectra of 64 float32 of which 5 % are fill, and four lines of float32
in packets of 28 bytes, both with a binary time; 50 records in a bin. Decoding, binning and encoding are in the figure.
Each is the median of five, with the lowest and the highest. The last line is the memory of the process.
"""

from __future__ import annotations

import hashlib
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import numpy as np

from dasflex_das.das2_decoder import Das2Decoder
from dasflex_das.das2_encoder import Das2BinaryEncoder
from dasflex_reduce.bin_average import BinAverage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

CHUNK = 1 << 18
RUNS = 5
MEAN, MORE = ("mean",), ("mean", "min", "max", "stddev")
#: What the issue asks, as a multiple of md5: by kind of stream and statistics.
WANTED = {("spectra", MEAN): 0.8, ("lines", MEAN): 0.45, ("spectra", MORE): 0.4, ("lines", MORE): 0.225}
#: Megabytes of memory that the process may have.
MEMORY = 150
_YSCAN = (
    '<yscan name="psd" type="little_endian_real4" nitems="64" yUnits="Hz" yTagInterval="1" yTagMin="10" zUnits="V"/>'
)
_LINES = "".join(f'<y name="b{place}" type="little_endian_real4" units="nT"/>' for place in range(4))


def stream(megabytes: int, kind: str) -> Iterator[bytes]:
    """A das2 stream of about so many megabytes, in pieces: a record a second, fill in 5 of 100 values."""
    yield b'[00]000023<stream version="2.2"/>'
    planes, width = (_YSCAN, 64) if kind == "spectra" else (_LINES, 4)
    body = f'<packet><x type="little_endian_real8" units="us2000"/>{planes}</packet>'
    yield f"[01]{len(body):06d}{body}".encode()
    rows = np.zeros(40960 if width == 4 else 4096, dtype=[("tag", "S4"), ("time", "<f8"), ("psd", "<f4", (width,))])
    random = np.random.default_rng(1)
    rows["tag"] = b":01:"
    rows["psd"] = random.normal(size=(len(rows), width))
    rows["psd"][random.random((len(rows), width)) < 0.05] = -1e31
    for piece in range(megabytes * 1_000_000 // rows.nbytes):
        rows["time"] = (piece * len(rows) + np.arange(len(rows))) * 1e6
        yield rows.tobytes()


def chunks_of(path: Path) -> Iterator[bytes]:
    """The bytes of a file through a pipe, which holds as much as the pump's does."""
    with subprocess.Popen(["cat", str(path)], stdout=subprocess.PIPE, pipesize=CHUNK) as process:
        if process.stdout is None:
            raise RuntimeError("cat has no output")
        while chunk := os.read(process.stdout.fileno(), CHUNK):
            yield chunk


def reduce(chunks: Iterable[bytes], stats: tuple[str, ...]) -> int:
    """Decodes, bins and encodes a stream, and counts the bytes that come out."""
    decoder, bins, encoder = Das2Decoder(), BinAverage(seconds=50.0, stats=stats), Das2BinaryEncoder()
    size = 0
    for chunk in chunks:
        for item in decoder.feed(chunk):
            for made in bins.feed(item):
                size += sum(map(len, encoder.feed(made)))
    for item in decoder.finish():
        for made in bins.feed(item):
            size += sum(map(len, encoder.feed(made)))
    for made in bins.finish():
        size += sum(map(len, encoder.feed(made)))
    return size


def md5(path: Path) -> float:
    """Seconds of the yardstick: the digest of a file's bytes, without their reading."""
    digest, spent = hashlib.md5(usedforsecurity=False), 0.0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            start = time.perf_counter()
            digest.update(chunk)
            spent += time.perf_counter() - start
    return spent


def seconds(work: Callable[[], object]) -> float:
    """How long the work takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure(megabytes: int, kind: str) -> tuple[list[float], dict[tuple[str, ...], list[float]]]:
    """Bytes per second of md5, and of each set of statistics, `RUNS` times in turn."""
    yardstick: list[float] = []
    figures: dict[tuple[str, ...], list[float]] = {MEAN: [], MORE: []}
    with tempfile.NamedTemporaryFile(suffix=".d2s") as file:
        for piece in stream(megabytes, kind):
            file.write(piece)
        file.flush()
        path = Path(file.name)
        size = path.stat().st_size
        for _run in range(RUNS):
            yardstick.append(size / md5(path))
            for stats, found in figures.items():
                found.append(size / seconds(lambda stats=stats: reduce(chunks_of(path), stats)))
    return yardstick, figures


def _line(name: str, figures: list[float], yardstick: float, wanted: float = 0.0) -> str:
    low, middle, high = min(figures), median(figures), max(figures)
    told = f"  wanted: {wanted} x md5" if wanted else ""
    return (
        f"  {name:<24} {middle / 1e6:8.0f} MB/s  {middle / yardstick:6.2f} x md5"
        f"  ({low / 1e6:.0f} to {high / 1e6:.0f}){told}"
    )


def main(arguments: list[str]) -> int:
    """Prints the figures; 1 if one of them misses what is wanted."""
    megabytes = int(arguments[0]) if arguments else 200
    missed = False
    for kind, title in (("spectra", "64 x float32 and a time"), ("lines", "4 x float32 and a time, 28 bytes")):
        yardstick, figures = measure(megabytes, kind)
        rate = median(yardstick)
        print(f"bins of 50 records, {title}, {megabytes} MB")
        print(_line("md5", yardstick, rate))
        for stats, found in figures.items():
            wanted = WANTED[kind, stats]
            print(_line(",".join(stats), found, rate, wanted))
            missed = missed or median(found) < wanted * rate
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"memory: {memory:.0f} MB  wanted: below {MEMORY} MB")
    return int(missed or memory > MEMORY)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

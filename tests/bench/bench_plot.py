# SPDX-License-Identifier: GPL-3.0-or-later
"""A PNG of ten million points, 800 × 450, of a warm `dasflex serve`: from the request to the last byte.

The reader is `cat FILE`: a das2 binary stream of one float32 for each time, 160 MB. Each figure is the median of five,
with the spread. The yardstick, which takes turns with it, is what somebody would write who knows the file: numpy, from
the file to the least and greatest value of each column of pixels, and matplotlib to draw them. The number of points may
be given in millions as the first argument.
"""

from __future__ import annotations

import io
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
from bench_serve import start

from dasflex_core.catalog.tree import compile_tree
from dasflex_core.roots import make_root

RUNS = 5
WANTED = 3.0
SIZE = (800, 450)
RECORD = np.dtype([("tag", "S4"), ("time", ">f8"), ("level", ">f4")])
BEGIN = 8.0e14  # us2000: 2025-05-08T06:13:20
RANGE = "2025-05-08T06:13:20/2025-05-08T09:00:00"
SOURCE = """
title    = "Ten million points"
contacts = { technical = "Somebody <somebody@example.org>" }

[reader]
command = "cat stream.d2s"
writes  = "das/2/binary"
exact   = false

[coords.time]
range = "2025-05-08 to 2025-05-09"

[data.level]
axes  = ["time"]
units = "V"

[[example]]
title = "All of it"
time  = "2025-05-08 to 2025-05-09"
"""
HEADER = '<stream version="2.2" />'
PACKET = '<packet><x type="sun_real8" units="us2000"/><y type="sun_real4" units="V" name="level"/></packet>'


def write_stream(path: Path, points: int) -> None:
    """Noise on a slow wave with a few peaks, evenly over ten thousand seconds."""
    random = np.random.default_rng(20250508)
    step = 1e10 / points
    with path.open("wb") as out:
        out.write(b"[00]%06d%b[01]%06d%b" % (len(HEADER), HEADER.encode(), len(PACKET), PACKET.encode()))
        for first in range(0, points, 1_000_000):
            number = np.arange(first, min(first + 1_000_000, points))
            block = np.empty(len(number), dtype=RECORD)
            block["tag"] = b":01:"
            block["time"] = BEGIN + step * number
            block["level"] = np.sin(number / points * 12) + random.normal(0, 0.1, len(number))
            block["level"][:: 333_331] += 3
            out.write(block.tobytes())


def picture(address: tuple[str, int]) -> tuple[float, int]:
    """How long a picture takes, and how many bytes it has."""
    begin = perf_counter()
    target = f"/source/points/data.png?time={RANGE}&format.width={SIZE[0]}&format.height={SIZE[1]}"
    with socket.create_connection(address) as connection:
        connection.sendall(f"GET {target} HTTP/1.0\r\nHost: bench\r\n\r\n".encode())
        received = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    head, _, body = received.partition(b"\r\n\r\n")
    if b" 200 " not in head.splitlines()[0] + b" " or not body.startswith(b"\x89PNG"):
        raise SystemExit(f"no picture: {received[:600]!r}")
    return perf_counter() - begin, len(body)


def by_hand(path: Path) -> float:
    """How long numpy and matplotlib take for the same, from the file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    begin = perf_counter()
    records = np.fromfile(path, dtype=RECORD, offset=20 + len(HEADER) + len(PACKET))
    level, time = records["level"].astype(np.float64), records["time"].astype(np.float64)
    column = ((time - BEGIN) * (SIZE[0] / 1e10)).astype(np.int64)
    starts = np.flatnonzero(np.diff(column, prepend=-1))
    figure = Figure(figsize=(SIZE[0] / 100, SIZE[1] / 100), dpi=100)
    axes = figure.add_subplot()
    axes.vlines(time[starts], np.minimum.reduceat(level, starts), np.maximum.reduceat(level, starts))
    FigureCanvasAgg(figure).print_png(io.BytesIO())
    return perf_counter() - begin


def measure(root: Path, points: int) -> bool:
    """Prints the figures and tells whether what is wanted is reached."""
    make_root(root, "Bench", examples=False)
    place = root / "definitions" / "points"
    place.mkdir(parents=True)
    write_stream(place / "stream.d2s", points)
    (place / "source.toml").write_text(SOURCE, encoding="utf-8")
    report = compile_tree(root)
    if report.findings:
        raise SystemExit("\n".join(map(str, report.findings)))
    server, address = start(root)
    try:
        first, size = picture(address)
        by_hand(place / "stream.d2s")
        found, hand = [], []
        for _run in range(RUNS):
            hand.append(by_hand(place / "stream.d2s"))
            found.append(picture(address)[0])
        status = Path(f"/proc/{server.pid}/status").read_text(encoding="ascii")
    finally:
        server.terminate()
        server.communicate()
    peak = int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) / 1024
    print(f"PNG of {points / 1e6:g} million points, {SIZE[0]} x {SIZE[1]}, {size / 1000:.0f} kB, warm server")
    print(f"  {median(found):5.2f} s (from {min(found):.2f} to {max(found):.2f}); the first {first:.2f} s; wanted < {WANTED:g} s")
    print(f"  {median(hand):5.2f} s (from {min(hand):.2f} to {max(hand):.2f}) by hand with numpy and matplotlib")
    print(f"  {median(found) / median(hand):5.2f} x the yardstick; memory of the server at most {peak:.0f} MB")
    return median(found) < WANTED


def main() -> None:
    """Draws as many million points as the first argument says."""
    points = int(float(sys.argv[1]) * 1e6) if len(sys.argv) > 1 else 10_000_000
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(0 if measure(Path(folder) / "root", points) else 1)


if __name__ == "__main__":
    main()

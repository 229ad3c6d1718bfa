# SPDX-License-Identifier: GPL-3.0-or-later
"""Pass-through: a plan of one reader, `cat FILE`, against `cat FILE | cat`, from the first byte to the last.

The file is 1 GB, or as many gigabytes as the first argument says (5 for the published figure), and is read once
before, so that the disk does not count. Both variants of the pump are measured: without and with the sha256 of the
request record. The hash alone does about 1.7 GB/s on a processor with SHA instructions; it is made beside the stream,
and gives up where the stream is faster, as this one is and a network is not.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from dasflex_core.plan.graph import Command, Node
from dasflex_core.run import Pump, PumpSettings
from dasflex_core.streamtype import StreamType

REPEATS = 5
LIMIT = 0.9
GIGABYTE = 1_000_000_000


def make_file(path: Path, size: int) -> None:
    """A file of das2-like records that no file system can store sparsely."""
    block = os.urandom(1 << 20)
    with path.open("wb") as file:
        for _each in range(0, size, len(block)):
            file.write(block[: size - file.tell()])


def yardstick(path: Path, size: int) -> tuple[float, float]:
    """Seconds of `cat FILE | cat`, and 0: it says nothing of its first byte."""
    begin = time.perf_counter()
    with subprocess.Popen(("cat", path), stdout=subprocess.PIPE) as first:
        subprocess.run(("cat",), stdin=first.stdout, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begin, 0.0


def pumped(path: Path, size: int, *, digest: bool) -> tuple[float, float]:
    """Seconds of the pump for the same, and those to its first byte."""
    nodes = (Node("reader", "process", StreamType("raw"), command=Command((("cat", str(path)),))),)
    begin = time.perf_counter()
    total = 0
    with Pump(nodes, PumpSettings(digest=digest)) as pump:
        chunks = pump.chunks()
        first = time.perf_counter() - begin
        for chunk in chunks:
            total += len(chunk)
    if total != size:
        raise SystemExit(f"the pump gave {total} bytes of {size}")
    return time.perf_counter() - begin, first


def measure(size: int, folder: Path) -> float:
    """Prints the figures, and gives the ratio of the pump, as it is used, to the yardstick."""
    path = folder / "stream"
    make_file(path, size)
    runs = {
        "cat FILE | cat": lambda: yardstick(path, size),
        "pump": lambda: pumped(path, size, digest=False),
        "pump, with sha256": lambda: pumped(path, size, digest=True),
    }
    yardstick(path, size)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in runs}
    for _each in range(REPEATS):
        for name, run in runs.items():
            times[name].append(run())
    base = median(seconds for seconds, _first in times["cat FILE | cat"])
    print(f"pass-through of {size / GIGABYTE:g} GB, median of {REPEATS} (least to most)")
    for name, each in times.items():
        seconds = [total for total, _first in each]
        ratio = base / median(seconds)
        start = median(first for _total, first in each)
        print(
            f"  {name:18} {size / median(seconds) / GIGABYTE:5.2f} GB/s"
            f" ({size / max(seconds) / GIGABYTE:.2f} to {size / min(seconds) / GIGABYTE:.2f}),"
            f" {ratio:.2f} x yardstick, first byte after {start * 1000:.1f} ms"
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"  peak memory of this process {peak:.0f} MB; to reach: {LIMIT} x yardstick")
    return base / median(total for total, _first in times["pump, with sha256"])


def main() -> None:
    """Measures as many gigabytes as the first argument says."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("gigabytes", nargs="?", type=float, default=1.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(0 if measure(int(arguments.gigabytes * GIGABYTE), Path(folder)) >= LIMIT else 1)


if __name__ == "__main__":
    main()

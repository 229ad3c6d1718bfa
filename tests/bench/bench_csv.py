# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast das2 binary from a pipe becomes CSV, decode included, against md5 over the same bytes in the same run.

The input is 64 float32 and a binary time per record, once with one id and once with four interleaved ids. It comes
from `cat FILE`. Each figure is the median of five runs, with the spread; the yardstick is measured beside each. `peak` is the resident memory of a process
that does one conversion and nothing else.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RUNS = 5
MEGABYTES = 64
CHANNELS = 64
CHUNK = 1 << 18
WANTED = 0.12
#: What is measured: the ids of the stream, and the parameters of the formatter by attribute.
CASES: dict[str, tuple[int, dict[str, object]]] = {
    "8 significant digits (%.7e)": (1, {"sigdigit": 8}),
    "8 significant digits, 4 ids interleaved": (4, {"sigdigit": 8}),
    "shortest digits, the default": (1, {}),
    "das style, 9 digits": (1, {"style": "das"}),
}


def write_stream(path: Path, ids: int) -> None:
    """A das2 stream of about `MEGABYTES`: values of both signs over many decades, one in a hundred of them fill."""
    import numpy as np

    random = np.random.default_rng(20310402)
    record = np.dtype([("tag", "S4"), ("time", ">f8"), ("psd", ">f4", (CHANNELS,))])
    tags = ",".join(f"{10 * 1.1**channel:.3f}" for channel in range(CHANNELS))
    body = (
        '<packet><x type="sun_real8" units="us2000"></x><yscan name="psd" type="sun_real4" '
        f'nitems="{CHANNELS}" yUnits="Hz" yTags="{tags}" zUnits="V**2 m**-2 Hz**-1"></yscan></packet>'
    )
    block = np.empty(20_000, dtype=record)
    block["tag"] = [b":%02d:" % (1 + place % ids) for place in range(len(block))]
    sign = random.choice([-1.0, 1.0], (len(block), CHANNELS))
    block["psd"] = sign * 10.0 ** random.uniform(-18, 4, (len(block), CHANNELS))
    block["psd"][random.random((len(block), CHANNELS)) < 0.01] = -1e31
    with path.open("wb") as out:
        out.write(b'[00]000024<stream version="2.2" />')
        for number in range(1, ids + 1):
            out.write(b"[%02d]%06d%b" % (number, len(body), body.encode()))
        for turn in range(MEGABYTES * 1_000_000 // block.nbytes):
            block["time"] = 9.8e14 + 1e6 * (np.arange(len(block)) + turn * len(block))
            out.write(block.tobytes())


def chunks(path: Path) -> Iterator[bytes]:
    """The file as a reader would give it: through a pipe."""
    with subprocess.Popen(["cat", str(path)], stdout=subprocess.PIPE, pipesize=CHUNK) as reader:
        if reader.stdout is None:
            raise RuntimeError("cat has no output")
        while chunk := os.read(reader.stdout.fileno(), CHUNK):
            yield chunk


def convert(path: Path, options: dict[str, object]) -> int:
    """Decodes and formats the file; the number of bytes that come out."""
    from dasflex_csv.formatter import CsvFormatter
    from dasflex_das.das2_decoder import Das2Decoder

    decoder, formatter = Das2Decoder(), CsvFormatter(**options)
    total = 0
    for chunk in chunks(path):
        for item in decoder.feed(chunk):
            total += sum(map(len, formatter.feed(item)))
    for item in decoder.finish():
        total += sum(map(len, formatter.feed(item)))
    return total + sum(map(len, formatter.finish()))


def seconds(work: Callable[[], object]) -> float:
    """How long the work takes."""
    begin = perf_counter()
    work()
    return perf_counter() - begin


def measure(path: Path, options: dict[str, object]) -> tuple[list[float], float]:
    """The ratios of the rates of conversion and of md5, which take turns, the lowest first; and the rate of input."""
    data = path.read_bytes()
    ratios, rates = [], []
    for _run in range(RUNS):
        md5 = seconds(lambda: hashlib.md5(data, usedforsecurity=False).digest())
        own = seconds(lambda: convert(path, options))
        ratios.append(md5 / own)
        rates.append(len(data) / 1e6 / own)
    return sorted(ratios), median(rates)


def peak_megabytes(path: Path, name: str) -> float:
    """The peak memory of a process that does one conversion."""
    told = subprocess.run([sys.executable, __file__, str(path), name], check=True, capture_output=True)
    return int(told.stdout) / 1024


def main() -> int:
    """Prints a line per case: its ratio to md5, its rate of input, its peak memory; 1 if what is wanted is missed."""
    if len(sys.argv) == 3:
        convert(Path(sys.argv[1]), CASES[sys.argv[2]][1])
        status = Path("/proc/self/status").read_text()
        print(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])
        return 0
    missed = False
    with tempfile.TemporaryDirectory() as folder:
        for name, (ids, options) in CASES.items():
            path = Path(folder) / f"{ids}.d2s"
            if not path.exists():
                write_stream(path, ids)
            ratios, rate = measure(path, options)
            wanted = f", wanted {WANTED}" if "%.7e" in name else ""
            missed = missed or bool(wanted and median(ratios) < WANTED)
            print(
                f"das2 to CSV, {name}: {median(ratios):.3f} of md5 ({ratios[0]:.3f} to {ratios[-1]:.3f}{wanted}), "
                f"{rate:.0f} MB/s of input, peak {peak_megabytes(path, name):.0f} MB"
            )
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())

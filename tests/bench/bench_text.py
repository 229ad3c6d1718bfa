# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast binary das streams from a pipe become text of their version, against md5 over the same bytes in the same run.

`python tests/bench/bench_text.py [WORD …]`: spectra of 64 float32, and four lines of float32 in packets of 28 bytes,
both with a binary time, of das2 and of das3; a word picks the cases whose names hold it. `all digits` is what
`format.serial=text` and `das2_ascii` give, `4 digits` is `das2_ascii -r 4 -s 3`. The input comes from `cat FILE`;
decoding and encoding are in the figure. Each is the median of five runs, with the spread; the yardstick is measured
beside each. The ratio by processor time stands behind it: where others use the machine, it says more. `peak` is the
resident memory of a process that does one conversion and nothing else.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter, process_time
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RUNS = 5
MEGABYTES = 48
CHUNK = 1 << 18
WANTED = 0.15
#: Megabytes of memory that a process may have.
MEMORY = 150
#: The inputs: the version of the stream, and the values in a record.
INPUTS: dict[str, tuple[int, int]] = {
    "das2 spectra": (2, 64),
    "das2 lines": (2, 4),
    "das3 spectra": (3, 64),
    "das3 lines": (3, 4),
}
#: The parameters of the encoder.
FORMS: dict[str, dict[str, int]] = {"all digits": {}, "4 digits": {"sigdigit": 4, "secfrac": 3}}


def write_das2(path: Path, width: int) -> None:
    """A das2 stream of about `MEGABYTES`: values of both signs over many decades, one in a hundred of them fill."""
    import numpy as np

    random = np.random.default_rng(20310402)
    scan = (
        f'<yscan name="psd" type="little_endian_real4" nitems="{width}" yUnits="Hz" yTagInterval="1" yTagMin="10"'
        ' zUnits="V"/>'
    )
    lines = "".join(f'<y name="b{place}" type="little_endian_real4" units="nT"/>' for place in range(width))
    body = f'<packet><x type="little_endian_real8" units="us2000"/>{scan if width > 4 else lines}</packet>'
    block = np.empty(5_000_000 // (12 + 4 * width), dtype=[("tag", "S4"), ("time", "<f8"), ("values", "<f4", (width,))])
    block["tag"] = b":01:"
    sign = random.choice([-1.0, 1.0], block["values"].shape)
    block["values"] = sign * 10.0 ** random.uniform(-18, 4, sign.shape)
    block["values"][random.random(sign.shape) < 0.01] = -1e31
    with path.open("wb") as out:
        out.write(b'[00]000023<stream version="2.2"/>')
        out.write(f"[01]{len(body):06d}{body}".encode())
        for turn in range(MEGABYTES * 1_000_000 // block.nbytes):
            block["time"] = 5e8 + 1.234567e5 * (np.arange(len(block)) + turn * len(block))
            out.write(block.tobytes())


def write_stream(path: Path, version: int, width: int) -> None:
    """A stream of a version. That of das3 is the das2 stream, encoded anew."""
    if version == 2:
        write_das2(path, width)
        return
    from dasflex_das.das2_decoder import Das2Decoder
    from dasflex_das.das3_encoder import Das3BinaryEncoder

    old = path.with_suffix(".d2s")
    write_das2(old, width)
    decoder, encoder = Das2Decoder(), Das3BinaryEncoder()
    with path.open("wb") as out:
        for chunk in chunks(old):
            for item in decoder.feed(chunk):
                out.writelines(encoder.feed(item))


def chunks(path: Path) -> Iterator[bytes]:
    """The file as a reader would give it: through a pipe."""
    with subprocess.Popen(["cat", str(path)], stdout=subprocess.PIPE, pipesize=CHUNK) as reader:
        if reader.stdout is None:
            raise RuntimeError("cat has no output")
        while chunk := os.read(reader.stdout.fileno(), CHUNK):
            yield chunk


def convert(path: Path, version: int, options: dict[str, int]) -> int:
    """Decodes and encodes the file; the number of bytes that come out."""
    from dasflex_das.das2_decoder import Das2Decoder
    from dasflex_das.das2_encoder import Das2TextEncoder
    from dasflex_das.das3_decoder import Das3Decoder
    from dasflex_das.das3_encoder import Das3TextEncoder

    decoder = Das2Decoder() if version == 2 else Das3Decoder()
    encoder = Das2TextEncoder(**options) if version == 2 else Das3TextEncoder(**options)
    total = 0
    for chunk in chunks(path):
        for item in decoder.feed(chunk):
            total += sum(map(len, encoder.feed(item)))
    for item in decoder.finish():
        total += sum(map(len, encoder.feed(item)))
    return total + sum(map(len, encoder.finish()))


def seconds(work: Callable[[], object]) -> tuple[float, float]:
    """How long the work takes by the clock, and by the time of the processor."""
    begin, used = perf_counter(), process_time()
    work()
    return perf_counter() - begin, process_time() - used


class Figures(NamedTuple):
    """The ratios to md5, the lowest first, their median by processor time, and megabytes of input per second."""

    ratios: list[float]
    by_processor: float
    rate: float


def measure(path: Path, version: int, options: dict[str, int]) -> Figures:
    """The figures of a case; conversion and md5 take turns."""
    data = path.read_bytes()
    ratios, by_processor, rates = [], [], []
    for _run in range(RUNS):
        md5, md5_used = seconds(lambda: hashlib.md5(data, usedforsecurity=False).digest())
        own, own_used = seconds(lambda: convert(path, version, options))
        ratios.append(md5 / own)
        by_processor.append(md5_used / own_used)
        rates.append(len(data) / 1e6 / own)
    return Figures(sorted(ratios), median(by_processor), median(rates))


def peak_megabytes(path: Path, name: str, form: str) -> float:
    """The peak memory of a process that does one conversion."""
    told = subprocess.run([sys.executable, __file__, "--peak", path, name, form], check=True, capture_output=True)
    return int(told.stdout) / 1024


def print_peak(path: Path, name: str, form: str) -> None:
    """Converts once, and prints the kilobytes of memory that it took."""
    convert(path, INPUTS[name][0], FORMS[form])
    status = Path("/proc/self/status").read_text()
    print(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])


def main(arguments: list[str]) -> int:
    """Prints a line per case: its ratio to md5, its rate of input, its peak memory; 1 if what is wanted is missed."""
    if arguments[:1] == ["--peak"]:
        print_peak(Path(arguments[1]), *arguments[2:])
        return 0
    missed = False
    with tempfile.TemporaryDirectory() as folder:
        for name, form in ((name, form) for name in INPUTS for form in FORMS):
            case = f"{name}, {form}"
            if not all(word in case for word in arguments):
                continue
            path = Path(folder) / name
            if not path.exists():
                write_stream(path, *INPUTS[name])
            ratios, by_processor, rate = measure(path, INPUTS[name][0], FORMS[form])
            peak = peak_megabytes(path, name, form)
            missed = missed or median(ratios) < WANTED or peak > MEMORY
            print(
                f"{case} to text: {median(ratios):.3f} of md5 ({ratios[0]:.3f} to {ratios[-1]:.3f}, wanted {WANTED}), "
                f"by processor time {by_processor:.3f}, {rate:.0f} MB/s of input, peak {peak:.0f} MB",
                flush=True,
            )
    return int(missed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

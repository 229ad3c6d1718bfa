# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast a stream becomes a CDF, against the library's own writing of the same arrays as a whole, in the same run.

The stream comes in batches of about 1 MiB, with big-endian numbers of which one in a hundred is fill, as from a reader;
the library gets the same arrays in one piece, and looks for no fill. Both end with the file on disk.
Each figure is the median of five runs, with the spread, and the two are measured in turn. `peak` is by how much the
resident memory of a process grew that makes one file of such a stream and nothing else.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dasflex_core.arrays import Dataset, Item

RUNS = 5
WANTED = 0.6
BATCH = 1 << 20


class Case(NamedTuple):
    """A stream: its records, the values of each, and how the file is compressed."""

    records: int
    values: int
    compression: str

    def __str__(self) -> str:
        size = self.records * (8 + 4 * self.values) / 1e6
        return f"{self.records:,} x {self.values}, {size:.0f} MB, {self.compression}"


CASES = (
    Case(1_000_000, 3, "none"),
    Case(20_000, 256, "none"),
    Case(200_000, 256, "none"),
    Case(400_000, 256, "none"),
    Case(20_000, 256, "gzip"),
)


def dataset_of(case: Case) -> Dataset:
    """The declaration of a time and a spectral density."""
    import numpy as np

    from dasflex_core.arrays import VARIES, Dataset, Dimension, Variable

    time = Variable("time", "center", "datetime", "TT2000", (VARIES, None), np.dtype(">i8"), fill=-(2**63))
    tags = np.arange(case.values) + 1.0
    frequency = Variable("frequency", "center", "real", "Hz", (None, case.values), np.dtype("f8"), values=tags)
    index = (VARIES, case.values)
    psd = Variable("psd", "center", "real", "V**2 m**-2 Hz**-1", index, np.dtype(">f4"), fill=-1e31)
    return Dataset(
        id=1,
        name="spectra",
        index=index,
        dimensions=(
            Dimension("time", "time", coordinate=True, variables=(time,), axis="x"),
            Dimension("frequency", "frequency", coordinate=True, variables=(frequency,), axis="y"),
            Dimension("psd", "psd", coordinate=False, variables=(psd,)),
        ),
        wire=("time", "psd"),
    )


def block_of(case: Case) -> tuple[Any, Any]:
    """A batch of big-endian times and densities, of many decades, one in a hundred of them fill."""
    import numpy as np

    random = np.random.default_rng(20310402)
    count = min(case.records, max(1, BATCH // (8 + 4 * case.values)))
    values = (10.0 ** random.uniform(-18, 4, (count, case.values))).astype(">f4")
    values[random.random(values.shape) < 0.01] = -1e31
    return (986126469684000000 + np.arange(count) * 10**9).astype(">i8"), values


def items(case: Case) -> Iterator[Item]:
    """The stream. Each batch has arrays of its own, as those of a decoder have."""
    from dasflex_core.arrays import Records, StreamHeader

    dataset = dataset_of(case)
    times, values = block_of(case)
    yield StreamHeader()
    yield dataset
    for begin in range(0, case.records, len(times)):
        count = min(len(times), case.records - begin)
        yield Records(dataset, {"time": times[:count] + begin * 10**9, "psd": values[:count]})


def ours(case: Case, place: Path, stream: Iterable[Item]) -> None:
    """The file as a plan makes it."""
    from dasflex_cdf.spool import CdfSpool

    spool = CdfSpool(scratch=place, compression=case.compression)
    for item in stream:
        spool.feed(item)
    spool.finish()


def whole(case: Case) -> tuple[Any, Any]:
    """The same values in one piece, in the order of bytes of the stream."""
    import numpy as np

    times, values = block_of(case)
    turns = -(-case.records // len(times))
    epoch = np.concatenate([times + turn * len(times) * 10**9 for turn in range(turns)])
    return epoch[: case.records].astype(">i8"), np.tile(values, (turns, 1))[: case.records]


def theirs(case: Case, place: Path, arrays: tuple[Any, Any]) -> None:
    """The same file by the library alone."""
    import numpy as np
    import pycdfpp

    times, values = arrays
    kinds, packed = pycdfpp.DataType, pycdfpp.CompressionType
    compression = packed.gzip_compression if case.compression == "gzip" else packed.no_compression
    made = pycdfpp.CDF()
    tt2000 = times.astype("i8").view(pycdfpp.to_tt2000(np.zeros(1, "M8[ns]")).dtype)
    made.add_variable("Epoch", tt2000, kinds.CDF_TIME_TT2000)
    made.add_variable("frequency", np.arange(case.values) + 1.0, kinds.CDF_REAL8, is_nrv=True)
    made.add_variable("psd", values, kinds.CDF_REAL4, compression=compression)
    pycdfpp.save(made, str(place / "theirs.cdf"))


def seconds(work: Callable[[Path], object]) -> float:
    """How long the work takes, in a directory of its own."""
    with tempfile.TemporaryDirectory() as scratch:
        begin = perf_counter()
        work(Path(scratch))
        return perf_counter() - begin


def measured(case: Case) -> float:
    """Prints a line about a case; the speed as part of the library's own."""
    arrays, stream = whole(case), list(items(case))
    pairs = [
        (seconds(lambda place: ours(case, place, stream)), seconds(lambda place: theirs(case, place, arrays)))
        for _run in range(RUNS + 1)
    ][1:]
    ratios = sorted(own / mine for mine, own in pairs)
    mine, own = (median(each) for each in zip(*pairs, strict=True))
    told = subprocess.run([sys.executable, __file__, *map(str, case)], capture_output=True, text=True, check=True)
    print(
        f"{case!s:38} {mine * 1e3:7.0f} ms, the library {own * 1e3:7.0f} ms: {median(ratios):.2f} "
        f"({ratios[0]:.2f} to {ratios[-1]:.2f}) of its speed; peak {told.stdout.strip()} MB"
    )
    return median(ratios)


def grown(case: Case) -> None:
    """Prints by how many megabytes the memory of this process grows."""
    import pycdfpp  # noqa: F401  what is loaded anyway

    def most() -> float:
        status = Path("/proc/self/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) / 1024

    before = most()
    with tempfile.TemporaryDirectory() as scratch:
        ours(case, Path(scratch), items(case))
    print(f"{most() - before:.0f}")


def main() -> int:
    """All cases; 1 where one is slower than wanted."""
    if len(sys.argv) > 1:
        grown(Case(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
        return 0
    slowest = min(measured(case) for case in CASES)
    print(f"slowest {slowest:.2f}, wanted {WANTED}")
    return 0 if slowest >= WANTED else 1


if __name__ == "__main__":
    raise SystemExit(main())

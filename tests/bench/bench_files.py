# SPDX-License-Identifier: GPL-3.0-or-later
"""How soon a collection of 10,000 files begins to answer, and how fast a CDF becomes CSV.

The first byte is that of an hour of one day of 10,000 daily CDF files in directories for months, over HTTP from a server
that runs (its yardstick: the same for a page of no data, `/id.txt`), and from `dasflex get` (its yardstick: the start of
Python with numpy). A look into the index is timed by itself, against as many `stat` as it makes. CDF to CSV is timed
against the library's bulk read of the same variables. Each figure is the median of five runs, with the spread.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import TYPE_CHECKING
from urllib.request import urlopen

if TYPE_CHECKING:
    from collections.abc import Callable

RUNS = 5
FILES = 10_000
#: The first byte of a warm server with a warm index, in seconds.
WANTED = 0.2
RECORDS, CHANNELS = 200_000, 32
PROGRAM = "from dasflex_core.cli import main; main(prog_name='dasflex')"
DEFINITION = """
title    = "Many files"
contacts = {{ technical = "Somebody <somebody@example.org>" }}
reader   = {{ files = "{pattern}", time = "Epoch" }}
example  = [{{ time = "{day} to {next}" }}]
"""


def write_cdf(path: Path, day: date, records: int, channels: int) -> None:
    """A day of one array over time."""
    import numpy as np
    import pycdfpp

    cdf = pycdfpp.CDF()
    times = np.datetime64(day, "ns") + np.arange(records) * np.timedelta64(86_400_000_000_000 // records, "ns")
    cdf.add_variable("Epoch", values=times, data_type=pycdfpp.DataType.CDF_TIME_TT2000)
    values = np.random.default_rng(1).normal(size=(records, channels)).astype("f4")
    about = {"DEPEND_0": ["Epoch"], "VAR_TYPE": ["data"], "UNITS": ["nT"]}
    cdf.add_variable("B", values=values, attributes=about)
    pycdfpp.save(cdf, str(path))


def collection(folder: Path) -> tuple[str, date]:
    """The pattern of the files, and a day in the middle of them."""
    first = date(1990, 1, 1)
    write_cdf(folder / "one.cdf", first + timedelta(FILES // 2), 1440, 3)
    for number in range(FILES):
        day = first + timedelta(number)
        target = folder / f"{day:%Y/%m}" / f"mag_{day:%Y%m%d}_v1.{number % 3}.cdf"
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(folder / "one.cdf", target)
    for path in [folder, *folder.rglob("*")]:
        os.utime(path, (1_600_000_000, 1_600_000_000))
    return f"{folder}/$Y/$m/mag_$Y$m$d_v$(v,sep).cdf", first + timedelta(FILES // 2)


def seconds(work: Callable[[], object]) -> float:
    """How long the work takes."""
    begin = perf_counter()
    work()
    return perf_counter() - begin


def measured(work: Callable[[], object], yardstick: Callable[[], object]) -> tuple[list[float], list[float]]:
    """Both, in turn, sorted."""
    pairs = [(seconds(work), seconds(yardstick)) for _run in range(RUNS)]
    return sorted(each[0] for each in pairs), sorted(each[1] for each in pairs)


def tell(what: str, mine: list[float], theirs: list[float], against: str) -> None:
    """One line: the medians, the spread, and the ratio."""
    print(
        f"{what:<44} {1000 * median(mine):8.1f} ms ({1000 * mine[0]:.1f} to {1000 * mine[-1]:.1f})   "
        f"{against} {1000 * median(theirs):.1f} ms   ratio {median(mine) / median(theirs):.1f}"
    )


def fetched(address: str) -> bytes:
    """The first byte of an answer."""
    with urlopen(address, timeout=60) as answer:  # noqa: S310  our own server
        return answer.read(1)


def first_bytes(root: Path, pattern: str, day: date) -> None:
    """From the server, from the command, and from the index."""
    from dasflex_core.times import parse_time
    from dasflex_files.index import Index
    from dasflex_files.pattern import parse_pattern

    span = f"{day}T12:00/{day}T13:00"
    environ = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    get = [sys.executable, "-c", PROGRAM, "get", "many", span, "format.type=csv", "--root", str(root)]
    quiet = {"stdout": subprocess.DEVNULL, "env": environ}
    print(
        f"first answer of `dasflex get`, which makes the index: {seconds(lambda: subprocess.run(get, check=True, **quiet)):.2f} s"
    )
    start = [sys.executable, "-c", "import numpy"]
    tell(
        "dasflex get, index warm",
        *measured(lambda: subprocess.run(get, check=True, **quiet), lambda: subprocess.run(start, check=True, **quiet)),
        "python, numpy",
    )
    words = [
        sys.executable,
        "-c",
        PROGRAM,
        "serve",
        "--port",
        "0",
        "--config",
        str(root / "etc" / "dasflex.conf"),
        "--no-websocket",
    ]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environ) as server:
        try:
            base = (server.stdout.readline() if server.stdout else "").split()[3]
            address = f"{base}source/many/data.csv?time={span}"
            fetched(address)
            mine, theirs = measured(lambda: fetched(address), lambda: fetched(f"{base}id.txt"))
            tell("dasflex serve, first byte, index warm", mine, theirs, "/id.txt")
            print(f"  wanted below {1000 * WANTED:.0f} ms: {'yes' if median(mine) < WANTED else 'NO'}")
        finally:
            server.terminate()
    begin, end = (parse_time(each).ns for each in span.split("/"))
    place, keep = parse_pattern(pattern), str(root / "run" / "readers")

    def look() -> None:
        with Index(place, keep) as index:
            index.look(begin, end)

    tell("a look into the index", *measured(look, lambda: [Path(place.root).stat() for _each in range(10)]), "10 stat")


def throughput(root: Path, folder: Path) -> None:
    """CDF to CSV, to das3, and to arrays, against the library's bulk read."""
    import pycdfpp

    import dasflex_core
    from dasflex_core.catalog.tree import compile_tree
    from dasflex_core.streamtype import ARRAYS

    day = date(2020, 1, 1)
    file = folder / "big_20200101.cdf"
    write_cdf(file, day, RECORDS, CHANNELS)
    text = DEFINITION.format(pattern=f"{folder}/big_$Y$m$d.cdf", day=day, next=day + timedelta(1))
    (root / "definitions" / "big.toml").write_text(text, encoding="utf-8")
    compile_tree(root)
    request = dasflex_core.open(root)["big"][str(day) : str(day + timedelta(1))]
    size = file.stat().st_size / 1e6

    def bulk() -> None:
        cdf = pycdfpp.load(str(file))
        for name in ("Epoch", "B"):
            _whole = cdf[name].values.sum() if name == "B" else cdf[name].values

    def given(kind: str) -> Callable[[], object]:
        asked = request.ask(format_type=kind) if kind == "csv" else request.ask(format_type="das", format_version="3")
        return lambda: sum(map(len, asked.plan().run()))

    def items() -> None:
        with request._plan(ARRAYS).open() as pump:  # the arrays that formatters meet
            for _each in pump.items():
                pass

    print(f"a CDF of {size:.0f} MB, {RECORDS:,} records of {CHANNELS} float32")
    for what, work in (("to arrays", items), ("to das3", given("das")), ("to CSV", given("csv"))):
        mine, theirs = measured(work, bulk)
        tell(f"CDF {what}, {size / median(mine):.0f} MB/s", mine, theirs, "bulk read")


def main() -> None:
    """Measures all of it."""
    from dasflex_core.catalog.tree import compile_tree
    from dasflex_core.roots import make_root

    with tempfile.TemporaryDirectory() as place:
        folder, root = Path(place) / "data", Path(place) / "root"
        folder.mkdir()
        make_root(root, "Bench", examples=False)
        pattern, day = collection(folder)
        text = DEFINITION.format(pattern=pattern, day=day, next=day + timedelta(1))
        (root / "definitions" / "many.toml").write_text(text, encoding="utf-8")
        compile_tree(root)
        print(f"{FILES:,} files")
        first_bytes(root, pattern, day)
        throughput(root, Path(place))


if __name__ == "__main__":
    main()

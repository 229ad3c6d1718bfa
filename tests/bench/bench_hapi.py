# SPDX-License-Identifier: GPL-3.0-or-later
"""HAPI data end to end: 10^6 records of a time and three doubles, from a reader `cat FILE` to a client over loopback.

The file is das2 binary. Of each format the seconds until all is there, and until its first byte, are the medians of
five requests to a warm server; `peak` is the most memory of the server, without its reader. The yardstick, measured in
the same run, is md5 over 750 MB, which takes a second on the machine for which the figures are meant: seconds are told
as they are, and as they would be there.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import NamedTuple
from urllib.parse import urlsplit

import dasflex_core
from dasflex_core.catalog.publishing import publisher
from dasflex_core.catalog.tree import compile_tree
from dasflex_core.roots import make_root

RECORDS = 1_000_000
RUNS = 5
MEGABYTES = 750
#: Formats, what they are asked with, and the seconds that they may take (None: no figure is set).
CASES = {
    "csv": ({}, 1.0),
    "csv, gzip": ({"Accept-Encoding": "gzip"}, None),
    "binary": ({}, 0.4),
    "json": ({}, None),
}
FIRST_BYTE = 0.05
MEMORY = 150
SOURCE = """
title    = "Three numbers a second"
contacts = { technical = "Somebody <somebody@example.org>" }
reader   = { command = "cat stream.d2s", writes = "das/2/binary" }
coords   = { time = { range = "2000-01-01 to 2000-01-13", cadence = "1 s" } }
example  = [{ title = "A minute", time = "2000-01-01T00:00 to 2000-01-01T00:01" }]
hapi     = {}
"""


class Took(NamedTuple):
    """Seconds until the first byte and until the last, and the bytes that came."""

    first: float
    last: float
    size: int


def write_stream(path: Path) -> None:
    """A das2 stream of a record each second."""
    import numpy as np

    random = np.random.default_rng(20310402)
    planes = "".join(f'<y type="little_endian_real8" units="nT" name="{name}"/>' for name in "abc")
    body = f'<packet><x type="little_endian_real8" units="us2000"/>{planes}</packet>'
    rows = np.empty(RECORDS, dtype=[("tag", "S4"), ("time", "<f8"), ("values", "<f8", 3)])
    rows["tag"] = b":01:"
    rows["time"] = np.arange(RECORDS) * 1e6
    rows["values"] = np.round(random.normal(size=(RECORDS, 3)) * 100, 3)
    head = '<stream version="2.2" />'
    with path.open("wb") as out:
        out.write(b"[00]%06d%b[01]%06d%b" % (len(head), head.encode(), len(body), body.encode()))
        rows.tofile(out)


def ask(base: str, form: str, headers: dict[str, str]) -> Took:
    """Asks for all records."""
    place = urlsplit(base)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=120)
    query = "dataset=numbers&start=2000-01-01Z&stop=2000-01-13Z&format=" + form
    begin = time.perf_counter()
    connection.request("GET", f"/hapi/data?{query}", headers=headers)
    answer = connection.getresponse()
    if answer.status != 200:
        raise RuntimeError(answer.read().decode())
    size = len(answer.read(1))
    first = time.perf_counter() - begin
    while chunk := answer.read(1 << 20):
        size += len(chunk)
    last = time.perf_counter() - begin
    connection.close()
    return Took(first, last, size)


def yardstick() -> float:
    """Seconds of md5 over so many megabytes."""
    data = bytes(1_000_000)
    begin = time.perf_counter()
    found = hashlib.md5(usedforsecurity=False)
    for _ in range(MEGABYTES):
        found.update(data)
    return time.perf_counter() - begin


def peak(process: int) -> float:
    """The most memory that a process had, in MB; what other processes map, too, counts there as well."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1000


def serve(root: Path) -> tuple[subprocess.Popen[str], str]:
    """A server in a process of its own, and its address."""
    code = "from dasflex_core.cli import main; main(prog_name='dasflex')"
    options = ["--port", "0", "--no-websocket", "--config", str(root / "etc" / "dasflex.conf")]
    process = subprocess.Popen(
        [sys.executable, "-c", code, "serve", *options],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )  # fmt: skip
    if process.stdout is None:
        raise RuntimeError("the server has no output")
    return process, process.stdout.readline().split()[3]


def told(times: list[float]) -> str:
    """The median and the spread of some times."""
    return f"{median(times):.3f} s ({min(times):.3f} to {max(times):.3f})"


def main() -> int:
    """Measures, prints, and gives 1 where a figure is not reached."""
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        make_root(root, "bench", examples=False)
        source = root / "definitions" / "numbers"
        source.mkdir()
        (source / "source.toml").write_text(SOURCE, encoding="utf-8")
        write_stream(source / "stream.d2s")
        site = dasflex_core.open(root)
        if findings := compile_tree(root, publish=publisher(site.config, site.registry, site.external)).findings:
            raise RuntimeError(str(findings[0]))
        process, base = serve(root)
        try:
            ask(base, "csv", {})
            for name, (headers, limit) in CASES.items():
                scales = [yardstick()]
                taken = []
                for _ in range(RUNS):
                    taken.append(ask(base, name.partition(",")[0], headers))
                    scales.append(yardstick())
                scale = median(scales)
                last = median([each.last for each in taken]) / scale
                first = median([each.first for each in taken])
                print(
                    f"{name}: {taken[0].size / 1e6:.1f} MB in {told([each.last for each in taken])}, {last:.2f} of md5"
                    f"{'' if limit is None else f', at most {limit}'}; first byte {first * 1000:.0f} ms"
                )
                missed += (limit is not None and last > limit) + (first > FIRST_BYTE)
            memory = peak(process.pid)
            print(f"peak: {memory:.0f} MB, at most {MEMORY}")
            missed += memory > MEMORY
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=10)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: GPL-3.0-or-later
"""A year of a source of one record a second, in days: from cache blocks, against the same request without them.

The yardsticks are of the same run: reading the bytes of the blocks that are used, the request at a source that is the
same but has no cache, and for the first byte of the CGI program a pass-through request whose reader is `cat FILE`. The
source is made up: das2 binary, 31,622,400 records of 2020, written by numpy as fast as that can.

Run it by the Python of an environment into which dasflex was installed as users install it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from dasflex_core.cache.keeping import kept_levels
from dasflex_core.catalog.tree import compile_tree
from dasflex_core.roots import make_root
from dasflex_core.site import open_site
from dasflex_core.times import parse_time
from dasflex_core.upkeep.building import build

REPEATS = int(sys.argv[1]) if len(sys.argv) > 1 else 5
PROGRAM = [str(Path(sys.executable).with_name("dasflex_cgimain"))]
YEAR = ("2020-01-01", "2021-01-01")
DAILY = {"bin_time_max": "86400", "bin_stats": "mean,min,max"}
BEYOND, FASTER, FIRST = 0.050, 100.0, 1.2
READER = """
import sys
import numpy as np

begin, end = (int(np.datetime64(each.rstrip("Z")).astype("M8[s]").astype("i8")) for each in sys.argv[1:3])
out = sys.stdout.buffer
header = b'<stream version="2.2"><properties title="made up" /></stream>'
packet = (
    b'<packet><x type="little_endian_real8" units="us2000"></x>'
    b'<y type="little_endian_real8" group="B" units="nT"></y></packet>'
)
out.write(b"[00]%06d%b[01]%06d%b" % (len(header), header, len(packet), packet))
for first in range(begin, end, 100_000):
    seconds = np.arange(first, min(first + 100_000, end))
    rows = np.empty(len(seconds), dtype=[("tag", "S4"), ("x", "<f8"), ("y", "<f8")])
    rows["tag"] = b":01:"
    rows["x"] = (seconds - 946_684_800) * 1e6
    rows["y"] = np.sin(seconds / 1000.0) * 100 + seconds % 7
    out.write(rows.tobytes())
"""
SOURCE = """
title    = "One second"
contacts = { technical = "Somebody <somebody@example.org>" }
reader   = { command = "#[python] reader.py #[read.time.min] #[read.time.max]", writes = "das/2/binary" }
example  = [{ time = "2020-01-01 to 2020-01-02" }]

[coords.time]
range   = "2020-01-01 to 2021-01-01"
cadence = "1 s"
"""
LEVELS = """
[[cache.level]]
block = "month"
bin.time.max = 3600
bin.stats = "mean,min,max"
"""
FILE = """
title    = "A file"
contacts = { technical = "Somebody <somebody@example.org>" }
reader   = { command = "cat stream.d2s", writes = "das/2/binary" }
example  = [{ title = "All of it" }]
"""


def make(root: Path) -> None:
    """A root with the source twice, and with a source that is a file as large as the answer of blocks."""
    make_root(root, "Bench", examples=False)
    folder = root / "definitions"
    (folder / "reader.py").write_text(READER, encoding="utf-8")
    (folder / "plain.toml").write_text(SOURCE, encoding="utf-8")
    (folder / "cached.toml").write_text(SOURCE + LEVELS, encoding="utf-8")
    (folder / "file.toml").write_text(FILE, encoding="utf-8")
    (folder / "stream.d2s").write_bytes(b"")
    report = compile_tree(root)
    if report.findings:
        raise SystemExit("\n".join(str(each) for each in report.findings))


def taken(site: object, source: str) -> tuple[float, int]:
    """Seconds from the request to the last byte, and the bytes."""
    begin = time.perf_counter()
    plan = site[source].ask(read_time_min=YEAR[0], read_time_max=YEAR[1], **DAILY).plan()
    with plan.open() as pump:
        size = sum(map(len, pump.chunks()))
    return time.perf_counter() - begin, size


def reading(blocks: list[Path]) -> float:
    """Seconds in which the bytes of blocks are read."""
    begin = time.perf_counter()
    for each in blocks:
        each.read_bytes()
    return time.perf_counter() - begin


def first_byte(root: Path, path: str, query: str) -> float:
    """Seconds from the start of the CGI program to the first byte that it writes."""
    environ = {
        "PATH": os.environ["PATH"],
        "DASFLEX_CONFIG": str(root / "etc" / "dasflex.conf"),
        "GATEWAY_INTERFACE": "CGI/1.1",
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "/stream",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "localhost",
    }
    begin = time.perf_counter()
    with subprocess.Popen(PROGRAM, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        first = os.read(process.stdout.fileno(), 1 << 16)
        seconds = time.perf_counter() - begin
        process.stdout.read()
    if not first.startswith(b"Status: 200"):
        raise SystemExit(f"{path}: {first[:200]!r}")
    return seconds


def spread(values: list[float], unit: float = 1e3) -> str:
    """The median with its spread."""
    return f"{median(values) * unit:.1f} ({min(values) * unit:.1f} to {max(values) * unit:.1f})"


def year(root: Path) -> bool:
    """Measures a year in a warm process; whether it is within the limits."""
    site = open_site(root)
    (kept,) = kept_levels(site.planner, site["cached"].definition)
    begin = time.perf_counter()
    built = build(site, kept, *(parse_time(each).ns for each in YEAR), lambda _part, _what: None)
    print(f"{built.built} blocks of 31,622,400 records built in {time.perf_counter() - begin:.1f} s")
    blocks = sorted(each for each in site.config.cache_root.rglob("*.sums"))
    taken(site, "cached")
    warm, bare = [], []
    for _turn in range(REPEATS):
        bare.append(reading(blocks))
        warm.append(taken(site, "cached")[0])
    cold = [taken(site, "plain")[0] for _turn in range(min(3, REPEATS))]
    beyond, faster = median(warm) - median(bare), median(cold) / median(warm)
    size = sum(each.stat().st_size for each in blocks)
    print(
        f"a year in days from {len(blocks)} blocks ({size:,} bytes): {spread(warm)} ms; their bytes {spread(bare)} ms"
    )
    print(f"  beyond reading: {beyond * 1e3:.1f} ms, limit {BEYOND * 1e3:.0f}{'' if beyond <= BEYOND else '  MISSED'}")
    print(f"  without the cache: {spread(cold, 1)} s; {faster:.0f} times faster, limit {FASTER:.0f}", end="")
    print("" if faster >= FASTER else "  MISSED")
    return beyond <= BEYOND and faster >= FASTER


def program(root: Path) -> bool:
    """Measures the first byte of the CGI program; whether it is within the limit."""
    query = "time=2020-02-01/2020-03-01&bin.time.max=3600&bin.stats=mean,min,max"
    site = open_site(root)
    pairs = {"read_time_min": "2020-02-01", "read_time_max": "2020-03-01", "bin_time_max": "3600"}
    plan = site["cached"].ask(**pairs, bin_stats="mean,min,max").plan()
    if [each.kind for each in plan.solution.nodes] != ["file"]:
        raise SystemExit("the request is not answered by blocks as they are")
    (root / "definitions" / "stream.d2s").write_bytes(b"".join(plan.run()))
    cases = {"cached": ("/source/cached/flex", query), "file": ("/source/file/flex", "")}
    for each in cases.values():
        first_byte(root, *each)
    found: dict[str, list[float]] = {name: [] for name in cases}
    for _turn in range(max(21, REPEATS)):
        for name, each in cases.items():
            found[name].append(first_byte(root, *each))
    ratio = median(found["cached"]) / median(found["file"])
    print(
        f"CGI, first byte of a month of blocks: {spread(found['cached'])} ms; pass-through {spread(found['file'])} ms"
    )
    print(f"  ratio {ratio:.2f}, limit {FIRST}{'' if ratio <= FIRST else '  MISSED'}")
    return ratio <= FIRST


def main() -> int:
    """Measures all, and gives 1 if anything is over its limit."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        make(root)
        return int(not (year(root) & program(root)))


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: GPL-3.0-or-later
"""A catalog of 10,000 sources in 300 directories: what it costs to install, and to answer from.

Installs are given in seconds and in seconds of the processor, which count here: other work on the machine takes the
one, and not the other. Each answer that is a file, or a page of a directory, is set against a plain file of the same
size from the same server, in turns; the requests of one source against those of a site that has no other. The first
argument is how many sources there are.
"""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Final
from urllib.error import HTTPError
from urllib.request import urlopen

from dasflex_core.roots import make_root

DIRECTORIES: Final = 300
REPEATS: Final = 15
#: What must be reached: seconds of the processor for all and for nothing, and times a plain file or a lone source.
ALL: Final = 60.0
NOTHING: Final = 3.0
FILE: Final = 1.5
PAGE: Final = 40.0
SOURCE: Final = 3.0
_READER: Final = 'command = "read --n={n} #[read.time.min] #[read.time.max]{more}"\nwrites = "das/2"\n'
_SPECTRA: Final = (
    '[coords.frequency]\nunits = "Hz"\n[data.psd]\naxes = ["time", "frequency"]\nunits = "V**2 m**-2 Hz**-1"\n'
)
_LINES: Final = '[data.bx]\ntitle = "Bx"\naxes = ["time"]\nunits = "nT"\n[data.by]\naxes = ["time"]\nunits = "nT"\n'
#: The kinds of source that there are: what their command takes more, what their time is, and the rest.
_KINDS: Final = (
    ("", 'cadence = "1 s"', _SPECTRA),
    (" #[read.gain # --gain=@ #]", 'cadence = "1 s"', f'{_LINES}[options.gain]\nvalues = {{ a = "A", b = "B" }}\n'),
    ("", 'cadence = "60 ms"', f'[coords.offset]\nof = "time"\nunits = "s"\nsize = 1600\n{_LINES}'),
    (" #[read.time.inter]", 'interval = { default = "10 min" }', _LINES),
    ("", "", f"{_LINES}[hapi]\n"),
)


def write_sources(root: Path, count: int) -> None:
    """The definitions of a root, of several kinds, with a directory for each thirty or so."""
    for number in range(count):
        place = number % DIRECTORIES
        folder = root / "definitions" / f"Mission{place // 10:02d}" / f"Inst{place:03d}"
        if number < DIRECTORIES:
            folder.mkdir(parents=True)
            text = f'title = "Instrument {place}"\n[inherit.contacts]\ntechnical = "Desk {place} <desk@example.org>"\n'
            (folder / "_dirinfo_.toml").write_text(text, encoding="utf-8")
        more, step, rest = _KINDS[number % len(_KINDS)]
        text = (
            f'title = "Data set {number} of many"\nsummary = "What the instrument measured."\n[reader]\n'
            + _READER.format(n=number, more=more)
            + f'[coords.time]\nrange = "2000-01-01 to 2020-01-01"\n{step}\n{rest}'
            + '[[example]]\ntitle = "A day"\ntime = "2001-01-01 to 2001-01-02"\n'
        )
        (folder / f"s{number:05d}.toml").write_text(text, encoding="utf-8")


def install(root: Path, what: str) -> tuple[float, float]:
    """Installs in a process of its own: seconds, and seconds of the processor."""
    code = "from dasflex_core.cli import main; main(prog_name='dasflex')"
    before, begin = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", code, "install", "--root", str(root)], capture_output=True, text=True, check=False
    )
    seconds, after = time.perf_counter() - begin, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(done.stderr)
    processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    said = done.stdout.splitlines()[0]
    print(
        f"  {what:22} {seconds:6.1f} s, {processor:5.1f} s of the processor, {after.ru_maxrss / 1000:4.0f} MB ({said})"
    )
    return seconds, processor


def start(root: Path) -> tuple[subprocess.Popen[str], str]:
    """A server of a root, and its address."""
    code = "from dasflex_core.cli import main; main(prog_name='dasflex')"
    config = str(root / "etc" / "dasflex.conf")
    command = [sys.executable, "-c", code, "serve", "--port", "0", "--no-socket", "--no-websocket", "--config", config]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    while not (line := server.stdout.readline()).startswith("Serving "):
        if not line:
            raise SystemExit("the server did not start")
    return server, line.split()[3].rstrip("/")


def answer(address: str) -> tuple[float, int]:
    """Seconds until an answer was there, and its size."""
    begin = time.perf_counter()
    try:
        with urlopen(address) as opened:  # noqa: S310  our own server
            size = len(opened.read())
    except HTTPError as error:
        raise SystemExit(f"{address}: {error} {error.read()[:200]!r}") from error
    return time.perf_counter() - begin, size


def compare(one: str, other: str) -> tuple[float, float, float, int]:
    """The medians of two requests, asked in turns, that of their ratios, and the size of the first answer."""
    pairs = []
    for _ in range(REPEATS):
        (first, size), (second, _size) = answer(one), answer(other)
        pairs.append((first, second))
    ratio = median(first / second for first, second in pairs)
    return median(each for each, _ in pairs), median(each for _, each in pairs), ratio, size


def resident(process: int) -> float:
    """The memory of a process in MB."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) / 1000


def measure_answers(root: Path, lone: Path) -> bool:
    """Prints what answers cost, and tells whether that is as it should be."""
    good = True
    server, base = start(root)
    other, alone = start(lone)
    try:
        for path in ("/catalog.json", "/catalog.flex.json", "/nodes.csv", "/?server=list", "/?server=discovery"):
            size = answer(base + path)[1]
            (root / "public" / "yardstick.txt").write_bytes(bytes(size))
            took, file, ratio, _size = compare(base + path, f"{base}/yardstick.txt")
            print(
                f"  {path:34} {took * 1e3:6.1f} ms, {size:8} bytes, {ratio:5.2f} x a file of that size ({file * 1e3:.1f} ms)"
            )
            good = good and ratio <= FILE
        before = resident(server.pid)
        for path in ("/source/", "/source/mission00/", "/source/mission00/inst000/"):
            took, file, ratio, size = compare(base + path, alone + path)
            print(
                f"  {path:34} {took * 1e3:6.1f} ms, {size:8} bytes, {ratio:5.2f} x that of one source ({file * 1e3:.1f} ms)"
            )
            good = good and took * 1e3 < PAGE
        for path in ("das2.d2t", "flex.json", "plan?time=2001-01-01/2001-01-02"):
            place = f"/source/mission00/inst000/s00000/{path}"
            took, single, ratio, _size = compare(base + place, alone + place)
            print(f"  {path:34} {took * 1e3:6.1f} ms, {ratio:5.2f} x where there is one source ({single * 1e3:.1f} ms)")
            good = good and ratio <= SOURCE
        print(f"  memory of the server {before:.0f} MB before the pages, {resident(server.pid):.0f} MB after")
        shutil.move(root / "sources" / "mission01", root / "sources" / "away")
        answer(f"{base}/source/mission00/inst000/s00000/plan?time=2001-01-01/2001-01-02")
        print("  the plan of a source is there without the compiled definitions of others")
    finally:
        for each in (server, other):
            each.terminate()
            each.communicate()
    return good


def measure(folder: Path, count: int) -> bool:
    """Prints the figures and what is wanted of them, and tells whether they are reached."""
    root, lone = folder / "root", folder / "lone"
    for place, size in ((root, count), (lone, 1)):
        make_root(place, "Bench", examples=False)
        write_sources(place, size)
    print(f"{count} sources in {DIRECTORIES} directories")
    install(lone, "one source alone")
    _seconds, everything = install(root, "all")
    _seconds, nothing = install(root, "nothing changed")
    changed = root / "definitions" / "Mission00" / "Inst000" / "s00000.toml"
    changed.write_text(changed.read_text(encoding="utf-8").replace("Data set 0", "Another"), encoding="utf-8")
    install(root, "one changed")
    print(f"  wanted: all < {ALL:.0f} s of the processor, nothing < {NOTHING:.0f} s of it")
    print(f"answers, medians of {REPEATS}; wanted: files <= {FILE} x, pages < {PAGE:.0f} ms, sources <= {SOURCE} x")
    return measure_answers(root, lone) and everything < ALL and nothing < NOTHING


def main() -> None:
    """Measures a catalog of as many sources as the first argument says."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("sources", nargs="?", type=int, default=10_000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(0 if measure(Path(folder), arguments.sources) else 1)


if __name__ == "__main__":
    main()

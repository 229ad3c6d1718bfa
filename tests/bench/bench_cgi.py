# SPDX-License-Identifier: GPL-3.0-or-later
"""The CGI program against a bare interpreter of the same run: what each class of request costs until its first byte.

The yardstick is the wall time of `python -I -c pass`, and a request is the program started with the variables that
Apache gives it, up to the first byte that it writes, or to its end where the answer is short. Both take turns, so that
what else the machine does is in both. Readers are `cat FILE`. At the end, the 20 MB of the Voyager waveform: through
the program against the reader alone, where the real files are (`DASFLEX_TEST_DATA`).

Run it by the Python of an environment into which dasflex was installed as users install it (not editable: the finder
of an editable installation is imported by every process).
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from textwrap import dedent

from dasflex_core.catalog.tree import compile_tree
from dasflex_core.roots import make_root

REPEATS = int(sys.argv[1]) if len(sys.argv) > 1 else 21
PYTHON = sys.executable
BARE = [PYTHON, "-I", "-c", "pass"]
PROGRAM = [str(Path(PYTHON).with_name("dasflex_cgimain"))]
DATA = Path(os.environ.get("DASFLEX_TEST_DATA") or Path(__file__).resolve().parents[3] / "shared" / "data")
FRAMES = DATA / "voyager"
RANGE = ("1979-03-01T12:26:11", "1979-03-01T12:29:24")
VOYAGER = 1.2
SOURCE = """
title    = "A file"
contacts = { technical = "Somebody <somebody@example.org>" }
reader   = { command = "cat stream.d2t", writes = "das/2/text" }
example  = [{ title = "All of it" }]
"""
STREAM = """\
[00]000025<stream version="2.2" />
[01]000093<packet><x type="time20" units="us2000"/><y type="ascii10" units="V" name="level"/></packet>
"""


@dataclass
class Case:
    """A class of requests: its variables, what it may cost, and what it did cost, in seconds."""

    name: str
    limit: float
    path: str
    status: int = 200
    whole: bool = False
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    taken: list[float] = field(default_factory=list)

    def run(self, root: Path) -> None:
        """Measures one request."""
        environ = variables(root, self.path, self.query, self.headers)
        begin = time.perf_counter()
        with subprocess.Popen(PROGRAM, env=environ, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
            first = process.stdout.read() if self.whole else os.read(process.stdout.fileno(), 1 << 16)
            if self.whole:
                process.wait()
            self.taken.append(time.perf_counter() - begin)
            process.stdout.read()
        if not first.startswith(f"Status: {self.status}".encode()):
            raise SystemExit(f"{self.name}: {first[:200]!r}")


def variables(root: Path, path: str, query: str, headers: dict[str, str]) -> dict[str, str]:
    """What Apache gives to a CGI program."""
    return {
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
        "HTTP_ACCEPT": "*/*",
        **headers,
    }


def make(root: Path) -> None:
    """A root with the examples, a source of a file, and a node."""
    make_root(root, "Bench")
    folder = root / "definitions" / "file"
    folder.mkdir()
    (folder / "source.toml").write_text(dedent(SOURCE), encoding="utf-8")
    records = "".join(f":01:2020-01-01T{each // 60 % 24:02d}:{each % 60:02d}:00 {each:9d}\n" for each in range(2000))
    (folder / "stream.d2t").write_text(STREAM + records, encoding="ascii")
    report = compile_tree(root)
    if report.findings:
        raise SystemExit("\n".join(str(each) for each in report.findings))
    (root / "public").mkdir(exist_ok=True)
    (root / "public" / "bench.json").write_text('{"type": "Catalog"}\n' * 100, encoding="utf-8")


def timed(command: list[str], **more: object) -> float:
    """Seconds of a program from its start to its end."""
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, **more)
    return time.perf_counter() - begin


def measure(root: Path, cases: list[Case], title: str) -> bool:
    """Prints what the cases cost; whether all are within their limits."""
    bare: list[float] = []
    for each in cases:
        each.run(root)  # the manifest, and the compiled bytes of modules
        each.taken.clear()
    for _turn in range(REPEATS):
        bare.append(timed(BARE))
        for each in cases:
            each.run(root)
    base = median(bare)
    print(f"{title}: `python -I -c pass` takes {base * 1e3:.1f} ms; ratios to it, median of {REPEATS} (least to most)")
    for each in cases:
        ratios = sorted(taken / base for taken in each.taken)
        mark = "" if median(ratios) <= each.limit else "  MISSED"
        print(f"  {each.name:36} {median(ratios):5.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f}), limit {each.limit}{mark}")
    return all(median(each.taken) <= each.limit * base for each in cases)


def voyager(root: Path, how: str) -> bool:
    """Prints what 20 MB cost through the program, and by the reader alone; whether that is within the limit."""
    if not FRAMES.is_dir():
        print("no Voyager files: set DASFLEX_TEST_DATA")
        return True
    environ = {
        **variables(root, "/source/examples/waveform/flex", f"time={'/'.join(RANGE)}", {}),
        "DASFLEX_VOYAGER_DATA": str(FRAMES),
    }
    plain = {"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"}  # as readers are started
    place = root / "definitions" / "Examples" / "Waveform"
    alone, through = [], []
    for _turn in range(REPEATS):
        seconds, size = received([PYTHON, "reader.py", str(FRAMES), *RANGE], plain, place)
        alone.append(seconds)
        seconds, all_of_it = received(PROGRAM, environ, place)
        through.append(seconds)
        if all_of_it < size:
            raise SystemExit(f"{all_of_it} bytes came of {size}")
    ratio = median(through) / median(alone)
    spread = f"{min(through) * 1e3:.0f} to {max(through) * 1e3:.0f}"
    print(f"Voyager, {size / 1e6:.1f} MB, {how}: {median(through) * 1e3:.0f} ms ({spread}); the reader alone", end=" ")
    print(f"{median(alone) * 1e3:.0f} ms ({min(alone) * 1e3:.0f} to {max(alone) * 1e3:.0f}); ratio", end=" ")
    print(f"{ratio:.2f}, limit {VOYAGER}{'' if ratio <= VOYAGER else '  MISSED'}")
    return ratio <= VOYAGER


def received(command: list[str], environ: dict[str, str], place: Path) -> tuple[float, int]:
    """Seconds until all that a program writes was taken from a pipe, and the number of bytes."""
    size = 0
    begin = time.perf_counter()
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "stdin": subprocess.DEVNULL}
    with subprocess.Popen(command, env=environ, cwd=place, **streams) as process:
        while piece := os.read(process.stdout.fileno(), 1 << 18):
            size += len(piece)
    return time.perf_counter() - begin, size


def main() -> int:
    """Measures all, and gives 1 if anything is over its limit."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        make(root)
        cases = [
            Case("T0 static file", 2.8, "/bench.json", whole=True),
            Case("T0 its 304", 2.8, "/bench.json", 304, whole=True, headers={"HTTP_IF_NONE_MATCH": "*"}),
            Case("T1 plan", 12, "/source/file/plan", whole=True),
            Case("T1 error", 12, "/source/nothing/flex", 404, whole=True),
            Case("T1 pass-through, first byte", 12, "/source/file/flex"),
            Case("T2 das2 to CSV, first byte", 18, "/source/file/data.csv"),
        ]
        good = measure(root, cases, "cold") & voyager(root, "cold")
        server = subprocess.Popen(
            [
                str(Path(PYTHON).with_name("dasflex")),
                "serve",
                "--port",
                "0",
                "--no-websocket",
                "--config",
                str(root / "etc" / "dasflex.conf"),
            ],
            stdout=subprocess.DEVNULL,
            env={**os.environ, "DASFLEX_VOYAGER_DATA": str(FRAMES)},
        )
        try:
            end = time.monotonic() + 20
            while not (root / "run" / "dasflex.sock").exists() and time.monotonic() < end:
                time.sleep(0.05)
            warm = [
                Case("warm pass-through, first byte", 3.5, "/source/file/flex"),
                Case("warm plan", 3.5, "/source/file/plan"),
                Case("warm das2 to CSV, first byte", 3.5, "/source/file/data.csv"),
            ]
            good &= measure(root, warm, "handed over") & voyager(root, "handed over")
        finally:
            server.terminate()
            server.wait()
        return 0 if good else 1


if __name__ == "__main__":
    raise SystemExit(main())

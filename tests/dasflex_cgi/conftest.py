# SPDX-License-Identifier: GPL-3.0-or-later
"""Sites to serve: the examples, and sources whose readers do what a test needs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

from dasflex_core.catalog.tree import compile_tree
from dasflex_core.roots import make_root

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SOURCE = """
title    = "{name}"
contacts = {{ technical = "Somebody <somebody@example.org>" }}
reader   = {{ command = "#[python] reader.py #[read.time.min] #[read.time.max] #[read.word # @ #]", writes = "das/2/text" }}
example  = [{{ title = "A day", time = "2020-01-01 to 2020-01-02" }}]
options  = {{ word = {{ title = "A word" }} }}
"""
#: What a reader of these tests begins with: a das2 stream of one number for each minute.
STREAM = """
import os, subprocess, sys, time

def packet(tag, body):
    sys.stdout.write(f"[{tag}]{len(body.encode()):06d}{body}")

def headers():
    packet("00", '<stream version="2.2" />\\n')
    packet("01", '<packet><x type="time20" units="us2000"/><y type="ascii10" units="V" name="level"/></packet>\\n')

def records(count):
    for number in range(count):
        sys.stdout.write(f":01:2020-01-01T{number // 60 % 24:02d}:{number % 60:02d}:00 {number:9d}\\n")
    sys.stdout.flush()

def grandchild():
    here = os.path.dirname(os.path.abspath(__file__))
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)", here])
"""


@dataclass(frozen=True)
class Roots:
    """A root to which sources can be added."""

    root: Path

    @property
    def config(self) -> str:
        """The configuration file."""
        return str(self.root / "etc" / "dasflex.conf")

    def add(self, name: str, reader: str, definition: str = "") -> None:
        """A source with a reader, a script that may use what `STREAM` defines."""
        folder = self.root / "definitions" / name
        folder.mkdir(parents=True)
        (folder / "source.toml").write_text(definition or SOURCE.format(name=name), encoding="utf-8")
        (folder / "reader.py").write_text(STREAM + dedent(reader), encoding="utf-8")
        report = compile_tree(self.root)
        assert not report.findings, [str(each) for each in report.findings]

    def processes(self, name: str) -> list[int]:
        """The processes that a source's reader and its children are."""
        place = str(self.root / "definitions" / name)
        found = []
        for each in Path("/proc").glob("[0-9]*"):
            try:
                command = (each / "cmdline").read_bytes().decode("utf-8", "replace")
                if place in command or str((each / "cwd").readlink()) == place:
                    found.append(int(each.name))
            except OSError:
                continue
        return found


@dataclass
class Server:
    """A server in a process of its own: its addresses, and what it said."""

    process: subprocess.Popen[str]
    base: str
    tried: list[str] = field(default_factory=list)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """The exit code after a signal."""
        self.process.send_signal(number)
        return self.process.wait(timeout=15)


@pytest.fixture(scope="session")
def examples(tmp_path_factory) -> Roots:
    """A root with the examples, to which nothing is added."""
    root = tmp_path_factory.mktemp("examples") / "root"
    make_root(root, "Test Server")
    return Roots(root)


@pytest.fixture
def bare(tmp_path) -> Roots:
    """A root without sources."""
    make_root(tmp_path / "root", "Bare", examples=False)
    return Roots(tmp_path / "root")


@pytest.fixture
def wait_until() -> Callable[..., bool]:
    """Waits for a condition; false if it does not come true in time."""

    def wait(condition: Callable[[], object], seconds: float = 5.0) -> bool:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if condition():
                return True
            time.sleep(0.02)
        return bool(condition())

    return wait


@pytest.fixture
def serving() -> Iterator[Callable[..., Server]]:
    """Starts servers as processes, and ends what is left of them."""
    servers: list[Server] = []

    def start(*options: str, **environment: str) -> Server:
        code = "from dasflex_core.cli import main; main(prog_name='dasflex')"
        process = subprocess.Popen(
            [sys.executable, "-c", code, "serve", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1", **environment},
        )
        server = Server(process, "")
        servers.append(server)
        line = process.stdout.readline()
        assert line.startswith("Serving "), process.communicate(timeout=20)
        server.base = line.split()[3]
        while (line := process.stdout.readline()) != "\n" or not server.tried:
            if line.startswith("  http"):
                server.tried.append(line.strip())
        return server

    yield start
    for server in servers:
        server.process.kill()
        server.process.communicate()

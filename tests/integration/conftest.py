# SPDX-License-Identifier: GPL-3.0-or-later
"""Roots with sources whose readers do what a test says, and a look at what each test has left behind."""

from __future__ import annotations

import sys
import tempfile
import threading
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest

import dasflex_core
from dasflex_core.catalog.tree import compile_tree
from dasflex_core.errors import DasflexError
from dasflex_core.roots import make_root
from dasflex_core.run import RequestRecord, read_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dasflex_core import Request
    from dasflex_core.answers import Answer

#: What every reader begins with: a das2 stream of one number a second.
DAS2 = """
import os, signal, subprocess, sys, time
out = sys.stdout.buffer

def packet(tag, body):
    body = body.encode() if isinstance(body, str) else body
    out.write(b"[%b]%06d%b" % (tag.encode(), len(body), body))

def header(more=""):
    packet("00", f'<stream version="2.2"{more}/>')

def declare(number=1, name="level", more=""):
    first = f'<x type="time20" units="us2000"/><y type="ascii10" units="V" name="{name}"/>'
    packet(f"{number:02d}", f"<packet>{first}{more}</packet>")

def records(count, number=1):
    for n in range(count):
        out.write(b":%02d:2020-01-01T%02d:%02d:%02d %9d\\n" % (number, n // 3600 % 24, n // 60 % 60, n % 60, n))
    out.flush()

def start(count=100):
    header()
    declare()
    records(count)

def grandchild(**how):
    subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)", sys.argv[1]], **how)
"""
#: The same for readers that write das3.
DAS3 = (
    DAS2
    + """
def packet(tag, number, body):
    out.write(b"|%b|%b|%d|%b" % (tag.encode(), b"%d" % number if number else b"", len(body.encode()), body.encode()))

def header():
    packet("Sx", 0, '<stream version="3.0" type="das-basic-stream"/>')

def declare(number=1, name="level", items=1):
    time = '<scalar use="center" semantic="datetime" storage="struct timespec" index="*" units="UTC">'
    level = '<scalar use="center" semantic="real" storage="double" index="*" units="V">'
    packet("Hx", number, f'<dataset rank="1" name="d{number}" index="*"><coord physDim="time">{time}'
        '<packet numItems="1" itemBytes="20" encoding="utf8"/></scalar></coord>'
        f'<data physDim="{name}" name="{name}">{level}'
        f'<packet numItems="{items}" itemBytes="10" encoding="utf8"/></scalar></data></dataset>')

def records(count, number=1):
    for n in range(count):
        packet("Pd", number, f"2020-01-01T00:{n // 60:02d}:{n % 60:02d} {n:9d}\\n")
    out.flush()
"""
)
DEFINITION = """
title    = "{name}"
contacts = {{ technical = "Somebody <somebody@example.org>" }}
reader   = {{ command = "{command}", writes = "{writes}" }}
example  = [{{ title = "A day", time = "2020-01-01 to 2020-01-02" }}]
{more}
"""
COMMAND = "#[python] -S reader.py {mark} #[read.time.min] #[read.time.max]"


@dataclass
class Lab:
    """A root; each process of its readers has `mark` among its arguments."""

    root: Path
    mark: str

    @property
    def conf(self) -> Path:
        """The configuration of the root."""
        return self.root / "etc" / "dasflex.conf"

    def add(self, name: str, reader: str = "start()", **keys: str) -> Path:
        """Writes a source: its reader, and the keys `command`, `writes` and `more` of its definition."""
        folder = self.root / "definitions" / name
        folder.mkdir(parents=True, exist_ok=True)
        writes = keys.get("writes", "das/2")
        command = keys.get("command", COMMAND).replace("{mark}", self.mark)
        text = DEFINITION.format(name=name, command=command, writes=writes, more=keys.get("more", ""))
        (folder / "source.toml").write_text(text, encoding="utf-8")
        (folder / "reader.py").write_text((DAS3 if writes == "das/3" else DAS2) + dedent(reader), encoding="utf-8")
        return folder

    def opened(self) -> dasflex_core.Site:
        """The site, after its definitions were compiled without a finding."""
        report = compile_tree(self.root)
        assert not report.findings, [str(each) for each in report.findings]
        return dasflex_core.open(self.root)

    def left(self) -> list[int]:
        """The processes of readers that are there now, zombies left out."""
        found = []
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and self.mark.encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
        return found

    def there(self, count: int) -> bool:
        """Whether so many processes of readers are running, within some seconds."""
        return within(10, lambda: len(self.left()) >= count)

    def files(self) -> set[Path]:
        """The files of the root, those of requests and answers left out, and what is known of earlier runs."""
        kept = {self.root / "log" / "requests", self.root / "log" / "answers", self.root / "run" / "history"}
        return {each for each in self.root.rglob("*") if kept.isdisjoint((each, *each.parents))}

    def assert_fit(self, error: DasflexError) -> None:
        """The text of an error is short and printable, and holds nothing of how the server is made."""
        for text in (error.message, str(error)):
            assert 0 < len(text) < 2500
            assert text.replace("\n", "").isprintable()
            for secret in (str(self.root), sys.executable, "reader.py", self.mark, "Traceback (most recent", 'File "'):
                assert secret not in text

    def record(self) -> RequestRecord:
        """What was recorded of the last request."""
        folder = self.root / "log" / "requests"
        return read_record(max(folder.iterdir(), key=lambda each: each.stem).stem, str(folder))


#: What a request asks for beside its range, in each way of asking for bytes.
FORMATS = {
    "das2": {"format_type": "das", "format_version": "2"},
    "das3": {"format_type": "das", "format_version": "3"},
    "csv": {"format_type": "csv"},
}


def asked(request: Request, way: str, got: list[bytes]) -> bytes | Answer:
    """The answer in one of the ways, `read` among them; bytes go to `got` as they come."""
    if way == "read":
        return request.read()
    got.extend(request.ask(**FORMATS[way]).plan().run())
    return b"".join(got)


@pytest.fixture(scope="session")
def ask() -> Callable[[Request, str], bytes | Answer]:
    """Asks in one of the ways: das2, das3, csv or read."""
    return lambda request, way="das2": asked(request, way, [])


@pytest.fixture(scope="session")
def failure() -> Callable[[Request, str], tuple[DasflexError, bytes]]:
    """The error that asking raises, and the bytes that came before it."""

    def failed(request: Request, way: str = "das2") -> tuple[DasflexError, bytes]:
        got: list[bytes] = []
        with pytest.raises(DasflexError) as caught:
            asked(request, way, got)
        return caught.value, b"".join(got)

    return failed


def within(seconds: float, true: Callable[[], bool]) -> bool:
    """Whether something becomes true in so many seconds."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


@pytest.fixture(scope="session")
def make_lab(tmp_path_factory) -> Callable[[], Lab]:
    """Makes an empty root."""

    def make() -> Lab:
        root = tmp_path_factory.mktemp("lab") / "root"
        make_root(root, "Lab", examples=False)
        return Lab(root, f"mark-{uuid.uuid4().hex}")

    return make


@pytest.fixture
def own(make_lab) -> Lab:
    """A root of the test's own, with the source `Good`."""
    lab = make_lab()
    lab.add("Good")
    lab.opened()
    return lab


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def scratch(tmp_path_factory, monkeypatch) -> Path:
    """The folder for temporary files of one test alone: in that of the machine others are at work."""
    folder = tmp_path_factory.mktemp("scratch")
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def nothing_left(lab: Lab, scratch: Path) -> Iterator[None]:
    """After the test there are no more processes, threads, descriptors and files than before it."""
    lab.root.joinpath("log", "requests").mkdir(exist_ok=True)
    files, descriptors, threads = lab.files(), _descriptors(), threading.active_count()
    yield
    assert lab.left() == []
    assert within(1, lambda: threading.active_count() <= threads), threading.enumerate()
    assert within(1, lambda: _descriptors() <= descriptors)
    assert lab.files() == files
    assert within(1, lambda: not [*scratch.iterdir()])

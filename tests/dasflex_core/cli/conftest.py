# SPDX-License-Identifier: GPL-3.0-or-later
"""Roots to work on, and the command line to work with."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from textwrap import dedent
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from dasflex_core.catalog.tree import compile_tree
from dasflex_core.cli import main
from dasflex_core.roots import make_root

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = """
title    = "{name}"
contacts = {{ technical = "Somebody <somebody@example.org>" }}
reader   = {{ command = "#[python] reader.py #[read.time.min] #[read.time.max]", writes = "das/2/text" }}
example  = [{{ title = "A day", time = "2020-01-01 to 2020-01-02" }}]
"""
#: What a reader of these tests begins with: a das2 stream of one number for each minute.
STREAM = """
import os, sys, time

def packet(tag, body):
    sys.stdout.write(f"[{tag}]{len(body.encode()):06d}{body}")

def headers():
    packet("00", '<stream version="2.2" />\\n')
    packet("01", '<packet><x type="time20" units="us2000"/><y type="ascii10" units="V" name="level"/></packet>\\n')

def records(count):
    for number in range(count):
        sys.stdout.write(f":01:2020-01-01T{number // 60 % 24:02d}:{number % 60:02d}:00 {number:9d}\\n")
    sys.stdout.flush()
"""


@dataclass(frozen=True)
class Roots:
    """A root to which sources can be added."""

    root: Path

    def add(self, name: str, reader: str, definition: str = "") -> None:
        """A source with a reader, a script that may use what `STREAM` defines."""
        folder = self.root / "definitions" / name
        folder.mkdir(parents=True)
        (folder / "source.toml").write_text(definition or SOURCE.format(name=name), encoding="utf-8")
        (folder / "reader.py").write_text(STREAM + dedent(reader), encoding="utf-8")
        report = compile_tree(self.root)
        assert not report.findings, [str(each) for each in report.findings]

    def run(self, *words: str, given: bytes = b"") -> Result:
        """The command line with this root as the one that the environment names."""
        file = str(self.root / "etc" / "dasflex.conf")
        runner = CliRunner(env={"DASFLEX_CONFIG": file})
        return runner.invoke(main, list(words), input=given, catch_exceptions=False, prog_name="dasflex")

    def environment(self) -> dict[str, str]:
        """The environment of a process that works on this root."""
        return {**os.environ, "DASFLEX_CONFIG": str(self.root / "etc" / "dasflex.conf"), "OPENBLAS_NUM_THREADS": "1"}


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


@pytest.fixture(scope="session")
def program(tmp_path_factory) -> Path:
    """The program `dasflex` of this very tree."""
    file = tmp_path_factory.mktemp("bin") / "dasflex"
    file.write_text(f"#!{sys.executable}\nfrom dasflex_core.cli import main\nmain()\n", encoding="utf-8")
    file.chmod(0o755)
    return file


@pytest.fixture
def started():
    """Starts processes, and ends what is left of them."""
    running: list[subprocess.Popen[bytes]] = []

    def start(arguments: list[str], **how: object) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(arguments, **how)  # type: ignore[call-overload]
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()

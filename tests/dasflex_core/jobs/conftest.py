# SPDX-License-Identifier: GPL-3.0-or-later
"""A site with one source, whose reader does what a test needs, and its jobs."""

from __future__ import annotations

import contextlib
import os
import signal
import time

import pytest

import dasflex_core
from dasflex_core.catalog.tree import compile_tree
from dasflex_core.config import read_config
from dasflex_core.jobs.store import Jobs
from dasflex_core.roots import make_root

SOURCE = """
title    = "A source"
contacts = { technical = "Somebody <somebody@example.org>" }
reader   = { command = "#[python] reader.py #[read.time.min] #[read.time.max] #[read.word # @ #]", writes = "das/2/text" }
example  = [{ title = "A day", time = "2020-01-01 to 2020-01-02" }]
options  = { word = { title = "A word: sleep, or any" } }
"""
READER = """
import os, sys, time
def packet(tag, body):
    sys.stdout.write(f"[{tag}]{len(body.encode()):06d}{body}")
packet("00", '<stream version="2.2" />\\n')
packet("01", '<packet><x type="time20" units="us2000"/><y type="ascii10" units="V" name="level"/></packet>\\n')
for number in range(100):
    sys.stdout.write(f":01:2020-01-01T{number // 60:02d}:{number % 60:02d}:00 {number:9d}\\n")
sys.stdout.flush()
if "sleep" in sys.argv:
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The root of the module's tests."""
    root = tmp_path_factory.mktemp("jobs") / "root"
    make_root(root, "Jobs", examples=False)
    folder = root / "definitions" / "numbers"
    folder.mkdir()
    (folder / "source.toml").write_text(SOURCE)
    (folder / "reader.py").write_text(READER)
    assert not compile_tree(root).findings
    return root


@pytest.fixture
def config(made, tmp_path):
    """The configuration of the root, with a directory of jobs of its own; its programs are ended behind a test."""
    file = made / "etc" / "dasflex.conf"
    text = file.read_text(encoding="utf-8").partition("JOBS_PATH =")[0].rstrip("# \n")
    file.write_text(f'{text}\nJOBS_PATH = "{tmp_path / "jobs"}"\n', encoding="utf-8")
    config = read_config(file)
    yield config
    jobs = Jobs(config.jobs_path)
    for each in jobs.active():
        with contextlib.suppress(OSError, ValueError):
            os.kill(int((jobs.folder(each) / "lock").read_text()), signal.SIGKILL)


@pytest.fixture
def jobs(config):
    """The jobs of the root."""
    return Jobs(config.jobs_path)


@pytest.fixture
def plan(config):
    """Plans a request with some parameters."""

    def planned(**parameters):
        source = dasflex_core.open(config.file)["numbers"]
        return source["2020-01-01":"2020-01-02"].ask(**parameters).plan()

    return planned


@pytest.fixture
def until():
    """Waits for a condition, and gives whether it came true."""

    def wait(condition, seconds=10.0):
        end = time.monotonic() + seconds
        while not condition() and time.monotonic() < end:
            time.sleep(0.02)
        return bool(condition())

    return wait

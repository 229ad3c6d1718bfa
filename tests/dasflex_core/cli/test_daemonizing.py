# SPDX-License-Identifier: GPL-3.0-or-later
"""The pid file: one process has it at a time, nobody reads half a number, and what is stale is nobody's."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from dasflex_core.cli.daemonizing import PidFile
from dasflex_core.errors import BusyError, ConfigError

if TYPE_CHECKING:
    from pathlib import Path

RACE = """
import sys
from pathlib import Path
from dasflex_core.errors import BusyError
from dasflex_core.cli.daemonizing import PidFile
sys.stdin.readline()
try:
    file = PidFile(Path(sys.argv[1]))
    file.write()
    print("taken", flush=True)
    sys.stdin.readline()
except BusyError:
    print("busy", flush=True)
"""


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "daemon.pid"


def test_it_holds_the_number_until_it_is_removed(path):
    file = PidFile(path)
    assert path.read_text() == ""  # taken, and nobody serves yet
    file.write()
    assert path.read_text() == f"{os.getpid()}\n"
    assert path.stat().st_mode & 0o777 & ~0o644 == 0
    file.remove()
    assert list(path.parent.iterdir()) == []


def test_while_it_is_held_nobody_else_gets_it(path):
    file = PidFile(path)
    with pytest.raises(BusyError, match="and is about to serve"):
        PidFile(path)
    file.write()
    with pytest.raises(BusyError, match=f"as process {os.getpid()}$"):
        PidFile(path)
    file.remove()
    PidFile(path).remove()


def test_of_many_that_want_it_at_once_one_gets_it(path):
    path.write_text("1\n")
    racers = [
        subprocess.Popen([sys.executable, "-c", RACE, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(5)
    ]  # fmt: skip
    try:
        for each in racers:
            each.stdin.write("\n")
            each.stdin.flush()
        said = {each.pid: each.stdout.readline().strip() for each in racers}
    finally:
        for each in racers:
            each.kill()
            each.communicate()
    assert sorted(said.values()) == ["busy"] * 4 + ["taken"]
    assert said[int(path.read_text())] == "taken"


def test_a_file_that_another_has_replaced_is_left_alone(path):
    file = PidFile(path)
    file.write()
    path.unlink()
    other = PidFile(path)
    other.write()
    file.remove()
    assert path.exists()
    other.remove()


def test_a_link_is_not_followed(path, tmp_path):
    (tmp_path / "precious").write_text("precious")
    path.symlink_to(tmp_path / "precious")
    with pytest.raises(ConfigError, match="cannot be written"):
        PidFile(path)
    assert (tmp_path / "precious").read_text() == "precious"


def test_a_directory_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match="nowhere/pid cannot be written: No such file or directory"):
        PidFile(tmp_path / "nowhere" / "pid")

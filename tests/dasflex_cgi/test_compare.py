# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex compare` against a second server in a process of its own, whose readers have been changed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from dasflex_core.catalog.tree import compile_tree

LEVELS = "headers(); records(10)"
FILLED = """
packet("00", '<stream version="2.2" />\\n')
packet("01", '<packet><x type="time20" units="us2000"/><y type="ascii10" units="V" name="level">'
    '<properties yFill="-1"/></y></packet>\\n')
records(10)
"""
BINARY = """
import struct
packet("00", '<stream version="2.2" />\\n')
packet("01", '<packet><x type="time20" units="us2000"/><y type="little_endian_real8" units="V" name="level"/></packet>\\n')
sys.stdout.flush()
for number in range(10):
    line = f":01:2020-01-01T00:{number:02d}:00 ".encode()
    sys.stdout.buffer.write(line + struct.pack("<d", number + 0.0004))
"""


@pytest.fixture
def both(bare, tmp_path, serving):
    """Starts a server of a copy of the root, after changes of its readers (`NAME=(old, new)`), and gives its address."""

    def start(**changes: tuple[str, str]) -> str:
        other = tmp_path / "other"
        shutil.copytree(bare.root, other, ignore=shutil.ignore_patterns("run"))
        (other / "run").mkdir()
        for name, (old, new) in changes.items():
            file = other / "definitions" / name / "reader.py"
            text = file.read_text(encoding="utf-8")
            assert old in text
            file.write_text(text.replace(old, new), encoding="utf-8")
        assert not compile_tree(other).findings
        return serving("--config", str(other / "etc" / "dasflex.conf"), "--port", "0").base

    return start


def compared(bare, *words: str) -> tuple[int, list[str], str]:
    """Exit code, lines and last word of a comparison."""
    done = subprocess.run(
        [sys.executable, "-c", "from dasflex_core.cli import main; main(prog_name='dasflex')", "compare", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "DASFLEX_CONFIG": bare.config, "OPENBLAS_NUM_THREADS": "1"},
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout.splitlines(), done.stderr


def test_servers_that_give_the_same_are_not_spoken_of(bare, both):
    bare.add("Levels", LEVELS)
    bare.add("Nothing", "headers()")
    assert compared(bare, both()) == (0, [], "2 compared, 0 different, 0 not comparable\n")


def test_a_changed_reader_is_found_number_by_number(bare, both):
    bare.add("Levels", LEVELS)
    bare.add("Times", LEVELS)
    bare.add("Units", LEVELS)
    bare.add("Fewer", LEVELS)
    bare.add("Fails", LEVELS)
    address = both(
        Levels=("{number:9d}", "{number + (number == 7):9d}"),
        Times=(":00 {number", ":01 {number"),
        Units=('units="V"', 'units="mV"'),
        Fewer=("records(10)", "records(9)"),
        Fails=(LEVELS, "sys.exit('no disk')"),
    )
    status, lines, said = compared(bare, address)
    assert status == 1
    told = {line.split(":")[0]: line for line in lines}
    assert set(told) == {"Levels", "Times", "Units", "Fewer", "Fails"}
    assert "example 1 (A day): " in told["Levels"]
    assert "level: 1 of 10 values differ, by 1 at most; at 7 it is 7.0 here and 8.0 there" in told["Levels"]
    assert "time: 10 of 10 values differ; at 0 it is 2020-01-01T00:00:00" in told["Times"]
    assert "the units are 'V' here and 'mV' there" in told["Units"]
    assert "10 records here, 9 there; the first time that only one has is 2020-01-01T00:09" in told["Fewer"]
    assert "it fails there only: " in told["Fails"]
    assert said == "5 compared, 5 different, 0 not comparable\n"
    status, lines, said = compared(bare, address, "--tolerance", "0.2", "levels")
    assert (status, lines, said) == (0, [], "1 compared, 0 different, 0 not comparable\n")
    assert {line.split(":")[0] for line in compared(bare, address, "F*")[1]} == {"Fewer", "Fails"}


def test_fill_counts_and_so_does_what_the_encodings_tell_apart(bare, both):
    bare.add("Filled", FILLED)
    bare.add("Binary", LEVELS)
    address = both(Filled=('yFill="-1"', 'yFill="3"'), Binary=(LEVELS, BINARY))
    status, lines, _said = compared(bare, address)
    assert status == 1
    [line] = lines  # 5 as it is printed here may be 5.0004 there
    assert "level: 1 of 10 values are fill in one only; at 3 there is a value here and fill there" in line


def test_what_cannot_be_compared_is_a_warning_and_what_was_named_must_be_there(bare, both):
    bare.add("Levels", LEVELS)
    address = both()
    bare.add("Newer", LEVELS)
    file = bare.root / "definitions" / "Levels" / "source.toml"
    realm = '[access]\nrealm = "Us"\nallow = ["group:us"]\n'
    file.write_text(file.read_text(encoding="utf-8") + realm, encoding="utf-8")
    assert not compile_tree(bare.root).findings
    status, lines, _said = compared(bare, address)
    assert status == 0
    assert lines == ["Levels: warning: example 1 (A day): here it is protected"]
    assert compared(bare, address, "newer")[:2] == (1, ["Newer: is not there"])
    assert compared(bare, address, "nowhere")[0] == 3


def test_a_server_that_is_not_there_is_told(bare):
    bare.add("Levels", LEVELS)
    status, lines, said = compared(bare, "http://127.0.0.1:1/")
    assert (status, lines) == (5, [])
    assert "http://127.0.0.1:1/ cannot be reached" in said
    assert compared(bare, "file:///etc/passwd")[0] == 6

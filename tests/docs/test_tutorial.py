# SPDX-License-Identifier: GPL-3.0-or-later
"""Who follows the tutorial, word by word, sees what it says."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

from dasflex_core.cli import main

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "tutorial.md"
TEXT = PAGE.read_text(encoding="utf-8")


def commands(section: str) -> list[list[str]]:
    """The `dasflex` commands of a section, as words behind the program."""
    part = re.split(r"^## ", TEXT, flags=re.MULTILINE)
    [found] = [each for each in part if each.startswith(section)]
    return [shlex.split(line)[1:] for line in re.findall(r"^\$ (dasflex .+)$", found, re.MULTILINE)]


def block(language: str, mark: str) -> str:
    """The block of a language that has a text in it."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    [code] = [each for each in found if mark in each]
    return code


@pytest.fixture
def run(tmp_path, monkeypatch):
    """The command line of a new user in an empty directory."""
    for variable in ("DASFLEX_CONFIG", "DASFLEX_VOYAGER_DATA"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / ".local" / "share"))
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return lambda words: CliRunner().invoke(main, words, catch_exceptions=False)


def test_one_command_gives_a_table_that_names_its_columns(run):
    [get] = commands("One command")
    assert run(get).exit_code == 0
    assert Path("waveform.csv").read_text(encoding="utf-8").startswith("time,waveform (0 s)")


def test_the_plan_shows_a_reader_a_decoder_and_a_formatter_and_a_slip_is_named(run):
    plan, slip = commands("Why did it do that?")
    shown = run(plan).stdout
    assert all(word in shown for word in ("reader", "das2-decode", "formatter", "about"))
    refused = run(slip)
    assert refused.exit_code == 2
    assert "format.tpye" in refused.stderr
    assert "Did you mean format.type" in refused.stderr


def test_a_source_of_one_s_own_is_checked_installed_and_read(run, tmp_path, monkeypatch):
    minutes = Path("Minutes")
    minutes.mkdir()
    (minutes / "reader.py").write_text(block("python", "while begin < end"), encoding="utf-8")
    (minutes / "source.toml").write_text(block("toml", "The minute of the hour"), encoding="utf-8")
    [check] = commands("A source of your own")
    with monkeypatch.context() as inside:
        inside.chdir(minutes)
        done = run(check)
    assert done.output == "1 file, 0 errors, 0 warnings\n"
    shutil.copytree(minutes, tmp_path / ".local" / "share" / "dasflex" / "definitions" / "Minutes")
    install, get = commands("Serve it")
    assert run(install).stdout == "made Minutes\n8 sources\n"
    rows = run(get).stdout.splitlines()
    assert rows[0] == "time,minute"
    assert [float(row.rpartition(",")[2]) for row in rows[1:]] == [0, 1, 2, 3, 4]

# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex convert`: TOML from DSDF and JSON, which a person goes on editing."""

from __future__ import annotations

import tomllib

import pytest
from click.testing import CliRunner

from dasflex_core.catalog.read_toml import read_definition
from dasflex_core.cli import main

DSDF = """\
; written long ago
description = 'A source'
techContact = 'Somebody <somebody@example.org>'
reader = '/opt/bin/rdr -x'   ; the second version
das2Stream = 1
validRange = '2001-01-01 to now'
exampleRange_00 = '2001-01-01 to 2001-01-02 | A day'
telescope = 'red'
"""
TOML = """\
# Converted from a.dsdf

# written long ago
title = "A source"

[contacts]
technical = "Somebody <somebody@example.org>"

[reader]
# the second version
command = "/opt/bin/rdr -x #[read.time.min] #[read.time.max] #[read.opts # @ #]"
writes  = "das/2"

[options.opts]
title = "Arguments of the reader, as das2 clients write them in params"
type  = "arguments"

[coords.time]
range = "2001-01-01 to now"

[[example]]
title = "A day"
time  = "2001-01-01 to 2001-01-02"

[dsdf]
telescope = "red"
"""


@pytest.fixture
def run(tmp_path):
    """Runs `dasflex convert` on a file of that text."""

    def ran(text, *arguments, name="a.dsdf"):
        file = tmp_path / name
        file.write_text(text)
        return CliRunner().invoke(main, ["convert", str(file), *map(str, arguments)])

    return ran


def test_a_dsdf_becomes_toml_in_the_order_of_the_format_with_its_comments(run, tmp_path):
    found = run(DSDF)
    assert found.exit_code == 0
    assert found.stdout == TOML
    assert found.stderr == (
        f"{tmp_path}/a.dsdf:8: telescope: warning: there is no key 'telescope' in DSDF; it is kept, and no client is told of"
        " it.\n"
    )


def test_the_toml_is_a_definition(run, tmp_path):
    (tmp_path / "a.toml").write_text(run(DSDF).stdout)
    assert read_definition(tmp_path / "a.toml", root=tmp_path).title == "A source"


def test_a_file_is_written_once_and_replaced_by_force_only(run, tmp_path):
    target = tmp_path / "b.toml"
    assert run(DSDF, "-o", target).exit_code == 0
    assert target.read_text() == TOML
    target.write_text("edited")
    found = run(DSDF, "--output", target)
    assert found.exit_code == 1
    assert "is there already" in found.stderr
    assert target.read_text() == "edited"
    assert run(DSDF, "-o", target, "--force").exit_code == 0
    assert target.read_text() == TOML


def test_what_is_missing_stands_there_as_comments(run):
    found = run("description = 'A'\nreader = 'r'\ndas2Stream = 1\n")
    assert found.exit_code == 0
    assert '# technical = "Name <address>"' in found.stdout
    assert '# time  = "2020-01-01 to 2020-01-02"' in found.stdout
    assert "techContact: warning: is missing" in found.stderr
    uncommented = found.stdout.replace("# [contacts]    ", "[contacts] # ").replace(
        "# [[example]]    ", "[[example]] # "
    )
    filled = tomllib.loads(uncommented.replace("# te", "te").replace("# ti", "ti"))
    assert filled["contacts"]["technical"] == "Name <address>"
    assert filled["example"][0]["time"] == "2020-01-01 to 2020-01-02"


def test_a_wrong_file_is_told_and_nothing_is_written(run, tmp_path):
    found = run(DSDF.replace("rdr -x", "rdr; x"), "-o", tmp_path / "b.toml")
    assert found.exit_code == 1
    assert f"{tmp_path}/a.dsdf:4: reader: needs a shell for ';'" in found.stderr
    assert not (tmp_path / "b.toml").exists()


def test_a_json_definition_becomes_toml_with_what_it_includes(run, tmp_path):
    (tmp_path / "inc").mkdir()
    (tmp_path / "inc" / "c.json").write_text('{ "contacts": { "technical": "A <a@example.org>" } }')
    text = """{
      "$include": "c.json", // who
      "title": "J",
      "reader": { "command": "r", "writes": "das/2" },
      "default": { "bin.stats": "min,max" },
      "options": {}, "data": { "B": { "title": "Field", "units": "nT" } },
      "example": [{ "time": "2001 to 2002" }]
    }"""
    found = run(text, "--include", tmp_path / "inc", name="j.json")
    assert (found.exit_code, found.stderr) == (0, "")
    assert tomllib.loads(found.stdout) == {
        "title": "J",
        "contacts": {"technical": "A <a@example.org>"},
        "reader": {"command": "r", "writes": "das/2"},
        "default": {"bin": {"stats": "min,max"}},
        "data": {"B": {"title": "Field", "units": "nT"}},
        "example": [{"time": "2001 to 2002"}],
    }


def test_the_description_of_a_directory_is_converted_as_such(run):
    found = run("description = 'Old data'\ntechContact = 'A <a@example.org>'\n", name="_dirinfo_.dsdf")
    assert tomllib.loads(found.stdout) == {
        "title": "Old data",
        "inherit": {"contacts": {"technical": "A <a@example.org>"}},
    }


def test_toml_and_unknown_forms_are_not_converted(run):
    for name in ("a.toml", "a.txt"):
        found = run("", name=name)
        assert found.exit_code == 2
        assert "FILE.dsdf, FILE.json" in found.stderr

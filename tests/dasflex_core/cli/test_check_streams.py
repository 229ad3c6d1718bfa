# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex check` holds what comes against what is declared, whatever the form of the definition and of the stream."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from dasflex_core.extras import Extra
from dasflex_core.stages import StageSpec
from dasflex_core.streamtype import ARRAYS, StreamType, StreamTypeInfo

if TYPE_CHECKING:
    from pathlib import Path

DEFINITION = """
title = "Levels"

[contacts]
technical = "Somebody <somebody@example.org>"

[reader]
command = "#[python] reader.py #[read.time.min] #[read.time.max]"
writes  = "das/2/text"

[coords.time]
range = "2020-01-01 to 2020-02-01"

[data.level]
units = "V"

[[example]]
title = "A day"
time  = "2020-01-01 to 2020-01-02"
"""
DSDF = """\
; hand-written
description = 'Levels'
techContact = 'Somebody <somebody@example.org>'
reader      = '/usr/bin/env python3 {reader}'
das2Stream  = 1
validRange  = '2020-01-01 to 2020-02-01'
data_00     = 'level | The level | nT'
exampleRange_00 = '2020-01-01 to 2020-01-02 | A day'
"""
JSON = """\
{{
  // written by a program
  "title": "Levels",
  "contacts": {{ "technical": "Somebody <somebody@example.org>" }},
  "reader": {{ "command": "#[python] {reader} #[read.time.min] #[read.time.max]", "writes": "das/2/text" }},
  "data": {{
    "level": {{ "units": "nT" }}
  }},
  "example": [ {{ "title": "A day", "time": "2020-01-01 to 2020-01-02" }} ]
}}
"""
READER = "headers(); records(10)"
#: A das3 stream of spectra: three frequencies that stand in its header.
DAS3 = """
def packet(tag, number, body):
    sys.stdout.write(f"|{tag}|{number}|{len(body.encode())}|{body}")

packet("Sx", "", '<stream version="3.0" type="das-basic-stream"/>')
packet("Hx", 1, '<dataset rank="2" name="spectra" index="*;3"><coord physDim="time">'
    '<scalar use="center" semantic="datetime" storage="struct timespec" index="*;-" units="UTC">'
    '<packet numItems="1" itemBytes="20" encoding="utf8"/></scalar></coord><coord physDim="frequency">'
    '<scalar use="center" semantic="real" storage="double" index="-;3" units="Hz">'
    '<values>10 20 40</values></scalar></coord>'
    '<data physDim="density" name="density"><scalar semantic="real" storage="float" index="*;3" units="V**2/Hz">'
    '<packet numItems="3" itemBytes="6" encoding="utf8"/></scalar></data></dataset>')
packet("Pd", 1, "2020-01-01T00:00:00      1     2     3")
"""
DAS1 = """
import struct
for number in range(5):
    sys.stdout.buffer.write(struct.pack(">3f", 60.0 * number, number, 2.0))
"""


@pytest.fixture
def folder(tmp_path, bare) -> Path:
    """A directory for a definition that is not installed, and its reader."""
    bare.add("unrelated", READER)
    place = tmp_path / "Levels"
    place.mkdir()
    source = bare.root / "definitions" / "unrelated" / "reader.py"
    (place / "reader.py").write_bytes(source.read_bytes())
    (place / "source.toml").write_text(DEFINITION, encoding="utf-8")
    return place


def rewrite(folder: Path, old: str, new: str) -> Path:
    """The definition with a part replaced."""
    assert old in DEFINITION
    (folder / "source.toml").write_text(DEFINITION.replace(old, new), encoding="utf-8")
    return folder / "source.toml"


def reads(folder: Path, code: str) -> None:
    """Another reader."""
    file = folder / "reader.py"
    file.write_text(file.read_text(encoding="utf-8").replace(READER, code), encoding="utf-8")


def told(bare, *what: object) -> list[str]:
    """The remarks of a check that finds no error."""
    done = bare.run("check", *map(str, what))
    assert done.exit_code == 0, done.output
    return done.stdout.splitlines()


def test_a_source_that_is_as_declared_is_not_spoken_of(bare, folder):
    assert told(bare, folder) == []


@pytest.mark.parametrize(
    ("old", "new", "line", "text"),
    [
        ('"2020-01-01 to 2020-02-01"', '"2020-01-01T00:05 to 2020-02-01"', 12, "2020-01-01T00:00:00 to 2020-01-01T00:09:00, which is not within"),
        ('units = "V"', "valid = [0, 4]", 14, "5 of 10 values are not valid, that is from 0 to 4; they go from 0 to 9"),
        ("[data.level]", "[data.other]\n[data.level]", 14, "the stream has no other"),
        ("[data.level]", "[coords.depth]\n[data.level]", 14, "the stream has no coordinate depth"),
        ("2020-01-01 to 2020-01-02", "2020-01-01T00:02 to 2020-01-02", 7, "a reader that gives more has exact = false"),
    ],
)  # fmt: skip
def test_what_the_stream_does_not_keep_is_told_with_the_line_that_promises_it(bare, folder, old, new, line, text):
    file = rewrite(folder, old, new)
    remarks = [each for each in told(bare, file) if each.startswith(f"{file}:{line}: ")]
    assert [each for each in remarks if "warning: " in each and text in each], remarks


def test_a_variable_of_which_the_definition_says_nothing_is_told(bare, folder):
    file = rewrite(folder, "[data.level]", "[data.height]")
    assert any("the stream also has level; no client is told of that" in each for each in told(bare, file))


def test_fill_is_no_value_that_could_be_out_of_range(bare, folder):
    rewrite(folder, 'units = "V"', "valid = [1, 9]")
    [remark] = told(bare, folder)
    assert "1 of 10 values" in remark
    file = folder / "reader.py"
    named = 'name="level"'
    filled = f'{named}><properties yFill="0"/></y>'
    file.write_text(file.read_text(encoding="utf-8").replace(f"{named}/>", filled), encoding="utf-8")
    assert told(bare, folder) == []


def test_a_header_that_its_schema_refuses_is_told_though_it_can_be_read(bare, folder):
    """A deviation is a warning: the example runs, and other clients may refuse it."""
    file = folder / "reader.py"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace('<stream version="2.2" />', '<stream version="2.2" colour="red" />'), encoding="utf-8")
    [remark] = told(bare, folder)
    assert "source.toml:17: example[0]: warning: the stream: [00]" in remark
    assert "colour" in remark


def test_a_stream_that_was_cut_off_is_not_blamed_for_its_end(bare, folder, monkeypatch):
    from dasflex_core.cli import checking

    monkeypatch.setattr(checking, "MOST", 1000)
    reads(folder, "headers(); records(20_000); print('no packet')")
    assert told(bare, folder) == []


def test_a_dsdf_is_checked_with_its_own_lines_and_keys(bare, folder):
    file = folder / "levels.dsdf"
    file.write_text(DSDF.format(reader=folder / "reader.py"), encoding="utf-8")
    assert told(bare, file) == [f"{file}:7: data_00: warning: the stream has the units 'V', not 'nT'"]
    reads(folder, "sys.exit('no disk')")
    done = bare.run("check", str(file))
    assert done.exit_code == 1
    assert f"{file}:8: exampleRange_00: the example fails" in done.stdout
    assert "no disk" in done.stdout


def test_a_definition_in_json_is_checked_with_its_own_lines(bare, folder):
    file = folder / "levels.json"
    file.write_text(JSON.format(reader=folder / "reader.py"), encoding="utf-8")
    assert told(bare, file) == [f"{file}:7: data.level: warning: the stream has the units 'V', not 'nT'"]
    file.write_text(
        JSON.format(reader=folder / "reader.py").replace('"title": "Levels"', '"titel": "Levels"'), encoding="utf-8"
    )
    done = bare.run("check", str(file))
    assert done.exit_code == 1
    assert re.search(rf"^{re.escape(str(file))}:3: .*Did you mean title", done.stdout, re.MULTILINE)


def learned(bare, what) -> dict[str, dict[str, dict[str, object]]]:
    """The tables that `--learn` prints."""
    done = bare.run("check", "--learn", str(what))
    assert done.exit_code == 0, done.output
    return tomllib.loads(done.stdout)


def test_das3_headers_are_learned_with_their_coordinates(bare, folder):
    reads(folder, DAS3)
    file = rewrite(folder, '"das/2/text"', '"das/3/text"')
    tables = learned(bare, file)
    assert tables["coords"]["frequency"] == {"units": "Hz", "size": 3}
    assert tables["data"] == {"density": {"axes": ["time", "frequency"], "units": "V**2/Hz"}}


def test_what_a_dsdf_reads_is_learned(bare, folder):
    file = folder / "levels.dsdf"
    file.write_text(DSDF.format(reader=folder / "reader.py"), encoding="utf-8")
    assert learned(bare, file)["data"] == {"level": {"axes": ["time"], "units": "V"}}


def test_das1_is_learned_as_its_definition_describes_it(bare, folder):
    """It has no header: names and units are those of the definition, and the coordinates those of its form."""
    reads(folder, DAS1)
    form = '[das1]\nform = "x_multi_y"\nny = 2\nx_unit = "s"\ny_unit = "nT"\n\n[[example]]'
    text = DEFINITION.replace('[data.level]\nunits = "V"\n', "").replace("[[example]]", form)
    (folder / "source.toml").write_text(text.replace('"das/2/text"', '"das/1"'), encoding="utf-8")
    tables = learned(bare, folder)
    assert set(tables["coords"]) == {"time"}
    assert [each["units"] for each in tables["data"].values()] == ["nT", "nT"]


def test_without_an_example_there_is_nothing_to_learn(bare, folder):
    file = folder / "levels.dsdf"
    file.write_text(re.sub("exampleRange.*", "", DSDF.format(reader=folder / "reader.py")), encoding="utf-8")
    done = bare.run("check", "--learn", str(file))
    assert done.exit_code == 6
    assert "without an example" in done.stderr


def test_what_can_be_had_is_listed_for_files_and_for_installed_sources(bare, folder):
    for what in (str(folder), "unrelated"):
        done = bare.run("check", "--can", what)
        assert done.exit_code == 0, done.output
        assert re.search(r"^    \.csv +Comma-separated values +format\.type=csv$", done.stdout, re.MULTILINE)
        assert re.search(r"^    .*Width of the bins +bin\.time\.max$", done.stdout, re.MULTILINE)
        assert re.search(r"^    das2 +das2 clients", done.stdout, re.MULTILINE)
        assert "fails" not in done.output


def test_what_an_extra_would_add_is_listed_with_how_to_install_it(bare):
    """The same computation as that of the page."""
    import dasflex_core
    from dasflex_core.cli.abilities import abilities

    bare.add("Levels", READER)
    site = dasflex_core.open(bare.root)
    spec = StageSpec("cdf", "", ARRAYS, StreamType("cdf"), "x:y")
    info = StreamTypeInfo(spec.produces, "Files of CDF", "application/x-cdf", "cdf")
    extra = Extra("cdf", "CDF", "dasflex[cdf]", "no_such_library", (spec,), (info,))
    lean = replace(site, registry=replace(site.registry, extras=(extra,)))
    lines = list(abilities(lean, site["Levels"].definition, site.catalog.find))
    assert lines[-3:] == [
        "  what can be installed",
        "    pip install 'dasflex[cdf]'  CDF",
        "      .cdf  Files of CDF  format.type=cdf",
    ]
    whole = replace(site, registry=replace(site.registry, extras=()))
    assert "  what can be installed" not in list(abilities(whole, site["Levels"].definition, site.catalog.find))

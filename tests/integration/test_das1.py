# SPDX-License-Identifier: GPL-3.0-or-later
"""Sources whose readers write das1, whose definitions say what the data are: from the reader to every format."""

from __future__ import annotations

import shlex
import subprocess
import sys

import numpy as np
import pytest
from click.testing import CliRunner

import dasflex_core
from dasflex_core.catalog.tree import compile_tree
from dasflex_core.catalog.walk import Vocabulary
from dasflex_core.cli import main
from dasflex_core.errors import ConfigError
from dasflex_core.plan.explain import shell_line
from dasflex_core.registry import discover
from dasflex_das.das2_decoder import Das2Decoder

#: A field in three components every two minutes, the second one missing once, as seconds since the begin.
FIELD = """
import struct
for n in range(720):
    out.write(tag + struct.pack(">4f", 120.0 * n, n, -1e31 if n == 1 else 0.5 * n, 2.0))
"""
SCANS = """
import struct
for n in range(10):
    out.write(struct.pack(">4f", n, 1 + n, 2 + n, 3 + n))
"""
NAMED = """
[data.bx]
units = "nT"
fill  = "-1e31"
[data.by]
units = "nT"
fill  = "-1e31"
[data.bz]
units = "nT"
fill  = "-1e31"
"""
CLASSIC = """
[das1]
form = "x_multi_y"
ny = 3
x_parameter = "time"
x_unit = "s"
x_sample_width = 120.0
y_parameter = "magnetic field"
y_unit = "nT"
y_fill = -1e31
spacecraft = "Kestrel"

[default]
format.version = 2
"""
SPECTRA = """
[coords.frequency]
units = "Hz"
tags  = ["10", "20", "40"]

[data.density]
axes  = ["time", "frequency"]
units = "V**2 m**-2 Hz**-1"
"""


def opened(lab):
    """The site, compiled with the tables that plugins declare."""
    registry = discover()
    report = compile_tree(lab.root, Vocabulary(registry.families, registry.tables))
    assert not report.findings, [str(each) for each in report.findings]
    return dasflex_core.open(lab.root)


@pytest.fixture(scope="module")
def das1(make_lab):
    """A root with das1 sources."""
    lab = make_lab()
    lab.add("Named", 'tag = b""' + FIELD, writes="das/1", more=NAMED)
    lab.add("Classic", 'tag = b""' + FIELD, writes="das/1", more=CLASSIC)
    lab.add("Tagged", 'tag = b":b0:"' + FIELD, writes="das/1/tagged", more=CLASSIC)
    lab.add("Spectra", SCANS, writes="das/1", more=SPECTRA)
    lab.add("Silent", "", writes="das/1", more=SPECTRA)
    return lab


@pytest.fixture(scope="module")
def site(das1):
    """The site of these."""
    return opened(das1)


def answer(site, source, **asked):
    """The bytes of an answer."""
    return b"".join(site[source].ask(time="2020-01-01/2020-01-02", **asked).plan().run())


@pytest.mark.parametrize("source", ["Named", "Classic", "Tagged"])
def test_records_have_their_times_and_values(site, source):
    table = site[source].ask(time="2020-01-01/2020-01-02").read().only
    names = ["bx", "by", "bz"] if source == "Named" else ["plane_0", "plane_1", "plane_2"]
    assert [each for each in table if each != "time"] == names
    assert table["time"][[0, 719]].astype("M8[s]").tolist() == [
        np.datetime64(each, "s").item() for each in ("2020-01-01T00:00:00", "2020-01-01T23:58:00")
    ]
    assert table[names[0]].tolist() == list(range(720))


@pytest.mark.parametrize("source", ["Named", "Classic", "Tagged"])
def test_bins_leave_out_what_is_missing(site, source):
    """The fill that the definition says is no value."""
    csv = answer(site, source, format_type="csv", bin_time_max="240").decode().splitlines()
    time, *values = csv[1].split(",")
    assert time.startswith("2020-01-01T00:02:00.000")
    assert [float(each) for each in values] == [0.5, 0, 2]


def test_das2_has_what_the_definition_says(site):
    """As the classic converter writes it."""
    header, dataset, *_batches = Das2Decoder().feed(answer(site, "Classic"))
    told = {each.name: each.text for each in header.properties}
    expected = {
        "xLabel": "Time",
        "yLabel": "Magnetic field (nT)",
        "title": "Classic",
        "spacecraft": "Kestrel",
        "xTagWidth": "120.000000 s",
        "yFill": "-1e+31",
        "sourceId": "Classic",
    }
    assert expected.items() <= told.items()
    assert [each.units for each in dataset.columns] == ["us2000", "nT", "nT", "nT"]
    assert {each.fill for each in dataset.columns[1:]} == {-1e31}


def test_spectra_have_their_frequencies_in_every_form(site):
    """And the traits that reducers need."""
    table = site["Spectra"].ask(time="2020-01-01/2020-01-02").read().only
    assert table["frequency"].tolist() == [10, 20, 40]
    assert table["density"][0].tolist() == [1, 2, 3]
    assert b'yTags="10,20,40"' in answer(site, "Spectra", format_type="das", format_version="2")
    assert b'name="density"' in answer(site, "Spectra", format_type="das", format_version="3")
    cut = site["Spectra"].ask(time="2020-01-01/2020-01-02", read_frequency_min="15").read().only
    assert cut["density"][9].tolist() == [11, 12]


def test_the_readers_own_bytes_can_be_had(site):
    """Where nothing asks for another type."""
    assert len(answer(site, "Spectra")) == 160
    assert site["Tagged"].ask(time="2020-01-01/2020-01-02", format_version="1").plan().solution.produces.version == "1"


def test_no_bytes_are_no_data(site):
    assert len(site["Silent"].ask(time="2020-01-01/2020-01-02").read()) == 0


def test_the_answer_is_another_where_the_facts_are_and_not_where_a_title_is(das1, site):
    """So that a cache never gives what was read by wrong facts."""
    before = site["Classic"].ask(time="2020-01-01/2020-01-02").plan().solution.answer
    for old, new, same in (('"magnetic field"', '"field"', True), ('x_unit = "s"', 'x_unit = "min"', False)):
        das1.add("Classic", 'tag = b""' + FIELD, writes="das/1", more=CLASSIC.replace(old, new))
        after = opened(das1)["Classic"].ask(time="2020-01-01/2020-01-02").plan().solution.answer
        assert (after == before) is same
    das1.add("Classic", 'tag = b""' + FIELD, writes="das/1", more=CLASSIC)
    opened(das1)


def test_the_plan_as_a_shell_pipeline_gives_the_same(site):
    """The facts stand in it."""
    plan = site["Classic"].ask(time="2020-01-01/2020-01-02").plan()
    line = shell_line(plan.solution)
    assert "das1-decode" in line
    code = "from dasflex_core.cli import main; main(prog_name='dasflex')"
    _reader, _bar, rest = line.partition("| dasflex filter ")
    data = b"".join(site["Classic"].ask(time="2020-01-01/2020-01-02", format_version="1").plan().run())
    done = subprocess.run(
        [sys.executable, "-c", code, "filter", *shlex.split(rest)], input=data, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == answer(site, "Classic")


def test_check_accepts_the_definitions(das1):
    """It runs their examples."""
    named = [str(das1.root / "definitions" / each) for each in ("Named", "Classic", "Tagged", "Spectra")]
    done = CliRunner().invoke(main, ["check", "--root", str(das1.root), *named])
    assert "4 files, 0 errors, 0 warnings" in done.output, done.output
    assert done.exit_code == 0


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ('[das1]\nform = "x_multi"', "The form of das1 data is 'x_multi'"),
        ('[das1]\nform = "x_tagged_y_scan"', "y_coordinate of das1 data is ''"),
        (CLASSIC + '[data.one]\nunits = "V"', "x_multi_y with 3 variables have 1 names: one"),
        ("", "The form of das1 data is ''"),
    ],
)
def test_definitions_that_say_too_little_are_refused_by_check(own, more, why):
    """With the table that is at fault."""
    own.add("Poor", SCANS, writes="das/1", more=more)
    done = CliRunner().invoke(main, ["check", "--root", str(own.root), str(own.root / "definitions" / "Poor")])
    assert why in done.output
    assert "in the table [das1]" in done.output
    assert done.exit_code == 1
    with pytest.raises(ConfigError, match=r"\[das1\]"):
        opened(own)["Poor"].ask(time="2020-01-01/2020-01-02").read()


def test_unknown_keys_of_the_table_are_findings(own):
    own.add("Poor", SCANS, writes="das/1", more='[das1]\nforms = "x_y_z"')
    registry = discover()
    report = compile_tree(own.root, Vocabulary(registry.families, registry.tables))
    assert ["das1" in str(each) and "forms" in str(each) for each in report.findings] == [True]

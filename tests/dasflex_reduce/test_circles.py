# SPDX-License-Identifier: GPL-3.0-or-later
"""A definition that says `period` has its values averaged round the circle, by each stage that averages."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

import dasflex_core
from dasflex_core.arrays import VARIES, Dataset, Dimension, Properties, Property, Records, Variable
from dasflex_core.cli import main
from dasflex_core.roots import make_root
from dasflex_reduce.decimate import Decimate

SOURCE = """
title = "Where a spacecraft is"
contacts = {{ technical = "Your Name <your.name@yourplace.edu>" }}
reader = {{ command = "#[python] reader.py #[read.time.min] #[read.time.max]", writes = "das/{version}" }}
example = [{{ time = "2017-01-01 to 2017-01-02" }}]
coords = {{ time = {{ cadence = "1 s" }} }}
[data]
longitude = {{ units = "degree", period = 360 }}
local = {{ units = "hour", period = 24, valid = [-12, 12], fill = "-99" }}
height = {{ units = "km" }}
"""
READER = """
head = '<stream version="2.2"/>'
body = ('<packet><x type="time24" units="us2000"/>'
        + "".join(f'<y name="{n}" type="ascii10" units="{u}"/>'
                  for n, u in (("longitude", "degree"), ("local", "hour"), ("height", "km"))) + '</packet>')
for tag, text in ("[00]", head), ("[01]", body):
    print(f"{tag}{len(text):06d}{text}", end="")
for second, values in enumerate(((359, 23, 359), (1, 1, 1), (-99, -99, 5), (170, 11, 170), (190, 13, 190))):
    print(f":01:2017-01-01T00:00:{second:02d}.000 " + "".join(f"{n:9.2e} " for n in values)[:-1])
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A site with a source of angles, and the same without what the definition says of them."""
    root = tmp_path_factory.mktemp("circles") / "root"
    make_root(root, "Test Server")
    plain = SOURCE.partition("[data]")[0]
    for name, text in (("Orbit", SOURCE), ("Plain", plain)):
        folder = root / "definitions" / name
        folder.mkdir(parents=True)
        (folder / "source.toml").write_text(text.format(version=2))
        (folder / "reader.py").write_text(READER)
    done = CliRunner().invoke(main, ["install", "--root", str(root)])
    assert done.exit_code == 0, done.output
    return dasflex_core.open(root)


def asked(site, name, **more):
    return site[name]["2017-01-01":"2017-01-02"].ask(**more)


def sent(site, name, **more) -> bytes:
    return b"".join(asked(site, name, **more).plan().run())


def test_the_mean_of_359_and_1_is_0_and_not_180(site):
    table = asked(site, "Orbit", bin_time_max=2).read().only
    assert table["longitude"][0] == 0.0
    assert table["height"][0] == 180.0
    assert asked(site, "Plain", bin_time_max=2).read().only["longitude"][0] == 180.0


def test_the_range_is_that_of_valid_else_it_begins_at_0(site):
    """Local time from -12 to 12 hours. The fill of the definition does not count."""
    table = asked(site, "Orbit", bin_time_max=2, bin_stats="mean,count").read().only
    assert table["local"][0] == pytest.approx(0, abs=1e-9)
    assert table["local.count"][1] == 1, "of -99 and 11 one counts"
    assert table["local"][-1] == pytest.approx(-11), "13 h is 11 h before the next midnight"


def test_extremes_are_those_of_the_numbers_and_the_deviation_is_round_the_circle(site):
    table = asked(site, "Orbit", bin_time_max=2, bin_stats="min,max,stddev").read().only
    assert (table["longitude.min"][0], table["longitude.max"][0]) == (1, 359)
    assert table["longitude.stddev"][0] == pytest.approx(1.0, rel=1e-3)
    assert table["height.stddev"][0] == pytest.approx(179 * np.sqrt(2), rel=1e-3)


def test_bytes_of_a_source_that_is_not_decoded_are_those_of_its_reader(site):
    assert sent(site, "Orbit") == sent(site, "Plain")
    assert b"period" not in sent(site, "Orbit")


def test_what_is_decoded_says_what_the_definition_says(site):
    text = sent(site, "Orbit", bin_time_max=2)
    assert b'double:period="360.0"' in text
    assert b'double:yFill="-99.0"' in text


def test_an_answer_that_is_computed_depends_on_what_is_said(site):
    """Another period is another answer; of bytes as they are, nothing said of them is a part."""
    first = asked(site, "Orbit", bin_time_max=2).plan().solution
    assert first.nodes[1].facts is not None
    assert first.nodes[0].facts is None
    assert all(node.facts is None for node in asked(site, "Orbit").plan().solution.nodes)
    definition = site.catalog.find("Orbit")
    data = {**definition.data, "longitude": replace(definition.data["longitude"], period=180.0)}
    titled = {**definition.data, "longitude": replace(definition.data["longitude"], title="East longitude")}
    plain = [("time", "2017-01-01/2017-01-02")]
    binned = [*plain, ("bin.time.max", "2")]

    def answer(pairs, **changes):
        return site.planner.solve(replace(definition, **changes), pairs).answer

    assert answer(binned, data=data) != answer(binned) == answer(binned, data=titled)
    assert answer(plain, data=data) == answer(plain)


def test_a_view_of_spectra_of_angles_is_averaged_round_the_circle():
    """Values over an axis have a mean in each part of the range; here 359 and 1 as in bins, and -170 and 170."""
    index = (VARIES, 2)
    time = Variable("time", "center", "datetime", "t2000", (VARIES, None), np.dtype("f8"))
    axis = Variable("f", "center", "real", "Hz", (None, 2), np.dtype("f8"), values=np.array([1.0, 2.0]))
    circle = Properties((Property("period", "360", "real"),))
    angle = Variable("phase", "center", "real", "degree", index, np.dtype("f4"), fill=-1e31, properties=circle)
    dimensions = (
        Dimension("time", "time", coordinate=True, variables=(time,), axis="x"),
        Dimension("frequency", "frequency", coordinate=True, variables=(axis,), axis="y"),
        Dimension("phase", "phase", coordinate=False, variables=(angle,)),
    )
    dataset = Dataset(1, "phases", index, dimensions, ("time", "phase"))
    values = np.array([[359, -170], [1, 170], [-1e31, 10], [20, 20]], dtype="f4")
    batch = Records(dataset, {"time": np.arange(4.0), "phase": values})
    for size in (4, 1):
        stage = Decimate(points=2, read_time_min="2000-01-01T00:00:00", read_time_max="2000-01-01T00:00:04")
        stage.dataset(dataset)
        parts = [batch.slice(slice(first, first + size)) for first in range(0, 4, size)]
        found = [each for part in parts for each in stage.records(part)] + list(stage.finish())
        told = np.concatenate([each["phase"] for each in found])
        np.testing.assert_allclose(told, [[0, -180], [20, 15]], atol=1e-4)

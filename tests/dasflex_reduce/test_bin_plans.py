# SPDX-License-Identifier: GPL-3.0-or-later
"""What sources can do with bins, as the solver finds it; and that declarations are those of the classes."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner

import dasflex_core
from dasflex_core.cli import main
from dasflex_core.errors import QueryError
from dasflex_core.loading import load
from dasflex_core.roots import make_root
from dasflex_reduce.plugin import STAGES

BEGIN, END = "1979-03-01T12:27:00", "1979-03-01T12:27:10"
SPECTRA = """
title = "Spectra of a probe"
contacts = { technical = "Your Name <your.name@yourplace.edu>" }
reader = { command = "#[python] reader.py #[read.time.min] #[read.time.max]", writes = "das/2" }
example = [{ time = "2017-01-01 to 2017-01-02" }]
coords = { frequency = { units = "Hz" } }
data = { psd = { axes = ["time", "frequency"] } }
"""
READER = """
head = '<stream version="2.2"/>'
body = ('<packet><x type="time24" units="us2000"/><yscan name="psd" type="ascii10" nitems="4" yUnits="Hz"'
        ' yTags="10,20,30,40" zUnits="V"/></packet>')
for tag, text in ("[00]", head), ("[01]", body):
    print(f"{tag}{len(text):06d}{text}", end="")
for second in range(4):
    print(f":01:2017-01-01T00:00:{second:02d}.000 " + "".join(f"{n + second:9.2e} " for n in (1, 2, 3, 4))[:-1])
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A site with the examples, and a source of spectra."""
    root = tmp_path_factory.mktemp("bins") / "root"
    make_root(root, "Test Server")
    folder = root / "definitions" / "Probe"
    folder.mkdir(parents=True)
    (folder / "source.toml").write_text(SPECTRA)
    (folder / "reader.py").write_text(READER)
    done = CliRunner().invoke(main, ["install", "--root", str(root)])
    assert done.exit_code == 0, done.output
    return dasflex_core.open(root)


def names(request) -> list[str]:
    """The stages of a plan."""
    return [step.spec.name for step in request.plan().solution.path.steps]


@pytest.mark.parametrize("stage", STAGES, ids=lambda stage: stage.name)
def test_the_declarations_are_those_of_the_classes(stage):
    assert load(stage.factory).spec == stage


@pytest.mark.parametrize("source", ["Examples/Waveform", "Examples/Random", "Probe"])
def test_bins_are_made_between_decoder_and_encoder(site, source):
    request = site[source]["2017-01-01":"2017-01-02"].ask(bin_time_max=60)
    assert names(request) == ["reader", "das2-decode", "bin-average", "das2-binary"]


def test_a_model_offers_no_bins_and_says_why(site):
    with pytest.raises(dasflex_core.QueryError, match=r"read\.time\.inter"):
        site["Examples/Ephemeris"]["2017-01-01":"2017-01-02"].ask(bin_time_max=60).plan()


def test_bins_begin_where_the_request_does(site):
    table = site["Examples/Random"]["2017-01-01T00:30":"2017-01-02"].ask(bin_time_max=3600).read().only
    assert table["time"][0] == np.datetime64("2017-01-01T01:00")
    assert set(np.diff(table["time"]).tolist()) == {3600 * 10**9}


def test_the_waveform_of_the_examples_is_reduced_to_its_envelope(site):
    """Its default of bin.stats counts once there are bins; the client's own words win."""
    request = site["Examples/Waveform"][BEGIN:END].ask(bin_time_max=1)
    assert dict(request.plan().solution.request)["bin.stats"] == "min,max"
    assert {"waveform.min", "waveform.max"} < set(request.read().only)
    assert set(request.ask(bin_stats="mean").read().only) == {"time", "waveform"}


def test_bands_of_frequency_are_made_of_an_axis_of_the_source(site):
    request = site["Probe"]["2017-01-01":"2017-01-02"].ask(bin_frequency_max=20)
    assert names(request) == ["reader", "das2-decode", "bin-coordinate", "das2-binary"]
    assert request.read().only["psd"].tolist() == [[1.5, 3.5], [2.5, 4.5], [3.5, 5.5], [4.5, 6.5]]


@pytest.mark.parametrize("stats", [{}, {"bin_stats": "mean,max"}])
def test_bands_and_bins_of_time_may_both_be_asked(site, stats):
    request = site["Probe"]["2017-01-01":"2017-01-02"].ask(bin_frequency_max=20, bin_time_max=2, **stats)
    assert {"bin-average", "bin-coordinate"} < set(names(request))
    assert request.read().only["psd"].tolist() == [[2, 4], [4, 6]]


def test_statistics_of_bands_alone_may_be_asked(site):
    request = site["Probe"]["2017-01-01":"2017-01-02"].ask(bin_frequency_max=20, bin_stats="max")
    assert request.read().only["psd.max"].tolist() == [[2, 4], [3, 5], [4, 6], [5, 7]]


def test_a_source_without_the_axis_offers_no_bins_of_it(site):
    with pytest.raises(dasflex_core.QueryError, match=r"bin\.frequency\.max"):
        site["Examples/Random"]["2017-01-01":"2017-01-02"].ask(bin_frequency_max=20).plan()


def test_coverage_is_counted(site):
    request = site["Probe"]["2017-01-01":"2017-01-02"].ask(calc_rate=1, calc_rate_of="events")
    assert "rate" in names(request)
    assert request.read().only["coverage"].tolist() == [1, 1, 1, 1]


@pytest.mark.parametrize(("stats", "told"), [("mean,mode", "bin.stats"), ("peak", "bin.stats")])
def test_an_unknown_statistic_is_an_error_that_names_the_known(site, stats, told):
    with pytest.raises(dasflex_core.QueryError, match="stddev"):
        site["Examples/Random"]["2017-01-01":"2017-01-02"].ask(bin_time_max=60, bin_stats=stats).plan()


@pytest.mark.parametrize("width", ["0", "-5", "nan", "abc"])
def test_a_width_that_is_none_is_an_error(site, width):
    with pytest.raises(dasflex_core.QueryError, match=r"bin\.time\.max"):
        site["Examples/Random"]["2017-01-01":"2017-01-02"].ask(bin_time_max=width).plan()


def test_frequencies_of_a_transform_are_cut_as_those_of_a_reader_are(site):
    """A client of a view need not know which of its axes the reader gives."""
    request = site["Examples/Spectra"][BEGIN:END].ask(read_frequency_min=1000, read_frequency_max=2000)
    assert names(request) == ["reader", "das2-decode", "spectral-density", "cut", "das2-binary"]
    table = request.read().only
    assert (table["frequency"].min(), table["frequency"].max()) == (1008, 1980)
    whole = site["Examples/Spectra"][BEGIN:END].read().only
    kept = (whole["frequency"] >= 1000) & (whole["frequency"] < 2000)
    np.testing.assert_array_equal(table["waveform"], whole["waveform"][:, kept])
    both = request.ask(bin_frequency_max=500, bin_time_max=1)
    assert names(both)[2:4] == ["spectral-density", "cut"]
    assert {"bin-coordinate", "bin-average"} == set(names(both)[4:-1])


def test_an_axis_that_is_not_there_is_named_with_what_makes_one(site):
    with pytest.raises(
        dasflex_core.QueryError, match=r"no axis frequency; spectral-density makes one, with dft\.length$"
    ):
        site["Examples/Waveform"][BEGIN:END].ask(read_frequency_max=1000).plan()
    with pytest.raises(dasflex_core.QueryError, match=r"no axis frequency$"):
        site["Examples/Random"]["2017-01-01":"2017-01-02"].ask(read_frequency_max=1000).plan()


@pytest.mark.parametrize("name", ["bin.time.max", "calc.rate"])
def test_a_bin_whose_middle_is_no_time_is_refused_before_anything_runs(site, name):
    request = site.request("Examples/Waveform", [("time", f"{BEGIN}/{END}"), (name, "4.95905843919745e16")])
    with pytest.raises(QueryError, match=rf"{name}=.* is out of its range from .* to 4e\+09 s") as caught:
        request.plan()
    assert caught.value.kind == "query.bad-value"


def test_the_widest_bin_that_is_taken_holds_all_data_in_one(site):
    request = site.request("Examples/Waveform", [("time", f"{BEGIN}/{END}"), ("bin.time.max", "4e9")])
    assert len(request.read().only["time"]) == 1

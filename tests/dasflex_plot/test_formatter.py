# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures keep what every formatter must keep, say what they cannot show, and hold no more than they show."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dasflex_core.arrays import NoData, Records
from dasflex_core.errors import QueryError
from dasflex_core.granroth import plain
from dasflex_core.stages import spec_of
from dasflex_core.testing import FormatterContract, golden
from dasflex_plot.formatter import PdfFormatter, PngFormatter, SvgFormatter
from dasflex_plot.granroth import drawn, with_units
from dasflex_plot.images import Band
from dasflex_plot.plugin import STAGES
from dasflex_plot.quantities import quantities_of
from dasflex_plot.series import Series, cadence_of
from tests.dasflex_plot.streams import SCENES, line, waveform

SMALL = {"width": 120, "height": 80}


class TestPng(FormatterContract):
    """What every formatter must keep."""

    formatter = PngFormatter
    plugin = "dasflex_plot.plugin"
    options = SMALL

    def streams(self):
        """A few: drawing takes time."""
        return {name: items for name, items in golden.streams().items() if name in ("scalars", "spectra", "states")}


class TestSvg(TestPng):
    """The same."""

    formatter = SvgFormatter


class TestPdf(TestPng):
    """The same."""

    formatter = PdfFormatter


def fed(items, **values):
    """A formatter that has taken a stream."""
    made = PngFormatter(**{**SMALL, **values})
    for item in items:
        assert b"".join(made.feed(item)) == b""
    return made


def words(**values):
    """What is written in a picture, as SVG."""
    formatter = SvgFormatter(width=600, height=400, **values)

    def texts(items):
        for item in items:
            list(formatter.feed(item))
        return b"".join(formatter.finish()).decode()

    return texts


def test_the_declarations_are_those_of_the_classes():
    assert list(STAGES) == [spec_of(each) for each in (PngFormatter, SvgFormatter, PdfFormatter)]


@pytest.mark.parametrize("name", sorted(golden.streams()))
def test_every_kind_of_stream_is_drawn_or_refused_with_what_would_be_right(name):
    made = fed(golden.streams()[name])
    if made._panels.all or not made._panels.undrawn:
        assert b"".join(made.finish()).startswith(b"\x89PNG")
        return
    assert name in ("states", "pictures")
    with pytest.raises(QueryError, match=r"read\.data"):
        list(made.finish())


def test_without_data_there_is_a_picture_that_says_so():
    header, dataset, _batch = line()
    nothing = words()([header, dataset, NoData("The last records are of 2030-12-31")])
    assert "<!-- No data -->" in nothing
    assert "<!-- The last records are of 2030-12-31 -->" in nothing


def test_labels_have_units_and_marks():
    assert drawn("V!a2!nm!a-2!n") == r"V$\mathregular{^{2}}$m$\mathregular{^{-2}}$"
    assert drawn("E!dy!n%{NAME}", lambda name: f" of {name.lower()}") == r"E$\mathregular{_{y}}$ of name"
    assert with_units("Density", "cm**-3") == r"Density (cm$\mathregular{^{-3}}$)"
    assert with_units("Density", "cm^-3") == r"Density (cm$\mathregular{^{-3}}$)"
    assert with_units("Rate", "m**") == "Rate (m**)"
    assert with_units("Mean rates", "s") == "Mean rates (s)"
    assert with_units("Voltage, V", "V") == "Voltage, V"
    assert with_units("Bx (%{UNITS})", "nT") == "Bx (nT)"
    assert with_units("Freq. (Hz)", "Hz") == "Freq. (Hz)"
    assert drawn("one!Ctwo!!") == "one\ntwo!"
    assert drawn("5 $ \\alpha") == "5 \\$ \u2216alpha"
    assert plain("V!a2!n m!a-2!n") == "V2 m-2"


@pytest.mark.parametrize(
    "text",
    ["$", "$x$", "!a$!n", "!d{!n", "!a\\frac!n", "%{", "!u^_#&~%!n", '!a"`;|\\{}!n', "!a!a!a", "a" * 5000, "\ud800"],
)
def test_no_text_of_a_stream_breaks_a_picture(text):
    assert list(fed(line(title=text, yLabel=text), width=300, height=200, title=text).finish())


def test_a_gap_is_known_from_the_cadence_or_what_is_told():
    assert cadence_of(np.array([60, 60, 60, 60, 600, 60])) == pytest.approx(114)
    series = Series(100)
    series.add(np.array([0, 60, 120, 600, 660]) * 10**9, np.zeros((5, 1)))
    assert series.cadence == pytest.approx(114e9)
    assert Series(100, 7.0).cadence == 7.0


def test_of_many_points_the_envelope_is_kept_and_no_more():
    series, random = Series(400), np.random.default_rng(1)
    lows, highs = [], []
    for part in range(40):
        values = random.normal(size=(50_000, 1))
        values[7, 0] = 50 + part
        lows.append(values.min())
        highs.append(values.max())
        series.add(np.arange(part * 50_000, (part + 1) * 50_000) * 1000, values)
        assert series._held <= 2 * (1 << 19)
    x, y = series.points()
    assert len(x) < 600_000
    assert (np.diff(x) > 0).all()
    for part in range(40):
        mine = y[(x >= part * 50_000_000) & (x < (part + 1) * 50_000_000)]
        assert mine.max() == highs[part]
        assert mine.min() == lows[part]


def test_of_many_spectra_means_are_kept_and_no_more():
    band = Band(100, np.arange(1.0, 65.0))
    for part in range(80):
        times = np.arange(part * 1000, (part + 1) * 1000) * 10**9
        band.add(times, np.full((1000, 64), float(part)))
    _x, values, _weight, _own = band.records()
    assert values.size < 1 << 22
    found = band.painted((np.arange(80) + 0.5) * 1000 * 1e9, np.array([32.0]), log=False)
    assert np.allclose(found[0], np.arange(80), atol=1.0)


def test_a_spectrogram_has_a_gap_where_records_are_missing():
    band = Band(100, np.array([1.0, 2.0, 3.0]))
    times = np.array([0, 10, 20, 80, 90]) * 10**9
    band.add(times[:3], np.ones((3, 3)))
    band.add(times[3:], np.ones((2, 3)))
    found = band.painted(np.array([1.0, 11, 24, 40, 60, 76, 91]) * 1e9, np.array([2.0]), log=False)
    assert np.isnan(found[0]).tolist() == [False, False, False, True, True, False, False]


def test_samples_of_a_waveform_stand_at_their_own_times():
    made = fed(waveform())
    (panel,) = made._panels.all
    x, y = panel.lines[0].series.points()
    assert len(x) == 12 * 200
    assert np.diff(x[:200]).tolist() == [5_000_000] * 199
    assert y.shape == (2400, 1)


def test_bands_of_one_quantity_share_a_panel_and_lines_do_where_it_is_asked():
    low, high = SCENES["spectra"](), replace(SCENES["spectra"]()[1], id=2)
    made = fed([*low, high, Records(high, low[2].columns)])
    assert [len(each.bands) for each in made._panels.all] == [2]
    assert [len(fed(golden.scalars(), panels=way)._panels.all) for way in ("quantity", "units")] == [2, 1]


def test_what_is_drawn_of_a_dataset_is_told():
    kinds = {name: [each.kind for each in quantities_of(make()[1])] for name, make in SCENES.items()}
    assert kinds == {"line": ["lines"], "bins": ["lines"], "spectra": ["image"], "waveform": ["lines"],
                     "points": ["points"], "several": ["lines"]}  # fmt: skip


def test_the_range_of_the_request_is_the_axis():
    told = words(read_time_min="2031-04-01", read_time_max="2031-04-05")(line())
    assert "2031-04-01 to 2031-04-05" in told

# SPDX-License-Identifier: GPL-3.0-or-later
"""The live plot: what is drawn is what was asked, and zooming asks for finer data."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.integration]

FIELD = "/source/made/field.html"
WEEK = f"{FIELD}?time=2020-01-01/2020-01-08"


def query(address: str) -> dict[str, str]:
    """The parameters of a request."""
    return {name: values[0] for name, values in parse_qs(urlsplit(address).query).items()}


def drag(page, left: float, right: float) -> None:
    """Drags over a part of the first plot: 0 is its left edge, and 1 its right one."""
    place = page.locator("#plot-panels .nsewdrag").first
    place.scroll_into_view_if_needed()
    box = place.bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + left * box["width"], middle)
    page.mouse.down()
    page.mouse.move(box["x"] + (left + right) / 2 * box["width"], middle + 5, steps=4)
    page.mouse.move(box["x"] + right * box["width"], middle + 2, steps=4)
    page.mouse.up()


def test_spectra_are_a_picture_with_logarithmic_axes_units_and_a_scale_of_colours(visit):
    watched = visit()
    page = watched.go("/source/examples/params.html")
    assert watched.data() == []
    watched.plot()
    assert len(watched.data()) == 1
    texts = page.locator("#plot-panels svg text").all_text_contents()
    for text in ("Frequency (Hz)", "Time (UTC)", "nT² Hz⁻¹", "100", "1000", "10⁻⁴", "17:10"):
        assert text in texts, texts
    assert "B (nT² Hz⁻¹)" in texts
    colours = watched.colours("#plot-panels")
    vivid = sum(
        count for colour, count in colours.items() if max(rgb := [*map(int, colour.split(","))]) - min(rgb) > 40
    )
    assert len(colours) > 200
    assert vivid > 100_000
    assert re.fullmatch(r"B \(nT² Hz⁻¹\): 600 records of 32 values from .+ to .+", page.get_by_role("figure").get_attribute("aria-label"))  # fmt: skip


def test_lines_have_the_shade_between_the_extremes_of_bins_and_gaps_where_nothing_is(visit):
    watched = visit()
    page = watched.go(WEEK)
    watched.plot()
    asked = query(watched.data()[-1])
    width = page.locator("#plot-panels").bounding_box()["width"]
    assert float(asked["bin.time.max"]) == pytest.approx(7 * 86400 / (width - 90), rel=0.02)
    assert asked["bin.stats"] == "mean,min,max"
    assert page.get_by_role("figure").count() == 2
    texts = page.get_by_role("figure").first.locator("svg text").all_text_contents()
    assert {"Level (V m⁻¹)", "Time (UTC)", "10"} <= {*texts}, texts
    shades = page.get_by_role("figure").first.locator(".js-fill").first.get_attribute("d")
    assert shades.count("Z") == 15, "two gaps in each of seven days, one of no records and one of fill"
    runs = page.get_by_role("figure").first.locator(".trace.scatter").last.locator(".js-line")
    assert runs.count() == 15
    assert len(watched.colours("#plot-panels > :first-child")) > 20


def test_dragging_asks_for_finer_data_and_the_form_follows(visit):
    watched = visit()
    page = watched.go(WEEK)
    watched.plot()
    first = query(watched.data()[-1])
    with page.expect_response(lambda answer: "data.json" in answer.url):
        drag(page, 0.25, 0.5)
    watched.drawn()
    second = query(watched.data()[-1])
    assert float(second["bin.time.max"]) == pytest.approx(float(first["bin.time.max"]) / 4, rel=0.02)
    begin, end = second["time"].split("/")
    assert begin.startswith(("2020-01-02T17:", "2020-01-02T18:"))
    assert end.startswith(("2020-01-04T11:", "2020-01-04T12:"))
    assert page.get_by_label("Begin of the time range").input_value() == begin
    assert begin in page.url
    assert "bin.time.max" not in page.url, "how fine the plot is does not change what is downloaded"
    for _again in range(3):
        with page.expect_response(lambda answer: "data.json" in answer.url):
            drag(page, 0.4, 0.6)
        watched.drawn()
    assert "bin.time.max" not in watched.data()[-1], "records that can be told apart are not averaged"
    with page.expect_response(lambda answer: "data.json" in answer.url):
        page.get_by_role("button", name="Whole range").click()
    watched.drawn()
    assert query(watched.data()[-1]) == {**first, "time": "2020-01-01T00:00/2020-01-08T00:00"}


def test_zooming_works_with_the_keyboard(visit):
    watched = visit()
    page = watched.go(WEEK)
    page.get_by_role("button", name="Plot", exact=True).focus()
    page.keyboard.press("Enter")
    watched.drawn()
    for name, expected in (
        ("Zoom in", "2020-01-02T18:00/2020-01-06T06:00"),
        ("Earlier", "2020-01-01T00:00/2020-01-04T12:00"),
        ("Later", "2020-01-02T18:00/2020-01-06T06:00"),
        ("Zoom out", "2020-01-01T00:00/2020-01-04T12:00"),
    ):
        page.get_by_role("button", name=name).focus()
        with page.expect_response(lambda answer: "data.json" in answer.url):
            page.keyboard.press("Enter")
        watched.drawn()
        assert query(watched.data()[-1])["time"] == expected, name


def test_waveforms_are_an_envelope_and_then_their_samples(visit):
    watched = visit()
    page = watched.go("/source/examples/waveform.html")
    watched.plot()
    assert "bin.time.max" in query(watched.data()[-1])
    assert page.locator("#plot-panels .js-fill").count() == 1
    page.get_by_label("Begin of the time range").fill("1979-03-01T12:27:00")
    page.get_by_label("End of the time range").fill("1979-03-01T12:27:00.050")
    with page.expect_response(lambda answer: "data.json" in answer.url):
        page.get_by_role("button", name="Plot", exact=True).click()
    watched.drawn()
    assert "bin.time.max" not in query(watched.data()[-1])
    assert "1440 values" in page.get_by_role("figure").get_attribute("aria-label") or "1600 values" in page.get_by_role("figure").get_attribute("aria-label")  # fmt: skip
    assert len(page.locator("#plot-panels .js-line").get_attribute("d")) > 5_000


def test_a_model_is_asked_at_the_interval_that_can_be_seen(visit):
    watched = visit()
    page = watched.go("/source/examples/ephemeris.html?time=2016-08-27/2016-08-28")
    watched.plot()
    width = page.locator("#plot-panels").bounding_box()["width"]
    assert float(query(watched.data()[-1])["read.time.inter"]) == pytest.approx(2 * 86400 / (width - 90), rel=0.02)
    assert page.get_by_role("figure").count() == 4


def test_what_is_asked_of_the_data_is_plotted_too(visit):
    watched = visit()
    page = watched.go("/source/examples/random.html?time=2017-01-01/2017-01-03&calc.histogram=below")
    watched.plot()
    assert query(watched.data()[-1]) == {"time": "2017-01-01/2017-01-03", "calc.histogram": "below"}
    assert "Random number" in page.locator("#plot-panels svg text").all_text_contents()


def test_a_range_without_data_says_so(visit):
    watched = visit()
    page = watched.go(f"{FIELD}?time=2020-01-01T06:00/2020-01-01T06:30")
    page.get_by_role("button", name="Plot", exact=True).click()
    page.locator("#plot-status", has_text="no data").wait_for()
    assert page.get_by_role("figure").count() == 0


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        (200, '{"form": "dasflex-1", "items": [{"dataset": 1, "vari', "the server broke off"),
        (200, '{"items": [{"problem": "ServerError", "message": "The disk is gone"}]}', "The disk is gone"),
        (200, '{"items": [{"nodata": "Nothing was measured"}], "records": 0}', "Nothing was measured"),
        (200, "[]", "There are no data"),
        (500, "The reader failed", "The reader failed"),
        (503, "<html>", "503"),
    ],
)
def test_what_goes_wrong_with_data_is_told(visit, status, body, told):
    watched = visit()
    page = watched.go(f"{FIELD}?time=2020-01-01/2020-01-02")
    page.route("**/data.json?**", lambda route: route.fulfill(status=status, body=body))
    page.get_by_role("button", name="Plot", exact=True).click()
    page.locator("#plot-status", has_text=told).wait_for()
    assert not page.locator("#plot[aria-busy]").count()
    assert all(str(status) in each for each in watched.errors)
    watched.errors.clear()


def test_a_plot_follows_the_colours_of_the_page(visit):
    watched = visit(color_scheme="dark")
    page = watched.go(FIELD)
    watched.plot()
    ground = page.evaluate(
        "() => getComputedStyle(document.querySelector('.js-plotly-plot .main-svg')).backgroundColor"
    )
    assert ground == "rgb(17, 24, 31)"
    page.emulate_media(color_scheme="light")
    page.locator(".js-plotly-plot .main-svg[style*='255, 255, 255']").first.wait_for()

# SPDX-License-Identifier: GPL-3.0-or-later
"""With real clicks: from the first page to a source, its form and its data, with scripts and without."""

from __future__ import annotations

import http.client
import re
from urllib.parse import urlsplit

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.integration]

PARAMS = "/source/examples/params.html"
FIELD = "/source/made/field.html"


def test_from_the_first_page_to_the_data_of_a_source(visit):
    watched = visit()
    page = watched.go("/")
    page.get_by_role("link", name="Examples/Params").click()
    assert page.url.endswith(PARAMS)
    assert page.get_by_role("heading", level=1).inner_text() == "Spectra of a spinning spacecraft, synthetic"
    page.get_by_label("Format format.type").select_option("csv")
    page.get_by_role("button", name="Open the data").click()
    page.wait_for_url("**/flex?**")
    assert page.content().count("2008-06-29T17:") > 300


def test_the_plan_and_its_price_are_shown_before_anything_is_downloaded_and_follow_the_form(visit):
    watched = visit()
    page = watched.go(PARAMS)
    page.locator("#plan-price", has_text="About").wait_for()
    assert page.locator("#plan svg.graph .name").all_text_contents() == ["reader"]
    page.get_by_label("Width of the bins, s bin.time.max").fill("60")
    page.get_by_label("Format format.type").select_option("csv")
    page.locator("#plan svg.graph .name", has_text="csv").wait_for()
    names = page.locator("#plan svg.graph .name").all_text_contents()
    assert names[0] == "reader"
    assert names[-1] == "csv"
    assert "bin.time.max=60" in page.locator("#plan svg.graph .word").all_text_contents()
    assert "bin-average gives arrays" in page.locator("#plan svg.graph").get_attribute("aria-label")
    page.get_by_text("Each step, and other ways").click()
    assert page.get_by_role("table", name="Steps").get_by_role("row").count() == len(names) + 1
    plans = [each.url for each in watched.asked if "/plan?" in each.url]
    assert 2 <= len(plans) <= 4, plans
    assert watched.data() == []


def test_what_the_form_asks_stands_in_the_address_and_comes_back_from_it(visit):
    watched = visit()
    page = watched.go(PARAMS)
    page.get_by_label("Sensor read.sensor").select_option("E")
    page.get_by_label("Scatter the values").select_option("false")
    page.get_by_label("Width of the bins, s bin.time.max").fill("30")
    page.get_by_label("Largest value").check()
    page.get_by_label("Smallest value").check()
    asked = "time=2008-06-29T17:00/2008-06-29T17:30&read.sensor=E&read.noise=false&bin.time.max=30&bin.stats=min,max"
    watched.stands_at(f"{PARAMS}?{asked}")
    assert page.get_by_role("link", name="Download").get_attribute("href").endswith(f"/flex?{asked}")
    again = visit().go(page.url.removeprefix(watched.base))
    for other in (page.reload() and page, again, visit(java_script_enabled=False).go(f"{PARAMS}?{asked}")):
        assert other.get_by_label("Sensor read.sensor").input_value() == "E"
        assert other.get_by_label("Scatter the values").input_value() == "false"
        assert other.get_by_label("Width of the bins, s bin.time.max").input_value() == "30"
        assert [other.get_by_label(name).is_checked() for name in ("Mean of", "Smallest", "Largest")] == [False, True, True]  # fmt: skip


def test_an_example_fills_the_form(visit):
    page = visit().go(PARAMS)
    page.get_by_role("link", name="Fill the form with The electric field").click()
    assert page.get_by_label("Sensor read.sensor").input_value() == "E"
    assert page.get_by_label("Number of frequency channels").input_value() == "16"
    page.get_by_role("link", name="Fill the form with Half an hour").click()
    assert page.get_by_label("Sensor read.sensor").input_value() == ""


def test_only_the_fields_of_the_chosen_format_are_shown(visit):
    page = visit().go(PARAMS)
    assert page.get_by_label("Version format.version").is_visible()
    page.get_by_label("Format format.type").select_option("csv")
    assert not page.get_by_label("Version format.version").is_visible()
    page.get_by_text("Details of the format").click()
    assert page.get_by_label("What separates cells").is_visible()
    page.get_by_label("What separates cells").fill(";")
    page.get_by_label("Format format.type").select_option("json")
    assert not page.get_by_label("What separates cells").is_visible()
    assert "format.delim" not in page.url


def test_switches_of_the_data_are_asked_for_only_when_they_say_something(visit):
    watched = visit()
    page = watched.go(FIELD)
    page.get_by_label("Phase (degree)").uncheck()
    watched.stands_at(f"{FIELD}?time=2020-01-01/2020-01-02&read.data=level")
    page.get_by_label("Phase (degree)").check()
    watched.stands_at(f"{FIELD}?time=2020-01-01/2020-01-02")


def test_the_form_works_without_scripts(visit):
    watched = visit(java_script_enabled=False)
    page = watched.go(FIELD)
    assert not page.get_by_role("button", name="Plot", exact=True).is_visible()
    assert not page.get_by_role("button", name="Copy").first.is_visible()
    page.get_by_label("End of the time range").fill("2020-01-01T01:00")
    page.get_by_label("Width of the bins, s bin.time.max").fill("600")
    for each in ("Smallest value", "Largest value"):
        page.get_by_label(each).check()
    page.get_by_label("Format format.type").select_option("csv")
    page.get_by_role("button", name="Open the data").click()
    page.wait_for_url("**/flex?**")
    lines = page.locator("pre").inner_text().strip().splitlines()
    assert len(lines) == 7
    assert "level.min" in lines[0]
    assert "phase.max" in lines[0]


def test_the_request_is_the_same_with_scripts_and_without_and_in_each_language(visit):
    hostile = "?time=2020-01-01/2020-01-02&read.note=%22it%27s%22+%5C+%24(x)+%C3%A9%2C%26&format.type=csv"
    plain, live = (visit(java_script_enabled=on).go(FIELD + hostile) for on in (False, True))
    live.locator("#plan svg.graph").wait_for()
    texts = [page.locator(".recipe pre").all_inner_texts() for page in (plain, live)]
    assert texts[0] == texts[1]
    url, curl, wget, python, core, autoplot, idl = texts[0]
    assert url.startswith("http://127.0.0.1:")
    assert not re.search(r"[\s'\"\\$`]", url), url
    assert curl == f"curl -o 'Field.csv' '{url}'"
    assert url in wget
    assert url in python
    assert url in idl
    assert '("read.note", "\\"it\'s\\" \\\\ $(x) \\u00e9,&")' in core
    compile(core, "core", "exec")
    compile(python, "python", "exec")
    assert autoplot.startswith("vap+das2server:http://127.0.0.1:")
    assert "?dataset=Made/Field&start_time=2020-01-01&end_time=2020-01-02&read.note=" in autoplot


def test_the_request_can_be_copied(visit):
    watched = visit(permissions=("clipboard-read", "clipboard-write"))
    page = watched.go(PARAMS)
    page.locator(".recipe", has_text="curl -o").get_by_role("button").click()
    page.get_by_role("button", name="Copied").wait_for()
    assert page.evaluate("() => navigator.clipboard.readText()").startswith("curl -o 'Params.d2s' 'http://127.0.0.1")


def test_data_are_downloaded_as_a_table(visit, tmp_path):
    page = visit().go(f"{FIELD}?time=2020-01-01/2020-01-01T01:00")
    page.get_by_label("Format format.type").select_option("csv")
    with page.expect_download() as caught:
        page.get_by_role("link", name="Download").click()
    file = tmp_path / "data.csv"
    caught.value.save_as(file)
    lines = file.read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("time")
    assert len(lines) == 361


def test_a_request_that_cannot_be_is_refused_in_words_and_nothing_is_downloaded(visit):
    watched = visit()
    page = watched.go(PARAMS)
    page.locator("#plan svg.graph").wait_for()
    page.get_by_label("Begin of the time range").fill("2008-13-29")
    page.locator("#plan-price", has_text="2008-13-29").wait_for()
    assert page.locator("#plan svg.graph").count() == 0
    assert page.locator("#plan-price").get_attribute("role") == "status"
    assert all("400" in each for each in watched.errors), watched.errors  # the browser's own note of the refusal
    watched.errors.clear()
    page.get_by_label("Begin of the time range").fill("")
    page.locator("#plan-price", has_text="not complete").wait_for()
    assert watched.data() == []


def test_search_narrows_as_one_types(visit):
    watched = visit()
    page = watched.go("/search")
    page.get_by_label("Words of").press_sequentially("voyager", delay=20)
    page.locator("#found [role=status]", has_text="2 sources with voyager").wait_for()
    assert page.locator("#found tbody a").all_inner_texts() == ["Examples/Spectra", "Examples/Waveform"]
    watched.stands_at("/search?q=voyager")
    assert len([each for each in watched.asked if "/search?q=" in each.url]) <= 3
    page.get_by_label("Words of").fill("made up, with a gap")
    page.get_by_role("link", name="Made/Field").click()
    page.wait_for_url(f"**{FIELD}")


def test_search_works_without_scripts(visit):
    page = visit(java_script_enabled=False).go("/")
    page.get_by_label("Search the sources").fill("chorus")
    page.get_by_role("button", name="Search").click()
    assert page.locator("#found tbody a").all_inner_texts() == ["Examples/Params"]


def test_what_a_hostile_program_says_of_itself_does_not_run_in_the_log_viewer(visit, server):
    """A request with markup in its address and its agent is shown as text by every page of the viewer."""
    evil = "<script>document.title='taken'</script><img src=x onerror=document.title='taken'>"
    connection = http.client.HTTPConnection(urlsplit(server).netloc)
    connection.request("GET", "/source/?q=%3Cscript%3Edocument.title=1%3C/script%3E", headers={"User-Agent": evil})
    assert connection.getresponse().status == 200
    connection.close()
    page = visit().go("/log/search?q=taken")
    page.get_by_text(evil).wait_for()
    assert "taken" not in page.title()
    for name in ("Days", "Sources", "Latest"):
        page.get_by_role("navigation", name="Log").get_by_role("link", name=name).click()
        page.get_by_role("navigation", name="Log").wait_for()
        assert "taken" not in page.title()
    page.get_by_text(evil).first.wait_for()
    page.get_by_role("link", name="Hold it").click()
    page.get_by_text("This page is held.").wait_for()

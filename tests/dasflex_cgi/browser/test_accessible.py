# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages can be used by everybody: axe finds no serious fault, nothing is wider than a phone, the keyboard is enough."""

from __future__ import annotations

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.integration]

PAGES = [
    "/",
    "/source/",
    "/source/examples/",
    "/search?q=voyager",
    "/peers",
    "/log/",
    "/log/search",
    "/source/none.html",
]


def faults(page) -> list[str]:
    """What axe finds that is serious or worse."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    serious = [each for each in found if each["impact"] in ("serious", "critical")]
    return [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in serious]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault_on_any_page(visit, scheme):
    watched = visit(bypass_csp=True, color_scheme=scheme)  # axe is put into the page, which the policy forbids
    for path in PAGES if scheme == "light" else PAGES[:1]:
        page = watched.go(path)
        assert faults(page) == [], path
    assert all("404" in each for each in watched.errors)
    watched.errors.clear()
    page = watched.go(
        "/source/examples/params.html?time=2008-06-29T17:00/2008-06-29T17:10&format.type=csv&bin.time.max=9"
    )
    watched.plot()
    page.get_by_text("Each step, and other ways").click()
    for details in page.locator("form details").all():
        details.evaluate("(element) => element.setAttribute('open', '')")
    assert faults(page) == []


def test_nothing_is_wider_than_a_phone(visit):
    watched = visit()
    watched.page.set_viewport_size({"width": 360, "height": 740})
    for path in [*PAGES[:7], "/source/made/field.html"]:
        page = watched.go(path)
        assert page.evaluate("() => document.documentElement.scrollWidth") <= 360, path
    watched.plot()
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360
    assert page.locator("#plot-panels svg.main-svg").first.bounding_box()["width"] <= 330


def test_the_keyboard_reaches_everything_in_order(visit):
    page = visit().go("/source/made/field.html")
    seen = []
    for _press in range(80):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("() => document.activeElement.id || document.activeElement.name || document.activeElement.textContent.trim()"))  # fmt: skip
    places = [seen.index(name) for name in ("Skip to the content", "field-read-time-min", "read.data", "field-bin-time-max", "field-format-type", "Open the data", "download", "draw")]  # fmt: skip
    assert places == sorted(places)

# SPDX-License-Identifier: GPL-3.0-or-later
"""The live view: what the reader writes is drawn as it comes, and whatever goes wrong on the way is told."""

from __future__ import annotations

import json
import re
from urllib.parse import parse_qs, urlsplit

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.integration]

WARNS = "/source/made/warns.html"
HIDES = "/source/made/hides.html"
ALARM = "255,47,160"
#: A stream of one number, as JSON declares it.
VARIABLES = [
    {"name": "time", "dimension": "time", "coordinate": True, "role": "center", "semantic": "datetime", "units": "UTC",
     "index": ["records"], "column": True},
    {"name": "level", "dimension": "level", "coordinate": False, "role": "center", "semantic": "real", "units": "V",
     "index": ["records"], "column": True, "axes": ["time"]},
]  # fmt: skip


def facts(page) -> dict[str, str]:
    """The numbers beside the pictures."""
    return dict(
        page.evaluate("() => [...document.querySelectorAll('#live-facts div')].map((each) => [...each.children].map((one) => one.textContent))")
    )  # fmt: skip


def watch(page) -> None:
    """Presses the button, and waits until records are drawn."""
    page.get_by_role("button", name="Watch", exact=True).click()
    drawn(page, 1)


def drawn(page, count: int) -> None:
    """Waits until so many records have come, and something was drawn."""
    page.wait_for_function(
        "(count) => Number(document.querySelector('#live-records').textContent) >= count"
        " && document.querySelector('#live').dataset.drawn",
        arg=count,
    )


def status(page, text: str) -> None:
    """Waits until the status says something."""
    page.locator("#live-status", has_text=text).wait_for()


class Between:
    """What stands between a page and the server of live data, or in its place, and does what a test says."""

    def __init__(self, page, *, through: bool = True) -> None:
        self.addresses: list[str] = []
        self.routes: list[object] = []
        self.through = through
        page.route_web_socket(re.compile("/dasws/"), self.take)

    def take(self, route) -> None:
        """Notes a connection, and lets it through."""
        self.addresses.append(route.url)
        self.routes.append(route)
        if self.through:
            route.connect_to_server()

    def say(self, **item: object) -> None:
        """Sends the page a line on the newest connection."""
        self.routes[-1].send(json.dumps(item) + "\n")


def test_the_example_is_drawn_as_it_comes_with_its_past_its_axes_and_its_units(visit):
    watched = visit()
    page = watched.go("/source/examples/live.html#live")
    drawn(page, 300)
    picture, line = page.locator("#live-panels").get_by_role("figure").all()
    page.wait_for_function(
        "() => document.querySelector('#live-panels [role=figure]').ariaLabel.includes('spectrogram')"
    )
    assert re.search(r"Spectral density \(V² m⁻² Hz⁻¹\): spectrogram of \d+ records of 256 values, most of them from .+ to", picture.get_attribute("aria-label"))  # fmt: skip
    assert re.fullmatch(r"Preamplifier \(degC\): line, [\d.-]+ now", line.get_attribute("aria-label"))
    colours = watched.colours("#live-panels > :first-child canvas")
    vivid = sum(
        count for colour, count in colours.items() if max(rgb := [*map(int, colour.split(","))]) - min(rgb) > 40
    )
    assert len(colours) > 200
    assert vivid > 100_000, "a minute of the past is there at once"
    first = int(facts(page)["Records"])
    before = page.locator("#live").get_attribute("data-drawn")
    drawn(page, first + 5)
    assert float(page.locator("#live").get_attribute("data-drawn")) > float(before)
    told = facts(page)
    assert re.fullmatch(r"-?\d+\.\d s", told["Lag"])
    assert abs(float(told["Lag"][:-2])) < 20
    assert (told["Gaps told"], told["Restarts of the reader"], told["Connected anew"]) == ("0", "0", "0")


def test_what_leaves_its_limits_is_coloured_and_named(visit):
    watched = visit()
    page = watched.go(WARNS)
    watch(page)
    drawn(page, 30)
    entries = page.locator("#live-outside li")
    entries.nth(1).wait_for()
    told = sorted(entries.all_text_contents())
    assert re.match(r"Density \(V² Hz⁻¹\) is outside its limits: 100 is above 60, since \d\d:\d\d:\d\d", told[0])
    assert re.match(r"Level \(V\) is outside its limits: 5 is above 2, since ", told[1])
    assert watched.colours("#live-panels [aria-label^=Density] canvas")[ALARM] > 20
    warn = page.evaluate("() => getComputedStyle(document.documentElement).getPropertyValue('--warn').trim()")
    red = ",".join(str(int(warn[at : at + 2], 16)) for at in (1, 3, 5))
    assert watched.colours("#live-panels [aria-label^=Level] canvas")[red] > 20


def test_a_picture_is_held_while_data_still_come_and_goes_on_with_them(visit):
    page = visit().go(WARNS)
    watch(page)
    page.get_by_role("button", name="Pause").click()
    status(page, "Paused")
    held = page.locator("#live").get_attribute("data-drawn")
    drawn(page, int(facts(page)["Records"]) + 10)
    page.set_viewport_size({"width": 900, "height": 900})
    assert float(page.locator("#live").get_attribute("data-drawn")) <= float(held) + 100
    button = page.get_by_role("button", name="Resume")
    assert button.get_attribute("aria-pressed") == "true"
    button.click()
    page.wait_for_function(
        "(held) => Number(document.querySelector('#live').dataset.drawn) > held", arg=float(held) + 300
    )
    page.get_by_role("button", name="Stop").click()
    status(page, "Stopped")
    page.get_by_role("button", name="Watch").wait_for()


def test_the_span_that_is_shown_is_asked_of_the_past_and_so_is_what_the_form_asks(visit):
    page = visit().go(f"{WARNS}?time=now/forever&read.word=hello")
    between = Between(page)
    watch(page)
    asked = parse_qs(urlsplit(between.addresses[-1]).query)
    assert asked == {"time": ["now-PT60S/forever"], "format.type": ["jsonl"], "read.word": ["hello"]}
    page.get_by_label("Time shown").select_option("5 minutes")
    page.wait_for_function("() => Number(document.querySelector('#live-records').textContent) > 0")
    assert parse_qs(urlsplit(between.addresses[-1]).query)["time"] == ["now-PT300S/forever"]


def test_a_reader_that_dies_is_started_again_and_that_is_told(visit):
    page = visit().go("/source/made/dies.html")
    watch(page)
    page.locator("#live-remarks li", has_text="started again").first.wait_for()
    drawn(page, 25)
    assert int(facts(page)["Restarts of the reader"]) >= 1
    assert facts(page)["Connected anew"] == "0"


def test_silence_is_told(visit):
    watched = visit()
    watched.page.clock.install()
    page = watched.go("/source/made/stalls.html")
    watch(page)
    drawn(page, 20)
    page.clock.fast_forward(6000)
    status(page, "Nothing has come for 6 s.")


def test_a_connection_that_breaks_is_made_again_and_gives_nothing_twice(visit):
    page = visit().go(WARNS)
    between = Between(page)
    watch(page)
    drawn(page, 10)
    between.routes[-1].close(code=1011, reason="it broke")
    status(page, "The connection broke (it broke). Connecting again in 1 s.")
    before = int(facts(page)["Records"])
    status(page, "Watching")
    assert facts(page)["Connected anew"] == "1"
    drawn(page, before + 5)


def test_what_a_new_connection_gives_again_is_known(visit):
    page = visit().go(WARNS)
    between = Between(page, through=False)

    def give(*seconds: int) -> None:
        between.say(form="dasflex-1", stream={"title": "", "properties": {}})
        between.say(dataset=1, name="a", variables=VARIABLES)
        times = [f"2026-01-01T00:00:{each:02d}" for each in seconds]
        between.say(records=1, count=len(times), columns={"time": times, "level": [*seconds]})

    page.get_by_role("button", name="Watch", exact=True).click()
    status(page, "Connected; no data have come yet.")
    give(1, 2, 3)
    page.locator("#live-records", has_text="3").wait_for()
    between.routes[-1].close(code=1001, reason="")
    status(page, "The connection broke. Connecting again in 1 s.")
    status(page, "Watching again.")
    give(1, 2, 3, 4)
    page.locator("#live-records", has_text="4").wait_for()
    assert facts(page)["Newest data"] == "2026-01-01 00:00:04.0"
    assert facts(page)["Lag"].endswith(" h")


def test_what_the_server_leaves_out_for_who_is_slow_is_counted(visit):
    page = visit().go(WARNS)
    between = Between(page)
    watch(page)
    between.say(comment="log:warning", text="The connection is too slow: 3 messages of 9 bytes were not sent here", source="d")  # fmt: skip
    between.say(comment="log:fine", text="The source is at work", source="dasflex")
    between.routes[-1].send("{half an obj\n")
    page.locator("#live-remarks li", has_text="3 messages").wait_for()
    page.locator("#live-remarks li", has_text="could not be read").wait_for()
    page.locator("#live-gaps", has_text="1").wait_for()
    assert "at work" not in page.locator("#live-remarks").inner_text()


def test_an_end_that_is_meant_is_not_tried_again(visit):
    page = visit().go(WARNS)
    between = Between(page, through=False)
    for code, told in ((1000, "The data have ended."), (1008, "The server refuses (not for you).")):
        page.get_by_role("button", name="Watch", exact=True).click()
        status(page, "Connected")
        between.routes[-1].close(code=code, reason="not for you")
        status(page, told)
    page.get_by_role("button", name="Watch", exact=True).wait_for()
    assert len(between.addresses) == 2


def test_a_range_without_an_end_is_watched_and_not_plotted(visit):
    page = visit().go(f"{WARNS}?time=now/forever")
    page.get_by_role("button", name="Plot", exact=True).click()
    page.locator("#plot-status", has_text="Press Watch").wait_for()


def test_what_the_server_refuses_is_told_in_its_words(visit):
    watched = visit()
    page = watched.go(f"{WARNS}?bin.time.max=-1")
    page.get_by_role("button", name="Watch", exact=True).click()
    status(page, "bin.time.max")
    assert watched.errors
    watched.errors.clear()


def test_a_protected_source_is_watched_with_a_ticket(visit):
    page = visit(user="ann:of the moor").go(f"{HIDES}?log-in")
    between = Between(page, through=False)
    page.route("**/ticket", lambda route: route.fulfill(json={"ticket": "a b.c", "expires": ""}))
    page.get_by_role("button", name="Watch", exact=True).click()
    status(page, "Connected; no data have come yet.")
    assert parse_qs(urlsplit(between.addresses[-1]).query)["ticket"] == ["a b.c"]


def test_whoever_logs_in_on_the_page_sees_the_plan_and_what_is_live(visit):
    """Nothing is asked of a protected source before, so that no window asks for a password unbidden."""
    watched = visit(user="ann:of the moor", locale="en-GB")  # a browser that has not logged in yet
    page = watched.go(f"{HIDES}?time=now/forever&format.type=das")
    page.locator("#plan-price", has_text="Log in").wait_for()
    assert page.locator("#draw").is_hidden()
    page.get_by_role("button", name="Watch", exact=True).click()
    status(page, "protected: log in")
    assert not [each for each in watched.asked if "/hides/" in each.url]
    page.get_by_role("link", name="log in").click()
    page.get_by_text("Protected: team; logged in as ann").wait_for()
    assert page.url.endswith("&format.type=das&log-in")
    page.locator("#plan-price", has_text="About").wait_for()
    page.get_by_role("button", name="Watch", exact=True).click()
    drawn(page, 1)
    assert not watched.errors


def test_who_wants_little_motion_sees_a_picture_a_second_and_needs_no_library(visit):
    watched = visit(reduced_motion="reduce")
    page = watched.go(WARNS)
    watch(page)
    count = page.evaluate(
        """() => new Promise((resolve) => {
          let count = 0;
          const seen = new MutationObserver(() => { count += 1; });
          seen.observe(document.querySelector("#live"), { attributes: true, attributeFilter: ["data-drawn"] });
          setTimeout(() => resolve(count), 1600);
        })"""
    )
    assert 1 <= count <= 2
    assert not [each.url for each in watched.asked if each.url.endswith(".min.js")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_a_phone_is_wide_enough(visit, scheme):
    from axe_playwright_python.sync_playwright import Axe

    watched = visit(bypass_csp=True, color_scheme=scheme)  # axe is put into the page, which the policy forbids
    page = watched.go(WARNS)
    page.set_viewport_size({"width": 360, "height": 740})
    watch(page)
    page.locator("#live-outside li").nth(1).wait_for()
    found = Axe().run(page).response["violations"]
    assert [f"{each['id']}: {each['nodes'][0]['html'][:200]}" for each in found] == []
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 360

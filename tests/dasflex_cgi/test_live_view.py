# SPDX-License-Identifier: GPL-3.0-or-later
"""The page of a live source: where it connects, what it knows of the limits, and that other sources have none of it."""

from __future__ import annotations

import json

import pytest

import dasflex_core
from dasflex_cgi import pages
from dasflex_cgi.exchange import Asked
from dasflex_cgi.live_view import live_view
from dasflex_cgi.serve import worth_trying

LIVE = """
    title = "Live"
    contacts = {{ technical = "A <a@example.org>" }}
    {more}
    [reader]
    command = "#[python] reader.py"
    writes = "{writes}"
    live = true
    [data.level]
    from = "LVL"
    warn = [-1, 2.5]
    [data.other]
    [[example]]
    title = "Now"
    time = "now to forever"
"""


@pytest.fixture
def shown(bare):
    """The live view of a source that a definition makes, and its page with the headers."""

    def show(definition: str, config: str = ""):
        bare.add("Now", "", definition)
        with (bare.root / "etc" / "dasflex.conf").open("a", encoding="utf-8") as file:
            file.write(config)
        site = dasflex_core.open(bare.root)
        asked = Asked(method="GET", path="/", query="", origin="http://a.example.org", base="/x", headers={}, client="")
        answer = pages.source(site, asked, "Now")
        return live_view(site["now"], asked), answer.body.decode(), dict(answer.headers)["Content-Security-Policy"]

    return show


def test_it_connects_to_the_server_of_the_page_and_knows_the_limits_by_the_names_of_the_stream(shown):
    view, page, policy = shown(LIVE.format(more="", writes="das/3/binary"))
    assert (view.address, view.shown) == ("/x/dasws/now/flexRT", "ws://a.example.org/x/dasws/now/flexRT")
    assert (view.plan, view.ticket) == ("/x/source/now/plan", "")
    assert json.loads(view.limits) == {"lvl": {"low": -1, "high": 2.5}}
    assert 'data-address="/x/dasws/now/flexRT"' in page
    assert "/static/live.js" in page
    assert "connect-src 'self' ws://a.example.org wss://a.example.org;" in policy


def test_it_connects_where_the_configuration_says(shown):
    view, page, policy = shown(
        LIVE.format(more="", writes="das/3/binary"), "\nWEBSOCKET_URI = wss://live.example.org/a\n"
    )
    assert view.address == view.shown == "wss://live.example.org/a/now/flexRT"
    assert view.address in page
    assert "connect-src 'self' wss://live.example.org;" in policy


def test_a_protected_source_is_watched_with_a_ticket(shown):
    more = 'access = { realm = "team", allow = ["user:ann"] }'
    view, page, _policy = shown(LIVE.format(more=more, writes="das/3/binary"))
    assert view.ticket == "/x/source/now/ticket"
    assert 'data-ticket="/x/source/now/ticket"' in page


@pytest.mark.parametrize("definition", ["", LIVE.format(more="", writes="qstream")])
def test_what_follows_nothing_or_cannot_be_read_has_no_live_view(shown, definition):
    view, page, policy = shown(definition)
    assert view is None
    assert 'id="live"' not in page
    assert "live.js" not in page
    assert "ws:" not in policy


def test_an_example_without_an_end_leads_to_no_file(shown):
    _view, page, _policy = shown(LIVE.format(more="", writes="das/3/binary"))
    assert "/source/now/plan?time=now/forever" in page
    assert "/data." not in page


def test_serve_offers_no_file_of_what_has_no_end(bare):
    bare.add("Now", "", LIVE.format(more="", writes="das/3/binary"))
    site = dasflex_core.open(bare.root)
    assert worth_trying(site, "http://x/") == ["http://x/"]
    bare.add("Past", "headers()")
    assert any("/source/past/data.csv?" in each for each in worth_trying(dasflex_core.open(bare.root), "http://x/"))

# SPDX-License-Identifier: GPL-3.0-or-later
"""What follows the present is not sent over HTTP, and each client is told where to connect in the form that it reads."""

from __future__ import annotations

import json
from html import unescape
from urllib.parse import parse_qsl, urlsplit

import pytest

import dasflex_core
from dasflex_cgi.answering import Front
from dasflex_cgi.exchange import Asked
from dasflex_cgi.following import page_socket, socket_sources

LIVE = "/source/examples/live"
SOCKET = "ws://data.example.org/dasws/examples/live/flexRT"


def ask(front, target, origin="http://data.example.org", base="", **headers):
    """The answer to a target, its headers, and its text."""
    path, _, query = target.partition("?")
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = front.answer(
        Asked(method="GET", path=path, query=query, origin=origin, base=base, headers=named, client="192.0.2.7")
    )
    assert isinstance(answer.body, bytes), "nothing may run"
    return answer.status, dict(answer.headers), answer.body.decode()


def named_address(text: str) -> str:
    """The address that a text names."""
    return next(word.rstrip(".,;:<") for word in unescape(text).replace("<", " ").split() if "://" in word)


@pytest.fixture
def front(examples):
    """The front-end of the examples."""
    return Front(dasflex_core.open(examples.root), print)


def configured(bare, more: str):
    """The front-end of a root with a live source and more lines of configuration."""
    definition = """
        title = "Live"
        contacts = { technical = "A <a@example.org>" }
        [reader]
        command = "#[python] reader.py"
        writes = "das/2/text"
        live = true
        [[example]]
        title = "Now"
        time = "now to forever"
    """
    bare.add("Now", "", definition)
    with (bare.root / "etc" / "dasflex.conf").open("a", encoding="utf-8") as file:
        file.write(more)
    return Front(dasflex_core.open(bare.root), print)


def test_a_das_client_is_told_the_address_in_an_exception(front):
    status, headers, text = ask(front, f"{LIVE}/flex?time=now-PT1M/forever&read.rate=20")
    assert status == 400
    assert headers["Content-Type"].startswith("text/vnd.das.stream")
    assert "<exception" in text
    assert "QueryError" in text
    address = urlsplit(named_address(text))
    assert f"{address.scheme}://{address.netloc}{address.path}" == SOCKET
    asked = dict(parse_qsl(address.query))
    assert asked == {"time": "now-PT1M/forever", "read.rate": "20"}, "relative times stay relative: they are for later"


def test_a_file_is_refused_with_the_format_of_its_suffix_in_the_address(front):
    status, headers, text = ask(front, f"{LIVE}/data.csv?time=now/forever")
    assert (status, headers["Content-Type"]) == (400, "text/plain; charset=utf-8")
    assert dict(parse_qsl(urlsplit(named_address(text)).query)) == {"time": "now/forever", "format.type": "csv"}


def test_a_das2_client_is_told_in_its_own_exception(front):
    query = "server=dataset&dataset=Examples/Live&start_time=now&end_time=forever&resolution=1"
    status, headers, text = ask(front, f"/?{query}")
    assert status == 400
    assert headers["Content-Type"].startswith("text/vnd.das2.das2stream")
    assert "IllegalArgument" in text
    asked = dict(parse_qsl(urlsplit(named_address(text)).query))
    assert asked["time"].endswith("/forever")
    assert (asked["format.type"], asked["format.version"]) == ("das", "2")


def test_a_browser_gets_a_page_with_the_address(front):
    status, headers, text = ask(front, f"{LIVE}/flex?time=now/forever", accept="text/html", user_agent="Mozilla/5.0")
    assert status == 400
    assert headers["Content-Type"].startswith("text/html")
    assert f"{SOCKET}?time=now/forever" in text


def test_the_plan_of_what_is_not_sent_is_shown(front):
    status, _headers, text = ask(front, f"{LIVE}/plan?time=now/forever&format.type=jsonl&format=json")
    assert status == 200
    assert json.loads(text)["request"]["read.time.max"] == "forever"


def test_what_no_reader_follows_is_refused_as_before(front):
    status, _headers, text = ask(front, "/source/examples/random/data.csv?time=2020-01-01/forever")
    assert status == 400
    assert "only a live reader" in text
    assert "ws://" not in text


@pytest.mark.parametrize(
    ("origin", "base", "expected"),
    [
        ("https://data.example.org", "", "wss://data.example.org/dasws/now/flexRT"),
        ("http://127.0.0.1:8080", "/stream", "ws://127.0.0.1:8080/stream/dasws/now/flexRT"),
        ("", "", "wss://public.example.org/das/dasws/now/flexRT"),
    ],
)
def test_the_address_is_that_of_the_server_as_the_client_knows_it(bare, origin, base, expected):
    front = configured(bare, "\nSERVER_URL = https://public.example.org/das\n")
    _status, _headers, text = ask(front, "/source/now/flex?time=now/forever", origin, base)
    assert named_address(text) == f"{expected}?time=now/forever"


def test_the_configured_address_wins(bare):
    front = configured(bare, "\nWEBSOCKET_URI = wss://live.example.org/das/\n")
    _status, _headers, text = ask(front, "/source/now/flex?time=now/forever")
    assert named_address(text) == "wss://live.example.org/das/now/flexRT?time=now/forever"


@pytest.mark.parametrize(
    ("more", "place", "sources"),
    [
        ("", "/x/dasws/now/flexRT", " ws://a.example.org:81 wss://a.example.org:81"),
        (
            "\nWEBSOCKET_URI = ws://b.example.org:82/das\n",
            "ws://b.example.org:82/das/now/flexRT",
            " ws://b.example.org:82",
        ),
        ("\nWEBSOCKET_URI = ws://b;script-src/das\n", "ws://b;script-src/das/now/flexRT", ""),
    ],
)
def test_a_page_may_connect_to_where_its_data_are_and_nowhere_else(bare, more, place, sources):
    config = configured(bare, more).site.config
    asked = Asked(method="GET", path="/", query="", origin="http://a.example.org:81", base="/x", headers={}, client="")
    assert page_socket(asked, config, "Now") == place
    assert socket_sources(asked, config) == sources

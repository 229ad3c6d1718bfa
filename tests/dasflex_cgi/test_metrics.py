# SPDX-License-Identifier: GPL-3.0-or-later
"""The metrics: each is documented, counts what it says, and is fetched at a port of the loopback address."""

from __future__ import annotations

import re
import socket
from pathlib import Path
from urllib.request import urlopen

import pytest

from dasflex_cgi.exchange import Answer, Asked
from dasflex_cgi.metrics import KINDS, Meter, Metered, kind_of
from dasflex_core.errors import ConfigError

REFERENCE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "metrics.md"


class Pieces:
    """A body of two pieces, which may fail behind them."""

    def __init__(self, failure=None):
        self.left = [b"abc", b"de"]
        self.failure = failure
        self.closed = False

    def __iter__(self):
        return self

    def __next__(self):
        if self.left:
            return self.left.pop(0)
        raise self.failure or StopIteration

    def close(self):
        self.closed = True


class Served:
    """Answers with a body, by both ways."""

    def __init__(self, body, status=200):
        self.body = body
        self.status = status

    def answer(self, _asked):
        return Answer(self.status, (), self.body)

    def __call__(self, _environ, start_response):
        start_response(f"{self.status} OK", [])
        return [self.body] if isinstance(self.body, bytes) else self.body


@pytest.fixture
def meter():
    return Meter()


@pytest.fixture
def value(meter):
    def get(name, **labels):
        return meter.registry.get_sample_value(name, labels)

    return get


def begun(meter, body, *, gone=lambda: False, status=200, method="GET"):
    """The bodies of one answer by each way, metered."""
    served = Metered(Served(body, status), meter)
    environ = {"REQUEST_METHOD": method, "PATH_INFO": "/source/a/flex", "waitress.client_disconnected": gone}
    by_wsgi = served(environ, lambda *_said: None)
    by_value = Metered(Served(Pieces() if not isinstance(body, bytes) else body, status), meter)
    return by_wsgi, by_value.answer(Asked(method=method, path="/source/a/flex", gone=gone)).body


def test_each_metric_has_its_heading_and_each_heading_its_metric(meter):
    counted = {
        f"{each.name}_total" if each.type == "counter" else each.name
        for each in meter.registry.collect()
        if each.name.startswith("dasflex_")
    }
    headings = set(re.findall(r"^## `(dasflex_(?!ws_)\w+)`", REFERENCE.read_text(encoding="utf-8"), re.MULTILINE))
    assert counted == headings


def test_each_kind_and_each_end_is_documented():
    text = REFERENCE.read_text(encoding="utf-8")
    for word in (*KINDS, "left", "broken"):
        assert f"| `{word}` |" in text


def test_a_whole_answer_is_counted_with_its_bytes(meter, value):
    for body in begun(meter, Pieces()):
        assert value("dasflex_answers_in_progress") > 0
        assert b"".join(body) == b"abcde"
        body.close()
    assert value("dasflex_answers_in_progress") == 0
    assert value("dasflex_requests_total", kind="data", status="2xx") == 2
    assert value("dasflex_sent_bytes_total", kind="data") == 10
    assert value("dasflex_first_byte_seconds_count", kind="data") == 2
    assert value("dasflex_unfinished_answers_total", why="left") == 0
    assert value("dasflex_unfinished_answers_total", why="broken") == 0


def test_a_short_answer_is_over_at_once(meter, value):
    by_wsgi, by_value = begun(meter, b"whole", status=404)
    assert (list(by_wsgi), by_value) == ([b"whole"], b"whole")
    by_wsgi.close()
    assert value("dasflex_answers_in_progress") == 0
    assert value("dasflex_requests_total", kind="data", status="4xx") == 2
    assert value("dasflex_sent_bytes_total", kind="data") == 10


def test_a_client_that_leaves_is_counted_as_such(meter, value):
    for body in begun(meter, Pieces()):
        next(body)
        body.close()
        body.close()
    assert value("dasflex_unfinished_answers_total", why="left") == 2
    assert value("dasflex_answers_in_progress") == 0


@pytest.mark.parametrize(("gone", "why"), [(False, "broken"), (True, "left")])
def test_an_answer_that_breaks_is_counted_unless_it_broke_since_its_client_left(meter, value, gone, why):
    inner = Pieces(ValueError("the reader died"))
    body = begun(meter, inner, gone=lambda: gone)[0]
    with pytest.raises(ValueError, match="reader died"):
        list(body)
    body.close()
    assert inner.closed
    assert value("dasflex_unfinished_answers_total", why=why) == 1


def test_the_answer_to_head_is_no_unfinished_one(meter, value):
    body = begun(meter, Pieces(), method="HEAD")[1]
    body.close()
    assert value("dasflex_unfinished_answers_total", why="left") == 0


@pytest.mark.parametrize(
    ("kind", "address"),
    [
        ("data", "/source/a/b/flex?time=1"),
        ("data", "/Source/A/DATA.CSV?"),
        ("data", "/?dataset=a&server=dataset"),
        ("data", "/das/server?server=compactdataset&dataset=a"),
        ("plan", "/source/a/plan?"),
        ("record", "/request/1?"),
        ("record", "/answer/1?"),
        ("catalog", "/?server=list"),
        ("catalog", "/catalog.json?"),
        ("catalog", "/source/a/flex.json?"),
        ("file", "/?"),
        ("file", "?"),
        ("file", "/source?"),
        ("file", "/source/a.html?"),
        ("file", "/static/page.css?v=1"),
        ("file", "/logo.png?"),
        ("health", "/health?"),
        ("other", "/elsewhere?"),
        ("other", "/sourcery?"),
    ],
)
def test_the_kind_of_a_request_is_told_by_its_address(kind, address):
    path, _, query = address.partition("?")
    assert kind_of(path, query) == kind
    assert kind in KINDS


def test_the_metrics_are_fetched_at_a_port_of_the_loopback_address(meter):
    port, end = meter.listen(0)
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    assert "dasflex_answers_in_progress 0.0" in text
    assert "process_resident_memory_bytes" in text
    end()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=5)


def test_a_port_in_use_is_named(meter):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"127.0.0.1:{port} cannot be listened on.*--metrics-port"):
            meter.listen(port)

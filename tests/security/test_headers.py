# SPDX-License-Identifier: GPL-3.0-or-later
"""Headers say what was meant, and nothing that a client has put into them; what is too large is refused by its size."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.test import Client

import dasflex_core
from dasflex_cgi.answering import Front
from dasflex_cgi.app import Application
from dasflex_cgi.cgi_form import asked_from, head_of
from dasflex_cgi.exchange import Asked
from dasflex_core.catalog.tree import compile_tree
from dasflex_core.errors import QueryError
from dasflex_core.queries import query_pairs
from dasflex_core.roots import make_root
from dasflex_core.statuses import realm_of

DEFINITION = """
title    = "A"
{more}
contacts = {{ technical = "Somebody <somebody@example.org>" }}
reader   = {{ command = "printf x", writes = "das/2/text" }}
example  = [{{ title = "A day", time = "2020-01-01 to 2020-01-02" }}]
"""
DAY = "time=2020-01-01/2020-01-02"
RANDOM = "time=2017-01-01/2017-01-01T00:01"
#: All headers that there are.
KNOWN = {
    "Accept-Ranges", "Access-Control-Allow-Headers", "Access-Control-Allow-Methods", "Access-Control-Allow-Origin",
    "Access-Control-Expose-Headers", "Access-Control-Max-Age", "Allow", "Cache-Control", "Content-Disposition",
    "Content-Encoding", "Content-Length", "Content-Range", "Content-Security-Policy", "Content-Type", "ETag",
    "Last-Modified", "Link", "Location", "Preference-Applied", "Referrer-Policy", "Retry-After", "Server-Timing",
    "Vary", "WWW-Authenticate", "X-Content-Type-Options", "X-Estimate-Basis", "X-Estimated-Bytes",
    "X-Estimated-Records", "X-Estimated-Seconds", "X-Frame-Options", "X-Note", "X-Request-Id",
    "X-Suggested-Parameters",
}  # fmt: skip
HOSTILE = st.text(st.characters(codec=None, exclude_categories=()), max_size=30) | st.sampled_from(
    [
        "a\r\nSet-Cookie: x=y",
        "a\nX: y",
        "a\rX: y",
        "%0d%0aX:%20y",
        "\u010a\u010dX: y",
        "\x85X: y",
        "\u2028X: y",
        '"; X="y',
        "\x00",
    ]
)
SHAPES = [
    "/{0}",
    "/source/old/flex?a={1}",
    "/source/old/data.{0}?{1}",
    "/?server=dataset&dataset=old&params={1}",
    "/source/closed/flex?" + DAY + "&read.x={1}",
    "/source/examples/random/flex?" + RANDOM + "&{1}",
    "/source/examples/random/data.{0}?" + RANDOM,
    "/source/examples/random/plan?" + RANDOM + "&format={1}",
    "/source/examples/live/flex?time=now/forever&x={1}",
    "/?server=dataset&dataset=examples/random&start_time={1}&end_time=2017-01-02",
    "/source/{0}.html?{1}",
    "/search?q={1}",
    "/answer/{0}",
    "/request/{0}",
    "/verify?source={1}",
    "/static/{0}.css",
]


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A root with the examples, a source that has moved, and one that is closed."""
    place = tmp_path_factory.mktemp("headers") / "root"
    make_root(place, "Any")
    for name, more in (("old", 'moved = "Examples/Random"'), ("closed", "")):
        folder = place / "definitions" / name
        folder.mkdir(parents=True)
        text = DEFINITION.format(more=more)
        if name == "closed":
            text += '\n[access]\nrealm = "Some Realm"\nallow = ["user:testuser"]\n'
        (folder / "source.toml").write_text(text, encoding="utf-8")
    assert not [each for each in compile_tree(place).findings if "examples" not in str(each).lower()]
    return place


@pytest.fixture(scope="module")
def front(root):
    """The front-end without a socket."""
    return Front(dasflex_core.open(root), lambda _text: None)


def parsed(head: bytes) -> tuple[int, dict[str, str]]:
    """The status and the headers of a head, read as strictly as anybody reads them; each is there once."""
    assert head.endswith(b"\r\n\r\n")
    first, *lines = head[:-4].split(b"\r\n")
    assert re.fullmatch(rb"Status: \d{3} [A-Z][A-Za-z -]*", first), first
    headers = {}
    for line in lines:
        found = re.fullmatch(rb"([A-Z][A-Za-z-]*): ([\x20-\x7e\xa0-\xff]+)", line)
        assert found, line
        name = found[1].decode()
        assert name in KNOWN
        assert name not in headers
        headers[name] = found[2].decode("latin-1")
    return int(first.split()[1]), headers


@settings(max_examples=200, deadline=None)
@given(
    shape=st.sampled_from(SHAPES),
    texts=st.tuples(*[HOSTILE] * 7),
    method=st.sampled_from(["GET", "HEAD", "OPTIONS", "X"]),
)
def test_whatever_a_client_says_the_answer_has_exactly_the_headers_that_are_meant(front, shape, texts, method):
    path, _, query = shape.format(*texts[:2]).partition("?")
    variables = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": texts[2],
        "HTTP_USER_AGENT": texts[3],
        "HTTP_X_FORWARDED_FOR": texts[4],
        "HTTP_IF_NONE_MATCH": texts[5],
        "HTTP_RANGE": texts[5],
        "HTTP_ACCEPT": texts[6],
        "HTTP_PREFER": texts[6],
        "SCRIPT_NAME": f"/{texts[6]}",
        "SERVER_NAME": "data.example.org",
    }
    plain = {
        name: text.encode("utf-8", "surrogateescape" if text.isascii() else "replace").decode()
        for name, text in variables.items()
    }
    answer = front.answer(asked_from(plain))
    if not isinstance(answer.body, bytes):
        answer.body.close()
    head = head_of(answer)
    assert len(head) < 2048
    _status, headers = parsed(head)
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert re.fullmatch("[0-9a-z]+", headers["X-Request-Id"])
    if "Location" in headers:
        assert re.fullmatch(r"https?://[^\s\"<>\\]+", headers["Location"])


@given(realm=HOSTILE)
def test_any_realm_is_a_quoted_text_that_all_clients_read(realm):
    shown = realm_of(SimpleNamespace(realm=realm))
    assert re.fullmatch(r'[^"\\\x00-\x1f\x7f-\uffff]{4,}', shown)


def test_a_log_in_is_asked_for_by_exactly_what_clients_compare(front):
    answer = front.answer(Asked(method="GET", path="/source/closed/flex", query=DAY, client="203.0.113.5"))
    assert answer.status == 401
    assert dict(answer.headers)["WWW-Authenticate"] == 'Basic realm="Some Realm"'


@pytest.mark.parametrize(
    "path", ["/", "/source/", "/search", "/peers", "/source/examples/random.html", "/verify", "/nothing"]
)
def test_pages_run_nothing_but_what_is_served_here(front, path):
    browser = {"accept": "text/html", "user-agent": "Mozilla/5.0"}
    answer = front.answer(Asked(method="GET", path=path, client="127.0.0.1", headers=browser))
    headers = dict(answer.headers)
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self';" in policy
    assert "frame-ancestors 'self'" in policy
    assert "unsafe" not in policy
    assert (headers["Referrer-Policy"], headers["X-Frame-Options"]) == ("same-origin", "SAMEORIGIN")
    body = answer.body.decode()
    assert not re.search(r"<script(?![^>]* src=)|<style| style=| on[a-z]+=|javascript:", body)


@pytest.mark.parametrize(
    ("path", "query", "ranges"),
    [
        ("/source/examples/random/flex", RANDOM, "none"),
        ("/source/examples/random/data.csv", RANDOM, "none"),
        ("/root.json", "", "bytes"),
        ("/id.json", "", ""),
        ("/nothing", "", ""),
    ],
)
def test_scripts_of_other_sites_may_read_and_ask_what_they_need(front, path, query, ranges):
    answer = front.answer(Asked(method="GET", path=path, query=query))
    headers = dict(answer.headers)
    if not isinstance(answer.body, bytes):
        answer.body.close()
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in headers
    assert {"ETag", "Content-Range", "Accept-Ranges", "X-Request-Id", "Retry-After"} <= {
        *headers["Access-Control-Expose-Headers"].split(", ")
    }
    assert headers.get("Accept-Ranges", "") == ranges
    asked = dict(front.answer(Asked(method="OPTIONS", path=path)).headers)
    assert {"Authorization", "Range", "If-None-Match", "If-Modified-Since", "If-Range", "Prefer"} <= {
        *asked["Access-Control-Allow-Headers"].split(", ")
    }


class TestSizes:
    @pytest.mark.parametrize(
        ("wrong", "status"),
        [
            ({"query": "a" * 8_190}, 414),
            ({"query": "&" * 1_000_000}, 414),
            ({"path": "/" * 1_000_000}, 414),
            ({"headers": {f"x-{number}": "" for number in range(101)}}, 431),
            ({"headers": {"cookie": "a" * 17_000}}, 431),
            ({"headers": {"content-length": "16000001"}}, 413),
            ({"headers": {"content-length": "9" * 5000}}, 413),
            ({"headers": {"content-length": "-1"}}, 400),
            ({"headers": {"content-length": "\u0661"}}, 400),
            ({"query": "&".join(["a=1"] * 1000), "path": "/source/examples/random/flex"}, 400),
        ],
    )
    def test_what_is_too_large_is_refused_at_once(self, front, wrong, status):
        begun = time.perf_counter()
        answer = front.answer(Asked(**{"method": "GET", "path": "/", **wrong}))
        assert answer.status == status
        assert time.perf_counter() - begun < 0.2

    def test_what_is_as_large_as_may_be_is_answered(self, front):
        headers = {f"x-{number}": "a" * 50 for number in range(100)}
        assert front.answer(Asked(method="GET", path="/id.json", query="a" * 8_000, headers=headers)).status == 200

    def test_the_application_on_werkzeug_refuses_the_same(self, root):
        client = Client(Application(dasflex_core.open(root), lambda _text: None))
        assert client.get("/?" + "&" * 10_000).status_code == 414
        assert client.get("/", headers=[(f"X-{number}", "a") for number in range(120)]).status_code == 431

    @pytest.mark.parametrize("query", ["&" * 1_000_000, "=&" * 500_000, "%41" * 300_000, "a" * 1_000_000])
    def test_no_query_takes_long_to_read(self, query):
        begun = time.perf_counter()
        with suppress(QueryError):
            query_pairs(query)
        assert time.perf_counter() - begun < 2

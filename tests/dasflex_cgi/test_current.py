# SPDX-License-Identifier: GPL-3.0-or-later
"""The site of a running server: what began with an old one ends with it, and what plugins mount is asked as a value."""

from __future__ import annotations

import io

import pytest

import dasflex_core
from dasflex_cgi.current import Current, Watched, answer_of
from dasflex_cgi.exchange import Asked
from dasflex_core.errors import ConfigError


class Sites:
    """The sites that are read, one after another."""

    def __init__(self, examples):
        self.site = dasflex_core.open(examples.config)
        self.failure = None

    def read(self):
        if self.failure:
            raise self.failure
        return self.site


@pytest.fixture
def sites(examples):
    return Sites(examples)


@pytest.fixture
def notes():
    return []


@pytest.fixture
def current(sites, notes):
    return Current(sites.read, notes.append)


def data(current):
    return current.answer(Asked(method="GET", path="/source/examples/random/flex", query="time=2017-01-01/2017-01-02"))


def taken(current):
    body = data(current).body
    whole = b"".join(body)
    body.close()
    return whole


def asked_by_wsgi(current, path="/id.txt"):
    said = []
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "wsgi.input": io.BytesIO(), "SERVER_NAME": "x"}
    environ |= {"SERVER_PORT": "80", "wsgi.url_scheme": "http"}
    body = current(environ, lambda status, _headers, *_error: said.append(status))
    text = b"".join(body)
    body.close()
    return said[0], text


def test_both_ways_give_the_same_answer(current):
    status, text = asked_by_wsgi(current)
    answer = current.answer(Asked(method="GET", path="/id.txt"))
    assert (status[:3], text) == (str(answer.status), answer.body)


def test_an_answer_goes_on_with_the_site_it_began_with(current):
    whole = taken(current)
    body = data(current).body
    first = next(body)
    old = current._edition
    assert current.renew()
    assert current._edition is not old
    assert old in current._editions
    assert first + b"".join(body) == whole
    body.close()
    assert current._editions == [current._edition]
    assert taken(current) == whole


def test_a_site_that_nobody_uses_goes_at_once(current):
    asked_by_wsgi(current)
    for _ in range(3):
        assert current.renew()
    assert current._editions == [current._edition]


@pytest.mark.parametrize("kind", [ConfigError, OSError, RuntimeError])  # a plugin may raise anything
def test_a_site_that_cannot_be_read_leaves_the_old_one(current, sites, notes, kind):
    sites.failure = kind("nonsense in line 1")
    assert not current.renew()
    assert "nonsense in line 1" in notes[0]
    assert asked_by_wsgi(current)[0].startswith("200")


def test_a_body_says_once_that_it_is_closed():
    done = []
    body = Watched([b"a", b"b"], lambda: done.append(1))
    assert list(body) == [b"a", b"b"]
    body.close()
    body.close()
    assert done == [1]


def mounted(environ, start_response):
    """An application as a plugin may mount it, which begins only when its body is taken."""
    write = start_response("201 Made; at once", [("Content-Type", "text/plain")])
    write(b"first ")
    yield "|".join(
        environ[name] for name in ("SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "SERVER_NAME", "SERVER_PORT", "HTTP_X_A")
    ).encode()
    yield environ["wsgi.input"].read()


def test_a_wsgi_application_is_asked_as_a_value():
    asked = Asked(
        method="GET",
        path="/hapi/é",
        query="a=1",
        origin="https://example.org:8443",
        base="/das",
        headers={"x-a": "value", "content-length": "7"},
    )
    answer = answer_of(mounted, asked)
    assert (answer.status, answer.phrase) == (201, "Made; at once")
    assert answer.headers == (("Content-Type", "text/plain"),)
    assert b"".join(answer.body).decode("latin-1").encode("latin-1").decode() == (
        "first /das|/hapi/Ã©|a=1|example.org|8443|value"
    )
    answer.body.close()


def test_an_application_that_fails_before_it_answers_fails_here():
    def failing(_environ, _start_response):
        raise ValueError("no")

    def empty(_environ, _start_response):
        return []

    with pytest.raises(ValueError, match="no"):
        answer_of(failing, Asked(method="GET", path="/"))
    with pytest.raises(ConfigError, match="without an answer"):
        answer_of(empty, Asked(method="GET", path="/"))

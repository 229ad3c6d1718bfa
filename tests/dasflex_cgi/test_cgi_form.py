# SPDX-License-Identifier: GPL-3.0-or-later
"""The form of CGI: what variables say of a request, and the head of an answer."""

from __future__ import annotations

import os

import pytest

from dasflex_cgi.cgi_form import asked_from, head_of
from dasflex_cgi.exchange import Answer


def test_a_request_is_read_from_its_variables():
    asked = asked_from(
        {
            "REQUEST_METHOD": "HEAD",
            "SCRIPT_NAME": "/das/server/",
            "PATH_INFO": "/source/a",
            "QUERY_STRING": "b=%20c",
            "REMOTE_ADDR": "192.0.2.7",
            "CONTENT_TYPE": "text/plain",
            "HTTP_USER_AGENT": "Mozilla/5.0",
            "HTTP_ACCEPT": "text/html",
            "HTTP_HOST": "example.org:8080",
        }
    )
    assert (asked.method, asked.base, asked.path, asked.query) == ("HEAD", "/das/server", "/source/a", "b=%20c")
    assert (asked.client, asked.origin, asked.browser) == ("192.0.2.7", "http://example.org:8080", True)
    assert asked.headers == {
        "content-type": "text/plain",
        "user-agent": "Mozilla/5.0",
        "accept": "text/html",
        "host": "example.org:8080",
    }


def test_nothing_at_all_asks_for_the_first_page():
    asked = asked_from({})
    assert (asked.method, asked.path, asked.origin) == ("GET", "/", "http://localhost")


@pytest.mark.parametrize(
    ("variables", "origin"),
    [
        ({"HTTP_HOST": "[::1]:80", "HTTPS": "on"}, "https://[::1]:80"),
        ({"HTTP_HOST": "x", "REQUEST_SCHEME": "https"}, "https://x"),
        ({"HTTP_HOST": 'x"><script>', "SERVER_NAME": "real.org", "SERVER_PORT": "80"}, "http://real.org"),
        ({"HTTP_HOST": "x\r\nSet-Cookie: a", "SERVER_NAME": "real.org", "SERVER_PORT": "81"}, "http://real.org:81"),
        ({"SERVER_NAME": "real.org", "SERVER_PORT": "443", "HTTPS": "on"}, "https://real.org"),
    ],
)
def test_the_origin_is_what_the_client_wrote_if_that_is_a_host(variables, origin):
    assert asked_from(variables).origin == origin


def test_a_path_that_is_no_utf_8_can_still_be_written():
    path = asked_from({"PATH_INFO": os.fsdecode(b"/a\xff\xc3\xa9")}).path
    assert path == "/a�é"
    path.encode()


def test_headers_are_latin_1_as_in_wsgi():
    assert asked_from({"HTTP_X_WORD": os.fsdecode("é".encode("latin-1"))}).headers["x-word"] == "é"


def test_the_header_proxy_is_nobodys():
    assert "proxy" not in asked_from({"HTTP_PROXY": "http://evil"}).headers


def test_credentials_are_found_where_a_rewriting_rule_put_them():
    assert asked_from({"REDIRECT_HTTP_AUTHORIZATION": "Basic a"}).headers["authorization"] == "Basic a"


@pytest.mark.parametrize(
    ("answer", "lines"),
    [
        (Answer(200, (("ETag", '"1"'),), b"four"), ["Status: 200 OK", 'ETag: "1"', "Content-Length: 4"]),
        (Answer(200, (("Content-Length", "9"),), b"four"), ["Status: 200 OK", "Content-Length: 9"]),
        (Answer(304, (), b"four"), ["Status: 304 Not Modified"]),
        (Answer(200), ["Status: 200 OK"]),
        (Answer(404, (), b"", "Not Found; HAPI 1406"), ["Status: 404 Not Found; HAPI 1406"]),
        (Answer(404, (), b"", "No\r\nX-Evil: 1"), ["Status: 404 NoX-Evil: 1"]),
        (Answer(599, (("X-A", "é☃"),)), ["Status: 599 Unknown", "X-A: é?"]),
    ],
)
def test_the_head_says_what_is_known(answer, lines):
    assert head_of(answer).decode("latin-1").split("\r\n") == [*lines, "", ""]

# SPDX-License-Identifier: GPL-3.0-or-later
"""What a WebSocket client is told that gets none: an HTTP status, and a das exception in the form that it asked for."""

from __future__ import annotations

import pytest
from websockets.exceptions import InvalidStatus

DEVICE = "/dasws/Lab/Device/flexRT"
CLOSED = """
title = "Closed"
contacts = { technical = "A <a@example.org>" }
reader = { command = "cat none", writes = "das/3/binary" }
example = [{ title = "All" }]
access = { realm = "team", allow = ["user:ann"] }
"""


@pytest.fixture
def server(device, served):
    """A server of the device and of a source that is closed."""
    place = device.root / "definitions" / "Lab" / "Closed"
    place.mkdir(parents=True)
    (place / "source.toml").write_text(CLOSED)
    device.install()
    return served()


def refused(server, path, pairs=(), **how):
    """The answer of HTTP to an attempt to connect."""
    with pytest.raises(InvalidStatus) as found:
        server.connect(path, pairs, **how)
    response = found.value.response
    assert response.headers["Connection"] == "close"
    assert int(response.headers["Content-Length"]) == len(response.body)
    return response


@pytest.mark.parametrize(
    ("path", "pairs", "status", "words"),
    [
        ("/dasws/Lab/None/flexRT", {}, 404, b"Lab/None"),
        ("/nothing", {}, 404, b"/dasws/SOURCE/flexRT"),
        (DEVICE, {"read.colour": "red"}, 400, b"read.colour"),
        (DEVICE, {"read.antenna": "Ex"}, 400, b"antenna"),
        (DEVICE, {"format.type": "bogus"}, 400, b"bogus"),
        (DEVICE, {"read.time.min": "yesterday"}, 400, b"yesterday"),
        (DEVICE, {"format.type": "cdf"}, 400, b"cdf"),
        ("/dasws/Lab/Closed/flexRT", {}, 401, b"Lab/Closed"),
    ],
)
def test_a_refusal_names_what_is_at_fault(server, path, pairs, status, words):
    response = refused(server, path, pairs)
    assert response.status_code == status
    assert b"<exception" in response.body
    assert words in response.body
    assert str(server.root).encode() not in response.body


@pytest.mark.parametrize(
    ("pairs", "media", "begin"),
    [
        (
            {"format.type": "das", "format.version": "2", "format.serial": "binary"},
            "text/vnd.das2.das2stream",
            b"[00]",
        ),
        ({"format.type": "das", "format.version": "3"}, "text/vnd.das.stream", b"|Sx|"),
        ({"format.type": "das", "format.version": "2", "format.serial": "text"}, "text/vnd.das2.das2stream", b"[00]"),
    ],
)
def test_a_refusal_is_of_the_type_that_was_asked_for_as_people_can_read_it(server, pairs, media, begin):
    response = refused(server, DEVICE, {**pairs, "read.antenna": "Ex"})
    assert response.headers["Content-Type"].startswith(media)
    assert response.body.startswith(begin)


def test_hostile_words_do_not_leave_their_place(server):
    response = refused(server, "/dasws/Lab/%0D%0AX-Evil:%20a%3Cb%3E/flexRT")
    assert "X-Evil" not in response.headers
    assert b"<b>" not in response.body


def test_a_sub_protocol_that_is_not_spoken_is_named(server):
    response = refused(server, DEVICE, subprotocols=["chat"])
    assert response.status_code == 400
    assert b"chat" in response.body


def test_the_sub_protocol_that_is_spoken_is_confirmed_and_none_is_made_up(server):
    with server.connect(DEVICE, subprotocols=["chat", "request"]) as connection:
        assert connection.subprotocol == "request"
    with server.connect(DEVICE) as connection:
        assert connection.subprotocol is None


def test_compression_is_not_agreed_on(server):
    with server.connect(DEVICE, compression="deflate") as connection:
        assert "Sec-WebSocket-Extensions" not in connection.response.headers
        assert connection.recv(30)


@pytest.mark.parametrize("fault", [OSError(24, "Too many open files"), KeyError("a plugin")])
def test_a_fault_that_nobody_expected_is_a_status_too_and_tells_nothing(server, monkeypatch, fault):
    def broken(*_arguments):
        raise fault

    monkeypatch.setattr("dasflex_ws.connection.request_of", broken)
    response = refused(server, DEVICE)
    assert response.status_code == 500
    assert b"<exception" in response.body
    assert str(fault).encode() not in response.body
    server.stop()
    assert repr(fault) in server.log


def test_every_refusal_is_logged_with_its_id(server):
    response = refused(server, DEVICE, {"read.antenna": "Ex"})
    server.stop()
    assert f'"{DEVICE}?read.antenna=Ex" 400 ' in server.log
    assert response.headers["X-Request-Id"] in server.log


def test_a_range_that_ends_before_it_begins_is_refused(server):
    response = refused(server, DEVICE, {"read.time.min": "2030-01-01", "read.time.max": "2020-01-01"})
    assert response.status_code == 400

# SPDX-License-Identifier: GPL-3.0-or-later
"""SCGI over real Unix sockets: what it answers, how an answer ends, who may ask, and whose socket it is."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dasflex_cgi.exchange import Answer
from dasflex_cgi.handover import hand_over, request_of
from dasflex_cgi.scgi import ScgiServer, listening_at

ASKED = {"REQUEST_METHOD": "GET", "PATH_INFO": "/plain", "QUERY_STRING": "a=1", "HTTP_HOST": "example.org"}


class Pieces:
    """A body of three pieces, which may fail or wait before the last."""

    def __init__(self, before_last=lambda: None):
        self.before_last = before_last
        self.closed = threading.Event()
        self.left = [b"one\n", b"two\n", b"three\n"]

    def __iter__(self):
        return self

    def __next__(self):
        if not self.left:
            raise StopIteration
        if len(self.left) == 1:
            self.before_last()
        return self.left.pop(0)

    def close(self):
        self.closed.set()


class Front:
    """Answers what the tests ask."""

    def __init__(self):
        self.asked = []
        self.body = Pieces()
        self.saw_them_leave = threading.Event()

    def answer(self, asked):
        self.asked.append(asked)
        if asked.path == "/plain":
            return Answer(200, (("Content-Type", "text/plain"),), b"hello\n")
        if asked.path == "/broken":
            self.body.before_last = self.fail
        if asked.path == "/silent":
            while not asked.gone():
                threading.Event().wait(0.02)
            self.saw_them_leave.set()
        return Answer(200, (("Content-Type", "text/plain"),), self.body)

    @staticmethod
    def fail():
        raise ValueError("the reader died")


@pytest.fixture
def front():
    return Front()


@pytest.fixture
def notes():
    return []


@pytest.fixture
def place(front, notes):
    with TemporaryDirectory() as folder:
        place = Path(folder) / "dasflex.sock"
        server = ScgiServer(place, front, notes.append)
        assert server.listening
        yield place
        server.stop_accepting()


@pytest.fixture(scope="module")
def lasting():
    """A server for many examples."""
    front = Front()
    with TemporaryDirectory() as folder:
        place = Path(folder) / "dasflex.sock"
        server = ScgiServer(place, front, lambda _text: None)
        yield place, front
        server.stop_accepting()


def connected(place):
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(10)
    client.connect(str(place))
    return client


def received(client) -> tuple[bytes, bool]:
    """All that comes, and whether the connection was reset at its end."""
    whole = b""
    try:
        while piece := client.recv(65536):
            whole += piece
    except ConnectionResetError:
        return whole, True
    return whole, False


def asked(place, **variables) -> tuple[bytes, bool]:
    with connected(place) as client:
        client.sendall(request_of({**ASKED, **variables}))
        return received(client)


def test_a_request_is_answered_in_the_form_of_cgi(place, front):
    got = bytearray()
    assert hand_over(str(place), {**ASKED, "REMOTE_ADDR": "192.0.2.7"}, got.extend)
    assert got == b"Status: 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\nhello\n"
    [request] = front.asked
    assert (request.method, request.path, request.query) == ("GET", "/plain", "a=1")
    assert (request.origin, request.client) == ("http://example.org", "192.0.2.7")


def test_a_body_in_pieces_comes_whole_and_is_closed(place, front):
    answer, reset = asked(place, PATH_INFO="/pieces")
    assert answer.endswith(b"\r\n\r\none\ntwo\nthree\n")
    assert not reset
    assert front.body.closed.wait(5)


def test_head_gets_no_body_and_its_body_is_closed(place, front):
    answer, reset = asked(place, PATH_INFO="/pieces", REQUEST_METHOD="HEAD")
    assert answer.endswith(b"\r\n\r\n")
    assert not reset
    assert front.body.closed.wait(5)


def test_an_answer_that_breaks_off_resets_the_connection_behind_what_was_sent(place, front, notes):
    answer, reset = asked(place, PATH_INFO="/broken")
    assert answer.endswith(b"\r\n\r\none\ntwo\n")
    assert reset
    assert front.body.closed.wait(5)
    assert "the reader died" in notes[0]
    with pytest.raises(ConnectionResetError):
        hand_over(str(place), {**ASKED, "PATH_INFO": "/broken"}, lambda _data: None)


def test_a_client_that_leaves_while_nothing_comes_is_noticed(place, front):
    client = connected(place)
    client.sendall(request_of({**ASKED, "PATH_INFO": "/silent"}))
    assert not front.saw_them_leave.wait(0.2)
    client.close()
    assert front.saw_them_leave.wait(2)


def test_a_client_that_only_ends_its_sending_has_not_left(place, front):
    client = connected(place)
    client.sendall(request_of({**ASKED, "PATH_INFO": "/silent"}))
    client.shutdown(socket.SHUT_WR)
    assert not front.saw_them_leave.wait(0.3)
    client.close()


@pytest.mark.parametrize(
    "request_",
    [
        b"GET / HTTP/1.0\r\n\r\n",
        b":,",
        b"0:,",
        b"5:",
        b"99999:" + b"x" * 99999 + b",",
        b"10000000000000:",
        b"24:CONTENT_LENGTH\x000\x00SCGI\x001\x00;",
        b"17:CONTENT_LENGTH\x000\x00,",
        b"24:SCGI\x001\x00CONTENT_LENGTH\x000\x00,",
        b"23:CONTENT_LENGTH\x000\x00SCGI\x001,",
        b"7:\x00\x00\x00\x00\x00\x00\x00,",
    ],
)
def test_what_is_no_request_is_answered_by_400(place, request_):
    with connected(place) as client:
        client.sendall(request_)
        client.shutdown(socket.SHUT_WR)
        assert received(client)[0].startswith(b"Status: 400 Bad Request\r\n")
    assert asked(place)[0].startswith(b"Status: 200 OK\r\n")


@settings(max_examples=40, deadline=None)
@given(
    path=st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30),
    header=st.text(st.characters(max_codepoint=255, exclude_characters="\0"), max_size=30),
)
def test_what_is_asked_arrives_as_it_was_meant(lasting, path, header):
    place, front = lasting
    front.asked.clear()
    with connected(place) as client:
        client.sendall(
            request_of({**ASKED, "PATH_INFO": f"/{path}", "HTTP_X_WORD": os.fsdecode(header.encode("latin-1"))})
        )
        received(client)
    [request] = front.asked
    assert request.path == f"/{path}"
    assert request.headers["x-word"] == header


def test_a_socket_that_nobody_listens_on_is_replaced(tmp_path, front, notes):
    place = tmp_path / "dasflex.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stale:
        stale.bind(str(place))
    server = ScgiServer(place, front, notes.append)
    assert server.listening
    assert not notes
    assert asked(place)[0].startswith(b"Status: 200")
    server.stop_accepting()


def test_a_socket_of_another_server_is_left_alone(place, front, notes):
    second = ScgiServer(place, Front(), notes.append)
    assert not second.listening
    assert "another server listens" in notes[0]
    second.stop_accepting()
    assert asked(place)[0].startswith(b"Status: 200")
    assert front.asked


@pytest.mark.parametrize("what", ["a file", "no directory", "a long name"])
def test_where_there_can_be_no_socket_it_is_noted_and_nothing_else(tmp_path, notes, what):
    place = {
        "a file": tmp_path / "file",
        "no directory": tmp_path / "none" / "dasflex.sock",
        "a long name": tmp_path / ("x" * 120),
    }[what]
    if what == "a file":
        place.write_text("kept", encoding="ascii")
    assert listening_at(place, notes.append) is None
    assert len(notes) == 1
    assert str(place) in notes[0]
    assert what != "a file" or place.read_text(encoding="ascii") == "kept"


def test_the_socket_is_for_owner_and_group_and_goes_with_the_server(tmp_path, front, notes):
    place = tmp_path / "dasflex.sock"
    server = ScgiServer(place, front, notes.append)
    assert stat.S_IMODE(place.stat().st_mode) == 0o660
    server.stop_accepting()
    assert not place.exists()
    assert not hand_over(str(place), ASKED, lambda _data: None)


def test_a_socket_that_took_our_place_is_not_removed(tmp_path, front, notes):
    place = tmp_path / "dasflex.sock"
    first = ScgiServer(place, front, notes.append)
    place.unlink()
    second = ScgiServer(place, Front(), notes.append)
    first.stop_accepting()
    assert asked(place)[0].startswith(b"Status: 200")
    second.stop_accepting()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may act as another user")
def test_a_stranger_gets_nothing_even_where_the_file_would_let_them_in(front, notes):
    with TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        place = Path(folder) / "dasflex.sock"
        server = ScgiServer(place, front, notes.append)
        place.chmod(0o666)
        code = (
            "import os, socket, sys\n"
            "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
            "s = socket.socket(socket.AF_UNIX); s.settimeout(10); s.connect(sys.argv[1])\n"
            "try: s.sendall(bytes.fromhex(sys.argv[2])); print(len(s.recv(100)))\n"
            "except OSError: print(0)\n"
        )
        done = subprocess.run(
            [sys.executable, "-I", "-c", code, str(place), request_of(ASKED).hex()],
            capture_output=True,
            text=True,
            check=False,
            timeout=20,
        )
        server.stop_accepting()
    assert done.stdout.strip() == "0", done.stderr
    assert not front.asked

# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that send or read as slowly as they can are cut off in time, and others are served meanwhile."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import ExitStack, contextmanager, suppress

import pytest

from dasflex_cgi import http_server
from dasflex_cgi.http_server import HttpServer
from dasflex_cgi.serve import listening

_PATIENCE = 1.0


def application(environ, start_response):
    """A line; at /long more than any buffer holds."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return (b"x" * 65536 for _ in range(1000)) if environ["PATH_INFO"] == "/long" else [b"hello\n"]


@pytest.fixture
def place(monkeypatch):
    """The address of a server of two threads that has little patience."""
    for name in ("HEAD_SECONDS", "BODY_SECONDS", "STALLED_SECONDS"):
        monkeypatch.setattr(http_server, name, _PATIENCE)
    monkeypatch.setattr(http_server, "_ROUND", 0.1)
    with _served() as address:
        yield address


@pytest.fixture
def crowded(monkeypatch):
    """The address of a server that has patience, and holds few connections."""
    monkeypatch.setattr(http_server, "_MORE_CONNECTIONS", 40)
    with _served() as address:
        yield address


@contextmanager
def _served(answering=application):
    """A server of two threads that is turned in a thread."""
    listener = listening("127.0.0.1", 0)
    address = listener.getsockname()
    server = HttpServer(answering, listener, 2)
    stopped = threading.Event()

    def turn():
        while not stopped.is_set():
            server.turn(0.05)
        server.stop_accepting()
        server.close()

    thread = threading.Thread(target=turn)
    thread.start()
    try:
        yield address
    finally:
        stopped.set()
        thread.join(10)
    assert not thread.is_alive()


def answered(place, path: str = "/") -> bool:
    """Whether another client is served at once."""
    with socket.create_connection(place, timeout=3) as other:
        other.sendall(f"GET {path} HTTP/1.0\r\n\r\n".encode())
        received = b""
        while chunk := other.recv(65536):
            received += chunk
    return received.endswith(b"hello\n")


def cut_off(client, seconds: float) -> bool:
    """Whether the server closes a connection within so many seconds, in which a byte is sent every 50 ms."""
    until = time.monotonic() + seconds
    client.settimeout(0.05)
    while time.monotonic() < until:
        with suppress(TimeoutError):
            try:
                client.send(b"a")
                if not client.recv(1):
                    return True
            except (ConnectionResetError, BrokenPipeError):
                return True
    return False


BEGUN = {
    "silent": b"",
    "line": b"G",
    "headers": b"GET / HTTP/1.1\r\nHost: a\r\nX-A: ",
    "body": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n",
    "chunks": b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3e8\r\n",
    "websocket": b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n",
    "idle": b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
}


@pytest.mark.parametrize("begun", BEGUN)
def test_a_crowd_that_says_nothing_more_keeps_nobody_out(crowded, begun):
    """More connections than the server holds, each of which was begun in the same way, and then another client."""
    with ExitStack() as stack:
        for _ in range(120):
            each = stack.enter_context(socket.create_connection(crowded, timeout=5))
            each.sendall(BEGUN[begun])
        for _time in range(3):
            begin = time.monotonic()
            assert answered(crowded)
            assert time.monotonic() - begin < 3


def test_who_comes_last_is_heard_while_all_others_wait_for_their_answers(monkeypatch):
    """All connections but the last wait for a thread, so that it is the only one on which nothing is answered."""
    monkeypatch.setattr(http_server, "_MORE_CONNECTIONS", 40)
    go_on = threading.Event()

    def holding(environ, start_response):
        assert environ["PATH_INFO"] == "/" or go_on.wait(20)
        return application(environ, start_response)

    with _served(holding) as address, ExitStack() as stack:
        for _ in range(38):
            each = stack.enter_context(socket.create_connection(address, timeout=5))
            each.sendall(b"GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
        threading.Timer(0.5, go_on.set).start()
        assert answered(address)


def test_an_answer_that_is_being_sent_is_not_ended_by_a_crowd(crowded):
    with socket.create_connection(crowded, timeout=5) as client, ExitStack() as stack:
        client.sendall(b"GET /long HTTP/1.0\r\n\r\n")
        received = len(client.recv(1 << 16))
        for _ in range(120):
            stack.enter_context(socket.create_connection(crowded, timeout=5))
        while piece := client.recv(1 << 20):
            received += len(piece)
        assert received > 1000 * 65536


@pytest.mark.parametrize(
    "begun",
    [b"GET / HTTP/1.1\r\nHost: a\r\nX-A: ", b"G", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n"],
    ids=["headers", "line", "body"],
)
def test_a_request_that_comes_byte_by_byte_is_cut_off_and_others_are_served_meanwhile(place, begun):
    with ExitStack() as stack:
        slow = [stack.enter_context(socket.create_connection(place)) for _ in range(20)]
        for each in slow:
            each.sendall(begun)
        assert answered(place)
        assert cut_off(slow[0], 4 * _PATIENCE)
        assert all(cut_off(each, 2 * _PATIENCE) for each in slow)
    assert answered(place)


def test_threads_are_had_back_from_clients_that_do_not_read(place):
    with ExitStack() as stack:
        for _ in range(2):
            slow = stack.enter_context(socket.create_connection(place))
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            slow.sendall(b"GET /long HTTP/1.1\r\nHost: a\r\n\r\n")
        time.sleep(0.3)  # both threads are taken
        until = time.monotonic() + 5 * _PATIENCE
        served = False
        while not served and time.monotonic() < until:
            with suppress(TimeoutError):
                served = answered(place)
        assert served


def test_a_client_that_asks_again_and_again_is_not_cut_off(place):
    with socket.create_connection(place, timeout=2) as client:
        until = time.monotonic() + 2 * _PATIENCE
        while time.monotonic() < until:
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            received = b""
            while b"hello\n" not in received:
                received += client.recv(65536)
            time.sleep(0.1)

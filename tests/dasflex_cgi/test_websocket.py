# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex serve` and its WebSocket daemon: connections are handed over, the one ends with the other, and goes on."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosedError, ConnectionClosedOK, InvalidStatus
from websockets.sync.client import connect

from dasflex_cgi.http_server import HttpServer
from dasflex_cgi.websocket import HEAD, WebSocketDaemon, asks_for_websocket, may_ask

DAY = "time=2020-01-01/2020-01-02"
HEADERS = "Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"


def fetched(url: str) -> bytes:
    """What is at an address."""
    with urlopen(url, timeout=20) as answer:  # noqa: S310  the address is that of the server under test
        return answer.read()


def address(server, path: str) -> str:
    """A path of a server as the address of a WebSocket."""
    return f"ws{server.base.removeprefix('http')}{path}"


def received(connection) -> tuple[bytes, int]:
    """All that comes until the close, and its code."""
    got = b""
    with suppress(ConnectionClosedOK, ConnectionClosedError):
        while True:
            data = connection.recv(timeout=30)
            got += data.encode() if isinstance(data, str) else data
    return got, connection.protocol.close_code


def daemons(config: str) -> list[int]:
    """The daemons that run for a configuration."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        try:
            words = (each / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if config.encode() in words and b"--handed-over" in words:
            found.append(int(each.name))
    return found


class TestRequests:
    """Which requests are handed over."""

    @pytest.mark.parametrize(
        ("line", "asks"),
        [
            ("GET /dasws/a/flexRT HTTP/1.1", True),
            ("GET /dasws/a/flexRT?read.time.min=now HTTP/1.1", True),
            ("GET /DASWS/nothing HTTP/1.1", True),
            ("GET /source/a/b/FlexRT HTTP/1.1", True),
            ("GET /source/a/b/flexrt?x=/flex HTTP/1.1", True),
            ("GET /source/a/b/flex HTTP/1.1", False),
            ("GET /source/a/flex?to=/dasws/a/flexRT HTTP/1.1", False),
            ("GET / HTTP/1.1", False),
            ("POST /dasws/a/flexRT HTTP/1.1", False),
        ],
    )
    def test_the_path_decides(self, line, asks):
        assert asks_for_websocket(f"{line}\r\n{HEADERS}".encode()) is asks

    def test_without_an_upgrade_it_is_a_request_of_http(self):
        assert not asks_for_websocket(b"GET /dasws/a/flexRT HTTP/1.1\r\nHost: x\r\n\r\nUpgrade: websocket\r\n\r\n")
        assert not asks_for_websocket(b"GET /dasws/a/flexRT HTTP/1.1\r\nUpgrade: h2c\r\n\r\n")

    @given(st.integers(0, 200))
    def test_a_head_in_pieces_is_waited_for(self, at):
        head = f"GET /dasws/a/flexRT HTTP/1.1\r\n{HEADERS}".encode()
        begun = head[: min(at, len(head) - 1)]
        assert may_ask(begun)
        assert not asks_for_websocket(begun)

    @given(st.binary(max_size=300))
    def test_no_bytes_are_both_waited_for_and_handed_over(self, begun):
        assert not (may_ask(begun) and asks_for_websocket(begun))

    def test_nobody_is_waited_for_without_an_end(self):
        assert not may_ask(b"GET /dasws/a/flexRT HTTP/1.1\r\nX: " + b"x" * HEAD)


@pytest.mark.integration
class TestServer:
    """A real server, and a second implementation of WebSockets as its client."""

    @pytest.fixture
    def server(self, serving, bare):
        bare.add("levels", "headers(); records(100)")
        bare.add("endless", "grandchild(); headers()\nwhile True:\n    records(10); time.sleep(0.05)")
        return serving("--port", "0", "--config", bare.config, websocket=True)

    @pytest.mark.parametrize("path", ["dasws/levels/flexRT", "source/Levels/flexRT"])
    def test_the_port_of_http_serves_websockets(self, server, path):
        with connect(address(server, f"{path}?{DAY}"), open_timeout=30) as connection:
            data, code = received(connection)
        assert code == 1000
        assert fetched(f"{server.base}source/levels/flex?{DAY}") == data

    def test_errors_are_those_of_the_daemon(self, server):
        with (
            pytest.raises(InvalidStatus) as refused,
            connect(address(server, f"dasws/no.such/flexRT?{DAY}"), open_timeout=30),
        ):
            pass
        assert refused.value.response.status_code == 404
        assert b"<exception" in refused.value.response.body

    def test_a_head_that_comes_in_pieces_is_handed_over_whole(self, server):
        place = urlsplit(server.base)
        head = f"GET /dasws/levels/flexRT?{DAY} HTTP/1.1\r\n{HEADERS}".encode()
        with socket.create_connection((place.hostname, place.port), timeout=30) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for at in range(0, len(head), 20):
                connection.sendall(head[at : at + 20])
            assert connection.recv(100).startswith(b"HTTP/1.1 101")

    def test_a_connection_that_was_used_for_http_before_is_handed_over(self, server):
        place = urlsplit(server.base)
        with socket.create_connection((place.hostname, place.port), timeout=30) as connection:
            connection.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            got = b""
            while b'"status"' not in got:
                got += connection.recv(4096)
            connection.sendall(f"GET /dasws/levels/flexRT?{DAY} HTTP/1.1\r\n{HEADERS}".encode())
            while b"101 Switching" not in got:
                piece = connection.recv(4096)
                assert piece
                got += piece

    def test_a_get_without_an_upgrade_is_answered_as_before(self, server):
        place = urlsplit(server.base)
        with socket.create_connection((place.hostname, place.port), timeout=30) as connection:
            connection.sendall(b"GET /dasws/levels/flexRT HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            got = b""
            while piece := connection.recv(4096):
                got += piece
        assert got.startswith(b"HTTP/1.1 4")

    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_the_daemon_and_its_readers_end_with_the_server(self, server, bare, wait_until, number):
        with connect(address(server, f"dasws/endless/flexRT?{DAY}"), open_timeout=30) as connection:
            assert connection.recv(timeout=30)
            assert daemons(bare.config)
            assert len(bare.processes("endless")) == 2
            server.process.send_signal(number)
            assert received(connection)[1] == 1001
        assert server.process.wait(timeout=20) == 0
        assert daemons(bare.config) == []
        assert wait_until(lambda: not bare.processes("endless"), 10)

    def test_a_killed_server_leaves_no_daemon(self, server, bare, wait_until):
        with connect(address(server, f"dasws/endless/flexRT?{DAY}"), open_timeout=30) as connection:
            assert connection.recv(timeout=30)
            server.process.kill()
            assert received(connection)[1] == 1001
        assert wait_until(lambda: not daemons(bare.config) and not bare.processes("endless"), 20)

    def test_a_killed_daemon_is_started_again_and_the_server_goes_on(self, server, bare, wait_until):
        with connect(address(server, f"dasws/levels/flexRT?{DAY}"), open_timeout=30) as connection:
            received(connection)
        [first] = daemons(bare.config)
        os.kill(first, signal.SIGKILL)
        assert b'"ok"' in fetched(f"{server.base}health")
        assert wait_until(lambda: [each for each in daemons(bare.config) if each != first], 30)
        with connect(address(server, f"dasws/levels/flexRT?{DAY}"), open_timeout=30) as connection:
            assert received(connection)[1] == 1000
        assert server.stop() == 0
        assert "the WebSocket daemon was ended by signal 9; it is started again in 1 s" in server.process.stderr.read()


class TestNoDaemon:
    """What becomes of connections while there is no daemon."""

    def test_one_that_cannot_start_is_noted_and_takes_nothing(self, tmp_path):
        notes: SimpleQueue[str] = SimpleQueue()
        daemon = WebSocketDaemon(tmp_path / "nowhere.conf", notes.put)
        try:
            assert notes.get(timeout=30) == "note: the WebSocket daemon ended with status 2; it is started again in 1 s"
            with socket.socket() as connection:
                assert not daemon.take(connection, b"GET ")
        finally:
            daemon.close()

    def test_it_is_told_to_stop_once(self, tmp_path, monkeypatch):
        """A second signal would end it at once, and cut those who are about to say goodbye."""
        daemon = WebSocketDaemon(tmp_path / "nowhere.conf", lambda _note: None)
        signals = []
        monkeypatch.setattr(daemon, "_signal", signals.append)
        daemon.stop()
        daemon.close()
        assert signals == ["SIGTERM"]

    def test_a_client_is_told_to_come_again(self):
        listener = socket.create_server(("127.0.0.1", 0))
        server = HttpServer(lambda _environ, _start: [], listener, 1, daemon=Absent())
        try:
            with socket.create_connection(listener.getsockname(), timeout=20) as connection:
                connection.sendall(f"GET /dasws/levels/flexRT HTTP/1.1\r\n{HEADERS}".encode())
                connection.setblocking(False)
                answer = b""
                while b"in a while" not in answer:
                    server.turn(0.05)
                    with suppress(BlockingIOError):
                        answer += connection.recv(4096)
        finally:
            server.stop_accepting()
            server.close()
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nRetry-After: 5\r\n" in answer


class Absent:
    """A daemon that takes nothing."""

    def take(self, _connection, _received):
        return False


@pytest.mark.integration
def test_without_the_daemon_nothing_is_handed_over(serving, bare):
    server = serving("--port", "0", "--config", bare.config)
    with pytest.raises(InvalidStatus), connect(address(server, f"dasws/levels/flexRT?{DAY}"), open_timeout=30):
        pass
    assert daemons(bare.config) == []

# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP server with a small application, over real sockets: what it makes of heads, bodies and odd requests."""

from __future__ import annotations

import socket
import threading

import pytest

from dasflex_cgi.http_server import HttpServer
from dasflex_cgi.serve import listening


def application(environ, start_response):
    """Says what it was asked; it breaks off at /broken."""
    headers = [("Content-Type", "text/plain"), ("WWW-Authenticate", 'Basic realm="A Realm"'), ("ETag", '"1"')]
    if environ["PATH_INFO"] == "/exact":
        headers.append(("Content-Length", "5"))
    start_response("200 OK", headers)
    if environ["REQUEST_METHOD"] == "HEAD":
        return iter(())
    names = ("PATH_INFO", "QUERY_STRING", "REMOTE_ADDR", "wsgi.url_scheme", "HTTP_HOST")
    said = "|".join(str(environ.get(name, "-")) for name in names).encode("latin-1")
    return pieces(said, broken=environ["PATH_INFO"] == "/broken")


def pieces(said, *, broken):
    """A body that has no length before it is sent."""
    yield said
    if broken:
        raise ValueError("in the middle")


@pytest.fixture(scope="module")
def place():
    """The address of a server that turns in a thread."""
    listener = listening("127.0.0.1", 0)
    address = listener.getsockname()
    server = HttpServer(application, listener, 2)
    stopped = threading.Event()

    def turn():
        while not stopped.is_set():
            server.turn(0.05)
        server.stop_accepting()
        server.close()

    thread = threading.Thread(target=turn)
    thread.start()
    yield address
    stopped.set()
    thread.join(10)
    assert not thread.is_alive()


def raw(place, request: bytes) -> tuple[list[str], bytes]:
    """The lines of the head and the bytes of the body that a server sends until it closes."""
    with socket.create_connection(place, timeout=10) as connection:
        connection.sendall(request)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    head, _, body = received.partition(b"\r\n\r\n")
    return head.decode("latin-1").split("\r\n"), body


def test_headers_are_spelt_as_the_application_wrote_them(place):
    head, _ = raw(place, b"GET / HTTP/1.0\r\n\r\n")
    assert 'WWW-Authenticate: Basic realm="A Realm"' in head
    assert 'ETag: "1"' in head
    assert "Connection: close" in head


def test_http_1_0_is_never_chunked_and_http_1_1_is(place):
    head, body = raw(place, b"GET /a HTTP/1.0\r\nHost: x\r\n\r\n")
    assert not any("Transfer-Encoding" in line for line in head)
    assert body == b"/a||127.0.0.1|http|x"
    head, body = raw(place, b"GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert "Transfer-Encoding: chunked" in head
    assert body.endswith(b"\r\n0\r\n\r\n")


@pytest.mark.parametrize("path", ["/", "/exact"])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_head_has_no_body_at_all(place, path, version):
    head, body = raw(place, f"HEAD {path} HTTP/{version}\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert head[0].endswith("200 OK")
    assert ("Content-Length: 5" in head) == (path == "/exact")
    assert body == b""


def test_a_body_that_breaks_off_has_no_last_chunk(place):
    _, body = raw(place, b"GET /broken HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"/broken" in body
    assert not body.endswith(b"0\r\n\r\n")


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"?server=list", "", "server=list"),
        (b"/?", "/", ""),
        (b"http://example.org/source/a?b=1", "/source/a", "b=1"),
        (b"//source//a?b", "/source//a", "b"),
    ],
)
def test_odd_targets_reach_the_application(place, target, path, query):
    _, body = raw(place, b"GET " + target + b" HTTP/1.0\r\nHost: x\r\n\r\n")
    assert body.decode().split("|")[:2] == [path, query]


def test_long_targets_are_taken_or_refused_by_a_status(place):
    _, body = raw(place, b"GET /" + b"a" * 65_000 + b" HTTP/1.0\r\n\r\n")
    assert body.startswith(b"/" + b"a" * 65_000 + b"|")
    head, _ = raw(place, b"GET /" + b"a" * 263_000 + b" HTTP/1.0\r\n\r\n")
    assert head[0].split()[1] == "431"


def test_what_a_server_in_front_of_us_says_is_believed_on_this_machine(place):
    forwarded = b"X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Host: example.org\r\nX-Forwarded-Proto: https\r\n"
    _, body = raw(place, b"GET /a HTTP/1.0\r\nHost: 127.0.0.1:8080\r\n" + forwarded + b"\r\n")
    assert body == b"/a||192.0.2.7|https|example.org"


def test_the_silence_of_a_client_that_lies_about_its_length_holds_nobody_up(place):
    with socket.create_connection(place, timeout=10) as lying:
        lying.sendall(b"GET /a HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nless")
        for _ in range(3):
            assert raw(place, b"GET /b HTTP/1.0\r\n\r\n")[1].startswith(b"/b|")

# SPDX-License-Identifier: GPL-3.0-or-later
"""The CGI program under a real Apache, and `dasflex serve` behind one: what clients get over real sockets."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

import dasflex_core

pytestmark = pytest.mark.integration

DAY = "time=2020-01-01/2020-01-02"
EXAMPLE = "time=2017-01-01/2017-01-02"
NODE = b'{"type": "Catalog"}\n'


@dataclass(frozen=True)
class Got:
    """An answer as it came over the wire."""

    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def status(self) -> int:
        return int(self.line.split()[1])


def fetch(url, method="GET", **headers):
    """The answer to a request of HTTP/1.1, its chunks put together."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=60)
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    connection.request(method, f"{place.path}?{place.query}" if place.query else place.path, headers=named)
    answer = connection.getresponse()
    try:
        return Got(f"HTTP/1.1 {answer.status} {answer.reason}", dict(answer.getheaders()), answer.read())
    finally:
        connection.close()


def raw(url, version="1.0", method="GET", *lines):
    """The answer as bytes, read until the server closes: that is how das2C reads."""
    place = urlsplit(url)
    text = [f"{method} {place.path}?{place.query} HTTP/{version}", "Host: example.org", *lines, "", ""]
    with socket.create_connection((place.hostname, place.port or 80), timeout=60) as connection:
        connection.sendall("\r\n".join(text).encode())
        got = b""
        while piece := connection.recv(1 << 20):
            got += piece
    head, _, body = got.partition(b"\r\n\r\n")
    line, *rest = head.decode("latin-1").split("\r\n")
    return Got(line, dict(each.split(": ", 1) for each in rest), body)


@pytest.fixture(scope="module")
def shown(apache, examples):
    """The address of the examples by CGI."""
    return apache(examples.root).cgi


@pytest.fixture
def local(apache, bare):
    """An Apache for a root to which sources are added."""
    return apache(bare.root)


class TestFiles:
    def test_a_node_and_whether_it_has_changed(self, local, bare):
        (bare.root / "public").mkdir(exist_ok=True)
        (bare.root / "public" / "root.json").write_bytes(NODE)
        url = f"{local.cgi}root.json"
        got = fetch(url)
        assert (got.status, got.body) == (200, NODE)
        assert got.headers["Content-Type"] == "application/json"
        assert got.headers["Access-Control-Allow-Origin"] == "*"
        known = fetch(url, If_None_Match=got.headers["ETag"])
        assert (known.status, known.body) == (304, b"")
        assert known.headers["ETag"] == got.headers["ETag"]
        assert fetch(url, If_Modified_Since=got.headers["Last-Modified"]).status == 304
        assert fetch(url, If_None_Match='"other"', If_Modified_Since=got.headers["Last-Modified"]).status == 200
        told = fetch(url, "HEAD")
        assert (told.status, told.body) == (200, b"")

    @pytest.mark.parametrize(
        "path", ["static/%2e%2e/etc/passwd", "static/..%2fetc/passwd", "static/%00.txt", "static/%zz"]
    )
    def test_no_path_leads_outside(self, local, path):
        got = fetch(f"{local.cgi}{path}")
        assert got.status in (400, 404)
        assert b"root" not in got.body


class TestData:
    def test_they_are_what_the_core_gives(self, shown, examples):
        got = fetch(f"{shown}source/Examples/Random/flex?{EXAMPLE}")
        request = dasflex_core.open(examples.root)["Examples/Random"]["2017-01-01":"2017-01-02"]
        assert got.status == 200
        assert got.body == b"".join(request.plan().run())
        assert got.headers["Content-Type"].startswith("application/vnd.das2.das2stream")
        csv = fetch(f"{shown}source/examples/random/data.csv?{EXAMPLE}")
        assert csv.body == b"".join(request.as_suffix("csv").plan().run())

    def test_http_1_0_has_no_chunks_and_is_closed(self, shown):
        whole = fetch(f"{shown}source/examples/random/flex?{EXAMPLE}").body
        got = raw(f"{shown}source/examples/random/flex?{EXAMPLE}")
        assert got.status == 200
        assert got.body == whole
        assert "Transfer-Encoding" not in got.headers
        assert got.headers["Connection"] == "close"
        assert "Content-Encoding" not in got.headers
        assert "Content-Type" in got.headers  # by this spelling, which das2C compares

    def test_all_headers_together_are_below_what_das2c_reads(self, shown):
        got = raw(f"{shown}source/examples/random/flex?{EXAMPLE}&format.type=csv&format.delim=comma")
        assert got.status == 200
        assert sum(len(f"{name}: {text}\r\n") for name, text in got.headers.items()) + len(got.line) + 4 < 2048

    def test_head_says_what_get_would_and_runs_nothing(self, local, bare):
        bare.add("marked", "open('ran', 'w').close(); headers(); records(1)")
        got = fetch(f"{local.cgi}source/marked/data.csv?{DAY}", "HEAD")
        assert (got.status, got.body) == (200, b"")
        assert got.headers["Content-Type"].startswith("text/csv")
        assert not (bare.root / "definitions" / "marked" / "ran").exists()

    def test_addresses_are_those_that_the_client_used(self, shown):
        got = raw(f"{shown}source/examples?", "1.0", "GET", "User-Agent: Mozilla/5.0", "Accept: text/html")
        assert got.status in (200, 301, 302, 308)
        assert "127.0.0.1" not in got.headers.get("Location", "")

    def test_the_mount_itself_answers(self, shown):
        assert fetch(shown).status == 200
        assert fetch(shown.rstrip("/")).status in (200, 301, 308)


class TestErrors:
    @pytest.mark.parametrize(
        ("path", "status"),
        [
            ("source/nothing/flex?" + DAY, 404),
            ("source/levels/flex?" + DAY + "&bogus=1", 400),
            ("source/fails/flex?" + DAY, 500),
            ("?server=dataset&dataset=nothing&start_time=2020-01-01&end_time=2020-01-02", 404),
            ("?server=bogus", 400),
        ],
    )
    def test_a_status_reaches_the_client(self, local, bare, path, status):
        bare.add("levels", "headers(); records(1)")
        bare.add("fails", "sys.exit(3)")
        got = raw(f"{local.cgi}{path}" if "?" in path else f"{local.cgi}{path}?")
        assert got.status == status
        assert got.headers["Content-Type"]
        assert got.body
        assert str(bare.root).encode() not in got.body

    def test_other_methods_are_refused(self, local):
        got = fetch(local.cgi, "POST", Content_Length="0")
        assert got.status == 405
        assert "GET" in got.headers["Allow"]

    def test_credentials_reach_the_program(self, local, bare):
        with socket.socket(socket.AF_UNIX) as listener:  # a server that shows what was handed over to it
            listener.bind(str(bare.root / "run" / "dasflex.sock"))
            listener.listen()
            listener.settimeout(20)
            with ThreadPoolExecutor(1) as other:
                answer = other.submit(fetch, f"{local.cgi}source/a/flex?{DAY}", Authorization="Basic dTpw")
                connection, _ = listener.accept()
                with connection:
                    request = connection.recv(1 << 20)
                    connection.sendall(b"Status: 200 OK\r\nContent-Type: text/plain\r\n\r\nseen")
                assert answer.result().body == b"seen"
        assert b"\0HTTP_AUTHORIZATION\0Basic dTpw\0" in request
        assert f"\0QUERY_STRING\0{DAY}\0".encode() in request


class TestBroken:
    def test_a_reader_that_dies_is_told_in_the_stream_and_in_the_record(self, local, bare):
        bare.add("breaks", "headers(); records(9000); time.sleep(0.2); sys.exit(1)")
        got = fetch(f"{local.cgi}source/breaks/flex?{DAY}")
        assert got.status == 200
        assert len(got.body) > 200_000
        assert got.body.count(b"2020-01-01T") >= 9000
        assert re.search(rb'\[xx\]\d{6}<exception type="ServerError" message="[^"<]+"', got.body)
        record = json.loads(fetch(f"{local.cgi}request/{got.headers['X-Request-Id']}").body)
        assert record["complete"] is False
        assert record["error_kind"] == "source.exit"
        assert "Traceback" not in local.said

    def test_a_client_that_leaves_takes_the_reader_along(self, local, bare, wait_until):
        bare.add("watched", "grandchild(); headers()\nwhile True: records(5000)")
        place = urlsplit(local.cgi)
        with socket.create_connection((place.hostname, place.port), timeout=20) as connection:
            connection.sendall(f"GET /stream/source/watched/flex?{DAY} HTTP/1.0\r\n\r\n".encode())
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
            assert wait_until(lambda: len(bare.processes("watched")) == 2, 20)
        assert wait_until(lambda: not bare.processes("watched"), 3)

    def test_a_client_that_does_not_read_holds_the_reader_up(self, local, bare, wait_until):
        bare.add("endless", "headers()\nwhile True: records(20000)")
        place = urlsplit(local.cgi)
        with socket.create_connection((place.hostname, place.port), timeout=20) as connection:
            connection.sendall(f"GET /stream/source/endless/flex?{DAY} HTTP/1.0\r\n\r\n".encode())
            assert connection.recv(100)
            assert wait_until(lambda: bare.processes("endless"), 20)
            [reader] = bare.processes("endless")
            counted = Path(f"/proc/{reader}/io")
            last = ""

            def still() -> bool:
                nonlocal last
                before, last = last, counted.read_text(encoding="ascii")
                time.sleep(0.2)
                return before == last

            assert wait_until(still, 10)


class TestNotSetUp:
    def test_a_root_that_is_not_there(self, apache, tmp_path):
        server = apache(tmp_path / "nowhere")
        got = fetch(f"{server.cgi}source/a/flex?{DAY}")
        assert got.status == 500
        assert b"not set up" in got.body
        assert str(tmp_path).encode() not in got.body
        assert "config" in server.said

    def test_a_socket_that_nobody_listens_on(self, local, bare):
        bare.add("levels", "headers(); records(100)")
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(str(bare.root / "run" / "dasflex.sock"))
        got = fetch(f"{local.cgi}source/levels/flex?{DAY}")
        assert got.status == 200
        assert got.body.count(b"2020-01-01T") == 100


class TestProxied:
    def test_data_and_errors_pass(self, apache, serving, bare):
        bare.add("levels", "headers(); records(100)")
        server = serving("--port", "0", "--config", bare.config)
        front = apache(bare.root, proxy_to=server.base)
        got = fetch(f"{front.proxied}source/levels/flex?{DAY}")
        assert (got.status, got.body) == (200, fetch(f"{front.cgi}source/levels/flex?{DAY}").body)
        assert fetch(f"{front.proxied}source/nothing/flex?{DAY}").status == 404

    def test_a_reader_that_dies_breaks_the_connection(self, apache, serving, bare):
        bare.add("breaks", "headers(); records(9000); time.sleep(0.2); sys.exit(1)")
        server = serving("--port", "0", "--config", bare.config)
        front = apache(bare.root, proxy_to=server.base)
        for base in (server.base, front.proxied):
            url = f"{base}source/breaks/data.csv?{DAY}"
            told = ["-w", "%{http_code} %{size_download}", "-o", os.devnull]
            run = subprocess.run(["curl", "-sS", *told, url], capture_output=True, text=True, check=False, timeout=60)
            assert run.returncode != 0, base
            code, size = run.stdout.split()
            assert code == "200"
            assert int(size) > 200_000


def test_port_80_of_a_loopback_address_serves_clients_that_know_no_other(apache, bare):
    bare.add("levels", "headers(); records(100)")
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.80", 80))
        except OSError as error:
            pytest.skip(f"port 80 of 127.0.0.80 cannot be listened on: {error.strerror}")
    server = apache(bare.root, host="127.0.0.80", port=80)
    got = raw(f"http://127.0.0.80/stream/source/levels/flex?{DAY}")
    assert (got.status, got.body.count(b"2020-01-01T")) == (200, 100)
    server.stop()

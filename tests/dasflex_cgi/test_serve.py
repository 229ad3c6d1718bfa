# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex serve` as a process, over real sockets: what it prints works, what breaks is seen, what is left is ended."""

from __future__ import annotations

import hashlib
import http.client
import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from dasflex_cgi.serve import listening
from dasflex_core.errors import ConfigError

pytestmark = pytest.mark.integration
DAY = "time=2020-01-01/2020-01-02"


def fetch(url: str, seconds: float = 20):
    """The response to a GET, as a context manager."""
    return urlopen(url, timeout=seconds)  # noqa: S310  the address is that of the server under test


def raw(base: str, request: bytes) -> bytes:
    """All that a server sends for the bytes of a request, until it closes."""
    place = urlsplit(base)
    with socket.create_connection((place.hostname, place.port), timeout=20) as connection:
        connection.sendall(request)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    return received


def test_a_new_user_gets_a_root_and_three_addresses_that_work(serving, tmp_path):
    server = serving("--port", "0", HOME=str(tmp_path), XDG_DATA_HOME=str(tmp_path / "data"), DASFLEX_CONFIG="")
    assert (tmp_path / "data" / "dasflex" / "etc" / "dasflex.conf").is_file()
    front, data, plan = server.tried
    assert front == server.base
    with fetch(front) as answer:
        assert b"Examples/Waveform" in answer.read()
    with fetch(data) as answer:
        assert answer.read().startswith(b"time,")
    with fetch(plan) as answer:
        assert b"reader" in answer.read()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_stops_cleanly_and_ends_the_readers(serving, bare, wait_until, number):
    bare.add("endless", "grandchild(); headers()\nwhile True: records(1000)")
    server = serving("--port", "0", "--config", bare.config)
    with fetch(f"{server.base}source/endless/flex?{DAY}") as answer:
        assert answer.read(10)
        assert len(bare.processes("endless")) == 2
        assert server.stop(number) == 0
    assert wait_until(lambda: not bare.processes("endless"), 1)
    assert "Traceback" not in server.process.stderr.read()


def test_the_next_free_port_is_taken(serving, examples):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = serving("--port", str(port), "--config", examples.config)
        assert urlsplit(server.base).port > port
        with fetch(server.base) as answer:
            assert answer.status == 200


def test_where_it_cannot_listen_it_says_so():
    with pytest.raises(ConfigError, match="cannot be listened on"):
        listening("192.0.2.1", 8080)
    with pytest.raises(ConfigError, match="no address"):
        listening("no.such.host.invalid", 8080)


def test_an_unreadable_configuration_is_one_line_and_exit_6(bare):
    Path(bare.config).write_text("nonsense", encoding="utf-8")
    code = "from dasflex_core.cli import main; main(prog_name='dasflex')"
    done = subprocess.run(
        [sys.executable, "-c", code, "serve", "--config", bare.config],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 6
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1


def test_http_1_0_gets_an_unchunked_body_that_ends_with_the_connection(serving, examples):
    server = serving("--port", "0", "--config", examples.config)
    head, _, body = raw(
        server.base, b"GET /source/Examples/Random/flex?time=2017-01-01/2017-01-02 HTTP/1.0\r\nHost: x\r\n\r\n"
    ).partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0].startswith("HTTP/1.0 200") or lines[0].startswith("HTTP/1.1 200")
    assert "Connection: close" in lines
    assert not any(line.lower().startswith(("transfer-encoding", "content-encoding")) for line in lines)
    assert body.startswith(b"[00]")
    assert len(head) < 2048
    with fetch(f"{server.base}source/Examples/Random/flex?time=2017-01-01/2017-01-02") as answer:
        assert answer.read() == body


def test_a_query_that_is_empty_and_a_missing_host_are_no_trouble(serving, examples):
    server = serving("--port", "0", "--config", examples.config)
    assert b" 200 " in raw(server.base, b"GET /? HTTP/1.0\r\n\r\n").splitlines()[0]


@pytest.mark.parametrize(
    ("request_", "status", "logged"),
    [
        (b"GET /source/\xff\xfe HTTP/1.0\r\n\r\n", 400, ' GET "/source/%FF%FE" 400 '),
        (b"GET /a HTTP/1.0\r\nno header at all\r\n\r\n", 400, ' GET "/a" 400 '),
        (b"GET /a HTTP/1.1\r\nX-Long: " + b"x" * 262_144 + b"\r\n\r\n", 431, " 431 "),
    ],
    ids=["bytes", "header", "long"],
)
def test_a_request_that_cannot_be_read_has_a_line_in_the_log(serving, bare, wait_until, request_, status, logged):
    server = serving("--port", "0", "--config", bare.config)

    def lines() -> str:
        return "".join(path.read_text(encoding="utf-8") for path in (bare.root / "log").glob("127.0.0.1_*.log"))

    assert int(raw(server.base, request_).split()[1]) == status
    assert wait_until(lambda: "This is no request of HTTP" in lines(), 2)
    assert logged in lines()


def test_what_a_plugin_mounts_has_its_own_words_behind_the_status_and_the_headers_of_all_answers(
    serving, bare, odd_plugin
):
    server = serving("--port", "0", "--config", bare.config, **odd_plugin)
    with fetch(f"{server.base}/odd/x") as answer:
        assert (answer.status, answer.reason) == (200, "Fine; and odd")
        assert answer.headers["X-Content-Type-Options"] == "none of them"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert answer.read() == b"GET /odd|/x||0"


def test_head_has_no_body_and_no_length(serving, examples):
    server = serving("--port", "0", "--config", examples.config)
    request = (
        b"HEAD /source/Examples/Random/flex?time=2017-01-01/2017-01-02 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    head, _, body = raw(server.base, request).partition(b"\r\n\r\n")
    assert b" 200 " in head.splitlines()[0]
    assert b"content-length" not in head.lower()
    assert body in (b"", b"0\r\n\r\n")  # waitress ends a chunked body that is not there, and closes


@pytest.mark.parametrize("suffix", ["d2t", "csv", "d3t"])
def test_a_failure_in_mid_stream_breaks_the_connection_and_is_recorded(serving, bare, suffix):
    bare.add("breaks", "headers(); records(2000); time.sleep(0.2); sys.exit(1)")
    server = serving("--port", "0", "--config", bare.config)
    place = urlsplit(server.base)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=20)
    connection.request("GET", f"/source/breaks/data.{suffix}?{DAY}")
    answer = connection.getresponse()
    assert answer.status == 200
    with pytest.raises(http.client.IncompleteRead) as broken:
        answer.read()
    received = broken.value.partial
    assert received.count(b"2020-01-01T") >= 2000
    assert (b"<exception" in received) == (suffix != "csv")
    connection.close()
    with fetch(f"{server.base}request/{answer.headers['X-Request-Id']}") as told:
        record = json.load(told)
    assert not record["complete"]
    assert record["error_kind"] == "source.exit"
    assert record["bytes"] == len(received)
    assert server.stop() == 0
    assert "Traceback" not in server.process.stderr.read()


def test_a_complete_answer_is_what_its_record_says(serving, examples):
    server = serving("--port", "0", "--config", examples.config)
    with fetch(f"{server.base}source/examples/random/data.csv?time=2017-01-01/2017-01-02") as answer:
        body, number = answer.read(), answer.headers["X-Request-Id"]
    with fetch(f"{server.base}request/{number}") as told:
        record = json.load(told)
    assert record["complete"]
    assert record["sha256"] == hashlib.sha256(body).hexdigest()


@pytest.mark.parametrize(
    "reader",
    [
        "grandchild(); headers()\nwhile True: records(1000)",
        "grandchild(); headers(); records(10); time.sleep(600)",
        "grandchild(); time.sleep(600)",
    ],
    ids=["writes", "fell silent", "never wrote"],
)
def test_nothing_is_left_a_second_after_the_client_has_gone(serving, bare, wait_until, reader):
    bare.add("watched", reader)
    server = serving("--port", "0", "--config", bare.config)
    place = urlsplit(server.base)
    connection = socket.create_connection((place.hostname, place.port), timeout=20)
    connection.sendall(f"GET /source/watched/flex?{DAY} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert wait_until(lambda: len(bare.processes("watched")) == 2, 20)
    time.sleep(0.3)
    connection.close()
    begun = time.monotonic()
    assert wait_until(lambda: not bare.processes("watched"), 3)
    assert time.monotonic() - begun < 1.5
    with fetch(server.base) as answer:
        assert answer.status == 200


def test_a_client_that_does_not_read_holds_its_reader_up_and_not_the_memory(serving, bare):
    bare.add("endless", "headers()\nwhile True: records(20000)")
    server = serving("--port", "0", "--config", bare.config)
    place = urlsplit(server.base)

    def resident() -> int:
        status = Path(f"/proc/{server.process.pid}/status").read_text(encoding="utf-8")
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) << 10

    connection = socket.create_connection((place.hostname, place.port), timeout=20)
    connection.sendall(f"GET /source/endless/flex?{DAY} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert connection.recv(100)
    before = resident()
    time.sleep(0.5)
    [reader] = bare.processes("endless")
    first = Path(f"/proc/{reader}/io").read_text(encoding="ascii")
    time.sleep(0.3)
    assert Path(f"/proc/{reader}/io").read_text(encoding="ascii") == first
    assert resident() - before < 20 << 20
    connection.close()


def test_many_clients_are_answered_at_once(serving, bare):
    bare.add("slow", "time.sleep(1); headers(); records(5)")
    server = serving("--port", "0", "--workers", "8", "--config", bare.config)
    begun = time.monotonic()
    opened = [
        subprocess.Popen(
            [
                sys.executable,
                "-c",
                f"from urllib.request import urlopen; urlopen('{server.base}source/slow/flex?{DAY}').read()",
            ]
        )
        for _ in range(4)
    ]
    assert [each.wait(timeout=30) for each in opened] == [0] * 4
    assert time.monotonic() - begun < 3.9


def test_a_status_reaches_the_client_as_such(serving, bare):
    bare.add("fails", "sys.exit(1)")
    server = serving("--port", "0", "--config", bare.config)
    with pytest.raises(HTTPError) as failed:
        fetch(f"{server.base}source/fails/data.csv?{DAY}")
    assert failed.value.code == 500
    failed.value.close()

# SPDX-License-Identifier: GPL-3.0-or-later
"""The life of `dasflex serve` as a process: how it stops, reads its site anew, and what else it listens on."""

from __future__ import annotations

import signal
import socket
import stat
import subprocess
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from dasflex_cgi.handover import hand_over, request_of

pytestmark = pytest.mark.integration
DAY = "time=2020-01-01/2020-01-02"
SLOW = "headers(); records(5); time.sleep({seconds}); records(5)"


def fetch(url: str):
    """The response to a GET, as a context manager."""
    return urlopen(url, timeout=20)  # noqa: S310  the address is that of the server under test


def source_of(name: str, **more: str) -> dict[str, str]:
    """CGI variables that ask for a source's data."""
    return {"REQUEST_METHOD": "GET", "PATH_INFO": f"/source/{name}/flex", "QUERY_STRING": DAY, **more}


def said(server) -> list[str]:
    """What an ended server told its administrator, but for the manifest of the installation under test."""
    return [line for line in server.process.stderr.read().splitlines() if "manifest" not in line]


def socket_of(root) -> str:
    """The place of a root's socket."""
    return str(root.root / "run" / "dasflex.sock")


def test_what_is_short_ends_in_peace_while_nobody_new_is_taken(serving, bare):
    bare.add("short", SLOW.format(seconds=1))
    server = serving("--port", "0", "--config", bare.config)
    place = urlsplit(server.base)
    with fetch(f"{server.base}source/short/flex?{DAY}") as answer:
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.4)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((place.hostname, place.port), timeout=5)
        assert answer.read().count(b":01:2020") == 10
    assert server.process.wait(10) == 0
    assert said(server) == []


def test_what_is_long_is_ended_after_the_grace_time(serving, bare, wait_until):
    bare.add("long", "grandchild(); headers(); records(5); time.sleep(600)")
    server = serving("--port", "0", "--grace", "0.3", "--config", bare.config)
    with fetch(f"{server.base}source/long/flex?{DAY}") as answer:
        assert answer.read(1)
        begun = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - begun < 4
    assert wait_until(lambda: not bare.processes("long"), 1)
    assert said(server) == []


def test_a_second_signal_ends_the_grace_time(serving, bare, wait_until):
    bare.add("long", "headers(); records(5); time.sleep(600)")
    server = serving("--port", "0", "--grace", "600", "--config", bare.config)
    with fetch(f"{server.base}source/long/flex?{DAY}") as answer:
        assert answer.read(1)
        server.process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        assert server.process.poll() is None
        begun = time.monotonic()
        assert server.stop(signal.SIGINT) == 0
        assert time.monotonic() - begun < 4
    assert wait_until(lambda: not bare.processes("long"), 1)
    assert "Traceback" not in server.process.stderr.read()


def test_sighup_reads_the_site_anew_and_what_runs_goes_on(serving, bare, wait_until):
    bare.add("short", SLOW.format(seconds=1.5))
    server = serving("--port", "0", "--config", bare.config)

    def name() -> str:
        with fetch(f"{server.base}?server=id") as answer:
            return answer.read().decode()

    config = Path(bare.config)
    assert "Bare" in name()
    with fetch(f"{server.base}source/short/flex?{DAY}") as answer:
        config.write_text(config.read_text(encoding="utf-8").replace("Bare", "Renamed"), encoding="utf-8")
        server.process.send_signal(signal.SIGHUP)
        assert wait_until(lambda: "Renamed" in name(), 5)
        assert answer.read().count(b":01:2020") == 10
    good = config.read_text(encoding="utf-8")
    config.write_text("nonsense", encoding="utf-8")
    server.process.send_signal(signal.SIGHUP)
    assert wait_until(lambda: "the old configuration stays" in server.process.stderr.readline(), 5)
    assert "Renamed" in name()
    config.write_text(good, encoding="utf-8")
    assert server.stop() == 0


def test_the_same_data_come_by_the_socket(serving, examples):
    server = serving("--port", "0", "--config", examples.config)
    place = socket_of(examples)
    assert stat.S_IMODE(Path(place).stat().st_mode) == 0o660
    query = "time=2017-01-01/2017-01-02"
    with fetch(f"{server.base}source/Examples/Random/data.csv?{query}") as answer:
        body = answer.read()
    got = bytearray()
    asked = {"REQUEST_METHOD": "GET", "PATH_INFO": "/source/Examples/Random/data.csv", "QUERY_STRING": query}
    assert hand_over(place, asked, got.extend)
    head, _, data = bytes(got).partition(b"\r\n\r\n")
    assert head.startswith(b"Status: 200 OK\r\n")
    assert data == body
    assert server.stop() == 0
    assert not Path(place).exists()


def test_without_the_socket_there_is_none(serving, bare):
    server = serving("--port", "0", "--no-socket", "--config", bare.config)
    assert not Path(socket_of(bare)).exists()
    assert server.stop() == 0


def test_of_two_servers_of_a_root_the_first_has_the_socket(serving, bare):
    first = serving("--port", "0", "--config", bare.config)
    second = serving("--port", "0", "--config", bare.config)
    assert second.stop() == 0
    assert "another server listens" in said(second)[0]
    assert Path(socket_of(bare)).exists()
    assert first.stop() == 0


def test_a_socket_that_a_killed_server_left_is_replaced(serving, bare):
    first = serving("--port", "0", "--config", bare.config)
    first.process.kill()
    first.process.wait(10)
    assert Path(socket_of(bare)).exists()
    second = serving("--port", "0", "--config", bare.config)
    assert hand_over(socket_of(bare), {"REQUEST_METHOD": "GET", "PATH_INFO": "/id.txt"}, lambda _data: None)
    assert second.stop() == 0
    assert said(second) == []


def test_nothing_is_left_a_second_after_a_cgi_program_has_gone(serving, bare, wait_until):
    bare.add("silent", "grandchild(); headers(); records(5); time.sleep(600)")
    server = serving("--port", "0", "--config", bare.config)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(20)
        client.connect(socket_of(bare))
        client.sendall(request_of(source_of("silent")))
        assert client.recv(100)
        assert wait_until(lambda: len(bare.processes("silent")) == 2)
    begun = time.monotonic()
    assert wait_until(lambda: not bare.processes("silent"), 3)
    assert time.monotonic() - begun < 1.5
    assert server.stop() == 0
    assert "Traceback" not in server.process.stderr.read()


@pytest.mark.parametrize("how", [["--http1.1"], []], ids=["http", "socket"])
def test_a_reader_that_dies_after_200_kb_is_seen(serving, bare, how):
    bare.add("dies", "headers(); records(6000); time.sleep(0.2); sys.exit(1)")
    server = serving("--port", "0", "--config", bare.config)
    if how:
        url = f"{server.base}source/dies/data.csv?{DAY}"
        done = subprocess.run(["curl", "-s", *how, "-o", "/dev/null", url], check=False, timeout=30)
        assert done.returncode == 18
    else:
        got = bytearray()
        with pytest.raises(ConnectionResetError):
            hand_over(socket_of(bare), source_of("dies", PATH_INFO="/source/dies/data.csv"), got.extend)
        assert len(got) > 100_000
    assert server.stop() == 0
    assert "Traceback" not in server.process.stderr.read()


def test_metrics_and_health_can_be_asked(serving, examples, free_port):
    port = free_port()
    server = serving("--port", "0", "--no-socket", "--metrics-port", str(port), "--config", examples.config)
    with fetch(f"{server.base}health") as answer:
        assert answer.status == 200
    with fetch(f"{server.base}source/examples/random/data.csv?time=2017-01-01/2017-01-02") as answer:
        size = len(answer.read())
    with fetch(f"http://127.0.0.1:{port}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    assert 'dasflex_requests_total{kind="health",status="2xx"} 1.0' in lines
    assert f'dasflex_sent_bytes_total{{kind="data"}} {float(size)}' in lines
    assert any(line.startswith('dasflex_unfinished_answers_total{why="left"}') for line in lines)
    assert server.stop() == 0


def test_port_80_of_a_loopback_address_serves_clients_that_know_no_other(serving, examples):
    try:
        socket.create_server(("127.0.0.80", 80)).close()
    except OSError as error:
        pytest.skip(f"port 80 of 127.0.0.80 cannot be listened on here: {error.strerror}")
    server = serving("--host", "127.0.0.80", "--port", "80", "--no-socket", "--config", examples.config)
    assert server.base == "http://127.0.0.80:80/"
    with fetch("http://127.0.0.80/id.txt") as answer:
        assert answer.status == 200


@pytest.mark.slow
def test_slow_clients_hold_their_readers_up_and_nobody_else(serving, bare):
    bare.add("endless", "headers()\nwhile True: records(20000)")
    server = serving("--port", "0", "--no-socket", "--workers", "12", "--config", bare.config)
    place = urlsplit(server.base)

    def memory() -> int:
        status = Path(f"/proc/{server.process.pid}/status").read_text(encoding="ascii")
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) << 10

    before = memory()
    slow = [socket.create_connection((place.hostname, place.port), timeout=20) for _ in range(8)]
    for each in slow:
        each.sendall(f"GET /source/endless/flex?{DAY} HTTP/1.0\r\n\r\n".encode())
        assert each.recv(1000)
    taken = []

    def take() -> None:
        with socket.create_connection((place.hostname, place.port), timeout=20) as fast:
            fast.sendall(f"GET /source/endless/flex?{DAY} HTTP/1.0\r\n\r\n".encode())
            end = time.monotonic() + 2
            while time.monotonic() < end:
                taken.append(len(fast.recv(1 << 20)))

    thread = threading.Thread(target=take)
    thread.start()
    while thread.is_alive():
        for each in slow:
            assert each.recv(10_000)
        time.sleep(0.1)
    assert sum(taken) > 5_000_000
    assert memory() - before < 150 << 20
    for each in slow:
        each.close()

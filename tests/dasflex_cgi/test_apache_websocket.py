# SPDX-License-Identifier: GPL-3.0-or-later
"""The WebSocket daemon behind a real Apache, as administrators have it: data, errors, addresses and close codes pass."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

pytestmark = pytest.mark.integration
DAY = "time=2020-01-01/2020-01-02"


@dataclass
class Behind:
    """A daemon, its own address, and the one that it has by Apache."""

    process: subprocess.Popen[str]
    direct: str
    public: str


@pytest.fixture
def served(apache, bare):
    """Starts the daemon of a root that has sources, with an Apache in front."""
    bare.add("levels", "headers(); records(9000)")
    bare.add("breaks", "headers(); records(9000); time.sleep(0.2); sys.exit(1)")
    bare.add("endless", "headers()\nwhile True:\n    records(10); time.sleep(0.05)")
    processes = []

    def start(*lines: str) -> Behind:
        with open(bare.config, "a", encoding="utf-8") as config:  # noqa: PTH123  it is a text
            config.write("\n".join(("", *lines, "")))
        process = subprocess.Popen(
            [sys.executable, "-m", "dasflex_ws", "127.0.0.1", "0", "-c", bare.config], stdout=subprocess.PIPE, text=True
        )
        processes.append(process)
        direct = process.stdout.readline().split()[3]
        front = apache(bare.root, websocket=direct)
        return Behind(process, direct, f"ws{front.base.removeprefix('http')}dasws/")

    yield start
    for each in processes:
        each.kill()
        each.communicate()


def received(url: str, **more) -> tuple[bytes, int]:
    """All that comes until the close, and its code."""
    got = b""
    with connect(url, open_timeout=30, **more) as connection, suppress(ConnectionClosed):
        while True:
            data = connection.recv(timeout=30)
            got += data.encode() if isinstance(data, str) else data
    return got, connection.protocol.close_code


def test_data_pass_unchanged_and_the_close_says_that_they_are_whole(served):
    behind = served()
    data, code = received(f"{behind.public}levels/flexRT?{DAY}")
    assert code == 1000
    assert data.count(b"2020-01-01T") == 9000
    assert data == received(f"{behind.direct}levels/flexRT?{DAY}")[0]


def test_a_reader_that_dies_is_told_by_the_stream_and_the_code(served):
    behind = served()
    data, code = received(f"{behind.public}breaks/flexRT?{DAY}")
    assert code == 1011
    assert data.count(b"2020-01-01T") == 9000
    assert b'<exception type="ServerError"' in data


def test_the_end_of_the_daemon_is_told_by_the_code(served):
    behind = served()
    with connect(f"{behind.public}endless/flexRT?{DAY}", open_timeout=30) as connection:
        assert connection.recv(timeout=30)
        behind.process.send_signal(signal.SIGTERM)
        with suppress(ConnectionClosed):
            while True:
                connection.recv(timeout=30)
    assert connection.protocol.close_code == 1001
    assert behind.process.wait(timeout=30) == 0


@pytest.mark.parametrize(
    ("path", "status"), [("nothing/flexRT?" + DAY, 404), ("levels/flexRT?bogus=1", 400), ("levels/flexRT", 400)]
)
def test_a_refusal_is_a_status_with_an_exception_of_das(served, path, status):
    with pytest.raises(InvalidStatus) as refused:
        received(f"{served().public}{path}")
    assert refused.value.response.status_code == status
    assert b"<exception" in refused.value.response.body


class TestAddress:
    """Whose request it is, by the name of the log that it is written to."""

    def clients(self, bare) -> set[str]:
        return {path.name.partition("_")[0] for path in (bare.root / "log").glob("127.*.log")}

    def ask(self, url: str, client: str, **headers: str) -> None:
        received(f"{url}levels/flexRT?{DAY}", source_address=(client, 0), additional_headers=headers)

    def test_it_is_what_a_server_in_front_says(self, served, bare, wait_until):
        behind = served('WEBSOCKET_PROXIES = "127.0.0.1"')
        self.ask(behind.public, "127.0.0.9")
        assert wait_until(lambda: self.clients(bare) == {"127.0.0.9"})

    def test_the_last_address_counts_which_the_server_in_front_has_seen_itself(self, served, bare, wait_until):
        behind = served('WEBSOCKET_PROXIES = "127.0.0.1"')
        self.ask(behind.public, "127.0.0.9", **{"X-Forwarded-For": "127.0.0.66"})
        assert wait_until(lambda: self.clients(bare) == {"127.0.0.9"})

    def test_a_server_that_is_not_configured_is_the_client_itself(self, served, bare, wait_until):
        behind = served('WEBSOCKET_PROXIES = ""')
        self.ask(behind.public, "127.0.0.9")
        assert wait_until(lambda: self.clients(bare) == {"127.0.0.1"})

    def test_nobody_else_is_believed(self, served, bare, wait_until):
        behind = served('WEBSOCKET_PROXIES = "127.0.0.1"')
        self.ask(behind.direct, "127.0.0.9", **{"X-Forwarded-For": "127.0.0.66"})
        assert wait_until(lambda: self.clients(bare) == {"127.0.0.9"})

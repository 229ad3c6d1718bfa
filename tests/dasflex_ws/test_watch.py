# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex watch`, as a process: where the data come from, what is shown in a terminal and elsewhere, how it ends."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import trio
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import serve

import dasflex_core
from dasflex_core.roots import make_root
from dasflex_ws.watch import addresses

DASFLEX = str(Path(sys.executable).with_name("dasflex"))
READER = Path(__file__).resolve().parents[2] / "examples" / "Live" / "reader.py"
EVERYWHERE = "0.0.0.0"  # noqa: S104  as an administrator may write it
PAST = "2025-11-23T09:00:00/2025-11-23T09:00:01"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A root with the examples, at whose WebSocket port nobody listens."""
    made = make_root(tmp_path_factory.mktemp("watch") / "root", "Watch")
    text = made.file.read_text(encoding="utf-8")
    made.file.write_text(
        f"{text}\nWEBSOCKET_IFACE = '127.0.0.1'\nWEBSOCKET_PORT = 1\nWEBSOCKET_URI = 'ws://127.0.0.1:1/dasws'\n",
        encoding="utf-8",
    )
    return made.root


@pytest.fixture
def daemon():
    """A server of the `websockets` package that sends a second of the receiver: its address, and what it was asked."""
    asked = []

    def answer(connection):
        asked.append(connection.request.path)
        command = [sys.executable, READER, "--channels=32", *PAST.split("/")]
        try:
            connection.send(subprocess.run(command, capture_output=True, check=True).stdout)
            if "missing" in connection.request.path:
                connection.close(1011, "the reader died")
        except ConnectionClosed:
            pass

    with serve(answer, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}", asked
        server.shutdown()
        thread.join()


def run(root, *arguments):
    command = [DASFLEX, "watch", *arguments, "--root", str(root)]
    return subprocess.run(command, capture_output=True, timeout=60, check=False, text=True)


def test_without_a_daemon_the_plan_runs_here_and_that_is_said(root):
    done = run(root, "Examples/Live", PAST)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 10
    assert done.stdout.startswith("2025-11-23T09:00:00.000  psd=")
    assert done.stderr == "dasflex: note: no WebSocket daemon has it at 127.0.0.1:1, so the plan runs here\n"


def test_a_live_source_is_watched_from_now_on_until_there_is_enough(root):
    done = run(root, "Examples/Live", "read.channels=16", "read.rate=50", "--count", "5")
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 5
    assert "(16)" in done.stdout
    assert run(root, "Examples/Live", "--seconds", "1").returncode == 0


def test_a_daemon_that_answers_is_asked_what_was_asked(root, daemon):
    url, asked = daemon
    done = run(root, "Examples/Live", "read.rate=7", "--url", f"{url}/dasws/x/flexRT")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 10
    assert asked == ["/dasws/x/flexRT?read.rate=7&read.time.max=forever&read.time.min=now"]


def test_a_daemon_that_is_named_and_does_not_answer_is_a_failure(root):
    done = run(root, "Examples/Live", "--url", "ws://127.0.0.1:1/x")
    assert done.returncode == 5
    assert "cannot be reached" in done.stderr


def test_a_stream_that_fails_is_a_failure(root, daemon):
    done = run(root, "Examples/Live", PAST, "--url", f"{daemon[0]}/missing")
    assert done.returncode == 5
    assert len(done.stdout.splitlines()) == 10
    assert "the reader died" in done.stderr


def test_what_no_plugin_decodes_is_shown_as_it_comes(root):
    done = run(root, "Examples/Random", "2017-01-01/2017-01-02", "format.type=csv")
    assert done.stdout.startswith("time,random\n2017-01-01T")


def test_a_wrong_parameter_is_told_before_anything_is_asked(root):
    done = run(root, "Examples/Live", "read.rat=3")
    assert done.returncode == 2
    assert "Did you mean read.rate" in done.stderr


def test_a_closed_output_ends_it_quietly_and_its_reader_with_it(root):
    command = [DASFLEX, "watch", "Examples/Live", "read.rate=50", "--root", str(root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout.readline()
        process.stdout.close()
        assert process.wait(30) == 0
        assert process.stderr.read().count(b"\n") == 1


def in_a_terminal(root, *words, until: bytes = b"") -> tuple[int, bytes]:
    """The exit code of `dasflex watch` in a terminal, and what it showed; interrupted when it has shown something."""
    terminal, inner = pty.openpty()
    command = [DASFLEX, "watch", *words, "--root", str(root)]
    size = {**os.environ, "COLUMNS": "80", "LINES": "24"}
    with subprocess.Popen(command, stdin=inner, stdout=inner, stderr=inner, env=size) as process:
        os.close(inner)
        shown = b""
        while until and until not in shown:
            shown += os.read(terminal, 65536)
        if until:
            process.send_signal(signal.SIGINT)
        with suppress(OSError):  # the other end is closed
            while more := os.read(terminal, 65536):
                shown += more
        os.close(terminal)
    return process.returncode, shown


def test_in_a_terminal_it_draws_until_ctrl_c_and_gives_the_screen_back(root):
    code, shown = in_a_terminal(root, "Examples/Live", until="█".encode())
    assert code == 0
    assert b"Examples/Live" in shown
    assert b"lag " in shown
    assert b"temperature" in shown
    assert shown.count(b"\x1b[?1049h") == shown.count(b"\x1b[?1049l") == 1
    assert b"temperature" not in shown.partition(b"\x1b[?1049l")[2]


def test_what_has_come_to_its_end_stays_to_be_seen_in_the_terminal(root):
    code, shown = in_a_terminal(root, "Examples/Live", PAST)
    assert code == 0
    assert b"temperature" in shown.partition(b"\x1b[?1049l")[2]


@pytest.mark.parametrize(
    ("facts", "found"),
    [
        ({"websocket_port": 2}, ["ws://localhost:2/dasws/a/b/flexRT", "ws://127.0.0.1:8080/dasws/a/b/flexRT"]),
        ({"websocket_uri": "wss://x.org/live/"}, ["ws://localhost:52242/dasws/a/b/flexRT", "wss://x.org/live/a/b/flexRT"]),
        ({"websocket_iface": "::", "websocket_ssl": True, "websocket_uri": "wss://[::1]:52242/dasws"},
         ["wss://[::1]:52242/dasws/a/b/flexRT"]),
        ({"websocket_iface": EVERYWHERE, "server_url": "https://x.org/das/"},
         ["ws://127.0.0.1:52242/dasws/a/b/flexRT", "wss://x.org/das/dasws/a/b/flexRT"]),
    ],
)  # fmt: skip
def test_the_site_s_own_daemon_is_where_it_listens_and_where_the_public_finds_it(tmp_path, facts, found):
    make_root(tmp_path / "root", "Places", examples=False)
    site = dasflex_core.open(tmp_path / "root")
    assert addresses(replace(site, config=replace(site.config, **facts)), "A/b") == found


def test_a_server_that_does_not_have_the_source_is_not_the_site_s_own(root, tmp_path):
    """Somebody else's daemon may listen on the usual port."""

    def refuse(connection, _request):
        return connection.respond(404, "there is nothing")

    with serve(lambda _connection: None, "127.0.0.1", 0, process_request=refuse) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        port = server.socket.getsockname()[1]
        make_root(tmp_path / "other", "Other")
        file = tmp_path / "other" / "etc" / "dasflex.conf"
        more = f"WEBSOCKET_IFACE = '127.0.0.1'\nWEBSOCKET_PORT = {port}\nWEBSOCKET_URI = 'ws://127.0.0.1:1/'\n"
        file.write_text(file.read_text(encoding="utf-8") + more, encoding="utf-8")
        done = run(tmp_path / "other", "Examples/Live", PAST)
        server.shutdown()
        thread.join()
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 10)
    assert f"at 127.0.0.1:{port} or 127.0.0.1:1," in done.stderr


def test_who_stops_watching_does_not_wait_for_an_answer_that_nobody_receives(daemon, monkeypatch):
    from dasflex_ws import client

    monkeypatch.setattr(client, "DISCONNECT", 300.0)
    place, _asked = daemon

    async def work():
        with trio.fail_after(60), trio.CancelScope() as scope:
            async with client.connected(client.address_of(f"{place}/endless")):
                scope.cancel()
                await trio.sleep_forever()

    trio.run(work)

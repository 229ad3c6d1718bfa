# SPDX-License-Identifier: GPL-3.0-or-later
"""The daemon as a process, by RFC 6455: a second implementation as its client, and raw sockets where that is too polite.

What it sends is what `dasflex get` gives, byte for byte.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest
from websockets.exceptions import InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.sync.client import connect

import dasflex_core
from dasflex_core.errors import AccessError

BIN = Path(sys.executable).parent
LIVE = "/dasws/examples/live/flexRT"
PAST = {"read.time.min": "2025-11-23T09:00:00", "read.time.max": "2025-11-23T09:00:05"}
NOW = {"read.time.min": "now", "read.time.max": "forever", "read.channels": "16", "read.rate": "50"}
SOURCES = [f"Examples/{name}" for name in ("Auth", "Ephemeris", "Live", "Params", "Random", "Spectra", "Waveform")]
KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # RFC 6455, 1.3
PACKET = re.compile(rb"\|([A-Z][a-z])\|(\d*)\|(\d+)\|")
FORMATS = {
    "its own": {},
    "csv": {"format.type": "csv"},
    "json": {"format.type": "json"},
    "das3": {"format.type": "das", "format.version": "3", "format.serial": "text"},
}


class Daemon:
    """A daemon of a root at a port."""

    def __init__(self, root: Path) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]
        environment = {name: value for name, value in os.environ.items() if name != "DASFLEX_VOYAGER_DATA"}
        command = [BIN / "dasflex_websocd", "127.0.0.1", str(self.port), "-c", root]
        self.process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)
        self.root = root
        self.url = f"ws://127.0.0.1:{self.port}"
        wait_for(self.listens)

    def listens(self):
        assert self.process.poll() is None, self.process.stderr.read().decode()
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
        except OSError:
            return False
        return True

    def connect(self, path, pairs=(), **how):
        """A connection of the second implementation, which asks for no compression and takes messages of any size."""
        how = {"compression": None, "max_size": None, "open_timeout": 60, "close_timeout": 30, "proxy": None} | how
        return connect(f"{self.url}{path}?{urlencode(dict(pairs))}", **how)

    def received(self, path, pairs):
        """All messages of an answer, and the code of the close."""
        with self.connect(path, pairs) as connection:
            found = list(connection)
        return found, connection.close_code

    @contextmanager
    def raw(self, path, pairs=(), opening=None, headers=""):
        """A plain socket that was upgraded, and what came behind the answer's head."""
        query = urlencode(dict(pairs))
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as connection:
            connection.sendall(opening or handshake(f"{path}?{query}", headers).encode())
            yield connection


def handshake(target, more="", *, version="13", key=KEY, method="GET", upgrade="websocket"):
    """The opening of a client, RFC 6455, 4.1."""
    lines = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1", f"Upgrade: {upgrade}", "Connection: keep-alive, Upgrade"]
    lines += [f"Sec-WebSocket-Key: {key}"] if key else []
    lines += [f"Sec-WebSocket-Version: {version}"] if version else []
    return "\r\n".join([*lines, *([more] if more else []), "", ""])


def wait_for(condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def head_of(connection):
    """The head of the answer, and what came with it."""
    received = b""
    while b"\r\n\r\n" not in received:
        piece = connection.recv(65536)
        assert piece, received
        received += piece
    head, _, rest = received.partition(b"\r\n\r\n")
    return head.decode("latin-1"), rest


def frames_of(connection, rest=b""):
    """The frames that a server sends, until it closes the connection."""
    while True:
        while len(rest) >= 2:
            length, at = rest[1], 2
            if length in (126, 127):
                at = 4 if length == 126 else 10
                if len(rest) < at:
                    break
                length = int.from_bytes(rest[2:at], "big")
            if len(rest) < at + length:
                break
            assert not rest[0] & 0x70, "no reserved bit is set"
            assert rest[0] & 0x80, "no frame is a fragment"
            yield rest[0] & 15, rest[at : at + length]
            rest = rest[at + length :]
        try:
            piece = connection.recv(65536)
        except ConnectionResetError:
            piece = b""
        if not piece:
            return
        rest += piece


def closing(connection):
    """The code of the close that comes, whatever else comes before it; None where there is none."""
    _head, rest = head_of(connection)
    for kind, body in frames_of(connection, rest):
        if kind == Opcode.CLOSE:
            return struct.unpack("!H", body[:2])[0]
    return None


def masked(first, payload=b"", mask=b"\x01\x02\x03\x04"):
    """A frame of a client; `first` is its whole first byte."""
    size = len(payload)
    length = bytes([0x80 | size]) if size < 126 else bytes([0xFE]) + struct.pack("!H", size)
    return bytes([first]) + length + mask + bytes(each ^ mask[place % 4] for place, each in enumerate(payload))


@pytest.fixture(scope="module")
def daemon(bare_root):
    made = Daemon(bare_root)
    yield made
    made.process.send_signal(signal.SIGTERM)
    _, said = made.process.communicate(timeout=60)
    assert made.process.returncode == 0
    assert b"Traceback" not in said


# -- the opening, RFC 6455, 4


def test_the_answer_to_the_opening_proves_that_it_was_read(daemon):
    with daemon.raw(LIVE, PAST) as connection:
        head, _ = head_of(connection)
    status, *lines = head.split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    assert status.startswith("HTTP/1.1 101 ")
    expected = hashlib.sha1(f"{KEY}258EAFA5-E914-47DA-95CA-C5AB0DC85B11".encode(), usedforsecurity=False).digest()
    assert headers["sec-websocket-accept"] == base64.b64encode(expected).decode()
    assert headers["upgrade"].lower() == "websocket"
    assert "sec-websocket-extensions" not in headers
    assert "sec-websocket-protocol" not in headers


def test_an_opening_that_comes_byte_by_byte_is_read(daemon):
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=30) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for each in handshake(f"{LIVE}?{urlencode(PAST)}").encode():
            connection.sendall(bytes([each]))
        assert head_of(connection)[0].startswith("HTTP/1.1 101 ")


@pytest.mark.parametrize(
    ("opening", "status"),
    [
        (handshake(LIVE, version="8"), "426"),
        (handshake(LIVE, key=""), "400"),
        (handshake(LIVE, key="short"), "400"),
        (f"GET {LIVE} HTTP/1.1\r\nHost: x\r\n\r\n", "426"),
        ("nonsense\r\n\r\n", "400"),
    ],
    ids=["version", "no key", "wrong key", "no upgrade", "no HTTP"],
)
def test_an_opening_that_is_none_is_refused_by_http(daemon, opening, status):
    with daemon.raw(LIVE, opening=opening.encode()) as connection:
        head, _ = head_of(connection)
    assert head.split()[1] == status
    if "13" not in opening and status == "426" and "Sec-WebSocket" in opening:
        assert re.search(r"sec-websocket-version: *13", head, re.IGNORECASE)


@pytest.mark.parametrize(("offered", "chosen"), [(None, None), (["request"], "request"), (["a", "request"], "request")])
def test_the_sub_protocol_is_request_or_none(daemon, offered, chosen):
    with daemon.connect(LIVE, PAST, subprotocols=offered) as connection:
        assert connection.subprotocol == chosen


# -- frames, RFC 6455, 5


def test_pings_are_answered_with_what_was_in_them_while_data_flow(daemon):
    with daemon.connect(LIVE, NOW) as connection:
        for payload in (b"", b"x", bytes(range(125))):
            assert connection.ping(payload).wait(30)
        assert connection.recv(30)


def test_a_pong_that_was_not_asked_for_is_ignored(daemon):
    with daemon.connect(LIVE, NOW) as connection:
        connection.pong(b"unasked")
        assert connection.ping().wait(30)


def test_messages_of_the_client_whole_and_in_fragments_are_ignored(daemon):
    with daemon.connect(LIVE, NOW) as connection:
        connection.send("text")
        connection.send(b"\x00")
        connection.send(["in ", "three ", "parts"])
        assert connection.ping().wait(30)


def test_a_ping_between_fragments_is_answered(daemon):
    with daemon.raw(LIVE, NOW) as connection:
        _, rest = head_of(connection)
        connection.sendall(masked(0x01, b"one") + masked(0x89, b"here") + masked(0x80, b"two"))
        kinds = []
        for kind, body in frames_of(connection, rest):
            kinds.append(kind)
            if kind == Opcode.PONG:
                assert body == b"here"
                break
        assert kinds[-1] == Opcode.PONG


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (Frame(Opcode.TEXT, b"x").serialize(mask=False), 1002),
        (masked(0x83), 1002),
        (masked(0xC1, b"x"), 1002),
        (masked(0x89, bytes(126)), 1002),
        (masked(0x09, b"x"), 1002),
        (masked(0x80, b"x"), 1002),
        (masked(0x01, b"x") + masked(0x81, b"y"), 1002),
        (masked(0x81, b"\xff\xfe"), 1007),
        (masked(0x88, struct.pack("!H", 1005)), 1002),
        (masked(0x88, b"\x03"), 1002),
    ],
    ids=[
        "not masked", "unknown kind", "reserved bit", "long ping", "ping in fragments", "nothing to continue",
        "a message in a message", "no UTF-8", "code that nobody sends", "half a code",
    ],
)  # fmt: skip
def test_what_breaks_the_protocol_is_closed_with_its_code(daemon, sent, code):
    with daemon.raw(LIVE, NOW) as connection:
        connection.sendall(sent)
        assert closing(connection) == code


def test_a_message_that_is_too_big_is_closed_with_1009(daemon):
    with daemon.raw(LIVE, NOW) as connection:
        connection.sendall(bytes([0x82, 0xFF]) + struct.pack("!Q", 1 << 40) + bytes(4) + bytes(1 << 20))
        assert closing(connection) == 1009


@pytest.mark.parametrize("code", [1000, 1001, 3000, 4999])
def test_the_close_of_a_client_is_answered_with_its_code(daemon, code):
    with daemon.raw(LIVE, NOW) as connection:
        connection.sendall(masked(0x88, struct.pack("!H", code) + b"bye"))
        assert closing(connection) == code


def test_a_close_without_a_code_is_answered(daemon):
    with daemon.raw(LIVE, NOW) as connection:
        _, rest = head_of(connection)
        connection.sendall(masked(0x88))
        assert [kind for kind, _ in frames_of(connection, rest)][-1] == Opcode.CLOSE


# -- messages


def whole_packets(data):
    """The tags of the das3 packets of a message, which ends where a packet ends."""
    tags, at = [], 0
    while at < len(data):
        found = PACKET.match(data, at)
        assert found, data[at : at + 40]
        at = found.end() + int(found[3])
        tags.append(found[1])
    assert at == len(data)
    return tags


def test_messages_hold_whole_packets_and_at_most_64_kib(daemon):
    asked = {**PAST, "read.channels": "1024", "read.rate": "200", "read.time.max": "2025-11-23T09:00:10"}
    found, code = daemon.received(LIVE, asked)
    assert code == 1000
    assert all(isinstance(each, bytes) for each in found)
    tags = [whole_packets(each) for each in found]
    assert max(map(len, found)) <= 65536
    assert [tag for each in tags for tag in each].count(b"Pd") == 2000
    reader = [sys.executable, daemon.root / "definitions" / "Examples" / "Live" / "reader.py", "--rate=200"]
    times = [asked["read.time.min"], asked["read.time.max"]]
    alone = subprocess.run([*reader, "--channels=1024", *times], capture_output=True, check=True).stdout
    assert b"".join(found) == alone
    assert len(found) < 400, "small packets share messages"


def test_text_formats_are_text_messages_that_end_with_a_line(daemon):
    for kind in ({"format.type": "csv"}, {"format.serial": "text"}):
        found, code = daemon.received(LIVE, {**PAST, **kind})
        assert code == 1000
        assert all(isinstance(each, str) for each in found)
        assert all(each.endswith("\n") for each in found)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", SOURCES)
def test_every_example_is_what_dasflex_get_gives_byte_for_byte(daemon, name, form, monkeypatch):
    monkeypatch.delenv("DASFLEX_VOYAGER_DATA", raising=False)
    source = dasflex_core.open(daemon.root)[name]
    for example in source.examples:
        pairs = dict(example.pairs) | FORMATS[form]
        if pairs.get("read.time.max") == "forever":
            continue
        request = source.site.request(name, tuple(pairs.items()))
        try:
            expected = b"".join(request.plan().run())
        except AccessError:
            with pytest.raises(InvalidStatus) as refused:
                daemon.connect(f"/dasws/{name.lower()}/flexRT", pairs)
            assert refused.value.response.status_code == 401
            continue
        found, code = daemon.received(f"/dasws/{name.lower()}/flexRT", pairs)
        assert code == 1000
        assert b"".join(each.encode() if isinstance(each, str) else each for each in found) == expected


@pytest.mark.parametrize("path", ["/dasws/Examples/Live/flexRT", "/source/examples/live/flex", "/EXAMPLES/live/FLEXRT"])
def test_a_source_is_found_under_each_of_its_addresses(daemon, path):
    found, code = daemon.received(path, PAST)
    assert code == 1000
    assert b"".join(found) == b"".join(daemon.received(LIVE, PAST)[0])


# -- failures


@pytest.mark.parametrize(
    ("path", "pairs", "status"),
    [
        ("/dasws/examples/nosuch/flexRT", {}, 404),
        ("/elsewhere", {}, 404),
        (LIVE, {"read.nosuch": "1"}, 400),
        (LIVE, {**PAST, "read.rate": "0"}, 400),
        (LIVE, {**PAST, "format.type": "bogus"}, 400),
        ("/dasws/examples/auth/flexRT", {}, 401),
        ("/dasws/examples/random/flexRT", {"read.time.min": "2017-01-01", "read.time.max": "forever"}, 400),
    ],
)
def test_what_cannot_be_is_refused_before_the_upgrade_with_a_das_exception(daemon, path, pairs, status):
    with pytest.raises(InvalidStatus) as refused:
        daemon.connect(path, pairs)
    answer = refused.value.response
    assert answer.status_code == status
    assert b"<exception" in answer.body
    assert b"Traceback" not in answer.body
    assert str(daemon.root).encode() not in answer.body


# -- the issue's own command


def test_the_program_writes_the_spectra_of_the_bow_shock_as_text(daemon):
    times = ["read.time.min=1979-03-01T12:26:11", "read.time.max=1979-03-01T12:29:24"]
    words = [*times, "format.serial=text"]
    command = [BIN / "dasflex_wsclient", f"{daemon.url}/dasws/examples/spectra/flexRT", *words]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")
    environment = {name: value for name, value in os.environ.items() if name != "DASFLEX_VOYAGER_DATA"}
    local = subprocess.run(
        [BIN / "dasflex", "get", "Examples/Spectra", *words, "--root", daemon.root],
        capture_output=True, check=True, env=environment,
    )  # fmt: skip
    assert done.stdout == local.stdout
    assert done.stdout.startswith(b"[00]")
    assert len(done.stdout) > 10_000


def test_what_is_watched_is_what_the_daemon_sends(daemon):
    options = ["read.channels=16", "read.rate=50", "--count", "4", "--root", daemon.root]
    command = [BIN / "dasflex", "watch", "Examples/Live", "--url", f"{daemon.url}{LIVE}", *options]
    done = subprocess.run(command, capture_output=True, check=False, timeout=60, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 4


def test_watchers_of_one_live_source_see_the_same_records_from_one_reader(daemon):
    with daemon.connect(LIVE, NOW) as one, daemon.connect(LIVE, NOW) as other:
        seen = [b"".join(connection.recv(30) for _ in range(20)) for connection in (one, other)]
    records = [{found.start(): found for found in PACKET.finditer(each)} for each in seen]
    assert all(records)
    times = [set(re.findall(rb"\|Pd\|1\|76\|(.{8})", each, re.DOTALL)) for each in seen]
    assert times[0] & times[1]
    assert all(each.startswith(b"|Sx|") for each in seen)

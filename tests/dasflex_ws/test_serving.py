# SPDX-License-Identifier: GPL-3.0-or-later
"""The server over real sockets: clients that are polite, slow, half gone or hostile, and how each connection ends."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from pathlib import Path
from urllib.parse import urlencode

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus

from dasflex_core.errors import SourceError

DEVICE = "/dasws/lab/device/flexRT"


#: A reader of the past that says where it runs, and then nothing.
SILENT = """
[[reader]]
name = "archive"
command = "#[python] {folder}/silent.py #[read.time.min] #[read.time.max] #[read.antenna # antenna=@ #]"
writes = "das/3/binary"
"""
PAST = {"time": "2021-01-01/2021-01-02"}


@pytest.fixture
def silent(device):
    """Whether the reader of the past runs; it is started by a request of `PAST`."""
    note = device.folder / "pid"
    (device.folder / "silent.py").write_text(
        f"import os, time\nopen({str(note)!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)\n"
    )
    device.define(readers=SILENT.format(folder=device.folder))

    def runs():
        return note.exists() and note.read_text() and Path("/proc", note.read_text()).exists()

    return runs


def wait_for(condition):
    """Waits until a condition is true; fails when it does not come true."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "it does not come true"
        time.sleep(0.01)


def end_of(connection, taken=None):
    """The close frame with which a connection ends, sooner or later, and the messages before it."""
    taken = [] if taken is None else taken
    try:
        while True:
            taken.append(connection.recv(30))
    except ConnectionClosed as closed:
        return closed.rcvd


def test_a_live_source_without_times_is_followed_from_now_on(served, device, stream):
    server = served()
    with server.connect(DEVICE) as connection:
        found = stream.numbers(b"".join(connection.recv(30) for _each in range(4)))
    assert found == list(range(found[0], found[0] + len(found)))
    assert len(device.starts) == 1


def test_a_server_that_stops_says_so_to_all_and_its_readers_end(served, device):
    server = served()
    with server.connect(DEVICE) as one, server.connect(DEVICE) as other:
        assert one.recv()
        server.begin_stop()
        for each in (one, other):
            assert end_of(each).code == 1001
    server.stop()
    assert server.counted("dasflex_ws_readers") == 0
    assert server.counted("dasflex_ws_clients") == 0


def test_a_stalled_client_does_not_hold_up_the_end(served, device, wire):
    device.tell({"every": 0, "pad": 900_000, "ids": list(range(1, 20))})
    server = served()
    with server.upgraded(DEVICE):
        wait_for(lambda: server.counted("dasflex_ws_clients") == 1)
        server.stop()


def test_a_client_that_leaves_without_a_word_is_noticed_and_logged(served, wire):
    server = served()
    with server.upgraded(DEVICE) as (_connection, file):
        assert wire.read_frame(file)
    wait_for(lambda: server.counted("dasflex_ws_clients") == 0)
    assert f'"{DEVICE}" 101 ' in server.log
    assert " broken " in server.log


def test_a_client_that_leaves_while_the_reader_has_nothing_yet_is_let_go(served, device, wire):
    device.tell({"late": 30, "head": False})
    server = served()
    with server.raw(wire.opening(DEVICE)):
        wait_for(lambda: device.starts)
    wait_for(lambda: " 499 " in server.log)


def test_a_client_that_leaves_before_an_answer_begins_takes_its_reader_along(served, wire, silent):
    server = served()
    with server.raw(wire.opening(f"{DEVICE}?{urlencode(PAST)}")):
        wait_for(silent)
    wait_for(lambda: not silent())
    wait_for(lambda: " 499 " in server.log)


def test_who_has_no_answer_yet_when_the_server_stops_is_told_to_come_again(served, wire, silent):
    server = served()
    with server.raw(wire.opening(f"{DEVICE}?{urlencode(PAST)}")) as connection:
        wait_for(silent)
        server.begin_stop()
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: " in answer
    assert b"<exception" in answer
    server.stop()
    assert not silent()


#: A reader of the past that writes until it is told to stop, or fails after so many packets.
ENDLESS = """
import os, sys
open(sys.argv[1], "w").write(str(os.getpid()))
def packet(tag, number, body):
    return f"|{tag}|{number}|{len(body)}|".encode() + body
head = '<stream type="das-basic-stream" version="3.0" />'
dataset = '<dataset name="d" rank="1" index="*"><coord physDim="time" name="time" axis="x"><scalar use="center" ' \\
    'semantic="datetime" storage="long" index="*" units="us2000"><packet numItems="1" itemBytes="8" ' \\
    'encoding="LEint" /></scalar></coord></dataset>'
out = sys.stdout.buffer
out.write(packet("Sx", "", head.encode()) + packet("Hx", 1, dataset.encode()))
for number in range(int(sys.argv[2])):
    out.write(packet("Pd", 1, number.to_bytes(8, "little")) * 1000)
    out.flush()
sys.exit("the tape broke")
"""


def endless(device, count):
    """The place of the process id of a reader of the past that gives so many thousand packets and then fails."""
    (device.folder / "silent.py").write_text(ENDLESS.replace("\\\\", "\\"))
    command = f"silent.py {device.folder}/pid {count}"
    device.define(readers=SILENT.replace("silent.py", command).format(folder=device.folder))
    return device.folder / "pid"


def test_a_client_that_leaves_in_the_middle_of_an_answer_takes_its_reader_along(served, device, wire):
    note = endless(device, 10**9)
    server = served()
    with server.upgraded(f"{DEVICE}?{urlencode(PAST)}") as (_connection, file):
        assert wire.read_frame(file)
        assert Path("/proc", note.read_text()).exists()
    wait_for(lambda: not Path("/proc", note.read_text()).exists())
    wait_for(lambda: f"{DEVICE}?time=" in server.log)
    assert " broken " in server.log


def test_a_reader_that_fails_in_the_middle_is_told_in_the_stream_and_by_the_code(served, device, stream):
    endless(device, 20)
    server = served()
    taken = []
    with server.connect(DEVICE, PAST) as connection:
        end = end_of(connection, taken)
    assert end.code == 1011
    assert "the tape broke" not in end.reason
    found = stream.packets(b"".join(taken))
    assert sum(tag == "Pd" for tag, _id, _body in found) == 20_000
    assert found[-1][0] == "Ex"
    wait_for(lambda: "source.exit" in server.log)
    assert "the tape broke" in server.log


def test_an_answer_waits_for_a_slow_client_and_is_whole(served, device, wire):
    endless(device, 2000)
    server = served()
    with server.upgraded(f"{DEVICE}?{urlencode(PAST)}") as (_connection, file):
        size = len(wire.read_frame(file)[1])
        time.sleep(0.3)
        kinds = set()
        while (found := wire.read_frame(file))[0] != 8:
            kinds.add(found[0])
            size += len(found[1])
        assert int.from_bytes(found[1][:2]) == 1011
        assert kinds == {2}
        assert size > 2_000_000 * 16


def test_a_client_that_answers_no_ping_is_given_up(served, wire):
    server = served("WEBSOCKET_PING = 0.3")
    with server.upgraded(DEVICE, "X: y") as (connection, file):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        assert wire.read_frame(file)
        wait_for(lambda: server.counted("dasflex_ws_clients") == 0)


def test_a_client_that_answers_pings_stays(served, device):
    device.tell({"every": 5})
    server = served("WEBSOCKET_PING = 0.1")
    with server.connect(DEVICE, ping_interval=None) as connection:
        time.sleep(0.5)
        assert connection.recv(30)
        assert server.counted("dasflex_ws_clients") == 1


def test_a_connection_ends_at_its_greatest_age(served):
    server = served("WEBSOCKET_LIFETIME = 0.3")
    with server.connect(DEVICE) as connection:
        end = end_of(connection)
    assert end.code == 1008
    assert "0.3 s" in end.reason


def test_a_connection_without_data_ends_after_a_time(served, device):
    device.tell({"count": 1, "every": 30})
    server = served("WEBSOCKET_IDLE = 0.3")
    with server.connect(DEVICE) as connection:
        end = end_of(connection)
    assert end.code == 1008


def test_what_a_client_says_too_much_ends_the_connection(served, wire):
    server = served()
    with server.upgraded(DEVICE) as (connection, file):
        threading.Thread(target=_flood, args=(connection, wire.frame(0x82, bytes(60_000)))).start()
        assert wire.read_close(file) == 1008


def _flood(connection, data):
    try:
        for _each in range(100):
            connection.sendall(data)
    except OSError:
        pass  # the server had enough


def test_more_connections_than_there_may_be_are_told_to_come_again(served):
    server = served("WEBSOCKET_CONNECTIONS = 2")
    with server.connect(DEVICE), server.connect(DEVICE):
        with pytest.raises(InvalidStatus) as refused:
            server.connect(DEVICE)
        assert refused.value.response.status_code == 503
        assert refused.value.response.headers["Retry-After"] == "10"
    wait_for(lambda: server.counted("dasflex_ws_clients") == 0)
    with server.connect(DEVICE):
        pass


def test_an_address_has_its_own_limit_and_others_are_not_hindered(served):
    server = served("WEBSOCKET_CONNECTIONS_EACH = 1")
    with server.connect(DEVICE, additional_headers={"X-Forwarded-For": "192.0.2.1"}):
        with pytest.raises(InvalidStatus) as refused:
            server.connect(DEVICE, additional_headers={"X-Forwarded-For": "192.0.2.9, 192.0.2.1"})
        assert refused.value.response.status_code == 503
        with server.connect(DEVICE, additional_headers={"X-Forwarded-For": "192.0.2.1, 192.0.2.2"}):
            pass


def test_a_page_of_another_site_is_refused_where_origins_are_listed(served):
    server = served('WEBSOCKET_ORIGINS = "https://example.edu"')
    with server.connect(DEVICE, origin="https://example.edu"):
        pass
    with server.connect(DEVICE, origin=server.url.replace("ws", "http")):
        pass
    with pytest.raises(InvalidStatus) as refused:
        server.connect(DEVICE, origin="https://evil.example")
    assert refused.value.response.status_code == 403


def test_clients_that_are_reset_at_any_moment_leave_nothing_behind(served, wire, caplog):
    server = served()
    with server.connect(DEVICE) as other:
        for pause in range(40):
            with server.raw(wire.opening(DEVICE)) as connection:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                time.sleep(pause / 4000)
        wait_for(lambda: server.counted("dasflex_ws_clients") == 1)
        assert other.recv(30)
    assert "failed" not in caplog.text


def test_a_failure_behind_the_upgrade_is_told_by_its_code_and_never_as_http(served, device, wire, monkeypatch):
    endless(device, 20)

    async def fail(_pump, _channel):
        raise SourceError("the tape is torn", kind="source.stream")

    monkeypatch.setattr("dasflex_ws.connection.answer", fail)
    server = served()
    with server.upgraded(f"{DEVICE}?{urlencode(PAST)}") as (_connection, file):
        assert wire.read_close(file) == 1011


def test_a_head_that_trickles_in_is_not_waited_for_for_ever(served, monkeypatch, wire):
    monkeypatch.setattr("dasflex_ws.greeting._PATIENCE", 0.3)
    server = served()
    with server.raw(b"GET / HTTP/1.1\r\nHost: ") as connection:
        connection.settimeout(30)
        assert connection.makefile("rb").readline().startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", 200),
        (b"HEAD / HTTP/1.1\r\nHost: h\r\n\r\n", 200),
        (b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n", 426),
        (b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", 405),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: h\r\nA: " + b"a" * 30_000 + b"\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: h\r\nA: " + b"a" * 16_400 + b"\r\n\r\n", 431),
    ],
    ids=["what this is", "its head", "no upgrade", "another method", "no host", "TLS", "too long", "a little too long"],
)
def test_what_is_no_websocket_gets_an_answer_of_http(served, sent, status):
    server = served()
    with server.raw(sent) as connection:
        answer = connection.makefile("rb").read()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    lower = head.lower().split(b"\r\n")
    assert any(each.startswith(b"connection:") and b"close" in each for each in lower)
    length = int(next(each for each in lower if each.startswith(b"content-length: "))[16:])
    assert len(body) == (0 if sent.startswith(b"HEAD") else length) != 1


def test_a_version_that_is_not_spoken_is_told_which_is(served, wire):
    server = served()
    with server.raw(wire.opening(DEVICE, version="8")) as connection:
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 426 ")
    assert b"Sec-WebSocket-Version: 13\r\n" in answer


def test_frames_that_come_with_the_opening_are_read(served, wire):
    server = served()
    with server.raw(wire.opening(DEVICE) + wire.frame(0x89, b"early")) as connection:
        file = connection.makefile("rb")
        while file.readline().strip():
            pass
        while (found := wire.read_frame(file))[0] != 10:
            pass
        assert found[1] == b"early"


def test_a_failure_before_any_data_is_a_status_with_a_das_exception(served, device):
    device.tell({"count": 0, "head": False, "exit": 3})
    server = served()
    with pytest.raises(InvalidStatus) as refused:
        server.connect(DEVICE)
    response = refused.value.response
    assert response.status_code == 500
    assert b"<exception" in response.body
    assert b"reader.py" not in response.body
    wait_for(lambda: "source.exit" in server.log)


def test_a_wrong_ticket_is_refused_and_not_logged(served):
    server = served()
    with pytest.raises(InvalidStatus) as refused:
        server.connect(DEVICE, {"ticket": "12345.abc.secret"})
    assert refused.value.response.status_code == 403
    assert "secret" not in server.log


def test_a_ticket_opens_its_source(served):
    from dasflex_core.tickets import issue, site_key

    server = served()
    ticket = issue(site_key(server.serving.site.config.runtime), "Lab/Device", "anna", time.time())
    with server.connect(DEVICE, {"ticket": ticket}) as connection:
        assert connection.recv(30)


def test_a_server_replaces_its_site_for_new_requests(served, device):
    import dasflex_core

    server = served()
    (device.root / "definitions" / "Lab" / "Device").rename(device.root / "definitions" / "Lab" / "Other")
    device.install()
    server.call(setattr, server.serving, "site", dasflex_core.open(device.root))
    with server.connect("/dasws/Lab/Other/flexRT") as connection:
        assert connection.recv(30)


@pytest.fixture
def certificate(tmp_path):
    """A certificate of 127.0.0.1 that nobody has signed, with its key in one file."""
    import subprocess

    file = tmp_path / "both.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", file, "-out", file.with_suffix(".crt")],
        check=True, capture_output=True,
    )  # fmt: skip
    file.write_bytes(file.read_bytes() + file.with_suffix(".crt").read_bytes())
    return file


def test_over_tls_it_is_the_same(served, certificate, stream):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = served(tls=context)
    trusted = ssl.create_default_context(cafile=certificate.with_suffix(".crt"))
    with server.connect(DEVICE, ssl=trusted) as connection:
        pong = connection.ping()
        found = stream.numbers(b"".join(connection.recv(30) for _each in range(4)))
        assert pong.wait(30)
        assert found == list(range(found[0], found[0] + len(found)))
        server.begin_stop()
        assert end_of(connection).code == 1001


def test_plain_text_to_a_server_of_tls_does_not_disturb_it(served, certificate, wire):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server = served(tls=context)
    with server.raw(wire.opening(DEVICE)) as connection:
        connection.makefile("rb").read()
    trusted = ssl.create_default_context(cafile=certificate.with_suffix(".crt"))
    with server.connect(DEVICE, ssl=trusted) as connection:
        assert connection.recv(30)

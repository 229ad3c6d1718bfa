# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex_wsclient`, as a process, against a server of another implementation: what it writes, says and ends with."""

from __future__ import annotations

import base64
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from http import HTTPStatus
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import serve

from dasflex_core.errors import QueryError
from dasflex_ws.client import address_of
from dasflex_ws.measuring import quantile

CLIENT = str(Path(sys.executable).with_name("dasflex_wsclient"))
READER = Path(__file__).resolve().parents[2] / "examples" / "Live" / "reader.py"
PAST = ("2025-11-23T09:00:00", "2025-11-23T09:00:02")


class Server:
    """A server of the `websockets` package that does what the path of an address says."""

    def __init__(self, context=None):
        self.asked = []
        self.closed = []
        self.headers = {}
        self._server = serve(
            self._answer, "127.0.0.1", 0, process_request=self._refuse, subprotocols=["request"], ssl=context,
            select_subprotocol=lambda _connection, offered: "request" if "request" in offered else None,
        )  # fmt: skip
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        scheme = "wss" if context else "ws"
        self.url = f"{scheme}://127.0.0.1:{self._server.socket.getsockname()[1]}"

    def _refuse(self, connection, request):
        parts = urlsplit(request.path)
        self.asked.append((parts.path, parse_qsl(parts.query, keep_blank_values=True)))
        self.headers = request.headers
        if parts.path.startswith("/refused/"):
            status, _, body = parts.path.removeprefix("/refused/").partition("/")
            texts = {
                "das2": '[xx]000074<exception type="QueryError" message="There is no &lt;x&gt; &amp; y" />\n',
                "das3": '|Ex||60|<exception type="QueryError">Try   another\nday</exception>',
                "page": "<html><body>502 from a proxy</body></html>",
                "plain": "not so\n",
            }
            answer = connection.respond(HTTPStatus(int(status)), texts[body])
            if int(status) == 503:
                answer.headers["Retry-After"] = "7"
            return answer
        return None

    def _answer(self, connection):
        path = urlsplit(connection.request.path).path
        try:
            getattr(self, path.strip("/").partition("/")[0])(connection, path)
        except ConnectionClosed as closed:
            self.closed.append(closed.rcvd.code if closed.rcvd else None)

    def words(self, connection, _path):
        connection.send("höre\n")
        connection.send(b"\x00\xff")
        connection.send(["ge", "teilt", "\n"])

    def big(self, connection, _path):
        connection.send(bytes(range(256)) * 40_000)

    def code(self, connection, path):
        connection.send("before\n")
        connection.close(int(path.rpartition("/")[2]), "so it is")

    def broken(self, connection, _path):
        connection.send("before\n")
        connection.socket.shutdown(2)

    def forever(self, connection, _path):
        while True:
            connection.send("x" * 1000)
            time.sleep(0.01)

    def past(self, connection, _path):
        connection.send(subprocess.run([sys.executable, READER, *PAST], capture_output=True, check=True).stdout)

    def live(self, connection, _path):
        command = [sys.executable, READER, "--follow", "--rate=50", "--channels=16"]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as reader:
            try:
                while True:
                    connection.send(reader.stdout.read1(65536))
            finally:
                reader.terminate()

    def close(self):
        self._server.shutdown()
        self._thread.join(20)


@pytest.fixture(scope="module")
def server():
    made = Server()
    yield made
    made.close()


def run(*arguments, timeout=60):
    return subprocess.run([CLIENT, *arguments], capture_output=True, timeout=timeout, check=False)


def test_messages_are_written_as_they_are_text_and_binary_whole_and_in_fragments(server):
    done = run(f"{server.url}/words")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == "höre\n".encode() + b"\x00\xff" + b"geteilt\n"


def test_a_message_of_ten_megabytes_arrives_whole(server):
    assert run(f"{server.url}/big").stdout == bytes(range(256)) * 40_000


def test_pairs_are_encoded_once_and_join_the_query_of_the_address(server):
    run(f"{server.url}/words?a=%C3%A4&b=c", "read.time.min=2020-01-01T12:00", "q=1&2=3 %41+ü", "empty=")
    path, pairs = server.asked[-1]
    assert path == "/words"
    assert pairs == [
        ("a", "ä"), ("b", "c"), ("read.time.min", "2020-01-01T12:00"), ("q", "1&2=3 %41+ü"), ("empty", ""),
    ]  # fmt: skip


@pytest.mark.parametrize(("code", "status"), [(1000, 0), (1001, 0), (1008, 4), (1011, 5), (1013, 7), (4000, 5)])
def test_close_codes_other_than_1000_and_1001_are_failures_and_what_came_before_is_kept(server, code, status):
    done = run(f"{server.url}/code/{code}")
    assert (done.returncode, done.stdout) == (status, b"before\n")
    told = {1000: b"", 1001: b"dasflex: note: the server is going away\n"}
    expected = told.get(code)
    if expected is None:
        assert f"{code}".encode() in done.stderr
        assert b"so it is" in done.stderr
    else:
        assert done.stderr == expected


def test_a_connection_that_breaks_off_is_a_failure(server):
    done = run(f"{server.url}/broken")
    assert (done.returncode, done.stdout) == (5, b"before\n")
    assert b"without a proper end" in done.stderr


@pytest.mark.parametrize(
    ("status", "body", "code", "text"),
    [
        (400, "das2", 2, "answers 400: There is no <x> & y"),
        (404, "das3", 3, "answers 404: Try another day"),
        (401, "plain", 4, "answers 401: not so"),
        (403, "das2", 4, "answers 403: There is no <x> & y"),
        (503, "plain", 7, "answers 503: not so (try again in 7 s)"),
        (502, "page", 5, "answers 502"),
        (500, "das3", 5, "answers 500: Try another day"),
    ],
)
def test_a_refusal_is_told_in_the_words_of_its_das_exception(server, status, body, code, text):
    done = run(f"{server.url}/refused/{status}/{body}")
    assert (done.returncode, done.stdout) == (code, b"")
    assert done.stderr.decode() == f"dasflex: {server.url}/refused/{status}/{body} {text}\n"


def test_nobody_listening_is_one_line(server):
    done = run("ws://127.0.0.1:1/x")
    assert (done.returncode, done.stderr) == (5, b"dasflex: ws://127.0.0.1:1/x cannot be reached: Connection refused\n")
    assert b"Traceback" not in run("ws://no-such-host.invalid/x").stderr


def test_count_and_seconds_end_it_with_a_proper_close(server):
    server.closed.clear()
    assert run(f"{server.url}/forever", "--count", "7").stdout == b"x" * 7000
    done = run(f"{server.url}/forever", "--seconds", "0.3", "--quiet")
    assert (done.returncode, done.stdout) == (0, b"")
    wait_for(lambda: len(server.closed) == 2)
    assert server.closed == [1000, 1000]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 130)])
def test_a_signal_ends_it_with_a_proper_close(server, number, code):
    server.closed.clear()
    with subprocess.Popen([CLIENT, f"{server.url}/forever"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as client:
        assert client.stdout.read(1000)
        client.send_signal(number)
        _, said = client.communicate(timeout=30)
    assert (client.returncode, said) == (code, b"")
    wait_for(lambda: server.closed)
    assert server.closed == [1000]


def test_it_ends_quietly_when_nobody_reads_what_it_writes(server):
    server.closed.clear()
    with subprocess.Popen([CLIENT, f"{server.url}/forever"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as client:
        assert client.stdout.read(1000)
        client.stdout.close()
        assert client.wait(30) == 0
        assert client.stderr.read() == b""
    wait_for(lambda: server.closed)
    assert server.closed == [1000]


def test_a_signal_ends_it_also_while_nobody_empties_its_pipe(server):
    with subprocess.Popen([CLIENT, f"{server.url}/big"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as client:
        assert client.stdout.read(10)
        client.send_signal(signal.SIGINT)
        assert client.wait(30) == 130


def test_the_sub_protocol_and_the_password_are_sent(server):
    assert run(f"{server.url}/words", "--subprotocol", "request", "-u", "ann:bee:c").returncode == 0
    assert server.headers["Sec-WebSocket-Protocol"] == "request"
    assert server.headers["Authorization"] == "Basic " + base64.b64encode(b"ann:bee:c").decode()


def test_statistics_tell_latency_by_the_times_of_live_records(server):
    done = run(f"{server.url}/live", "--count", "12", "--stats", "--quiet")
    counted, lateness = done.stderr.decode().splitlines()
    assert counted.startswith("12 messages, ")
    assert "messages/s" in counted
    assert lateness.startswith("latency by the times of ")


@pytest.mark.parametrize(("path", "why"), [("past", "the data are not of the present"), ("words", "no plugin decodes")])
def test_statistics_of_other_streams_do_not_call_anything_latency(server, path, why):
    done = run(f"{server.url}/{path}", "--stats")
    assert done.returncode == 0
    (_, lateness) = done.stderr.decode().splitlines()
    assert not lateness.startswith("latency")
    assert why in lateness


def test_encrypted_connections_believe_the_authority_that_is_named_and_no_other(tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = Server(context)
    try:
        assert run(f"{server.url}/words", "--ca", certificate).stdout.startswith("höre".encode())
        assert run(f"{server.url}/words", "--insecure").returncode == 0
        done = run(f"{server.url}/words")
        assert done.returncode == 5
        assert b"certificate" in done.stderr
    finally:
        server.close()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("ws://h/a", "ws://h/a"), ("h:81/a b", "ws://h:81/a%20b"), ("https://h", "wss://h/"), ("wss://h:443/?x", "wss://h/?x"),
        ("ws://[::1]:7/%41?a=%20&b=ü", "ws://[::1]:7/%41?a=%20&b=%C3%BC"), ("http://h/p?q=1", "ws://h/p?q=1"),
    ],
)  # fmt: skip
def test_addresses_are_read_as_people_write_them(url, shown):
    assert str(address_of(url)) == shown


@pytest.mark.parametrize("url", ["ftp://h/", "ws:///path", "ws://h:port/", "ws://h:99999/", ""])
def test_what_is_no_address_is_refused(url):
    with pytest.raises(QueryError, match="no address"):
        address_of(url)


def test_a_quantile_is_a_value_that_was():
    assert [quantile([5], share) for share in (0, 0.5, 1)] == [5, 5, 5]
    assert quantile(range(1, 101), 0.99) == 99
    assert quantile(range(1, 101), 0.5) == 50


def wait_for(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno"])
def test_what_is_no_websocket_server_is_told_at_once(answer):
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def reply():
            connection, _ = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(answer)

        thread = threading.Thread(target=reply)
        thread.start()
        done = run(f"ws://127.0.0.1:{listener.getsockname()[1]}/", timeout=30)
        thread.join()
    assert done.returncode == 5
    assert len(done.stderr.splitlines()) == 1

# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests, readers and surroundings that are wrong: the right status, nothing left behind, and the server still answers."""

from __future__ import annotations

import json
import re
import shutil
import socket
import struct
import subprocess
import sys
import time
from contextlib import closing, suppress
from http.client import HTTPConnection
from urllib.parse import quote, quote_from_bytes

import pytest
from conftest import EARLY, environment, new_root, start_serve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import dasflex_core
from dasflex_cgi.answering import Front
from dasflex_cgi.exchange import Asked

pytestmark = pytest.mark.integration

DAY = "time=2020-01-01/2020-01-02"
DAS2_DAY = "start_time=2020-01-01&end_time=2020-01-02"
DAS2_TEXT = "text/vnd.das2.das2stream; charset=utf-8"


# -- queries


@pytest.mark.rows
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/source/test/nowhere/flex?{day}", 404),
        ("/source/test/line/flex?{day}&nonsense=1", 400),
        ("/source/test/line/flex?time=yesterdayish/2020-01-01", 400),
        ("/source/test/line/flex?time=2020-13-01/2020-12-01", 400),
        ("/source/test/line/flex?time=2020-02-30/2020-12-01", 400),
        ("/source/test/line/flex?time=2020-01-02/2020-01-01", 400),
        ("/source/test/line/flex?time=2020-01-01/2020-01-01", 400),
        ("/source/test/line/flex", 400),
        ("/source/test/line/flex?time=2020-01-01", 400),
        ("/source/test/line/flex?{day}&read.time.min=2019-01-01", 400),
        ("/source/test/options/flex?{day}&read.count=0", 400),
        ("/source/test/options/flex?{day}&read.count=11", 400),
        ("/source/test/options/flex?{day}&read.count=many", 400),
        ("/source/test/options/flex?{day}&read.count=" + "9" * 5000, 400),
        ("/source/test/options/flex?{day}&read.level=2.5", 400),
        ("/source/test/options/flex?{day}&read.level=nan", 400),
        ("/source/test/options/flex?{day}&read.choice=green", 400),
        ("/source/test/options/flex?{day}&read.flag=maybe", 400),
        ("/source/test/options/flex?{day}&read.text=-rf", 400),
        ("/source/test/options/flex?{day}&read.text=%00", 400),
        ("/source/test/options/flex?{day}&format.type=cvs", 400),
        ("/source/test/options/flex?{day}&format.version=9", 400),
        ("/source/test/options/flex?{day}&format.version=../..", 400),
        ("/source/test/options/flex?{day}&read.text=%ff%fe", 400),
        ("/source/test/options/flex?{day}&read.text=%zz", 400),
        ("/source/test/options/flex?{day}&read.text=%", 400),
        ("/source/test/options/flex?{day}&read.text=%4", 400),
        ("/source/test/options/flex?{day}&read.text=%u0041", 400),
        ("/source/test/options/flex?{day}&read.text=%ed%a0%80", 400),
        ("/source/test/options/flex?{day}&%00=1", 400),
        ("/source/test/options/flex?{day}&read.count=2&read.count=3", 400),
        ("/source/test/options/flex?{day}&{day}", 200),
        ("/source/test/options/flex?" + "&".join(f"a{number}=1" for number in range(1000)), 400),
        ("/?server=dataset&dataset=Test/Line&dataset=Test/Echo&{das2}", 400),
        ("/?server=dataset&" + "&".join(f"a{number}=1" for number in range(1000)), 400),
    ],
)
def test_a_query_that_is_wrong_has_the_status_that_says_so(served, path, status):
    reply = served.get(path.format(day=DAY, das2=DAS2_DAY))
    assert reply.status == status
    assert reply["Content-Type"]
    if status == 400:
        assert 10 < len(reply.body) < 4000


@pytest.mark.parametrize(
    "path",
    [
        "/source/../etc/passwd",
        "/source/%2e%2e/%2e%2e/etc/passwd",
        "/source/test/%2e%2e/guarded/flex?{day}",
        "/source/..%2f..%2fetc%2fpasswd",
        "/static/%2e%2e/etc/dasflex.conf",
        "/static/....//etc/dasflex.conf",
        "/source/test/line%00/flex?{day}",
        "/%00",
        "/request/%2e%2e%2fdasflex.conf",
        "/answer/../../etc/passwd",
        "/source/%ff%fe/flex?{day}",
        "/source/%zz/flex?{day}",
        "/source/test/line/data.csv%00.png?{day}",
        "/source/test/line/data.csv%0d%0aX-Harm:%201?{day}",
        "/source/%3Cscript%3E/flex?{day}",
        "/source/" + "a/" * 2000 + "flex",
        "/source/" + "a" * 6000 + "/flex",
        "/source//////",
        "/.//.//.",
    ],
)
def test_a_path_that_is_wrong_leads_nowhere(served, path):
    received = served.raw(served.line(path.format(day=DAY)) + b"Host: x\r\n\r\n")
    head, _end, body = received.partition(b"\r\n\r\n")
    if path in ("/source//////", "/.//.//."):
        assert re.match(rb"HTTP/1\.\d (200|400|404) ", head)
    else:
        assert re.match(rb"HTTP/1\.\d (400|403|404|414) ", head), head
    assert b"X-Harm" not in head
    assert b"SERVER_NAME" not in body
    assert b"<script>" not in body or b"Content-Type: text/html" not in head


@pytest.mark.usefixtures("unharmed")
@pytest.mark.parametrize("size", [64_000, 300_000])
def test_an_address_of_that_length_is_answered_or_refused(served, size):
    for path in (f"/source/test/echo/flex?{DAY}&read.opts={'x' * size}", f"/{'x' * size}", f"/?server={'x' * size}"):
        with suppress(ConnectionError):
            received = served.raw(served.line(path) + b"\r\n")
            assert re.match(rb"HTTP/1\.\d (200|400|404|413|414|431) ", received) or not received, received[:80]


# -- requests that are none


@pytest.mark.usefixtures("unharmed")
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "NONSENSE", "get"])
def test_an_unknown_method_is_refused_and_runs_nothing(served, method):
    marked = served.root.folder("Test/Marked") / "ran"
    with closing(HTTPConnection(served.host, served.port, timeout=10)) as connection:
        connection.request(method, f"{served.base}/source/test/marked/flex?{DAY}", headers={"Connection": "close"})
        reply = connection.getresponse()
        reply.read()
        others = (
            (200, 204) if method == "OPTIONS" or (method == "TRACE" and served.name != "serve") else ()
        )  # Apache answers TRACE
        assert reply.status in (400, 404, 405, 501, *others)
        if reply.status == 405 and served.name == "serve":
            assert reply.headers["Allow"].startswith("GET, HEAD")
    assert not marked.exists()


@pytest.mark.usefixtures("unharmed")
@pytest.mark.parametrize(
    "request_",
    [
        b"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000000\r\n\r\nabc",
        b"GET {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nabc",
        b"GET {path} HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"GET {path} HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n",
        b"GET {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"GET {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET {path} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET {path} HTTP/9.9\r\nHost: x\r\n\r\n",
        b"GET {path}\r\n\r\n",
        b"GET\r\n\r\n",
        b"\r\n\r\n\r\n",
        b"\x00\xff\x16\x03\x01\r\n\r\n",
        b"GET {path} HTTP/1.1\r\nHost: x\r\nno header at all\r\n\r\n",
        b"GET {path} HTTP/1.1\r\nHost: x\r\n" + b"X-Many: 1\r\n" * 5000 + b"\r\n",
        b"GET {path} HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * 500_000 + b"\r\n\r\n",
    ],
    ids=["huge", "long lie", "negative", "no number", "two", "both", "bad chunk", "version", "0.9", "short", "blank", "tls", "no colon", "many", "long"],
)  # fmt: skip
def test_a_request_that_is_none_harms_nobody(served, request_):
    path = f"{served.base}/source/test/marked/flex?{DAY}".encode()
    with served.connection(1) as connection, suppress(ConnectionError, TimeoutError):
        connection.sendall(request_.replace(b"{path}", path))
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
            if b"\r\n\r\n" in received and len(received) > 100_000:
                break
        assert received.count(b"HTTP/1.1 200") <= 1
    (served.root.folder("Test/Marked") / "ran").unlink(missing_ok=True)


# -- readers


@pytest.mark.rows
@pytest.mark.usefixtures("unharmed")
@pytest.mark.parametrize("name", [each for each in EARLY if each != "Pipe"])
def test_a_reader_that_fails_before_its_data_is_500_in_every_form(served, name):
    says = EARLY[name][1]
    reply = served.get(f"/?server=dataset&dataset=Early/{name}&{DAS2_DAY}")
    assert (reply.status, reply["Content-Type"]) == (500, DAS2_TEXT)
    table = served.get(f"/source/early/{name.lower()}/data.csv?{DAY}")
    assert (table.status, table["Content-Type"]) == (500, "text/plain; charset=utf-8")
    for body in (reply.body, table.body):
        assert says in body.decode()
        assert b"secret" not in body
    record = json.loads(served.get(f"/request/{table['X-Request-Id']}").body)
    assert (record["complete"], record["bytes"]) == (False, 0)


@pytest.mark.usefixtures("unharmed")
@pytest.mark.parametrize("name", ["ExitsLate", "CrashesLate", "CutLate"])
@pytest.mark.parametrize("suffix", ["csv", "d2t", "d3b"])
def test_a_reader_that_fails_after_data_is_recorded_as_incomplete(served, name, suffix):
    reply = served.get(f"/source/late/{name.lower()}/data.{suffix}?{DAY}")
    assert reply.status in (200, 500)
    record = json.loads(served.get(f"/request/{reply['X-Request-Id']}").body)
    assert not record["complete"]
    assert record["error_kind"] == ("source.truncated" if name == "CutLate" else "source.exit")
    if reply.status == 200 and served.name in ("serve", "proxy"):
        assert reply.broken


@pytest.mark.usefixtures("unharmed")
def test_an_id_that_is_declared_anew_is_another_table(served):
    reply = served.get(f"/source/test/anew/flex?{DAY}")
    assert (reply.status, reply.body.count(b"[01]")) == (200, 2)
    reply = served.get(f"/source/test/anew/data.csv?{DAY}")
    assert reply.status in (200, 400)
    assert reply.body.count(b"\n") <= 101 or b"level" in reply.body


@pytest.mark.usefixtures("unharmed")
@pytest.mark.parametrize("suffix", ["d2s", "csv"])
@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_curl_does_not_take_a_part_for_the_whole(served, tmp_path, suffix, version):
    url = served.address(f"/source/late/dies/data.{suffix}?{DAY}")
    headers, body = tmp_path / "headers", tmp_path / "body"
    done = subprocess.run(
        ["curl", "--silent", f"--http{version}", "--max-time", "20", "-D", str(headers), "-o", str(body), url],
        check=False,
    )
    told = headers.read_text()
    assert " 200" in told.splitlines()[0]
    received = body.read_bytes()
    assert len(received) > 200_000
    number = re.search(r"(?m)^X-Request-Id: (\S+)\r?$", told)[1]
    record = json.loads(served.get(f"/request/{number}").body)
    assert (record["complete"], record["error_kind"]) == (False, "source.exit")
    assert record["bytes"] == len(received)
    if suffix == "d2s":
        last = received[received.rindex(b"[xx]") :]
        assert b'<exception type="ServerError"' in last
        assert int(last[4:10]) == len(last) - 10
    if version == "1.1" and served.name in ("serve", "proxy"):
        assert done.returncode != 0


# -- header injection


def told(reply_headers) -> None:
    """Asserts of headers that no value made another one, or holds what none can hold."""
    for name, value in reply_headers:
        assert re.fullmatch(r"[A-Za-z-]+", name), name
        assert "harm" not in name.lower()
        assert all(" " <= char <= "~" or char >= "\xa0" for char in value), (name, value)
        value.encode("latin-1")
    assert sum(len(name) + len(value) + 4 for name, value in reply_headers) < 1900


ECHOED = [
    "/?server=dataset&dataset=Test/Echo&" + DAS2_DAY + "&params={}",
    "/source/test/options/data.csv?" + DAY + "&read.text={}",
    "/source/test/options/data.csv?" + DAY + "&format.delim={}",
    "/source/test/options/flex?" + DAY + "&{}=1",
    "/source/{}/flex?" + DAY,
    "/source/test/line/data.{}?" + DAY,
    "/source/test/moved/flex?" + DAY + "&read.text={}",
    "/source/test/{}",
    "/?server={}",
    "/?server=dsdf&dataset={}",
    "/request/{}",
    "/answer/{}",
    "/static/{}.css",
    "/{}",
]
HARM = [
    "x\r\nX-Harm: 1",
    "x\nX-Harm: 1\n\n<b>",
    'x"; filename="harm',
    "x\x00\x1b",
    "é中😀\u202e",
    "\x85\u2028",
    "x" * 5000,
]


@pytest.mark.rows
@pytest.mark.usefixtures("unharmed")
@pytest.mark.parametrize("value", HARM)
def test_no_value_becomes_a_header(served, value):
    for path in ECHOED:
        reply = served.get(path.format(quote(value, safe="")))
        told(reply.headers)
        assert reply.status in (200, 301, 302, 307, 308, 400, 403, 404, 414), path  # 403: Apache, of a name too long


@pytest.mark.rows
@pytest.mark.parametrize(
    "name",
    [
        "Host",
        "User-Agent",
        "Accept",
        "Accept-Encoding",
        "If-None-Match",
        "Referer",
        "X-Forwarded-Host",
        "X-Request-Id",
        "Range",
    ],
)
def test_no_header_becomes_another(served, name):
    for value in (b'x"harm\xe9\x85\x7f', b"x" * 3000, b"evil.example\\@x/%0d%0aX-Harm:1"):
        for path in (f"/source/test/moved/flex?{DAY}", f"/source/test/line/data.csv?{DAY}", "/nowhere"):
            received = served.raw(served.line(path) + name.encode() + b": " + value + b"\r\n\r\n")
            head = received.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
            told([tuple(each.split(": ", 1)) for each in head[1:] if ": " in each])


@given(path=st.sampled_from(ECHOED), value=st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_bytes_become_a_header_over_sockets(ways, path, value):
    reply = ways["serve"].get(path.format(quote_from_bytes(value, safe=b"")))
    told(reply.headers)
    assert reply.status < 500


@pytest.fixture(scope="module")
def front(tmp_path_factory):
    """What decides, in this process."""
    root = new_root(tmp_path_factory.mktemp("front") / "root")
    made = Front(dasflex_core.open(root.path), lambda _text: None)
    yield made
    made.end()


NEVER_RUN = [each for each in ECHOED if "data.csv" not in each and "params" not in each]


@given(path=st.sampled_from(NEVER_RUN), value=st.text(max_size=80), odd=st.text(max_size=40), agent=st.booleans())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_becomes_a_header_of_an_answer(front, path, value, odd, agent):
    where, _mark, query = path.partition("?")
    browser = {"accept": "text/html", "user-agent": "Mozilla/5.0 " + odd} if agent else {"accept": odd}
    asked = Asked(
        method="GET",
        path=where.format(value),
        query=query.replace("{}", quote(value, errors="surrogatepass")),
        origin="http://127.0.0.1",
        headers={**browser, "accept-encoding": odd, "if-none-match": odd},
    )
    answer = front.answer(asked)
    if not isinstance(answer.body, bytes):
        answer.body.close()
    told(answer.headers)
    assert answer.status < 500


# -- clients that leave


def leave(connection: socket.socket) -> None:
    """Goes without a word: the server gets a reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@pytest.mark.usefixtures("unharmed")
@pytest.mark.parametrize("abruptly", [False, True], ids=["closes", "resets"])
def test_a_client_that_leaves_before_its_request_is_whole_is_forgotten(served, abruptly):
    for part in (
        b"",
        b"G",
        b"GET /sour",
        served.line(f"/source/test/dumb/flex?{DAY}"),
        served.line("/") + b"Host: x\r",
    ):
        connection = served.connection()
        connection.sendall(part)
        leave(connection) if abruptly else connection.close()
    time.sleep(0.1)
    assert not served.root.left()


STAGES = {
    "at once": ("Test/Endless", lambda _connection, _root: None),
    "before the first byte": ("Test/Dumb", lambda _connection, root: _wait(lambda: len(root.left()) >= 2)),
    "in mid-stream": ("Test/Endless", lambda connection, _root: connection.recv(100_000)),
    "while all is silent": ("Test/Sleepy", lambda connection, root: (connection.recv(100), _wait(lambda: len(root.left()) >= 2))),
}  # fmt: skip


def _wait(true) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline, "the reader was not started"
        time.sleep(0.02)


@pytest.mark.parametrize("abruptly", [False, True], ids=["closes", "resets"])
@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("form", ["d2s", "csv"])
def test_nothing_runs_on_when_the_client_has_gone(served, until, stage, abruptly, form):
    name, wait = STAGES[stage]
    silent = stage in ("before the first byte", "while all is silent")
    if served.name != "serve" and silent:
        pytest.skip(
            "Apache tells nobody that a client has left: it is learnt by the next write, or at the silence limit"
        )
    connection = served.connection()
    connection.sendall(served.line(f"/source/{name.lower()}/data.{form}?{DAY}", "1.1") + b"Host: x\r\n\r\n")
    wait(connection, served.root)
    leave(connection) if abruptly else connection.close()
    assert until(15, lambda: not served.root.left())
    assert served.alive()
    assert served.get("/?server=id").status == 200


# -- surroundings


def cgi(root, path="/source/test/line/flex", query=DAY, config=None, **more) -> tuple[int, str, str]:
    """The exit code of the CGI program, what it says to the client, and to the administrator."""
    variables = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SCRIPT_NAME": "/das/server",
        "SERVER_NAME": "x",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "GATEWAY_INTERFACE": "CGI/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "DASFLEX_CONFIG": str(root.config) if config is None else config,
    }
    code = "import sys; from dasflex_cgi.cgimain import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environment(**variables | more),
        capture_output=True,
        check=False,
        timeout=30,
    )
    return done.returncode, done.stdout.decode("latin-1"), done.stderr.decode("utf-8", "replace")


@pytest.fixture
def own(place, request):
    """A root of the test's own; it is small, so that it costs little."""
    folder = place / f"own-{abs(hash(request.node.nodeid)) % 10**8}"
    yield new_root(folder, ("Test/Line", "Test/Echo", "Late/Dies"))
    subprocess.run(["chmod", "-R", "u+rwX", str(folder)], check=False)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize(
    "config",
    [
        "",
        "/no/such/dasflex.conf",
        "/dev/null",
        "/etc/passwd",
        "/proc/self/mem",
        "relative/path",
        "/" + "x" * 5000,
        "/etc",
    ],
)
def test_a_configuration_that_is_missing_or_wrong_is_500_and_told_to_the_administrator(config):
    code, answer, said = cgi(None, config=config)
    assert code == 0
    assert re.match(r"Status: 500 [^\r\n]+\r\n", answer)
    assert "Content-Type: " in answer
    assert "Traceback" not in answer + said
    assert (config or "DASFLEX_CONFIG")[:40] in said
    assert not config or config[:40] not in answer


def damage(root, what: str) -> None:
    """Makes something in the surroundings of a root wrong."""
    (damage_log if "log" in what else damage_socket)(root, what)


def damage_log(root, what: str) -> None:
    """Makes the directory of logs one that cannot be written to."""
    log = root.path / "log"
    if what == "no log":
        shutil.rmtree(log)
    elif what == "log is a file":
        shutil.rmtree(log)
        log.write_text("")
    elif what == "log leads nowhere":
        shutil.rmtree(log)
        log.symlink_to("/no/such/place")
    elif what == "log is full":
        shutil.rmtree(log)
        log.mkdir()
        day = time.strftime("%Y-%m-%d", time.gmtime())
        for name in (f"127.0.0.1_{day}.log", f"127.0.0.1-{day}.log", "server.log", "requests"):
            (log / name).symlink_to("/dev/full")
    elif what == "log is a device":
        shutil.rmtree(log)
        log.symlink_to("/dev/full")


def damage_socket(root, what: str) -> None:
    """Puts something else where a running server's socket would be."""
    if what == "stale socket":
        run = root.path / "run"
        run.mkdir(exist_ok=True)
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(run / "dasflex.sock"))
    elif what == "socket is a file":
        (root.path / "run").mkdir(exist_ok=True)
        (root.path / "run" / "dasflex.sock").write_text("")
    elif what == "deaf socket":
        (root.path / "run").mkdir(exist_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(root.path / "run" / "dasflex.sock"))
        listener.listen(0)
        _KEPT.append(listener)
        for _ in range(3):  # the queue of those who wait is full
            waiting = socket.socket(socket.AF_UNIX)
            waiting.setblocking(False)
            with suppress(BlockingIOError):
                waiting.connect(str(root.path / "run" / "dasflex.sock"))
            _KEPT.append(waiting)
    elif what == "no run":
        shutil.rmtree(root.path / "run", ignore_errors=True)


_KEPT: list[socket.socket] = []


@pytest.fixture
def kept():
    """Closes the sockets that a test left open on purpose."""
    yield
    while _KEPT:
        _KEPT.pop().close()


LOGS = ["no log", "log is a file", "log leads nowhere", "log is full", "log is a device"]
SOCKETS = ["stale socket", "socket is a file", "deaf socket", "no run"]


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("what", [*LOGS, *SOCKETS])
def test_cgi_answers_although_something_around_it_is_wrong(own, what):
    damage(own, what)
    code, answer, said = cgi(own)
    assert code == 0
    assert answer.startswith("Status: 200 OK\r\n")
    assert answer.count(":01:2020") == 100
    assert "Traceback" not in said
    assert not own.left()


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("what", [*LOGS, "stale socket", "socket is a file", "no run"])
def test_serve_answers_although_something_around_it_is_wrong(own, place, what):
    damage(own, what)
    said = place / f"{own.path.name}.said"
    server = start_serve(own.path, said)
    try:
        with closing(HTTPConnection("127.0.0.1", server.port, timeout=10)) as connection:
            connection.request("GET", f"/source/test/line/flex?{DAY}")
            reply = connection.getresponse()
            assert (reply.status, reply.read().count(b":01:2020")) == (200, 100)
        assert server.alive()
    finally:
        server.stop()
    assert "Traceback" not in said.read_text(encoding="utf-8")


@pytest.mark.parametrize("secret", ["etc", "sources"])
def test_a_root_that_cannot_be_read_is_500_and_nothing_of_it_is_told(own, secret):
    hidden = own.path / secret
    hidden.rename(own.path / f".{secret}")
    hidden.symlink_to(hidden.name)  # nobody can read it, not even root
    code, answer, said = cgi(own)
    assert code == 0
    assert re.match(r"Status: (500|404) ", answer)
    assert str(own.path) not in answer
    assert "Traceback" not in answer + said


@pytest.mark.parametrize("damaged", ["sources/index.json", "sources/test/line.json"])
@pytest.mark.parametrize("how", ["gone", "directory", "cut", "hostile"])
def test_a_catalog_that_is_damaged_is_500_and_nothing_of_it_is_told(own, damaged, how):
    file = own.path / damaged
    content = file.read_bytes()
    file.unlink()
    if how == "directory":
        file.mkdir()
    elif how != "gone":
        file.write_bytes(content[:-20] if how == "cut" else b"[" * 100_000)
    code, answer, said = cgi(own)
    assert code == 0
    assert re.match(r"Status: (500|404) ", answer)
    assert str(own.path) not in answer
    assert "Traceback" not in answer + said


def test_cgi_says_by_its_exit_code_and_its_record_that_an_answer_broke(own):
    code, answer, _said = cgi(own, "/source/late/dies/data.d2s")
    assert code != 0
    assert answer.startswith("Status: 200 OK\r\n")
    assert '<exception type="ServerError"' in answer[-300:]
    number = re.search(r"X-Request-Id: (\S+)\r", answer)[1]
    record = json.loads(cgi(own, f"/request/{number}", "")[1].partition("\r\n\r\n")[2])
    assert (record["complete"], record["bytes"]) == (False, len(answer.partition("\r\n\r\n")[2]))
    assert not own.left()


@pytest.mark.parametrize(
    "variable", ["REQUEST_METHOD", "QUERY_STRING", "PATH_INFO", "SCRIPT_NAME", "REMOTE_ADDR", "SERVER_NAME"]
)
def test_cgi_does_without_any_one_variable(own, variable):
    code, answer, said = cgi(own, **{variable: ""})
    assert code == 0
    assert re.match(r"Status: (200|400|404|405) ", answer)
    assert "Traceback" not in said

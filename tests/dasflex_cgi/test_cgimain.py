# SPDX-License-Identifier: GPL-3.0-or-later
"""The CGI program answers in the cheapest way there is: a file, a running server, or by itself."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from threading import Thread

import pytest

import dasflex_core
from dasflex_cgi.cgi_form import asked_from
from dasflex_cgi.handover import hand_over, request_of

PROGRAM = "import sys; from dasflex_cgi.cgimain import main; main()"
ASKED = "import sys; from dasflex_cgi.cgimain import run; run(); print(*sorted(sys.modules), file=sys.stderr)"
DAY = "time=2020-01-01/2020-01-02"
NODE = b'{"type": "Catalog"}\n'


def variables(root, path, query="", **more):
    """The environment of a CGI program under Apache."""
    return {
        "PATH": os.environ["PATH"],
        "DASFLEX_CONFIG": str(root / "etc" / "dasflex.conf"),
        "GATEWAY_INTERFACE": "CGI/1.1",
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "/stream",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.0",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "example.org",
        **more,
    }


def started(environ, code=PROGRAM, **streams):
    """The program, running."""
    return subprocess.Popen(
        [sys.executable, "-c", code], env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **streams
    )


def answered(environ, code=PROGRAM):
    """The status, the headers, the body, what was said on the standard error, and the exit code."""
    process = started(environ, code)
    out, told = process.communicate(timeout=60)
    head, _, body = out.partition(b"\r\n\r\n")
    lines = [line.split(": ", 1) for line in head.decode("latin-1").split("\r\n")]
    headers = dict(lines)
    return int(headers["Status"].split()[0]), headers, body, told.decode(), process.returncode


@pytest.fixture
def root(bare):
    """A root with a file to serve."""
    (bare.root / "public").mkdir(exist_ok=True)
    (bare.root / "public" / "root.json").write_bytes(NODE)
    return bare.root


class TestFiles:
    def test_a_file_is_sent_in_the_form_of_cgi(self, root):
        status, headers, body, told, code = answered(variables(root, "/root.json"))
        assert (status, body, told, code) == (200, NODE, "", 0)
        assert headers["Content-Type"] == "application/json"
        assert headers["Content-Length"] == str(len(NODE))

    def test_who_has_it_is_told_so(self, root):
        tag = answered(variables(root, "/root.json"))[1]["ETag"]
        status, headers, body, _, code = answered(variables(root, "/root.json", HTTP_IF_NONE_MATCH=tag))
        assert (status, body, code) == (304, b"", 0)
        assert headers["ETag"] == tag
        date = headers["Last-Modified"]
        assert answered(variables(root, "/root.json", HTTP_IF_MODIFIED_SINCE=date))[0] == 304

    def test_head_has_the_length_and_no_body(self, root):
        status, headers, body, *_ = answered(variables(root, "/root.json", REQUEST_METHOD="HEAD"))
        assert (status, headers["Content-Length"], body) == (200, str(len(NODE)), b"")

    def test_a_big_one_comes_whole(self, root):
        content = os.urandom(3_000_001)
        (root / "public" / "big.json").write_bytes(content)
        assert answered(variables(root, "/big.json"))[2] == content

    def test_a_client_that_leaves_is_no_fault(self, root):
        (root / "public" / "big.json").write_bytes(bytes(30_000_000))
        process = started(variables(root, "/big.json"))
        process.stdout.read(10)
        process.stdout.close()
        assert process.wait(timeout=20) == 0
        assert process.stderr.read() == b""
        process.stderr.close()

    def test_nothing_is_imported_for_it_that_python_does_not_bring(self, root):
        before = answered_modules("import sys")
        for more in ({}, {"HTTP_IF_NONE_MATCH": "*"}, {"HTTP_ACCEPT_ENCODING": "gzip"}):
            *_, modules, _ = answered(variables(root, "/root.json", **more), ASKED)
            new = set(modules.split()) - before
            assert new <= {
                "__future__",
                *(f"dasflex_cgi{each}" for each in ("", ".cgimain", ".conditional", ".shielding", ".static")),
            }


def answered_modules(code):
    """The modules that a bare interpreter has."""
    run = [sys.executable, "-c", f"{code}; print(*sys.modules)"]
    environ = {"PATH": os.environ["PATH"]}
    return set(subprocess.run(run, check=True, capture_output=True, text=True, env=environ).stdout.split())


class Listening:
    """An SCGI server of one request: it takes that, and answers with the given pieces."""

    def __init__(self, place, *pieces):
        self.request = b""
        self.ended = False
        self._pieces = pieces
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(place))
        self._listener.listen()
        self._listener.settimeout(20)
        self._thread = Thread(target=self._answer)
        self._thread.start()

    def _answer(self):
        connection, _ = self._listener.accept()
        with connection:
            connection.settimeout(20)
            while not self.request.endswith(b","):
                self.request += connection.recv(1 << 20)
            try:
                for each in self._pieces:
                    connection.sendall(each)
            except OSError:
                self.ended = True

    def close(self):
        self._thread.join(20)
        self._listener.close()


@pytest.fixture
def listening(root):
    """Starts servers at the socket of the root."""
    servers = []

    def start(*pieces):
        servers.append(Listening(root / "run" / "dasflex.sock", *pieces))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


class TestHandOver:
    def test_the_answer_of_a_running_server_is_sent_on_as_it_is(self, root, listening):
        answer = b"Status: 418 Odd\r\nX-Odd: 1\r\n\r\n" + os.urandom(1_000_000)
        server = listening(answer[:5], answer[5:])
        process = started(variables(root, "/source/a/flex", "a=%2B+b"))
        out, told = process.communicate(timeout=20)
        assert (out, told, process.returncode) == (answer, b"", 0)
        length, _, rest = server.request.partition(b":")
        assert len(rest) == int(length) + 1
        sent = dict(zip(*[iter(rest[:-1].split(b"\0"))] * 2, strict=False))
        assert rest.startswith(b"CONTENT_LENGTH\x000\0SCGI\x001\0")
        assert sent[b"PATH_INFO"] == b"/source/a/flex"
        assert sent[b"QUERY_STRING"] == b"a=%2B+b"
        assert sent[b"HTTP_HOST"] == b"example.org"
        assert b"DASFLEX_CONFIG" not in sent
        assert b"PATH" not in sent

    def test_little_is_imported_for_it(self, root, listening):
        listening(b"Status: 200 OK\r\n\r\n")
        process = started(variables(root, "/source/a/flex"), ASKED)
        _, modules = process.communicate(timeout=20)
        new = set(modules.decode().split()) - answered_modules("import sys")
        assert "dasflex_cgi.handover" in new
        own = {f"dasflex_cgi{each}" for each in ("", ".cgimain", ".conditional", ".handover", ".shielding", ".static")}
        assert new - own <= {"__future__", "_socket"}

    def test_a_file_is_sent_without_it(self, root, listening):
        server = listening(b"Status: 200 OK\r\n\r\nserver")
        assert answered(variables(root, "/root.json"))[2] == NODE
        assert answered(variables(root, "/other"))[2] == b"server"
        assert server.request

    def test_a_body_is_neither_read_nor_sent(self, root, listening):
        server = listening(b"Status: 405 Method Not Allowed\r\n\r\n")
        environ = variables(root, "/source/a/flex", REQUEST_METHOD="POST", CONTENT_LENGTH="1000000000")
        process = started(environ, stdin=subprocess.PIPE)  # it stays open, and nothing comes
        out = process.stdout.read()
        assert out.startswith(b"Status: 405")
        assert b"1000000000" not in server.request
        process.communicate(timeout=20)

    def test_text_that_is_no_utf8_is_sent_as_it_came(self):
        sent = request_of({"PATH_INFO": os.fsdecode(b"/\xff\xc3\xa9"), "HTTP_X": "é"})
        assert b"PATH_INFO\0/\xff\xc3\xa9\0" in sent

    def test_a_client_that_leaves_ends_it(self, root, listening):
        server = listening(b"Status: 200 OK\r\n\r\n", *[bytes(1_000_000)] * 50)
        process = started(variables(root, "/source/a/flex"))
        process.stdout.read(10)
        process.stdout.close()
        assert process.wait(timeout=20) == 0
        assert process.stderr.read() == b""
        process.stderr.close()
        server.close()
        assert server.ended

    def test_a_stale_socket_is_passed_over_within_its_time(self, root):
        place = root / "run" / "dasflex.sock"
        stale = socket.socket(socket.AF_UNIX)
        stale.bind(str(place))
        stale.close()
        written = []
        assert not hand_over(str(place), {}, written.append)
        assert not written

    def test_a_server_that_is_too_busy_is_passed_over_within_its_time(self, root):
        place = root / "run" / "dasflex.sock"
        busy = socket.socket(socket.AF_UNIX)
        busy.bind(str(place))
        busy.listen(0)
        waiting = socket.socket(socket.AF_UNIX)
        waiting.connect(str(place))
        written = []
        assert not hand_over(str(place), {}, written.append)
        assert not written
        waiting.close()
        busy.close()

    @pytest.mark.parametrize("what", ["a file", "a folder", "nothing there"])
    def test_what_is_no_socket_is_passed_over(self, root, what):
        place = root / "run" / "dasflex.sock"
        if what == "a file":
            place.write_text("x")
        elif what == "a folder":
            place.mkdir()
        assert not hand_over(str(place), {}, lambda _data: None)

    def test_a_server_that_says_nothing_and_closes_leaves_the_request_to_others(self, root, listening):
        listening()
        assert not hand_over(str(root / "run" / "dasflex.sock"), {}, lambda _data: None)


class TestRunningServer:
    def test_it_answers_and_this_process_imports_little(self, bare, serving):
        bare.add("levels", "headers(); records(100)")
        cold = answered(variables(bare.root, "/source/levels/flex", DAY))
        serving("--port", "0", "--config", bare.config)
        warm = answered(variables(bare.root, "/source/levels/flex", DAY), ASKED)
        assert (warm[0], warm[2]) == (cold[0], cold[2])
        assert warm[1].keys() == cold[1].keys()
        modules = warm[3].split()
        assert "dasflex_cgi.handover" in modules
        assert "dasflex_cgi.cold" not in modules
        assert "dasflex_core" not in modules

    def test_an_answer_that_it_breaks_off_ends_this_process_with_a_code(self, bare, serving):
        bare.add("breaks", "headers(); records(9000); time.sleep(0.2); sys.exit(1)")
        serving("--port", "0", "--config", bare.config)
        status, _, body, _, code = answered(variables(bare.root, "/source/breaks/data.csv", DAY))
        assert (status, code) == (200, 1)
        assert body.count(b"2020-01-01T") == 9000

    def test_after_it_has_stopped_the_request_is_answered_by_itself(self, bare, serving):
        bare.add("levels", "headers(); records(100)")
        server = serving("--port", "0", "--config", bare.config)
        server.process.kill()  # its socket stays
        server.process.wait()
        assert (bare.root / "run" / "dasflex.sock").exists()
        assert answered(variables(bare.root, "/source/levels/flex", DAY))[0] == 200


class TestCold:
    def test_data_are_what_the_core_gives(self, bare):
        bare.add("levels", "headers(); records(100)")
        status, headers, body, told, code = answered(variables(bare.root, "/source/Levels/flex", DAY))
        assert (status, told, code) == (200, "", 0)
        plan = dasflex_core.open(bare.root)["levels"]["2020-01-01":"2020-01-02"].plan()
        assert body == b"".join(plan.run())
        assert "Content-Length" not in headers

    def test_a_stale_socket_is_no_hindrance(self, bare):
        bare.add("levels", "headers(); records(100)")
        stale = socket.socket(socket.AF_UNIX)
        stale.bind(str(bare.root / "run" / "dasflex.sock"))
        stale.close()
        status, _, body, _, code = answered(variables(bare.root, "/source/levels/flex", DAY))
        assert (status, code) == (200, 0)
        assert body.count(b"2020-01-01T") == 100

    def test_head_runs_nothing(self, bare):
        bare.add("marked", "open('ran', 'w').close()")
        status, _, body, *_ = answered(variables(bare.root, "/source/marked/flex", DAY, REQUEST_METHOD="HEAD"))
        assert (status, body) == (200, b"")
        assert not (bare.root / "definitions" / "marked" / "ran").exists()

    @pytest.mark.parametrize(
        ("path", "query", "status"),
        [
            ("/source/nothing/flex", DAY, 404),
            ("/nothing.json", "", 404),
            ("/source/levels/flex", f"{DAY}&bogus=1", 400),
            (os.fsdecode(b"/source/\xff/flex"), DAY, 404),
        ],
    )
    def test_an_error_has_its_status(self, bare, path, query, status):
        bare.add("levels", "headers(); records(1)")
        got, headers, body, told, code = answered(variables(bare.root, path, query))
        assert (got, told, code) == (status, "", 0)
        assert headers["Content-Type"]
        assert body

    def test_an_answer_that_breaks_off_ends_with_a_code_and_a_line_for_the_administrator(self, bare):
        bare.add("breaks", "headers(); records(9000); time.sleep(0.2); sys.exit(1)")
        status, headers, body, told, code = answered(variables(bare.root, "/source/breaks/data.csv", DAY))
        assert status == 200
        assert body.count(b"2020-01-01T") == 9000
        assert code == 1
        assert "broken off" in told
        assert "Traceback" not in told
        _, _, record, *_ = answered(variables(bare.root, f"/request/{headers['X-Request-Id']}"))
        assert not json.loads(record)["complete"]

    @pytest.mark.parametrize(
        "reader",
        ["grandchild(); headers()\nwhile True: records(1000)", "grandchild(); headers(); records(10); time.sleep(600)"],
        ids=["writes", "fell silent"],
    )
    def test_a_client_that_leaves_takes_the_reader_along(self, bare, wait_until, reader):
        bare.add("watched", reader)
        process = started(variables(bare.root, "/source/watched/flex", DAY))
        assert process.stdout.read(10)
        assert wait_until(lambda: len(bare.processes("watched")) == 2, 20)
        process.stdout.close()
        assert wait_until(lambda: not bare.processes("watched"), 3)
        assert process.wait(timeout=20) == 0
        process.stderr.close()

    def test_the_signal_by_which_apache_ends_it_ends_the_reader_too(self, bare, wait_until):
        bare.add("watched", "grandchild(); headers(); records(10); time.sleep(600)")
        process = started(variables(bare.root, "/source/watched/flex", DAY))
        assert wait_until(lambda: len(bare.processes("watched")) == 2, 20)
        process.terminate()
        assert wait_until(lambda: not bare.processes("watched"), 3)
        process.communicate(timeout=20)


#: What a request of data or of a plan never imports, and what only conversions import.
NEVER = ("werkzeug", "jinja2", "email", "http", "importlib.metadata", "pluggy", "click", "tomllib", "redis", "trio")
CONVERSIONS = ("numpy", "orjson")


@pytest.mark.parametrize(
    ("path", "query", "status", "kept_out"),
    [
        ("/source/levels/plan", DAY, 200, (*NEVER, *CONVERSIONS)),
        ("/source/nothing/flex", DAY, 404, (*NEVER, *CONVERSIONS)),
        ("/source/levels/flex", f"{DAY}&bogus=1", 400, (*NEVER, *CONVERSIONS)),
        ("/source/levels/flex", DAY, 200, (*NEVER, *CONVERSIONS)),
        ("/source/levels/data.csv", DAY, 200, NEVER),
    ],
    ids=["a plan", "no such source", "a bad parameter", "data as they are", "data converted"],
)
def test_a_class_of_requests_imports_no_more_than_it_needs(bare, path, query, status, kept_out):
    bare.add("levels", "headers(); records(10)")
    answered(variables(bare.root, "/source/levels/plan", DAY))  # the manifest is made
    got, _, _, modules, _ = answered(variables(bare.root, path, query), ASKED)
    assert got == status
    assert not set(modules.split()) & set(kept_out)


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("127.0.0.1", "10.0.0.1, 192.0.2.7", "192.0.2.7"),
        ("::1", "2001:db8::1", "2001:db8::1"),
        ("127.0.0.1", "", "127.0.0.1"),
        ("127.0.0.1", "192.0.2.7, x/../y", "127.0.0.1"),
        ("192.0.2.9", "192.0.2.7", "192.0.2.9"),
    ],
)
def test_only_a_proxy_of_this_machine_says_who_the_client_is(peer, forwarded, client):
    assert asked_from({"REMOTE_ADDR": peer, "HTTP_X_FORWARDED_FOR": forwarded}).client == client


class TestMounted:
    def test_its_application_answers_below_its_path(self, bare, odd_plugin):
        status, headers, body, told, code = answered(variables(bare.root, "/odd/é", "a=1", **odd_plugin))
        assert (status, code) == (200, 0)
        assert "Traceback" not in told
        assert headers["X-Odd"] == "yes"
        assert headers["Status"] == "200 Fine; and odd"
        assert headers["Access-Control-Allow-Origin"] == "*"
        assert headers["X-Content-Type-Options"] == "none of them"
        assert body.decode() == "GET /stream/odd|/é|a=1|0"

    def test_no_client_names_the_proxy_of_what_it_fetches(self, bare, odd_plugin):
        """The header `Proxy` would be the variable HTTP_PROXY, which many programs obey."""
        sent = variables(bare.root, "/odd/x", HTTP_PROXY="http://192.0.2.1", **odd_plugin)
        assert answered(sent)[2] == b"GET /stream/odd|/x||0"

    def test_other_paths_are_not_its_own(self, bare, odd_plugin):
        status, headers, *_ = answered(variables(bare.root, "/oddity", **odd_plugin))
        assert status == 404
        assert "X-Odd" not in headers


class TestNotSetUp:
    @pytest.mark.parametrize("config", [None, "", "nowhere/etc/dasflex.conf", "loop/etc/dasflex.conf", "etc"])
    def test_a_client_is_told_no_more_than_that(self, tmp_path, config):
        (tmp_path / "loop").symlink_to("loop")
        (tmp_path / "etc").mkdir()
        environ = variables(tmp_path, "/source/a/flex", DAY)
        del environ["DASFLEX_CONFIG"]
        if config is not None:
            environ["DASFLEX_CONFIG"] = config and str(tmp_path / config)
        status, headers, body, told, code = answered({**environ, "HOME": str(tmp_path)})
        assert (status, code) == (500, 0)
        assert headers["Content-Type"] == "text/plain; charset=utf-8"
        assert b"not set up" in body
        assert b"/" not in body
        assert "dasflex: " in told
        assert "Traceback" not in told
        assert not (tmp_path / ".local").exists()  # no root was made

    def test_a_wrong_configuration_is_for_the_administrator(self, bare):
        (bare.root / "etc" / "dasflex.conf").write_text("BOGUS = 1\n")
        status, _, body, told, _ = answered(variables(bare.root, "/"))
        assert status == 500
        assert b"BOGUS" not in body
        assert "BOGUS" in told

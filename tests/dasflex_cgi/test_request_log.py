# SPDX-License-Identifier: GPL-3.0-or-later
"""Each answer has an id that ties it to its entry, its record and what readers said; and no log ever costs a request."""

from __future__ import annotations

import io
import json
import os
import re
import resource
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from dataclasses import replace

import pytest

import dasflex_core
from dasflex_cgi.answering import Front
from dasflex_cgi.app import Application
from dasflex_cgi.cgimain import request_id
from dasflex_cgi.exchange import Asked
from dasflex_core.log_reading import read_entries
from dasflex_core.logs import AGEING_PERIOD, AGEING_STAMP, RequestLog
from dasflex_core.run.records import new_request_id, read_record
from dasflex_core.usage import usage_of

DAY = "time=2020-01-01/2020-01-02"
ID = re.compile(r"[0-9a-hjkmnp-tv-z]{22}")
PROGRAM = "from dasflex_cgi.cgimain import main; main()"
READER = "sys.stderr.write('no tape in drive 2\\n'); headers(); records(3)"
CLOSED = """
title    = "closed"
contacts = { technical = "Somebody <somebody@example.org>" }
reader   = { command = "#[python] reader.py #[read.time.min] #[read.time.max]", writes = "das/2/text" }
example  = [{ title = "A day", time = "2020-01-01 to 2020-01-02" }]
access   = { realm = "Somebody's", allow = ["user:somebody"] }
"""


def ask(front, target, method="GET", **headers):
    """The status, the headers and the bytes of an answer."""
    path, _, query = target.partition("?")
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = front.answer(
        Asked(method=method, path=path, query=query, origin="http://x", headers=named, client="192.0.2.7")
    )
    if isinstance(answer.body, bytes):
        return answer.status, dict(answer.headers), answer.body
    try:
        return answer.status, dict(answer.headers), b"".join(answer.body)
    finally:
        answer.body.close()


def cgi(root, target, *, limit=None, **more):
    """The status, the headers, the body and the complaints of the CGI program."""
    path, _, query = target.partition("?")
    environ = {
        "PATH": os.environ["PATH"], "DASFLEX_CONFIG": str(root / "etc" / "dasflex.conf"), "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "/stream", "PATH_INFO": path, "QUERY_STRING": query, "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.0", "REMOTE_ADDR": "192.0.2.7", "HTTP_HOST": "x", **more,
    }  # fmt: skip
    done = subprocess.run(
        (sys.executable, "-c", PROGRAM), env=environ, capture_output=True, timeout=60, preexec_fn=limit, check=False
    )
    head, _, body = done.stdout.partition(b"\r\n\r\n")
    headers = dict(line.split(": ", 1) for line in head.decode("latin-1").split("\r\n"))
    return int(headers.pop("Status").split()[0]), headers, body, done.stderr.decode()


@pytest.fixture
def site(bare):
    """A root with a source, one that fails, and one that is protected."""
    bare.add("good", READER)
    bare.add("bad", "sys.stderr.write('no tape in drive 2\\n'); sys.exit(3)")
    bare.add("closed", READER, CLOSED)
    return bare


class TestIds:
    @pytest.mark.parametrize(
        ("target", "method", "status"),
        [
            ("/source/good/flex?" + DAY, "GET", 200),
            ("/source/good/flex?" + DAY, "HEAD", 200),
            ("/source/good/flex?nonsense=1", "GET", 400),
            ("/source/bad/flex?" + DAY, "GET", 500),
            ("/source/closed/flex?" + DAY, "GET", 401),
            ("/source/good/plan?" + DAY, "GET", 200),
            ("/source/nowhere/flex", "GET", 404),
            ("/source/good", "GET", 200),
            ("/", "GET", 200),
            ("/?server=dataset&dataset=good&start_time=2020-01-01&end_time=2020-01-02", "GET", 200),
            ("/?server=nonsense", "GET", 400),
            ("/static/dasflex.css", "GET", 200),
            ("/health", "GET", 200),
            ("/health", "OPTIONS", 200),
            ("/health", "DELETE", 405),
            ("/" + "x" * 9_000, "GET", 414),
        ],
    )
    def test_every_answer_has_one_and_its_entry_too(self, site, target, method, status):
        front = Front(dasflex_core.open(site.root), lambda _text: None)
        got, headers, _body = ask(front, target, method)
        assert got == status
        assert ID.fullmatch(headers["X-Request-Id"])
        [entry] = read_entries(site.root / "log")
        assert (entry.request, entry.status, entry.method) == (headers["X-Request-Id"], status, method)

    def test_who_has_it_already_has_an_id_too(self, site):
        front = Front(dasflex_core.open(site.root), lambda _text: None)
        tag = ask(front, "/static/dasflex.css")[1]["ETag"]
        status, headers, _body = ask(front, "/static/dasflex.css", if_none_match=tag)
        assert status == 304
        assert ID.fullmatch(headers["X-Request-Id"])

    def test_a_file_that_cgi_sends_by_itself_has_one(self, site):
        ids = [cgi(site.root, "/static/dasflex.css")[1]["X-Request-Id"] for _each in range(2)]
        assert ids[0] < ids[1]
        assert all(ID.fullmatch(each) for each in ids)

    def test_both_makers_of_ids_make_the_same_kind(self):
        made = [maker() for _each in range(200) for maker in (request_id, new_request_id)]
        assert all(ID.fullmatch(each) for each in made)
        assert [each[:6] for each in made] == sorted(each[:6] for each in made)
        assert len(set(made)) == 400
        assert all(len({each[place] for each in made[::2]}) > 16 for place in range(9, 22))

    def test_a_server_that_is_not_set_up_says_one(self, tmp_path):
        status, headers, _body, told = cgi(tmp_path, "/source/")
        assert status == 500
        assert ID.fullmatch(headers["X-Request-Id"])
        assert told

    def test_what_is_no_request_has_one_and_an_entry(self, site, serving):
        server = serving("--port", "0", "--no-socket", "--config", site.config)
        host, _, port = server.base.removeprefix("http://").strip("/").partition(":")
        for request in (b"GET http://[ HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n"):
            with socket.create_connection((host, int(port)), timeout=10) as connection:
                connection.sendall(request)
                head = connection.makefile("rb").read().decode("latin-1")
            told = re.search(r"X-Request-Id: (\S+)\r\n", head)
            assert told, head
            assert ID.fullmatch(told[1])
            assert told[1] in {each.request for each in read_entries(site.root / "log")}

    def test_what_a_plugin_answers_has_one_and_an_entry(self, site, monkeypatch):
        def plugin(environ, start_response):
            if environ["PATH_INFO"] == "/fails":
                raise ValueError("a plugin")
            start_response("200 OK", [("Content-Type", "text/plain"), ("X-Request-Id", "its own")])
            return [b"some", b"thing"]

        monkeypatch.setattr("dasflex_cgi.app._mounts", lambda *_more: {"/odd": plugin})
        web = Application(dasflex_core.open(site.root), pytest.fail)
        said = {}

        def start(status, headers, *_error):
            said.update(headers, status=status)

        environ = {"REQUEST_METHOD": "GET", "PATH_INFO": "/odd/x", "QUERY_STRING": "a=1", "REMOTE_ADDR": "192.0.2.7",
                   "HTTP_USER_AGENT": "curl", "wsgi.input": io.BytesIO()}  # fmt: skip
        body = web(environ, start)
        assert b"".join(body) == b"something"
        body.close()
        with pytest.raises(ValueError, match="a plugin"):
            web({**environ, "PATH_INFO": "/odd/fails"}, start)
        first, second = read_entries(site.root / "log")
        assert (first.request, first.target, first.status) == (said["X-Request-Id"], "/odd/x?a=1", 200)
        assert (first.bytes, first.complete, first.agent, first.client) == (9, True, "curl", "192.0.2.7")
        assert (second.status, second.complete, second.message) == (500, False, "ValueError")


class TestTies:
    def test_the_id_ties_request_plan_commands_exit_status_messages_bytes_and_times(self, site):
        front = Front(dasflex_core.open(site.root), lambda _text: None)
        _status, headers, body = ask(front, f"/source/good/data.d2t?{DAY}")
        identifier, requests = headers["X-Request-Id"], site.root / "log" / "requests"
        record = read_record(identifier, str(requests))
        [entry] = read_entries(site.root / "log")
        assert (entry.request, entry.bytes, entry.source) == (identifier, len(body), "good")
        assert record.plan
        assert record.stages[0] == record.programs[0].stage
        assert record.programs[0].status == 0
        assert record.programs[0].command[1:] == ("reader.py", "2020-01-01T00:00:00", "2020-01-02T00:00:00")
        assert (record.bytes, record.read > 0, record.format) == (len(body), True, "das/2/text")
        assert record.started < record.ended
        assert "no tape in drive 2" in (requests / f"{identifier}.log").read_text()

    def test_a_failure_is_tied_too(self, site):
        front = Front(dasflex_core.open(site.root), lambda _text: None)
        _status, headers, _body = ask(front, f"/source/bad/flex?{DAY}")
        record = read_record(headers["X-Request-Id"], str(site.root / "log" / "requests"))
        assert ([each.status for each in record.programs], record.error_kind) == ([3], "source.exit")
        [entry] = read_entries(site.root / "log")
        assert (entry.kind, "no tape in drive 2" in entry.detail) == ("source.exit", True)

    def test_clients_see_no_commands_of_it(self, site):
        front = Front(dasflex_core.open(site.root), lambda _text: None)
        identifier = ask(front, f"/source/good/flex?{DAY}")[1]["X-Request-Id"]
        status, _headers, body = ask(front, f"/request/{identifier}")
        assert status == 200
        assert b"reader.py" not in body
        assert not {"programs", "user", "stages"} & json.loads(body).keys()

    def test_the_user_is_in_the_entry(self, site):
        with (site.root / "etc" / "dasflex.conf").open("a") as file:
            file.write('\nREMOTE_USER_PROXIES = "127.0.0.1"\n')
        front = Front(dasflex_core.open(site.root), lambda _text: None)
        asked = Asked(
            method="GET", path="/source/closed/flex", query=DAY, origin="http://x", client="127.0.0.1",
            peer="127.0.0.1", remote_user="somebody",
        )  # fmt: skip
        answer = front.answer(asked)
        b"".join(answer.body)
        answer.body.close()
        [entry] = read_entries(site.root / "log")
        assert (entry.status, entry.user, entry.source) == (200, "somebody", "closed")
        assert front.answer(replace(asked, remote_user="another")).status == 403
        [_first, entry] = read_entries(site.root / "log")
        assert (entry.status, entry.kind, entry.detail) == (403, "access.denied", "the user is another")


@contextmanager
def nowhere(root):
    """No directory of logs, and none that could be made."""
    with (root / "etc" / "dasflex.conf").open("a") as file:
        file.write('\nLOG_PATH = "/proc/none/log"\n')
    yield


@contextmanager
def a_file(root):
    """A file in the place of the directory."""
    (root / "log").write_text("in the way")
    yield


@contextmanager
def a_fifo(root):
    """A pipe that nobody reads in its place."""
    os.mkfifo(root / "log")
    yield


@contextmanager
def a_link_to_nothing(root):
    """A link that leads nowhere."""
    (root / "log").symlink_to(root / "none" / "below")
    yield


@contextmanager
def fifos_inside(root):
    """Pipes that nobody reads in the place of the log, of the records, and of the stamp of the ageing."""
    (root / "log").mkdir()
    today = time.strftime("%Y-%m-%d", time.gmtime())
    for name in (f"192.0.2.7_{today}.log", "requests", "answers", AGEING_STAMP):
        os.mkfifo(root / "log" / name)
    os.utime(root / "log" / AGEING_STAMP, (0, 0))
    yield


@contextmanager
def a_full_disk(root):
    """A disk of 16 KiB that is full."""
    (root / "log").mkdir()
    mounted = subprocess.run(
        ("mount", "-t", "tmpfs", "-o", "size=16k", "none", str(root / "log")), capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no disk can be mounted here")
    try:
        with suppress(OSError), (root / "log" / "filler").open("wb", buffering=0) as file:
            while True:
                file.write(b"x" * 1_024)
        yield
    finally:
        subprocess.run(("umount", str(root / "log")), check=True)


FAULTS = pytest.mark.parametrize("fault", [nowhere, a_file, a_fifo, a_link_to_nothing, fifos_inside, a_full_disk])


class TestFaults:
    @pytest.fixture
    def without(self, site):
        """The root without its directory of logs."""
        if (site.root / "log").exists():
            for each in (site.root / "log").iterdir():
                each.unlink()
            (site.root / "log").rmdir()
        return site.root

    @FAULTS
    def test_data_are_answered_whatever_became_of_the_logs(self, without, fault):
        with fault(without):
            noted = []
            front = Front(dasflex_core.open(without), noted.append)
            begun = time.perf_counter()
            for _each in range(3):
                status, headers, body = ask(front, f"/source/good/flex?{DAY}")
                assert (status, body.count(b"\n:01:")) == (200, 3)
                assert ID.fullmatch(headers["X-Request-Id"])
            assert time.perf_counter() - begun < 15
            assert sum("requests cannot be logged" in each for each in noted) == 1

    @FAULTS
    def test_cgi_answers_too_and_says_it_once(self, without, fault):
        with fault(without):
            status, _headers, body, told = cgi(without, f"/source/good/flex?{DAY}")
            assert (status, body.count(b"\n:01:")) == (200, 3)
            assert told.count("requests cannot be logged") == 1

    def test_where_no_file_may_grow_data_are_answered(self, site):
        status, _headers, body, told = cgi(
            site.root, f"/source/good/flex?{DAY}", limit=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        )
        assert (status, body.count(b"\n:01:")) == (200, 3)
        assert told.count("requests cannot be logged") == 1


class TestAgeing:
    def old(self, root):
        """An old log, and a stamp that says it is time."""
        (root / "log").mkdir(exist_ok=True)
        log = root / "log" / "192.0.2.9_2019-01-01.log"
        log.write_text("old")
        stamp = root / "log" / AGEING_STAMP
        stamp.touch()
        before = time.time() - 2 * AGEING_PERIOD
        os.utime(log, (0, 0))
        os.utime(stamp, (before, before))
        return log

    def test_a_cgi_program_does_it_and_nobody_waits(self, site, wait_until):
        log = self.old(site.root)
        status, _headers, body, told = cgi(site.root, f"/source/good/flex?{DAY}")
        assert (status, body.count(b"\n:01:"), told) == (200, 3, "")
        assert wait_until(lambda: not log.exists())

    def test_whoever_reads_the_answer_does_not_wait_for_the_ageing(self, site, wait_until):
        """The pipes of the program are closed before the work begins, which takes two seconds here."""
        log = self.old(site.root)
        code = """
import time
from dasflex_core import log_ageing
age = log_ageing.LogKeeper.age
log_ageing.LogKeeper.age = lambda keeper: (time.sleep(2), age(keeper))
from dasflex_cgi.cgimain import main
main()
"""
        environ = {
            "PATH": os.environ["PATH"], "DASFLEX_CONFIG": site.config, "REQUEST_METHOD": "GET", "SCRIPT_NAME": "",
            "PATH_INFO": "/source/good/flex", "QUERY_STRING": DAY, "SERVER_NAME": "x", "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.0", "REMOTE_ADDR": "192.0.2.7",
        }  # fmt: skip
        subprocess.run((sys.executable, "-c", code), env=environ, capture_output=True, timeout=60, check=True)
        assert log.exists()
        assert wait_until(lambda: not log.exists(), 10)

    def test_a_server_does_it_beside_its_requests(self, site, wait_until):
        log = self.old(site.root)
        front = Front(dasflex_core.open(site.root), pytest.fail)
        assert ask(front, "/health")[0] == 200
        assert wait_until(lambda: not log.exists())


class TestJson:
    def test_the_key_makes_all_entries_json(self, site):
        with (site.root / "etc" / "dasflex.conf").open("a") as file:
            file.write('\nLOG_FORMAT = "json"\n')
        status, headers, _body, told = cgi(site.root, f"/source/bad/flex?{DAY}", HTTP_USER_AGENT="curl/8")
        assert status == 500
        [log] = (site.root / "log").glob("192.0.2.7_*.log")
        [line] = log.read_text().splitlines()
        known = json.loads(line)
        assert (known["request"], known["client"], known["source"]) == (headers["X-Request-Id"], "192.0.2.7", "bad")
        assert (known["kind"], known["agent"]) == ("source.exit", "curl/8")
        assert all("message" in json.loads(each) for each in told.splitlines())
        assert told

    def test_the_option_of_serve_does_so_too_for_its_messages_as_well(self, site, serving):
        server = serving(
            "--port", "0", "--no-socket", "--log-format", "json", "--metrics-port", "0", "--config", site.config
        )
        host, _, port = server.base.removeprefix("http://").strip("/").partition(":")
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            connection.sendall(f"GET /source/good/flex?{DAY} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
            assert b" 200 " in connection.makefile("rb").read()
        server.process.terminate()
        told = server.process.communicate(timeout=20)[1]
        assert any("metrics are at" in json.loads(each)["message"] for each in told.splitlines())
        entries = [*read_entries(site.root / "log")]
        assert [each.source for each in entries] == ["good"]
        [log] = (site.root / "log").glob("127.0.0.1_*.log")
        assert json.loads(log.read_text())["status"] == 200

    def test_usage_counts_what_all_front_ends_wrote(self, site):
        front = Front(dasflex_core.open(site.root), lambda _text: None)
        size = len(ask(front, f"/source/good/flex?{DAY}")[2]) + len(cgi(site.root, f"/source/good/flex?{DAY}")[2])
        ask(front, "/robots.txt")
        rows, total = usage_of(site.root / "log", ("source",))
        assert (rows[-1].key, rows[-1].robot_requests, rows[-1].robot_bytes) == (("good",), 2, size)
        assert total.requests == 0


def test_front_ends_share_one_file(site):
    log = RequestLog(site.root / "log", pytest.fail)
    front = Front(dasflex_core.open(site.root), pytest.fail)
    ask(front, "/health")
    [entry] = read_entries(site.root / "log")
    log.write(entry)
    assert [*read_entries(site.root / "log")] == [entry, entry]


@pytest.mark.integration
def test_apache_neither_waits_for_the_ageing_nor_ends_it(apache, site, wait_until):
    """Apache ends what is left of a CGI program when its answer is sent; the ageing is none of its business."""
    requests = site.root / "log" / "requests"
    requests.mkdir(parents=True, exist_ok=True)
    for each in range(20_000):
        path = requests / f"{each:022d}.json"
        path.touch()
        os.utime(path, (0, 0))
    stamp = site.root / "log" / AGEING_STAMP
    server = apache(site.root)
    took = []
    for due in (False, True):
        stamp.touch()
        if due:
            os.utime(stamp, (0, 0))
        begun = time.perf_counter()
        with socket.create_connection((server.host, server.port), timeout=30) as connection:
            connection.sendall(f"GET /stream/source/good/flex?{DAY} HTTP/1.0\r\nHost: x\r\n\r\n".encode())
            assert connection.makefile("rb").read().count(b"\n:01:") == 3
        took.append(time.perf_counter() - begun)
    left = sum(1 for each in requests.iterdir() if each.name.startswith("0" * 10))
    assert wait_until(lambda: not any(each.name.startswith("0" * 10) for each in requests.iterdir()), 20)
    assert left, "the answer was there before the work was done"
    assert took[1] < took[0] + 1

# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests at once, over servers and programs of their own: what is too many waits, is refused, and leaves nothing."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

DAY = "time=2020-01-01/2020-01-02"
FLEX = f"/source/{{}}/flex?{DAY}"
DAS2 = "/?server=dataset&dataset={}&start_time=2020-01-01&end_time=2020-01-02"
#: A reader that gives an hour, and ends when its file `go` is there.
WAITS = """
headers()
records(60)
here = os.path.dirname(os.path.abspath(__file__))
while not os.path.exists(os.path.join(here, "go")):
    time.sleep(0.02)
records(60)
"""
FULL = b"Slow is read by as many requests at once as it may be (1); try again later"
QUICK = "headers()\nrecords(60)\n"
LIMITED = """
title    = "Limited"
contacts = { technical = "Somebody <somebody@example.org>" }
reader   = { command = "#[python] reader.py #[read.time.min] #[read.time.max]", writes = "das/2/text" }
example  = [{ title = "A day", time = "2020-01-01 to 2020-01-02" }]
limits   = { at_once = 1 }
"""


def get(base: str, path: str, method: str = "GET"):
    """The status, headers and body of an answer."""
    place = urlsplit(base)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=30)
    try:
        connection.request(method, place.path.rstrip("/") + path)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


@pytest.fixture
def limited(bare):
    """A root with a source that one request may read, and one that many may."""
    bare.add("Slow", WAITS, LIMITED)
    bare.add("Quick", QUICK)
    with open(bare.config, "a", encoding="utf-8") as file:  # noqa: PTH123  a string is what it is
        file.write('LIMIT_WAIT = "0.3"\n')
    return bare


def go(root) -> None:
    """Lets the slow reader end."""
    (root.root / "definitions" / "Slow" / "go").touch()


class TestServer:
    def test_a_source_at_work_refuses_more_in_the_form_of_who_asks_and_others_go_on(self, limited, serving, wait_until):
        server = serving("--port", "0", "--config", limited.config)
        with ThreadPoolExecutor(1) as pool:
            first = pool.submit(get, server.base, FLEX.format("slow"))
            assert wait_until(lambda: limited.processes("Slow"))
            status, headers, body = get(server.base, FLEX.format("slow"))
            assert (status, headers["Retry-After"]) == (503, "5")
            assert FULL in body
            status, headers, body = get(server.base, DAS2.format("Slow"))
            assert (status, headers["Retry-After"]) == (503, "5")
            assert b"<exception" in body
            assert FULL in body
            assert get(server.base, FLEX.format("quick"))[0] == 200
            for path, method in (
                (FLEX.format("slow"), "HEAD"),
                (f"/source/slow/plan?{DAY}", "GET"),
                ("/source/slow.html", "GET"),
            ):
                assert get(server.base, path, method)[0] == 200, path
            go(limited)
            assert first.result()[0] == 200
        assert get(server.base, FLEX.format("slow"))[0] == 200

    def test_who_leaves_gives_the_turn_to_who_waits(self, limited, serving, wait_until):
        server = serving("--port", "0", "--config", limited.config)
        place = urlsplit(server.base)
        connection = http.client.HTTPConnection(place.hostname, place.port, timeout=30)
        connection.request("GET", FLEX.format("slow"))
        answer = connection.getresponse()  # held, or the connection would close
        assert answer.status == 200
        assert get(server.base, FLEX.format("slow"))[0] == 503
        answer.close()
        connection.close()
        assert wait_until(lambda: not limited.processes("Slow"))
        go(limited)
        assert wait_until(lambda: get(server.base, FLEX.format("slow"))[0] == 200)


PROGRAM = "from dasflex_cgi.cgimain import main; main()"


def program(root, path: str, address: str):
    """A CGI program at work."""
    environ = {
        "PATH": os.environ["PATH"],
        "DASFLEX_CONFIG": root.config,
        "GATEWAY_INTERFACE": "CGI/1.1",
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": "/stream",
        "PATH_INFO": path.partition("?")[0],
        "QUERY_STRING": path.partition("?")[2],
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.0",
        "REMOTE_ADDR": address,
        "HTTP_HOST": "example.org",
    }
    return subprocess.Popen([sys.executable, "-c", PROGRAM], env=environ, stdout=subprocess.PIPE)


def status_of(started) -> tuple[int, str]:
    """The status and the time to wait that a program gave."""
    head = started.communicate(timeout=30)[0].partition(b"\r\n\r\n")[0].decode()
    headers = dict(line.split(": ", 1) for line in head.split("\r\n"))
    return int(headers["Status"].split()[0]), headers.get("Retry-After", "")


class TestPrograms:
    def test_an_address_has_its_share_over_programs_and_a_killed_one_gives_its_place_back(self, bare, wait_until):
        bare.add("Slow", WAITS)
        with open(bare.config, "a", encoding="utf-8") as file:  # noqa: PTH123  a string is what it is
            file.write('LIMIT_AT_ONCE_EACH = "2"\nLIMIT_WAIT = "0.2"\n')
        path = FLEX.format("slow")
        here = [program(bare, path, "192.0.2.1") for _each in range(2)]
        assert wait_until(lambda: len(bare.processes("Slow")) == 2, 20)
        assert status_of(program(bare, path, "192.0.2.1")) == (429, "5")
        elsewhere = program(bare, path, "192.0.2.2")
        assert wait_until(lambda: len(bare.processes("Slow")) == 3, 20)
        here[0].send_signal(signal.SIGKILL)
        here[0].communicate()
        assert wait_until(lambda: len(bare.processes("Slow")) == 2, 20)
        again = program(bare, path, "192.0.2.1")
        assert wait_until(lambda: len(bare.processes("Slow")) == 3, 20)
        go(bare)
        assert [status_of(each)[0] for each in (here[1], elsewhere, again)] == [200, 200, 200]

    @pytest.mark.integration
    def test_a_crowd_at_apache_is_answered_or_refused_and_leaves_nothing(self, bare, apache, wait_until):
        bare.add("Work", "headers()\nrecords(60)\ntime.sleep(0.3)\nrecords(60)\n")
        with open(bare.config, "a", encoding="utf-8") as file:  # noqa: PTH123  a string is what it is
            file.write('LIMIT_AT_ONCE_EACH = "3"\nLIMIT_WAIT = "0.1"\n')
        base = apache(bare.root).cgi
        begun = time.monotonic()
        with ThreadPoolExecutor(30) as pool:
            answers = list(pool.map(lambda _each: get(base, FLEX.format("work")), range(30)))
        assert time.monotonic() - begun < 60
        said = {status for status, _headers, _body in answers}
        assert said == {200, 429}
        whole = {body for status, _headers, body in answers if status == 200}
        assert len(whole) == 1
        assert whole.pop().count(b":01:2020") == 120
        assert all(headers.get("Retry-After") == "5" for status, headers, _body in answers if status == 429)
        assert wait_until(lambda: not bare.processes("Work"), 10)
        assert get(base, FLEX.format("work"))[0] == 200

# SPDX-License-Identifier: GPL-3.0-or-later
"""The log viewer: it finds what was logged, shows it to those who may see it, and nothing of it is more than text."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dasflex_cgi.answering import Front
from dasflex_cgi.cgilog import turned
from dasflex_cgi.exchange import Asked
from dasflex_core.logs import LogEntry, RequestLog, log_name
from dasflex_core.roots import make_root
from dasflex_core.run.records import ProgramRecord, RequestRecord, new_request_id, write_record
from dasflex_core.site import open_site

BROWSER = {"accept": "text/html,*/*", "user-agent": "Mozilla/5.0"}
HOSTILE = "<script>document.title='run'</script><img src=x onerror=\"document.title='run'\">'\"&amp;"


class Page(HTMLParser):
    """The text, the elements and the links of a page."""

    def __init__(self, answer) -> None:
        super().__init__(convert_charrefs=True)
        self.text, self.elements, self.links = "", [], []
        self.headers = dict(answer.headers)
        self.feed(answer.body.decode())

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_starttag(self, tag, attrs) -> None:
        self.elements.append((tag, {name for name, _value in attrs}))
        self.links += [value for name, value in attrs if name == "href"]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A site without sources."""
    root = tmp_path_factory.mktemp("logview") / "root"
    make_root(root, "Test Server", examples=False)
    return open_site(root)


@pytest.fixture
def logs(site):
    """Writes entries of a request log; there are none before."""
    for each in site.config.log_path.glob("**/*"):
        if each.is_file():
            each.unlink()
    log = RequestLog.of(site.config, pytest.fail)

    def write(**facts) -> LogEntry:
        known = {"time": time.time(), "client": "192.0.2.7", "request": new_request_id(), "method": "GET",
                 "target": "/source/a/b/flex?x=1", "status": 200, "bytes": 1234, "seconds": 0.25, "agent": "curl/8",
                 "source": "A/B"}  # fmt: skip
        entry = LogEntry(**{**known, **facts})
        log.write(entry)
        return entry

    return write


def ask(site, path: str, query: str = "", client: str = "127.0.0.1", **headers):
    """The answer of the front-end."""
    front = Front(site, lambda _text: None, lasting=False)
    asked = Asked(
        method="GET", path=path, query=query, origin="http://h", headers={**BROWSER, **headers}, client=client
    )
    try:
        return front.answer(asked)
    finally:
        front.end()


def known(site, path: str, query: str = ""):
    """What a program is told."""
    answer = ask(site, path, query, accept="application/json")
    assert answer.status == 200, answer.body
    assert dict(answer.headers)["Content-Type"] == "application/json"
    return json.loads(answer.body)


def program(stage: str, *command: str, **end) -> ProgramRecord:
    """A program of a run."""
    return ProgramRecord(stage=stage, command=command, **end)


def today() -> str:
    return time.strftime("%Y-%m-%d", time.gmtime())


class TestWhoMaySee:
    PATHS = (
        "/log/",
        "/log",
        "/log/tail",
        "/log/search",
        "/log/sources",
        "/log/2026-01-01",
        "/log/nothing/at/all",
        "/LOG/",
    )

    @pytest.mark.parametrize("path", PATHS)
    def test_others_are_told_the_same_whatever_they_ask_for(self, site, logs, path):
        logs(client="192.0.2.7", target="/source/secret/flex")
        answers = [ask(site, path, client=client) for client in ("192.0.2.7", "", "unknown", "2001:db8::1")]
        for answer in answers:
            assert answer.status == 403
            assert b"Logs are not shown to your address" in answer.body
            assert b"secret" not in answer.body

    def test_a_page_of_another_site_cannot_read_them_through_the_browser_of_who_may(self, site):
        answer = ask(site, "/log/", **{"sec-fetch-site": "cross-site", "origin": "https://evil.example"})
        assert answer.status == 403

    def test_the_word_of_a_stranger_about_where_they_are_is_not_believed(self, site):
        assert ask(site, "/log/", client="192.0.2.7", **{"x-forwarded-for": "127.0.0.1"}).status == 403

    @pytest.mark.parametrize("client", ["127.0.0.1", "127.3.2.1", "::1", "::ffff:127.0.0.1"])
    def test_those_whom_the_configuration_names_see_them(self, site, client):
        assert ask(site, "/log/", client=client).status == 200

    def test_nothing_of_them_is_kept_or_found_by_machines(self, site):
        headers = dict(ask(site, "/log/").headers)
        assert headers["Cache-Control"] == "private, no-store"
        assert headers["X-Robots-Tag"] == "noindex, nofollow"
        policy = headers["Content-Security-Policy"]
        assert "unsafe-inline" not in policy

    @pytest.mark.parametrize("accept", ["text/html", "application/json"])
    def test_no_page_of_another_site_is_told_that_it_may_read_them(self, site, accept):
        headers = dict(ask(site, "/log/", accept=accept).headers)
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert not [name for name in headers if name.startswith("Access-Control-")]


class TestWhatIsShown:
    def test_days_have_their_addresses_requests_failures_and_bytes(self, site, logs):
        logs()
        logs(client="2001:db8::1", status=404, bytes=10)
        assert known(site, "/log/")["days"] == [
            {"day": today(), "addresses": 2, "size": pytest.approx(300, abs=200),
             "tally": {"requests": 2, "errors": 1, "bytes": 1244}}
        ]  # fmt: skip
        page = Page(ask(site, "/log/"))
        assert today() in page.text
        assert f"/log/{today()}" in page.links

    def test_an_address_is_shown_on_a_day_with_its_requests_the_latest_first(self, site, logs):
        first = logs(client="2001:db8::1", target="/first")
        second = logs(client="2001:db8::1", target="/second", complete=False)
        logs(client="192.0.2.8", target="/other")
        (address,) = [each for each in known(site, f"/log/{today()}")["addresses"] if ":" in each["address"]]
        found = known(site, f"/log/{today()}/{address['name']}")["entries"]
        assert [each["request"] for each in found] == [second.request, first.request]
        page = Page(ask(site, f"/log/{today()}/{address['name']}"))
        assert "GET /second" in page.text
        assert "200 broken" in page.text
        assert "/other" not in page.text
        assert f"/log/request/{first.request}" in page.links

    def test_many_requests_of_an_address_come_in_pages(self, site, logs):
        for number in range(450):
            logs(target=f"/{number}")
        seen, query = [], ""
        for _page in range(3):
            answer = known(site, f"/log/{today()}/192.0.2.7", query)
            seen += [each["target"] for each in answer["entries"]]
            query = f"before={answer['older']}"
        assert answer["older"] == ""
        assert seen == [f"/{number}" for number in reversed(range(450))]

    def test_a_request_has_its_plan_its_commands_their_ends_and_what_they_said(self, site, logs):
        entry = logs(status=500, kind="source.exit", message="The stage reader failed", detail="no tape", user="ann")
        record = RequestRecord(
            id=entry.request, source="A/B", request=(("read.time.min", "2020-01-01"),), plan="p1", answer="a1",
            programs=(program("reader", "prog", "--x", "two words", status=3), program("f", "g", signal="SIGTERM")),
            read=77, bytes=5,
        )  # fmt: skip
        write_record(record, str(site.config.requests), pytest.fail)
        (site.config.requests / f"{entry.request}.log").write_text("tape drive 2 is empty\n")
        page = Page(ask(site, f"/log/request/{entry.request}"))
        for text in (
            "two words",
            "exit status 3",
            "SIGTERM",
            "tape drive 2 is empty",
            "no tape",
            "p1",
            "ann",
            "77 Bytes",
        ):
            assert text in page.text, text
        told = known(site, f"/log/request/{entry.request.upper()}")
        assert told["record"]["programs"][0]["command"] == ["prog", "--x", "two words"]
        assert told["entry"]["message"] == "The stage reader failed"

    def test_sources_are_counted_over_days(self, site, logs):
        for number in range(3):
            logs(status=200 if number else 500)
        logs(source="")
        found = known(site, "/log/sources")["sources"]
        assert [(each["source"], each["tally"]["requests"], each["tally"]["errors"]) for each in found] == [
            ("A/B", 3, 1),
            ("", 1, 0),
        ]
        assert "no source" in Page(ask(site, "/log/sources")).text

    def test_a_text_is_found_wherever_it_stands_in_an_entry(self, site, logs):
        hits = [logs(agent="Needle/1"), logs(target="/a?needle=1"), logs(status=500, message="the NEEDLE broke")]
        logs(agent="hay")
        found = known(site, "/log/search", "q=needle")
        assert {each["request"] for each in found["entries"]} == {each.request for each in hits}
        assert found["looked_at"] == 4
        assert [each["status"] for each in known(site, "/log/search", "q=needle&errors=1")["entries"]] == [500]
        assert known(site, "/log/search", "q=needle&source=X")["entries"] == []
        assert known(site, "/log/search", "address=192.0.2.99")["entries"] == []

    def test_the_latest_requests_are_read_anew_until_they_are_held(self, site, logs):
        last = [logs(client=f"192.0.2.{number}") for number in range(5)][-1]
        answer = ask(site, "/log/tail")
        assert dict(answer.headers)["Refresh"] == "5"
        for _time in range(2):  # what it asks itself is not among them
            assert known(site, "/log/tail")["entries"][0]["request"] == last.request
        assert "Refresh" not in dict(ask(site, "/log/tail", "hold=1").headers)

    def test_without_a_directory_of_logs_the_page_says_so(self, tmp_path):
        make_root(tmp_path / "root", "Test", examples=False)
        site = open_site(tmp_path / "root")
        for each in (site.config.log_path / "requests", site.config.log_path):
            if each.exists():
                each.rmdir()
        front = Front(site, lambda _text: None, lasting=False)
        text = front.answer(
            Asked(method="GET", path="/log/", query="", origin="http://h", headers=BROWSER, client="::1")
        ).body.decode()
        assert "There is no directory of logs" in text

    @pytest.mark.parametrize(
        ("path", "query", "status"),
        [
            ("/log/2026-13-01", "", 404),
            ("/log/2026-01-01/..%2F..", "", 404),
            ("/log/2026-01-01/../../etc/passwd", "", 404),
            ("/log/2026-01-01/192.0.2.250", "", 404),
            ("/log/request/../../../etc/passwd", "", 404),
            ("/log/request/zzzzzzzzzzzzzzzzzzzzzz", "", 404),
            ("/log/what", "", 404),
            ("/log/", "since=yesterday", 400),
            ("/log/", "since=2026-02-01&until=2026-01-01", 400),
            ("/log/search", "before=x", 400),
            ("/log/", "address=..%2f..%2fetc", 400),
        ],
    )
    def test_what_is_not_there_is_told_and_nothing_else_is_opened(self, site, logs, path, query, status):
        logs()
        answer = ask(site, path, query, accept="text/plain")
        assert answer.status == status, answer.body
        assert b"root:" not in answer.body

    def test_links_are_not_followed_and_pipes_are_not_waited_for(self, site, logs, tmp_path):
        logs()
        (tmp_path / "other").write_text("2026-01-01T00:00:00.000Z secret")
        place = site.config.log_path / log_name("192.0.2.66", time.time())
        place.symlink_to(tmp_path / "other")
        os.mkfifo(site.config.log_path / log_name("192.0.2.67", time.time()))
        for path in ("/log/", f"/log/{today()}", "/log/tail", "/log/search"):
            answer = ask(site, path)
            assert answer.status == 200
            assert b"secret" not in answer.body


class TestHostileContent:
    PLACES = ("agent", "target", "message", "detail", "user", "source")

    def test_nobody_turns_the_order_of_what_is_read(self, site, logs):
        logs(agent="safe\u202egnp.exe\u2066", target="/source/\u200fa")
        body = ask(site, f"/log/{today()}/192.0.2.7").body.decode()
        assert "safe\\u202egnp.exe\\u2066" in body
        assert "/source/\\u200fa" in body

    def test_nothing_that_clients_and_programs_write_becomes_a_part_of_a_page(self, site, logs):
        @settings(max_examples=30, deadline=None)
        @given(
            text=st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=40).map(lambda text: f"<b {text}>")
            | st.just(HOSTILE)
        )
        def check(text: str) -> None:
            entry = logs(status=500, kind="source.exit", **dict.fromkeys(self.PLACES, text))
            record = RequestRecord(
                id=entry.request, source=text, request=(("read.x", text),), error=text, stages=(text,),
                programs=(program(text, text, "--", status=1),),
            )  # fmt: skip
            write_record(record, str(site.config.requests), pytest.fail)
            (site.config.requests / f"{entry.request}.log").write_text(text, encoding="utf-8")
            plain = logs()
            paths = (f"/log/{today()}/192.0.2.7", "/log/tail", "/log/search", "/log/sources")
            for path in (*paths, f"/log/request/{entry.request}"):
                page = Page(ask(site, path))
                tags = {tag for tag, _names in page.elements}
                assert not tags & {"script", "b"}
                assert not any(name.startswith("on") for _tag, names in page.elements for name in names)
                assert sum(tag == "img" for tag, _names in page.elements) == 1, "the logo"
                assert not any(link.lower().startswith(("javascript:", "data:")) for link in page.links)
            assert ask(site, f"/log/request/{plain.request}").status == 200

        check()


class TestProgram:
    @pytest.mark.parametrize(
        ("script", "main", "base"),
        [
            ("/das/log", "stream", "/das/stream"),
            ("/log", "stream", "/stream"),
            ("/das/log", "/srv", "/srv"),
            ("/das/log", "https://example.org/das/srv/", "/das/srv"),
            ("/das/log", "/", ""),
        ],
    )
    def test_its_links_are_its_own_and_the_others_those_of_the_main_program(self, site, script, main, base):
        from dataclasses import replace

        config = replace(site.config, main_srv_url=main)
        variables, here = turned({"SCRIPT_NAME": script, "PATH_INFO": "/tail", "X": "1"}, config)
        assert (variables["SCRIPT_NAME"], variables["PATH_INFO"], variables["X"]) == (base, "/log/tail", "1")
        assert here == script

    def test_it_answers_as_a_program_of_a_web_server(self, site, logs):
        entry = logs(agent=HOSTILE)
        environ = {
            "PATH": os.environ["PATH"], "DASFLEX_CONFIG": str(site.config.file), "GATEWAY_INTERFACE": "CGI/1.1",
            "REQUEST_METHOD": "GET", "SCRIPT_NAME": "/das/log", "PATH_INFO": "/", "QUERY_STRING": "",
            "SERVER_NAME": "h", "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "HTTP_ACCEPT": "text/html",
            "REMOTE_ADDR": "127.0.0.1", "HTTP_USER_AGENT": "Mozilla/5.0",
        }  # fmt: skip
        code = "from dasflex_cgi.cgilog import main; main()"

        def run(**more: str) -> tuple[bytes, str]:
            done = subprocess.run(
                [sys.executable, "-c", code], env={**environ, **more}, capture_output=True, check=True, timeout=60
            )
            head, _, body = done.stdout.partition(b"\r\n\r\n")
            return head, body.decode()

        head, body = run()
        assert head.startswith(b"Status: 200")
        assert f'href="/das/log/{today()}"' in body
        assert 'href="/das/stream/source/"' in body
        assert entry.agent not in run(PATH_INFO="/tail")[1]
        head, body = run(PATH_INFO="")
        assert head.startswith(b"Status: 301")
        assert b"Location: /das/log/" in head
        head, body = run(REMOTE_ADDR="192.0.2.1")
        assert head.startswith(b"Status: 403")

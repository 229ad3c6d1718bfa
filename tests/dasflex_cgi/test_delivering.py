# SPDX-License-Identifier: GPL-3.0-or-later
"""Data over HTTP: what is said of them, when nothing needs to run, and what they cost."""

from __future__ import annotations

import os
import re
import time
import zlib

import pytest
import zstandard

import dasflex_core
from dasflex_cgi.answering import Front
from dasflex_cgi.exchange import Asked
from dasflex_core.errors import DasflexError

DAY = "time=2020-01-01/2020-01-02"
FIREFOX = {"accept": "text/html,*/*;q=0.8", "user-agent": "Mozilla/5.0 (X11)"}
DATED = """
title    = "Dated"
contacts = { technical = "Somebody <somebody@example.org>" }
reader   = { command = "#[python] reader.py #[read.time.min] #[read.time.max]", writes = "das/2/text", changed = "*.dat" }
example  = [{ title = "A day", time = "2020-01-01 to 2020-01-02" }]
"""
READER = "open('ran', 'a').write('x'); headers(); records(300)"


@pytest.fixture
def local(bare):
    """Opens the front-end of a root to which sources are added."""
    return lambda: Front(dasflex_core.open(bare.root), lambda _text: None)


@pytest.fixture
def dated(bare, local):
    """The front-end of a source whose data have a date, and the file that gives it."""
    bare.add("dated", READER, DATED)
    file = bare.root / "definitions" / "dated" / "a.dat"
    file.touch()
    os.utime(file, (784111777.25, 784111777.25))
    return local(), file


def ask(front, target, method="GET", headers=None):
    """Status, headers and body of the answer to a target."""
    path, _, query = target.partition("?")
    answer = front.answer(Asked(method=method, path=path, query=query, origin="http://x", headers=headers or {}))
    if isinstance(answer.body, bytes):
        return answer.status, dict(answer.headers), answer.body
    body = b"" if method == "HEAD" or answer.status == 304 else b"".join(answer.body)
    answer.body.close()
    return answer.status, dict(answer.headers), body


class TestDates:
    def test_data_with_a_date_say_it_and_may_be_kept(self, dated):
        front, _file = dated
        status, headers, _body = ask(front, f"/source/dated/flex?{DAY}")
        assert status == 200
        assert re.fullmatch(r'W/"[a-z0-9]{16}"', headers["ETag"])
        assert headers["Last-Modified"] == "Sun, 06 Nov 1994 08:49:37 GMT"
        assert headers["Cache-Control"] == "public, max-age=300"

    def test_data_without_one_say_nothing_and_are_asked_for_again(self, local, bare):
        bare.add("undated", READER)
        front = local()
        _status, headers, _body = ask(front, f"/source/undated/flex?{DAY}")
        assert "ETag" not in headers
        assert "Last-Modified" not in headers
        assert headers["Cache-Control"] == "no-cache"
        assert ask(front, f"/source/undated/flex?{DAY}", headers={"if-none-match": "*"})[0] == 200

    @pytest.mark.parametrize("end", ["2999-01-01", "now"])
    def test_what_is_not_over_is_not_kept(self, dated, end):
        front, _file = dated
        query = f"read.time.min=2020-01-01&read.time.max={end}"
        headers = ask(front, f"/source/dated/flex?{query}", "HEAD")[1]
        assert headers["Cache-Control"] == ("no-cache" if end != "now" else "public, max-age=300")

    def test_who_has_it_gets_a_304_and_nothing_runs(self, dated):
        front, file = dated
        _status, headers, _body = ask(front, f"/source/dated/flex?{DAY}")
        (file.parent / "ran").unlink()
        for condition in (
            {"if-none-match": headers["ETag"]},
            {"if-none-match": '"other", ' + headers["ETag"].removeprefix("W/")},
            {"if-modified-since": headers["Last-Modified"]},
        ):
            status, told, body = ask(front, f"/source/dated/flex?{DAY}", headers=condition)
            assert (status, body) == (304, b"")
            assert told["ETag"] == headers["ETag"]
            assert told["Cache-Control"] == headers["Cache-Control"]
            assert told["Vary"] == headers["Vary"]
            assert "Content-Type" not in told
        assert not (file.parent / "ran").exists()

    def test_newer_data_have_another_tag(self, dated):
        front, file = dated
        tag = ask(front, f"/source/dated/flex?{DAY}", "HEAD")[1]["ETag"]
        os.utime(file, (time.time(), time.time()))
        status, headers, _body = ask(front, f"/source/dated/flex?{DAY}", headers={"if-none-match": tag})
        assert status == 200
        assert headers["ETag"] != tag

    def test_another_request_or_format_has_another_tag(self, dated):
        front, _file = dated
        targets = (f"flex?{DAY}", "flex?time=2020-01-01/2020-01-03", f"data.csv?{DAY}")
        assert len({ask(front, f"/source/dated/{each}", "HEAD")[1]["ETag"] for each in targets}) == 3


class TestHead:
    @pytest.mark.parametrize("target", [f"flex?{DAY}", f"data.csv?{DAY}", f"data.d3t?{DAY}"])
    def test_it_says_what_get_says_and_runs_nothing(self, dated, target):
        front, file = dated
        for headers in ({}, {"accept-encoding": "gzip"}, FIREFOX):
            status, told, body = ask(front, f"/source/dated/{target}", "HEAD", headers)
            assert not (file.parent / "ran").exists()
            got = ask(front, f"/source/dated/{target}", headers=headers)[1]
            (file.parent / "ran").unlink()
            assert (status, body) == (200, b"")
            for own in ("X-Request-Id", "Server-Timing"):
                assert told.pop(own)
                assert got.pop(own)
            price = {name: told.pop(name) for name in list(told) if name.startswith("X-Estimate")}
            assert {"X-Estimated-Seconds", "X-Estimate-Basis"} <= price.keys()
            exposed = told.pop("Access-Control-Expose-Headers")
            assert exposed == f"{got.pop('Access-Control-Expose-Headers')}, {', '.join(price)}"
            assert told == got


class TestCodings:
    def test_text_is_compressed_when_that_is_asked_for(self, dated):
        front, _file = dated
        plain = ask(front, f"/source/dated/data.csv?{DAY}")
        assert "Content-Encoding" not in plain[1]
        for name, read in (("gzip", lambda data: zlib.decompress(data, 31)), ("zstd", zstd)):
            status, headers, body = ask(front, f"/source/dated/data.csv?{DAY}", headers={"accept-encoding": name})
            assert status == 200
            assert headers["Content-Encoding"] == name
            assert headers["ETag"] == plain[1]["ETag"]
            assert "Accept-Encoding" in headers["Vary"]
            assert len(body) < len(plain[2])
            assert read(body) == plain[2]

    def test_binary_data_are_not(self, dated):
        front, _file = dated
        for suffix in ("d2s", "d3b"):
            headers = ask(front, f"/source/dated/data.{suffix}?{DAY}", headers={"accept-encoding": "gzip, zstd"})[1]
            assert "Content-Encoding" not in headers

    def test_pages_and_nodes_are_and_errors_are_not(self, dated):
        front, _file = dated
        accepted = {"accept-encoding": "gzip"}
        plain = ask(front, "/source/dated")
        status, headers, body = ask(front, "/source/dated", headers=accepted)
        assert (status, headers["Content-Encoding"]) == (200, "gzip")
        assert zlib.decompress(body, 31) == plain[2]
        assert "Content-Encoding" not in ask(front, "/nowhere", headers=accepted)[1]


def zstd(data):
    """The bytes behind zstd."""
    return zstandard.ZstdDecompressor().decompressobj().decompress(data)


class TestWhatIsSaid:
    def test_the_phases_are_timed_and_the_run_gives_the_id(self, dated):
        front, _file = dated
        headers = ask(front, f"/source/dated/flex?{DAY}")[1]
        assert re.fullmatch(r"plan;dur=\d+\.\d, first;dur=\d+\.\d", headers["Server-Timing"])
        assert ask(front, f"/request/{headers['X-Request-Id']}")[0] == 200

    def test_a_failure_before_the_data_has_a_record_of_its_id_too(self, local, bare):
        bare.add("fails", "sys.exit(3)")
        front = local()
        status, headers, _body = ask(front, f"/source/fails/data.csv?{DAY}")
        assert status == 500
        assert headers["Cache-Control"] == "no-store"
        assert b"source.exit" in ask(front, f"/request/{headers['X-Request-Id']}")[2]

    def test_a_browser_is_shown_text(self, dated):
        front, _file = dated
        headers = ask(front, f"/source/dated/flex?{DAY}", headers=FIREFOX)[1]
        assert headers["Content-Type"] == "text/plain; charset=utf-8"
        assert headers["Content-Disposition"].startswith("inline; ")
        assert headers["Vary"] == "Accept-Encoding, Accept, User-Agent"
        assert ask(front, f"/source/dated/data.d2s?{DAY}", headers=FIREFOX)[1]["Content-Type"].startswith(
            "application/"
        )


class TestPrice:
    @pytest.fixture
    def dear(self, bare, local, monkeypatch):
        """The front-end of a source that costs too much."""
        bare.add("dear", READER)
        front = local()

        def refuse(self):
            raise dasflex_core.QueryError("This would take 99 hours; ask for less", kind="query.too-large")

        monkeypatch.setattr("dasflex_core.solved.Plan.afford", refuse)
        return front

    @pytest.mark.parametrize("method", ["GET", "HEAD"])
    def test_what_costs_too_much_is_413_and_for_das2_clients_503(self, dear, bare, method):
        status, headers, body = ask(dear, f"/source/dear/data.csv?{DAY}", method)
        assert status == 413
        assert headers["Content-Type"] == "text/plain; charset=utf-8"
        assert b"99 hours" in body
        das2 = "/?server=dataset&dataset=dear&start_time=2020-01-01&end_time=2020-01-02"
        status, headers, body = ask(dear, das2, method)
        assert status == 503
        assert headers["Content-Type"] == "text/vnd.das2.das2stream; charset=utf-8"
        assert b'type="IllegalArgument" message="This would take 99 hours; ask for less"' in body
        assert "Retry-After" not in headers
        assert not (bare.root / "definitions" / "dear" / "ran").exists()


class TestFailures:
    @pytest.mark.parametrize("kind", ["access.log-in", "busy.limit", "busy.stopped"])
    def test_who_must_log_in_or_wait_is_told_so(self, dated, monkeypatch, kind):
        front, _file = dated

        def refuse(self):
            made = dasflex_core.AccessError if kind.startswith("access") else dasflex_core.BusyError
            raise made("Not now", kind=kind)

        monkeypatch.setattr("dasflex_core.solved.Plan.afford", refuse)
        for headers in ({}, FIREFOX):
            status, told, body = ask(front, f"/source/dated/flex?{DAY}", headers=headers)
            if kind == "access.log-in":
                assert (status, body) == (401, b"Not now\n")
                assert re.fullmatch(r'Basic realm="[^"]{4,}"', told["WWW-Authenticate"])
            else:
                assert status == 503
                assert int(told["Retry-After"]) > 0

    @pytest.mark.parametrize("text", ['a < b & "c"', "line\nbreak\r\n", "\x00\x1b[2J", "\ud800", "ü" * 9000])
    @pytest.mark.parametrize("suffix", ["d2s", "d2t", "d3b", "csv"])
    def test_no_text_breaks_its_form(self, dated, monkeypatch, text, suffix):
        front, _file = dated

        def refuse(self):
            raise dasflex_core.SourceError(text, kind="source.exit")

        monkeypatch.setattr("dasflex_core.solved.Plan.afford", refuse)
        status, _headers, body = ask(front, f"/source/dated/data.{suffix}?{DAY}")
        assert status == 500
        if suffix.startswith("d2"):
            found = re.fullmatch(
                rb"\[00\]000025.{25}\[xx\](\d{6})(<exception [^<&]*(?:&\w+;[^<&]*)* />\n)", body, re.DOTALL
            )
            assert found
            assert int(found[1]) == len(found[2])
            assert b"\n" not in found[2][:-1]
        elif suffix == "csv":
            assert body.count(b"\n") == 1

    def test_an_unknown_error_of_a_plugin_is_told_to_nobody(self, dated, monkeypatch):
        front, _file = dated

        def fail(self):
            raise DasflexError("/etc/secret")

        monkeypatch.setattr("dasflex_core.solved.Plan.afford", fail)
        status, _headers, body = ask(front, f"/source/dated/data.csv?{DAY}")
        assert status == 500
        assert b"secret" not in body

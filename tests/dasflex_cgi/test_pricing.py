# SPDX-License-Identifier: GPL-3.0-or-later
"""Prices over HTTP: by HEAD, with the plan, and in refusals, each in the form of whoever asked."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import parse_qsl, urlsplit

import pytest

import dasflex_core
from dasflex_cgi.answering import Front
from dasflex_cgi.exchange import Asked

DAY = "time=2020-01-01/2020-01-02"
DAS2 = "/?server=dataset&dataset=rated&start_time=2020-01-01&end_time=2020-01-02"
FIREFOX = {"accept": "text/html,*/*;q=0.8", "user-agent": "Mozilla/5.0 (X11)"}
PROGRAM = {"accept": "application/json"}
RATED = """
title    = "Rated"
contacts = { technical = "Somebody <somebody@example.org>" }
reader   = { command = "#[python] reader.py #[read.time.min] #[read.time.max]", writes = "das/2/text", rate = "1 packet/min of 35 B" }
example  = [{ time = "2020-01-01 to 2020-01-02" }]
"""
PROTECTED = RATED + 'access = { realm = "The Team", allow = ["user:anna", "bin:600s"] }\n'
READER = "open('ran', 'a').write('x'); headers(); records(1440)"


@pytest.fixture
def root(bare):
    """A root with a source that anybody may read, and one of whose data they may have averages."""
    text = RATED.replace("1 packet/min", "0.0166667 packet/s")
    bare.add("rated", READER, text)
    bare.add("closed", READER, PROTECTED.replace("1 packet/min", "0.0166667 packet/s"))
    return bare


@pytest.fixture
def front(root):
    """The front-end of the root with limits, if any are given."""

    def made(**limits):
        site = dasflex_core.open(root.root)
        return Front(replace(site, config=replace(site.config, **limits)), lambda _text: None)

    return made


def ask(front, target, method="GET", headers=None):
    """Status, headers and body of the answer to a target."""
    parts = urlsplit(target)
    asked = Asked(method=method, path=parts.path, query=parts.query, origin="http://x", headers=headers or {})
    answer = front.answer(asked)
    if isinstance(answer.body, bytes):
        return answer.status, dict(answer.headers), answer.body
    body = b"" if method == "HEAD" else b"".join(answer.body)
    answer.body.close()
    return answer.status, dict(answer.headers), body


def ran(root):
    return any((root.root / "definitions" / name / "ran").exists() for name in ("rated", "closed"))


class TestHead:
    @pytest.mark.parametrize("target", [f"/source/rated/flex?{DAY}", f"/source/rated/data.csv?{DAY}", DAS2])
    def test_it_says_the_price_and_starts_no_reader(self, front, root, target):
        status, headers, body = ask(front(), target, "HEAD")
        assert (status, body) == (200, b"")
        assert int(headers["X-Estimated-Records"]) == 1440
        assert 20_000 < int(headers["X-Estimated-Bytes"]) < 100_000
        assert 0 < float(headers["X-Estimated-Seconds"]) < 10
        assert headers["X-Estimate-Basis"] == "rate"
        assert "X-Estimated-Bytes" in headers["Access-Control-Expose-Headers"]
        assert not ran(root)
        got = ask(front(), target)[1]
        assert not [name for name in got if name.startswith(("X-Estimate", "X-Suggested"))]

    def test_after_a_run_it_rests_on_that(self, front):
        body = ask(front(), f"/source/rated/data.csv?{DAY}")[2]
        headers = ask(front(), f"/source/rated/data.csv?{DAY}", "HEAD")[1]
        assert headers["X-Estimate-Basis"] == "history"
        assert int(headers["X-Estimated-Bytes"]) == pytest.approx(len(body), rel=0.01)

    @pytest.mark.parametrize(("target", "status"), [(f"/source/rated/flex?{DAY}", 413), (DAS2, 503)])
    def test_of_what_is_too_large_it_says_so_and_what_would_do(self, front, root, target, status):
        got, headers, _body = ask(front(limit_answer_gigabytes=3e-5), target, "HEAD")
        assert got == status
        assert headers["X-Estimated-Records"] == "1440"
        first = dict(parse_qsl(headers["X-Suggested-Parameters"].split(", ")[0]))
        assert first.keys() == ({"bin.time.max"} if status == 413 else {"resolution"})
        assert sum(len(name) + len(value) + 4 for name, value in headers.items()) <= 1_700
        assert not ran(root)


class TestRefusals:
    def test_a_program_gets_an_object_whose_addresses_are_granted(self, front):
        here = front(limit_answer_gigabytes=3e-5)
        status, headers, body = ask(here, f"/source/rated/data.csv?{DAY}", headers=PROGRAM)
        assert (status, headers["Content-Type"]) == (413, "application/json")
        told = json.loads(body)
        assert (told["kind"], told["status"], told["request"]) == ("query.too-large", 413, headers["X-Request-Id"])
        assert told["estimate"]["records"] == 1440
        assert told["limits"][0]["key"] == "LIMIT_ANSWER_GIGABYTES"
        assert {frozenset(each["parameters"]) for each in told["suggestions"]} == {
            frozenset({"bin.time.max"}),
            frozenset({"read.time.min", "read.time.max"}),
        }
        for each in told["suggestions"]:
            assert each["url"].startswith("http://x/source/rated/data.csv?")
            assert ask(here, each["url"], headers=PROGRAM)[0] == 200

    def test_a_das2_client_is_told_in_its_own_words_and_asking_so_is_granted(self, front):
        here = front(limit_answer_gigabytes=3e-5)
        status, headers, body = ask(here, DAS2, headers=PROGRAM)
        assert (status, headers["Content-Type"]) == (503, "text/vnd.das2.das2stream; charset=utf-8")
        assert b"ask for bins of" in body
        assert b"or for at most" in body
        assert b"Prefer" not in body
        for each in headers["X-Suggested-Parameters"].split(", "):
            changes = dict(parse_qsl(each))
            query = {**dict(parse_qsl(urlsplit(DAS2).query)), **changes}
            assert ask(here, "/?" + "&".join(f"{name}={text}" for name, text in query.items()))[0] == 200

    def test_a_person_gets_a_page_and_anybody_else_a_line(self, front):
        here = front(limit_answer_gigabytes=3e-5)
        status, headers, body = ask(here, f"/source/rated/data.csv?{DAY}", headers=FIREFOX)
        assert (status, headers["Content-Type"]) == (413, "text/html; charset=utf-8")
        assert b"or for at most" in body
        status, headers, body = ask(here, f"/source/rated/data.csv?{DAY}")
        assert (status, headers["Content-Type"]) == (413, "text/plain; charset=utf-8")
        assert body.count(b"\n") == 1

    def test_a_job_is_offered_where_there_are_jobs_and_it_may_cost_that(self, front):
        offer = b'as a job: send the header "Prefer: respond-async"'
        target = f"/source/rated/data.csv?{DAY}"
        assert offer in ask(front(limit_answer_gigabytes=3e-5), target)[2]
        assert offer not in ask(front(limit_answer_gigabytes=3e-5, limit_jobs=0), target)[2]
        assert offer not in ask(front(limit_answer_gigabytes=3e-5, limit_job_gigabytes=1e-9), target)[2]

    def test_other_failures_are_objects_for_programs_too(self, front):
        status, headers, body = ask(front(), f"/source/rated/data.csv?{DAY}&colour=red", headers=PROGRAM)
        assert (status, headers["Content-Type"]) == (400, "application/json")
        assert json.loads(body).keys() == {"kind", "message", "status", "request"}
        assert ask(front(), "/source/none/flex", headers=PROGRAM)[1]["Content-Type"] == "application/json"

    def test_what_a_client_has_already_is_not_refused(self, bare):
        text = RATED.replace("1 packet/min", "0.0166667 packet/s").replace("rate =", 'changed = "*.dat", rate =')
        bare.add("dated", READER, text)
        (bare.root / "definitions" / "dated" / "a.dat").touch()
        site = dasflex_core.open(bare.root)
        tag = ask(Front(site, print), f"/source/dated/flex?{DAY}", "HEAD")[1]["ETag"]
        tight = Front(replace(site, config=replace(site.config, limit_answer_gigabytes=1e-9)), print)
        assert ask(tight, f"/source/dated/flex?{DAY}", headers={"if-none-match": tag})[0] == 304
        assert ask(tight, f"/source/dated/flex?{DAY}")[0] == 413


class TestProtected:
    def test_nobody_is_offered_what_they_may_not_read(self, front):
        here = front(limit_answer_gigabytes=3e-6)
        status, _headers, body = ask(here, f"/source/closed/data.csv?{DAY}", headers=PROGRAM)
        assert status == 413
        told = json.loads(body)
        assert told["estimate"]["records"] == 144, "it is the price of the averages that they would get"
        for each in told["suggestions"]:
            assert float(each["parameters"].get("bin.time.max", 601)) > 600
            status, headers, _body = ask(here, each["url"])
            assert status == 200
            assert headers.get("X-Note", "").startswith("These are averages of 600 s") or "bin.time.max" in each["url"]

    def test_who_may_read_nothing_learns_no_price(self, bare):
        bare.add("shut", READER, PROTECTED.replace("1 packet/min", "0.1 packet/s").replace(', "bin:600s"', ""))
        here = Front(dasflex_core.open(bare.root), lambda _text: None)
        for target in (f"/source/shut/flex?{DAY}", f"/source/shut/plan?{DAY}"):
            status, headers, body = ask(here, target, "HEAD")
            assert status == 401
            assert "X-Estimated-Bytes" not in headers
            assert b"estimate" not in body


class TestPlan:
    def test_it_shows_the_same_price_as_head(self, front, root):
        headers = ask(front(), f"/source/rated/flex?{DAY}", "HEAD")[1]
        told = json.loads(ask(front(), f"/source/rated/plan?{DAY}", headers=PROGRAM)[2])
        assert str(told["estimate"]["bytes"]) == headers["X-Estimated-Bytes"]
        assert str(told["estimate"]["records"]) == headers["X-Estimated-Records"]
        assert told["estimate"]["basis"] == headers["X-Estimate-Basis"]
        assert told["refused"] is None
        text = ask(front(), f"/source/rated/plan?{DAY}")[2].decode()
        assert "about 50.4 kB, 1,440 records" in text
        assert "the rate that the definition gives" in text
        assert not ran(root)

    def test_of_what_is_too_large_it_shows_that_and_addresses_that_are_granted(self, front):
        here = front(limit_answer_gigabytes=3e-5)
        status, _headers, body = ask(here, f"/source/rated/plan?{DAY}&format=json")
        assert status == 200
        told = json.loads(body)
        assert told["refused"].startswith("This request would give about 50.4 kB, where at most 30 kB")
        for each in told["suggestions"]:
            assert each["url"].startswith("http://x/source/rated/flex?")
            assert ask(here, each["url"])[0] == 200
        text = ask(here, f"/source/rated/plan?{DAY}")[2].decode()
        assert "refused to clients: This request would give" in text

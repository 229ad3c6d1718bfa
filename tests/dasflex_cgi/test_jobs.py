# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests that are answered later, as clients meet them: by `dasflex serve` and by CGI under a real Apache."""

from __future__ import annotations

import base64
import http.client
import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner

from dasflex_core.cli import main
from dasflex_core.jobs.store import Jobs

pytestmark = pytest.mark.integration

DAY = "time=2020-01-01/2020-01-02"
QUICK = "headers(); records(60)"
SLEEPING = "headers(); records(60); grandchild(); time.sleep(600)"
PROTECTED = """
title    = "{name}"
contacts = {{ technical = "Somebody <somebody@example.org>" }}
reader   = {{ command = "#[python] reader.py #[read.time.min] #[read.time.max]", writes = "das/2/text" }}
example  = [{{ title = "A day", time = "2020-01-01 to 2020-01-02" }}]
access   = {{ realm = "The Realm", allow = ["user:anna", "age:9y"] }}
"""
RATED = """
title    = "{name}"
contacts = {{ technical = "Somebody <somebody@example.org>" }}
reader   = {{ command = "#[python] reader.py #[read.time.min] #[read.time.max]", writes = "das/2/text", rate = "0.0166667 packet/s of 36 B" }}
example  = [{{ title = "A day", time = "2020-01-01 to 2020-01-02" }}]
"""
KEYED = """
title    = "{name}"
contacts = {{ technical = "Somebody <somebody@example.org>" }}
reader   = {{ command = "#[python] reader.py #[read.time.min] #[read.time.max] #[read.token # @ #]", writes = "das/2/text" }}
example  = [{{ title = "A day", time = "2020-01-01 to 2020-01-02" }}]
options  = {{ token = {{ title = "A key" }} }}
"""


@dataclass(frozen=True)
class Got:
    """An answer; names of headers are in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def facts(self) -> dict[str, object]:
        return json.loads(self.body)


def fetch(url, method="GET", **headers):
    """The answer to a request."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(place.hostname, place.port, timeout=60)
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    connection.request(method, f"{place.path}?{place.query}" if place.query else place.path, headers=named)
    answer = connection.getresponse()
    try:
        return Got(answer.status, {name.lower(): text for name, text in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def later(url, **headers):
    """The address of the job that answers a request."""
    got = fetch(url, Prefer="respond-async", **headers)
    assert got.status == 202, got
    return got.headers["location"]


def configured(roots, **values):
    """Sets keys of the configuration."""
    with Path(roots.config).open("a", encoding="utf-8") as file:
        file.writelines(f'{name} = "{value}"\n' for name, value in values.items())


def kept(roots):
    """The jobs of a root."""
    return Jobs(roots.root / "run" / "jobs")


def worker(roots, url):
    """The process that works on a job."""
    return int((kept(roots).folder(url.rpartition("/")[2]) / "lock").read_text())


@pytest.fixture
def done(wait_until):
    """The facts of a job when it has ended."""

    def wait(url, state="complete", seconds=20.0, **headers):
        assert wait_until(lambda: fetch(url, **headers).facts["ended"], seconds), fetch(url, **headers)
        facts = fetch(url, **headers).facts
        assert facts["state"] == state, facts
        return facts

    return wait


@pytest.fixture
def bare(bare, wait_until):
    """A root without sources, of which nothing goes on behind a test."""
    yield bare
    jobs = kept(bare)
    for each in jobs.active():
        jobs.wish_end(each)
    for each in jobs.active():
        assert wait_until(lambda each=each: not jobs.is_held(each)), each


@pytest.fixture
def served(bare, serving):
    """Starts a server for a root."""
    return lambda: serving("--config", bare.config, "--port", "0").base


@pytest.fixture(params=["serve", "cgi"])
def base(request, bare, served):
    """The address of a server: `dasflex serve`, and CGI under Apache."""
    if request.param == "serve":
        return served
    apache = request.getfixturevalue("apache")
    return lambda: apache(bare.root).cgi


def test_a_job_is_accepted_done_and_fetched_as_a_file(bare, base, done):
    bare.add("quick", QUICK)
    url = f"{base()}source/quick/flex?{DAY}"
    now = fetch(url)
    got = fetch(url, Prefer="respond-async, wait=5")
    assert got.status == 202
    assert got.headers["preference-applied"] == "respond-async"
    assert got.headers["cache-control"] == "private, no-store"
    assert int(got.headers["retry-after"]) >= 1
    job = got.headers["location"]
    assert job == got.facts["url"]
    assert job.startswith(url.partition("source/")[0] + "jobs/")
    assert len(job.rpartition("/")[2]) == 22
    facts = done(job)
    assert (facts["source"], facts["bytes"], facts["error"]) == ("quick", len(now.body), None)
    assert facts["fraction"] == 1.0
    result = fetch(facts["result"])
    assert (result.status, result.body) == (200, now.body)
    length = result.headers.get("content-length", str(len(now.body)))  # Apache leaves out what a CGI program says of it
    assert int(length) == len(now.body)
    assert result.headers["content-type"] == now.headers["content-type"]
    assert result.headers["content-disposition"] == now.headers["content-disposition"]
    assert result.headers["cache-control"] == "private, no-store"
    head = fetch(facts["result"], "HEAD")
    assert (head.status, head.body, head.headers["etag"]) == (200, b"", result.headers["etag"])
    assert fetch(facts["result"], If_None_Match=result.headers["etag"]).status == 304
    part = fetch(facts["result"], Range="bytes=10-19", If_Range=result.headers["etag"])
    assert (part.status, part.body) == (206, now.body[10:20])
    assert part.headers["content-range"] == f"bytes 10-19/{len(now.body)}"
    assert fetch(facts["result"], Range="bytes=99999999-").status == 416
    assert fetch(str(facts["record"])).facts["complete"] is True
    assert fetch(job, "DELETE").status == 204
    assert fetch(job).status == fetch(facts["result"]).status == 410
    assert not (kept(bare).folder(job.rpartition("/")[2]) / "result").exists()


def test_a_cancelled_job_leaves_no_process_and_no_file(bare, base, wait_until):
    bare.add("sleeping", SLEEPING)
    job = later(f"{base()}source/sleeping/flex?{DAY}", Authorization="Bearer known-to-nobody")
    assert wait_until(lambda: len(bare.processes("sleeping")) > 1)
    assert fetch(job).facts["state"] == "running"
    early = fetch(f"{job}/result")
    assert (early.status, int(early.headers["retry-after"]) >= 1) == (409, True)
    pid = worker(bare, job)
    environment = Path(f"/proc/{pid}/environ").read_bytes()
    assert b"QUERY_STRING=" not in environment
    assert b"HTTP_" not in environment
    told = [Path(f"/proc/{pid}/cmdline"), *kept(bare).folder(job.rpartition("/")[2]).iterdir()]
    assert b"known-to-nobody" not in environment + b"".join(each.read_bytes() for each in told)
    assert os.getsid(pid) != os.getsid(0)
    assert fetch(job, "DELETE").status == 204
    assert not bare.processes("sleeping")
    assert wait_until(lambda: not Path(f"/proc/{pid}").exists())
    assert fetch(job).status == 410
    assert sorted(each.name for each in kept(bare).folder(job.rpartition("/")[2]).iterdir()) == ["lock", "status.json"]


def test_a_request_that_a_cgi_program_hands_over_to_a_server_is_a_job_too(bare, serving, wait_until):
    bare.add("sleeping", SLEEPING)
    server = serving("--config", bare.config, "--port", "0", DASFLEX_MARK="of-the-server")

    def cgi(method, path, **variables):
        asked = {"REQUEST_METHOD": method, "PATH_INFO": path, "HTTP_HOST": "example.org", "REMOTE_ADDR": "192.0.2.7"}
        environment = {"DASFLEX_CONFIG": bare.config, "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
        environment |= {**asked, **variables}
        program = [sys.executable, "-c", "from dasflex_cgi.cgimain import main; main()"]
        done = subprocess.run(program, env=environment, capture_output=True, check=True)
        return dict(line.split(": ", 1) for line in done.stdout.decode().partition("\r\n\r\n")[0].splitlines())

    got = cgi("GET", "/source/sleeping/flex", QUERY_STRING=DAY, HTTP_PREFER="respond-async")
    assert (got["Status"], got["Preference-Applied"]) == ("202 Accepted", "respond-async")
    path = got["Location"].removeprefix("http://example.org")
    assert b"DASFLEX_MARK=of-the-server" in Path(f"/proc/{worker(bare, path)}/environ").read_bytes()
    assert wait_until(lambda: len(bare.processes("sleeping")) > 1)
    assert cgi("GET", f"{path}/result")["Status"] == "409 Conflict"
    assert cgi("DELETE", path)["Status"] == "204 No Content"
    assert not bare.processes("sleeping")
    assert fetch(f"{server.base}{path[1:]}").status == 410


def test_the_same_request_of_the_same_client_is_the_same_job_until_it_has_ended(bare, served, done):
    bare.add("sleeping", SLEEPING)
    bare.add("quick", QUICK)
    configured(bare, LIMIT_JOBS_RUNNING="9")
    url = served()
    asleep = f"{url}source/sleeping/flex?{DAY}"
    job = later(asleep)
    assert later(f"{url}source/Sleeping/data.d2t?read.time.max=2020-01-02&read.time.min=2020-001") == job
    assert later(asleep, X_Forwarded_For="192.0.2.7") != job
    assert later(f"{asleep}&read.word=x") != job
    done(first := later(f"{url}source/quick/flex?{DAY}"))
    assert later(f"{url}source/quick/flex?{DAY}") != first


def test_jobs_wait_for_one_another_and_begin_by_themselves(bare, served, done, wait_until):
    bare.add("short", "headers(); records(5); time.sleep(1.5)")
    configured(bare, LIMIT_JOBS_RUNNING="1")
    url = f"{served()}source/short/flex?{DAY}"
    first, second = later(url), later(f"{url}&read.word=b")
    assert fetch(second).facts["state"] == "waiting"
    done(first)
    jobs = kept(bare)
    assert wait_until(lambda: not jobs.active(), 15)  # nobody has asked
    done(second)


def test_a_job_whose_program_was_killed_is_done_by_another_one(bare, served, done, wait_until):
    bare.add(
        "second",
        """
        headers(); records(60)
        if not os.path.exists("begun"):
            open("begun", "w").close()
            grandchild(); time.sleep(600)
        """,
    )
    job = later(f"{served()}source/second/flex?{DAY}")
    assert wait_until(lambda: len(bare.processes("second")) > 1)
    os.kill(worker(bare, job), signal.SIGKILL)
    done(job)
    assert wait_until(lambda: not bare.processes("second"))
    assert kept(bare).status(job.rpartition("/")[2]).tries == 2


def test_a_job_whose_program_was_killed_twice_has_failed(bare, served, done, wait_until):
    bare.add("sleeping", SLEEPING)
    job = later(f"{served()}source/sleeping/flex?{DAY}")
    for _each in range(2):
        assert wait_until(lambda: fetch(job).facts["state"] == "running" and len(bare.processes("sleeping")) > 1)
        pid = worker(bare, job)
        os.kill(pid, signal.SIGKILL)
        assert wait_until(lambda pid=pid: not Path(f"/proc/{pid}").exists() and not bare.processes("sleeping"))
    facts = done(job, "failed")
    assert facts["error"]["kind"] == "busy.stopped"
    assert fetch(f"{job}/result").status == 404
    assert not (kept(bare).folder(job.rpartition("/")[2]) / "result.part").exists()


def test_a_job_waits_again_when_its_program_is_told_to_end_as_by_a_machine_that_stops(bare, serving, wait_until):
    bare.add("sleeping", SLEEPING)
    server = serving("--config", bare.config, "--port", "0")
    job = later(f"{server.base}source/sleeping/flex?{DAY}")
    identifier = job.rpartition("/")[2]
    for way in ("asked for", "served again"):
        assert wait_until(lambda: len(bare.processes("sleeping")) > 1), way
        pid = worker(bare, job)
        os.kill(pid, signal.SIGTERM)
        assert wait_until(lambda pid=pid: not Path(f"/proc/{pid}").exists())
        assert not bare.processes("sleeping")
        status = kept(bare).status(identifier)
        assert (status.state, status.tries) == ("waiting", 0)
        if way == "asked for":
            assert wait_until(lambda: fetch(job).facts["state"] == "running")
    server.stop()
    serving("--config", bare.config, "--port", "0")
    assert wait_until(lambda: kept(bare).status(identifier).state == "running")


def test_a_job_goes_on_and_its_result_stays_when_the_server_ends(bare, serving, done, wait_until):
    bare.add("short", "headers(); records(5); time.sleep(1.5)")
    server = serving("--config", bare.config, "--port", "0")
    job = later(f"{server.base}source/short/flex?{DAY}")
    identifier = job.rpartition("/")[2]
    server.stop(signal.SIGKILL)
    assert wait_until(lambda: kept(bare).status(identifier).state == "complete", 15)
    again = serving("--config", bare.config, "--port", "0")
    assert fetch(f"{again.base}jobs/{identifier}/result").body.startswith(b"[00]")


def test_the_progress_of_a_job_is_told_while_it_runs(bare, served, wait_until):
    bare.add("rated", "headers(); records(700); time.sleep(600)", RATED.format(name="rated"))
    job = later(f"{served()}source/rated/flex?{DAY}")
    assert wait_until(lambda: fetch(job).facts["bytes"] > 20_000)
    facts = fetch(job).facts
    assert 0.3 < facts["fraction"] < 0.7
    assert (facts["state"], facts["ended"], facts["result"]) == ("running", None, None)


def test_a_reader_that_fails_or_breaks_off_leaves_no_result(bare, served, done):
    bare.add("broken", "headers(); records(60); sys.exit('no tape in drive 2')")
    bare.add("unready", "sys.exit('no tape in drive 2')")
    url = served()
    for name in ("broken", "unready"):
        job = later(f"{url}source/{name}/flex?{DAY}")
        facts = done(job, "failed")
        assert facts["error"]["kind"] == "source.exit"
        assert "tape" not in json.dumps(facts)
        assert (facts["bytes"], facts["result"]) == (0, None)
        got = fetch(f"{job}/result")
        assert (got.status, b"exit status" in got.body) == (404, True)
        assert fetch(job, "DELETE").status == 204


def test_a_silent_reader_is_ended_by_the_limit_of_readers(bare, served, done):
    bare.add("silent", "headers(); records(60); time.sleep(600)")
    configured(bare, LIMIT_READER_SILENCE="1")
    facts = done(later(f"{served()}source/silent/flex?{DAY}"), "failed")
    assert facts["error"]["kind"] == "source.silent"
    assert not bare.processes("silent")


class TestLimits:
    def test_one_client_has_so_many_jobs_and_all_have_so_many(self, bare, served):
        bare.add("sleeping", SLEEPING)
        configured(bare, LIMIT_JOBS_EACH="1", LIMIT_JOBS="2")
        url = f"{served()}source/sleeping/flex?{DAY}"
        later(url)
        refused = fetch(f"{url}&read.word=a", Prefer="respond-async")
        assert (refused.status, refused.headers["retry-after"]) == (429, "60")
        later(url, X_Forwarded_For="192.0.2.7")
        refused = fetch(url, Prefer="respond-async", X_Forwarded_For="192.0.2.8")
        assert (refused.status, refused.headers["retry-after"]) == (503, "60")

    def test_programs_that_know_nothing_of_one_another_count_together(self, bare, apache):
        bare.add("sleeping", SLEEPING)
        configured(bare, LIMIT_JOBS_EACH="4")
        url = f"{apache(bare.root).cgi}source/sleeping/flex?{DAY}&read.word="
        with ThreadPoolExecutor(8) as pool:
            got = [*pool.map(lambda each: fetch(f"{url}{each}", Prefer="respond-async").status, range(10))]
        assert sorted(got) == [202] * 4 + [429] * 6
        assert len(kept(bare).active()) == 4
        states = [kept(bare).status(each).state for each in kept(bare).active()]
        assert sorted(states) == ["running", "running", "waiting", "waiting"]

    def test_a_job_has_a_price_of_its_own(self, bare, served, done):
        bare.add("rated", QUICK, RATED.format(name="rated"))
        configured(bare, LIMIT_REQUEST_GIGABYTES="0.00001", LIMIT_JOB_GIGABYTES="0.0001")
        url = f"{served()}source/rated/flex?"
        now = fetch(f"{url}{DAY}")
        assert (now.status, b"Prefer: respond-async" in now.body) == (413, True)
        done(later(f"{url}{DAY}"))
        refused = fetch(f"{url}time=2020-01-01/2021-01-01", Prefer="respond-async")
        assert (refused.status, b"This job would" in refused.body) == (413, True)
        assert b"respond-async" not in refused.body

    def test_results_have_so_much_room_together(self, bare, served, done):
        bare.add("endless", "headers()\nwhile True: records(1440)")
        configured(bare, LIMIT_JOBS_GIGABYTES="0.001")
        url = served()
        facts = done(later(f"{url}source/endless/flex?{DAY}"), "failed")
        assert facts["error"]["kind"] == "busy.limit"
        assert not bare.processes("endless")
        assert kept(bare).size() == 0

    def test_without_jobs_the_preference_is_ignored(self, bare, served):
        bare.add("quick", QUICK)
        configured(bare, LIMIT_JOBS="0")
        got = fetch(f"{served()}source/quick/flex?{DAY}", Prefer="respond-async")
        assert (got.status, got.headers.get("preference-applied")) == (200, None)


class TestWhatIsNoJob:
    def test_only_the_preference_itself_makes_one(self, bare, served):
        bare.add("quick", QUICK)
        bare.add("keyed", QUICK, KEYED.format(name="keyed"))
        url = served()
        data = fetch(f"{url}source/quick/flex?{DAY}").body
        for prefer in ("return=minimal", 'x="a, respond-async"', "respond-asynchronously", ""):
            got = fetch(f"{url}source/quick/flex?{DAY}", Prefer=prefer)
            assert (got.status, got.body) == (200, data)
        assert fetch(f"{url}source/quick/flex?{DAY}", "HEAD", Prefer="respond-async").status == 200
        das2 = f"{url}?server=dataset&dataset=quick&start_time=2020-01-01&end_time=2020-01-02"
        assert fetch(das2, Prefer="respond-async").status == 200
        assert fetch(f"{url}source/keyed/flex?{DAY}&read.token=abcdefgh", Prefer="respond-async").status == 200
        assert not kept(bare).ids()

    def test_a_request_that_cannot_be_fails_at_once(self, bare, served):
        bare.add("quick", QUICK)
        url = served()
        for query, status in (("time=2020-01-02/2020-01-01", 400), (f"{DAY}&nonsense=1", 400)):
            assert fetch(f"{url}source/quick/flex?{query}", Prefer="respond-async").status == status
        assert fetch(f"{url}source/none/flex?{DAY}", Prefer="respond-async").status == 404
        assert not kept(bare).ids()

    @pytest.mark.parametrize(
        "path",
        ["x", "0" * 22, "0" * 23, "i" * 22, "gate", "active", "..", "..%252fetc", "%00", "0" * 22 + "/result", "a/b/c"],
    )
    def test_what_is_no_id_is_not_there(self, examples_front, path):
        for method in ("GET", "HEAD"):
            assert fetch(f"{examples_front}jobs/{path}", method).status == 404
        assert fetch(f"{examples_front}jobs/{path}", "DELETE").status == (405 if "/" in path else 404)

    def test_a_job_has_no_other_part(self, bare, served, done):
        bare.add("quick", QUICK)
        job = later(f"{served()}source/quick/flex?{DAY}")
        done(job)
        for what in ("job.json", "status.json", "lock", "result.part", "result/x"):
            assert fetch(f"{job}/{what}").status == 404
        assert fetch(f"{job}/").status == 200

    @pytest.mark.parametrize(
        ("path", "methods"),
        [
            ("jobs/" + "0" * 22, "DELETE, GET, HEAD, OPTIONS"),
            ("jobs/" + "0" * 22 + "/result", "GET, HEAD, OPTIONS"),
            ("jobs/", "GET, HEAD, OPTIONS"),
            ("source/", "GET, HEAD, OPTIONS"),
        ],
    )
    def test_only_a_job_can_be_removed(self, examples_front, path, methods):
        told = fetch(f"{examples_front}{path}", "OPTIONS")
        assert (told.status, told.headers["allow"]) == (200, methods)
        assert told.headers["access-control-allow-methods"] == methods
        assert "Prefer" in told.headers["access-control-allow-headers"]
        for method in {"POST", "PUT", "PATCH"} | ({"DELETE"} - set(methods.split(", "))):
            refused = fetch(f"{examples_front}{path}", method)
            assert (refused.status, refused.headers["allow"]) == (405, methods)


@pytest.fixture(scope="module")
def examples_front(examples):
    """The address of the examples."""
    code = "from dasflex_core.cli import main; main(prog_name='dasflex')"
    process = subprocess.Popen(
        [sys.executable, "-c", code, "serve", "--config", examples.config, "--port", "0", "--no-websocket"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    yield process.stdout.readline().split()[3]
    process.kill()
    process.communicate()


def test_a_person_sees_a_page_in_which_nothing_runs(bare, served, done):
    bare.add("sleeping", SLEEPING)
    bare.add("quick", QUICK)
    url = served()
    browser = {"Accept": "text/html,*/*", "User-Agent": "Mozilla/5.0"}
    for name in ("sleeping", "quick"):
        job = later(f"{url}source/{name}/flex?{DAY}&read.word=<script>alert(1)</script>")
        if name == "quick":
            done(job)
        page = fetch(job, **browser)
        assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert b"<script" not in page.body
        assert b"&lt;script&gt;" in page.body
        assert "default-src 'none'" in page.headers["content-security-policy"]
        assert page.headers["cache-control"] == "private, no-store"
        assert (b'http-equiv="refresh"' in page.body) == (name == "sleeping")
        assert (b"/result" in page.body) == (name == "quick")
    text = fetch(job, Accept="text/plain")
    assert text.body.decode().splitlines() == [f"The job {job.rpartition('/')[2]} is complete", f"{job}/result"]


class TestAccess:
    @pytest.fixture
    def users(self, bare):
        """A protected source, and two users with passwords, of which one may read it."""
        bare.add("closed", QUICK, PROTECTED.format(name="closed"))
        for name in ("anna", "ben"):
            code = "from dasflex_passwd.command import main; main()"
            arguments = [sys.executable, "-c", code, "-b", name, f"{name}-pw"]
            subprocess.run(arguments, check=True, env={**os.environ, "DASFLEX_CONFIG": bare.config})
        return bare

    @staticmethod
    def basic(name):
        return {"Authorization": "Basic " + base64.b64encode(f"{name}:{name}-pw".encode()).decode()}

    def test_a_job_of_a_user_is_that_users(self, users, base, done):
        url = f"{base()}source/closed/flex?{DAY}"
        assert fetch(url, Prefer="respond-async").status == 401
        assert fetch(url, Prefer="respond-async", **self.basic("ben")).status == 403
        assert not kept(users).ids()
        job = later(url, **self.basic("anna"))
        facts = done(job, **self.basic("anna"))
        for place in (job, facts["result"]):
            denied = fetch(place)
            assert (denied.status, "Basic" in denied.headers["www-authenticate"]) == (401, True)
            assert fetch(place, **self.basic("ben")).status == 403
            assert fetch(place, "HEAD").status == 401
        assert fetch(job, "DELETE").status == 401
        assert fetch(job, "DELETE", **self.basic("ben")).status == 403
        assert fetch(facts["result"], **self.basic("anna")).status == 200
        spooled = kept(users).folder(job.rpartition("/")[2])
        assert b"anna-pw" not in b"".join(each.read_bytes() for each in spooled.iterdir())
        assert not any(each.stat().st_mode & 0o007 for each in (spooled / "result", spooled))

    def test_the_rules_are_asked_again_and_not_remembered(self, users, served, done):
        url = f"{served()}source/closed/flex?{DAY}"
        job = later(url, **self.basic("anna"))
        done(job, **self.basic("anna"))
        definition = users.root / "definitions" / "closed" / "source.toml"
        definition.write_text(PROTECTED.format(name="closed").replace("user:anna", "user:carl"))
        assert CliRunner().invoke(main, ["install", "--root", str(users.root)]).exit_code == 0
        assert fetch(job, **self.basic("anna")).status == 403
        assert fetch(f"{job}/result", **self.basic("anna")).status == 403

    @pytest.mark.usefixtures("users")
    def test_what_is_open_to_everybody_is_a_job_of_anybody(self, served, done):
        old = f"{served()}source/closed/flex?time=2010-01-01/2010-01-02"
        job = later(old)
        done(job)
        assert fetch(f"{job}/result").status == 200
        own = later(old, **self.basic("anna"))
        assert own != job
        done(own, **self.basic("anna"))
        assert fetch(f"{own}/result").status == 401

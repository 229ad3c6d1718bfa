# SPDX-License-Identifier: GPL-3.0-or-later
"""What a job has fetched of a protected source is had by whoever might have asked for it, and by nobody else."""

from __future__ import annotations

import json
import time

import pytest

from dasflex_core.jobs.store import Jobs
from dasflex_passwd import tokens, users

DAY = "time=2026-01-01/2026-01-02"
LATER = {"prefer": "respond-async"}
TRUSTED = "198.51.100.7"


@pytest.fixture
def jobs(own_vault):
    """The root, of which nothing goes on behind a test."""
    yield own_vault
    kept = Jobs(own_vault.site.config.jobs_path)
    for each in kept.active():
        kept.wish_end(each)


def asked(vault, source: str, query: str = DAY, **facts) -> str:
    """The path of a new job."""
    headers = {**LATER, **facts.pop("headers", {})}
    answer = vault.ask(f"/source/{source}/flex", query, headers=headers, origin="http://localhost", **facts)
    assert answer.status == 202, answer
    return answer.headers["Location"].removeprefix("http://localhost")


def finished(vault, *paths: str) -> None:
    """Waits until jobs are complete."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        states = {json.loads(vault.ask(path, client=TRUSTED).body)["state"] for path in paths}
        if states == {"complete"}:
            return
        time.sleep(0.1)
    pytest.fail(str(states))


@pytest.mark.parametrize("source", ["vault/user", "VAULT/User", "open/again", "vault/age", "vault/uncut"])
def test_nobody_has_fetched_later_what_they_may_not_have_now(jobs, source):
    for headers in (LATER, {"prefer": "RESPOND-ASYNC, wait=0"}, {"prefer": "handling=lenient, respond-async"}):
        for path, query in ((f"/source/{source}/flex", DAY), (f"/source/{source}/data.csv", DAY),
                            ("/", f"server=dataset&dataset={source}&{DAY.replace('time=', 'start_time=').replace('/', '&end_time=')}")):  # fmt: skip
            answer = jobs.ask(path, query, headers=headers)
            assert (answer.status, answer.leaks) == (401, False)
    assert not list(Jobs(jobs.site.config.jobs_path).active())


def test_the_job_of_a_user_is_seen_by_that_user_only(jobs, known, log_in):
    config = jobs.site.config
    users.add_user(config, "ben", "battery staple")
    mine = asked(jobs, "vault/user", headers={"authorization": known})
    averages = asked(jobs, "vault/bin", f"{DAY}&format.type=csv")
    whole = asked(jobs, "vault/bin", f"{DAY}&format.type=csv", client=TRUSTED)
    finished(jobs, mine, averages, whole)
    scoped = tokens.issue(config, "anna", scope=("Vault/Group",), expires=0, name="", now=time.time())
    strangers = [{}, {"authorization": log_in("ben", "battery staple")},
                 {"authorization": f"Bearer {scoped}"}, {"x-remote-user": "anna"}, {"if-none-match": "*"}, {"range": "bytes=0-9"},
                 {"accept": "text/html", "user-agent": "Mozilla/5.0"}]  # fmt: skip
    for path in (mine, whole):
        for below in (
            "",
            "/",
            "/result",
            "/RESULT",
            "//result",
            "/result/",
            "/result/.",
            "/../" + path[6:] + "/result",
        ):
            for method in ("GET", "HEAD", "DELETE", "POST", "OPTIONS"):
                for headers in strangers:
                    answer = jobs.ask(path + below, method=method, headers=headers)
                    assert not answer.leaks
                    assert answer.status in (401, 403, 404, 405) or (method == "OPTIONS" and not answer.body)
                    assert not {"ETag", "Content-Disposition", "Content-Range"} & answer.headers.keys()
        page = {"origin": "https://evil.example", "host": "localhost"}
        assert jobs.ask(f"{path}/result", client=TRUSTED, headers=page).status == 401
    assert jobs.ask(f"{mine}/result", headers={"authorization": known}).records == 60
    assert jobs.ask(f"{whole}/result", client=TRUSTED).records == 60
    assert jobs.ask(f"{averages}/result").records == 10
    answer = jobs.ask(f"{mine}/result", headers={"authorization": known})
    assert answer.headers["Cache-Control"] == "private, no-store"
    told = jobs.ask(mine, headers={"authorization": known}).body
    assert not [each for each in (b"203.0.113.9", b"reader.py", str(jobs.root).encode()) if each in told]


def test_a_rule_that_is_made_later_holds_for_jobs_that_are_there(jobs):
    """What was open when it was asked may be closed when it is fetched."""
    path = asked(jobs, "open/free")
    finished(jobs, path)
    assert jobs.ask(f"{path}/result").leaks
    file = next(each for each in (jobs.root / "sources").rglob("*.json") if each.stem.lower() == "free")
    compiled = json.loads(file.read_text())
    compiled["access"] = {"realm": "The Vault", "allow": ["user:anna"]}
    file.write_text(json.dumps(compiled))
    jobs.__dict__.pop("site")
    jobs.__dict__.pop("front")
    assert jobs.ask("/source/open/free/flex", DAY).status == 401
    assert jobs.ask(f"{path}/result").status == 401

# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs that are asked for, done, ended, killed, and removed by their age; what a full disk does to them."""

from __future__ import annotations

import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

import dasflex_core
from dasflex_core.cli import main
from dasflex_core.errors import BusyError, NotFoundError, TooLargeError
from dasflex_core.jobs.asking import ask
from dasflex_core.jobs.model import Job, Status, from_plain, to_plain
from dasflex_core.jobs.tending import cancel, prune, tend
from dasflex_core.jobs.working import Work, planned
from dasflex_core.roots import make_root
from dasflex_core.run.records import new_request_id

DAY = 86_400


def limited(plan, **limits):
    """A plan of a site with other limits."""
    source = plan.request.source
    site = replace(source.site, config=replace(source.site.config, **limits))
    return replace(plan, request=replace(plan.request, source=replace(source, site=site)))


def worker(jobs, identifier):
    """The program of a job."""
    return int((jobs.folder(identifier) / "lock").read_text())


def test_the_answer_is_that_of_the_plan_and_its_record_is_kept(plan, jobs, until):
    made = ask(plan(), "192.0.2.1")
    assert until(lambda: jobs.status(made.id).over)
    status = jobs.status(made.id)
    assert (status.state, status.kind, status.tries) == ("complete", "", 1)
    assert jobs.result(made.id).read_bytes() == b"".join(plan().run())
    assert len(status.run) == 22
    assert len(status.sha256) == 64
    assert until(lambda: not jobs.is_held(made.id))


def test_averages_are_averages_in_a_job_as_well(plan, jobs, until):
    made = ask(plan(bin_time_max=600, format_type="csv"), "")
    assert dict(made.request)["bin.time.max"] == "600"
    assert until(lambda: jobs.status(made.id).over)
    text = jobs.result(made.id).read_text()
    assert text == b"".join(plan(bin_time_max=600, format_type="csv").run()).decode()
    assert (made.file_name[-4:], made.text) == (".csv", True)


def test_what_a_job_keeps_of_a_request_gives_the_same_answer_for_every_example(tmp_path):
    make_root(tmp_path / "root", "Examples")
    site = dasflex_core.open(tmp_path / "root")
    plans = [one.plan() for name in site if not site[name].protected for one in site[name].examples]
    plans += [one.plan().request.ask(format_type="csv").plan() for one in site["Examples/Waveform"].examples]
    for each in plans:
        kept = Job(id="0" * 22, source=each.solution.source, request=each.canonical, answer="", made=0.0)
        again = planned(site, from_plain(Job, json.loads(json.dumps(to_plain(kept)))))
        assert again.solution.answer == each.solution.answer
        assert again.solution.produces == each.solution.produces
    assert len(plans) > 8


def test_a_dozen_that_ask_for_the_same_at_once_get_one_job(plan, jobs):
    plans = [plan(read_word="sleep") for _each in range(12)]
    with ThreadPoolExecutor(4) as pool:
        made = {each.id for each in pool.map(lambda one: ask(one, "192.0.2.1"), plans)}
    assert len(made) == 1
    assert jobs.active() == [*made]


def test_a_job_knows_no_more_than_it_must(plan, jobs, until):
    made = ask(plan(read_word="sleep"), "192.0.2.1")
    assert until(lambda: jobs.partial(made.id).exists() and jobs.partial(made.id).stat().st_size)
    kept = json.loads((jobs.folder(made.id) / "job.json").read_bytes())
    assert set(kept) == {
        *("id", "source", "request", "answer", "made", "user", "address", "media_type", "file_name", "text", "note"),
        *("seconds", "gigabytes"),
    }
    pid = worker(jobs, made.id)
    assert os.getsid(pid) != os.getsid(0)
    allowed = (f"{jobs.folder(made.id)}/", "/dev/null", "/proc/")
    assert until(lambda: all(_is_its_own(each, allowed) for each in opened(pid))), opened(pid)


def _is_its_own(file, allowed):
    return file.startswith(allowed) or file.endswith("/run/turns") or "/log/requests/" in file


def opened(pid):
    """The files that a process has open now: a module that it imports is among them for a moment."""
    found = []
    for each in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            found.append(str(each.readlink()))
    return [each for each in found if each.startswith("/")]


def test_what_is_cancelled_ends_with_all_it_had_started(plan, jobs, until, config):
    made = ask(plan(read_word="sleep"), "")
    assert until(lambda: jobs.partial(made.id).exists() and jobs.partial(made.id).stat().st_size)
    reader = until(lambda: jobs.status(made.id).run) and jobs.status(made.id).run
    assert cancel(jobs, made.id, remove=False).state == "cancelled"
    mark = f"DASFLEX_REQUEST={reader}".encode()
    assert not any(mark in environ(each) for each in Path("/proc").glob("[0-9]*"))
    assert not jobs.partial(made.id).exists()
    assert jobs.active() == []
    assert jobs.find(made.id) == made
    tend(config)
    assert jobs.status(made.id).state == "cancelled"


def environ(process):
    try:
        return (process / "environ").read_bytes()
    except OSError:
        return b""


def test_a_job_takes_its_turn_among_the_requests_that_run_at_once(plan, jobs, config, until):
    with config.file.open("a", encoding="utf-8") as file:
        file.write('LIMIT_AT_ONCE = "1"\n')
    first = ask(plan(read_word="sleep"), "")
    assert until(lambda: jobs.status(first.id).run and jobs.partial(first.id).stat().st_size)
    second, third = (
        ask(limited(plan(), limit_jobs_running=3), ""),
        ask(limited(plan(read_word="b"), limit_jobs_running=3), ""),
    )
    assert until(lambda: jobs.status(third.id).run and jobs.status(second.id).run)
    time.sleep(0.4)
    assert not jobs.partial(second.id).stat().st_size
    assert cancel(jobs, third.id, remove=False).state == "cancelled"
    assert jobs.status(second.id).state == "running"
    cancel(jobs, first.id, remove=False)
    assert until(lambda: jobs.status(second.id).state == "complete")


def test_a_job_that_waits_can_be_cancelled_and_never_begins(plan, jobs, config):
    first = ask(limited(plan(read_word="sleep"), limit_jobs_running=1), "")
    second = ask(limited(plan(), limit_jobs_running=1), "")
    assert jobs.status(second.id).state == "waiting"
    assert cancel(jobs, second.id, remove=True).state == "cancelled"
    cancel(jobs, first.id, remove=True)
    tend(config)
    assert not jobs.result(second.id).exists()
    with pytest.raises(NotFoundError):
        jobs.find(second.id)


def test_a_program_that_does_not_end_when_it_should_is_killed(plan, jobs, monkeypatch, until):
    monkeypatch.setattr("dasflex_core.jobs.tending._ENDS", 0.3)
    made = ask(plan(read_word="sleep"), "")
    assert until(lambda: jobs.status(made.id).state == "running")
    pid = worker(jobs, made.id)
    os.kill(pid, signal.SIGSTOP)
    assert cancel(jobs, made.id, remove=False).state == "cancelled"
    assert until(lambda: not Path(f"/proc/{pid}").exists())


def test_a_disk_that_is_full_fails_the_job_and_leaves_nothing(plan, jobs, config):
    made = waiting(plan(), jobs)
    jobs.partial(made.id).symlink_to("/dev/full")
    status = Work(config, jobs, made.id).do()
    assert (status.state, status.kind, status.bytes) == ("failed", "busy.limit", 0)
    assert "no room" in status.error
    assert jobs.status(made.id) == status
    assert not jobs.result(made.id).exists()
    assert not jobs.partial(made.id).is_symlink()


def waiting(plan, jobs):
    """A job that nobody has begun."""
    made = Job(
        id=new_request_id(), source="numbers", request=plan.canonical, answer=plan.solution.answer, made=time.time()
    )
    jobs.add(made)
    return made


def test_a_source_that_has_gone_fails_the_job(plan, jobs, config):
    made = waiting(plan(), jobs)
    (jobs.folder(made.id) / "job.json").write_text(json.dumps({**asdict(made), "source": "gone"}))
    status = Work(config, jobs, made.id).do()
    assert (status.state, status.kind) == ("failed", "not-found.source")


def asdict(job):
    return {name: getattr(job, name) for name in job.__dataclass_fields__}


def test_a_failure_of_our_own_is_told_to_nobody(plan, jobs, config, monkeypatch, capsys):
    made = waiting(plan(), jobs)
    monkeypatch.setattr(
        "dasflex_core.jobs.working.planned", lambda *_any: (_ for _ in ()).throw(KeyError("/secret/path"))
    )
    status = Work(config, jobs, made.id).do()
    assert (status.state, status.kind) == ("failed", "error")
    assert "secret" not in status.error
    assert "/secret/path" in capsys.readouterr().err


def test_results_are_removed_by_their_age_and_then_forgotten(plan, jobs, config, monkeypatch):
    made = waiting(plan(), jobs)
    status = Work(config, jobs, made.id).do()
    assert status.state == "complete"
    assert prune(config, jobs) == []
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now + 7.5 * DAY)
    assert prune(config, jobs) == [made.id]
    with pytest.raises(NotFoundError, match="removed"):
        jobs.find(made.id)
    assert prune(config, jobs) == []
    monkeypatch.setattr("time.time", lambda: now + 15 * DAY)
    assert prune(config, jobs) == []
    assert jobs.ids() == []


def test_without_a_number_of_days_results_stay(plan, jobs, config, monkeypatch):
    made = waiting(plan(), jobs)
    Work(config, jobs, made.id).do()
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now + 5000 * DAY)
    assert prune(replace(config, jobs_keep_days=0.0), jobs) == []
    assert jobs.result(made.id).exists()


class TestLimits:
    def test_each_has_so_many(self, plan, jobs):
        ask(limited(plan(read_word="sleep"), limit_jobs_each=1), "192.0.2.1")
        with pytest.raises(BusyError, match="your jobs") as caught:
            ask(limited(plan(), limit_jobs_each=1), "192.0.2.1")
        assert (caught.value.kind, caught.value.retry_after) == ("busy.rate", 60)
        ask(limited(plan(), limit_jobs_each=1), "192.0.2.2")
        ask(limited(replace(plan(), user="anna"), limit_jobs_each=1), "192.0.2.1")
        assert len(jobs.ids()) == 3

    def test_all_have_so_many_but_the_same_is_no_further_one(self, plan):
        first = ask(limited(plan(read_word="sleep"), limit_jobs=1), "192.0.2.1")
        assert ask(limited(plan(read_word="sleep"), limit_jobs=1), "192.0.2.1").id == first.id
        with pytest.raises(BusyError) as caught:
            ask(limited(plan(), limit_jobs=1), "192.0.2.2")
        assert caught.value.kind == "busy.limit"

    def test_a_price_is_what_a_job_may_cost(self, plan, jobs):
        cost = plan().estimate().seconds
        with pytest.raises(TooLargeError, match=r"^This job would take .* s, where at most .* s are allowed") as caught:
            ask(limited(plan(), limit_job_seconds=cost / 2), "")
        assert caught.value.kind == "query.too-large"
        assert [each.key for each in caught.value.limits] == ["LIMIT_JOB_SECONDS"]
        assert jobs.ids() == []
        ask(limited(plan(), limit_job_seconds=cost * 2), "")

    def test_no_job_is_taken_while_results_take_all_room(self, plan, jobs, config):
        made = waiting(plan(), jobs)
        Work(config, jobs, made.id).do()
        with jobs.result(made.id).open("ab") as file:
            file.truncate(1_000_000)
        with pytest.raises(BusyError, match="room"):
            ask(limited(plan(), limit_jobs_gigabytes=0.001), "")
        assert jobs.ids() == [made.id]


def test_the_administrator_lists_shows_cancels_and_prunes(plan, jobs, config):
    def run(*arguments):
        return CliRunner().invoke(main, ["jobs", *arguments, "--root", str(config.file)])

    assert run("list").output == ""
    assert run("prune").exit_code == 0
    made = ask(replace(plan(read_word="sleep"), user="anna"), "192.0.2.1")
    assert made.id in run("list").output
    assert "anna" in run("list").output
    assert json.loads(run("show", made.id).stdout)["request"]["read.word"] == "sleep"
    done = run("cancel", made.id)
    assert done.output == f"{made.id} cancelled\n"
    assert run("list").output == ""
    assert "cancelled" in run("list", "--all").output
    assert run("cancel", made.id, "--remove").exit_code == 0
    assert run("list", "--all").output == ""
    assert run("show", made.id).exit_code == 3
    jobs.put(made.id, replace(Status(), state="cancelled", removed=1.0))
    assert run("prune").exit_code == 0


def test_a_job_that_cannot_be_changed_keeps_no_other_from_beginning(plan, jobs, config, until):
    stuck = waiting(plan(), jobs)
    jobs.wish_end(stuck.id)
    (jobs.folder(stuck.id) / "status.json").unlink()
    (jobs.folder(stuck.id) / "status.json").mkdir()
    made = ask(plan(), "")
    assert until(lambda: jobs.status(made.id).state == "complete")
    assert stuck.id in jobs.active()

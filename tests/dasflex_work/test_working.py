# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks are done by workers on a real Redis: once, again where that is needed, and whatever is killed meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from dasflex_core.tasks import Spool, Task, background, hand_over
from tests.dasflex_work.conftest import until


def test_what_is_handed_over_is_done(work):
    assert hand_over(work.site.config, [work.hour(0), work.hour(1)]) == ""
    work.once()
    assert len(work.blocks()) == 2
    assert work.todo("list", "finished").count("finished") >= 2
    assert not Spool(work.site.config).handed_over()
    assert not Spool(work.site.config).taken()


def test_a_task_that_a_thousand_ask_for_is_done_once(work):
    for _each in range(1000):
        assert hand_over(work.site.config, [work.hour(0)]) == ""
    assert len(Spool(work.site.config).handed_over()) == 1
    work.list.add([work.hour(0)] * 1000)
    work.once()
    assert len(work.reads()) == 1
    assert len(work.blocks()) == 1


def test_a_block_that_is_there_is_not_built_again(work):
    work.list.add([work.hour(0)])
    work.once()
    work.list.add([work.hour(0)])
    work.once()
    assert len(work.reads()) == 1


def test_two_workers_build_a_block_once_and_divide_the_others(work):
    (work.folder / "slow").write_text("0.2")
    work.list.add([work.hour(each) for each in range(8)])
    first, second = work.start("--once"), work.start("--once")
    assert first.wait(60) == second.wait(60) == 0
    assert len(work.reads()) == len(set(work.reads())) == 8
    assert len(work.blocks()) == 8
    assert all("begun" in (work.root / f"workd{each}.log").read_text() for each in (0, 1))


def test_a_worker_that_is_killed_in_a_block_is_noticed_and_the_block_is_built(work):
    (work.folder / "slow").write_text("60")
    worker = work.start()
    (identifier,) = work.list.add([work.hour(0)])
    until(work.reads)
    (work.folder / "slow").unlink()
    os.killpg(worker.pid, signal.SIGKILL)
    worker.wait()
    assert not work.blocks()
    work.start()
    work.until_finished(identifier)
    assert len(work.blocks()) == 1
    assert not [each for each in work.site.config.cache_root.rglob(".*") if each.is_file() and "bin-" in each.name]


def test_the_task_of_a_process_that_is_killed_is_done_again(work):
    (work.folder / "slow").write_text("60")
    worker = work.start()
    (identifier,) = work.list.add([work.hour(0)])
    until(work.reads)
    (work.folder / "slow").unlink()
    psutil.Process(worker.pid).children()[0].kill()
    work.until_finished(identifier)
    assert len(work.blocks()) == 1
    assert len(work.reads()) == 2
    assert worker.poll() is None


def test_tasks_outlive_a_redis_that_forgets_them(work):
    (work.folder / "slow").write_text("0.3")
    work.start()
    assert hand_over(work.site.config, [work.hour(each) for each in range(6)]) == ""
    until(lambda: len(work.blocks()) >= 1)
    work.redis.stop()
    time.sleep(0.5)
    work.redis.start()
    until(lambda: len(work.blocks()) == 6, 60)


def test_a_task_that_fails_is_tried_again_and_then_given_up(work):
    (work.folder / "fails").touch()
    (identifier,) = work.list.add([work.hour(0)])
    work.once()
    (entry,) = work.listing.entries([identifier])
    assert entry.state == "waiting"
    assert entry.next > time.time()
    assert "2020-01-01T00" in work.logs()
    assert work.todo("cancel", identifier)
    assert work.state(identifier) == "unknown"


def test_a_task_that_cannot_be_is_given_up_at_once(work):
    (identifier,) = work.list.add([Task("check", {"source": "Nothing"})])
    work.once()
    (entry,) = work.listing.entries([identifier])
    assert entry.state == "failed"
    assert "Nothing" in entry.text
    assert "Nothing" in work.todo("list", "failed")


def test_what_failed_is_done_when_it_is_retried(work):
    (identifier,) = work.list.add([Task("check", {"source": "Later"})])
    work.once()
    assert work.state(identifier) == "failed"
    (work.folder / "Later.toml").write_text((work.folder / "Kept.toml").read_text())
    from dasflex_core.catalog.tree import compile_tree

    compile_tree(work.root)
    assert identifier in work.todo("retry", identifier)
    work.once()
    assert work.state(identifier) == "finished"


def test_a_task_is_cancelled_before_and_while_it_is_done(work):
    (work.folder / "slow").write_text("60")
    waiting, working = work.list.add([work.hour(0), work.hour(1)])[::-1]
    assert work.todo("cancel", waiting)
    assert work.state(waiting) == "unknown"
    work.start()
    until(work.reads)
    work.todo("cancel", working)
    until(lambda: work.state(working) == "failed", 30)
    assert not work.blocks()
    assert len(work.reads()) == 1


def test_the_command_adds_one_task_for_each_block_and_waits_for_all(work):
    told = work.todo("add", "cache", "source=kept", "begin=2020-01-01", "end=2020-01-01T05:00")
    assert told.count("cache-kept-2020-01-01t") == 5
    work.start()
    work.todo("wait", "--seconds", "40")
    assert len(work.blocks()) == 5
    assert work.todo("add", "cache", "source=kept", "begin=2020-01-01", "end=2020-01-01T05:00").count("cache-") == 0


def test_progress_and_what_was_said_are_kept(work):
    (identifier,) = work.list.add([work.hour(0)])
    work.once()
    (entry,) = work.listing.entries([identifier])
    assert entry.fraction == 1.0
    assert "1 blocks built" in entry.text
    shown = json.loads(work.todo("show", identifier))
    assert dict(shown["arguments"])["source"] == "Kept"


def test_what_somebody_writes_into_redis_is_never_called(work, tmp_path):
    flag = tmp_path / "called"
    (identifier,) = work.list.add([work.hour(0)])
    server = work.list.connection
    for field, value in (("data", ["os.system", None, [f"touch {flag}"], {}]), ("success_callback_name", "os.getcwd")):
        server.hset(f"rq:job:{identifier}", field, json.dumps(value))
    work.once()
    assert not flag.exists()
    assert work.state(identifier) == "failed"


def test_payloads_are_json(work):
    (identifier,) = work.list.add([work.hour(0)])
    import zlib

    data = work.list.connection.hget(f"rq:job:{identifier}", "data")
    plain = json.loads(zlib.decompress(data) if data[:1] == b"x" else data)
    assert plain[3] == {"kind": "cache", "arguments": dict(work.hour(0).arguments)}


def test_without_redis_tasks_wait_and_nobody_waits_for_them(work):
    work.redis.stop()
    config = work.site.config
    begun = time.perf_counter()
    assert hand_over(config, [work.hour(0)]) == ""
    assert time.perf_counter() - begun < 0.05
    assert work.todo("list", code=7).count("does not answer") == 1
    work.start()
    until(lambda: "does not answer" in work.logs())
    work.redis.start()
    until(work.blocks)
    assert work.logs().count("does not answer") == 1


def test_requests_ask_for_the_blocks_that_they_miss(work):
    source = work.site["Kept"]
    request = source.ask(read_time_min="2020-01-01T02:10", read_time_max="2020-01-01T05:00", bin_time_max="1200")
    for _each in range(3):
        request.read()
    assert len(Spool(work.site.config).handed_over()) == 3
    work.once()
    assert len(work.blocks()) == 3
    assert any(each.blocks for each in request.plan().solution.nodes)


def test_handing_over_imports_no_client_of_redis(work):
    code = (
        "import sys; from pathlib import Path; from dasflex_core.site import open_site; "
        "from dasflex_core.tasks import Task, hand_over; site = open_site(sys.argv[1]); "
        "print(hand_over(site.config, [Task('check', {'source': 'Kept'})])); "
        "print([each for each in ('redis', 'rq', 'numpy', 'trio') if each in sys.modules])"
    )
    done = subprocess.run((sys.executable, "-c", code, str(work.root)), capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["", "[]"]


def test_a_few_thousand_tasks_are_listed(work):
    tasks = [Task("check", {"source": f"Nothing{each}"}) for each in range(3000)]
    assert len(work.list.add(tasks)) == 3000
    begun = time.perf_counter()
    assert len(work.listing.ids("waiting")) == 3000
    assert time.perf_counter() - begun < 5
    assert work.todo("list", "waiting").count("check-nothing") == 3000


@pytest.mark.parametrize("broker", ["", "redis"])
def test_background_work_is_off_where_it_is_not_configured(work, broker):
    conf = work.root / "etc" / "dasflex.conf"
    conf.write_text(conf.read_text().replace("WORK_QUEUE_BROKER = redis", f"WORK_QUEUE_BROKER = {broker}"))
    assert background(work.site.config) == ("idle" if broker else "off")

# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex_workd`: workers as a program, in the foreground or not, one or several, which end as they are told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from dasflex_core.tasks import background
from tests.dasflex_work.conftest import until

pytestmark = pytest.mark.integration

WORKD = (sys.executable, "-m", "dasflex_work")


def test_a_signal_lets_the_task_at_hand_be_finished(work):
    (work.folder / "slow").write_text("1")
    work.list.add([work.hour(0), work.hour(1)])
    worker = work.start()
    until(work.reads)
    worker.terminate()
    assert worker.wait(30) == 0
    assert len(work.reads()) == len(work.blocks()) == 1
    assert work.listing.counts().waiting == 1


def test_a_worker_that_has_nothing_to_do_ends_at_once(work):
    worker = work.start()
    until(lambda: work.listing.counts().workers == 1)
    begun = time.monotonic()
    worker.terminate()
    assert worker.wait(30) == 0
    assert time.monotonic() - begun < 5
    assert work.listing.counts().workers == 0


def test_the_tasks_of_a_worker_that_is_ended_twice_are_done_by_another(work):
    (work.folder / "slow").write_text("30")
    (identifier,) = work.list.add([work.hour(0)])
    worker = work.start()
    until(work.reads)
    worker.terminate()
    time.sleep(1.1)  # the queue takes two signals within a second for one
    worker.terminate()
    worker.wait(30)
    (work.folder / "slow").unlink()
    work.start()
    work.until_finished(identifier)
    assert len(work.blocks()) == 1


def test_a_killed_one_of_several_is_replaced(work):
    several = work.start("-n", "2")
    until(lambda: work.listing.counts().workers == 2)
    victim = psutil.Process(several.pid).children()[0]
    victim.kill()
    until(lambda: "another one is started" in work.logs())
    until(lambda: sum(each.is_running() for each in psutil.Process(several.pid).children()) == 2)
    work.list.add([work.hour(each) for each in range(4)])
    until(lambda: len(work.blocks()) == 4)
    several.terminate()
    assert several.wait(30) == 0


def test_several_end_when_the_one_that_started_them_is_killed(work):
    several = work.start("-n", "2")
    until(lambda: work.listing.counts().workers == 2)
    workers = psutil.Process(several.pid).children(recursive=True)
    os.kill(several.pid, signal.SIGKILL)
    several.wait()
    until(lambda: not any(each.is_running() for each in workers))


def test_it_runs_in_the_background_with_a_file_that_says_where(work):
    pid_file = work.root / "workd.pid"
    started = (*WORKD, "--config", str(work.root), "--every", "0.2", "-D", str(pid_file))
    subprocess.run(started, check=True, timeout=30)
    daemon = psutil.Process(int(pid_file.read_text()))
    try:
        second = subprocess.run(started, capture_output=True, text=True, check=False, timeout=30)
        assert second.returncode == 7
        assert str(daemon.pid) in second.stderr
        work.list.add([work.hour(0)])
        until(lambda: "done in" in (work.site.config.log_path / "workd.log").read_text())
        assert work.blocks()
    finally:
        daemon.terminate()
    until(lambda: not daemon.is_running())
    assert not pid_file.exists()


def test_the_site_knows_that_there_are_workers(work):
    assert background(work.site.config) == "idle"
    work.start()
    until(lambda: background(work.site.config) == "on")


def test_it_knows_it_while_all_of_them_are_busy(work):
    (work.folder / "slow").write_text("20")
    work.list.add([work.hour(0)])
    work.start()
    until(work.reads)
    beat = work.site.config.cache_root / "work" / "beat"
    os.utime(beat, (1, 1))
    assert background(work.site.config) == "idle"
    until(lambda: background(work.site.config) == "on", 10)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("", "WORK_QUEUE_BROKER = redis"),
        ("WORK_QUEUE_BROKER = redis\nWORK_QUEUE_CONN = http://x", "localhost:6379:0"),
    ],
    ids=["off", "nowhere"],
)
def test_it_says_what_is_wrong_with_the_configuration(work, line, message):
    conf = work.root / "etc" / "dasflex.conf"
    kept = [each for each in conf.read_text().splitlines() if not each.startswith("WORK_QUEUE")]
    conf.write_text("\n".join([*kept, line, ""]))
    done = subprocess.run((*WORKD, "--config", str(work.root)), capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 6
    assert message in done.stderr


def test_it_says_what_to_install(work):
    code = "import sys; sys.modules['rq'] = None; from dasflex_work.workd import main; main()"
    command = (sys.executable, "-c", code, "--config", str(work.root))
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 6
    assert "pip install 'dasflex[work]'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [("list",), ("add", "check", "Kept")])
def test_the_list_can_be_seen_without_the_queue_and_changed_with_it_only(work, words):
    code = "import sys; sys.modules['rq'] = None; from dasflex_work.todo import main; main()"
    command = (sys.executable, "-c", code, *words, "--root", str(work.root))
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert "Traceback" not in done.stderr
    if words == ("list",):
        assert done.returncode == 0, done.stderr
    else:
        assert done.returncode == 6
        assert "pip install 'dasflex[work]'" in done.stderr

# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex_todo` lists, adds, cancels and retries tasks, waits for them, and says what is wrong where it cannot."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time

import pytest

from dasflex_core.tasks import Spool, Task

pytestmark = pytest.mark.integration

BAD = Task("check", {"source": "Nothing"})


def test_without_a_word_it_says_how_many_tasks_there_are_and_who_is_missing(work):
    work.list.add([work.hour(0)])
    said = work.todo("list")
    assert said.startswith("1 waiting, 0 working, 0 finished, 0 failed; 0 workers")
    assert "start dasflex_workd" in said


@pytest.mark.parametrize("words", [("list", "waiting"), ("-t",)], ids=["by its verb", "as older programs did"])
def test_what_waits_is_listed(work, words):
    (identifier,) = work.list.add([work.hour(0)])
    assert work.todo(*words) == f"waiting   {identifier}\n"


def test_each_task_is_an_object_for_programs(work):
    (identifier,) = work.list.add([work.hour(0)])
    told = json.loads(work.todo("list", "waiting", "--json"))
    assert (told["id"], told["state"], told["kind"]) == (identifier, "waiting", "cache")


def test_the_kinds_are_listed_with_their_arguments(work):
    said = work.todo("kinds")
    assert "check [SOURCE]\n" in said
    assert "cache [SOURCE] [LEVEL] [BEGIN] [END]\n" in said
    assert work.todo("help", "check").startswith("check [SOURCE]\n")


def test_a_task_is_added_by_words_with_and_without_names(work):
    first = work.todo("add", "check", "Kept").strip()
    assert work.todo("add", "check", "source=kept").splitlines()[0] == first
    assert "on the list already" in work.todo("check", "Kept")
    assert work.listing.ids("waiting") == [first]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("chek", "Kept"), "Did you mean check"),
        (("check", "Kept", "Kept"), "it takes SOURCE"),
        (("check", "sauce=Kept"), "it takes SOURCE"),
        (("check", "Kepd"), "Kept"),
        (("cache", "Kept", "level=9"), "9"),
        (("cache", "Kept", "begin=never", "end=2020-01-02"), "never"),
    ],
)
def test_a_task_that_cannot_be_is_refused_with_what_would_be_right(work, words, message):
    command = (sys.executable, "-c", "from dasflex_work.todo import main; main()", "add", *words)
    done = subprocess.run((*command, "--root", str(work.root)), capture_output=True, text=True, check=False)
    assert done.returncode not in (0, 1)
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert work.listing.counts().waiting == 0


def test_a_task_goes_in_front_of_all_that_waits(work):
    work.list.add([work.hour(0)])
    identifier = work.todo("add", "check", "Kept", "--front").strip()
    assert work.listing.ids("waiting")[0] == identifier


def test_adding_may_wait_until_it_is_done(work):
    work.start()
    said = work.todo("add", "check", "Nothing2", "--wait", code=3)
    assert "Nothing2" in said
    work.todo("add", "cache", "Kept", "begin=2020-01-01", "end=2020-01-01T02:00", "--wait")
    assert len(work.blocks()) == 2
    begun = time.monotonic()
    work.todo("add", "cache", "Kept", "begin=2020-01-01", "end=2020-01-01T02:00", "--wait")
    assert time.monotonic() - begun < 10


def test_without_redis_a_task_is_handed_over_as_requests_do_it(work):
    work.redis.stop()
    assert "handed over" in work.todo("add", "check", "Kept")
    assert len(Spool(work.site.config).handed_over()) == 1
    work.redis.start()
    work.once()
    assert work.listing.counts().finished == 1


def test_all_that_waits_is_cancelled_and_stays_so(work):
    work.list.add([work.hour(each) for each in range(5)])
    Spool(work.site.config).put(work.hour(7))
    assert "6 cancelled" in work.todo("cancel", "--all")
    assert Spool(work.site.config).handed_over() == Spool(work.site.config).taken() == []
    work.once()
    assert work.reads() == []


def test_all_that_failed_is_retried(work):
    identifiers = work.list.add([BAD, Task("check", {"source": "Nobody"})])
    work.once()
    said = work.todo("retry", "--all")
    assert sorted(said.split()[::2]) == sorted(identifiers)
    assert work.listing.counts().waiting == 2


@pytest.mark.parametrize("verb", ["cancel", "retry"])
def test_nothing_is_done_where_no_task_is_named_or_none_has_that_name(work, verb):
    assert "--all" in work.todo(verb, code=2)
    assert "There is no task 'nothing'" in work.todo(verb, "nothing", code=3)


def test_a_name_that_several_tasks_have_is_refused(work):
    work.list.add([work.hour(0), work.hour(1)])
    assert "may be 2 tasks" in work.todo("cancel", "cache-kept", code=2)
    assert work.listing.counts().waiting == 2


def test_waiting_fails_with_the_task_that_failed(work):
    (identifier,) = work.list.add([BAD])
    work.start()
    assert identifier in work.todo("wait", identifier, code=1)


def test_waiting_ends_when_its_time_is_over(work):
    (identifier,) = work.list.add([work.hour(0)])
    assert "not done yet" in work.todo("wait", identifier, "--seconds", "0.3", code=7)


def test_waiting_survives_a_redis_that_forgets(work):
    (work.folder / "slow").write_text("0.2")
    identifiers = work.list.add([work.hour(each) for each in range(3)])
    command = (sys.executable, "-c", "from dasflex_work.todo import main; main()", "wait", *identifiers)
    waits = subprocess.Popen((*command, "--root", str(work.root)), stderr=subprocess.PIPE, text=True)
    time.sleep(1)
    work.redis.stop()
    time.sleep(0.5)
    assert waits.poll() is None
    work.redis.start()
    work.start()
    _, said = waits.communicate(timeout=60)
    assert waits.returncode == 0, said
    assert len(work.blocks()) == 3


def test_a_terminal_shows_a_bar(work):
    (work.folder / "slow").write_text("0.2")
    work.list.add([work.hour(each) for each in range(4)])
    work.start()
    ours, theirs = pty.openpty()
    command = (sys.executable, "-c", "from dasflex_work.todo import main; main()", "wait", "--root", str(work.root))
    with subprocess.Popen(command, stderr=theirs) as waits:
        os.close(theirs)
        shown = b""
        try:
            while some := os.read(ours, 4096):
                shown += some
        except OSError:  # the other end is closed
            pass
    os.close(ours)
    assert waits.returncode == 0
    assert b"of 4" in shown
    assert b"#" in shown
    assert len(work.blocks()) == 4


def test_where_background_work_is_off_it_is_told_how_it_is_set(work):
    conf = work.root / "etc" / "dasflex.conf"
    conf.write_text(conf.read_text().replace("WORK_QUEUE_BROKER = redis", ""))
    assert "WORK_QUEUE_BROKER = redis" in work.todo("list", code=6)

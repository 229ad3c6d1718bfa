# SPDX-License-Identifier: GPL-3.0-or-later
"""The list as it is shown, whatever is at the server."""

from __future__ import annotations

import json
import subprocess
import sys
import time

import pytest

from dasflex_core.tasks import Spool, Task, hand_over
from dasflex_work.broker import queue_name
from dasflex_work.names import key
from tests.dasflex_work.conftest import until

pytestmark = pytest.mark.integration

#: Fields of tasks at the server, as nothing of ours writes them.
RUINED = (
    ("data", "not json"),
    ("data", '["task", null, [], [1]]'),
    ("data", '["task", null, [], {"kind": "check", "arguments": 3}]'),
    ("data", '["task", null, [], 5]'),
    ("data", "[]"),
    ("meta", "[1]"),
    ("meta", '{"tries": [], "fraction": "much", "error": 4}'),
    ("status", "ruined"),
    ("retries_left", "many"),
    ("timeout", "never"),
    ("started_at", "yesterday"),
    ("worker_name", "\x1b[2J"),
)


def test_tasks_are_counted_in_each_state(work):
    done, failed = work.list.add([work.hour(0), Task("check", {"source": "Nothing"})])
    work.once()
    work.list.add([work.hour(1)])
    hand_over(work.site.config, [work.hour(2)])
    counts = work.listing.counts()
    assert str(counts) == "2 waiting, 0 working, 1 finished, 1 failed; 0 workers"
    assert work.listing.ids("finished") == [done]
    assert work.listing.ids("failed") == [failed]
    assert len(work.listing.ids("waiting")) == 2


def test_a_task_that_a_worker_takes_just_now_is_counted_once(work):
    (identifier,) = work.list.add([work.hour(0)])
    queue = queue_name(work.site.config)
    work.server.lmove(key("waiting", queue), key("between", queue))
    assert str(work.listing.counts()) == "1 waiting, 0 working, 0 finished, 0 failed; 0 workers"
    work.server.zadd(key("working", queue), {f"{identifier}:an-execution": time.time() + 60})
    assert str(work.listing.counts()) == "0 waiting, 1 working, 0 finished, 0 failed; 0 workers"


def test_progress_is_seen_while_a_task_is_worked_on(work):
    (work.folder / "slow").write_text("1")
    (identifier,) = work.list.add([work.hour(0)])
    work.start()
    until(lambda: work.state(identifier) == "working")
    (entry,) = work.listing.entries(work.listing.ids("working"))
    assert entry.worker
    assert entry.begun > time.time() - 60
    assert work.listing.counts().workers == 1
    until(lambda: work.state(identifier) == "finished")
    (entry,) = work.listing.entries([identifier])
    assert (entry.fraction, entry.tries, entry.worker) == (1.0, 1, "")
    assert entry.ended - entry.begun > 0.9


def test_an_urgent_task_comes_first(work):
    later = work.list.add([work.hour(0), work.hour(1)])
    (first,) = work.list.add([Task("check", {"source": "Kept"}, front=True)])
    assert work.listing.ids("waiting") == [first, *later]


def test_a_task_that_redis_has_forgotten_still_waits(work):
    (identifier,) = work.list.add([work.hour(0)])
    work.server.flushall()
    assert work.state(identifier) == "waiting"
    work.once()
    assert work.state(identifier) == "finished"
    assert len(work.reads()) == 1


def test_what_nothing_of_ours_wrote_is_listed_and_keeps_no_other_task_from_being_done(work):
    tasks = [Task("check", {"source": f"Nothing{each}"}) for each in range(len(RUINED))]
    *ruined, other = work.list.add([*tasks, Task("check", {"source": "Nobody"})])
    for identifier, (field, value) in zip(ruined, RUINED, strict=True):
        work.server.hset(f"rq:job:{identifier}", field, value)
    assert [each.id for each in work.listing.entries([*ruined, other])] == [*ruined, other]
    work.once()
    assert work.state(other) == "failed"
    assert all(each.state == "failed" or each.next for each in work.listing.entries(ruined))
    assert other in work.todo("retry", "--all")


def test_texts_of_readers_do_nothing_to_a_terminal(work):
    (identifier,) = work.list.add([Task("check", {"source": "Nothing"})])
    work.once()
    work.server.hset(f"rq:job:{identifier}", "meta", json.dumps({"error": "\x1b]0;title\x07\x1b[2Jbad"}))
    shown = work.todo("list", "failed")
    assert "bad" in shown
    assert "\x1b" not in shown + work.todo("show", identifier)


def test_listing_imports_no_queue(work):
    work.list.add([work.hour(0)])
    code = (
        "import sys; from dasflex_core.site import open_site; from dasflex_work.listing import Listing; "
        "from dasflex_work.broker import connected; config = open_site(sys.argv[1]).config; "
        "print(Listing(config, connected(config)).counts()); print('rq' in sys.modules)"
    )
    done = subprocess.run((sys.executable, "-c", code, str(work.root)), capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["1 waiting, 0 working, 0 finished, 0 failed; 0 workers", "False"]


def test_what_is_on_the_list_and_in_the_folder_is_counted_once(work):
    identifier = work.hour(0).id(work.site.config.server_id)
    Spool(work.site.config).put(work.hour(0))
    assert work.list.drain() == 1
    assert work.listing.ids("waiting") == [identifier]
    assert work.listing.counts().waiting == 1

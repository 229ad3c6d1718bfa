# SPDX-License-Identifier: GPL-3.0-or-later
"""Tasks that fail are tried again after longer and longer, by the clock of the server, and given up with a reason."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from dasflex_core.tasks import Spool, Task
from tests.dasflex_work.conftest import until

pytestmark = pytest.mark.integration

#: A worker on a machine whose clock is wrong by so many seconds.
WRONG = """
import datetime, sys, time
off = float(sys.argv.pop(1))
right = time.time
class Wrong(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(right() + off, tz)
datetime.datetime = Wrong
time.time = lambda: right() + off
from dasflex_work.workd import main
main()
"""


def test_a_task_is_tried_after_longer_and_longer_and_given_up_with_its_message(work):
    (work.folder / "fails").touch()
    (identifier,) = work.list.add([work.hour(0)])
    waited = []
    for tries in range(1, 5):
        work.once()
        (entry,) = work.listing.entries([identifier])
        assert entry.tries == tries
        if entry.next:
            waited.append(entry.next - time.time())
            assert entry.state == "waiting"
            assert work.server.zadd(f"rq:scheduled:{work.list.name}", {identifier: 1}, xx=True) == 0  # it is due
    assert entry.state == "failed"
    assert "2020-01-01T00" in entry.text
    assert [round(each, -1) for each in waited] == [10, 60, 600]
    assert len(work.reads()) == 4
    assert "it is given up" in work.logs()
    assert Spool(work.site.config).taken() == []


def test_what_failed_a_moment_ago_is_not_begun_again_by_requests(work):
    """Each request that misses the block asks for it: that must not make an endless row of tries."""
    (identifier,) = work.list.add([Task("check", {"source": "Nothing"})])
    work.once()
    assert work.list.add([Task("check", {"source": "Nothing"})]) == []
    assert work.state(identifier) == "failed"
    assert work.list.add([Task("check", {"source": "Nothing"})], again=True) == [identifier]


@pytest.mark.parametrize("off", [86_400], ids=["a day ahead"])
def test_a_worker_whose_clock_is_wrong_takes_no_task_from_another(work, off):
    (work.folder / "slow").write_text("4.5")
    (identifier,) = work.list.add([work.hour(0)])
    work.start()
    until(work.reads)
    words = ("--every", "0.2", "--beat", "1", "--config", str(work.root))
    wrong = subprocess.Popen(
        (sys.executable, "-c", WRONG, str(off), *words), stderr=subprocess.DEVNULL, start_new_session=True
    )
    work.workers.append(wrong)
    until(lambda: work.listing.counts().workers == 2)
    until(lambda: work.state(identifier) == "finished")
    assert wrong.poll() is None
    assert len(work.reads()) == 1


@pytest.mark.parametrize("off", [-86_400], ids=["a day behind"])
def test_a_worker_whose_clock_is_wrong_keeps_its_own_task(work, off):
    (work.folder / "slow").write_text("4")
    (identifier,) = work.list.add([work.hour(0)])
    words = ("--every", "0.2", "--beat", "1", "--config", str(work.root))
    wrong = subprocess.Popen(
        (sys.executable, "-c", WRONG, str(off), *words), stderr=subprocess.DEVNULL, start_new_session=True
    )
    work.workers.append(wrong)
    until(work.reads)
    work.start()
    until(lambda: work.state(identifier) == "finished")
    assert len(work.reads()) == 1

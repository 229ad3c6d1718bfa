# SPDX-License-Identifier: GPL-3.0-or-later
"""Old logs go, by whichever process writes, seldom, in a bounded time, and never anything that is not ours."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dasflex_core.log_ageing import LogKeeper
from dasflex_core.logs import AGEING_PERIOD, AGEING_STAMP, LogEntry, RequestLog, ageing_due

DAY = 86_400
ID = "06fzjdexw6m8f8mvwd0m2y"


def put(path, days, size=10):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)
    when = time.time() - days * DAY
    os.utime(path, (when, when))
    return path


def keeper(directory, days=30.0, megabytes=0.0, note=pytest.fail):
    return LogKeeper(str(directory), days, megabytes, note)


def test_what_is_too_old_goes_and_nothing_else(tmp_path):
    old = [
        put(tmp_path / "192.0.2.7_2026-09-01.log", 31),
        put(tmp_path / "192.0.2.7_2026-09-02.log.1", 31),
        put(tmp_path / "2001-db8--1_2026-09-02.log.2.gz", 31),
        put(tmp_path / "requests" / f"{ID}.json", 31),
        put(tmp_path / "requests" / f"{ID}.log", 31),
        put(tmp_path / "requests" / f".{ID}.json.1a2b.partial", 31),
    ]
    kept = [
        put(tmp_path / "192.0.2.7_2026-10-22.log", 29),
        put(tmp_path / "requests" / f"{ID[::-1]}.json", 29),
        put(tmp_path / "answers" / "0123456789abcdef.json", 900),
        put(tmp_path / "websocd.log", 900),
        put(tmp_path / "notes_of-the-admin.log", 900),
        put(tmp_path / "requests" / "README", 900),
        put(tmp_path / "access.log.1", 900),
    ]
    assert keeper(tmp_path).age() == len(old)
    assert not [each for each in old if each.exists()]
    assert all(each.exists() for each in kept)


def test_beyond_the_most_the_oldest_go_first(tmp_path):
    files = [put(tmp_path / "requests" / f"{each:022d}.json", each, 100_000) for each in range(20)]
    logs = [put(tmp_path / f"192.0.2.7_2026-10-{each + 1:02d}.log", each, 100_000) for each in range(20)]
    assert keeper(tmp_path, 0, 1.0).age() == 31  # 0.9 of the megabyte stay
    assert [each.exists() for each in files] == [True] * 4 + [files[4].exists()] + [False] * 15
    assert sum(each.exists() for each in (*files, *logs)) == 9
    assert keeper(tmp_path, 0, 1.0).age() == 0


def test_of_one_hour_no_more_goes_than_must(tmp_path):
    files = [put(tmp_path / "requests" / f"{each:022d}.json", 1, 100_000) for each in range(20)]
    keeper(tmp_path, 0, 1.0).age()
    assert sum(each.exists() for each in files) == 9


def test_small_files_count_as_the_disk_counts_them(tmp_path):
    files = [put(tmp_path / "requests" / f"{each:022d}.json", 1) for each in range(500)]
    keeper(tmp_path, 0, 1.0).age()
    assert sum(each.exists() for each in files) == 900_000 // 4_096


def test_it_is_done_once_in_an_hour(tmp_path):
    assert ageing_due(str(tmp_path))
    put(tmp_path / "192.0.2.7_2026-09-01.log", 31)
    assert keeper(tmp_path).age() == 1
    assert not ageing_due(str(tmp_path))
    put(tmp_path / "192.0.2.7_2026-09-01.log", 31)
    assert keeper(tmp_path).age() == 0
    before = time.time() - AGEING_PERIOD - 1
    os.utime(tmp_path / AGEING_STAMP, (before, before))
    assert keeper(tmp_path).age() == 1


def test_a_clock_that_was_set_back_does_not_stop_it(tmp_path):
    later = put(tmp_path / AGEING_STAMP, -900)
    assert ageing_due(str(tmp_path))
    assert later.stat().st_mtime > time.time()
    keeper(tmp_path).age()
    assert later.stat().st_mtime <= time.time()


def test_one_process_does_it_and_the_others_go_on(tmp_path):
    import fcntl

    put(tmp_path / "192.0.2.7_2026-09-01.log", 31)
    lock = os.open(tmp_path, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        begun = time.perf_counter()
        assert keeper(tmp_path).age() == 0
        assert time.perf_counter() - begun < 1
    finally:
        os.close(lock)
    assert keeper(tmp_path).age() == 1


def test_what_it_has_no_time_for_is_done_soon(tmp_path):
    for each in range(50):
        put(tmp_path / "requests" / f"{each:022d}.json", 31)
    assert keeper(tmp_path).age(0.0) == 0
    left = (tmp_path / AGEING_STAMP).stat().st_mtime + AGEING_PERIOD - time.time()
    assert 0 < left < 200


@pytest.mark.parametrize("place", ["none", "file", "file/below"])
def test_a_directory_that_is_none_is_no_failure(tmp_path, place):
    (tmp_path / "file").write_text("in the way")
    assert keeper(tmp_path / place).age() == 0
    keeper(tmp_path / place).look()


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, lambda path: path.symlink_to("/dev/null")])
def test_whatever_is_in_the_place_of_the_stamp_blocks_nobody(tmp_path, make):
    notes = []
    make(tmp_path / AGEING_STAMP)
    before = time.time() - 2 * AGEING_PERIOD
    os.utime(tmp_path / AGEING_STAMP, (before, before), follow_symlinks=False)
    keeper(tmp_path, note=notes.append).age()
    assert len(notes) == 1


def test_a_link_is_removed_and_not_what_it_leads_to(tmp_path):
    precious = put(tmp_path / "elsewhere", 900)
    (tmp_path / "log").mkdir()
    link = tmp_path / "log" / "192.0.2.7_2026-09-01.log"
    link.symlink_to(precious)
    os.utime(link, (0, 0), follow_symlinks=False)
    assert keeper(tmp_path / "log").age() == 1
    assert precious.exists()


def test_without_limits_there_is_nothing_to_do(tmp_path):
    put(tmp_path / "192.0.2.7_2026-09-01.log", 9_000)
    assert not keeper(tmp_path, 0, 0).due()
    assert keeper(tmp_path, 0, 0).age() == 0
    assert not (tmp_path / AGEING_STAMP).exists()


def test_a_process_that_lasts_does_it_beside_its_requests(tmp_path):
    old = put(tmp_path / "192.0.2.7_2026-09-01.log", 31)
    log = RequestLog(tmp_path, pytest.fail, after=keeper(tmp_path).look)
    log.write(LogEntry(time=time.time(), client="::1", request="r", method="GET", target="/", status=200))
    until = time.monotonic() + 5
    while old.exists() and time.monotonic() < until:
        time.sleep(0.01)
    assert not old.exists()


def test_a_look_costs_a_request_nothing_to_speak_of(tmp_path):
    kept = keeper(tmp_path)
    kept.age()
    begun = time.perf_counter()
    for _each in range(10_000):
        kept.look()
    assert time.perf_counter() - begun < 0.5


def test_twenty_thousand_records_take_little_memory_and_a_bounded_time(tmp_path):
    code = """
import os, resource, sys, time
from pathlib import Path
from dasflex_core.log_ageing import LogKeeper
place = sys.argv[1]
os.mkdir(f"{place}/requests")
for each in range(20_000):
    os.close(os.open(f"{place}/requests/{each:022d}.json", os.O_CREAT | os.O_WRONLY))
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
keeper = LogKeeper(place, 30.0, 1.0, print)
begun = time.monotonic()
removed = keeper.age(5.0)
print(removed, time.monotonic() - begun, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""
    done = subprocess.run((sys.executable, "-c", code, str(tmp_path)), capture_output=True, text=True, check=True)
    removed, seconds, kilobytes = done.stdout.split()
    assert int(removed) == 20_000 - 900_000 // 4_096
    assert float(seconds) < 6
    assert int(kilobytes) < 5_000
    assert Path(tmp_path / AGEING_STAMP).exists()

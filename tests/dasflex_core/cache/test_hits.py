# SPDX-License-Identifier: GPL-3.0-or-later
"""Hits are counted without waiting for anything, and whatever goes wrong disturbs no request."""

from __future__ import annotations

import multiprocessing
import os
import stat
import time
from pathlib import Path

import pytest

from dasflex_core.cache import hits
from dasflex_core.cache.hits import HITS, Hits, hits_of, note_hits


def test_what_was_noted_is_counted_by_level(tmp_path, monkeypatch):
    monkeypatch.setattr(hits.time, "time", lambda: 1_700_000_000.9)
    folder = str(tmp_path / "data" / "a" / "b")
    note_hits(folder, "1", 12, 2)
    note_hits(folder, "2", 0, 3)
    note_hits(folder, "1", 4, 0)
    assert hits_of(folder) == {"1": Hits(2, 16, 2, 1_700_000_000), "2": Hits(1, 0, 3, 1_700_000_000)}
    assert hits_of(folder)["1"].rate == pytest.approx(16 / 18)
    assert Hits(1, 0, 0, 0).rate == 0


def test_nothing_was_noted_where_nothing_is(tmp_path):
    assert hits_of(str(tmp_path / "nowhere")) == {}


def test_lines_that_are_none_do_not_count(tmp_path):
    (tmp_path / HITS).write_bytes(b"1700000000 1 12 2\nnonsense\n\n\xff\n1 2 3\n1 1 x 3\n1 1 1 1 1\n1700000000 1 1 ")
    assert hits_of(str(tmp_path)) == {"1": Hits(1, 12, 2, 1_700_000_000)}


def test_what_is_kept_is_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(hits, "_MOST", 2_000)
    for _each in range(500):
        note_hits(str(tmp_path), "1", 1, 0)
    assert sorted(each.name for each in tmp_path.iterdir()) == [HITS, f"{HITS}.1"]
    assert sum(each.stat().st_size for each in tmp_path.iterdir()) < 4_100
    assert 90 < hits_of(str(tmp_path))["1"].requests < 200


def test_the_group_may_note_too(tmp_path):
    before = os.umask(0o077)
    try:
        note_hits(str(tmp_path), "1", 1, 0)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / HITS).stat().st_mode) == 0o660


def test_a_file_that_cannot_be_written_disturbs_nobody(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.write_bytes(b"")
    note_hits(str(file / "below"), "1", 1, 0)
    note_hits("/proc/nowhere", "1", 1, 0)
    note_hits("\0", "1", 1, 0)
    (tmp_path / HITS).symlink_to(file)
    note_hits(str(tmp_path), "1", 1, 0)
    assert file.read_bytes() == b""
    (tmp_path / HITS).unlink()
    monkeypatch.setattr(hits.os, "write", lambda *_given: os.open("/nowhere", 0))
    note_hits(str(tmp_path), "1", 1, 0)


def _note_many(folder: str) -> None:
    for _each in range(300):
        note_hits(folder, "1", 2, 1)


def test_processes_that_note_at_once_lose_nothing(tmp_path):
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=hits.note_hits, args=(str(tmp_path), "1", 2, 1)) for _each in range(4)]
    for each in processes:
        each.start()
    _note_many(str(tmp_path))
    for each in processes:
        each.join()
    assert hits_of(str(tmp_path))["1"] == Hits(304, 608, 304, hits_of(str(tmp_path))["1"].since)


def test_a_request_pays_little_for_it(tmp_path):
    """The least of many, since others use the machine too."""
    least = 1.0
    for _each in range(200):
        begun = time.perf_counter()
        note_hits(str(tmp_path), "1", 12, 2)
        least = min(least, time.perf_counter() - begun)
    assert least < 100e-6
    assert Path(tmp_path / HITS).stat().st_size > 0

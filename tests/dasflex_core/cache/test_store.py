# SPDX-License-Identifier: GPL-3.0-or-later
"""What there is of a range is found whatever lies in the folders, and what is stale is not used."""

from __future__ import annotations

import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dasflex_core.cache import store
from dasflex_core.cache.block import read_block
from dasflex_core.cache.periods import PERIODS
from dasflex_core.cache.store import Shelf, Stretch, is_stale
from dasflex_core.times import FOREVER, Time, parse_time

HOUR = 3600 * 1_000_000_000
HERE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)


def ns(text):
    """A time as nanoseconds since 1970."""
    return parse_time(text).ns


def brute(room, begin, end):
    """What there is of a range, found by looking at each period of it."""
    if begin >= end:
        return []
    found = []
    for first, last in room.shelf.period.over(begin, end):
        block = read_block(room.shelf.base(first))
        state = "missing" if block is None else room.shelf.state(block)
        here = Stretch(first, last, block if state == "there" else None, state)
        before = found[-1] if found else None
        if before and before.block is None and here.block is None:
            found[-1] = Stretch(before.begin, last, None, "stale" if "stale" in (before.state, state) else "missing")
        else:
            found.append(here)
    return found


@pytest.mark.parametrize("few", [0, 512])
@pytest.mark.parametrize("word", ["minute", "hour", "day", "month", "year"])
@HERE
@given(data=st.data())
def test_what_is_found_is_what_looking_at_each_period_finds(word, few, data, tmp_path_factory, monkeypatch, room_of):
    """Folders are walked (`few` is 0) or each period is looked for; both see the same."""
    monkeypatch.setattr(store, "_FEW", few)
    room = room_of(f"{word}")
    room = replace(room, shelf=replace(room.shelf, folder=str(tmp_path_factory.mktemp("shelf"))))
    at = ns("2019-12-31T22:58")
    starts = []
    for _each in range(30):
        starts.append(at)
        at = room.shelf.period.next(at)
    for number in data.draw(st.sets(st.integers(0, 29), max_size=12)):
        stale = data.draw(st.booleans())
        room.put(str(Time(starts[number])), key="another" if stale else "key")
    for begin, end in data.draw(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=3)):
        one, other = (int(starts[0] + part * (at - starts[0])) for part in (begin, end))
        found = room.shelf.look(one, other)
        assert found == brute(room, one, other)
        if found:
            assert found[0].begin == room.shelf.period.snap(one)
            assert found[-1].end == room.shelf.period.next(other - 1)
            assert all(a.end == b.begin for a, b in pairwise(found))


def test_long_ranges_are_looked_at_by_what_lies_there(days, monkeypatch):
    kept = [days.put(when) for when in ("1999-12-31", "2020-02-28", "2020-02-29", "2020-03-01")]
    asked = []
    real = store.read_block
    monkeypatch.setattr(store, "read_block", lambda base: asked.append(base) or real(base))
    found = days.shelf.look(ns("0001-01-01"), FOREVER.ns)
    assert [each.block for each in found if each.block] == kept
    assert len(found) == 7
    assert len(asked) == 4


@pytest.mark.parametrize("few", [0, 512])
def test_what_lies_there_and_is_no_block_of_the_level_is_not_looked_at(days, few, monkeypatch):
    monkeypatch.setattr(store, "_FEW", few)
    kept = days.put("2020-02-29")
    folder = Path(kept.base).parent
    (folder / ".2020-02-28_bin-60s.block.12-ab").write_bytes(b"")
    (folder / "2020-02-28_bin-60s.d2s").write_bytes(b"classic")
    (folder / "2020-02-27_bin-600s.block").write_bytes(b"another level")
    (folder / "notes.txt").write_bytes(b"")
    (folder / "deeper").mkdir()
    (folder.parent / "99").mkdir()
    (folder.parent / "README").write_bytes(b"")
    for suffix in ("block", "d2s", "sums"):  # a block that somebody has copied to another day
        (folder / f"2020-02-26_bin-60s.{suffix}").write_bytes(Path(f"{kept.base}.{suffix}").read_bytes())
    found = days.shelf.look(ns("2020-01-01"), ns("2020-04-01"))
    assert [each.block for each in found] == [None, kept, None]
    assert [each.state for each in found] == ["missing", "there", "missing"]


def test_nothing_is_found_where_nothing_is(days, tmp_path):
    day, next_day = ns("2020-01-01"), ns("2020-01-02")
    assert days.shelf.look(day, next_day) == [Stretch(day, next_day)]
    assert days.shelf.look(day, day) == days.shelf.look(next_day, day) == []
    assert days.shelf.look(day + 5, day + 5) == []
    file = tmp_path / "file"
    file.write_bytes(b"")
    beside = Shelf(str(file), "bin-60s", PERIODS["day"], "key")
    assert beside.look(day, next_day) == [Stretch(day, next_day)]


@pytest.mark.parametrize("few", [0, 512])
def test_folders_that_vanish_while_they_are_looked_at_hold_nothing(days, few, monkeypatch):
    monkeypatch.setattr(store, "_FEW", few)
    days.put("2020-02-29")

    def stale(*_where, **_how):
        raise OSError(116, "Stale file handle")

    monkeypatch.setattr(store.os, "listdir", stale)
    monkeypatch.setattr(store.os, "open", stale)
    assert [each.state for each in days.shelf.look(ns("2020-02-29"), ns("2020-03-01"))] == ["missing"]


def test_a_block_that_is_damaged_is_missing(days):
    kept = days.put("2020-02-29")
    Path(f"{kept.base}.block").write_bytes(b"{}")
    (found,) = days.shelf.look(kept.begin, kept.end)
    assert found == Stretch(kept.begin, kept.end)


def test_blocks_of_another_key_or_period_are_stale(days):
    kept = days.put("2020-02-29")
    assert days.shelf.state(kept) == "there"
    assert days.shelf.state(replace(kept, key="another")) == "stale"
    assert days.shelf.state(replace(kept, end=kept.end + 1)) == "stale"
    assert days.shelf.state(replace(kept, begin=kept.begin + 1)) == "stale"


NOW = 1_700_000_000.0
DAY = 86_400.0


@pytest.mark.parametrize(
    ("made", "date", "changed", "fresh", "stale"),
    [
        # made, date of the data in it, of the data now, fresh; ages in days, the period has ended 10 days ago
        (5, 7, 7, None, False),  # the same data
        (5, 7, 8, None, True),  # newer data
        (5, 8, 7, None, True),  # older ones, put back
        (5, 7, None, None, False),  # nobody knows a date
        (5, None, 7, None, False),
        (5, None, None, None, False),
        (5, 7, 8, 3, False),  # the period was old when it was made: final
        (9, 7, 8, 3, True),  # it was young
        (9, 7, 7, 3, False),
        (9, None, None, 3, True),  # it was young and is old now: once more
        (5, None, None, 3, False),
        (9, None, None, 30, False),  # it is young still
        (9, None, 7, 30, False),
        (9, 7, 8, 30, True),
        (10.5, 7, 7, 0, False),  # made before its period had ended
        (10.5, None, None, 0, True),
        (10, 7, 8, 0, False),
        (-1, 7, 8, 3, True),  # made tomorrow: the clock was wrong, so it counts as young
        (-1, 7, 7, 3, False),
        (-1, None, None, 3, True),
        (-1, None, None, None, False),
        (-0.0005, 7, 8, 3, False),  # clocks differ by less than a minute
    ],
)
def test_when_a_block_is_made_again(days, made, date, changed, fresh, stale, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: NOW)
    end = int((NOW - 10 * DAY) * 1e9)
    block = replace(days.blank("2020-01-01"), begin=end - HOUR, end=end, made=NOW - made * DAY, changed=date)
    assert is_stale(block, changed, None if fresh is None else fresh * DAY) is stale


def test_a_block_that_is_made_again_after_a_clock_was_wrong_holds(days, monkeypatch):
    """The clock of whoever writes is a year ahead; the date of the file server holds."""
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 365 * DAY)
    kept = days.put("2020-02-29")
    assert kept.made <= Path(f"{kept.base}.d2s").stat().st_mtime
    monkeypatch.undo()
    assert not is_stale(kept, 8, 2 * DAY)

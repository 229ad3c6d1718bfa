# SPDX-License-Identifier: GPL-3.0-or-later
"""What is left behind of moments that pass: whole periods, and nothing where that would not be all."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dasflex_core.arrays import Comment, Problem, Records
from dasflex_core.cache.filling import Filling
from dasflex_core.moments import Moments
from dasflex_core.run.leaving import left_of_items
from dasflex_core.testing import golden
from dasflex_core.times import parse_time
from dasflex_reduce.sums_stream import read_stream

MINUTE = 60 * 10**9


def timeless():
    """Records that have no time."""
    _header, dataset, _comment, records = golden.scalars()
    plain = replace(dataset, id=9, dimensions=dataset.dimensions[1:], wire=dataset.wire[1:])
    return Records(plain, {name: records.columns[name] for name in plain.wire})


@pytest.fixture
def kept(room_of):
    """How many bins the blocks of two minutes have when something comes between them; None where there is no block."""
    shelf = room_of("minute").shelf
    begin = parse_time("2031-04-02T00:00").ns
    write = "dasflex_reduce.sums_stream:write_stream"
    filling = Filling(
        shelf, begin, begin + 2 * MINUTE, "d2s", lambda: None, lambda _begin, _end: "answer", writer=write
    )
    header, dataset, *_rest = golden.scalars()

    def minute(at):
        return Moments(dataset, at + np.arange(60) * 10**9, {"b": {"count": np.ones((60, 1), dtype="i8")}})

    def kept(*between):
        items = [header, dataset, minute(begin), *between, minute(begin + MINUTE)]
        notes = []
        passed = list(left_of_items(iter(items), filling, notes.append))
        assert [id(each) for each in passed] == [id(each) for each in items]
        assert not notes
        files = [Path(shelf.base(at) + ".sums") for at in (begin, begin + MINUTE)]
        return [
            sum(len(each) for each in read_stream(file.read_bytes()) if isinstance(each, Moments))
            if file.exists()
            else None
            for file in files
        ]

    return kept


@pytest.mark.parametrize("between", [(), (Comment("log:info", "half of it"),)])
def test_each_whole_period_is_left_behind(kept, between):
    assert kept(*between) == [60, 60]


@pytest.mark.parametrize("between", [Problem("ServerError", "out of order"), timeless()])
def test_nothing_is_left_behind_after_a_failure_or_records_that_have_no_bins(kept, between):
    """A block without them would not be what the reader gave."""
    assert kept(between) == [None, None]

# SPDX-License-Identifier: GPL-3.0-or-later
"""What a reader is asked is trimmed to the times that there are data for."""

from __future__ import annotations

import pytest

from dasflex_core.catalog.model import Coord, Definition, Span
from dasflex_core.plan.valid_range import trimmed
from dasflex_core.times import parse_time

DAY = ("2001-01-01T00:00:00", "2001-01-02T00:00:00")


def source(begin, end):
    """A source with data for a range of time."""
    return Definition(id="a", title="A", coords={"time": Coord(range=Span(begin, end))})


def asked(begin, end):
    """A request for a range of time, with another parameter."""
    return {"read.time.min": begin, "read.time.max": end, "read.x": "y"}


@pytest.mark.parametrize(
    ("valid", "expected"),
    [
        (("2000-01-01", "2002-01-01"), DAY),
        (("2001-01-01", "2001-01-02"), DAY),
        (("2001-001T06:00", "now"), ("2001-01-01T06:00:00", DAY[1])),
        (("2000-01-01", "2001-01-01T06:00:00.5"), (DAY[0], "2001-01-01T06:00:00.500")),
        (("2001-01-01T01:00", "2001-01-01T02:00"), ("2001-01-01T01:00:00", "2001-01-01T02:00:00")),
        (("2000-01-01", "P400D"), DAY),
        (("2000-01-01", "forever"), DAY),
    ],
)
def test_a_range_is_cut_at_both_ends_and_the_rest_is_left(valid, expected):
    assert trimmed(asked(*DAY), source(*valid)) == asked(*expected)


@pytest.mark.parametrize("valid", [("2001-01-02", "now"), ("2000-01-01", "2001-01-01"), ("1999-01-01", "P1D")])
def test_nothing_is_left_of_a_range_outside(valid):
    assert trimmed(asked(*DAY), source(*valid)) is None


def test_the_narrower_of_several_ranges_counts():
    wide, narrow = source("2000-01-01", "now"), source("2001-01-01T06:00", "2001-01-01T07:00")
    for order in ((wide, narrow), (narrow, wide)):
        assert trimmed(asked(*DAY), *order) == asked("2001-01-01T06:00:00", "2001-01-01T07:00:00")


def test_what_follows_the_present_has_no_end():
    live = asked("2001-01-01T00:00:00", "forever")
    assert trimmed(live, source("2000-01-01", "now")) == live
    assert trimmed(live, source("2000-01-01", "2000-06-01")) == live
    assert trimmed(live, source("2002-01-01", "now"))["read.time.min"] == "2002-01-01T00:00:00"


def test_a_source_without_a_range_and_a_request_without_ends_stay_as_they_are():
    assert trimmed(asked(*DAY), Definition(id="a", title="A")) == asked(*DAY)
    assert trimmed({"read.x": "y"}, source("2000-01-01", "now")) == {"read.x": "y"}


def test_the_present_is_the_clocks():
    after = f"{int(str(parse_time('now'))[:4]) + 1}-01-01T00:00:00"
    cut = trimmed(asked("2001-01-01T00:00:00", after), source("2000-01-01", "now"))
    assert parse_time(cut["read.time.max"]) <= parse_time("now")

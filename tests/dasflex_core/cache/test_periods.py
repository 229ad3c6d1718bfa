# SPDX-License-Identifier: GPL-3.0-or-later
"""The periods of blocks follow one another without gaps, and their names sort as they do."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dasflex_core.cache.periods import PERIODS, period
from dasflex_core.errors import ConfigError, QueryError
from dasflex_core.times import FOREVER, Time, parse_time

_FIRST = parse_time("0001-01-01").ns
TIMES = st.integers(_FIRST, parse_time("9998-01-01").ns)


@given(word=st.sampled_from([*PERIODS]), ns=TIMES)
def test_each_time_is_in_one_period_and_the_next_begins_where_it_ends(word, ns):
    one = PERIODS[word]
    begin, end = one.snap(ns), one.next(ns)
    assert begin <= ns < end
    assert one.snap(begin) == begin == one.snap(end - 1)
    assert one.snap(end) == end
    assert one.name(begin) == one.name(ns) != one.name(end)
    assert one.name(begin) < one.name(end)


@given(word=st.sampled_from(["day", "month", "year"]), ns=TIMES, days=st.integers(1, 700))
def test_periods_over_a_range_cover_it_without_gaps(word, ns, days):
    last = ns + days * 86_400_000_000_000
    found = [*PERIODS[word].over(ns, last)]
    assert found[0][0] <= ns < found[0][1]
    assert found[-1][0] < last <= found[-1][1]
    assert all(one[1] == other[0] for one, other in pairwise(found))


@pytest.mark.parametrize(
    ("word", "name", "folders"),
    [
        ("year", "2031", ()),
        ("month", "2031-04", ("2031",)),
        ("day", "2031-04-02", ("2031", "04")),
        ("hour", "2031-04-02T11", ("2031", "04", "02")),
        ("minute", "2031-04-02T11-05", ("2031", "04", "02", "11")),
        ("second", "2031-04-02T11-05-07", ("2031", "04", "02", "11", "05")),
    ],
)
def test_files_have_the_names_that_the_classic_cache_reader_looks_for(word, name, folders):
    ns = parse_time("2031-04-02T11:05:07.5").ns
    assert (PERIODS[word].name(ns), PERIODS[word].folders(ns)) == (name, folders)


def test_bins_that_do_not_divide_a_day_have_no_blocks():
    second = 1_000_000_000
    assert PERIODS["month"].divides(60 * second)
    assert not PERIODS["month"].divides(7 * second)
    assert PERIODS["hour"].divides(100_000_000)
    assert not PERIODS["minute"].divides(120 * second)
    assert not PERIODS["day"].divides(0)


def test_what_is_no_period_or_lies_outside_of_the_calendar_is_told():
    with pytest.raises(ConfigError, match=r"'days' is no period of blocks: .*day"):
        period("days")
    with pytest.raises(QueryError, match="years 0001 to 9999"):
        PERIODS["day"].snap(FOREVER.ns)
    last = parse_time("9999-12-31T12:00").ns
    assert PERIODS["year"].next(last) == FOREVER.ns
    assert str(Time(PERIODS["year"].snap(last))) == "9999-01-01T00:00:00"

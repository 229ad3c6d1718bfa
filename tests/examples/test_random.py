# SPDX-License-Identifier: GPL-3.0-or-later
"""The numbers of `Random` and `Auth`, and when they are."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

MOMENTS = st.datetimes(datetime.fromisoformat("0001-01-01"), datetime.fromisoformat("9999-01-01"))
LENGTHS = (
    st.integers(1, 6)
    .flatmap(lambda power: st.integers(1, 10 ** (2 * power + 1)))
    .map(lambda ms: timedelta(milliseconds=ms))
)


@settings(max_examples=30, deadline=None)
@given(begin=MOMENTS, length=LENGTHS)
def test_any_range_has_at_most_a_thousand_evenly_spaced_numbers_of_which_none_is_left_out(read, begin, length):
    end = begin + length
    stream = read("Random", begin.isoformat(), end.isoformat())
    times = stream.times
    assert len(times) <= 1001
    assert all(begin <= time < end for time in times)
    step = timedelta(seconds=float(stream.properties["Datum:xTagWidth"].split()[0]) / 2)
    assert all(later - earlier == step for earlier, later in pairwise(times))
    if times:
        assert times[0] - begin < step
        assert end - times[-1] <= step
    else:
        assert length < step


def test_numbers_fill_the_promised_range(read):
    values = [record[1][0] for record in read("Random", "2017-01-01", "2017-03-01").records]
    assert len(values) > 400
    assert -10 <= min(values) < -9
    assert 9 < max(values) <= 10
    assert abs(sum(values) / len(values)) < 1


def test_a_number_belongs_to_its_time_whatever_the_range(read):
    early, late = (
        {time: value for [time], [value] in read("Random", *asked).records}
        for asked in (("2017-01-01", "2017-03-01"), ("2017-01-21", "2017-03-18"))
    )
    both = early.keys() & late.keys()
    assert len(both) > 300
    assert {time: early[time] for time in both} == {time: late[time] for time in both}


def test_random_has_the_layout_that_its_tests_elsewhere_rely_on(read):
    x, y = read("Random", "2017-01-01", "2017-03-01").packets["01"]
    assert (x.attributes["type"], x.attributes["units"]) == ("time24", "us2000")
    assert (y.attributes["type"], y.attributes["name"], y.attributes["units"]) == ("ascii11", "random", "")


def test_auth_has_one_number_each_minute(read):
    times = read("Auth", "2017-01-01T00:00:00.000001", "2017-01-01T01:00:00").times
    assert times == [datetime.fromisoformat(f"2017-01-01T00:{minute:02}") for minute in range(1, 60)]

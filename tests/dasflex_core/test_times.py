# SPDX-License-Identifier: GPL-3.0-or-later
"""Times, durations, quantities and ranges are read in every form that is promised, and refused with a reason."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dasflex_core.errors import QueryError
from dasflex_core.times import (
    FOREVER,
    Time,
    format_time,
    from_tt2000,
    parse_duration,
    parse_quantity,
    parse_range,
    parse_time,
    seconds,
    to_tt2000,
)

SECOND = 10**9
DAY = 86400 * SECOND
FIRST, END = parse_time("0001-01-01").ns, FOREVER.ns
NOW = parse_time("2017-01-15T10:30:00")
#: Days that end with a leap second, as counts since 1970.
LEAP_DAYS = [parse_time(day).ns // DAY for day in ("1972-06-30", "1998-12-31", "2016-12-31")]
moments = st.integers(FIRST, END - 1).map(Time)
leap_moments = st.builds(
    lambda day, leap: Time((day + 1) * DAY - 1, leap), st.sampled_from(LEAP_DAYS), st.integers(1, SECOND)
)

FORMS = {
    "2017": "2017-01-01T00:00:00",
    "2017-02": "2017-02-01T00:00:00",
    "2017-02-03": "2017-02-03T00:00:00",
    "2017-02-03T04": "2017-02-03T04:00:00",
    "2017-02-03T04:05": "2017-02-03T04:05:00",
    "2017-02-03T04:05:06": "2017-02-03T04:05:06",
    "2017-02-03T04:05:06.7": "2017-02-03T04:05:06.700",
    "2017-02-03T04:05:06.789012345Z": "2017-02-03T04:05:06.789012345",
    "2017-02-03T04:05:06.7890123459": "2017-02-03T04:05:06.789012345",
    "2017-02-03 04:05": "2017-02-03T04:05:00",
    "2017-02-03t04:05z": "2017-02-03T04:05:00",
    "2017-02-03T04:05:06+00:00": "2017-02-03T04:05:06",
    "  2017-034 ": "2017-02-03T00:00:00",
    "2017-001T00:00": "2017-01-01T00:00:00",
    "2016-366T23Z": "2016-12-31T23:00:00",
    "2017-12-31T24:00": "2018-01-01T00:00:00",
    "2017-12-31T24:00:00.000": "2018-01-01T00:00:00",
    "2016-12-31T23:59:60.5": "2016-12-31T23:59:60.500",
    "2016-366T23:59:60": "2016-12-31T23:59:60",
    "0001-01-01T00:00:00": "0001-01-01T00:00:00",
    "9999-12-31T23:59:59.999999999": "9999-12-31T23:59:59.999999999",
    "Feb 3, 2017 4:05:06,25": "2017-02-03T04:05:06.250",
    "3-Feb-2017 04:05": "2017-02-03T04:05:00",
    "3 february 79": "1979-02-03T00:00:00",
    "79-Feb-3": "1979-02-03T00:00:00",
    "2017 FEB 3": "2017-02-03T00:00:00",
    "Sept 2017": "2017-09-01T00:00:00",
    "2017/02/03 04:05": "2017-02-03T04:05:00",
    "2/3/2017": "2017-02-03T00:00:00",
    "2/3/79": "1979-02-03T00:00:00",
    "23/2/2017": "2017-02-23T00:00:00",
    "2/2017": "2017-02-01T00:00:00",
    "79/2": "1979-02-01T00:00:00",
    "2017/034 04:05": "2017-02-03T04:05:00",
    "79-034T04:05": "1979-02-03T04:05:00",
    "2017-2-3": "2017-02-03T00:00:00",
}


@pytest.mark.parametrize("text", FORMS)
def test_each_form_of_a_time_is_read(text):
    assert format_time(parse_time(text)) == FORMS[text]


BAD_TIMES = {
    "": "",
    "abc": "",
    "2017-13": "month",
    "2017-02-30": "day",
    "2017-366": "2017 has no day 366",
    "2017-000": "2017 has no day 0",
    "0000-01-01": "year",
    "2017-01-15T25:00": "25:00:00",
    "2017-01-15T10:60": "10:60:00",
    "2017-01-15T10:00:61": "10:00:61",
    "2017-01-15T24:00:01": "24:00:01",
    "2017-01-15T23:59:60": "no leap second",
    "2016-12-31T22:59:60": "no leap second",
    "9999-12-31T24:00": "9999",
    "2017T10": "",
    "2017-01T10": "",
    "2017-01-034": "",
    "20170115": "",
    "15": "",
    "Foo 3 2017": "",
    "Feb": "",
    "Feb Mar 2017": "",
    "Ma 2017": "",
    "2017-01-15T10:30+01:00": "",
    "١٩٧٩-01-01": "",
    "now-1D": "",
    "nowhere": "",
    "1" * 5000: "",
}


@pytest.mark.parametrize("text", BAD_TIMES, ids=lambda text: text[:30])
def test_a_malformed_time_is_named_with_the_reason_and_a_right_example(text):
    with pytest.raises(QueryError) as caught:
        parse_time(text)
    assert caught.value.kind == "query.bad-time"
    assert text[:50] in caught.value.message
    assert BAD_TIMES[text] in caught.value.message
    assert "2017-01-15T10:30:00" in caught.value.message
    assert len(caught.value.message) < 400


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", "2017-01-15T10:30:00"),
        ("now-PT10M", "2017-01-15T10:20:00"),
        ("now+P1D", "2017-01-16T10:30:00"),
        ("now P1D", "2017-01-16T10:30:00"),  # what is left of a plus in a URL
        ("NOW - P1DT0.5S", "2017-01-14T10:29:59.500"),
    ],
)
def test_the_present_and_times_beside_it(text, expected):
    assert format_time(parse_time(text, now=NOW)) == expected


def test_the_present_is_read_from_the_clock():
    before = parse_time("now")
    assert parse_time("now") >= before > parse_time("2024")


def test_forever_is_later_than_every_time_and_stays():
    assert parse_time(" Forever ") is FOREVER
    assert parse_time("9999-12-31T23:59:59.999999999") < FOREVER
    assert FOREVER.shifted(-DAY) == FOREVER
    assert format_time(FOREVER) == str(FOREVER) == "forever"


@given(moments | leap_moments)
def test_a_time_comes_back_from_its_text(moment):
    assert parse_time(format_time(moment)) == moment
    assert parse_time(format_time(moment, 9)) == moment


@example(Time(-195), 8)
@example(Time(185), 8)
@given(moments, st.integers(0, 9))
def test_a_written_time_is_the_nearest_with_those_digits(moment, digits):
    unit = 10 ** (9 - digits)
    written = parse_time(format_time(moment, digits)).ns
    apart = 2 * abs(written - moment.ns)
    even = written // unit % 2 == 0
    assert apart < unit or (apart == unit and even) or moment.ns >= END - unit


@pytest.mark.parametrize(
    ("text", "digits", "expected"),
    [
        ("2017-12-31T23:59:59.9995", 3, "2018-01-01T00:00:00.000"),
        ("2017-12-31T23:59:59.9994999", 3, "2017-12-31T23:59:59.999"),
        ("2017-01-15T10:29:59.5", 0, "2017-01-15T10:30:00"),
        ("2016-12-31T23:59:59.9996", 3, "2017-01-01T00:00:00.000"),
        ("2016-12-31T23:59:60.25", 1, "2016-12-31T23:59:60.2"),
        ("2016-12-31T23:59:60.35", 1, "2016-12-31T23:59:60.4"),
        ("2016-12-31T23:59:60.96", 1, "2017-01-01T00:00:00.0"),
        ("9999-12-31T23:59:59.9999", 0, "9999-12-31T23:59:59"),
        ("1969-12-31T23:59:59.25", 1, "1969-12-31T23:59:59.2"),
        ("1969-12-31T23:59:59.35", 1, "1969-12-31T23:59:59.4"),
    ],
)
def test_rounding_carries_and_never_makes_a_second_60(text, digits, expected):
    assert format_time(parse_time(text), digits) == expected


def test_times_order_through_a_leap_second():
    texts = ["2016-12-31T23:59:59.999999999", "2016-12-31T23:59:60", "2016-12-31T23:59:60.5", "2017-01-01"]
    moments = [parse_time(text) for text in texts]
    assert moments == sorted(set(moments))
    steps = [to_tt2000(later) - to_tt2000(moment) for moment, later in pairwise(moments)]
    assert steps == [1, SECOND // 2, SECOND // 2]


def test_the_zero_of_tt2000():
    assert to_tt2000(parse_time("2000-01-01T11:58:55.816")) == 0
    assert format_time(from_tt2000(0)) == "2000-01-01T11:58:55.816"


@given(st.integers(parse_time("1972-01-01").ns, parse_time("2290").ns).map(Time) | leap_moments)
def test_tt2000_comes_back_exactly_also_inside_leap_seconds(moment):
    assert from_tt2000(to_tt2000(moment)) == moment


@given(moments, st.integers(-(10**22), 10**22))
def test_a_shift_leaves_the_years_or_can_be_undone(moment, ns):
    if FIRST <= moment.ns + ns < END:
        assert moment.shifted(ns).shifted(-ns) == moment
    else:
        with pytest.raises(QueryError, match="0001 to 9999"):
            moment.shifted(ns)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("PT10M", 600 * SECOND),
        ("P1D", DAY),
        ("P2W", 14 * DAY),
        ("P1DT12H30M0.25S", DAY + 45000 * SECOND + SECOND // 4),
        ("PT0,001S", 10**6),
        ("PT0.000000001S", 1),
        ("-PT1H", -3600 * SECOND),
        ("pt1.5h", 5400 * SECOND),
    ],
)
def test_a_duration_is_read_to_the_nanosecond(text, expected):
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    "text", ["", "P", "PT", "P1DT", "P1Y", "P1M", "10M", "PT10", "P1H", "PT1M1H", "P" + "1" * 5000 + "D"]
)
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(QueryError, match="PT1H30M") as caught:
        parse_duration(text)
    assert caught.value.kind == "query.bad-time"


@pytest.mark.parametrize(
    ("text", "number", "unit", "in_seconds"),
    [
        ("60 ms", 60.0, "ms", 0.06),
        ("62.5 ms", 62.5, "ms", 0.0625),
        ("10 min", 10.0, "min", 600.0),
        ("2 days", 2.0, "days", 172800.0),
        ("0.25 s", 0.25, "s", 0.25),
        (" 1h ", 1.0, "h", 3600.0),
        ("5 μs", 5.0, "μs", 5e-6),
        ("-1e3 ns", -1000.0, "ns", -1e-6),
    ],
)
def test_a_quantity_is_a_number_and_its_unit(text, number, unit, in_seconds):
    assert parse_quantity(text) == (number, unit)
    assert seconds(text) == in_seconds


def test_a_duration_is_a_quantity_of_time_too():
    assert seconds("PT10M") == 600.0
    assert seconds("-PT0.5S") == -0.5


def test_a_number_may_have_another_unit_or_none_but_seconds_need_one_of_time():
    assert parse_quantity("8 V**2 m**-2 Hz**-1") == (8.0, "V**2 m**-2 Hz**-1")
    assert parse_quantity("8") == (8.0, "")
    for text in ("8", "8 V", "8 months"):
        with pytest.raises(QueryError, match="unit") as caught:
            seconds(text)
        assert caught.value.kind == "query.bad-value"


@pytest.mark.parametrize("text", ["", "ms", "one s", "1,5 s", "nan s", "inf s"])
def test_what_is_no_quantity_is_refused(text):
    with pytest.raises(QueryError, match="60 ms") as caught:
        parse_quantity(text)
    assert caught.value.kind == "query.bad-value"


RANGES = {
    "2017-01-15 to 2017-01-16": ("2017-01-15T00:00:00", "2017-01-16T00:00:00"),
    "2017-01-15T10:30 to 2017-01-16 UTC": ("2017-01-15T10:30:00", "2017-01-16T00:00:00"),
    "2017-01-15/2017-01-16": ("2017-01-15T00:00:00", "2017-01-16T00:00:00"),
    "2017/01/15 to 2017/01/16": ("2017-01-15T00:00:00", "2017-01-16T00:00:00"),
    "2017/01/15/2017/01/16": ("2017-01-15T00:00:00", "2017-01-16T00:00:00"),
    "2017/2018": ("2017-01-01T00:00:00", "2018-01-01T00:00:00"),
    "2017-01-15/P1D": ("2017-01-15T00:00:00", "2017-01-16T00:00:00"),
    "PT1H/2017-01-15": ("2017-01-14T23:00:00", "2017-01-15T00:00:00"),
    "now-PT10M/now": ("2017-01-15T10:20:00", "2017-01-15T10:30:00"),
    "now to forever": ("2017-01-15T10:30:00", "forever"),
}


@pytest.mark.parametrize("text", RANGES)
def test_each_form_of_a_range_is_read(text):
    assert tuple(format_time(end) for end in parse_range(text, now=NOW)) == RANGES[text]


def test_both_ends_of_a_range_see_the_same_present():
    begin, end = parse_range("now-PT10M/now")
    assert end.ns - begin.ns == 600 * SECOND


@pytest.mark.parametrize(
    "text", ["", "2017", "2017-01-15/", "/2017", "2017 to ", "2016/2017/2018", "P1D/P1D", "a to b"]
)
def test_what_is_no_range_is_refused(text):
    with pytest.raises(QueryError) as caught:
        parse_range(text, now=NOW)
    assert caught.value.kind == "query.bad-time"


@pytest.mark.parametrize("text", ["2017/2017", "2018 to 2017", "2017/-P1D", "forever/now"])
def test_an_empty_range_is_refused(text):
    with pytest.raises(QueryError) as caught:
        parse_range(text, now=NOW)
    assert caught.value.kind in ("query.bad-range", "query.bad-time")


def test_scalar_times_do_not_import_numpy():
    """They belong to the front-ends' cheap tier."""
    code = "import sys, dasflex_core.times; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

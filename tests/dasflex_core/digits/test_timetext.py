# SPDX-License-Identifier: GPL-3.0-or-later
"""Columns of times are written and read as single times are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dasflex_core.digits import iso_times, parse_iso
from dasflex_core.errors import QueryError, SourceError
from dasflex_core.times import Time, format_time

DAY = 86400 * 10**9
any_ns = st.integers(-(2**63) + 1, 2**63 - 1)
near_now = st.integers(0, 2 * 10**18)


def times(*texts):
    return np.array(texts, dtype="M8[ns]")


def column(ns):
    return np.array(ns, dtype=np.int64).view("M8[ns]")


def texts(rows):
    return [bytes(row).decode() for row in rows]


@given(st.lists(any_ns | near_now, min_size=1, max_size=20), st.integers(0, 9))
@settings(max_examples=300)
def test_a_column_is_written_as_single_times_are(ns, digits):
    limit = 2**63 - 1 - (10 ** (9 - digits) // 2 if digits < 9 else 0)
    assert texts(iso_times(column(ns), digits)) == [format_time(Time(min(each, limit)), digits) for each in ns]


@given(st.lists(near_now, min_size=1, max_size=20))
def test_what_is_written_with_nine_digits_is_read_back(ns):
    assert parse_iso(iso_times(column(ns), 9)).tolist() == ns


@given(any_ns)
def test_every_year_of_datetime64_is_read_back(ns):
    assert parse_iso(iso_times(column([ns]), 9)).tolist() == [ns]


def test_rounding_carries_into_the_next_year():
    """A second of 60 never appears."""
    last = times("2018-12-31T23:59:59.9995", "2018-12-31T23:59:59.9994999")
    assert texts(iso_times(last, 3)) == ["2019-01-01T00:00:00.000", "2018-12-31T23:59:59.999"]
    assert texts(iso_times(last, 0)) == ["2019-01-01T00:00:00", "2019-01-01T00:00:00"]


@given(st.integers(0, 16 * 59 + 15), st.integers(0, 3))
def test_halfway_goes_to_the_even_digit_as_where_c_prints_seconds(sixteenths, digits):
    """Sixteenths of a second are exact in binary, so that what C prints of them is what lies halfway."""
    moment = np.datetime64("2020-01-01T12:34", "ns") + np.timedelta64(sixteenths * 62_500_000, "ns")
    printed = f"{sixteenths / 16:0{3 + digits if digits else 2}.{digits}f}"
    expected = f"2020-01-01T12:34:{printed}" if float(printed) < 60 else "2020-01-01T12:35:00.000"[: 20 + digits]
    assert texts(iso_times(np.array([moment]), digits)) == [expected.rstrip(".")]


def test_no_time_is_the_fill_time_and_the_fill_time_is_no_time():
    rows = iso_times(times("NaT", "2017-01-15T10:30:00.25"), 2)
    assert texts(rows) == ["0001-01-01T00:00:00.00", "2017-01-15T10:30:00.25"]
    assert np.isnat(parse_iso(rows)).tolist() == [True, False]


def test_other_units_of_datetime64_and_other_shapes_are_taken():
    days = np.array([["2017-01-15", "2017-01-16"]], dtype="M8[D]")
    rows = iso_times(days, 0)
    assert rows.shape == (1, 2, 19)
    assert texts(rows[0]) == ["2017-01-15T00:00:00", "2017-01-16T00:00:00"]
    assert iso_times(days[0, 0], 3).shape == (23,)
    assert iso_times(days[:0], 3).shape == (0, 2, 23)


def test_columns_of_a_larger_matrix_are_written_in_place():
    table = np.full((2, 26), ord("|"), dtype=np.uint8)
    iso_times(times("2017-01-15T10:30", "2018-01-15T10:30"), 3, out=table[:, 1:24])
    assert texts(table)[1] == "|2018-01-15T10:30:00.000||"


def test_a_long_column_over_many_years_is_right_across_blocks():
    """Both ways of making dates are used: for neighbouring days, and for scattered ones."""
    rng = np.random.default_rng(5)
    for spread in (DAY // 7, 50 * 365 * DAY):
        ns = rng.integers(0, spread, 40_000)
        rows = iso_times(column(ns), 6)
        assert texts(rows[::997]) == [format_time(Time(int(each)), 6) for each in ns[::997]]
        assert np.abs(parse_iso(rows).view(np.int64) - ns).max() <= 500


@pytest.mark.parametrize("digits", [-1, 10])
def test_impossible_digits_are_refused(digits):
    with pytest.raises(QueryError, match="0 to 9 digits"):
        iso_times(times("2017"), digits)


FORMS = {
    "2017 ": "2017-01-01",
    "2017-02\n": "2017-02-01",
    "2017-02-03 ": "2017-02-03",
    "2017-02-03T04 ": "2017-02-03T04",
    "2017-02-03T04:05 ": "2017-02-03T04:05",
    "2017-02-03T04:05:06 ": "2017-02-03T04:05:06",
    "2017-02-03T04:05:06.7 ": "2017-02-03T04:05:06.7",
    "2017-02-03T04:05:06.789Z   ": "2017-02-03T04:05:06.789",
    "2017-02-03T04:05:06.789012  \n": "2017-02-03T04:05:06.789012",
    "2017-02-03T04:05:06.789012345 \n": "2017-02-03T04:05:06.789012345",
    "2017-02-03T04:05:06.78901234567": "2017-02-03T04:05:06.789012345",
    "  2017-02-03 04:05:06": "2017-02-03T04:05:06",
    "2017-034": "2017-02-03",
    "2016-366T23 ": "2016-12-31T23",
    "2017-034T04:05:06.789\0\0": "2017-02-03T04:05:06.789",
}


@pytest.mark.parametrize("text", FORMS)
def test_each_form_of_the_stream_format_is_read(text):
    """das-streams 2.5 and 2.10, as the only text and behind another of the same layout."""
    expected = np.datetime64(FORMS[text], "ns")
    other = text.replace("2017", "1979").replace("2016", "1980")
    found = parse_iso(np.array([other.encode(), text.encode()]))
    assert found[1] == expected
    assert parse_iso(np.array([text.encode()])) == expected


def test_odd_texts_among_regular_ones_are_read():
    mixed = ["2017-02-03T04:05:06.5", "2017-034T04:05:06.5", "3 Feb 2017 04:05:06", "     ", "1979"]
    expected = times("2017-02-03T04:05:06.5", "2017-02-03T04:05:06.5", "2017-02-03T04:05:06", "NaT", "1979-01-01")
    assert np.array_equal(parse_iso(np.array(mixed, dtype="S24")), expected, equal_nan=True)


def test_a_leap_second_is_the_last_nanosecond_before_it():
    assert parse_iso(np.array([b"2016-12-31T23:59:60.25"])) == np.datetime64("2016-12-31T23:59:59.999999999")


def test_a_second_of_60_that_classic_programs_round_to_is_the_next_minute():
    rounded = np.array([b"2017-01-15T10:29:59.000", b"2017-01-15T10:29:60.000", b"2017-01-15T23:59:60.500"])
    assert np.array_equal(
        parse_iso(rounded), times("2017-01-15T10:29:59", "2017-01-15T10:30:00", "2017-01-16T00:00:00.5")
    )


@pytest.mark.parametrize(
    "text", ["0001-01-01T00:00:00", "9999-12-31T23:59:59.999", "1677-01-01", "2262-05-01", "1500-001"]
)
def test_a_time_that_datetime64_cannot_hold_is_no_time(text):
    assert np.isnat(parse_iso(np.array([text], dtype="S"))).all()


NO_TIMES = [
    "2017-02-30",
    "2017-13-01",
    "2017-366",
    "2017-000",
    "2017-01-01T25:00",
    "2017-01-01T10:60:60",
    "2017-01-01T10:00:61",
    "now",
    "forever",
    "now-P1D",
    "abc",
    "2017-01-0a",
    "2017-01-01T1:",
    "2017-01-01x",
    "-",
]


@pytest.mark.parametrize("text", NO_TIMES)
@pytest.mark.parametrize("before", [[], ["2017-01-01"]])
def test_what_is_no_time_is_named(text, before):
    with pytest.raises(SourceError, match="is no time") as caught:
        parse_iso(np.array([*before, text], dtype="S24"))
    assert repr(text) in caught.value.message
    assert caught.value.kind == "source.stream"


def test_bytes_of_a_stream_keep_their_shape():
    rows = np.frombuffer(b"2017-01-02 2018-03-04\n", dtype=np.uint8).reshape(1, 2, 11)
    assert np.array_equal(parse_iso(rows), times("2017-01-02", "2018-03-04").reshape(1, 2))

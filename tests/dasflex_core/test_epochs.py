# SPDX-License-Identifier: GPL-3.0-or-later
"""Columns of times convert between the epochs exactly, and TT2000 is what the CDF library says."""

from __future__ import annotations

import numpy as np
import pytest
from cdflib import cdfepoch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dasflex_core.epochs import FILL_INTEGER, convert, from_datetime64, interval_units, is_epoch, to_datetime64
from dasflex_core.errors import SourceError
from dasflex_core.times import Time, from_tt2000, parse_time, to_tt2000

EXACT = ["TT2000", "ns1970"]
FLOATS = {
    "us2000": 1e6,
    "t2000": 1.0,
    "t1970": 1.0,
    "mj1958": 1 / 86400,
    "us1970": 1e6,
    "us1980": 1e6,
    "us2020": 1e6,
    "ms1970": 1e3,
    "t2010": 1.0,
    "mjd": 1 / 86400,
    "cdfEpoch": 1e3,
}  # units per second
#: One moment in every epoch: das-streams 2.9, and arithmetic by hand.
MOMENT = np.datetime64("2000-01-02T00:00:00.5", "ns")
VALUES = {
    "us2000": 86400.5e6,
    "t2000": 86400.5,
    "t1970": 946771200.5,
    "mj1958": 15341 + 0.5 / 86400,
    "ns1970": 946771200_500000000,
    "TT2000": 86400_500000000 - 43200_000000000 + 64_184000000,
    "us1970": 946771200.5e6,
    "us1980": 631238400.5e6,
    "us2020": -631065599.5e6,
    "ms1970": 946771200.5e3,
    "t2010": -315532799.5,
    "mjd": 51545 + 0.5 / 86400,
    "cdfEpoch": 63113990400500.0,
}

space_age = st.integers(parse_time("1955-01-01").ns, parse_time("2060-01-01").ns)


def column(ns):
    return np.array(ns, dtype=np.int64).view("M8[ns]")


def components(ns):
    """Year to nanosecond, as the CDF library wants them."""
    text = str(np.datetime64(ns, "ns"))
    parts = [int(part) for part in text[:19].replace("T", "-").replace(":", "-").split("-")]
    return [*parts, int(text[20:23]), int(text[23:26]), int(text[26:29])]


@pytest.mark.parametrize("units", VALUES)
def test_one_moment_in_every_epoch(units):
    value = np.array([VALUES[units]], dtype=np.int64 if units in EXACT else np.float64)
    slack = np.timedelta64(500 if units in ("mj1958", "mjd") else 0, "ns")  # a double of days has steps of 0.6 μs
    assert abs(to_datetime64(value, units)[0] - MOMENT) <= slack
    assert from_datetime64(np.array([MOMENT]), units)[0] == VALUES[units]


def test_the_identities_of_the_stream_format():
    """us2000 = (t1970 - 946684800)·1e6 = (mj1958 - 15340)·86400e6 = t2000·1e6 = (ns1970 - 946684800e9)/1000."""
    us2000 = np.array([0.0, -657_633_549.25e6, 536_457_600e6])
    assert np.array_equal(convert(us2000, "us2000", "t1970"), us2000 / 1e6 + 946684800)
    assert np.array_equal(convert(us2000, "us2000", "t2000"), us2000 / 1e6)
    assert np.allclose(convert(us2000, "us2000", "mj1958"), us2000 / 86400e6 + 15340, rtol=1e-15, atol=0)
    assert np.array_equal(convert(us2000, "us2000", "ns1970"), (us2000 * 1000 + 946684800e9).astype(np.int64))


def test_the_zero_of_tt2000():
    assert to_datetime64(np.array([0]), "TT2000")[0] == np.datetime64("2000-01-01T11:58:55.816")


@given(st.lists(space_age, min_size=1, max_size=10))
@settings(max_examples=200)
def test_tt2000_is_what_the_cdf_library_computes(ns):
    """Before 1972 the library truncates a product of doubles, which may lose a nanosecond."""
    found = from_datetime64(column(ns), "TT2000")
    theirs = np.atleast_1d(cdfepoch.compute_tt2000([components(each) for each in ns]))
    slack = np.where(np.array(ns) < parse_time("1972-01-01").ns, 1, 0)
    assert (np.abs(found - theirs) <= slack).all()


@given(st.integers(to_tt2000(parse_time("1972-07-02")), to_tt2000(parse_time("2060-01-01"))))
@settings(max_examples=200)
def test_tt2000_is_read_as_the_cdf_library_breaks_it_down(count):
    """Outside leap seconds, which a datetime64 has not."""
    theirs = cdfepoch.breakdown_tt2000(count).ravel().tolist()
    if theirs[5] < 60:
        assert components(to_datetime64(np.array([count]), "TT2000")[0]) == theirs


def test_tt2000_of_every_day_since_1955_agrees_with_the_scalar_conversion():
    days = np.arange("1955-01-01", "2030-01-01", dtype="M8[D]").astype("M8[ns]")
    noons = days + np.timedelta64(12, "h")
    assert from_datetime64(noons, "TT2000").tolist() == [to_tt2000(Time(int(ns))) for ns in noons.view(np.int64)]


def test_inside_a_leap_second_tt2000_stays_on_the_last_nanosecond_before_it():
    midnight = to_tt2000(parse_time("2017-01-01"))
    counts = np.array([midnight - 10**9 - 1, midnight - 10**9, midnight - 1, midnight])
    last, first = np.datetime64("2016-12-31T23:59:59.999999999"), np.datetime64("2017-01-01", "ns")
    assert to_datetime64(counts, "TT2000").tolist() == [each.astype(np.int64) for each in (last, last, last, first)]


@given(st.lists(st.integers(-(2**63) + 2, 2**63 - 1), min_size=1, max_size=10))
@example([2**63 - 1, 83 * 10**17])
def test_tt2000_agrees_with_the_scalar_conversion_for_any_count(counts):
    found = to_datetime64(np.array(counts, dtype=np.int64), "TT2000")
    expected = [from_tt2000(count).ns for count in counts]
    assert [None if np.isnat(each) else int(each.astype(np.int64)) for each in found] == [
        ns if -(2**63) < ns < 2**63 else None for ns in expected
    ]


@given(st.lists(st.integers(-(2**63) + 1, 2**63 - 1), min_size=1, max_size=10), st.sampled_from(EXACT))
def test_integer_epochs_come_back_exactly_where_they_reach(ns, units):
    reach = [each for each in ns if units == "ns1970" or -(8 * 10**18) < each < 8 * 10**18]
    reach = [each for each in reach if each > -(2**63) + 2]
    before_1960_or_since_1972 = [each for each in reach if not -315_619_200 * 10**9 <= each < 63_072_000 * 10**9]
    times = column(before_1960_or_since_1972)
    assert np.array_equal(to_datetime64(from_datetime64(times, units), units), times)


@given(space_age, st.sampled_from(sorted(FLOATS)))
def test_a_double_loses_no_more_than_it_cannot_hold(ns, units):
    value = from_datetime64(column([ns]), units)
    back = to_datetime64(value, units).view(np.int64)[0]
    assert abs(back - ns) <= np.spacing(np.abs(value[0])) / FLOATS[units] * 1e9 / 2 + 1


@given(st.integers(-(10**6), 10**6), st.sampled_from(["us2000", "t2000", "t1970", "ms1970", "cdfEpoch"]))
def test_a_double_of_whole_units_is_exact(count, units):
    value = np.array([count + VALUES[units] // 1], dtype=np.float64)
    assert np.array_equal(from_datetime64(to_datetime64(value, units), units), value)


@pytest.mark.parametrize("units", [*EXACT, *FLOATS])
def test_what_is_no_time_becomes_nat_without_a_warning(units):
    values = np.array([np.nan, np.inf, -np.inf, -1e31, 1e300, VALUES[units]])
    assert np.isnat(to_datetime64(values, units)).tolist() == [True] * 5 + [False]
    assert np.isnat(to_datetime64(values[:4].astype(np.float32), units)).all()


@pytest.mark.parametrize("units", [*EXACT, "us2000", "cdfEpoch"])
@pytest.mark.parametrize("fill", [-(2**63), FILL_INTEGER])
def test_integer_fill_becomes_nat(units, fill):
    assert np.isnat(to_datetime64(np.array([fill]), units)).all()


def test_nat_becomes_nan_or_the_integer_fill():
    missing = np.array(["NaT"], dtype="M8[ns]")
    assert np.isnan(from_datetime64(missing, "us2000")).all()
    assert from_datetime64(missing, "TT2000").tolist() == [FILL_INTEGER]
    assert from_datetime64(missing, "us2000", np.int64).tolist() == [FILL_INTEGER]
    assert from_datetime64(missing, "t2000", np.int32).tolist() == [-(2**31) + 1]
    assert from_datetime64(missing, "t1970", np.uint32).tolist() == [2**32 - 1]


def test_a_time_before_tt2000_begins_is_fill():
    early = np.array(["1700-01-01", "1708-01-01"], dtype="M8[ns]")
    found = from_datetime64(early, "TT2000")
    assert found[0] == FILL_INTEGER
    assert found[1] == to_tt2000(parse_time("1708"))


def test_other_number_types_round_to_the_nearest():
    times = np.array(["2000-01-01T00:00:01.4999", "2000-01-01T00:00:01.5", "1999-12-31T23:59:59.4999"], dtype="M8[ns]")
    assert from_datetime64(times, "t2000", np.int32).tolist() == [1, 2, -1]
    assert from_datetime64(times, "t2000", ">f4").dtype == np.dtype(">f4")
    assert from_datetime64(times, "ns1970", np.int64).dtype == np.int64


def test_small_and_unsigned_integers_are_taken():
    assert to_datetime64(np.array([60], dtype=np.int16), "t2000")[0] == np.datetime64("2000-01-01T00:01")
    assert to_datetime64(np.array([1, 2**64 - 1], dtype=np.uint64), "us2000")[0] == np.datetime64(
        "2000-01-01T00:00:00.000001"
    )
    assert np.isnat(to_datetime64(np.array([2**64 - 1], dtype=np.uint64), "us2000")).all()


def test_big_endian_values_and_any_shape_are_taken():
    values = np.arange(6, dtype=">f8").reshape(2, 3)
    assert to_datetime64(values, "t2000")[1, 2] == np.datetime64("2000-01-01T00:00:05")
    assert to_datetime64(np.float64(5), "t2000") == np.datetime64("2000-01-01T00:00:05")
    assert to_datetime64(np.empty((0, 3)), "TT2000").shape == (0, 3)
    assert from_datetime64(np.empty((0, 3), dtype="M8[ns]"), "TT2000").shape == (0, 3)
    assert from_datetime64(np.datetime64("2000-01-01T00:00:05"), "t2000") == 5.0


def test_utc_is_datetime64_and_what_does_not_fit_is_nat():
    times = np.array(["2017-01-15", "0001-01-01", "9999-12-31", "NaT"], dtype="M8[s]")
    found = to_datetime64(times, "UTC")
    assert found.dtype == np.dtype("M8[ns]")
    assert np.isnat(found).tolist() == [False, True, True, True]
    assert from_datetime64(times, "UTC")[0] == np.datetime64("2017-01-15")
    with pytest.raises(SourceError, match="datetime64"):
        to_datetime64(np.zeros(1), "UTC")


def test_the_same_units_are_left_alone():
    values = np.array([-1e31, 5.0])
    assert convert(values, "us2000", "US2000") is values


@pytest.mark.parametrize(
    ("units", "interval"),
    [
        ("us2000", "μs"),
        ("t2000", "s"),
        ("t1970", "s"),
        ("mj1958", "days"),
        ("ns1970", "ns"),
        ("TT2000", "ns"),
        ("UTC", "s"),
    ],
)
def test_the_interval_of_each_epoch(units, interval):
    """das-streams 2.9."""
    assert interval_units(units) == interval


def test_epochs_are_told_from_other_units():
    assert all(is_epoch(units) for units in (*VALUES, "UTC", "tt2000", " us2000 ", "cdfTT2000"))
    assert not any(is_epoch(units) for units in ("", "s", "μs", "days", "Hz", "2000"))
    assert interval_units("cdfTT2000") == "ns"


@pytest.mark.parametrize("convert_it", [lambda: to_datetime64(np.zeros(1), "us200"), lambda: interval_units("us200")])
def test_unknown_epochs_are_named_with_the_nearest(convert_it):
    with pytest.raises(SourceError, match=r"Did you mean.* us2000") as caught:
        convert_it()
    assert caught.value.kind == "source.stream"


@pytest.mark.parametrize(
    ("time", "seconds"),
    [
        ("2000-01-01T11:58:55.816", -7.27e-5),
        ("2016-12-31T23:59:59", 536500867.18393),
        ("2017-01-01T00:00:00", 536500869.18393),
    ],
)
def test_ephemeris_seconds_count_leap_seconds_and_the_term_of_the_year(time, seconds):
    """What SPICE makes of these times by DELTET, and back to what a double holds."""
    times = np.array([time], "M8[ns]")
    there = from_datetime64(times, "ET2000")
    assert abs(there[0] - seconds) < 1e-5
    assert abs(to_datetime64(there, "et2000") - times)[0] <= np.timedelta64(200, "ns")
    assert is_epoch("ET2000")
    assert interval_units("ET2000") == "s"
    assert np.isnat(to_datetime64(np.array([np.nan, 1e30]), "ET2000")).all()

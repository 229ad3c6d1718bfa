# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers, quantities and ranges mean what they say, and keep all their digits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dasflex_core.catalog.model import Rate, Span
from dasflex_core.catalog.quantities import UnfitError, byte_count, extent, range_ends, rate, seconds, shortest, span
from dasflex_core.times import parse_range, parse_time


@given(st.floats(allow_nan=False, allow_infinity=False) | st.integers())
def test_the_shortest_text_of_a_number_is_the_number(number):
    text = shortest(number)
    assert float(text) == float(number)
    assert len(text) <= len(repr(number))


@pytest.mark.parametrize(
    ("number", "text"), [(60.0, "60"), (0.25, "0.25"), (1e-17, "1e-17"), (1e22, "1e22"), (-1e31, "-1e31"), (1e-05, "1e-5"), (7, "7")]
)  # fmt: skip
def test_the_shortest_text_is_the_one_that_people_write(number, text):
    assert shortest(number) == text


@pytest.mark.parametrize(
    ("text", "value"), [("60 ms", 0.06), ("10 min", 600), ("2 days", 172800), ("62.5ms", 0.0625), ("PT10M", 600), ("100 ns", 1e-7)]
)  # fmt: skip
def test_a_length_of_time_is_in_seconds(text, value):
    assert seconds(text) == value


@pytest.mark.parametrize(
    ("text", "value"), [("1 B", 1), ("4 kB", 4000), ("4KiB", 4096), ("1.5 MB", 1_500_000), ("2 TiB", 2 << 40)]
)
def test_an_amount_is_in_bytes(text, value):
    assert byte_count(text) == value


@pytest.mark.parametrize("value", ["4", "4 KB", "4 kb", "0 B", "-1 kB", "kB", 4, None, "1e-9 B", "1e400 kB"])
def test_what_is_no_amount_is_refused(value):
    with pytest.raises(UnfitError):
        byte_count(value)


def test_a_rate_has_packets_and_their_size():
    assert rate("10 packet/s of 4 kB") == Rate(10.0, 4000)
    assert rate("0.5 packets/s of 1 MiB") == Rate(0.5, 1 << 20)


@pytest.mark.parametrize(
    "value", ["0 packet/s of 4 kB", "1e400 packet/s of 4 kB", "1 packet/s of 1e400 B", "10 packet/s", "10 of 4 kB", 10]
)
def test_what_is_no_rate_is_refused(value):
    with pytest.raises(UnfitError):
        rate(value)


@pytest.mark.parametrize(
    ("text", "ends"),
    [
        ("2016-07-05 to 2025-10-01", ("2016-07-05", "2025-10-01")),
        (" 2016-07-05   to now ", ("2016-07-05", "now")),
        ("2016-07-05/2016-07-06 UTC", ("2016-07-05", "2016-07-06")),
        ("now-PT10M to forever", ("now-PT10M", "forever")),
        ("2016-10-15/P1D", ("2016-10-15T00:00:00", "2016-10-16T00:00:00")),
        ("PT1H to 2016-10-15T01:00", ("2016-10-15T00:00:00", "2016-10-15T01:00:00")),
    ],
)
def test_a_range_of_time_has_two_ends_as_in_a_url(text, ends):
    assert range_ends(text) == ends
    if "now" not in text:
        assert tuple(parse_time(end) for end in ends) == parse_range(text)


@pytest.mark.parametrize(
    "text", ["2016-07-05", "", "2017 to 2016", "now-P1D/P1D", "a to b", "2016-07-05 to", "P1D/P1D"]
)
def test_what_is_no_range_of_time_is_refused(text):
    with pytest.raises(UnfitError):
        range_ends(text)


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("10 to 100", Span("10", "100")),
        ("-1.5e3 to .5", Span("-1.5e3", ".5")),
        ("10 Hz to 40  kHz", Span("10 Hz", "40 kHz")),
        ("2016 to 2018", Span("2016", "2018")),
        ("2015-09-01 to now", Span("2015-09-01", "now")),
    ],
)
def test_a_range_may_be_of_times_or_of_numbers(text, made):
    assert span(text) == made


@pytest.mark.parametrize("value", ["10", "100 to 10", "40 Hz to 10 Hz", "high to low", 10, ["2016", "2017"]])
def test_what_is_no_range_is_refused(value):
    with pytest.raises(UnfitError):
        span(value)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("read", [byte_count, rate, span, seconds])
@pytest.mark.parametrize("text", ["1" * 100_000, "1" + " " * 100_000 + "x", "1 to " * 30_000])
def test_a_long_text_is_refused_without_a_long_search(read, text):
    """The first once took six minutes, and the second one."""
    with pytest.raises(UnfitError):
        read(text)


@pytest.mark.parametrize(("value", "made"), [(1, 1), (1600, 1600), ("*", -1)])
def test_an_extent_is_a_number_or_varies(value, made):
    assert extent(value) == made


@pytest.mark.parametrize("value", ["5", "**", "", 0, -1, True, 2.5])
def test_what_is_no_extent_is_told(value):
    with pytest.raises(UnfitError, match="must be"):
        extent(value)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers in fixed-width text are read as `float` reads them, by column or one by one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dasflex_core.digits import blank_mask, parse_numbers
from dasflex_core.errors import SourceError

FORMATS = [
    "%9.2e ", "%13.6e\n", " %10.3f ", "%24.16e ", "%.17e", "%8.0f", "%g ", "%-20r", "%+14.5e", "%23.15E\n", "%20.17f",
]  # fmt: skip


def same(found, expected):
    """Whether two columns hold the same doubles, bit for bit, with any NaN equal to any other."""
    expected = np.array(expected, dtype=np.float64)
    return bool(np.all((found.view(np.int64) == expected.view(np.int64)) | (np.isnan(found) & np.isnan(expected))))


@given(st.lists(st.floats(), min_size=1, max_size=30), st.sampled_from(FORMATS))
@settings(max_examples=400)
def test_a_column_of_one_format_is_read_as_float_reads_it(values, form):
    texts = [form % value for value in values]
    assert same(parse_numbers(np.array(texts, dtype="S")), [float(text) for text in texts])


numeral = st.from_regex(r"\A {0,3}[+-]?([0-9]{1,22}(\.[0-9]{0,22})?|\.[0-9]{1,20})([eE][+-]?[0-9]{1,3})? {0,3}\n?\Z")


@given(st.lists(numeral, min_size=1, max_size=10))
@example(["9007199254740993", "9007199254740992.5", "1e23"])
@example([" 1.5", "99999999999999999999.5"])
@settings(max_examples=400)
def test_columns_of_mixed_formats_are_read_as_float_reads_them(texts):
    assert same(parse_numbers(np.array(texts, dtype="S")), [float(text) for text in texts])


def test_halfway_cases_between_two_doubles_are_read_right():
    """2**53 + 1 and its kin lie exactly in the middle of two doubles: the even one is right."""
    rng = np.random.default_rng(3)
    middles = [f"{2**53 + 2 * int(k) + 1:20d}" for k in rng.integers(0, 2**52, 500)]
    assert same(parse_numbers(np.array(middles, dtype="S")), [float(text) for text in middles])


@pytest.mark.parametrize("form", ["%13.6e\n", "%24.16e ", "%10.3f "])
def test_a_long_column_is_read_right_across_blocks(form):
    values = np.random.default_rng(4).standard_normal(40_000) * 1000
    texts = [form % value for value in values.tolist()]
    assert same(parse_numbers(np.array(texts, dtype="S")), [float(text) for text in texts])


def test_fill_values_and_words_among_numbers_are_read():
    column = np.array([" 1.250e+01", "-1.000e+31", "       NaN", "       nan", "       inf", "      -inf"], dtype="S10")
    assert same(parse_numbers(column), [12.5, -1e31, math.nan, math.nan, math.inf, -math.inf])


def test_a_missing_value_is_nan_and_can_be_told_from_nan():
    column = np.array(["12.5 ", "     ", "  \n", " NaN ", "\0\0"], dtype="S5")
    assert same(parse_numbers(column), [12.5, math.nan, math.nan, math.nan, math.nan])
    assert blank_mask(column).tolist() == [False, True, True, False, True]


def test_blanks_inside_a_number_do_not_count():
    assert parse_numbers(np.array(["- 12.5"], dtype="S")).tolist() == [-12.5]


def test_negative_zero_stays_negative():
    assert np.signbit(parse_numbers(np.array(["-0.0e+00", " 0.0e+00"], dtype="S"))).tolist() == [True, False]


def test_bytes_of_a_stream_keep_their_shape():
    packet = np.frombuffer(b" 1.5 2.5\n-3.5 4.5\n", dtype=np.uint8)
    rows = np.stack([packet[:8].reshape(2, 4), packet[9:17].reshape(2, 4)])
    assert parse_numbers(rows).tolist() == [[1.5, 2.5], [-3.5, 4.5]]


def test_no_texts_give_no_numbers():
    assert parse_numbers(np.empty((0, 12), dtype=np.uint8)).shape == (0,)


@pytest.mark.parametrize("text", ["abc", "1.2.3", "1e", "--5", "1_000", "0x10", "12,5", "+", ".", "1e+", "é"])
@pytest.mark.parametrize("before", [[], ["   1.5"]])
def test_what_is_no_number_is_named(text, before):
    column = np.array([*(each.encode() for each in before), text.encode("latin-1")], dtype="S6")
    with pytest.raises(SourceError, match="is no number") as caught:
        parse_numbers(column)
    assert repr(text) in caught.value.message
    assert caught.value.kind == "source.stream"


def test_text_must_be_bytes():
    with pytest.raises(SourceError, match="float64"):
        parse_numbers(np.zeros(3))

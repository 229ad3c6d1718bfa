# SPDX-License-Identifier: GPL-3.0-or-later
"""The digit kernel writes what `%` writes, whatever the number, and keeps its rows in their places."""

from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dasflex_core.digits import DROP, compact, compact_e, fixed_e, integers, natural_width
from dasflex_core.errors import QueryError

DIGITS = range(1, 17)


def by_percent(value: float, digits: int, width: int) -> str:
    return ("%*.*e" % (width, digits, value)).replace("nan", "NaN")  # noqa: UP031 # the yardstick is `%` itself


def doubles(bits):
    return [struct.unpack("<d", struct.pack("<Q", each))[0] for each in bits]


def singles(bits):
    return np.array(bits, dtype=np.uint32).view(np.float32)


def texts(rows):
    return [bytes(row).decode() for row in rows]


@given(st.lists(st.integers(0, 2**64 - 1), max_size=30), st.sampled_from(DIGITS))
@settings(max_examples=400)
def test_any_double_is_written_as_percent_writes_it(bits, digits):
    values = doubles(bits)
    width = digits + 8
    assert texts(fixed_e(np.array(values, dtype=np.float64), digits)) == [by_percent(v, digits, width) for v in values]


@given(st.lists(st.integers(0, 2**32 - 1), max_size=30), st.sampled_from(DIGITS))
@settings(max_examples=400)
def test_any_single_is_written_as_percent_writes_it(bits, digits):
    values = singles(bits)
    expected = [by_percent(struct.unpack("<f", struct.pack("<I", each))[0], digits, digits + 7) for each in bits]
    assert texts(fixed_e(values, digits)) == expected


@given(st.lists(st.floats(), max_size=30), st.sampled_from(DIGITS), st.integers(0, 6))
@example([0.5, 1.5, 2.5, 9.5, 99.5, 0.95, 999.5, -0.0, 5e-324, 1e-99, 9.9999999999999e99], 1, 0)
@settings(max_examples=200)
def test_a_wider_column_is_padded_on_the_left(values, digits, more):
    width = digits + 8 + more
    rows = fixed_e(np.array(values, dtype=np.float64), digits, width=width)
    assert texts(rows) == [by_percent(value, digits, width) for value in values]


def hard_values():
    """Values that lie on a half, next to one, next to a power of ten, or where tables begin and end."""
    rng = np.random.default_rng(1)
    count = 2000
    tens = np.array([float(f"1e{power}") for power in range(-110, 111)])
    return {
        "fixed point, so often exactly on a half": rng.integers(-(10**6), 10**6, count)
        / 2.0 ** rng.integers(0, 30, count),
        "whole numbers that end in 5": (rng.integers(1, 10**6, count) * 10 + 5) * 10.0 ** rng.integers(0, 10, count),
        "large whole numbers": rng.integers(-(10**17), 10**17, count).astype(np.float64),
        "round decimals": rng.integers(-(10**6), 10**6, count) * 10.0 ** rng.integers(-30, 30, count),
        "noise": rng.standard_normal(count) * 10.0 ** rng.integers(-12, 12, count),
        "powers of ten": tens,
        "just below powers of ten": np.nextafter(tens, 0),
        "those that round up to a power of ten": np.array([float(f"9.95e{power}") for power in range(-110, 111)]),
        "powers of two": 2.0 ** np.arange(-1074, 1024),
        "what is no number": np.array([np.nan, -np.nan, np.inf, -np.inf, 0.0, -0.0, 5e-324, -1e-310]),
    }


@pytest.mark.parametrize("kind", hard_values())
@pytest.mark.parametrize("digits", [1, 3, 7, 8, 11, 12, 14, 15, 16])
def test_hard_values_are_rounded_as_percent_rounds_them(kind, digits):
    values = hard_values()[kind]
    assert texts(fixed_e(values, digits)) == [by_percent(value, digits, digits + 8) for value in values.tolist()]


def test_a_block_boundary_does_not_show():
    """More values than one block holds, in a shape that blocks do not divide."""
    values = np.random.default_rng(2).standard_normal((501, 77)).astype(np.float32)
    rows = fixed_e(values, 7)
    assert rows.shape == (501, 77, 14)
    assert texts(rows.reshape(-1, 14)) == [by_percent(value, 7, 14) for value in values.ravel().tolist()]


def test_values_that_come_again_and_again_and_are_odd_are_written_each_in_its_place():
    """Fill, NaN, infinities and what rounds up to one digit more are written once, and copied."""
    odd = np.array([-1e31, np.nan, math.inf, -math.inf, 9.99999999e5, 5e-324, 1.5, -1.7e308, -0.0])
    values = np.random.default_rng(5).choice(odd, (40, 3))
    rows = fixed_e(values, 4)
    assert texts(rows.reshape(120, -1)) == [by_percent(value, 4, 12) for value in values.ravel().tolist()]


def test_records_longer_than_a_block_are_written_alike():
    values = np.random.default_rng(7).standard_normal((2, 20_000)).astype(np.float32)
    assert np.array_equal(fixed_e(values, 7).reshape(-1, 14), fixed_e(values.reshape(-1), 7))


def test_big_endian_and_integer_values_are_taken():
    values = np.array([1.5, -2.25])
    assert np.array_equal(fixed_e(values.astype(">f4"), 7), fixed_e(values.astype(np.float32), 7))
    assert texts(fixed_e(np.array([3, -4]), 2)) == ["  3.00e+00", " -4.00e+00"]


def test_columns_of_a_larger_matrix_are_written_in_place():
    table = np.full((3, 40), ord("."), dtype=np.uint8)
    cells = table[:, 4:34].reshape(3, 2, 15)
    given_back = fixed_e(np.arange(6.0, dtype=np.float32).reshape(3, 2), 7, out=cells[..., :14])
    assert given_back.base is not None
    assert bytes(table[2]).decode() == ".... 4.0000000e+00. 5.0000000e+00......."


def test_a_text_wider_than_its_column_loses_digits_and_not_its_place():
    rows = fixed_e(np.array([-1.2345e-100, 1.2345e-100, -1.2345e10]), 4, width=11)
    assert texts(rows) == ["-1.234e-100", "1.2345e-100", "-1.2345e+10"]


def test_one_value_gives_one_row():
    assert bytes(fixed_e(np.float32(1.5), 3)) == b" 1.500e+00"


def test_no_values_give_no_rows():
    assert fixed_e(np.empty((0, 4), dtype=np.float32), 7).shape == (0, 4, 14)
    assert fixed_e(np.empty((4, 0)), 16).shape == (4, 0, 24)


@pytest.mark.parametrize(("digits", "width"), [(0, 20), (17, 30), (7, 13)])
def test_impossible_digits_and_widths_are_refused(digits, width):
    with pytest.raises(QueryError, match="digits"):
        fixed_e(np.zeros(1), digits, width=width)


@given(st.lists(st.floats(width=32), min_size=1, max_size=20), st.sampled_from([1, 7, 16]))
def test_compact_text_has_no_padding(values, digits):
    line = compact_e(np.array([values], dtype=np.float32), digits, delimiter=b";", newline=b"\r\n")
    assert line.decode() == ";".join(by_percent(value, digits, 0) for value in values) + "\r\n"


def test_many_compact_lines_are_right_across_blocks():
    values = np.random.default_rng(6).standard_normal((3001, 40))
    expected = [",".join(f"{value:.3e}" for value in row) + "\n" for row in values.tolist()]
    assert compact_e(values, 3).decode() == "".join(expected)


def test_no_lines_and_no_columns_are_no_text_and_empty_lines():
    assert compact_e(np.empty((0, 3)), 2) == b""
    assert compact_e(np.empty((2, 0)), 2) == b"\n\n"


def test_compact_drops_only_the_padding():
    rows = fixed_e(np.array([1.0, -1.0, math.nan]), 2, pad=DROP)
    assert compact(rows) == b"1.00e+00-1.00e+00NaN"


@pytest.mark.parametrize(("dtype", "width"), [(np.float32, 14), (np.float64, 15), (">f4", 14)])
def test_the_natural_width_holds_every_value_of_the_type(dtype, width):
    assert natural_width(np.dtype(dtype), 7) == width
    extreme = [-np.finfo(dtype).max, -np.finfo(dtype).smallest_subnormal]
    assert max(len(f"{float(value):.7e}") for value in extreme) == width


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=30), st.integers(20, 25))
def test_integers_are_written_as_percent_writes_them(values, width):
    rows = integers(np.array(values, dtype=np.int64), width=width)
    assert texts(rows) == [f"{value:{width}d}" for value in values]


@given(st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=30))
def test_unsigned_integers_are_written_as_they_are(values):
    width = max(len(str(value)) for value in values)
    assert texts(integers(np.array(values, dtype=np.uint64))) == [f"{value:{width}d}" for value in values]


def test_small_integers_keep_their_shape():
    rows = integers(np.array([[-128, 5], [0, 127]], dtype=np.int8), width=5)
    assert rows.shape == (2, 2, 5)
    assert texts(rows[0]) == [" -128", "    5"]


def test_an_integer_that_does_not_fit_is_named():
    with pytest.raises(QueryError, match=r"-12345 needs a width of 6"):
        integers(np.array([1, -12345]), width=5)

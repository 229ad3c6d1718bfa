# SPDX-License-Identifier: GPL-3.0-or-later
"""Unit strings have one canonical text, multiply and divide, and convert where they are of one kind."""

from __future__ import annotations

import doctest
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dasflex_core.units
from dasflex_core.errors import QueryError
from dasflex_core.units import canonical, convert_factor, divide, invert, multiply, power

words = st.sampled_from(["V", "m", "s", "Hz", "kHz", "ms", "nT", "counts", "log10Ratio", "cm", "deg", "F"])
exponents = st.fractions(-4, 4, max_denominator=3).filter(bool)
units = st.lists(st.tuples(words, exponents), max_size=4).map(
    lambda factors: " ".join(f"{word}**{exponent}" for word, exponent in factors)
)

CANONICAL = {
    "": "",
    "  ": "",
    "nT": "nT",
    "V**2 m**-2 Hz**-1": "V**2 m**-2 Hz**-1",
    "V^2 m^-2 Hz^-1": "V**2 m**-2 Hz**-1",
    "V**2/m**2/Hz": "V**2 m**-2 Hz**-1",
    "V/m": "V m**-1",
    "V/m s": "V m**-1 s**-1",
    "V * m": "V m",
    "nT/Hz**1/2": "nT Hz**-1/2",
    "nT Hz**(-1/2)": "nT Hz**-1/2",
    "nT Hz**-0.5": "nT Hz**-1/2",
    "cm**-3": "cm**-3",
    "m m": "m**2",
    "m m**-1": "",
    "second": "s",
    "sec": "s",
    "millisec": "ms",
    "microsec": "μs",
    "µs": "μs",
    "nanosec": "ns",
    "hertz": "Hz",
    "s**-1": "Hz",
    "1/s": "Hz",
    "ms**-1": "kHz",
    "μs**-1": "MHz",
    "ns**-1": "GHz",
    "Hz**-1": "s",
    "counts/sec": "counts s**-1",
    "days": "days",
    "log10Ratio": "log10Ratio",
    "deg F": "deg F",
    "packets/2 hour": "packets 2**-1 hour**-1",
}


@pytest.mark.parametrize("text", CANONICAL)
def test_each_form_has_its_canonical_text(text):
    assert canonical(text) == CANONICAL[text]


@given(units)
def test_canonical_text_is_stable(text):
    once = canonical(text)
    assert canonical(once) == once


@pytest.mark.parametrize("text", ["m**", "V^", "**2", "V m**x", "m**1/0", "V //"])
def test_what_is_no_unit_string_is_refused(text):
    with pytest.raises(QueryError) as caught:
        canonical(text)
    assert caught.value.kind == "query.bad-value"
    assert repr(text) in caught.value.message


@pytest.mark.parametrize(
    ("first", "second", "product", "quotient"),
    [
        ("V", "m", "V m", "V m**-1"),
        ("Hz", "s", "", "Hz**2"),
        ("V**2 m**-2 Hz**-1", "Hz", "V**2 m**-2", "V**2 m**-2 Hz**-2"),
        ("V**2 m**-2", "Hz", "V**2 m**-2 Hz", "V**2 m**-2 Hz**-1"),
        ("m", "s", "m s", "m s**-1"),
        ("", "s", "s", "Hz"),
        ("nT", "nT", "nT**2", ""),
        ("Hz", "ms", "Hz ms", "Hz ms**-1"),
    ],
)
def test_products_and_quotients(first, second, product, quotient):
    assert multiply(first, second) == product
    assert divide(first, second) == quotient


@pytest.mark.parametrize(
    ("unit", "inverse"), [("s", "Hz"), ("ms", "kHz"), ("μs", "MHz"), ("ns", "GHz"), ("V", "V**-1"), ("", "")]
)
def test_the_inverse_goes_both_ways(unit, inverse):
    """das-streams 2.9."""
    assert invert(unit) == inverse
    assert invert(inverse) == unit


@given(units, units)
def test_a_product_divided_by_a_factor_is_the_other(first, second):
    assert convert_factor(divide(multiply(first, second), second), first) == pytest.approx(1)


@given(units)
def test_a_power_can_be_undone(text):
    assert convert_factor(power(power(text, 2), Fraction(1, 2)), text) == pytest.approx(1)


FACTORS = [
    ("s", "ms", 1000),
    ("ms", "μs", 1000),
    ("ns", "s", 1e-9),
    ("min", "s", 60),
    ("hour", "min", 60),
    ("days", "hours", 24),
    ("kHz", "Hz", 1000),
    ("GHz", "MHz", 1000),
    ("km", "m", 1000),
    ("m", "cm", 100),
    ("V", "mV", 1000),
    ("V", "μV", 1e6),
    ("nT", "T", 1e-9),
    ("G", "nT", 1e5),
    ("degrees", "deg", 1),
    ("rad", "degrees", 57.29577951308232),
    ("mV/m", "V m**-1", 0.001),
    ("cm**-3", "m**-3", 1e6),
    ("V**2 m**-2 Hz**-1", "mV**2 m**-2 kHz**-1", 1e9),
    ("nT Hz**-1/2", "nT kHz**-1/2", 31.622776601683793),
    ("s**-1", "Hz", 1),
    ("m s**-1", "km Hz", 0.001),
    ("counts/s", "counts/min", 60),
    ("%", "", 0.01),
    ("microsec", "µs", 1),
]


@pytest.mark.parametrize(("first", "second", "factor"), FACTORS)
def test_units_of_one_kind_convert_both_ways(first, second, factor):
    assert convert_factor(first, second) == pytest.approx(factor, rel=1e-15)
    assert convert_factor(second, first) == pytest.approx(1 / factor, rel=1e-15)


@pytest.mark.parametrize(
    ("first", "second"), [("s", "m"), ("s", "Hz"), ("foo", "bar"), ("foo", ""), ("V", "V m**-1"), ("us2000", "s")]
)
def test_units_of_two_kinds_do_not_convert(first, second):
    assert convert_factor(first, second) is None


@given(units)
def test_every_unit_converts_to_itself(text):
    assert convert_factor(text, canonical(text)) == 1


def test_the_examples_of_the_module_hold():
    assert doctest.testmod(dasflex_core.units).failed == 0


def test_an_exponent_that_no_unit_has_is_refused_before_it_is_computed():
    with pytest.raises(QueryError, match="beyond 99"):
        convert_factor("ms**9999999", "s")

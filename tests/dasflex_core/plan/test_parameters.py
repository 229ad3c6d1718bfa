# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts of requests become the values that the declaration of their parameter says."""

from __future__ import annotations

import pytest

from dasflex_core.errors import QueryError
from dasflex_core.plan.parameters import typed_value
from dasflex_core.stages import ParamSpec


@pytest.mark.parametrize(
    ("type_", "units", "text", "value"),
    [
        ("real", "s", "250 ms", 0.25),
        ("real", "Hz", "5 Hz", 5.0),
        ("integer", "s", "10 min", 600),
        ("duration", "s", "P1D", 86400.0),
        ("duration", "", "60", 60.0),
        ("duration", "", "10 min", 600.0),
        ("duration", "", "P1D", 86400.0),
    ],
)
def test_a_number_may_have_the_unit_of_its_parameter_and_a_duration_any_of_time(type_, units, text, value):
    """A duration is seconds even where its definition writes no units."""
    assert typed_value(ParamSpec("read.a", type=type_, units=units), "read.a", text) == value


@pytest.mark.parametrize(
    ("type_", "units", "text"),
    [("real", "Hz", "5 kHz"), ("real", "", "5 s"), ("integer", "s", "250 ms"), ("duration", "", "5 Hz")],
)
def test_a_number_of_another_unit_is_refused(type_, units, text):
    """Nothing is converted that nobody declared."""
    with pytest.raises(QueryError, match=r"read\.a="):
        typed_value(ParamSpec("read.a", type=type_, units=units), "read.a", text)

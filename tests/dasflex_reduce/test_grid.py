# SPDX-License-Identifier: GPL-3.0-or-later
"""The bin of a time on the absolute grid is that of whole numbers, to the last unit of a floating-point time."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dasflex_core.times import GRID
from dasflex_reduce.grid import Grid, Origin


@given(
    place=st.floats(-8e15, 8e15),
    seconds=st.sampled_from([0.07, 0.25, 1.0, 3.0, 7.0, 60.0, 86400.0]),
    ulps=st.integers(-3, 3),
)
def test_times_of_floating_point_beside_an_edge_are_on_their_side_of_it(place, seconds, ulps):
    width = round(seconds * 1e6)
    time = float(place // width * width)
    for _ in range(abs(ulps)):
        time = float(np.nextafter(time, np.inf if ulps > 0 else -np.inf))
    numbers, _kept = Grid(Origin(GRID), seconds, downward=True).numbers(np.array([time]), "us2000")
    assert numbers.tolist() == [Fraction(time) // width]


@pytest.mark.parametrize("k", [1, 7, 70])
def test_a_width_that_is_a_rounded_product_is_the_whole_number_of_nanoseconds(k):
    width = 70_000_000
    grid = Grid(Origin(GRID), 0.07, downward=True)  # 0.07 · 1e9 is 70000000.00000001
    edges = np.arange(12_000_000_000, 12_000_000_000 + 3 * k, k, dtype=np.int64) * width
    numbers, _kept = grid.numbers((GRID + edges - 1).view("M8[ns]"), "UTC")
    assert numbers.tolist() == ((edges - 1) // width).tolist()
    centres = grid.centres(numbers, "UTC", np.dtype("M8[ns]"))
    assert (centres.view("i8") - GRID - numbers * width == width // 2).all()

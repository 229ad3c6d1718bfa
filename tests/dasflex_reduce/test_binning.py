# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel: all its ways through long, short, narrow and wide runs are one, and that is numpy's own arithmetic."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dasflex_core.arrays import is_fill
from dasflex_reduce.binning import Runs, chain, deviation, mean, moments, part, together

ALL = frozenset({"mean", "stddev", "min", "max"})
KINDS = {"f4": -1e31, "f8": -1e31, ">f4": float("nan"), "i2": -32768, "u1": 255, "i8": None}


@st.composite
def tables(draw):
    """Rows of numbers of some type with fill among them, and runs of them."""
    kind = draw(st.sampled_from(sorted(KINDS)))
    lengths = draw(st.lists(st.sampled_from([1, 2, 3, 15, 40, 300]), min_size=1, max_size=8))
    columns = draw(st.sampled_from([1, 3, 8, 20]))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    share = draw(st.sampled_from([0.0, 0.05, 0.9, 1.0]))
    rows = random.integers(0, 200, size=(sum(lengths), columns)).astype(kind)
    fill = KINDS[kind]
    if fill is not None:
        rows[random.random(rows.shape) < share] = fill
    return rows, fill, np.repeat(np.arange(len(lengths)), lengths)


def by_numpy(rows, fill):
    """Count, mean, deviation, smallest and largest of one column."""
    good = rows[~is_fill(rows, fill)].astype("f8")
    if not len(good):
        return 0, np.nan, np.nan, None, None
    return len(good), good.mean(), good.std(ddof=1) if len(good) > 1 else 0.0, good.min(), good.max()


@settings(max_examples=150, deadline=None)
@given(tables())
def test_moments_are_those_of_numpy(table):
    rows, fill, numbers = table
    found = moments(rows.copy(), fill, Runs.of(numbers), ALL)
    means, deviations = mean(found), deviation(found)
    for run in range(numbers[-1] + 1):
        for column in range(rows.shape[1]):
            count, middle, spread, low, high = by_numpy(rows[numbers == run, column], fill)
            assert found["count"][run, column] == count
            assert means[run, column] == pytest.approx(middle, rel=1e-13, nan_ok=True)
            assert deviations[run, column] == pytest.approx(spread, rel=1e-12, abs=1e-12, nan_ok=True)
            if count:
                assert (found["low"][run, column], found["high"][run, column]) == (low, high)


@settings(max_examples=60, deadline=None)
@given(tables(), st.data())
def test_parts_put_together_are_the_whole(table, data):
    """A bin that ends in one batch and goes on in the next, wherever that is."""
    rows, fill, _numbers = table
    cut = data.draw(st.integers(0, len(rows)))
    whole = moments(rows.copy(), fill, Runs.of(np.zeros(len(rows))), ALL)
    pieces = [
        moments(each.copy(), fill, Runs.of(np.zeros(len(each))), ALL) for each in (rows[:cut], rows[cut:]) if len(each)
    ]
    joined = pieces[0] if len(pieces) == 1 else together(*pieces)
    assert joined["count"].tolist() == whole["count"].tolist()
    assert mean(joined) == pytest.approx(mean(whole), rel=1e-13, nan_ok=True)
    assert deviation(joined) == pytest.approx(deviation(whole), rel=1e-9, abs=1e-9, nan_ok=True)
    there = whole["count"] > 0
    assert (joined["low"] == whole["low"])[there].all()
    assert (joined["high"] == whole["high"])[there].all()


def test_deviations_of_large_numbers_do_not_cancel():
    """A millionth on a thousand million, in float64: sums of squares would leave nothing of it."""
    values = 1e9 + np.tile([-1e-6, 1e-6], 500)[:, None]
    found = moments(values.copy(), None, Runs.of(np.zeros(1000)), ALL)
    assert deviation(found).item() == pytest.approx(np.std(values, ddof=1), rel=1e-9)


def test_infinite_values_are_values():
    """They are no fill: the largest is infinite, and so is the mean."""
    found = moments(np.array([[1.0], [np.inf]]), -1e31, Runs.of(np.zeros(2)), ALL)
    assert found["high"].item() == np.inf == mean(found).item()
    assert found["count"].item() == 2


def test_the_first_that_is_no_fill_is_found_in_text():
    rows = np.array([[b"", b"a"], [b"x", b"b"], [b"y", b"c"]], dtype="S1")
    found = moments(rows, b"", Runs.of(np.array([0, 0, 1])), frozenset({"first"}))
    assert found["first"].tolist() == [[b"x", b"a"], [b"y", b"c"]]
    assert found["count"].tolist() == [[1, 2], [1, 1]]


def test_runs_are_chained_in_order():
    one, two = (moments(np.array([[value]]), None, Runs.of(np.zeros(1)), ALL) for value in (1.0, 2.0))
    assert mean(chain(one, two)).ravel().tolist() == [1, 2]
    assert part(chain(one, two), slice(1, 2))["total"].item() == 2

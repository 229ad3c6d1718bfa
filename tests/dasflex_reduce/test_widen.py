# SPDX-License-Identifier: GPL-3.0-or-later
"""Bins that are made of the moments of narrower ones are those that are made of the records."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dasflex_core.arrays import Dataset, Dimension, Properties, Property, Records, StreamHeader, Variable
from dasflex_core.errors import SourceError
from dasflex_core.moments import Moments
from dasflex_core.run.joining_items import concat_items, same
from dasflex_core.streamtype import ARRAYS
from dasflex_core.times import GRID
from dasflex_reduce.bin_average import BinAverage
from dasflex_reduce.sums import Sums
from dasflex_reduce.sums_stream import read_stream, write_stream
from dasflex_reduce.widen import Widen

assert ARRAYS
STATS = ("mean", "min", "max", "stddev", "count")
FILL = -1e31


def _dataset(number=1, name="d", *, channels=0, dtype="f8", period=None, beside=()):
    """A dataset with a time, a value or a spectrum, and more variables of its dimension."""
    time = Variable("time", "center", "datetime", "UTC", (-1,) if not channels else (-1, None), np.dtype("M8[ns]"))
    index = (-1, channels) if channels else (-1,)
    props = Properties((Property("period", str(period), "real"),)) if period else Properties()
    fill = FILL if dtype == "f8" else None
    value = Variable("b", "center", "real", "nT", index, np.dtype(dtype), fill, properties=props)
    more = tuple(Variable(f"b_{role}", role, "real", "nT", index, np.dtype(kind)) for role, kind in beside)
    extent = (-1, channels) if channels else (-1,)
    dimensions = (
        Dimension("time", "time", True, (time,), axis="x"),
        Dimension("b", "b", False, (value, *more), axis="y"),
    )
    return Dataset(number, name, extent, dimensions, ("time", "b", *(each.name for each in more)))


def _records(dataset, ns, columns):
    return Records(dataset, {"time": np.array(ns, dtype="M8[ns]"), **columns})


def _run(stage, items):
    found = [each for item in items for each in stage.feed(item)]
    return [*found, *stage.finish()]


def _bins(items):
    """All columns of each dataset of a stream, side by side."""
    found = {}
    for each in items:
        if isinstance(each, Records):
            for name, column in each.columns.items():
                found.setdefault((each.dataset.name, name), []).append(np.asarray(column))
    return {name: np.concatenate(columns) for name, columns in found.items()}


def _declared(items):
    return [each for each in items if isinstance(each, StreamHeader | Dataset)]


def _agree(made, wanted, largest):
    """Times, extremes and counts are the same, means within 4 units in the last place of the largest value."""
    assert len(_declared(made)) == len(_declared(wanted))
    assert all(same(one, other) for one, other in zip(_declared(made), _declared(wanted), strict=True))
    mine, theirs = _bins(made), _bins(wanted)
    assert mine.keys() == theirs.keys()
    for key, column in theirs.items():
        assert mine[key].dtype == column.dtype
        if "std_dev" in key[1] or "stddev" in key[1]:
            assert np.allclose(mine[key], column, rtol=1e-6, atol=1e-7 * largest, equal_nan=True)
        elif column.dtype.kind == "f":
            assert np.allclose(mine[key], column, rtol=0, atol=4 * np.spacing(largest), equal_nan=True), key
        else:
            assert np.array_equal(mine[key], column), key


def _in_pieces(items, width, cuts):
    """What blocks and live pieces between them give, cut at the borders of `width`: summed, written and read."""
    header = [each for each in items if isinstance(each, StreamHeader)]
    edges = [-(1 << 62), *cuts, 1 << 62]
    flows = []
    for place, (begin, end) in enumerate(pairwise(edges)):
        part = list(header)
        for each in items:
            if isinstance(each, Dataset):
                part.append(each)
            elif isinstance(each, Records):
                ns = each.columns["time"].view("i8")
                inside = (ns >= begin) & (ns < end)
                if inside.any():
                    part.append(Records(each.dataset, {name: col[inside] for name, col in each.columns.items()}))
        moments = _run(Sums(width), part)
        flows.append(list(read_stream(write_stream(moments))) if place % 2 else moments)
    return list(concat_items([lambda flow=flow: iter(flow) for flow in flows]))


def _both(items, width, k, stats, cuts):
    made = _run(Widen(width * k, stats), _in_pieces(items, width, cuts))
    wanted = _run(BinAverage(seconds=width * k, stats=stats, align="grid"), items)
    return made, wanted


VALUES = st.floats(-1e6, 1e6) | st.sampled_from([FILL, float("nan"), 0.0])
SHAPES = st.sampled_from([0, 3])


@settings(max_examples=150, deadline=None)
@given(data=st.data(), k=st.integers(1, 50), channels=SHAPES, width=st.sampled_from([0.25, 1.0, 60.0]))
def test_wider_bins_of_blocks_are_those_of_the_records(data, k, channels, width):
    ns = round(width * 1e9)
    count = data.draw(st.integers(1, 60))
    steps = data.draw(st.lists(st.integers(0, 3 * ns), min_size=count, max_size=count))
    begin = GRID + data.draw(st.integers(-100, 100)) * ns + data.draw(st.integers(0, ns))
    times = begin + np.cumsum(steps)
    size = count * max(1, channels)
    values = np.array(data.draw(st.lists(VALUES, min_size=size, max_size=size)))
    values = values.reshape(count, channels) if channels else values
    dataset = _dataset(channels=channels)
    split = data.draw(st.integers(0, count))
    parts = [(times[:split], values[:split]), (times[split:], values[split:])]
    records = [_records(dataset, some, {"b": column}) for some, column in parts if len(some)]
    items = [StreamHeader(3), dataset, *records]
    cuts = sorted(GRID + each * ns for each in data.draw(st.sets(st.integers(-100, 300), max_size=5)))
    stats = tuple(each for each in STATS if data.draw(st.booleans())) or ("mean",)
    good = values[np.isfinite(values) & (values != FILL)]
    _agree(*_both(items, width, k, stats, cuts), max(1e-300, np.abs(good).max(initial=0.0)))


def test_integers_of_64_bits_keep_their_extremes():
    dataset = _dataset(dtype="i8")
    values = np.array([2**62 + 1, 2**62 + 3, 5], dtype="i8")
    items = [StreamHeader(3), dataset, _records(dataset, GRID + np.array([0, 1, 2]) * 10**9, {"b": values})]
    made, wanted = _both(items, 1.0, 60, ("min", "max", "count"), [GRID + 10**9])
    _agree(made, wanted, 1.0)
    assert _bins(made)["d", "b.max"].tolist() == [2**62 + 3]


def test_values_round_a_circle_are_averaged_round_it():
    dataset = _dataset(period=360.0)
    values = np.array([359.0, 1.0, 180.0])
    items = [StreamHeader(3), dataset, _records(dataset, GRID + np.array([0, 1, 61]) * 10**9, {"b": values})]
    made, wanted = _both(items, 1.0, 60, ("mean", "stddev"), [GRID + 10**9])
    _agree(made, wanted, 360.0)
    assert _bins(made)["d", "b"].tolist() == pytest.approx([0.0, 180.0])


@pytest.mark.parametrize("stats", [("mean",), ("mean", "max"), ("count",), ("max",)])
def test_means_with_counts_are_weighted_as_in_records(stats):
    dataset = _dataset(beside=(("count", "i4"),))
    columns = {"b": np.array([2.0, 8.0, 5.0]), "b_count": np.array([3, 1, 1], dtype="i4")}
    items = [StreamHeader(3), dataset, _records(dataset, GRID + np.array([0, 1, 2]) * 10**9, columns)]
    made, wanted = _both(items, 1.0, 60, stats, [GRID + 10**9])
    _agree(made, wanted, 8.0)


def test_datasets_that_are_declared_anew_begin_new_bins():
    one, other = _dataset(), _dataset(channels=3)
    items = [
        StreamHeader(3),
        one,
        _records(one, GRID + np.array([0, 1]) * 10**9, {"b": np.array([1.0, 2.0])}),
        other,
        _records(other, GRID + np.array([2, 3]) * 10**9, {"b": np.ones((2, 3))}),
    ]
    made = _run(Widen(60.0, STATS), list(read_stream(write_stream(_run(Sums(1.0), items)))))
    wanted = _run(BinAverage(seconds=60.0, stats=STATS, align="grid"), items)
    assert [type(each) for each in made] == [type(each) for each in wanted]
    assert [len(each) for each in made if isinstance(each, Records)] == [1, 1]


def test_two_datasets_keep_their_bins_apart():
    one, other = _dataset(1, "one"), _dataset(2, "other", dtype="i4")
    items = [
        StreamHeader(2),
        one,
        other,
        _records(one, GRID + np.array([0, 70]) * 10**9, {"b": np.array([1.0, 2.0])}),
        _records(other, GRID + np.array([0, 70]) * 10**9, {"b": np.array([1, 2], dtype="i4")}),
    ]
    _agree(*_both(items, 1.0, 60, STATS, [GRID + 60 * 10**9]), 2.0)


@settings(max_examples=40, deadline=None)
@given(place=st.integers(0, 4000), bit=st.integers(0, 7))
def test_a_file_that_is_damaged_is_refused_or_is_a_stream(place, bit):
    dataset = _dataset()
    items = [StreamHeader(3), dataset, _records(dataset, GRID + np.array([0, 70]) * 10**9, {"b": np.ones(2)})]
    data = bytearray(write_stream(_run(Sums(1.0), items)))
    data[place % len(data)] ^= 1 << bit
    with suppress(SourceError):
        list(read_stream(bytes(data)))


@pytest.mark.parametrize("cut", [0, 5, 20, 100, -1])
def test_a_file_that_is_cut_is_refused(cut):
    dataset = _dataset()
    items = [StreamHeader(3), dataset, _records(dataset, GRID + np.array([0, 70]) * 10**9, {"b": np.ones(2)})]
    data = write_stream(_run(Sums(1.0), items))
    with pytest.raises(SourceError):
        list(read_stream(data[:cut]))


def test_moments_are_kept_bit_for_bit():
    dataset = _dataset(channels=3, period=360.0)
    items = [StreamHeader(3), dataset, _records(dataset, GRID + np.array([0, 70]) * 10**9, {"b": np.ones((2, 3))})]
    moments = _run(Sums(1.0), items)
    again = list(read_stream(write_stream(moments)))
    assert all(same(one, other) for one, other in zip(_declared(moments), _declared(again), strict=True))
    first, second = ([each for each in some if isinstance(each, Moments)] for some in (moments, again))
    assert np.array_equal(np.concatenate([each.begins for each in first]), second[0].begins)
    assert second[0].parts["b"].keys() >= {"turn", "negative", "low", "high", "count"}

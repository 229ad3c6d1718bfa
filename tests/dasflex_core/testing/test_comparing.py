# SPDX-License-Identifier: GPL-3.0-or-later
"""Streams are the same where their declarations and records are, whatever the batches; differences are named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dasflex_core.arrays import Ragged, Records
from dasflex_core.testing import golden
from dasflex_core.testing.comparing import difference, in_pieces, joined, merged, misfit
from dasflex_core.testing.strategies import streams


@given(streams(), st.integers(1, 4))
@settings(max_examples=30, deadline=None)
def test_pieces_merge_into_the_same_stream(items, size):
    pieces = list(in_pieces(items, size))
    assert all(len(item) <= size for item in pieces if isinstance(item, Records))
    assert not difference(merged(pieces), merged(items))


def test_each_golden_stream_is_the_same_as_itself_made_anew_and_no_other():
    streams_ = list(golden.streams())
    for one in streams_:
        for other in streams_:
            assert bool(difference(golden.streams()[one], golden.streams()[other])) == (one != other)


def test_records_of_a_dataset_declared_anew_do_not_merge_with_the_earlier():
    header, dataset, _comment, batch = golden.scalars()
    assert len(merged([header, dataset, batch, dataset, batch])[1]) == 2
    assert len(merged([header, dataset, batch, batch])[1]) == 1


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        (1, 2, "1 is not 2"),
        (1, 1.0, "1 is not 1.0"),
        ([1], [1, 2], "1 are not 2"),
        ({"a": 1}, {"b": 1}, "['a'] are not ['b']"),
        (np.zeros(2), np.zeros(3), "float64 of (2,) is not float64 of (3,)"),
        (np.zeros(2), np.zeros(2, "f4"), "float64 of (2,) is not float32 of (2,)"),
        (np.array([[1.0, 2.0]]), np.array([[1.0, 3.0]]), "[0, 1]: np.float64(2.0) is not np.float64(3.0)"),
        (np.array([1, np.nan]), np.array([np.nan, np.nan]), "[0]"),
    ],
)
def test_differences_are_named(one, other, said):
    assert said in difference(one, other)


@pytest.mark.parametrize(
    "value",
    [np.nan, np.datetime64("NaT"), np.array([np.nan, 1]), np.array(["NaT"], "M8[ns]"), (b"a", None), np.zeros(0)],
)
def test_what_is_missing_in_both_is_the_same(value):
    assert not difference(value, value)


def test_byte_order_is_no_difference_and_small_ones_may_be_allowed():
    assert not difference(np.array([1.5], ">f4"), np.array([1.5], "<f4"))
    assert difference(np.array([1.0]), np.array([1.0 + 1e-12]))
    assert not difference(np.array([1.0]), np.array([1.0 + 1e-12]), rtol=1e-9)


def test_the_place_of_a_difference_in_a_dataset_is_told():
    _header, dataset, _comment, _batch = golden.scalars()
    other = dataset.swap(dataset["bx"], replace(dataset["bx"], units="T"))
    assert difference(dataset, other) == "Dataset.dimensions[1].variables[0].units: 'nT' is not 'T'"


def test_ragged_batches_join():
    _header, dataset, batch = golden.spectra()
    values = np.arange(6.0)
    parts = [
        Records(dataset, {"time": batch["time"][:2], "psd": Ragged(values[:3], np.array([0, 1, 3]))}),
        Records(dataset, {"time": batch["time"][2:], "psd": Ragged(values[3:], np.array([0, 3]))}),
    ]
    column = joined(parts)["psd"]
    assert column.offsets.tolist() == [0, 1, 3, 6]
    assert column.values.tolist() == values.tolist()


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"time": np.zeros(3, ">i8")}, "declares the columns"),
        ({"time": np.zeros(3, ">i8"), "psd": np.zeros((3, 2), ">f4")}, "shape (3,), and a batch has (3, 2)"),
        ({"time": np.zeros(3, ">i8"), "psd": np.zeros((3, 3), "f8")}, "declared as >f4, and a batch has float64"),
        ({"time": np.zeros(3, ">i8"), "psd": Ragged(np.zeros(3), np.array([0, 1, 2, 3]))}, "has ragged values"),
    ],
)
def test_a_batch_that_does_not_fit_its_declaration_is_described(columns, said):
    _header, dataset, batch = golden.spectra()
    assert not misfit(batch)
    assert said in misfit(Records(dataset, columns))


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (np.zeros((3, 3), "<f4"), "shape (-1,), and a batch has (3, 3)"),
        (Ragged(np.zeros(5), np.array([0, 3, 3, 5])), "declared as float32, and a batch has float64"),
        (Ragged(np.zeros((5, 2), "<f4"), np.array([0, 3, 3, 5])), "batch has 1 of (2,)"),
        (Ragged(Ragged(np.zeros(5, "<f4"), np.array([0, 5])), np.array([0, 1, 1, 1])), "batch has 2 of ()"),
        (Ragged(np.zeros(5, "<f4"), np.array([0, 3, 2, 5])), "do not follow one another"),
        (Ragged(np.zeros(5, "<f4"), np.array([0, 3, 3, 4])), "do not follow one another"),
        (Ragged(np.zeros(5, "<f4"), np.array([1, 3, 3, 5])), "do not follow one another"),
    ],
)
def test_runs_that_do_not_fit_their_declaration_are_described(column, said):
    _header, dataset, batch = golden.bursts()
    assert not misfit(batch)
    assert said in misfit(Records(dataset, {**batch.columns, "ex": column}))


def test_strings_of_any_length_may_have_any_width():
    _header, dataset, batch = golden.pictures()
    assert not misfit(batch)
    wide = batch["remarks"].with_leaves(batch["remarks"].leaves.astype("S40"))
    other = Records(dataset, {**batch.columns, "remarks": wide})
    assert not misfit(other)
    assert not difference(batch, other)
    assert "extras" in misfit(Records(dataset, batch.columns, Ragged(np.zeros(2, "u1"), np.array([0, 1, 2]))))

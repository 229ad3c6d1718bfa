# SPDX-License-Identifier: GPL-3.0-or-later
"""Histograms count exact values, whatever their type, and leave fill out."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dasflex_core.arrays import (
    VARIES,
    Comment,
    Dataset,
    Dimension,
    NoData,
    Properties,
    Property,
    Records,
    StreamHeader,
    Variable,
)
from dasflex_core.testing import ReducerContract
from dasflex_core.testing.comparing import difference, in_pieces, merged
from dasflex_core.testing.expecting import expect_declared
from dasflex_das.das2_encoder import Das2TextEncoder
from dasflex_das.das3_encoder import Das3TextEncoder
from dasflex_reduce.histogram import Histogram

FILL = -1e31


def stream(values, dtype="<f4", generation=2):
    values = np.array(values, dtype=dtype)
    x = Variable(
        "time", "center", "datetime", "us2000", (VARIES,), np.dtype("<f8"), plane="x" if generation == 2 else ""
    )
    y = Variable("n", "center", "real", "nT", (VARIES,), values.dtype, FILL if values.dtype.kind == "f" else -1)
    dataset = Dataset(
        1,
        "one",
        (VARIES,),
        (
            Dimension("time", "time", coordinate=True, variables=(x,), axis="x"),
            Dimension("n", "n", coordinate=False, variables=(y,)),
        ),
        ("time", "n"),
        generation=generation,
    )
    head = StreamHeader(generation, Properties((Property("title", "T", "String"), Property("renderer", "x", "String"))))
    return [head, dataset, Records(dataset, {"time": np.arange(float(len(values))), "n": values})]


def run(items, kind="count"):
    stage = Histogram(kind=kind)
    return [*(out for item in items for out in stage.feed(item)), *stage.finish()]


def test_values_are_counted_in_order_without_fill_and_nan():
    header, dataset, batch = run(stream([3, 1, FILL, 1, np.nan, 2, 1]))
    assert header.properties.text("title") == "T - Histogram"
    assert header.properties.get("renderer") is None
    assert batch["n"].tolist() == [1, 2, 3]
    assert batch["n_hist"].tolist() == [3, 1, 1]
    assert (dataset["n_hist"].dtype, dataset["n"].units) == (np.dtype("<f4"), "nT")


@pytest.mark.parametrize(("kind", "wanted"), [("below", [0.5, 0.75, 1.0]), ("above", [1.0, 0.5, 0.25])])
def test_fractions_are_at_or_below_and_at_or_above(kind, wanted):
    assert run(stream([1, 1, 2, 3]), kind)[2]["n_hist"].tolist() == wanted


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(-3, 3), max_size=40), st.integers(1, 7), st.sampled_from(["<i2", "<f4", ">f8"]))
def test_counts_are_those_of_a_counter_however_batches_are_cut(values, size, dtype):
    items = stream(values, dtype)
    counted = Counter(np.array([value for value in values if dtype != "<i2" or value != -1], dtype=dtype).tolist())
    found = run(in_pieces(items, size))
    assert not difference(merged(found), merged(run(items)))
    if counted:
        batch = found[2]
        assert dict(zip(batch["n"].tolist(), batch["n_hist"].tolist(), strict=True)) == counted
        expect_declared(found, "the histogram")
    elif values:
        assert isinstance(found[-1], NoData)


@pytest.mark.parametrize(("generation", "encoder"), [(2, Das2TextEncoder), (3, Das3TextEncoder)])
def test_a_histogram_can_be_written(generation, encoder):
    made = encoder()
    text = b"".join(each for item in run(stream([1, 2, 2], generation=generation)) for each in made.feed(item))
    assert b"n_hist" in text


def test_remarks_pass():
    assert run([*stream([1]), Comment("log:info", "hello")])[1] == Comment("log:info", "hello")


def test_what_was_said_of_the_axis_of_time_is_not_said_of_values():
    header, *rest = stream([1, 2])
    said = [Property("xTagWidth", "2 s", "Datum"), Property("xLabel", "UTC", "String"), Property("kept", "1", "String")]
    header, *_rest = run([replace(header, properties=header.properties.put(*said)), *rest])
    assert {each.name for each in header.properties} == {"title", "kept"}


class TestContract(ReducerContract):
    """What every reducer keeps, of counts that are told at the end of the whole stream."""

    reducer = Histogram
    plugin = "dasflex_reduce.plugin"
    options: ClassVar = {"kind": "count"}
    whole_stream = True

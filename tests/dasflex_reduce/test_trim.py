# SPDX-License-Identifier: GPL-3.0-or-later
"""Records outside of the range that was asked are dropped, whatever the epoch, and nothing else is touched."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dasflex_core import epochs
from dasflex_core.arrays import VARIES, Dataset, Dimension, NoData, Ragged, Records, StreamHeader, Variable
from dasflex_core.plan.solver import StageIndex, Task, solve
from dasflex_core.registry import discover
from dasflex_core.run.reducing import PerDataset
from dasflex_core.stages import Cost, StageSpec
from dasflex_core.streamtype import StreamType
from dasflex_core.testing import ReducerContract
from dasflex_reduce.picking import rows_of
from dasflex_reduce.trim import Trim

BEGIN = np.datetime64("2020-01-01T00:00:00", "ns")
UNITS = ("us2000", "t2000", "mj1958", "t1970", "TT2000", "ns1970", "UTC")


def stream(seconds, units="us2000", role="center", dtype=None, **more):
    """Records at so many seconds after 2020-01-01, with a number each."""
    times = BEGIN + np.rint(np.asarray(seconds, dtype="f8") * 1e9).astype("m8[ns]")
    column = epochs.from_datetime64(times, units, dtype)
    x = Variable("time", role, "datetime", units, (VARIES,), column.dtype)
    y = Variable("B", "center", "real", "nT", (VARIES,), np.dtype("f4"))
    dataset = Dataset(
        1,
        "one",
        (VARIES,),
        (
            Dimension("time", "time", coordinate=True, variables=(x,), axis="x"),
            Dimension("B", "B", coordinate=False, variables=(y,)),
        ),
        ("time", "B"),
        **more,
    )
    return [StreamHeader(3), dataset, Records(dataset, {"time": column, "B": np.arange(len(column), dtype="f4")})]


def run(items, begin="2020-01-01T00:00:02", end="2020-01-01T00:00:05"):
    stage = PerDataset(Trim.spec, lambda: Trim(begin=begin, end=end))
    return [*(out for item in items for out in stage.feed(item)), *stage.finish()]


@pytest.mark.parametrize("units", UNITS)
@pytest.mark.parametrize("role", ["center", "reference", "min"])
def test_a_record_counts_when_its_time_is_in_the_half_open_range(units, role):
    *_, found = run(stream([0, 1, 2, 3, 4, 5, 6], units, role))
    assert found["B"].tolist() == [2, 3, 4]


@pytest.mark.parametrize("dtype", [">f8", "<f8"])
def test_any_type_of_reals_will_do(dtype):
    *_, found = run(stream([0, 2, 4, 6], "t2000", dtype=dtype))
    assert found["B"].tolist() == [1, 2]


def test_a_batch_that_is_inside_is_passed_as_it_is():
    items = stream([2, 3, 4])
    assert run(items)[2] is items[2]


def test_neighbours_are_views_of_the_batch():
    items = stream([0, 1, 2, 3, 4])
    assert np.shares_memory(run(items)[2]["B"], items[2]["B"])


def test_records_in_any_order_are_picked():
    *_, found = run(stream([9, 4, 1, 2, 7, 3]))
    assert found["B"].tolist() == [1, 3, 5]


def test_one_end_alone_and_forever_are_no_limits():
    items = stream([0, 3, 6])
    assert run(items, begin=None)[2]["B"].tolist() == [0, 1]
    assert run(items, end=None)[2]["B"].tolist() == [1, 2]
    assert run(items, end="forever")[2]["B"].tolist() == [1, 2]
    assert run(items, begin="0001-01-01", end="9999-01-01")[2] is items[2]


def test_a_time_that_is_fill_is_outside():
    items = stream([2, 3], "UTC")
    items[2].columns["time"][0] = np.datetime64("NaT")
    assert run(items, end=None)[2]["B"].tolist() == [1]


def test_nothing_in_the_range_is_no_data():
    assert isinstance(run(stream([7, 8]))[-1], NoData)
    assert len(run(stream([7, 8]))) == 3


def test_a_dataset_without_a_time_passes():
    items = stream([0, 1])
    plain = items[1].dimensions[0].variables[0]
    dataset = replace(
        items[1],
        dimensions=(
            replace(items[1].dimensions[0], variables=(replace(plain, semantic="real", units="km"),)),
            items[1].dimensions[1],
        ),
    )
    batch = Records(dataset, items[2].columns)
    assert run([items[0], dataset, batch])[2] is batch


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 4), max_size=12), st.data())
def test_rows_of_ragged_columns_are_those_of_lists(lengths, data):
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype("i8")
    column = Ragged(np.arange(int(offsets[-1])), offsets)
    rows = data.draw(st.lists(st.integers(0, max(0, len(lengths) - 1)), max_size=8)) if lengths else []
    picked = rows_of(column, np.array(rows, dtype="i8"))
    apart, found = ([each.values[a:b].tolist() for a, b in pairwise(each.offsets)] for each in (column, picked))
    assert found == [apart[row] for row in rows]


def reader(*, exact):
    from dasflex_core.stages import ParamSpec

    ends = ("read.time.min", "read.time.max")
    return StageSpec(
        "reader",
        "",
        None,
        StreamType("das", "2"),
        "m:r",
        adds=frozenset({"axis:time", "axis:frequency", "finite", "sampled", "waveform"}),
        params=tuple(ParamSpec(name, type="time") for name in ends) if exact else (),
        reads=() if exact else ends,
        cost=Cost(0.05, 5.0),
        exact=exact,
        bundled=True,
    )


def solved(request, *, exact):
    ends = {"read.time.min": "2020-01-01", "read.time.max": "2020-01-02"}
    request = {**ends, **request}
    index = StageIndex(discover().stages)
    path = solve(Task(index, request, frozenset(request), StreamType("das", "2"), stages=(reader(exact=exact),)))
    return [step.spec.name for step in path.steps][:-1] if path else None


def test_the_trim_is_there_for_an_inexact_reader_only():
    assert solved({}, exact=True) is None or "trim" not in solved({}, exact=True)
    assert solved({}, exact=False) == ["reader", "das2-decode", "trim"]


def test_all_that_is_read_comes_before_the_transform():
    request = {"read.data": "E", "read.frequency.max": "100", "dft.length": "256"}
    assert solved(request, exact=False)[-1] == "spectral-density"
    assert sorted(solved(request, exact=False)[2:5]) == ["cut", "select", "trim"]
    assert sorted(solved(request, exact=True)[2:4]) == ["cut", "select"]


class TestContract(ReducerContract):
    reducer = Trim
    plugin = "dasflex_reduce.plugin"
    options: ClassVar = {"begin": "2020-01-01T00:00:02", "end": "2020-01-01T00:00:05"}

    def streams(self):
        return {units: stream([0, 2, 3, 1, 4, 9, 3, 2], units) for units in UNITS}

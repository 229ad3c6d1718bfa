# SPDX-License-Identifier: GPL-3.0-or-later
"""A display gets fewer records, with every peak of a line and the mean of spectra."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dasflex_core.arrays import VARIES, Dataset, Dimension, Records, StreamHeader, Variable
from dasflex_core.errors import QueryError
from dasflex_core.run.reducing import PerDataset
from dasflex_core.testing import ReducerContract
from dasflex_core.testing.comparing import difference, in_pieces, merged
from dasflex_reduce.admitting import decimate
from dasflex_reduce.decimate import Decimate

FILL = -1e31
RANGE = {"read_time_min": "2000-01-01T00:00:00", "read_time_max": "2000-01-01T00:16:40"}


def stream(values, seconds=None, dtype="f4", units="t2000"):
    """Records of one line, or of spectra where values have an inner axis."""
    values = np.asarray(values, dtype=dtype)
    inner = values.shape[1:]
    rank = 1 + len(inner)
    x = Variable("time", "center", "datetime", units, (VARIES, None)[:rank], np.dtype("f8"))
    y = Variable("E", "center", "real", "V", (VARIES, *inner), values.dtype, FILL if dtype == "f4" else -1)
    axes = [Dimension("time", "time", coordinate=True, variables=(x,), axis="x")]
    if inner:
        f = Variable("f", "center", "real", "Hz", (None, *inner), np.dtype("f8"), values=np.arange(inner[0]) + 1.0)
        axes.append(Dimension("frequency", "frequency", coordinate=True, variables=(f,), axis="y"))
    dataset = Dataset(
        1, "one", (VARIES, *inner), (*axes, Dimension("E", "E", coordinate=False, variables=(y,))), ("time", "E")
    )
    times = np.arange(len(values)) * 1000 / max(1, len(values)) if seconds is None else np.asarray(seconds, dtype="f8")
    return [StreamHeader(3), dataset, Records(dataset, {"time": times, "E": values})]


def run(items, points, **more):
    stage = PerDataset(Decimate.spec, lambda: Decimate(points=points, **{**RANGE, **more}))
    return [*(out for item in items for out in stage.feed(item)), *stage.finish()]


def batch_of(items):
    [batch] = merged(items)[1]
    return batch


def test_a_line_keeps_the_extremes_of_each_bucket_as_they_were():
    values = np.random.default_rng(1).normal(size=10_000)
    batch = batch_of(run(stream(values), 100))
    assert 90 <= len(batch) <= 100
    buckets = np.asarray(values, dtype="f4").reshape(50, 200)
    wanted = np.sort(np.concatenate([buckets.min(axis=1), buckets.max(axis=1)]))
    np.testing.assert_array_equal(np.sort(batch["E"]), wanted)
    assert (np.diff(batch["time"]) > 0).all()


def test_few_records_are_kept_all():
    items = stream(np.arange(20))
    assert not difference(batch_of(run(items, 1000)), items[2])


def test_a_lone_spike_is_kept_and_fill_makes_no_extreme():
    values = np.zeros(5000)
    values[1234] = 99
    values[2000:2100] = FILL
    found = batch_of(run(stream(values), 20))["E"]
    assert 99 in found
    assert np.float32(FILL) not in found


def test_a_bucket_of_fill_keeps_its_first_record_so_that_the_gap_shows():
    values = np.ones(1000)
    values[500:] = FILL
    batch = batch_of(run(stream(values), 8))
    assert batch["time"].tolist() == [0, 250, 500, 750]


def test_spectra_become_the_mean_of_what_is_not_fill_at_the_middle():
    values = np.random.default_rng(2).normal(size=(1000, 3)).astype("f4")
    values[10] = FILL
    values[300:400, 1] = FILL
    batch = batch_of(run(stream(values), 10))
    assert batch["time"].tolist() == [50 + 100 * place for place in range(10)]
    good = np.where(values == np.float32(FILL), np.nan, values.astype("f8")).reshape(10, 100, 3)
    count = (~np.isnan(good)).sum(axis=1)
    mean = np.where(count, np.nansum(good, axis=1) / np.maximum(count, 1), FILL)
    np.testing.assert_allclose(batch["E"], mean, rtol=1e-5)


def test_counts_stay_whole_numbers():
    batch = batch_of(run(stream(np.arange(100).reshape(50, 2), dtype="i2"), 5))
    assert batch["E"].dtype == np.dtype("i2")
    assert batch["E"][0].tolist() == [9, 10]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.one_of(st.integers(-5, 5), st.just(FILL)), max_size=60),
    st.integers(1, 40),
    st.integers(1, 9),
    st.booleans(),
)
def test_how_records_are_cut_into_batches_changes_nothing(values, points, size, wide):
    column = np.array(values, dtype="f4")
    items = stream(np.stack([column, column + 1], axis=1) if wide else column)
    assert not difference(merged(run(in_pieces(items, size), points)), merged(run(items, points)), rtol=1e-6)


@pytest.mark.parametrize("end", ["forever", None])
def test_a_range_without_an_end_is_refused(end):
    request = {"view.points": "9", "read.time.min": "2000-01-01"} | ({"read.time.max": end} if end else {})
    assert "both ends" in decimate(request, None)
    assert decimate({}, None) is True
    with pytest.raises(QueryError, match="both ends"):
        run(stream([1]), 9, read_time_max=end)


class TestContract(ReducerContract):
    reducer = Decimate
    plugin = "dasflex_reduce.plugin"
    options: ClassVar = {"points": 20}
    rtol = 1e-6

    def run(self, items):
        return run(items, 20)

    def streams(self):
        wide = np.random.default_rng(4).normal(size=(100, 4))
        return {"line": stream(np.arange(100) % 7), "spectra": stream(wide)}

# SPDX-License-Identifier: GPL-3.0-or-later
"""Counts of records and bytes in bins of time, over all datasets of a stream."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dasflex_core.arrays import (
    VARIES,
    Comment,
    Dataset,
    Dimension,
    Encoding,
    NoData,
    Properties,
    Property,
    Records,
    StreamHeader,
    Variable,
)
from dasflex_core.errors import QueryError
from dasflex_core.testing import ReducerContract
from dasflex_core.testing.comparing import misfit
from dasflex_das.das2_decoder import Das2Decoder
from dasflex_das.das2_encoder import Das2BinaryEncoder, Das2TextEncoder
from dasflex_das.das3_encoder import Das3TextEncoder
from dasflex_reduce import rate
from dasflex_reduce.rate import Rate


def table(number: int, times: list[float], width: int = 1) -> list[Any]:
    """A dataset of float32 rows at times in seconds since 2000."""
    index = (VARIES, width)
    time = Variable(
        "time", "center", "datetime", "us2000", (VARIES, None), np.dtype("f8"), encoding=Encoding("sun_real", 8)
    )
    b = Variable("b", "center", "real", "nT", index, np.dtype("f4"), encoding=Encoding("sun_real", 4))
    dimensions = (
        Dimension("time", "time", coordinate=True, variables=(time,), axis="x"),
        Dimension("b", "b", coordinate=False, variables=(b,)),
    )
    dataset = Dataset(number, f"packet_{number:02d}", index, dimensions, ("time", "b"), generation=2)
    return [dataset, Records(dataset, {"time": np.array(times) * 1e6, "b": np.zeros((len(times), width), "f4")})]


def counted(items: list[Any], seconds: float, of: str = "records", begin: str | None = None) -> list[Any]:
    stage = Rate(seconds=seconds, of=of, read_time_min=begin)
    return [*(out for item in items for out in stage.feed(item)), *stage.finish()]


def bins(items: list[Any]) -> dict[float, float]:
    """The counts by the middles of bins in seconds."""
    found = {}
    for item in items:
        if isinstance(item, Records):
            assert not misfit(item)
            time, value = (item[name] for name in item.dataset.wire)
            found |= dict(zip((time / 1e6).tolist(), value.tolist(), strict=True))
    return found


HEADER = StreamHeader(
    2,
    Properties(
        (
            Property("title", "Probe", "String"),
            Property("yLabel", "B", "String"),
            Property("zFill", "-1", "double"),
            Property("xTagWidth", "8.0 s", "Datum"),
        )
    ),
)


def test_records_of_all_datasets_are_counted_and_empty_bins_are_zero():
    """Minutes, of two datasets: the one in between has nothing."""
    items = [HEADER, *table(1, [0, 10, 150]), *table(2, [20, 130])]
    assert bins(counted(items, 60.0)) == {30: 3, 90: 0, 150: 2}


def test_bytes_are_those_of_packets_without_their_tag():
    """A time of 8 and values of 4 bytes."""
    assert bins(counted([HEADER, *table(1, [0, 10], width=3)], 60.0, "bytes")) == {30: 2 * (8 + 12)}


def test_events_are_one_only_where_there_are_records():
    """The classic program says 1 of empty bins too."""
    items = counted([HEADER, *table(1, [0, 1, 150])], 60.0, "events")
    assert bins(items) == {30: 1, 90: 0, 150: 1}
    assert next(item for item in items if isinstance(item, Dataset)).name == "coverage"


@pytest.mark.parametrize(
    ("seconds", "units", "value"),
    [(1.0, "packets s**-1", 1), (60.0, "packets minute**-1", 3), (30.0, "packets s**-1", 0.1)],
)
def test_widths_that_are_no_unit_are_counted_per_second(seconds: float, units: str, value: float):
    """The classic program fails at 30 s."""
    items = counted([HEADER, *table(1, [0, 10, 20])], seconds)
    dataset = next(item for item in items if isinstance(item, Dataset))
    assert dataset["rate"].units == units
    assert next(iter(bins(items).values())) == pytest.approx(value)


def test_bins_count_toward_zero_from_the_begin_of_the_request():
    """As the classic program has it: 70 s before is in bin -1, whose middle it says is 30 s before."""
    found = bins(counted([HEADER, *table(1, [60.0, -10.0])], 60.0, begin="2000-01-01T00:01:00"))
    assert found == {30.0: 1, 90.0: 1}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(0, 5000), min_size=1, max_size=30), min_size=1, max_size=6))
def test_any_order_of_times_gives_the_same_counts(parts):
    """Counting is not running: out of order, in any batches."""
    items = [HEADER, *(item for part in parts for item in table(1, [float(time) for time in part]))]
    wanted = Counter(time // 60 for part in parts for time in part)
    found = bins(counted(items, 60.0, begin="2000-01-01"))
    assert found == {60 * number + 30: wanted[number] for number in range(min(wanted), max(wanted) + 1)}


def test_long_counts_come_in_batches_and_are_merged(monkeypatch):
    """Small bounds, so that all ways are gone."""
    monkeypatch.setattr(rate, "_BATCH", 4)
    items = [HEADER, *(item for _turn in range(3) for item in table(1, [float(time) for time in range(20)]))]
    assert bins(counted(items, 1.0)) == {time + 0.5: 3 for time in range(20)}


def test_too_many_bins_are_refused():
    """Two records years apart in bins of a millisecond."""
    with pytest.raises(QueryError, match=r"calc\.rate"):
        counted([HEADER, *table(1, [0.0, 1e8])], 0.001)


def test_the_header_says_what_is_counted():
    """What it said of values is gone; what it said of the source stays."""
    header = counted([HEADER], 60.0)[0]
    assert {each.name: each.text for each in header.properties} == {
        "title": "Probe (coverage)",
        "xTagWidth": "60.000000 s",
        "renderer": "stairSteps",
        "sourceId": "dasflex",
        "xCacheResolution": "60.000000 s",
    }


def test_nothing_to_count_is_no_data():
    """An empty stream has an empty answer, once."""
    assert [type(item) for item in counted([HEADER], 60.0)] == [StreamHeader, NoData]
    assert counted([HEADER, NoData("none")], 60.0)[1:] == [NoData("none")]


def test_comments_pass():
    remark = Comment("log:info", "x")
    assert remark in counted([HEADER, remark, *table(1, [0.0])], 60.0)


@pytest.mark.parametrize("encoder", [Das2BinaryEncoder, Das2TextEncoder, Das3TextEncoder])
def test_counts_can_be_written(encoder):
    """In both generations, of a das2 and of a das3 stream."""
    for generation in (2, 3):
        head = replace(HEADER, generation=generation, properties=Properties())
        formatter = encoder()
        text = b"".join(
            chunk for item in counted([head, *table(1, [0.0, 70.0])], 60.0) for chunk in formatter.feed(item)
        )
        assert b"rate" in text
        if encoder is not Das3TextEncoder:
            decoder = Das2Decoder()
            assert sum(len(item) for item in decoder.feed(text) if isinstance(item, Records)) == 2


@pytest.mark.parametrize(("of", "size"), [("bytes", 1.0), ("kB", 1024.0), ("MB", 1024.0**2), ("GB", 1024.0**3)])
def test_bytes_are_counted_in_units_of_1024(of, size):
    items = [HEADER, *table(1, [0.0, 1.0, 65.0], width=256)]
    found = counted(items, 60.0, of)
    assert bins(found) == pytest.approx({30.0: 2 * 1032 / size, 90.0: 1032 / size}, rel=1e-6)
    assert found[1]["rate"].units == f"{of} minute**-1"


def test_a_title_and_a_label_stand_in_place_of_ours():
    stage = Rate(seconds=60.0, title="Packets of the probe", label="How many")
    items = [HEADER, *table(1, [0.0])]
    header, dataset, *_rest = [*(out for item in items for out in stage.feed(item)), *stage.finish()]
    assert header.properties.text("title") == "Packets of the probe"
    assert (dataset["rate"].label, dataset["rate"].properties.text("yLabel")) == ("How many", "How many")


class TestContract(ReducerContract):
    """What every reducer keeps, of a count over all datasets."""

    reducer = Rate
    plugin = "dasflex_reduce.plugin"
    options: ClassVar = {"seconds": 2.0, "of": "bytes"}
    whole_stream = True

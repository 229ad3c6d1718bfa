# SPDX-License-Identifier: GPL-3.0-or-later
"""The items of a stream become datasets of numpy arrays: times datetime64, fill NaN, text text."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dasflex_core.answers import gather
from dasflex_core.arrays import (
    VARIES,
    Comment,
    Dataset,
    Dimension,
    NoData,
    Problem,
    Ragged,
    Records,
    StreamHeader,
    Variable,
)
from dasflex_core.errors import QueryError, SourceError
from dasflex_core.testing import golden


def dataset(number=1, name="mag", length=2):
    time = Variable("time", "center", "datetime", "us2000", (VARIES, None), np.dtype("<f8"))
    frequency = Variable(
        "frequency", "center", "real", "Hz", (None, length), np.dtype("<f8"), values=np.arange(length) * 10.0
    )
    field = Variable("b", "center", "real", "nT", (VARIES, length), np.dtype(">f4"), fill=-1e31, label="B")
    mode = Variable("mode", "center", "string", "", (VARIES, None), np.dtype("S3"))
    count = Variable("count", "center", "integer", "", (VARIES, None), np.dtype("u1"), fill=255)
    return Dataset(
        number,
        name,
        (VARIES, length),
        (
            Dimension("time", "time", True, (time,)),
            Dimension("frequency", "frequency", True, (frequency,)),
            Dimension("b", "B", False, (field,)),
            Dimension("mode", "mode", False, (mode,)),
            Dimension("count", "count", False, (count,)),
        ),
        ("time", "b", "mode", "count"),
    )


def records(made, times, values):
    return Records(
        made,
        {
            "time": np.array(times, dtype="<f8"),
            "b": np.array(values, dtype=">f4"),
            "mode": np.array([b"A"] * len(times), dtype="S3"),
            "count": np.array([7] * len(times), dtype="u1"),
        },
    )


def test_batches_are_joined_and_fill_is_nan():
    made = dataset()
    answer = gather(
        [
            StreamHeader(),
            made,
            records(made, [0.0], [[1, -1e31]]),
            Comment("log:info", "x"),
            records(made, [1e6], [[2, 3]]),
        ]
    )
    table = answer.only
    assert table["b"].dtype == np.dtype("=f4")
    assert np.isnan(table["b"][0, 1])
    assert table["b"].shape == (2, 2)
    assert table["time"].tolist() == np.array(["2000-01-01", "2000-01-01T00:00:01"], dtype="M8[ns]").tolist()
    assert table["frequency"].tolist() == [0.0, 10.0]
    assert table["mode"].tolist() == ["A", "A"]
    assert table["count"].dtype == np.dtype("u1")
    assert (table.units("time"), table.units("b")) == ("UTC", "nT")
    assert [each.text for each in answer.comments] == ["x"]
    assert "b (2, 2) nT" in repr(answer)


def test_an_integer_fill_becomes_nan_only_where_there_is_one():
    made = dataset()
    batch = records(made, [0.0, 1.0], [[1, 2], [3, 4]])
    batch.columns["count"][0] = 255
    assert np.isnan(gather([made, batch]).only["count"]).tolist() == [True, False]


def test_another_layout_of_the_same_id_is_another_table():
    first, second = dataset(), dataset(length=3)
    answer = gather([first, records(first, [0.0], [[1, 2]]), second, records(second, [1.0], [[1, 2, 3]]), first])
    assert list(answer) == ["mag", "mag_2"]
    with pytest.raises(QueryError, match="2 datasets: mag, mag_2"):
        _ = answer.only
    with pytest.raises(QueryError, match="Did you mean mag"):
        _ = answer["mga"]


def test_a_layout_that_comes_back_goes_on_with_its_table_however_many_there_are():
    layouts = [dataset(length=number) for number in range(1, 201)] + [replace(dataset(), group="alike but for this")]
    pairs = [(each, records(each, [0.0], [[0.0] * each.index[1]])) for each in (*layouts, *layouts)]
    answer = gather([item for pair in pairs for item in pair])
    assert list(answer) == ["mag", *(f"mag_{number}" for number in range(2, 202))]
    assert all(len(table["time"]) == 2 for table in answer.values())


def test_nothing_found_is_an_empty_answer():
    answer = gather([StreamHeader(), NoData("nothing in 2031")])
    assert len(answer) == 0
    assert answer.comments[0].text == "nothing in 2031"
    with pytest.raises(QueryError, match="nothing was found"):
        _ = answer["mag"]


def test_a_failure_in_the_stream_is_raised():
    with pytest.raises(SourceError, match="out of tape"):
        gather([StreamHeader(), Problem("ServerError", "out of tape")])


def test_the_failure_behind_what_the_stream_tells_keeps_its_kind_and_detail():
    def items():
        yield StreamHeader()
        yield Problem("ServerError", "failed with exit status 3")
        raise SourceError("failed with exit status 3", kind="source.exit", detail="out of tape")

    with pytest.raises(SourceError, match="exit status 3") as caught:
        gather(items())
    assert (caught.value.kind, caught.value.detail) == ("source.exit", "out of tape")


def test_ragged_values_become_an_array_of_arrays():
    wave = Variable("wave", "center", "real", "V", (VARIES, VARIES), np.dtype("<f4"))
    made = Dataset(1, "w", (VARIES, VARIES), (Dimension("wave", "E", False, (wave,)),), ("wave",))
    batch = Records(made, {"wave": Ragged(np.arange(3, dtype="<f4"), np.array([0, 1, 3]))})
    rows = gather([made, batch]).only["wave"]
    assert [row.tolist() for row in rows] == [[0.0], [1.0, 2.0]]


def test_runs_have_fill_as_nan_and_offsets_as_far_as_the_longest():
    header, made, batch = golden.bursts()
    found = gather([header, made, batch.slice(slice(0, 1)), batch.slice(slice(1, 3))]).only
    np.testing.assert_array_equal(found["ex"][0], np.array([0.5, -0.25, np.nan], dtype="f4"))
    assert [len(row) for row in found["ex"]] == [3, 0, 2]
    assert found["time.offset"].tolist() == [0.0, 0.5, 1.0]
    assert np.isnan(found["gain"][1])


def test_files_are_bytes_and_runs_within_runs_are_lists_of_arrays():
    found = gather(golden.pictures()).only
    assert found["image"].tolist() == [b"\x00\xff\n", b"\x07"]
    assert [[each.tolist() for each in row] for row in found["remarks"]] == [[["ARC"], ["STAR, FIELD", ""]], []]


def test_xarray_holds_runs_as_objects_over_the_record():
    pytest.importorskip("xarray")
    found = gather(golden.bursts()).to_xarray()["bursts"]
    assert found["ex"].dims == found["gain"].dims


def test_xarray_has_the_coordinates_as_dimensions():
    pytest.importorskip("xarray")
    made = dataset()
    found = gather([made, records(made, [0.0], [[1, 2]])]).to_xarray()["mag"]
    assert found["b"].dims == ("time", "frequency")
    assert found["b"].attrs["units"] == "nT"
    assert set(found.coords) == {"time", "frequency"}


def test_whether_a_name_is_there_is_no_error():
    """`in` and `get` are those of any mapping; only what is asked for and is not there is an error."""
    made = dataset()
    answer = gather([StreamHeader(), made, records(made, [0.0], [[1.0, 2.0]])])
    assert "mag" in answer
    assert "b" in answer.only
    for held in (answer, answer.only):
        assert "nothing" not in held
        assert 7 not in held
        assert held.get("nothing") is None
        assert held.get("nothing", 5) == 5
        with pytest.raises(QueryError, match="nothing"):
            held["nothing"]
    assert answer.get("mag") is answer["mag"]
    assert answer.only.get("b") is answer.only["b"]

# SPDX-License-Identifier: GPL-3.0-or-later
"""Only the variables that were asked for, and only the part of an axis, of das2 and das3 streams."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest

from dasflex_core.arrays import (
    VARIES,
    Dataset,
    Dimension,
    NoData,
    Records,
    Sequence,
    StreamHeader,
    Variable,
)
from dasflex_core.errors import QueryError
from dasflex_core.run.reducing import PerDataset
from dasflex_core.testing import ReducerContract
from dasflex_core.testing.comparing import difference, in_pieces, merged
from dasflex_das.das2_decoder import Das2Decoder
from dasflex_das.das2_encoder import Das2BinaryEncoder
from dasflex_reduce.admitting import select
from dasflex_reduce.subset import Cut, Select

PACKET = """<packet><x type="little_endian_real8" units="us2000"/>
<y name="Bx" type="little_endian_real4" units="nT"/><y name="By" type="little_endian_real4" units="nT"/>
<yscan name="E" type="little_endian_real4" nitems="5" yUnits="Hz" yTags="10,20,30,40,50" zUnits="V"/>
<yscan name="D" type="little_endian_real4" nitems="3" yUnits="kHz" yTagInterval="2" yTagMin="1" zUnits="V"/></packet>"""


def das2(count=3):
    head = '<stream version="2.2"/>'
    rows = np.zeros(count, dtype=[("tag", "S4"), ("x", "<f8"), ("b", "<f4", 2), ("e", "<f4", 5), ("d", "<f4", 3)])
    rows["tag"] = b":01:"
    rows["x"] = np.arange(count)
    rows["b"] = [1, 2]
    rows["e"] = np.arange(5)
    rows["d"] = np.arange(3)
    decoder = Das2Decoder()
    data = f"[00]{len(head):06d}{head}[01]{len(PACKET):06d}{PACKET}".encode() + rows.tobytes()
    return [*decoder.feed(data), *decoder.finish()]


def das3(count=4):
    """Two roles of B over a frequency by a rule, a label, and a scalar over an altitude."""
    index = (VARIES, 6)
    time = Variable("time", "center", "datetime", "TT2000", (VARIES, None), np.dtype("<i8"))
    altitude = Variable("alt", "center", "real", "km", (VARIES, None), np.dtype("f8"), fill=-1.0)
    rule = (Sequence("5", ("-", "5")),)
    values = 5.0 + 5 * np.arange(6)
    frequency = Variable("f", "center", "real", "Hz", (None, 6), np.dtype("f8"), values=values, sequences=rule)
    mean = Variable("B", "center", "real", "nT", index, np.dtype("f4"))
    peak = replace(mean, name="B.max", role="max")
    density = Variable("n", "center", "real", "cm**-3", (VARIES, None), np.dtype("f4"))
    dataset = Dataset(
        4,
        "four",
        index,
        (
            Dimension("time", "time", coordinate=True, variables=(time,), axis="x"),
            Dimension("altitude", "altitude", coordinate=True, variables=(altitude,)),
            Dimension("freq", "frequency", coordinate=True, variables=(frequency,), axis="y"),
            Dimension("B", "B", coordinate=False, variables=(mean, peak)),
            Dimension("n", "density", coordinate=False, variables=(density,)),
        ),
        ("time", "alt", "B", "B.max", "n"),
    )
    columns = {
        "time": np.arange(count, dtype="<i8"),
        "alt": np.arange(count) * 100.0,
        "B": np.tile(np.arange(6, dtype="f4"), (count, 1)),
        "B.max": np.tile(np.arange(6, dtype="f4") + 10, (count, 1)),
        "n": np.arange(count, dtype="f4"),
    }
    return [StreamHeader(3), dataset, Records(dataset, columns)]


def selected(items, *names):
    stage = Select(names=names)
    return [*(out for item in items for out in stage.feed(item)), *stage.finish()]


def cut(items, coord, low=None, high=None):
    stage = PerDataset(Cut.spec, lambda: Cut(coord=coord, low=low, high=high))
    return [*(out for item in items for out in stage.feed(item)), *stage.finish()]


def test_planes_of_das2_are_kept_by_name_in_any_case_with_the_axes_that_they_use():
    _, dataset, batch = selected(das2(), "by", "e")
    assert dataset.wire == ("time", "By", "E")
    assert dataset.index == (VARIES, 5)
    assert [each.name for each in dataset.dimensions] == ["time", "frequency", "By", "E"]
    assert dataset["E"].axis("Hz").values.tolist() == [10, 20, 30, 40, 50]
    assert set(batch.columns) == {"time", "By", "E"}


def test_an_index_that_nothing_uses_goes_and_rules_follow():
    _, dataset, batch = selected(das2(), "D")
    assert dataset.index == (VARIES, 3)
    rule = dataset["D"].axis("kHz").sequences[0]
    assert rule.intervals == ("-", "2")
    assert batch["D"].shape == (3, 3)
    encoder = Das2BinaryEncoder()
    text = b"".join(each for item in (_, dataset, batch) for each in encoder.feed(item))
    assert b'yTagInterval="2" yTagMin="1"' in text


def test_a_dimension_has_all_its_roles_and_one_variable_has_its_own():
    assert selected(das3(), "B")[1].wire == ("time", "alt", "B", "B.max")
    assert selected(das3(), "b.MAX")[1].wire == ("time", "alt", "B.max")
    assert selected(das3(), "N")[1].index == (VARIES,)


def test_a_name_that_nothing_has_is_an_error_that_names_what_there_is():
    with pytest.raises(QueryError, match=r"'Bq': there is no such variable. There are Bx, By, E, D"):
        selected(das2(), "Bx", "Bq")


def test_names_may_belong_to_different_datasets_and_others_are_left_out():
    first, second = das2(), das3()
    items = [first[0], first[1], second[1], first[2], second[2]]
    found = selected(items, "Bx", "n")
    assert [type(each).__name__ for each in found] == ["StreamHeader", "Dataset", "Dataset", "Records", "Records"]
    found = selected(items, "n")
    assert [each.name for each in found if isinstance(each, Dataset)] == ["four"]


def test_records_of_other_variables_only_are_no_data():
    first, second = das2(), das3()
    assert isinstance(selected([first[0], first[1], second[1], second[2]], "Bx")[-1], NoData)


def test_no_values_are_copied():
    items = das2()
    _, _, batch = selected(items, "E")
    assert np.shares_memory(batch["E"], items[2]["E"])
    _, _, batch = cut(items, "frequency", 20, 45)
    assert np.shares_memory(batch["E"], items[2]["E"])


def test_an_axis_is_cut_to_the_half_open_range():
    _, dataset, batch = cut(das2(), "frequency", 20, 40)
    assert dataset["E"].axis("Hz").values.tolist() == [20, 30]
    assert dataset["E"].axis("Hz").text == "20,30"
    assert batch["E"].tolist() == [[1, 2]] * 3


def test_a_rule_begins_where_the_range_does():
    _, dataset, batch = cut(das3(), "FREQ", 12.5, None)
    axis = dataset["B"].axis("Hz")
    assert axis.values.tolist() == [15, 20, 25, 30]
    assert float(axis.sequences[0].minimum) == 15
    assert dataset.index == (VARIES, 4)
    assert batch["B.max"].tolist() == [[12, 13, 14, 15]] * 4
    assert batch["n"].tolist() == [0, 1, 2, 3]


def test_variables_with_nothing_in_the_range_are_left_out():
    _, dataset, _batch = cut(das2(), "frequency", 20, 1000)
    assert "D" not in dataset.wire
    items = das3()
    found = cut(items, "frequency", 1000, None)
    assert found[1].wire == ("time", "alt", "n")
    assert isinstance(cut(selected(items, "B"), "frequency", 1000, None)[-1], NoData)


def test_a_coordinate_of_each_record_cuts_records():
    *_, batch = cut(das3(), "altitude", 100, 300)
    assert batch["n"].tolist() == [1, 2]
    assert isinstance(cut(das3(), "altitude", 1000, None)[-1], NoData)


def test_an_axis_that_differs_from_record_to_record_is_refused():
    header, dataset, _ = das3()
    moving = replace(dataset.variables["f"], index=(VARIES, 6), values=None)
    dataset = dataset.swap(dataset.variables["f"], moving)
    with pytest.raises(QueryError, match="differs from record to record"):
        cut([header, dataset], "freq", 1, None)


def test_a_stream_without_the_axis_passes():
    items = selected(das2(), "Bx")
    assert not difference(merged(cut(items, "frequency", 1, 2)), merged(items))


def test_a_definition_that_states_its_data_knows_what_is_unknown():
    class Source:
        coords: ClassVar = {}
        data: ClassVar = {"Bx": None, "By": None}

    assert select({"read.data": "bx,BY"}, Source()) is True
    assert select({"read.data": "Bz"}, Source()) == "there is no data variable 'Bz'. There are Bx, By"


def test_how_records_are_cut_into_batches_changes_nothing():
    for size in (1, 2):
        assert not difference(merged(selected(in_pieces(das2(), size), "e")), merged(selected(das2(), "e")))


class TestCutContract(ReducerContract):
    reducer = Cut
    plugin = "dasflex_reduce.plugin"
    options: ClassVar = {"low": 15.0}

    def run(self, items):
        stage = PerDataset(Cut.spec, lambda: Cut(coord="frequency", **self.options))
        return [*(out for item in items for out in stage.feed(item)), *stage.finish()]

    def streams(self):
        return {"das2": das2(), "das3": das3(9)}


class TestSelectContract(ReducerContract):
    reducer = Select
    plugin = "dasflex_reduce.plugin"
    options: ClassVar = {"names": ("E",)}

    def streams(self):
        return {"das2": das2(), "das3": das3(9)}

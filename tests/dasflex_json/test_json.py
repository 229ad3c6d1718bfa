# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written is one object of JSON that any parser reads, and that holds all that the arrays hold."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dasflex_core.arrays import (
    VARIES,
    Comment,
    Dataset,
    Dimension,
    NoData,
    Problem,
    Properties,
    Property,
    Ragged,
    Records,
    Sequence,
    StreamHeader,
    Variable,
)
from dasflex_core.errors import SourceError
from dasflex_core.streamtype import ARRAYS
from dasflex_core.testing import FormatterContract
from dasflex_json import plugin
from dasflex_json.formatter import JsonFormatter, JsonLinesFormatter, Writing
from dasflex_json.lines import LinesFramer, comment_line, problem_line

if TYPE_CHECKING:
    from pathlib import Path

    from dasflex_core.stages import Decoder

TIME = Variable("time", "center", "datetime", "UTC", (VARIES, None), np.dtype("M8[ns]"))
TAGS = Variable("frequency", "center", "real", "Hz", (None, 3), np.dtype("f4"), values=np.array([1, 10.5, 1e6], "f4"))
PSD = Variable("psd", "center", "real", "V", (VARIES, 3), np.dtype(">f4"), fill=-1e31, label="Density")
COUNT = Variable("count", "center", "integer", "", (VARIES, None), np.dtype("i8"), fill=-1)
NAME = Variable("name", "center", "string", "", (VARIES, None), np.dtype("S6"))
FLAG = Variable("flag", "center", "bool", "", (VARIES, None), np.dtype("u1"))


def dataset(*data: Variable) -> Dataset:
    """A dataset of times, frequencies and these data."""
    dimensions = (
        Dimension("time", "time", True, (TIME,)),
        Dimension("frequency", "frequency", True, (TAGS,)),
        *(Dimension(each.name, each.name, False, (each,)) for each in data),
    )
    return Dataset(7, "survey", (VARIES, 3), dimensions, ("time", *(each.name for each in data)))


SURVEY = dataset(PSD, COUNT, NAME, FLAG)
TIMES = np.array(["2031-04-02T01:02:03.5", "NaT"], "M8[ns]")
BATCH = Records(
    SURVEY,
    {
        "time": TIMES,
        "psd": np.array([[0.1, -1e31, np.inf], [np.nan, 1.5, -2e-30]], ">f4"),
        "count": np.array([2**60, -1], "i8"),
        "name": np.array(["a\u00e9b".encode(), b'c"d'], "S6"),
        "flag": np.array([1, 0], "u1"),
    },
)


def written(items: list[object], *, lines: bool = False, **options: object) -> bytes:
    """The bytes that come of the items."""
    formatter: Writing = JsonLinesFormatter() if lines else JsonFormatter(**options)
    return b"".join(chunk for item in items for chunk in formatter.feed(item)) + b"".join(formatter.finish())


def read(items: list[object], **options: object) -> dict[str, object]:
    """What a parser that takes nothing but JSON reads of it."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    return json.loads(written(items, **options), parse_constant=refuse)


class TestContract(FormatterContract):
    formatter = JsonFormatter
    plugin = "dasflex_json.plugin"


class TestRows(TestContract):
    options: ClassVar = {"shape": "rows", "secfrac": 0}


class TestLines(FormatterContract):
    formatter = JsonLinesFormatter
    plugin = "dasflex_json.plugin"


@pytest.mark.parametrize(("declared", "made"), [*zip(plugin.STAGES, (JsonFormatter, JsonLinesFormatter), strict=True)])
def test_the_class_and_the_hand_written_declaration_are_one(declared, made):
    assert replace(declared, origin="", bundled=False) == replace(made.spec, origin="", bundled=False)


def test_the_registry_finds_the_stage_and_the_type(dasflex_registry):
    stage = next(stage for stage in dasflex_registry.stages if stage.produces == plugin.JSON)
    assert (stage.origin, stage.accepts, stage.role) == ("json", ARRAYS, "formatter")
    assert dasflex_registry.by_suffix("json").media_type == "application/json"
    assert dasflex_registry.by_suffix("jsonl").type == plugin.JSON_LINES
    assert isinstance(dasflex_registry.framer(plugin.JSON_LINES), LinesFramer)


def test_columns_hold_every_value_with_null_for_what_is_missing():
    found = read([StreamHeader(), SURVEY, BATCH])
    assert found["items"][1] == {
        "records": 7,
        "count": 2,
        "columns": {
            "time": ["2031-04-02T01:02:03.500000000", None],
            "psd": [[0.1, None, None], [None, 1.5, -2e-30]],
            "count": [2**60, None],
            "name": ["a\u00e9b", 'c"d'],
            "flag": [True, False],
        },
    }
    assert (found["form"], found["records"], found["complete"]) == ("dasflex-1", 2, True)


def test_rows_are_the_same_values_record_by_record():
    found = read([StreamHeader(), SURVEY, BATCH], shape="rows", secfrac=1)
    assert found["items"][1]["rows"] == [
        ["2031-04-02T01:02:03.5", [0.1, None, None], 2**60, "a\u00e9b", True],
        [None, [None, 1.5, -2e-30], None, 'c"d', False],
    ]


def test_lines_are_the_same_items_each_an_object_of_its_own():
    items = [StreamHeader(), SURVEY, BATCH, Comment("log:info", "a\nb"), BATCH, Problem("ServerError", "gone")]
    first, *lines, last = [json.loads(line) for line in written(items, lines=True).splitlines()]
    whole = read(items)
    assert first == {name: whole[name] for name in ("form", "stream")}
    assert lines == whole["items"]
    assert last == {"records": 4, "complete": False}


@pytest.mark.parametrize("shape", ["columns", "rows", "lines"])
def test_what_is_flushed_makes_another_item_and_loses_nothing(shape):
    formatter = JsonLinesFormatter() if shape == "lines" else JsonFormatter(shape=shape)
    given = [*formatter.feed(StreamHeader()), *formatter.feed(SURVEY), *formatter.feed(BATCH)]
    assert not b"".join(given).count(b'"records":7')
    flushed = b"".join(formatter.flush())
    assert flushed.count(b'"records":7') == 1
    assert [*formatter.flush()] == []
    rest = [*formatter.feed(BATCH), *formatter.finish()]
    text = b"".join([*given, flushed, *rest])
    if shape == "lines":
        assert flushed.endswith(b"}\n")
        found = [json.loads(line) for line in text.splitlines()]
        assert (found[2]["count"], found[3]["count"], found[4]["records"]) == (2, 2, 4)
    else:
        found = json.loads(text)
        assert [item.get("count") for item in found["items"]] == [None, 2, 2]


@given(st.lists(st.integers(0, 2000), max_size=8))
def test_lines_are_framed_by_what_they_are_however_they_are_cut(places):
    items = [
        StreamHeader(),
        SURVEY,
        BATCH,
        Comment("log:info", "a"),
        SURVEY,
        BATCH,
        NoData("nothing"),
        Problem("A", "b"),
    ]
    text = (
        written(items, lines=True)
        + comment_line("log:warning", "dasflex", "x\u2028\ud800")
        + problem_line("query.a", "y")
    )
    framer = LinesFramer()
    cuts = [0, *sorted(min(each, len(text)) for each in places), len(text)]
    frames = [frame for first, last in pairwise(cuts) for frame in framer.feed(text[first:last])]
    assert [*framer.finish()] == []
    assert b"".join(frame.data for frame in frames) == text
    kinds = [(frame.kind, frame.id) for frame in frames]
    declared, data, remark, problem = ("dataset", 7), ("data", 7), ("comment", 0), ("problem", 0)
    assert kinds == [("header", 0), declared, data, remark, declared, data, remark, problem, remark, remark, problem]
    for frame in frames:
        json.loads(frame.data)
    assert json.loads(frames[-1].data) == {"problem": "QueryError", "message": "y"}


def test_half_a_line_and_other_lines_are_told():
    framer = LinesFramer()
    assert [*framer.feed(b'{"records":1,"cou')] == []
    with pytest.raises(SourceError, match="17 bytes") as cut:
        framer.finish()
    assert cut.value.kind == "source.truncated"
    with pytest.raises(SourceError, match="none of dasflex's"):
        [*LinesFramer().feed(b"[1]\n")]


def test_nothing_at_all_is_two_lines():
    assert [json.loads(line) for line in written([], lines=True).splitlines()] == [
        {"form": "dasflex-1", "stream": {"title": "", "properties": {}}},
        {"records": 0, "complete": True},
    ]


def test_the_declaration_says_what_each_variable_is_and_holds_what_does_not_change():
    time, frequency, psd, *_others = read([SURVEY])["items"][0]["variables"]
    assert (time["semantic"], time["units"], time["index"], time["column"]) == (
        "datetime",
        "UTC",
        ["records", None],
        True,
    )
    assert (frequency["values"], frequency["column"]) == ([1.0, 10.5, 1e6], False)
    assert (psd["axes"], psd["label"], psd["fill"]) == (["time", "frequency"], "Density", -1e31)
    assert (psd["index"], psd["coordinate"]) == (["records", 3], False)


def test_the_rule_of_values_that_no_stream_holds_is_told():
    offset = replace(
        TAGS, name="offset", role="offset", units="s", values=None, sequences=(Sequence("0", ("-", "0.5")),)
    )
    told = read([dataset(PSD).swap(TAGS, offset)])["items"][0]["variables"][1]
    assert told["sequence"] == [{"minimum": "0", "intervals": ["-", "0.5"]}]
    assert "values" not in told


def test_the_header_and_its_properties_come_first():
    title = Property("title", 'A "title"', "String")
    width = Property("xTagWidth", "128", "Datum", "s")
    stream = read([StreamHeader(properties=Properties((title, width)))])["stream"]
    assert stream["title"] == 'A "title"'
    assert stream["properties"]["xTagWidth"] == {"type": "Datum", "value": "128", "units": "s"}


def test_an_empty_answer_is_an_object_too():
    assert read([NoData("Nothing in 2031")])["items"] == [{"nodata": "Nothing in 2031"}]
    assert read([]) == {
        "form": "dasflex-1",
        "stream": {"title": "", "properties": {}},
        "items": [],
        "records": 0,
        "complete": True,
    }


def test_a_failure_is_told_and_the_answer_is_not_complete():
    found = read([StreamHeader(), SURVEY, BATCH, Problem("ServerError", "the reader died"), Comment("log:info", "x")])
    assert found["items"][2] == {"problem": "ServerError", "message": "the reader died"}
    assert (found["complete"], found["records"]) == (False, 2)


def test_records_without_a_declaration_are_an_error_of_the_source():
    with pytest.raises(SourceError, match="before its declaration"):
        written([StreamHeader(), BATCH])


def test_runs_nest_as_they_do_in_the_stream():
    wave = Variable("wave", "center", "real", "V", (VARIES, VARIES, VARIES), np.dtype("f4"), fill=-1.0)
    column = Ragged(Ragged(np.array([1, 2, -1], "f4"), np.array([0, 1, 1, 3])), np.array([0, 0, 3]))
    stream = replace(dataset(wave), index=(VARIES, VARIES, VARIES))
    batch = Records(stream, {"time": TIMES, "wave": column})
    assert read([stream, batch])["items"][1]["columns"]["wave"] == [[], [[1.0], [], [2.0, None]]]


def test_files_in_the_stream_are_base64():
    picture = Variable("picture", "center", "blob", "", (VARIES, None), np.dtype("u1"))
    data = np.frombuffer(b"\x89PNG\0", "u1")
    batch = Records(dataset(picture), {"time": TIMES, "picture": Ragged(data, np.array([0, 5, 5]))})
    found = read([dataset(picture), batch])["items"][1]["columns"]["picture"]
    assert [base64.b64decode(each) for each in found] == [b"\x89PNG\0", b""]


def test_a_large_batch_comes_in_pieces_that_hold_all_of_it():
    count = 300_000
    stream = dataset(COUNT)
    batch = Records(stream, {"time": np.arange(count).astype("M8[s]").astype("M8[ns]"), "count": np.arange(count)})
    formatter = JsonFormatter()
    pieces = [*formatter.feed(stream), *formatter.feed(batch.slice(slice(0, 100))), *formatter.feed(batch)]
    pieces += formatter.finish()
    assert max(map(len, pieces)) < 1 << 22
    items = json.loads(b"".join(pieces))["items"][1:]
    assert [value for item in items for value in item["columns"]["count"]] == [*range(100), *range(count)]


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=20))
def test_reals_read_back_as_the_same_numbers(numbers):
    real = Variable("real", "center", "real", "", (VARIES, None), np.dtype("f4"))
    column = np.array(numbers, "f4")
    batch = Records(dataset(real), {"time": np.zeros(len(column), "M8[ns]"), "real": column})
    for shape in ("columns", "rows"):
        item = read([dataset(real), batch], shape=shape)["items"][1]
        values = item["columns"]["real"] if shape == "columns" else [row[1] for row in item["rows"]]
        assert np.array_equal(np.array(values, "f4"), column)


def test_real_streams_of_missions_can_be_parsed(test_data: Path):
    from dasflex_das.das2_decoder import Das2Decoder
    from dasflex_das.das3_decoder import Das3Decoder

    paths = sorted([*test_data.glob("das2/*.d2[st]"), *test_data.glob("das3/ex*.d3[bt]")])
    assert len(paths) > 20
    for path in paths:
        decoder: Decoder = Das2Decoder() if path.suffix in (".d2s", ".d2t") else Das3Decoder()
        items = [*decoder.feed(path.read_bytes()), *decoder.finish()]
        found = read(items)
        counts = sum(len(item) for item in items if isinstance(item, Records))
        assert found["records"] == counts, path.name

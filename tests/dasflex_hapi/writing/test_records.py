# SPDX-License-Identifier: GPL-3.0-or-later
"""Arrays become records of HAPI that csv, binary and JSON readers read back as the same values."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dasflex_core.arrays import VARIES, Dataset, Dimension, Ragged, Records, StreamHeader, Variable
from dasflex_core.errors import QueryError, SourceError
from dasflex_core.stages import spec_of
from dasflex_core.testing import FormatterContract, golden
from dasflex_core.testing.strategies import streams
from dasflex_hapi.info import Parameter
from dasflex_hapi.plugin import STAGES
from dasflex_hapi.writing.describing import from_plain, parameter_json, plain
from dasflex_hapi.writing.form import Wishes, form_of
from dasflex_hapi.writing.learning import learn
from dasflex_hapi.writing.stages import HapiBinary, HapiCsv, HapiJson

ONE = ("scalars", "spectra", "waveform", "vectors", "states", "bursts")
#: What a verifier takes for a number in csv.
NUMBER = re.compile(r"NaN|[-+]?\d*\.?\d+([eE][-+]?\d{1,3})?")


class _Contract(FormatterContract):
    """What every formatter must keep, for a stream of the form that it is told."""

    plugin = "dasflex_hapi.plugin"
    options: ClassVar = {"form": form_of(golden.scalars()[1]).digest}

    def streams(self):
        return {"scalars": golden.scalars()}


class TestCsv(_Contract):
    """The same for csv."""

    formatter = HapiCsv


class TestBinary(_Contract):
    """The same for the binary form."""

    formatter = HapiBinary


class TestJson(_Contract):
    """The same for JSON."""

    formatter = HapiJson


def written(kind, items, learned=None, **options):
    """The bytes of all records of a stream."""
    form = (learned or learn(items)).form
    sizes = tuple(f"{name}:{count}" for name, count in form.wishes.sizes)
    stage = kind(form=form.digest, sizes=sizes, varying=form.wishes.varying, **options)
    return b"".join([*(chunk for item in items for chunk in stage.feed(item)), *stage.finish()])


def from_csv(form, text):
    """The values of each parameter, as a client reads them from csv."""
    rows = list(csv.reader(io.StringIO(text.decode(), newline="")))
    found, at = {}, 0
    for each in form.parameters:
        cells = np.array([row[at : at + each.count] for row in rows], dtype=object)
        assert cells.shape == (len(rows), each.count)
        if each.type in ("double", "integer"):
            assert all(NUMBER.fullmatch(cell) for cell in cells.flat)
        kind = {"double": "f8", "integer": "i4"}.get(each.type)
        values = cells.astype(kind) if kind else np.array([cell.encode() for cell in cells.flat])
        found[each.name] = values.reshape(len(rows), *each.size)
        at += each.count
    assert all(len(row) == at for row in rows)
    return found


def from_binary(form, data):
    """The values of each parameter, as a client reads them from the binary form."""
    kinds = {"double": "<f8", "integer": "<i4"}
    fields = [(each.name, kinds.get(each.type, f"S{each.length}"), each.size) for each in form.parameters]
    rows = np.frombuffer(data, dtype=fields)
    return {each.name: rows[each.name] for each in form.parameters}


def from_json(form, text):
    """The values of each parameter, as a client reads them from JSON."""
    rows = json.loads(b"[" + text + b"]")
    found = {}
    for place, each in enumerate(form.parameters):
        cells = [row[place] for row in rows]
        if each.type in ("double", "integer"):
            found[each.name] = np.array(cells, dtype={"double": "f8", "integer": "i4"}[each.type])
        else:
            flat = np.array(cells, dtype=object)
            found[each.name] = np.array([cell.encode() for cell in flat.flat]).reshape(flat.shape)
        assert found[each.name].shape == (len(rows), *each.size)
    return found


def test_the_declarations_are_those_of_the_classes():
    assert {each.name: each for each in STAGES} == {
        each.spec.name: spec_of(each) for each in (HapiCsv, HapiBinary, HapiJson)
    }


@pytest.mark.parametrize("name", ONE)
def test_all_forms_read_back_as_the_same_values(name):
    items = golden.streams()[name]
    form = learn(items).form
    table = from_binary(form, written(HapiBinary, items))
    for read, kind in ((from_csv, HapiCsv), (from_json, HapiJson)):
        found = read(form, written(kind, items))
        for each in form.parameters:
            np.testing.assert_array_equal(found[each.name], table[each.name])


@pytest.mark.parametrize("name", ONE)
def test_values_are_those_of_the_stream_and_missing_ones_the_fill(name):
    items = golden.streams()[name]
    form = learn(items).form
    batch = next(each for each in items if isinstance(each, Records))
    table = from_binary(form, written(HapiBinary, items))
    for shown in form.shown[1:]:
        own = table[shown.parameter.name]
        column = batch[shown.variable]
        if isinstance(column, Ragged):
            runs = [own[row][: column.offsets[row + 1] - column.offsets[row]] for row in range(len(batch))]
            rest = [own[row][column.offsets[row + 1] - column.offsets[row] :] for row in range(len(batch))]
            assert (np.concatenate(rest) == float(shown.parameter.fill)).all()
            own, column = np.concatenate(runs), column.leaves
        if shown.parameter.type == "double":
            np.testing.assert_array_equal(
                own, np.where(np.isclose(column, -1e31) | np.isnan(column), -1e31, column.astype("f8"))
            )
        else:
            np.testing.assert_array_equal(own, column)


def _described(form):
    return [parameter_json(each) for each in form.parameters]


def test_a_spectrum_is_described_with_its_bins():
    time, psd = _described(learn(golden.spectra()).form)
    assert time == {"name": "Time", "type": "isotime", "length": 30, "units": "UTC", "fill": None}
    assert psd == {
        "name": "psd", "type": "double", "size": [3], "units": "V**2 m**-2 Hz**-1", "fill": "-1e+31",
        "bins": [{"name": "frequency", "units": "Hz", "centers": [10.0, 20.0, 40.0]}],
    }  # fmt: skip


def test_the_time_of_a_waveform_is_that_of_its_first_sample():
    learned = learn(golden.waveform())
    assert learned.form.stamp == "begin"
    assert _described(learned.form)[1]["bins"] == [
        {"name": "time_offset", "units": "s", "centers": [0.0, 0.5, 1.0, 1.5]}
    ]


def test_bursts_have_room_for_the_longest_and_the_offsets_of_all_samples():
    form = learn(golden.bursts()).form
    _, ex, gain = _described(form)
    assert form.wishes == Wishes((("ex", 3),))
    assert (ex["size"], gain["type"], gain["units"], gain["fill"]) == ([3], "integer", "dB", "255")
    assert ex["bins"] == [{"name": "time_offset", "units": "s", "centers": [0.0, 0.5, 1.0]}]


def test_a_vector_has_components_and_a_frame():
    b = _described(learn(golden.vectors()).form)[1]
    assert (b["size"], b["vectorComponents"], b["coordinateSystemName"]) == ([3], ["x", "y", "z"], "SM")
    assert "bins" not in b


def test_texts_numbers_and_states_have_their_types():
    _, count, on, mode = _described(learn(golden.states()).form)
    assert [count["type"], on["type"], mode["type"]] == ["integer", "integer", "string"]
    assert (mode["length"], mode["units"], count["fill"]) == (12, None, "-2147483647")


@pytest.mark.parametrize("name", ONE)
def test_a_form_that_was_kept_is_the_same(name):
    form = learn(golden.streams()[name]).form
    kept = from_plain(json.loads(json.dumps(plain(form))))
    assert kept == form
    assert kept.digest == form.digest


def test_several_kinds_of_record_are_refused_by_name():
    with pytest.raises(QueryError, match=r"packet_01 and spectra .*read\.data"):
        learn(golden.two_datasets())


def test_whole_files_are_refused_by_name():
    with pytest.raises(QueryError, match=r"image of dataset pictures holds whole files.*hapi"):
        learn(golden.pictures())


def test_nothing_cannot_be_described():
    with pytest.raises(SourceError, match="no records"):
        learn(golden.nothing())


def test_the_range_is_half_open_and_counts_in_what_is_written():
    """Times are :00.5, :04.5 and :08.5."""
    items = golden.scalars()

    def seconds(start, stop):
        text = written(HapiCsv, items, start=f"2031-04-02T00:00:{start}Z", stop=f"2031-04-02T00:00:{stop}Z")
        return [float(line[17:23]) for line in text.decode().splitlines()]

    assert seconds("00.5", "08.5") == [0.5, 4.5]
    assert seconds("00.500000001", "08.500000001") == [4.5, 8.5]
    assert seconds("00", "00.5") == []
    assert seconds("05", "08") == []


def _times(values, dtype="f8", units="us2000"):
    time = Variable("time", "center", "datetime", units, (VARIES,), np.dtype(dtype))
    x = Variable("x", "center", "real", "nT", (VARIES,), np.dtype("f8"))
    dimensions = (
        Dimension("time", "time", coordinate=True, variables=(time,)),
        Dimension("x", "x", coordinate=False, variables=(x,)),
    )
    dataset = Dataset(1, "d", (VARIES,), dimensions, ("time", "x"))
    columns = {"time": np.array(values, dtype=dtype), "x": np.arange(len(values), dtype="f8")}
    return [StreamHeader(), dataset, Records(dataset, columns)]


def test_a_time_is_selected_as_it_is_written():
    """A double of μs is a fraction of one before the hour, and is written as the hour: it belongs to the hour."""
    items = _times([599_999_999.99999994, 1_200_000_000.0])
    options = {"start": "2000-01-01T00:10:00Z", "stop": "2000-01-01T00:20:00Z"}
    assert written(HapiCsv, items, **options) == b"2000-01-01T00:10:00.000000Z,0.0\n"
    before = {"start": "2000-01-01T00:00:00Z", "stop": "2000-01-01T00:10:00Z"}
    assert written(HapiCsv, items, **before) == b""


def test_records_without_a_time_are_left_out():
    items = _times([np.nan, 1e6])
    assert written(HapiCsv, items) == b"2000-01-01T00:00:01.000000Z,1.0\n"


def test_infinities_are_missing():
    items = _times([0.0, 1e6, 2e6])
    items[2].columns["x"][:] = [np.inf, -np.inf, np.nan]
    assert [line.split(b",")[1] for line in written(HapiCsv, items).splitlines()] == [b"NaN"] * 3
    assert [row[1] for row in json.loads(b"[" + written(HapiJson, items) + b"]")] == [None] * 3


def test_chosen_parameters_are_written_and_the_time_always():
    items = golden.scalars()
    assert written(HapiCsv, items, parameters=("Time", "by")).splitlines()[0] == b"2031-04-02T00:00:00.500Z,-3.25"
    assert written(HapiCsv, items, parameters=("Time",)).splitlines()[0] == b"2031-04-02T00:00:00.500Z"
    assert len(written(HapiBinary, items, parameters=("Time", "bx"))) == 3 * 32
    assert json.loads(b"[" + written(HapiJson, items, parameters=("Time",)) + b"]")[2] == ["2031-04-02T00:00:08.500Z"]
    with pytest.raises(QueryError, match="there is no bz; there are Time, bx, by"):
        written(HapiCsv, items, parameters=("bz",))


def _spectra(*tables, rows=2):
    """Spectra that are declared anew for each table of frequencies."""
    items = [StreamHeader()]
    for turn, table in enumerate(tables):
        tags = np.array(table, dtype="f8")
        time = Variable("time", "center", "datetime", "us2000", (VARIES, None), np.dtype("f8"))
        axis = Variable("frequency", "center", "real", "Hz", (None, len(tags)), np.dtype("f8"), values=tags)
        psd = Variable("psd", "center", "real", "V**2", (VARIES, len(tags)), np.dtype("f4"), fill=-1e31)
        dimensions = (
            Dimension("time", "time", coordinate=True, variables=(time,)),
            Dimension("frequency", "frequency", coordinate=True, variables=(axis,)),
            Dimension("psd", "psd", coordinate=False, variables=(psd,)),
        )
        dataset = Dataset(1, "spectra", (VARIES, len(tags)), dimensions, ("time", "psd"))
        times = (np.arange(rows) + turn * rows) * 1e6
        items += [dataset, Records(dataset, {"time": times, "psd": np.ones((rows, len(tags)), dtype="f4")})]
    return items


def test_another_table_of_frequencies_becomes_bins_of_each_record():
    items = _spectra([1, 2, 3], [2, 4, 6])
    form = learn(items).form
    _, frequency, psd = _described(form)
    assert form.wishes == Wishes((), ("frequency",))
    assert (frequency["size"], frequency["units"], "bins" in frequency) == ([3], "Hz", False)
    assert psd["bins"] == [{"name": "frequency", "units": "Hz", "centers": "frequency"}]
    table = from_binary(form, written(HapiBinary, items))
    assert table["frequency"].tolist() == [[1, 2, 3]] * 2 + [[2, 4, 6]] * 2


def test_another_number_of_channels_has_room_for_the_most():
    items = _spectra([1, 2, 3], [1, 2])
    form = learn(items).form
    table = from_binary(form, written(HapiBinary, items))
    assert dict(form.wishes.sizes) == {"frequency": 3, "psd": 3}
    np.testing.assert_array_equal(table["frequency"][2:], [[1, 2, np.nan]] * 2)
    assert table["psd"].tolist() == [[1, 1, 1]] * 2 + [[1, 1, -1e31]] * 2


def test_records_of_another_form_than_was_described_are_refused():
    learned = learn(_spectra([1, 2, 3]))
    with pytest.raises(SourceError, match=r"no longer what the description .* says\. Describe it anew"):
        written(HapiCsv, _spectra([1, 2, 4]), learned)
    again = learn(_spectra([1, 2, 4]), Wishes((), ("frequency",)))
    assert written(HapiCsv, _spectra([1, 2, 3], [1, 2, 4]), again).count(b"\n") == 4


def test_more_values_than_there_is_room_for_are_refused():
    learned = learn(golden.bursts())
    items = golden.bursts()
    items[2].columns["ex"] = Ragged(np.zeros(6, dtype="<f4"), np.array([0, 5, 5, 6]))
    with pytest.raises(SourceError, match="5 values in a record, and its description says 3"):
        written(HapiCsv, items, learned)


def _texts(*texts):
    """Texts of no fixed width, as das3 streams have them."""
    _header, dataset, records = _times([each * 1e6 for each in range(len(texts))])
    mode = Variable("mode", "center", "string", "", (VARIES,), np.dtype("S"))
    dimensions = (*dataset.dimensions, Dimension("mode", "mode", coordinate=False, variables=(mode,)))
    dataset = replace(dataset, dimensions=dimensions, wire=(*dataset.wire, "mode"))
    return [StreamHeader(), dataset, Records(dataset, {**records.columns, "mode": np.array(texts)})]


def test_texts_of_no_fixed_width_have_room_for_more_than_was_seen():
    learned = learn(_texts(b"on", b"survey, slow"))
    mode = _described(learned.form)[2]
    assert (mode["type"], mode["length"], learned.form.wishes.sizes) == ("string", 15, (("mode#", 15),))
    items = _texts(b"a longer mode")
    assert from_binary(learned.form, written(HapiBinary, items, learned))["mode"].tolist() == [b"a longer mode"]
    assert from_csv(learned.form, written(HapiCsv, items, learned))["mode"].tolist() == [b"a longer mode"]
    with pytest.raises(SourceError, match="mode has 16 bytes in a record, and its description says 15"):
        written(HapiCsv, _texts(b"much longer mode"), learned)


def test_the_cadence_is_the_step_of_most_records():
    assert learn(_times([each * 1e6 for each in range(100)])).cadence == 1.0
    with_a_gap = [each * 1e6 for each in range(50)] + [1e12 + each * 1e6 for each in range(50)]
    assert learn(_times(with_a_gap)).cadence == 1.0
    assert learn(_times([0, 1e6, 3e6, 7e6, 15e6])).cadence == 3.0
    assert learn(_times([0, 1e6])).cadence is None


def test_what_is_learned_says_when_records_were_seen():
    learned = learn(golden.scalars())
    begin = int(np.datetime64("2031-04-02T00:00:00.5", "ns").astype("i8"))
    assert (learned.first, learned.last, learned.records) == (begin, begin + 8 * 10**9, 3)


def test_names_are_told_apart_whatever_their_case():
    _header, dataset, _records = _times([0.0])
    extra = [
        Variable(name, "center", "real", "", (VARIES,), np.dtype("f8")) for name in ("X", "1st", "TIME", "a-b", "é")
    ]
    dimensions = (*dataset.dimensions, *(Dimension(v.name, v.name, coordinate=False, variables=(v,)) for v in extra))
    dataset = replace(dataset, dimensions=dimensions, wire=(*dataset.wire, *(v.name for v in extra)))
    names = [each.name for each in form_of(dataset).parameters]
    assert names == ["Time", "x", "X_2", "_1st", "TIME_2", "a_b", "value"]


def _readable(items):
    """What was learned of a stream; None where HAPI cannot hold it."""
    try:
        return learn(items)
    except (QueryError, SourceError):
        return None


@given(data=st.data(), generation=st.sampled_from([2, 3]))
def test_random_streams_read_back_the_same_in_all_forms(data, generation):
    items = data.draw(streams(generation=generation))
    learned = _readable(items)
    if learned is None:
        return
    table = from_binary(learned.form, written(HapiBinary, items, learned))
    for read, kind in ((from_csv, HapiCsv), (from_json, HapiJson)):
        found = read(learned.form, written(kind, items, learned))
        for each in learned.form.parameters:
            if each.type != "string":
                np.testing.assert_array_equal(found[each.name], table[each.name])


def test_units_and_bins_are_written_as_the_standard_wants_them():
    bins = parameter_json(Parameter("a", "double", size=(2,), labels=("one",), units=("",)))
    assert bins == {"name": "a", "type": "double", "size": [2], "units": None, "fill": None, "label": "one"}


def test_real_streams_read_back_the_same_in_all_forms(test_data):
    """Those of one kind of record, which HAPI can hold; the others are refused by name."""
    from dasflex_das.das2_decoder import Das2Decoder
    from dasflex_das.das3_decoder import Das3Decoder

    read_back = 0
    for path in sorted(test_data.glob("das[23]/*.d[23][tsb]")):
        if path.stat().st_size > 2_000_000:
            continue
        decoder = Das2Decoder() if path.parent.name == "das2" else Das3Decoder()
        try:
            items = [*decoder.feed(path.read_bytes()), *decoder.finish()]
        except SourceError:  # such there are among them, on purpose
            continue
        learned = _readable(items)
        if learned is None:
            continue
        table = from_binary(learned.form, written(HapiBinary, items, learned))
        for read, kind in ((from_csv, HapiCsv), (from_json, HapiJson)):
            found = read(learned.form, written(kind, items, learned))
            for each in learned.form.parameters:
                if each.type != "string":
                    np.testing.assert_array_equal(found[each.name], table[each.name], err_msg=path.name)
        read_back += 1
    assert read_back > 20

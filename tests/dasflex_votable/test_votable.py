# SPDX-License-Identifier: GPL-3.0-or-later
"""VOTables are opened by astropy, strictly, with the very values of the stream, and their units are those of VOUnits."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from astropy.io import votable
from astropy.units import Unit
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from dasflex_core import epochs
from dasflex_core.arrays import Dataset, Problem, Ragged, Records, StreamHeader, is_fill
from dasflex_core.errors import QueryError, SourceError
from dasflex_core.record_times import is_time
from dasflex_core.registry import discover
from dasflex_core.stages import spec_of
from dasflex_core.testing import FormatterContract, golden, strategies
from dasflex_votable.formatter import Binary2Formatter, TabledataFormatter
from dasflex_votable.meaning import ucd, vounit
from dasflex_votable.plugin import STAGES

BOTH = pytest.mark.parametrize("made", [TabledataFormatter, Binary2Formatter])
#: Golden streams whose records VOTable has a form for.
ONE = ("scalars", "spectra", "waveform", "vectors", "states", "bursts")


class TestTabledata(FormatterContract):
    """What every formatter must keep."""

    formatter = TabledataFormatter
    plugin = "dasflex_votable.plugin"


class TestBinary2(FormatterContract):
    """The same."""

    formatter = Binary2Formatter
    plugin = "dasflex_votable.plugin"


def written(made, items, **values):
    """The document that a formatter makes of items."""
    formatter = made(**values)
    chunks = [chunk for item in items for chunk in formatter.feed(item)]
    return b"".join([*chunks, *formatter.finish()])


def opened(document):
    """What astropy reads; whatever is not as the standard has it is an error."""
    return votable.parse(io.BytesIO(document), verify="exception")


def same(variable, column, read, number):  # noqa: PLR0911  each kind of value in its own way
    """Whether what was read of a record's value is what was written."""
    if isinstance(column, Ragged):
        values = column.values[column.offsets[number] : column.offsets[number + 1]]
    else:
        values = column[number]
    if isinstance(column, Ragged) and not len(values):  # a null, for which astropy has a number that is masked
        return np.size(np.ma.compressed(read)) <= 1
    mask = np.ma.getmaskarray(read)
    missing = is_fill(np.asarray(values), variable.fill)
    if variable.semantic == "blob":
        return np.ma.getdata(read).astype(np.uint8).tobytes() == np.asarray(values).tobytes()
    if is_time(variable):
        wanted = epochs.to_datetime64(np.asarray(values), variable.units)
        missing = missing | np.isnat(wanted)
        texts = np.where(missing, "", np.datetime_as_string(wanted, unit="ns"))
        got = np.char.rstrip(np.asarray(np.ma.getdata(read)).astype(str), "\0 ")
        return got.reshape(-1).tolist() == texts.reshape(-1).tolist()
    if variable.dtype.kind == "S":
        wanted = np.where(missing, b"", values).astype(bytes)
        wanted = np.char.rstrip(np.strings.decode(np.asarray(wanted), "utf-8", "replace"), " \0")
        return np.char.rstrip(np.asarray(np.ma.getdata(read)).astype(str), "\0 ").tolist() == wanted.tolist()
    if variable.semantic == "bool":
        there = ~np.asarray(missing)
        return np.array_equal(np.ma.getdata(read)[there], (np.asarray(values) != 0)[there]) and mask[~there].all()
    got = np.ma.getdata(read).reshape(np.shape(values))
    mask = mask.reshape(np.shape(values))
    if variable.dtype.kind == "f":
        wanted = np.where(missing, np.nan, values)
        return np.array_equal(np.where(mask, np.nan, got), wanted, equal_nan=True)
    there = ~np.asarray(missing)
    return np.array_equal(np.asarray(got)[there], np.asarray(values)[there]) and (
        not missing.any() or mask[missing].all()
    )


def agrees(document, items):
    """Every value of every record is in the document."""
    table = opened(document).get_first_table()
    rows = 0
    for batch in (each for each in items if isinstance(each, Records)):
        for variable in batch.dataset.columns:
            read = table.array[variable.name]
            for number in range(len(batch)):
                got = read[rows + number]
                assert same(variable, batch[variable.name], got, number), (variable.name, number, got)
        rows += len(batch)
    assert len(table.array) == rows


def agrees_or_is_refused(made, items, *words):
    """The same, or an error that has one of the words."""
    try:
        document = written(made, items)
    except (QueryError, SourceError) as error:
        if not any(each in error.message for each in words):
            raise
    else:
        agrees(document, items)


def test_the_declarations_are_those_of_the_classes():
    assert {each.name: each for each in STAGES} == {
        each.spec.name: spec_of(each) for each in (TabledataFormatter, Binary2Formatter)
    }


@BOTH
@pytest.mark.parametrize("name", ONE)
def test_every_kind_of_data_is_read_back(made, name):
    agrees(written(made, golden.streams()[name]), golden.streams()[name])


@BOTH
@settings(max_examples=30, deadline=timedelta(seconds=5))
@given(data=st.data())
def test_random_datasets_are_read_back(made, data):
    dataset = data.draw(strategies.datasets())
    batch = data.draw(strategies.records(dataset))
    items = [dataset, batch]
    agrees_or_is_refused(made, items, "which no integer of a VOTable holds")


@BOTH
@settings(max_examples=30, deadline=timedelta(seconds=5))
@given(data=st.data())
def test_random_runs_are_read_back_or_refused_by_name(made, data):
    dataset = data.draw(strategies.ragged_datasets())
    items = [dataset, data.draw(strategies.records(dataset))]
    agrees_or_is_refused(made, items, *(each.name for each in dataset.variables.values()))


@pytest.mark.parametrize("made", [TabledataFormatter, Binary2Formatter])
@pytest.mark.parametrize("file", ["das2/juno_waves_sample.d2t", "das2/x_multi_y.d2s", "das3/ex15_vector_frame.d3t"])
def test_real_streams_are_read_back(made, file, test_data):
    from dasflex_core.loading import load

    kind = "das2" if "das2" in file else "das3"
    spec = next(each for each in discover().stages if each.name == f"{kind}-decode")
    decoder = load(spec.factory)()
    items = [*decoder.feed((test_data / file).read_bytes()), *decoder.finish()]
    wanted = next(each.dataset.id for each in items if isinstance(each, Records))
    items = [each for each in items if getattr(getattr(each, "dataset", each), "id", wanted) == wanted]
    agrees(written(made, items), items)


@BOTH
def test_the_document_says_what_was_asked_and_what_the_fields_are(made):
    asked = {"read_time_min": "2031-04-02T00:00:00", "read_time_max": "2031-04-02T01:00:00", "bin_time_max": "60"}
    document = written(made, golden.spectra(), **asked)
    read = opened(document)
    told = {each.name: each.value for each in read.resources[0].infos}
    assert told["QUERY_STATUS"] == "OK"
    assert told["read.time.min"] == "2031-04-02T00:00:00"
    assert told["bin.time.max"] == "60"
    table = read.get_first_table()
    time = next(each for each in table.fields if each.ucd == "time.epoch")
    assert (time.xtype, time.ref) == ("timestamp", "utc")
    assert read.resources[0].time_systems[0].timescale == "UTC"
    frequency = next(each for each in table.params if each.ucd == "em.freq")
    assert frequency.unit == Unit("Hz")
    assert len(np.atleast_1d(frequency.value)) > 1


@pytest.mark.parametrize(
    ("units", "spelled"),
    [("", ""), ("nT", "nT"), ("V**2 m**-2 Hz**-1", "V**2.m**-2.Hz**-1"), ("degrees", "deg"), ("RJ", "'RJ'"),
     ("cm**-3", "cm**-3"), ("μs", "us"), ("km/s", "km.s**-1"), ("V m**-1 Hz**-1/2", "V.m**-1.Hz**(-1/2)"), ("DN", "'DN'")],
)  # fmt: skip
def test_units_are_spelled_as_the_observatory_does(units, spelled):
    assert vounit(units) == spelled
    Unit(spelled.replace("'", ""), format="vounit", parse_strict="silent")


def test_only_what_units_make_certain_has_a_descriptor():
    assert [ucd("pT"), ucd("mV m**-1"), ucd("K"), ucd("kHz", coordinate=True)] == [
        "phys.magField", "phys.electField", "phys.temperature", "em.freq"]  # fmt: skip
    assert [ucd("kHz"), ucd("V"), ucd(""), ucd("counts")] == ["", "", "", ""]


@BOTH
def test_a_failure_behind_the_first_rows_is_told_at_the_end(made):
    items = [*golden.scalars(), Problem("ServerError", "The reader <failed>")]
    document = written(made, items)
    root = etree.fromstring(document)
    last = [each for each in root.iter() if each.tag.endswith("INFO")][-1]
    assert (last.get("name"), last.get("value"), last.text) == ("QUERY_STATUS", "ERROR", "The reader <failed>")
    opened(document)


@BOTH
def test_a_failure_before_the_table_is_one_of_the_whole_answer(made):
    with pytest.raises(SourceError, match="not there"):
        written(made, [Problem("ServerError", "not there")])


@BOTH
def test_without_data_there_is_a_document_that_says_so(made):
    read = opened(written(made, golden.nothing()))
    assert any(each.name == "NODATA" for each in read.resources[0].infos)


@BOTH
def test_two_kinds_of_records_are_refused_with_what_would_be_right(made):
    with pytest.raises(QueryError, match=r"read\.data"):
        written(made, golden.two_datasets())


@BOTH
def test_rows_come_as_they_are_read(made):
    formatter = made()
    grown = [len(b"".join(formatter.feed(each))) for each in golden.spectra()]
    assert grown[-1] > 0
    assert sum(grown) < len(written(made, golden.spectra()))


def declared_anew(name, **facts):
    """The spectra twice, the second time behind a declaration in which a variable has other facts."""
    header, dataset, batch = golden.spectra()
    other = dataset.swap(dataset.variables[name], replace(dataset.variables[name], **facts))
    return [header, dataset, batch, other, Records(other, dict(batch.columns))]


@BOTH
def test_times_in_other_units_and_another_fill_hold_from_their_declaration_on(made):
    agrees(written(made, declared_anew("time", units="ns1970")), declared_anew("time", units="ns1970"))
    agrees(written(made, declared_anew("psd", fill=0.0)), declared_anew("psd", fill=0.0))


@BOTH
def test_other_frequencies_later_in_the_stream_are_refused(made):
    with pytest.raises(QueryError, match="different columns"):
        written(made, declared_anew("frequency", values=np.array([10.0, 20.0, 80.0])))


@BOTH
def test_names_that_look_like_other_ids_make_no_two_elements_with_one(made):
    header, dataset, batch = [each for each in golden.scalars() if isinstance(each, StreamHeader | Dataset | Records)][
        :3
    ]
    names = [each.name for each in dataset.columns]
    called = dict(zip(names, ["utc", "a b", "a=b", "a;b", *names[4:]], strict=False))
    dimensions = tuple(
        replace(each, variables=tuple(replace(own, name=called.get(own.name, own.name)) for own in each.variables))
        for each in dataset.dimensions
    )
    moved = replace(dataset, dimensions=dimensions, wire=tuple(called[name] for name in dataset.wire))
    columns = {called[name]: column for name, column in batch.columns.items()}
    document = written(made, [header, moved, Records(moved, columns)])
    identifiers = [each.get("ID") for each in etree.fromstring(document).iter() if each.get("ID")]
    assert len(identifiers) == len(set(identifiers))
    assert [each.name for each in opened(document).get_first_table().fields] == [called[name] for name in names]

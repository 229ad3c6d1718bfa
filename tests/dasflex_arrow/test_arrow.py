# SPDX-License-Identifier: GPL-3.0-or-later
"""Arrow streams and Parquet files are read back equal by the libraries that people read them with."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dasflex_arrow.formatter import ArrowFormatter, ParquetFormatter
from dasflex_arrow.plugin import STAGES
from dasflex_core.arrays import Dataset, Ragged, Records, StreamHeader, is_fill
from dasflex_core.epochs import to_datetime64
from dasflex_core.errors import QueryError
from dasflex_core.record_times import is_time
from dasflex_core.stages import spec_of
from dasflex_core.testing import FormatterContract, golden
from dasflex_core.testing.strategies import streams

ONE = ("scalars", "spectra", "waveform", "vectors", "states", "bursts", "pictures")


class TestArrow(FormatterContract):
    """What every formatter must keep."""

    formatter = ArrowFormatter
    plugin = "dasflex_arrow.plugin"


class TestParquet(FormatterContract):
    """The same."""

    formatter = ParquetFormatter
    plugin = "dasflex_arrow.plugin"


def written(formatter, items):
    """The bytes that a formatter makes of items."""
    chunks = [chunk for item in items for chunk in formatter.feed(item)]
    return b"".join([*chunks, *formatter.finish()])


def arrow_of(items, **values):
    return pa.ipc.open_stream(written(ArrowFormatter(**values), items)).read_all()


def parquet_of(items, **values):
    return pyarrow.parquet.read_table(io.BytesIO(written(ParquetFormatter(**values), items)))


def wanted(items):
    """The columns of a stream as lists, fill as None."""
    found = {}
    for batch in items:
        if isinstance(batch, Records):
            for variable in batch.dataset.columns:
                found.setdefault(variable.name, []).append((variable, batch[variable.name]))
    return found


def test_the_declarations_are_those_of_the_classes():
    assert {each.name: each for each in STAGES} == {
        each.spec.name: spec_of(each) for each in (ArrowFormatter, ParquetFormatter)
    }


@pytest.mark.parametrize("read", [arrow_of, parquet_of])
@pytest.mark.parametrize("name", ONE)
def test_every_kind_of_data_is_read_back(read, name):
    items = golden.streams()[name]
    table = read(items)
    table.validate(full=True)
    for column, parts in wanted(items).items():
        held = table[column].to_pylist()
        assert len(held) == sum(len(values) for _variable, values in parts)
        numbers = [values for variable, values in parts if variable.dtype.kind in "iuf" and variable.semantic == "real"]
        for values in numbers:
            flat = values.leaves if isinstance(values, Ragged) else values
            mine = np.array([each for each in _flat(held) if each is not None], dtype=float)
            theirs = flat.reshape(-1)
            theirs = theirs[~is_fill(theirs, parts[0][0].fill)].astype(float)
            assert np.array_equal(mine[~np.isnan(mine)], theirs[~np.isnan(theirs)])


def _flat(values):
    """The values of nested lists."""
    for each in values:
        if isinstance(each, list):
            yield from _flat(each)
        else:
            yield each


@pytest.mark.parametrize("read", [arrow_of, parquet_of])
def test_times_are_nanoseconds_in_utc_and_fill_is_null(read):
    table = read(golden.scalars())
    (time,) = [field for field in table.schema if field.name.startswith("time")][:1]
    assert time.type == pa.timestamp("ns", tz="UTC")
    assert str(table[time.name][0].as_py()).startswith("2031-04-02 00:00:00")
    assert table.column(table.num_columns - 1).null_count + table.column(1).null_count >= 1


@pytest.mark.parametrize("read", [arrow_of, parquet_of])
def test_units_and_metadata_go_with_the_data(read):
    table = read(golden.spectra())
    about = {key.decode(): text.decode() for key, text in table.schema.metadata.items() if not key.startswith(b"ARROW")}
    assert about["name"]
    constants = json.loads(about["constants"])
    assert any(each["units"] == "Hz" and each["values"] for each in constants.values())
    units = [field.metadata for field in table.schema if field.metadata and b"units" in field.metadata]
    assert units


def test_other_libraries_read_the_same():
    items = golden.scalars()
    parquet, arrow = written(ParquetFormatter(), items), written(ArrowFormatter(), items)
    plain = arrow_of(items)
    import pandas as pd

    frame = pd.read_parquet(io.BytesIO(parquet))
    assert list(frame.columns) == plain.column_names
    assert pl.read_parquet(io.BytesIO(parquet)).to_arrow().column_names == plain.column_names
    one, other = pl.read_ipc_stream(io.BytesIO(arrow)), pl.read_parquet(io.BytesIO(parquet))
    assert one.equals(other)
    assert frame.shape == one.shape


@pytest.mark.parametrize(("made", "codec"), [(ArrowFormatter, "lz4"), (ArrowFormatter, "zstd"), (ParquetFormatter, "none"),
                                             (ParquetFormatter, "snappy")])  # fmt: skip
def test_what_is_compressed_reads_the_same(made, codec):
    read = arrow_of if made is ArrowFormatter else parquet_of
    assert str(read(golden.spectra(), codec=codec).to_pylist()) == str(read(golden.spectra()).to_pylist())


@pytest.mark.parametrize("made", [ArrowFormatter, ParquetFormatter])
def test_two_kinds_of_records_are_refused_with_what_would_be_right(made):
    with pytest.raises(QueryError, match=r"read\.data"):
        written(made(), golden.two_datasets())


@pytest.mark.parametrize("read", [arrow_of, parquet_of])
def test_without_data_there_is_a_table_without_rows(read):
    assert read(golden.nothing()).num_rows == 0


def test_what_waits_comes_when_it_is_asked_for():
    formatter = ArrowFormatter()
    begun = b"".join(chunk for item in golden.spectra() for chunk in formatter.feed(item))
    waited = b"".join(formatter.flush())
    assert len(waited) > 0
    table = pa.ipc.open_stream(begun + waited + b"".join(formatter.finish())).read_all()
    assert table.num_rows == 3


@pytest.mark.parametrize("made", [ArrowFormatter, ParquetFormatter])
def test_a_long_answer_is_held_in_parts(made):
    header, dataset, batch = [each for each in golden.scalars() if isinstance(each, StreamHeader | Dataset | Records)][
        :3
    ]
    many = [Records(dataset, {name: np.tile(column, 1000) for name, column in batch.columns.items()})] * 400
    formatter = made()
    held = [len(b"".join(formatter.feed(item))) for item in (header, dataset, *many)]
    assert sum(each > 0 for each in held) > 2


def declared_anew(name, **facts):
    """The spectra twice, the second time behind a declaration in which a variable has other facts."""
    header, dataset, batch = golden.spectra()
    other = dataset.swap(dataset.variables[name], replace(dataset.variables[name], **facts))
    return [header, dataset, batch, other, Records(other, dict(batch.columns))]


@pytest.mark.parametrize("read", [arrow_of, parquet_of])
def test_times_in_other_units_and_another_fill_hold_from_their_declaration_on(read):
    items = declared_anew("time", units="ns1970")
    wanted = np.concatenate([to_datetime64(each["time"], each.dataset["time"].units) for each in (items[2], items[4])])
    assert read(items)["time"].to_numpy().tolist() == wanted.tolist()
    filled = read(declared_anew("psd", fill=0.0))["psd"].to_pylist()
    assert [filled[row][place] for row, place in ((1, 1), (2, 2), (5, 2))] == [None, 0.0, None]


@pytest.mark.parametrize("read", [arrow_of, parquet_of])
def test_other_frequencies_later_in_the_stream_are_refused(read):
    with pytest.raises(QueryError, match="different columns"):
        read(declared_anew("frequency", values=np.array([10.0, 20.0, 80.0])))


def plain(variable, column):
    """The values of a column as plain lists: fill as None, times as nanoseconds, the bytes of a blob as one."""
    if isinstance(column, Ragged):
        inner, offsets = plain(variable, column.values), column.offsets.tolist()
        runs = [inner[first:last] for first, last in pairwise(offsets)]
        return [bytes(run) for run in runs] if variable.semantic == "blob" and column.depth == 1 else runs
    held = column
    if is_time(variable):
        held = to_datetime64(column, variable.units).astype("i8")
    elif variable.semantic == "bool":
        held = column != 0
    texts = column.dtype.kind == "S"
    flat = [each.decode().rstrip(" ") if texts else each for each in held.reshape(-1).tolist()]
    missing = is_fill(column, variable.fill).reshape(-1).tolist()
    values = [None if gone else each for each, gone in zip(flat, missing, strict=True)]
    for extent in reversed(column.shape[1:]):
        values = [values[first : first + extent] for first in range(0, len(values), extent)]
    return values


#: One dataset each, of das2 and of das3, and one whose records have runs, strings of any length and files.
ANY = st.sampled_from([(2, False), (3, False), (3, True)]).flatmap(
    lambda kind: streams(kind[0], max_datasets=1, ragged=kind[1])
)


@pytest.mark.parametrize(
    ("made", "opened"),
    [
        (ArrowFormatter, lambda data: pa.ipc.open_stream(data).read_all()),
        (ParquetFormatter, lambda data: pyarrow.parquet.read_table(io.BytesIO(data))),
    ],
)
@given(items=ANY, at_once=st.integers(1, 60))
def test_any_stream_is_read_back_with_its_values_fill_and_units_however_it_is_cut(made, opened, items, at_once):
    formatter = made()
    formatter.values = at_once
    table = opened(written(formatter, items))
    table.validate(full=True)
    for dataset in (each for each in items if isinstance(each, Dataset)):
        batches = [each for each in items if isinstance(each, Records)]
        assert table.column_names == list(dataset.wire)
        for variable in dataset.columns:
            column, field = table[variable.name], table.schema.field(variable.name)
            held = (column.cast(pa.int64()) if is_time(variable) else column).to_pylist()
            assert held == [value for batch in batches for value in plain(variable, batch[variable.name])]
            units = "" if is_time(variable) else variable.units
            assert (field.metadata or {}).get(b"units", b"").decode() == units

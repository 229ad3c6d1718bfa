# SPDX-License-Identifier: GPL-3.0-or-later
"""Both ways of writing rows give what a loop over single values would, for any data."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dasflex_core.arrays import VARIES, Dataset, Records, StreamHeader, is_fill
from dasflex_core.epochs import to_datetime64
from dasflex_core.testing import golden
from dasflex_core.testing.comparing import joined
from dasflex_core.testing.strategies import datasets, records, streams
from dasflex_csv import fixed_rows, short_rows
from dasflex_csv.formatter import CsvFormatter
from dasflex_csv.layout import fields_of
from dasflex_csv.short_rows import ShortRows

REALS = st.floats(width=32) | st.floats().map(lambda value: float(f"{value:.3g}")) | st.floats()


def formatted(items, **options):
    """The text of a stream."""
    formatter = CsvFormatter(**options)
    return b"".join([*(chunk for item in items for chunk in formatter.feed(item)), *formatter.finish()]).decode()


def plain_cell(variable, value, digits, missing):
    """One cell of the plain style, by Python's own formatting."""
    kind = variable.dtype.kind
    if missing:
        return ""
    if variable.semantic == "datetime":
        return str(value)[: 19 if not digits["time"] else 20 + digits["time"]]
    if variable.semantic == "bool":
        return str(bool(value))
    if kind == "S":
        return value.decode().rstrip(" ")
    return str(int(value)) if kind in "iu" else f"{float(value):.{digits['real'] - 1}e}"


def plain_rows(batch, digits):
    """The rows of a batch in the plain style, value by value."""
    found = []
    for row in range(len(batch)):
        cells = []
        for variable in (each for dimension in batch.dataset.dimensions for each in dimension.variables):
            if not variable.per_record:
                continue
            column = batch[variable.name]
            missing = is_fill(column, variable.fill)
            if variable.semantic == "datetime":
                column = to_datetime64(column, variable.units)
                missing = missing | np.isnat(column)
            elif column.dtype.kind == "f":
                missing = missing | np.isnan(column)
            cells += [
                plain_cell(variable, value, digits, gone)
                for value, gone in zip(column[row].ravel(), np.ravel(missing[row]), strict=True)
            ]
        found.append(cells)
    return found


def parsed(text):
    """The cells of all rows."""
    return list(csv.reader(io.StringIO(text, newline="")))


@given(st.data(), st.sampled_from([2, 3]), st.sampled_from([2, 4, 8, 12, 17]))
@settings(max_examples=60, deadline=None)
def test_fixed_rows_are_what_percent_formatting_gives(data, generation, significant):
    dataset = data.draw(datasets(generation))
    batch = data.draw(records(dataset, max_records=9))
    text = formatted([StreamHeader(), dataset, batch], sigdigit=significant, secfrac=9, headers=False)
    assert parsed(text) == plain_rows(batch, {"real": significant, "time": 9})


@given(st.data(), st.sampled_from([2, 3]))
@settings(max_examples=60, deadline=None)
def test_short_rows_read_back_as_the_same_values(data, generation):
    dataset = data.draw(datasets(generation))
    batch = data.draw(records(dataset, max_records=9))
    text = formatted([StreamHeader(), dataset, batch], secfrac=9, headers=False)
    exact = plain_rows(batch, {"real": 17, "time": 9})
    reals = [
        field.variable.dtype if field.kind == "real" else None
        for field in fields_of(dataset)
        for _ in range(field.count)
    ]
    for row, wanted in zip(parsed(text), exact, strict=True):
        for cell, value, dtype in zip(row, wanted, reals, strict=True):
            if dtype is None or not value:
                assert cell == value
            else:
                assert np.array(cell, dtype=dtype) == np.array(value, dtype=dtype)
                assert len(cell.replace("-", "").replace(".", "").partition("e")[0].strip("0")) <= 17


@given(st.data(), st.sampled_from([",", ";", "\t"]))
@settings(max_examples=60, deadline=None)
def test_copying_times_over_stand_ins_gives_what_joining_cells_gives(data, delimiter):
    dataset = data.draw(datasets(data.draw(st.sampled_from([2, 3]))))
    batch = data.draw(records(dataset, max_records=9))
    fields = fields_of(dataset, secfrac=data.draw(st.integers(0, 9)))
    fast, plain = (ShortRows(fields, delimiter.encode(), splice=splice) for splice in (True, False))
    assert b"".join(fast.rows(batch)) == b"".join(plain.rows(batch))


def pair(dtype, values):
    """A stream of a time and one real variable of some columns."""
    _header, dataset, batch = golden.vectors()
    field = replace(dataset["b"], dtype=np.dtype(dtype), fill=np.nan, vector=None)
    dataset = dataset.swap(dataset["b"], field)
    times = np.full(len(values), batch["time"][0])
    return [StreamHeader(), dataset, Records(dataset, {"time": times, "b": np.array(values, dtype=dtype)})]


@given(st.lists(REALS, min_size=1, max_size=40), st.integers(2, 17), st.sampled_from(["f4", "f8"]))
@settings(max_examples=100, deadline=None)
def test_any_real_comes_out_right_in_both_ways(values, significant, dtype):
    with np.errstate(over="ignore"):
        items = pair(dtype, values)
    exact = items[-1]["b"].astype(float)
    wanted = ["" if np.isnan(value) else f"{value:.{significant - 1}e}" for value in exact]
    fixed = [row.partition(",")[2] for row in formatted(items, sigdigit=significant, headers=False).splitlines()]
    assert fixed == wanted
    short = [row.partition(",")[2] for row in formatted(items, headers=False).splitlines()]
    np.testing.assert_array_equal(np.array([cell or "nan" for cell in short], dtype=dtype), items[-1]["b"])


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("significant", [2, 8, 17])
def test_exponents_of_three_digits_are_written_whole(significant, sign):
    edges = (1e-99, 9.9999999999e-100, 1e-100, 1e-300, 5e-324, 9.9999999999e99, 9.4e99, 1e100, 1e300, 0.0)
    values = [sign * value for value in edges]
    rows = formatted(pair("f8", values), sigdigit=significant, headers=False).splitlines()
    assert [row.partition(",")[2] for row in rows] == [f"{value:.{significant - 1}e}" for value in values]


@pytest.mark.parametrize("dtype", ["i1", "u1", ">i2", "<u4", "i8", "u8"])
@pytest.mark.parametrize("options", [{}, {"sigdigit": 3}])
def test_the_limits_of_integers_are_values_like_others(dtype, options):
    limits = np.iinfo(dtype)
    _header, dataset, batch = golden.states()
    numbers = np.array([limits.min, limits.max, limits.max - 1, limits.min + 1, 7], dtype=dtype)
    count = replace(dataset["count"], dtype=np.dtype(dtype), fill=7)
    only = replace(dataset.swap(dataset["count"], count), dimensions=dataset.dimensions[:2], wire=("time", "count"))
    only = only.swap(only["count"], count)
    times = np.full(len(numbers), batch["time"][0])
    text = formatted([StreamHeader(), only, Records(only, {"time": times, "count": numbers})], headers=False, **options)
    assert [row.partition(",")[2] for row in text.splitlines()] == [*map(str, numbers[:-1].tolist()), ""]


def many(items, copies):
    """The stream with its records repeated, in one batch."""
    *before, batch = items
    return [*before, joined([batch] * copies)]


@pytest.mark.parametrize("options", [{}, {"sigdigit": 8}, {"style": "das"}])
@pytest.mark.parametrize("name", ["scalars", "spectra", "waveform", "vectors", "states"])
def test_blocks_join_without_a_seam(name, options, monkeypatch):
    items = many(golden.streams()[name], 50)
    whole = formatted(items, **options)
    for module in (fixed_rows, short_rows):
        monkeypatch.setattr(module, "_VALUES", 20)
        monkeypatch.setattr(module, "_SPAN", 30)
    assert formatted(items, **options) == whole


def test_cells_that_grow_from_batch_to_batch_are_laid_out_anew():
    header, dataset, batch = golden.states()
    wider = Records(
        dataset,
        {**batch.columns, "count": np.array([2**31 - 1, -5, 0], dtype="<i4"), "mode": np.array([b'"' * 9] * 3, "S12")},
    )
    text = formatted([header, dataset, batch, wider, batch], sigdigit=4)
    assert parsed(text)[4][1:] == ["2147483647", "True", '"' * 9]
    assert parsed(text)[1:4] == parsed(text)[7:10]


@given(streams(generation=3))
@settings(max_examples=30, deadline=None)
def test_the_das_style_keeps_every_row_as_long_as_its_headers(items):
    text = formatted(items, style="das")
    lengths = {}
    for row in csv.reader(io.StringIO(text, newline=""), delimiter=";"):
        lengths.setdefault(row[0], set()).add(len(row))
    assert all(len(found) == 1 for found in lengths.values())
    assert set(lengths) == {str(item.id) for item in items if isinstance(item, Dataset)}


def test_a_dataset_without_values_per_record_is_refused():
    _header, dataset, _batch = golden.spectra()
    assert dataset.index[0] == VARIES
    bare = replace(dataset, dimensions=dataset.dimensions[1:2], wire=())
    with pytest.raises(ValueError, match="spectra has no values"):
        formatted([StreamHeader(), bare])

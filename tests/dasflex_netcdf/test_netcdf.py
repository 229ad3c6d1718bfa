# SPDX-License-Identifier: GPL-3.0-or-later
"""NetCDF files are read back equal by xarray with both its engines, and by the netCDF4 library, with CF attributes."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import timedelta

import netCDF4
import numpy as np
import pytest
import xarray
from hypothesis import given, settings
from hypothesis import strategies as st

from dasflex_core import epochs
from dasflex_core.arrays import Dataset, Dimension, Ragged, Records, StreamHeader, Variable, is_fill
from dasflex_core.errors import QueryError, SourceError
from dasflex_core.registry import discover
from dasflex_core.stages import spec_of
from dasflex_core.testing import FileFormatterContract, golden, strategies
from dasflex_netcdf.formatter import NetcdfFormatter
from dasflex_netcdf.layout import layout_of
from dasflex_netcdf.plugin import STAGE
from dasflex_netcdf.udunits import udunits

ONE = ("scalars", "spectra", "waveform", "vectors", "states", "bursts")
ENGINES = pytest.mark.parametrize("engine", ["h5netcdf", "netcdf4"])


class TestNetcdf(FileFormatterContract):
    """What every formatter that makes a file must keep."""

    formatter = NetcdfFormatter
    plugin = "dasflex_netcdf.plugin"


def written(path, items, **values):
    """The file that a formatter makes of items."""
    path.mkdir(exist_ok=True)
    formatter = NetcdfFormatter(scratch=path, **values)
    for item in items:
        formatter.feed(item)
    return formatter.finish()


def wanted(part, columns):
    """The values of a variable of all records, as xarray shows them, fill as NaN, NaT or blank."""
    arrays = [each.leaves if isinstance(each, Ragged) else each for each in columns]
    values = np.concatenate(arrays)
    missing = is_fill(values, part.variable.fill)
    if part.kind == "time":
        times = epochs.to_datetime64(values, part.variable.units)
        return np.where(missing, np.datetime64("NaT", "ns"), times)
    if part.kind == "text":
        decoded = np.strings.decode(np.strings.rstrip(values, b" \0"), "utf-8", "replace")
        return np.where(missing, "", decoded).astype(object)
    if part.kind == "flag":
        return values != 0 if part.variable.fill is None else np.where(missing, np.nan, values != 0)
    as_float = values.astype(float)
    if values.dtype.kind in "iu" and part.variable.fill is not None:
        missing = missing | (
            as_float == float(part.variable.fill)
        )  # what is the fill when both are rounded is fill for it
    return np.where(missing, np.nan, as_float) if missing.any() or values.dtype.kind == "f" else values


def integers_agree(path, engine, part, columns):
    """The integers in the file, exactly: xarray rounds those that have fill to numbers in floating point."""
    values = np.concatenate([each.leaves if isinstance(each, Ragged) else each for each in columns])
    with xarray.open_dataset(path, engine=engine, mask_and_scale=False, decode_times=False) as read:
        assert (read[part.variable.name].values == values).all(), part.variable.name


def agrees(path, items, engine):
    """Every value of every record is in the file, and the runs have their lengths."""
    batches = [each for each in items if isinstance(each, Records)]
    layout = layout_of(batches[0].dataset)
    with xarray.open_dataset(path, engine=engine) as read:
        for part in layout.parts:
            if not part.per_record:
                continue
            columns = [each[part.variable.name] for each in batches]
            theirs = wanted(part, columns)
            mine = read[part.variable.name].values
            assert mine.shape == theirs.shape, part
            if part.kind not in ("time", "text", "flag") and part.variable.dtype.kind in "iu":
                integers_agree(path, engine, part, columns)
            if theirs.dtype.kind in "fM":
                assert np.array_equal(mine.astype(theirs.dtype), theirs, equal_nan=True), part.variable.name
            else:
                assert (mine == theirs).all(), part.variable.name
            if part.runs:
                lengths = np.concatenate([np.diff(each.offsets) for each in columns])
                assert read[part.runs].values.tolist() == lengths.tolist()
        for part in layout.parts:
            if not part.per_record:
                mine = np.asarray(read[part.variable.name].values)
                assert np.array_equal(mine, np.asarray(part.variable.values)), part.variable.name


def test_the_declaration_is_that_of_the_class():
    assert spec_of(NetcdfFormatter) == STAGE


@ENGINES
@pytest.mark.parametrize("name", ONE)
def test_every_kind_of_data_is_read_back(tmp_path, name, engine):
    agrees(written(tmp_path, golden.streams()[name]), golden.streams()[name], engine)


@settings(max_examples=40, deadline=timedelta(seconds=10))
@given(data=st.data())
def test_random_datasets_are_read_back(tmp_path_factory, data):
    dataset = data.draw(strategies.datasets())
    items = [dataset, data.draw(strategies.records(dataset))]
    folder = tmp_path_factory.mktemp("random")
    try:
        agrees(written(folder, items), items, "h5netcdf")
    finally:
        shutil.rmtree(folder)


@settings(max_examples=30, deadline=timedelta(seconds=10))
@given(data=st.data())
def test_random_runs_are_read_back_or_refused_by_name(tmp_path_factory, data):
    dataset = data.draw(strategies.ragged_datasets())
    items = [dataset, data.draw(strategies.records(dataset))]
    folder = tmp_path_factory.mktemp("random")
    try:
        path = written(folder, items)
    except (QueryError, SourceError) as error:
        if not any(each.name in error.message for each in dataset.variables.values()):
            raise
    else:
        agrees(path, items, "h5netcdf")
    finally:
        shutil.rmtree(folder)


@ENGINES
@pytest.mark.parametrize("file", ["das2/juno_waves_sample.d2t", "das2/x_multi_y.d2s", "das3/ex15_vector_frame.d3t"])
def test_real_streams_are_read_back(tmp_path, file, engine, test_data):
    from dasflex_core.loading import load

    kind = "das2" if "das2" in file else "das3"
    spec = next(each for each in discover().stages if each.name == f"{kind}-decode")
    decoder = load(spec.factory)()
    items = [*decoder.feed((test_data / file).read_bytes()), *decoder.finish()]
    one = next(each.dataset.id for each in items if isinstance(each, Records))
    items = [each for each in items if getattr(getattr(each, "dataset", each), "id", one) == one]
    agrees(written(tmp_path, items), items, engine)


def test_the_attributes_are_those_of_the_conventions(tmp_path):
    path = written(tmp_path, golden.spectra(), read_time_min="2031-04-02", bin_time_max="60")
    with netCDF4.Dataset(path) as file:
        assert file.Conventions == "CF-1.11"
        assert file.history == "dasflex read.time.min=2031-04-02 bin.time.max=60"
        (time,) = [each for each in file.variables.values() if getattr(each, "standard_name", "") == "time"]
        assert time.dimensions == (time.name,)
        assert time.units.startswith("nanoseconds since 1970-01-01")
        assert file.dimensions[time.name].isunlimited()
        (density,) = [each for each in file.variables.values() if each.ndim == 2]
        frequency = file.variables[density.dimensions[1]]
        assert frequency.units == "Hz"
        assert "-1" in density.units
        assert "*" not in density.units
        assert np.ma.is_masked(density[:])


def test_the_first_record_has_its_nanoseconds(tmp_path):
    header, dataset, batch = first_of_scalars()
    (time,) = [each.name for each in dataset.columns if each.dtype.kind == "M"]
    moved = batch[time] + np.timedelta64(123_456_789, "ns")
    path = written(tmp_path, [header, dataset, Records(dataset, {**batch.columns, time: moved})])
    with xarray.open_dataset(path) as read:
        assert read[time].values.tolist() == moved.tolist()


def test_no_more_is_held_than_some_records(tmp_path):
    header, dataset, batch = [each for each in golden.spectra() if isinstance(each, StreamHeader | Dataset | Records)][
        :3
    ]
    many = Records(dataset, {name: np.repeat(column, 3000, axis=0) for name, column in batch.columns.items()})
    formatter = NetcdfFormatter(scratch=tmp_path)
    grown = []
    for item in (header, dataset, *[many] * 60):
        formatter.feed(item)
        grown.append(formatter._lengths.get(layout_of(dataset).record, 0))
    assert grown[-1] > 50 * len(many)
    assert max(np.diff(grown)) < 20 * len(many)
    with xarray.open_dataset(formatter.finish()) as read:
        assert read.sizes[next(iter(read.sizes))] == 60 * len(many)


@pytest.mark.parametrize("level", [0, 9])
def test_compressed_or_not_the_values_are_the_same(tmp_path, level):
    agrees(written(tmp_path, golden.spectra(), deflate=level), golden.spectra(), "h5netcdf")


def test_two_kinds_of_records_are_refused_with_what_would_be_right(tmp_path):
    with pytest.raises(QueryError, match=r"read\.data"):
        written(tmp_path, golden.two_datasets())


def test_without_data_there_is_a_file_without_records(tmp_path):
    with xarray.open_dataset(written(tmp_path, golden.nothing())) as read:
        assert all(size == 0 for size in read.sizes.values()) or not read.sizes


@pytest.mark.parametrize(
    ("units", "spelled"),
    [
        ("", "1"),
        ("nT", "nT"),
        ("V**2 m**-2 Hz**-1", "V2 m-2 Hz-1"),
        ("degrees", "degree"),
        ("km/s", "km s-1"),
        ("μs", "us"),
    ],
)
def test_units_are_spelled_as_udunits_does(units, spelled):
    assert udunits(units) == spelled


def declared_anew(name, **facts):
    """The spectra twice, the second time behind a declaration in which a variable has other facts."""
    header, dataset, batch = golden.spectra()
    other = dataset.swap(dataset.variables[name], replace(dataset.variables[name], **facts))
    return [header, dataset, batch, other, Records(other, dict(batch.columns))]


def test_times_in_other_units_and_another_fill_hold_from_their_declaration_on(tmp_path):
    items = declared_anew("time", units="ns1970")
    wanted = [epochs.to_datetime64(each["time"], each.dataset["time"].units) for each in (items[2], items[4])]
    with xarray.open_dataset(written(tmp_path / "time", items)) as read:
        assert read["time"].values.tolist() == np.concatenate(wanted).tolist()
    with xarray.open_dataset(written(tmp_path / "fill", declared_anew("psd", fill=0.0))) as read:
        assert np.isnan(read["psd"].values[[1, 2, 5], [1, 2, 2]]).tolist() == [True, False, True]


@pytest.mark.parametrize(("name", "facts"), [("frequency", {"values": np.array([10.0, 20.0, 80.0])}),
                                             ("psd", {"units": "V"})])  # fmt: skip
def test_other_frequencies_or_units_later_in_the_stream_are_refused(tmp_path, name, facts):
    with pytest.raises(QueryError, match="different columns"):
        written(tmp_path, declared_anew(name, **facts))


def first_of_scalars():
    """The header of a stream, a dataset, and the first of its records."""
    return [each for each in golden.scalars() if isinstance(each, StreamHeader | Dataset | Records)][:3]


def test_a_time_that_is_missing_is_masked_where_it_is_no_coordinate(tmp_path):
    header, dataset, batch = first_of_scalars()
    seen = Variable("seen", "center", "datetime", "UTC", dataset.columns[0].index, np.dtype("M8[ns]"))
    more = Dimension("seen", "seen", coordinate=False, variables=(seen,))
    wider = replace(dataset, dimensions=(*dataset.dimensions, more), wire=(*dataset.wire, "seen"))
    times = np.array(["2031-04-02T00:00:00.123456789", *["NaT"] * (len(batch) - 1)], dtype="M8[ns]")
    path = written(tmp_path, [header, wider, Records(wider, {**batch.columns, "seen": times})])
    with netCDF4.Dataset(path) as file:
        assert np.ma.getmaskarray(file["seen"][:]).tolist() == np.isnat(times).tolist()
    with xarray.open_dataset(path) as read:
        assert np.array_equal(read["seen"].values, times, equal_nan=True)


@pytest.mark.parametrize("first", [2**64 - 1, 2**64 - 1024], ids=["with fill", "without any"])
def test_an_integer_next_to_its_fill_is_in_the_file_as_it_is(tmp_path, first):
    """xarray compares it with the fill as numbers in floating point, where both are 2**64."""
    header, dataset, batch = first_of_scalars()
    fill = 2**64 - 1
    counts = Variable("counts", "center", "integer", "", dataset.columns[0].index, np.dtype("u8"), fill=fill)
    more = Dimension("counts", "counts", coordinate=False, variables=(counts,))
    wider = replace(dataset, dimensions=(*dataset.dimensions, more), wire=(*dataset.wire, "counts"))
    values = np.array([first, *[2**64 - 1024] * (len(batch) - 1)], "u8")
    items = [header, wider, Records(wider, {**batch.columns, "counts": values})]
    agrees(written(tmp_path, items), items, "h5netcdf")

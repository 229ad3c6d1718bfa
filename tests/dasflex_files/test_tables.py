# SPDX-License-Identifier: GPL-3.0-or-later
"""NetCDF and Parquet files are read as other libraries read them, some records at a time."""

from __future__ import annotations

from contextlib import ExitStack, closing

import netCDF4
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xarray as xr
from click.testing import CliRunner

import dasflex_core
from dasflex_core.cli import main
from dasflex_core.errors import SourceError
from dasflex_files import table_file
from dasflex_files.calendar_fields import ALWAYS
from dasflex_files.netcdf_file import NetcdfFile
from dasflex_files.parquet_file import ParquetFile

TIMES = np.datetime64("2020-01-01", "ns") + np.arange(48) * np.timedelta64(1800, "s")


@pytest.fixture
def read():
    """What opens a file, which is closed when the test is done."""
    with ExitStack() as stack:
        yield lambda kind, path, time="": stack.enter_context(closing(kind(str(path), time)))


def columns(data, names, begin=ALWAYS[0], end=ALWAYS[1]):
    batches = list(data.batches(tuple(names), begin, end))
    return {name: np.concatenate([each[name] for each in batches]) for name in batches[0]}


def written(path, units="seconds since 2000-01-01 00:00:00", kind="f8", calendar="standard"):
    """A NetCDF file with a spectrogram, packed numbers and a scalar that is the same for all."""
    with netCDF4.Dataset(path, "w") as file:
        file.title = "Radio survey"
        file.createDimension("time", None)
        file.createDimension("frequency", 3)
        time = file.createVariable("time", kind, ("time",))
        time.units, time.calendar = units, calendar
        time[:] = netCDF4.date2num(TIMES.astype("M8[us]").tolist(), units, calendar=calendar)
        frequency = file.createVariable("frequency", "f4", ("frequency",))
        frequency.units = "MHz"
        frequency[:] = [1, 2, 4]
        flux = file.createVariable("flux", "f4", ("time", "frequency"), fill_value=-1.0)
        flux.units, flux.long_name, flux.valid_min, flux.valid_max = "W m-2 Hz-1", "Flux density", 0.0, 1000.0
        flux[:] = np.arange(144).reshape(48, 3)
        packed = file.createVariable("temperature", "i2", ("time",), fill_value=-32768)
        packed.scale_factor, packed.add_offset, packed.units = 0.5, 10.0, "degC"
        packed[:] = np.ma.masked_equal(np.arange(48) / 2 + 10.0, 10.5)
    return path


@pytest.mark.parametrize(
    ("units", "kind"),
    [
        ("seconds since 2000-01-01 00:00:00", "f8"),
        ("days since 1950-01-01", "f8"),
        ("hours since 1990-06-01T12:00:00Z", "f8"),
        ("milliseconds since 1970-01-01 00:00:00 UTC", "i8"),
        ("minutes since 2019-12-31 00:00", "i4"),
    ],
)
def test_netcdf_is_read_as_xarray_reads_it(tmp_path, read, units, kind):
    path = written(tmp_path / "a.nc", units, kind)
    data = read(NetcdfFile, path)
    mine = columns(data, ["flux", "temperature"])
    with xr.open_dataset(path, engine="netcdf4") as theirs:
        assert np.array_equal(mine["time"], theirs["time"].to_numpy().astype("M8[ns]"))
        assert np.array_equal(mine["temperature"], theirs["temperature"].to_numpy(), equal_nan=True)
        assert np.array_equal(mine["flux"], theirs["flux"].to_numpy())
    assert data.constant("frequency").tolist() == [1, 2, 4]
    flux = data.described.variable("flux")
    assert (flux.units, flux.title, flux.valid, flux.axes, flux.fill) == (
        "W m-2 Hz-1",
        "Flux density",
        (0, 1000),
        ("frequency",),
        "-1.0",
    )
    assert (data.described.title, data.described.records, data.described.cadence) == ("Radio survey", 48, 1800)


def test_netcdf_comes_in_batches_of_the_range(tmp_path, read, monkeypatch):
    monkeypatch.setattr(table_file, "BATCH", 100)
    data = read(NetcdfFile, written(tmp_path / "a.nc"))
    begin, end = (int(TIMES[at].astype(int)) for at in (10, 30))
    assert len(list(data.batches(("flux",), begin, end))) == 4
    assert columns(data, ["flux"], begin, end)["flux"][:, 0].tolist() == [3 * at for at in range(10, 30)]


def test_netcdf_times_of_another_calendar_are_refused(tmp_path, read):
    path = written(tmp_path / "a.nc", "days since 2000-01-01", calendar="standard")
    with netCDF4.Dataset(path, "a") as file:
        file["time"].calendar = "360_day"
    with pytest.raises(SourceError, match="360_day"):
        read(NetcdfFile, path)
    with pytest.raises(SourceError, match="no variable epoch"):
        read(NetcdfFile, path, "epoch")


def parquet(path, **more):
    """A Parquet file of several row groups, with values that are missing."""
    spectra = pa.FixedSizeListArray.from_arrays(pa.array(np.arange(144.0)), 3)
    counts = pa.array([None if at == 5 else at for at in range(48)], pa.int32())
    columns = {
        "when": pa.array(TIMES),
        "b": np.arange(48.0),
        "count": counts,
        "mode": [f"m{at}" for at in range(48)],
        "psd": spectra,
    }
    pq.write_table(pa.table({**columns, **more}), path, row_group_size=10)
    return path


def test_parquet_is_read_as_pandas_reads_it_and_only_the_groups_of_the_range(tmp_path, read):
    path = parquet(tmp_path / "a.parquet")
    data, theirs = read(ParquetFile, path), pd.read_parquet(path)
    mine = columns(data, ["b", "count", "mode", "psd"])
    assert np.array_equal(mine["when"], theirs["when"].to_numpy())
    assert np.array_equal(mine["b"], theirs["b"])
    assert np.array_equal(mine["count"], theirs["count"], equal_nan=True)
    assert mine["mode"].tolist() == [each.encode() for each in theirs["mode"]]
    assert np.array_equal(mine["psd"], np.stack(theirs["psd"]))
    begin, end = (int(TIMES[at].astype(int)) for at in (12, 18))
    assert list(data._groups(begin, end)) == [1]
    assert columns(data, ["b"], begin, end)["b"].tolist() == list(range(12, 18))
    assert (data.described.records, data.described.cadence) == (48, 1800)


def test_parquet_without_times_is_told(tmp_path, read):
    pq.write_table(pa.table({"a": [1, 2]}), tmp_path / "a.parquet")
    with pytest.raises(SourceError, match="no column of timestamps"):
        read(ParquetFile, tmp_path / "a.parquet")


def test_what_we_write_as_parquet_is_read_back_with_axes_and_units(root, pattern):
    source = root.add("mag", f'[reader]\nfiles = "{pattern}"\n')
    folder = root.root / "copies"
    folder.mkdir()
    source["2020-01-01":"2020-01-02"].ask(read_data="psd").save(folder / "mag_20200101.parquet")
    copy = root.add("copy", f'[reader]\nfiles = "{folder}/mag_$Y$m$d.parquet"\n')
    one, other = (each["2020-01-01":"2020-01-02"].ask(read_data="psd").read().only for each in (source, copy))
    assert np.array_equal(one["psd"], other["psd"])
    assert np.array_equal(one["freq"], other["freq"])
    assert np.array_equal(one["time"], other["time"])
    assert one.units("psd") == other.units("psd")


@pytest.mark.parametrize("kind", ["nc", "parquet"])
def test_a_folder_becomes_a_source(root, tmp_path, kind):
    folder = tmp_path / "radio"
    folder.mkdir()
    (written if kind == "nc" else parquet)(folder / f"radio_20200101.{kind}")
    done = CliRunner().invoke(main, ["init", str(folder), "--root", str(root.root)])
    assert done.exit_code == 0, done.output
    source = dasflex_core.open(root.root)["radio"]
    assert source.definition.coords["time"].cadence == 1800
    name = "flux" if kind == "nc" else "psd"
    table = source["2020-01-01T06:00":"2020-01-01T07:00"].ask(read_data=name).read().only
    assert table[name].shape == (2, 3)

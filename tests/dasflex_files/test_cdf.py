# SPDX-License-Identifier: GPL-3.0-or-later
"""CDF files are read as cdflib, which shares no code with us, reads them: their records, and what they say of themselves."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack, closing

import cdflib
import numpy as np
import pycdfpp
import pytest

from dasflex_core import epochs
from dasflex_core.errors import SourceError
from dasflex_files import cdf_file, table_file
from dasflex_files.calendar_fields import ALWAYS
from dasflex_files.cdf_file import CdfFile
from dasflex_files.cdf_slices import Slices
from dasflex_files.describing import Described
from dasflex_files.kinds import KINDS, kind_of, opened


@pytest.fixture
def read():
    """What opens a file, which is closed when the test is done."""
    with ExitStack() as stack:
        yield lambda path, time="": stack.enter_context(closing(CdfFile(str(path), time)))


def columns(data, names, begin=ALWAYS[0], end=ALWAYS[1]):
    """All batches put together."""
    batches = list(data.batches(tuple(names), begin, end))
    return {name: np.concatenate([each[name] for each in batches]) for name in batches[0]}, batches


def test_what_a_file_says_of_itself_is_kept(tmp_path, write_cdf, read):
    data = read(write_cdf(tmp_path / "a.cdf", "2020-01-01"))
    found = data.described
    assert (found.time, found.units, found.title, found.records, found.cadence) == (
        "Epoch",
        "TT2000",
        "A magnetometer",
        24,
        3600,
    )
    assert found.begin == np.datetime64("2020-01-01", "ns").astype(int)
    field = found.variable("B_gse")
    assert (field.units, field.title, field.label, field.valid, field.shape) == (
        "nT",
        "Magnetic field",
        "B",
        (-1000.0, 1000.0),
        (3,),
    )
    assert found.variable("psd").axes == ("freq",)
    assert found.variable("FREQ").scale == "log"
    assert [each.name for each in found.data] == ["B_gse", "flag", "psd", "matrix"]
    assert Described.read(found.text()) == found


@pytest.mark.parametrize("epoch", ["CDF_TIME_TT2000", "CDF_EPOCH", "CDF_EPOCH16"])
def test_records_are_those_of_the_reference_in_any_kind_of_time(tmp_path, write_cdf, epoch, read):
    path = write_cdf(tmp_path / "a.cdf", "2020-01-01", epoch=epoch)
    data, theirs = read(path), cdflib.CDF(path)
    mine, _batches = columns(data, ["B_gse", "psd", "flag", "matrix"])
    for name in ("B_gse", "psd", "flag", "matrix"):
        assert np.array_equal(mine[name], theirs.varget(name))
    times = epochs.to_datetime64(mine["Epoch"], data.described.units)
    assert np.array_equal(times, cdflib.cdfepoch.to_datetime(theirs.varget("Epoch")).astype("M8[ns]"))


def test_only_records_in_the_range_are_read(tmp_path, write_cdf, read):
    data = read(write_cdf(tmp_path / "a.cdf", "2020-01-01"))
    begin, end = (int(np.datetime64(f"2020-01-01T{hour:02d}", "ns").astype(int)) for hour in (5, 8))
    mine, _batches = columns(data, ["flag"], begin, end)
    assert mine["flag"].tolist() == [5, 6, 7]
    assert not list(data.batches(("flag",), end + 10**15, end + 2 * 10**15))


def test_large_variables_come_in_slices_equal_to_the_whole(tmp_path, write_cdf, monkeypatch, read):
    path = str(write_cdf(tmp_path / "a.cdf", "2020-01-01", count=1440))
    whole, _batches = columns(read(path), ["B_gse", "psd", "matrix"])
    monkeypatch.setattr(cdf_file, "_LARGE", 1000)
    monkeypatch.setattr(table_file, "BATCH", 4000)
    some = read(path)
    monkeypatch.setattr(some, "_values", lambda name: pytest.fail(f"{name} was read whole"))
    sliced, batches = columns(some, ["B_gse", "psd", "matrix"])
    assert len(batches) > 10
    assert all(np.array_equal(sliced[name], whole[name]) for name in whole)


def test_slices_of_real_files_are_what_the_library_reads(test_data):
    for path in (*(test_data / "themis").glob("*.cdf"), *(test_data / "das3").glob("*.cdf")):
        slices, library = Slices(str(path)), pycdfpp.load(str(path))
        seen = 0
        for name, variable in library.items():
            if variable.is_nrv:
                continue
            assert slices.has(name), name
            whole = variable.values
            whole = whole.view(whole.dtype[0]) if whole.dtype.fields else whole
            for first, last in ((0, len(whole)), (1, 2), (len(whole) - 1, len(whole))):
                assert np.array_equal(slices.read(name, first, last), whole[first:last])
            seen += 1
        assert seen
        slices.close()


@pytest.mark.parametrize("place", [9, 200, 2000])
def test_a_file_that_ends_early_is_told_and_nothing_else_happens(tmp_path, write_cdf, place, read):
    path = write_cdf(tmp_path / "a.cdf", "2020-01-01")
    path.write_bytes(path.read_bytes()[:place])
    with pytest.raises(SourceError) as caught:
        opened(kind_of("cdf", "x"), str(path), "")
    assert str(path) not in caught.value.message


def test_a_file_without_times_is_told(tmp_path, write_cdf, read):
    cdf = pycdfpp.CDF()
    cdf.add_variable("x", values=np.arange(3.0))
    pycdfpp.save(cdf, str(tmp_path / "a.cdf"))
    with pytest.raises(SourceError, match="no variable of times"):
        read(tmp_path / "a.cdf")
    with pytest.raises(SourceError, match="Epoch2"):
        read(write_cdf(tmp_path / "b.cdf", "2020-01-01"), "Epoch2")


def test_an_axis_that_stands_at_another_index_is_found_where_it_fits(test_data, read):
    (path,) = (test_data / "themis").glob("*.cdf")
    found = read(path).described
    assert found.variable("BB_xyz_xyz").axes == ("", "", "FREQUENCY")
    assert (found.records, round(found.cadence, 3)) == (100, 0.01)


def test_every_kind_of_file_has_suffixes_of_its_own():
    suffixes = [each for kind in KINDS for each in kind.suffixes]
    assert len(suffixes) == len(set(suffixes))


DAMAGED = """
import random, sys
from contextlib import closing
from pathlib import Path
from dasflex_core.errors import DasflexError
from dasflex_files.calendar_fields import ALWAYS
from dasflex_files.kinds import kind_of, opened

whole, place = Path(sys.argv[1]).read_bytes(), Path(sys.argv[2])
refused = 0
for seed in range(300):
    chance, damaged = random.Random(seed), bytearray(whole)
    for _ in range(chance.randint(1, 8)):
        damaged[chance.randrange(min(6000, len(whole)))] = chance.randrange(256)
    place.write_bytes(damaged)
    try:
        with closing(opened(kind_of("cdf", "x"), str(place), "")) as data:
            for _each in data.batches(tuple(each.name for each in data.described.data), *ALWAYS):
                pass
    except (DasflexError, RuntimeError):
        refused += 1
print(refused)
"""


def test_a_damaged_file_is_refused_before_the_library_ends_the_process_at_it(tmp_path, write_cdf):
    path = write_cdf(tmp_path / "a.cdf", "2020-01-01")
    words = [sys.executable, "-c", DAMAGED, str(path), str(tmp_path / "damaged.cdf")]
    done = subprocess.run(words, capture_output=True, check=False, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 30

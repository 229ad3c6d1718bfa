# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written to a CDF is read back equal, by three independent libraries; fill and times are those of ISTP."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from dasflex_cdf.columns import Intake
from dasflex_cdf.holding import Held, Room
from dasflex_cdf.kinds import FILL_TIME
from dasflex_core import epochs
from dasflex_core.arrays import VARIES, Dataset, Dimension, Ragged, Records, StreamHeader, Variable, is_fill
from dasflex_core.errors import QueryError, SourceError
from dasflex_core.testing import golden
from dasflex_core.testing.comparing import in_pieces
from dasflex_core.testing.strategies import streams

from .conftest import by_cdflib, by_pycdfpp, globals_of, read_by_all, same, texts

TIME = Variable("time", "center", "datetime", "TT2000", (VARIES,), np.dtype("i8"), fill=FILL_TIME)


def one(variable, column, time=TIME, times=None):
    """A stream of a time and one more variable."""
    dataset = Dataset(
        1,
        "set",
        (VARIES, *variable.index[1:]),
        (
            Dimension("time", "time", coordinate=True, variables=(time,)),
            Dimension(variable.name, variable.name, coordinate=False, variables=(variable,)),
        ),
        ("time", variable.name),
    )
    times = np.arange(len(column)) * 10**9 if times is None else times
    return [StreamHeader(), dataset, Records(dataset, {"time": times, variable.name: column})]


def number(dtype, fill=None, semantic="integer"):
    return Variable("n", "center", semantic, "", (VARIES,), np.dtype(dtype), fill=fill)


@pytest.mark.parametrize("compression", ["none", "gzip"])
@pytest.mark.parametrize("name", golden.streams())
def test_every_kind_of_data_is_read_alike_by_three_libraries(make, nasa, name, compression):
    read_by_all(make(golden.streams()[name], compression=compression), nasa)


@pytest.mark.parametrize("name", golden.streams())
@pytest.mark.parametrize("size", [1, 2])
def test_how_batches_are_cut_does_not_show(make, name, size):
    whole, pieces = make(golden.streams()[name]), make(in_pieces(golden.streams()[name], size))
    assert whole.read_bytes() == pieces.read_bytes()


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=streams(3) | streams(2) | streams(3, ragged=True))
def test_random_streams_are_read_back_equal_by_two_libraries(make, data):
    path = make(data)
    values, about = by_pycdfpp(path)
    others, _about = by_cdflib(path)
    assert set(values) == set(others)
    for name, array in values.items():
        assert same(array, others[name]), name
    batches = {}
    for item in data:
        if isinstance(item, Records):
            batches.setdefault(item.dataset.id, []).append(item)
    written = [each for each in data if isinstance(each, Dataset)]
    for place, dataset in enumerate(written):
        for variable in dataset.columns:
            columns = [batch[variable.name] for batch in batches.get(dataset.id, [])]
            name = "Epoch" if variable.name == "time" else variable.name
            found = next(each for each in (f"{name}_{dataset.name}", name) if each in values) if place else name
            check(variable, columns, values[found], about[found])


def check(variable, columns, array, about):
    """The values of one variable in a file are those of its columns."""
    records = sum(map(len, columns))
    assert len(array) == records
    if not records:
        return
    row = 0
    for column in columns:
        for record in range(len(column)):
            own = _record(column, record)
            compare(variable, own, array[row], about)
            row += 1


def _record(column, record):
    """The value of one record: an array, or a list of runs."""
    if not isinstance(column, Ragged):
        return column[record]
    begin, end = int(column.offsets[record]), int(column.offsets[record + 1])
    if isinstance(column.values, Ragged):
        return [_record(column.values, place) for place in range(begin, end)]
    return list(column.values[begin:end])


def compare(variable, own, array, about):
    """A value, or runs of them, against what stands in the file; what is behind a run is fill."""
    if isinstance(own, list):
        for place, each in enumerate(own):
            compare(variable, each, array[place], about)
        rest = array[len(own) :]
        if rest.dtype.kind == "S":
            assert not any(np.strings.rstrip(rest, b" ").reshape(-1).tolist())
        elif "FILLVAL" in about and variable.semantic != "datetime" and variable.dtype.str[1:] != "u8":
            assert (rest == np.asarray(about["FILLVAL"]).astype(rest.dtype)[0]).all()
        return
    own = np.asarray(own)
    if variable.dtype.kind == "S":
        assert texts(np.asarray(array)) == texts(own)
    else:
        wanted = as_written(variable, own, array, about)
        assert np.array_equal(wanted, array, equal_nan=variable.dtype.kind == "f")


def as_written(variable, own, array, about):
    """A value with the fill of the file."""
    missing = is_fill(own, variable.fill)
    if variable.semantic == "datetime":
        times = own.astype("i8") if variable.units == "TT2000" else epochs.convert(own, variable.units, "TT2000")
        return np.where(missing | (times == epochs.FILL_INTEGER), FILL_TIME, times)
    if variable.semantic == "bool":
        return np.where(missing, 255, own != 0)
    if variable.semantic == "blob":
        return own
    if "FILLVAL" not in about:
        return own
    return np.where(missing, np.asarray(about["FILLVAL"])[0], own.astype(array.dtype))


@pytest.mark.parametrize(
    ("dtype", "fill", "standard"),
    [
        ("i1", -127, -128),
        ("<i2", -32767, -32768),
        (">i4", -2147483647, -2147483648),
        ("<i8", -9223372036854775807, -9223372036854775808),
        ("u1", 0, 255),
        (">u2", 999, 65535),
        ("<u4", 7, 4294967295),
        (">f4", 1e32, np.float32(-1e31)),
        ("<f8", -999.0, -1e31),
        ("f4", np.nan, np.float32(-1e31)),
    ],
)
def test_fill_becomes_that_of_istp(make, dtype, fill, standard):
    semantic = "real" if "f" in dtype else "integer"
    column = np.array([3, fill, 5, fill], dtype=dtype)
    path = make(one(number(dtype, fill, semantic), column))
    values, about = by_pycdfpp(path)
    assert values["n"].tolist() == [3, standard, 5, standard]
    assert about["n"]["FILLVAL"] == [standard]


def test_a_valid_value_never_becomes_fill(make):
    column = np.array([-32768, -32767, 4], dtype="i2")
    values, about = by_pycdfpp(make(one(number("i2", -32767), column)))
    assert values["n"].tolist() == [-32768, -32767, 4]
    assert about["n"]["FILLVAL"] == [-32767], "the fill of the stream stays, since that of ISTP is a value here"
    values, about = by_pycdfpp(make(one(number("u1"), np.array([0, 255], dtype="u1"))))
    assert values["n"].tolist() == [0, 255]
    assert "FILLVAL" not in about["n"], "nothing is missing, so that nothing may be taken for it"
    assert (about["n"]["VALIDMIN"], about["n"]["VALIDMAX"]) == ([0], [255])


def test_nan_stays_nan_where_it_is_no_fill(make):
    values, _about = by_pycdfpp(make(golden.spectra()))
    assert np.isnan(values["psd"][1, 2])
    assert values["psd"][1, 1] == np.float32(-1e31)


def test_unsigned_integers_of_eight_bytes_are_signed_or_else_reals(make):
    variable = number("u8", 2**64 - 1)
    values, about = by_pycdfpp(make(one(variable, np.array([0, 2**63 - 1, 2**64 - 1], dtype="u8"))))
    assert values["n"].tolist() == [0, 2**63 - 1, -(2**63)]
    assert values["n"].dtype == np.dtype("i8")
    values, about = by_pycdfpp(make(one(variable, np.array([0, 2**63, 2**64 - 1], dtype="u8"))))
    assert values["n"].tolist() == [0, 2.0**63, -1e31]
    assert about["n"]["FILLVAL"] == [-1e31]


@pytest.mark.parametrize("units", ["us2000", "t1970", "t2000", "ns1970", "UTC", "TT2000"])
def test_times_of_all_epochs_are_tt2000_with_their_leap_seconds(make, nasa, units):
    utc = np.array(["2016-12-31T23:59:59", "2017-01-01T00:00:00", "2005-12-31T12:00:00"], "M8[ns]")
    raw = epochs.from_datetime64(utc, units)
    time = replace(TIME, units=units, dtype=raw.dtype, fill=None)
    path = make(one(number("f8", semantic="real"), np.zeros(3), time, raw))
    values = read_by_all(path, nasa)
    assert np.diff(values["Epoch"][:2]).tolist() == [2 * 10**9], "there is a leap second between the two"
    with nasa.CDF(str(path)) as held:
        assert [str(each) for each in held["Epoch"][...]] == [
            "2016-12-31 23:59:59", "2017-01-01 00:00:00", "2005-12-31 12:00:00",
        ]  # fmt: skip


def test_a_time_inside_a_leap_second_stays_there(make, nasa):
    inside = 536500868184000000 + 500_000_000  # 2016-12-31T23:59:60.5
    path = make(one(number("f8", semantic="real"), np.zeros(2), times=np.array([inside, FILL_TIME])))
    values = read_by_all(path, nasa)
    assert values["Epoch"].tolist() == [inside, FILL_TIME]
    import cdflib

    assert cdflib.cdfepoch.encode_tt2000(int(values["Epoch"][0])) == "2016-12-31T23:59:60.500000000"


def test_what_is_no_time_is_fill(make):
    utc = np.array(["2016-12-31", "NaT"], "M8[ns]")
    time = replace(TIME, units="UTC", dtype=utc.dtype, fill=None)
    values, about = by_pycdfpp(make(one(number("f8", semantic="real"), np.zeros(2), time, utc)))
    assert values["Epoch"][1] == FILL_TIME
    assert "MONOTON" not in about["Epoch"]


def test_runs_are_padded_with_fill_and_their_lengths_stand_beside_them(make):
    values, about = by_pycdfpp(make(golden.bursts()))
    fill = np.float32(-1e31)
    assert values["ex"].tolist() == [[0.5, -0.25, fill], [fill] * 3, [1.0, 0.0, fill]]
    assert values["ex_length"].tolist() == [3, 0, 2]
    assert about["ex"]["LENGTH_VAR_1"] == "ex_length"
    assert "padded to 3" in about["ex"]["VAR_NOTES"]
    assert values["EpochOffset"].tolist() == [0.0, 0.5, 1.0], "offsets go as far as the longest run"


def test_files_in_a_stream_are_bytes_with_their_lengths(make):
    values, about = by_pycdfpp(make(golden.pictures()))
    assert values["image"].tolist() == [[0, 255, 10], [7, 0, 0]]
    assert values["image_length"].tolist() == [3, 1]
    assert "FILLVAL" not in about["image"], "each byte is valid"
    assert values["remarks_length_1"].tolist() == [2, 0]
    assert values["remarks_length_2"].tolist() == [[1, 2], [0, 0]]


def test_several_datasets_have_epochs_of_their_own(make):
    values, about = by_pycdfpp(make(golden.two_datasets()))
    assert about["bx"]["DEPEND_0"] == "Epoch"
    assert about["psd"]["DEPEND_0"] == "Epoch_spectra"
    assert len(values["Epoch"]) == len(values["Epoch_spectra"]) == 3


def test_a_dataset_that_is_declared_anew_with_other_constants_is_another_group(make):
    header, dataset, batch = golden.spectra()
    frequency = dataset["frequency"]
    other = dataset.swap(frequency, replace(frequency, values=np.array([1.0, 2.0, 3.0]), axes=()))
    again = [header, dataset, batch, dataset, batch, other, Records(other, batch.columns)]
    values, about = by_pycdfpp(make(again))
    assert len(values["psd"]) == 6, "the same declaration again changes nothing"
    assert len(values["psd_spectra"]) == 3
    assert about["psd_spectra"]["DEPEND_1"] == "frequency_spectra"
    assert values["frequency_spectra"].tolist() == [1.0, 2.0, 3.0]


def test_without_data_there_is_a_valid_file_without_records(make, nasa):
    values = read_by_all(make(golden.nothing()), nasa)
    assert values["Epoch"].shape == (0,)
    declared = [each for each in golden.spectra() if not isinstance(each, Records)]
    path = make([*declared, golden.nothing()[1]])
    values = read_by_all(path, nasa)
    assert values["psd"].shape == (0, 3)
    assert values["frequency"].tolist() == [10.0, 20.0, 40.0]
    assert globals_of(path)["TEXT"] == ["Nothing from 2031-05-01 to 2031-05-02"]


def test_records_that_nothing_declares_are_the_readers_fault(make):
    with pytest.raises(SourceError, match="before its declaration"):
        make([golden.spectra()[-1]])


def test_a_failure_of_the_reader_breaks_the_file(make):
    from dasflex_core.arrays import Problem

    with pytest.raises(SourceError, match="the disk of 1979"):
        make([*golden.spectra(), Problem("ServerError", "the disk of 1979 cannot be read")])


def many(count):
    """The spectra, many times."""
    header, dataset, batch = golden.spectra()
    columns = {name: np.concatenate([column] * 1000) for name, column in batch.columns.items()}
    return [header, dataset, *[Records(dataset, columns)] * count]


@pytest.mark.parametrize("items", [many(3), golden.bursts() + golden.bursts()[2:] * 40])
def test_what_goes_through_files_is_the_same(make, monkeypatch, items):
    whole = make(items).read_bytes()
    monkeypatch.setattr("dasflex_cdf.spool.MEMORY", 1500)
    assert make(items).read_bytes() == whole


def test_a_file_that_becomes_too_large_is_refused_with_what_would_do(make):
    with pytest.raises(QueryError, match="larger than the 20,000 bytes") as caught:
        make(many(3), quota=20_000)
    assert caught.value.kind == "query.too-large"


def test_padding_counts(make):
    header, dataset, _batch = golden.bursts()
    wave = Ragged(np.zeros(1000, "<f4"), np.array([0, *[1000] * 1000]))
    columns = {
        "time.reference": np.arange(1000), "ex": wave, "gain": np.zeros(1000, "u1")
    }  # fmt: skip
    items = [header, dataset, Records(dataset, columns)]
    make(items, quota=8_000_000)
    with pytest.raises(QueryError, match="that a CDF may have"):
        make(items, quota=3_000_000)


def test_memory_grows_in_place(tmp_path):
    room = Room(tmp_path, 10**9)
    held = Held(room, np.dtype("i4"), (3,))
    parts = [np.arange(3 * size, dtype=">i4").reshape(size, 3) for size in (1, 100_000, 7, 6_000_000)]
    for part in parts:
        held.add(part)[:1] += 1
    wanted = np.concatenate(parts).astype("i4")
    begin = 0
    for part in parts:
        wanted[begin] += 1
        begin += len(part)
    assert np.array_equal(held.values(), wanted)


def test_somebody_who_still_looks_at_a_column_does_not_stop_its_growth(tmp_path):
    held = Room(tmp_path, 10**9).column(np.dtype("f8"), ())
    first = held.add(np.arange(10.0))
    held.add(np.zeros(1 << 20))
    assert first.tolist() == list(range(10))
    assert held.values()[:10].tolist() == list(range(10))


@pytest.mark.parametrize("fill", [-1e31, 1e31, -999.0, 0.0, np.nan, np.inf, None, 1e30])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_the_quick_search_for_fill_finds_what_the_plain_one_does(tmp_path, fill, dtype):
    random = np.random.default_rng(7)
    values = (random.choice([-1, 1], 200_000) * 10.0 ** random.uniform(-38, 37, 200_000)).astype(dtype)
    near = np.array([-1e31, -1.00000999e31, -1.0000101e31, 1e31, -999, -999.009, 0, np.nan, np.inf, -np.inf], dtype)
    values[:10] = near
    variable = number(dtype, fill, "real")
    intake = Intake(variable, Room(tmp_path, 10**9))
    intake.add(values)
    found, _type = intake.settled()
    wanted = np.where(is_fill(values, fill), values.dtype.type(-1e31), values)
    assert np.array_equal(found, wanted, equal_nan=True)
    assert intake.wide
    tame = Intake(variable, Room(tmp_path, 10**9))
    tame.add(np.array([1.0, 2.0, *([] if fill is None else [fill])], dtype=dtype))
    tame.settled()
    assert not tame.wide

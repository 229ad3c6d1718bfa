# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of text are read as pandas reads them, whatever parts their columns and however they tell the time."""

from __future__ import annotations

import io
from contextlib import ExitStack, closing

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dasflex_core.errors import ConfigError, SourceError
from dasflex_files import text_file
from dasflex_files.calendar_fields import ALWAYS
from dasflex_files.text_file import TextFile, _Cut

HOURS = ("2020-01-01T00:00:00Z", "2020-01-01T01:00:00Z", "2020-01-01T02:00:00Z")
CSV = "Time,Bx (nT),mode,count\n" + "".join(f"{time},{at}.5,m{at},{at}\n" for at, time in enumerate(HOURS))


@pytest.fixture
def table(tmp_path):
    """What opens a text as a file."""
    with ExitStack() as stack:

        def opened(text, time="", told=""):
            path = tmp_path / "table.csv"
            path.write_bytes(text.encode() if isinstance(text, str) else text)
            return stack.enter_context(closing(TextFile(str(path), time, told)))

        yield opened


def columns(data, begin=ALWAYS[0], end=ALWAYS[1]):
    names = tuple(each.name for each in data.described.variables)
    batches = list(data.batches(names, begin, end))
    return {name: np.concatenate([each[name] for each in batches]) for name in batches[0]}


def test_names_units_and_kinds_of_columns_are_seen(table):
    found = table(CSV).described
    assert [(each.name, each.units, each.dtype) for each in found.variables] == [
        ("Bx", "nT", "f8"), ("mode", "", "S8"), ("count", "", "f8")
    ]  # fmt: skip
    assert (found.records, found.cadence, found.end - found.begin) == (3, 3600.0, 7200 * 10**9)


@pytest.mark.parametrize(
    ("text", "time"),
    [
        (CSV, ""),
        (CSV, "TIME"),
        (CSV.replace(",", "\t"), ""),
        (CSV.replace(",", ";"), ""),
        (CSV.replace("\n", "\r\n"), ""),
        ("\ufeff" + CSV, ""),
        (CSV.replace(",", ", "), ""),
        ("# a remark, with, some, commas\n\n" + CSV, ""),
        ("# Time,Bx (nT),mode,count\n" + CSV.partition("\n")[2], ""),
        (CSV.replace("m1", '"m1"'), ""),
        (CSV.replace("\n2020-01-01T01", "\n\n# later\n2020-01-01T01"), ""),
        (CSV.replace(",", "  ").replace("  (nT)", "(nT)").replace(" (nT)", "(nT)"), ""),
        (CSV.replace("2020-01-01T", "2020-001T"), ""),
        (CSV.rstrip("\n"), ""),
    ],
)
def test_the_same_table_in_many_forms_gives_the_same(table, text, time):
    found = columns(table(text, time))
    assert found["time"].tolist() == pd.to_datetime(HOURS).tz_localize(None).astype("M8[ns]").to_numpy().tolist()
    assert found["Bx"].tolist() == [0.5, 1.5, 2.5]
    assert found["mode"].tolist() == [b"m0", b"m1", b"m2"]


@pytest.mark.parametrize(
    ("text", "time", "told"),
    [
        ("year,doy,hour,value\n2020,1,0,1\n2020,1,1,2\n2020,1,2,3\n", "", ""),
        ("Year,Month,Day,Hour,Minute,Second,value\n2020,1,1,0,0,0,1\n2020,1,1,1,0,0.0,2\n2020,1,1,2,0,0,3\n", "", ""),
        ("2020 1 0 1\n2020 1 1 2\n2020 1 2 3\n", "year=field0, doy=field1, hour=field2", ""),
        ("2020 1.0 1\n2020 1.0416666666666667 2\n2020 1.0833333333333333 3\n", "year=field0,doy=field1", ""),
        ("2020 1 0 1\n2020 1 1 2\n2020 1 2 3\n", "", '{"columns": ["year", "doy", "hr", "value"]}'),
        (
            "junk 1 2\nmore junk\n2020,1,0,1\n2020,1,1,2\n2020,1,2,3\n",
            "year=field0,doy=field1,hour=field2",
            '{"skip": 2}',
        ),
    ],
)
def test_times_in_several_columns(table, text, time, told):
    found = columns(table(text, time, told))
    assert [str(each)[:19] for each in found["time"]] == [each.rstrip("Z") for each in HOURS]
    (name,) = set(found) - {"time"}
    assert found[name].tolist() == [1, 2, 3]


def test_what_is_missing_is_nan(table):
    text = "Time,a,b\n2020-01-01,1,-\n2020-01-02,,2\n2020-01-03,3,\n"
    found = columns(table(text, told='{"missing": "-"}'))
    assert np.isnan(found["a"]).tolist() == [False, True, False]
    assert np.isnan(found["b"]).tolist() == [True, False, True]


def test_only_records_in_the_range_come_and_in_batches(table, monkeypatch):
    monkeypatch.setattr(text_file, "BATCH", 4096)
    times = np.datetime64("2020-01-01", "ns") + np.arange(5000) * np.timedelta64(1, "m")
    data = table("Time,a\n" + "".join(f"{str(time)[:19]},{at}\n" for at, time in enumerate(times)))
    begin, end = (int(times[at].astype(int)) for at in (1000, 3000))
    batches = list(data.batches(("a",), begin, end))
    assert len(batches) > 5
    assert np.concatenate([each["a"] for each in batches]).tolist() == list(range(1000, 3000))
    assert data.described.records == pytest.approx(5000, rel=0.05)
    assert data.described.end == int(times[-1].astype(int))


@pytest.mark.parametrize(
    ("text", "told", "error", "words"),
    [
        ("", "", SourceError, "no lines"),
        ("a,b\n1,2\n", "", SourceError, "no column of times"),
        (CSV, '{"columns": ["a"]}', ConfigError, "names 1 columns, and there are 4"),
        (CSV, '{"skip": "x"}', ConfigError, "no number of lines"),
    ],
)
def test_what_is_no_table_is_told(table, text, told, error, words):
    with pytest.raises(error, match=words):
        table(text, told=told)


def test_a_line_of_another_length_breaks_the_reading(table):
    with pytest.raises(SourceError, match="2 fields, and not 4"):
        columns(table(CSV * 1 + "2020-01-01T03:00:00Z,1\n"))


FIELDS = st.text(alphabet="abc019.-e", max_size=5)


@settings(max_examples=150)
@given(st.lists(st.lists(FIELDS, min_size=3, max_size=3), min_size=1, max_size=8), st.sampled_from(",;\t|"))
def test_cutting_quickly_and_plainly_is_the_same(rows, delimiter):
    lines = "".join(delimiter.join(row) + "\n" for row in rows).encode()
    quick, plain = _Cut._quickly(lines, delimiter, 3), _Cut._plainly(lines, delimiter, "", 3)
    for at in range(3):
        assert quick.column(at, None).tolist() == plain.column(at, None).tolist() == [row[at].encode() for row in rows]


def test_numbers_are_those_of_pandas(table):
    rng = np.random.default_rng(7)
    frame = pd.DataFrame(
        {
            "Time": pd.date_range("2020-01-01", periods=3000, freq="1s"),
            "a": rng.normal(size=3000),
            "b": rng.integers(-9, 9, 3000),
        }
    )
    text = frame.to_csv(index=False, date_format="%Y-%m-%dT%H:%M:%S")
    found, theirs = columns(table(text)), pd.read_csv(io.StringIO(text))
    assert np.array_equal(found["a"], theirs["a"].to_numpy())
    assert np.array_equal(found["b"], theirs["b"].to_numpy())


def test_a_collection_of_tables_is_a_source(root, tmp_path):
    (tmp_path / "data").mkdir()
    for day in (1, 2):
        text = CSV.replace("2020-01-01", f"2020-01-0{day}")
        (tmp_path / f"data/2020010{day}.csv").write_text(text, encoding="utf-8")
    source = root.add("table", f'[reader]\nfiles = "{tmp_path}/data/$Y$m$d.csv"\n[data]\nfield = {{ from = "Bx" }}\n')
    table = source["2020-01-01T01:00":"2020-01-02T01:00"].read().only
    assert table["field"].tolist() == [1.5, 2.5, 0.5]
    assert table.units("field") == "nT"

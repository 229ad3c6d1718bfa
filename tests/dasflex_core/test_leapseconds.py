# SPDX-License-Identifier: GPL-3.0-or-later
"""The leap-second table that ships is right, can be replaced, and a wrong one is named with its line."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

import dasflex_core.leapseconds
from dasflex_core.errors import ConfigError
from dasflex_core.leapseconds import leap_seconds, tt2000_of_utc, utc_of_tt2000
from dasflex_core.times import format_time, parse_time

SECOND = 10**9
DAY = 86400 * SECOND
SHIPPED = Path(dasflex_core.leapseconds.__file__).with_name("leap_seconds.txt")


def use(monkeypatch, path, text=None):
    if text is not None:
        path.write_text(text, encoding="utf-8")
    monkeypatch.setenv("DASFLEX_LEAP_SECONDS", str(path))


def test_the_table_that_ships_says_when_it_expires():
    table = leap_seconds()
    assert table.source == str(SHIPPED)
    assert table.expires
    assert table.expires >= date(2027, 6, 28)


def test_the_table_that_ships_has_the_27_leap_seconds_since_1972():
    table = leap_seconds()
    assert len(table.days) == 27
    assert {date.fromordinal(day + 719163).strftime("%m-%d") for day in table.days} == {"06-30", "12-31"}
    assert table.offsets[-1] == 37 * SECOND


@pytest.mark.parametrize(
    ("day", "offset"),
    [
        ("1959-12-31", 0),
        ("1961-01-01", 1_423_466_000),  # tai-utc.dat at noon: 1.4228180 s + 0.5 · 0.001296 s
        ("1968-02-01", 6_186_978_000),  # 4.2131700 s + (39887.5 - 39126) · 0.002592 s
        ("1972-01-01", 10 * SECOND),
        ("1999-01-01", 32 * SECOND),
        ("2026-11-22", 37 * SECOND),
    ],
)
def test_tai_less_utc_on_days_of_every_era(day, offset):
    ns = parse_time(day).ns
    assert tt2000_of_utc(ns) - ns == offset + 32_184_000_000 - parse_time("2000-01-01T12:00").ns


def test_tt2000_runs_through_a_leap_second_without_a_gap():
    midnight = parse_time("2017-01-01").ns
    first = tt2000_of_utc(midnight) - SECOND
    assert utc_of_tt2000(first - 1) == (midnight - 1, 0)
    assert utc_of_tt2000(first) == (midnight - 1, 1)
    assert utc_of_tt2000(first + SECOND - 1) == (midnight - 1, SECOND)
    assert utc_of_tt2000(first + SECOND) == (midnight, 0)


def test_another_table_can_take_its_place(monkeypatch, tmp_path):
    """With a leap second that never was."""
    use(monkeypatch, tmp_path / "next.txt", SHIPPED.read_text(encoding="utf-8") + "2028-01-01 38\n")
    assert format_time(parse_time("2027-12-31T23:59:60")) == "2027-12-31T23:59:60"
    monkeypatch.delenv("DASFLEX_LEAP_SECONDS")
    with pytest.raises(ValueError, match="no leap second"):
        parse_time("2027-12-31T23:59:60")


def test_the_table_of_the_cdf_library_is_read_too(monkeypatch):
    ours = leap_seconds()
    cdflib = pytest.importorskip("cdflib")
    use(monkeypatch, Path(cdflib.__file__).with_name("CDFLeapSeconds.txt"))
    theirs = leap_seconds()
    assert theirs.expires is None
    assert (theirs.starts, theirs.offsets, theirs.days) == (ours.starts, ours.offsets, ours.days)


@pytest.mark.parametrize("line", ["2017-01-01", "2017-13-01 37", "2017-01-01 37 0", "soon 37", "2017-01-01 many"])
def test_a_wrong_row_is_named_with_its_line(monkeypatch, tmp_path, line):
    use(monkeypatch, tmp_path / "wrong.txt", f"# a table\n1972-01-01 10\n{line}\n")
    with pytest.raises(ConfigError, match=r"wrong\.txt:3") as caught:
        leap_seconds()
    assert caught.value.kind == "config.bad-value"


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "1973-01-01 12\n1972-01-01 10\n", "1972-01-01 10\n1972-01-01 11\n"]
)
def test_rows_must_be_there_and_ascend(monkeypatch, tmp_path, text):
    use(monkeypatch, tmp_path / "rows.txt", text)
    with pytest.raises(ConfigError, match="ascending"):
        leap_seconds()


def test_a_missing_table_is_named(monkeypatch, tmp_path):
    use(monkeypatch, tmp_path / "missing.txt")
    with pytest.raises(ConfigError, match=r"missing\.txt") as caught:
        leap_seconds()
    assert caught.value.kind == "config.unreadable"

# SPDX-License-Identifier: GPL-3.0-or-later
"""The index knows which files there are: new ones, gone ones, better versions, and in whatever process it was made."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from dasflex_core.errors import ConfigError
from dasflex_core.times import parse_time
from dasflex_files.index import ALL_EVERY, Index
from dasflex_files.pattern import parse_pattern


def settle(folder, date=1_600_000_000):
    """Dates that are long ago, so that a directory that changes has another."""
    for path in [folder, *folder.rglob("*")]:
        os.utime(path, (date, date))


def made(folder, *names):
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    settle(folder)


class Clock:
    """A clock that is set."""

    now = 2_000_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def look(tmp_path):
    """What is found, by names of files, with a clock that is set."""
    clock = Clock()

    def looked(begin, end, template="$Y/$m/a_$Y$m$d_v$(v,sep).cdf", keep=tmp_path / "keep"):
        with Index(parse_pattern(f"{tmp_path}/data/{template}"), str(keep) if keep else "", clock) as index:
            found = index.look(parse_time(begin).ns, parse_time(end).ns)
        return [Path(each.path).name for each in found.files]

    looked.clock = clock
    return looked


@pytest.mark.parametrize("keep", [True, False])
def test_only_files_that_overlap_are_found_and_the_highest_version_of_each(tmp_path, look, keep):
    made(tmp_path / "data", "2020/01/a_20200101_v1.9.cdf", "2020/01/a_20200101_v1.10.cdf", "2020/01/a_20200102_v1.0.cdf",
         "2020/02/a_20200201_v1.0.cdf", "2020/01/other.txt", "2020/01/a_20200199_v1.0.cdf")  # fmt: skip
    more = {} if keep else {"keep": None}
    assert look("2020-01-01T12:00", "2020-01-02", **more) == ["a_20200101_v1.10.cdf"]
    assert look("2020-01-01", "2020-03-01", **more) == [
        "a_20200101_v1.10.cdf",
        "a_20200102_v1.0.cdf",
        "a_20200201_v1.0.cdf",
    ]
    assert look("2021-01-01", "2022-01-01", **more) == []


def test_a_new_file_is_found_at_once_and_one_that_is_gone_is_not(tmp_path, look):
    data = tmp_path / "data"
    made(data, "2020/01/a_20200101_v1.0.cdf")
    assert look("2020-01-01", "2020-02-01") == ["a_20200101_v1.0.cdf"]
    (data / "2020/01/a_20200102_v1.0.cdf").touch()
    assert look("2020-01-01", "2020-02-01") == ["a_20200101_v1.0.cdf", "a_20200102_v1.0.cdf"]
    (data / "2020/01/a_20200101_v1.0.cdf").unlink()
    assert look("2020-01-01", "2020-02-01") == ["a_20200102_v1.0.cdf"]
    (data / "2020/01/a_20200102_v1.0.cdf").rename(data / "2020/01/a_20200102_v1.1.cdf")
    assert look("2020-01-01", "2020-02-01") == ["a_20200102_v1.1.cdf"]


def test_new_directories_are_found_and_the_files_of_removed_ones_are_not(tmp_path, look):
    data = tmp_path / "data"
    made(data, "2020/01/a_20200101_v1.0.cdf")
    look("2020-01-01", "2020-02-01")
    made(data, "2021/05/a_20210501_v1.0.cdf")
    os.utime(data, (1_600_000_100, 1_600_000_100))
    assert look("2020-01-01", "2022-02-01") == ["a_20200101_v1.0.cdf", "a_20210501_v1.0.cdf"]
    for path in sorted((data / "2021").rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    (data / "2021").rmdir()
    assert look("2020-01-01", "2022-02-01") == ["a_20200101_v1.0.cdf"]


def test_a_warm_look_lists_no_directory_and_looks_only_at_those_that_may_have_files(tmp_path, look, monkeypatch):
    data = tmp_path / "data"
    made(
        data,
        *(f"{year}/{month:02d}/a_{year}{month:02d}01_v1.0.cdf" for year in range(1990, 2020) for month in range(1, 13)),
    )
    look("2010-06-01", "2010-07-01")
    listed, looked = [], []
    monkeypatch.setattr(os, "scandir", lambda path, real=os.scandir: (listed.append(path), real(path))[1])
    monkeypatch.setattr(
        os, "stat", lambda path, *rest, real=os.stat, **more: (looked.append(path), real(path, *rest, **more))[1]
    )
    assert look("2010-06-01", "2010-07-01") == ["a_20100601_v1.0.cdf"]
    assert not listed
    assert len([path for path in looked if str(path).startswith(str(data))]) < 12


def test_other_directories_are_looked_at_once_in_a_while(tmp_path, look):
    data = tmp_path / "data"
    made(data, "2000/01/a_20000101_v1.0.cdf", "2020/01/a_20200101_v1.0.cdf")
    pattern = parse_pattern(f"{data}/$Y/$m/a_$Y$m$d_v$(v,sep).cdf")
    begin, end = parse_time("2020-01-01").ns, parse_time("2020-01-02").ns

    def newest():
        with Index(pattern, str(tmp_path / "keep"), look.clock) as index:
            return index.look(begin, end).newest

    assert newest() == 1_600_000_000
    os.utime(data / "2000/01", (1_700_000_000, 1_700_000_000))
    assert newest() == 1_600_000_000
    look.clock.now += ALL_EVERY + 1
    assert newest() == 1_700_000_000


def test_a_file_that_grows_is_newer_though_its_directory_is_not(tmp_path):
    data = tmp_path / "data"
    made(data, "2020/01/a_20200101_v1.0.cdf")
    pattern = parse_pattern(f"{data}/$Y/$m/a_$Y$m$d_v$(v,sep).cdf")
    for date in (1_600_000_000, 1_650_000_000):
        os.utime(data / "2020/01/a_20200101_v1.0.cdf", (date, date))
        with Index(pattern, str(tmp_path / "keep")) as index:
            assert index.look(parse_time("2020-01-01").ns, parse_time("2020-01-02").ns).newest == date


def test_without_a_directory_there_is_nothing_and_later_there_is(tmp_path, look):
    assert look("2020-01-01", "2020-02-01") == []
    made(tmp_path / "data", "2020/01/a_20200101_v1.0.cdf")
    assert look("2020-01-01", "2020-02-01") == ["a_20200101_v1.0.cdf"]


def test_a_directory_that_may_not_be_listed_is_an_error_that_names_it(tmp_path, look, monkeypatch):
    made(tmp_path / "data", "2020/01/a_20200101_v1.0.cdf")

    def refuse(path):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(ConfigError, match="may not be listed"):
        look("2020-01-01", "2020-02-01")


def test_an_index_that_is_broken_is_made_anew(tmp_path, look):
    made(tmp_path / "data", "2020/01/a_20200101_v1.0.cdf")
    look("2020-01-01", "2020-02-01")
    (file,) = (tmp_path / "keep/files").glob("*.sqlite")
    file.write_bytes(b"no database at all, but long enough to be looked at" * 40)
    assert look("2020-01-01", "2020-02-01") == ["a_20200101_v1.0.cdf"]
    assert file.read_bytes().startswith(b"SQLite format 3")


def test_while_another_process_writes_the_answer_is_right_all_the_same(tmp_path, look, monkeypatch):
    data = tmp_path / "data"
    made(data, "2020/01/a_20200101_v1.0.cdf")
    look("2020-01-01", "2020-02-01")
    (data / "2020/01/a_20200102_v1.0.cdf").touch()
    (file,) = (tmp_path / "keep/files").glob("*.sqlite")
    monkeypatch.setattr("dasflex_files.index._PATIENCE", 0.01)
    other = sqlite3.connect(file)
    other.execute("BEGIN EXCLUSIVE")
    try:
        assert look("2020-01-01", "2020-02-01") == ["a_20200101_v1.0.cdf", "a_20200102_v1.0.cdf"]
    finally:
        other.rollback()
        other.close()


def test_several_processes_make_one_index_at_once(tmp_path):
    data = tmp_path / "data"
    made(
        data,
        *(f"2020/{month:02d}/a_2020{month:02d}{day:02d}_v1.0.cdf" for month in range(1, 13) for day in range(1, 29)),
    )
    code = (
        "import sys; from dasflex_files.index import Index; from dasflex_files.pattern import parse_pattern as p\n"
        "with Index(p(sys.argv[1]), sys.argv[2]) as index: print(len(index.look(0, 2**62).files))"
    )
    words = [sys.executable, "-c", code, f"{data}/$Y/$m/a_$Y$m$d_v$(v,sep).cdf", str(tmp_path / "keep")]
    running = [subprocess.Popen(words, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    assert [each.communicate(timeout=60)[0].strip() for each in running] == ["336"] * 4
    with Index(parse_pattern(words[3]), words[4]) as index:
        assert index.count()[0] == 336


def test_orbits_are_looked_up_in_the_file_that_the_field_names(tmp_path, look):
    made(tmp_path / "data", "o_00012.cdf", "o_00013.cdf", "o_00099.cdf")
    (tmp_path / "data/orbits.txt").write_text(
        "# orbit begin end\n12 2020-01-01T00:00 2020-01-01T09:00\n2020-01-01T09:00 2020-01-01T18:00 13\n"
    )
    assert look("2020-01-01T10:00", "2020-01-02", "o_$(o;id=orbits.txt).cdf") == ["o_00013.cdf"]
    with pytest.raises(ConfigError, match="cannot be read"):
        look("2020-01-01", "2020-01-02", "o_$(o;id=none.txt).cdf")
    (tmp_path / "data/wrong.txt").write_text("12 13 14\n")
    with pytest.raises(ConfigError, match=r"wrong\.txt:1"):
        look("2020-01-01", "2020-01-02", "o_$(o;id=wrong.txt).cdf")

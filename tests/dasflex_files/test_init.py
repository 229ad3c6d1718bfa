# SPDX-License-Identifier: GPL-3.0-or-later
"""From a folder of files to a source that is served, in two commands; and the pattern that names follow."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from click.testing import CliRunner
from werkzeug.test import Client

import dasflex_core
from dasflex_cgi.app import Application
from dasflex_core.cli import main
from dasflex_files.naming import guessed
from dasflex_files.pattern import parse_pattern


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["mag_20200101_v1.0.cdf", "mag_20200102_v1.10.cdf"], "mag_$Y$m$d_v$(v,sep).cdf"),
        (["mag_20200101_v01.cdf", "mag_20200102_v02.cdf"], "mag_$Y$m$d_v$v.cdf"),
        (["2020/01/mag_20200101.cdf", "2020/02/mag_20200201.cdf"], "$Y/$m/mag_$Y$m$d.cdf"),
        (["2020/001/a_2020001.nc", "2021/365/a_2021365.nc"], "$Y/$j/a_$Y$j.nc"),
        (["2020/01/17/a.csv", "2020/02/18/a.csv"], "$Y/$m/$d/a.csv"),
        (["a_2020-01-01.csv", "a_2020-01-02.csv"], "a_$Y-$m-$d.csv"),
        (["a_2020-01-01T10-30-00.csv", "a_2020-01-01T11-30-00.csv"], "a_$Y-$m-$dT$H-$M-$S.csv"),
        (["wav_202001011030.cdf", "wav_202001021130.cdf"], "wav_$Y$m$d$H$M.cdf"),
        (["wav_2020010110.csv", "wav_2020010211.csv"], "wav_$Y$m$d$H.csv"),
        (["x_202001.parquet", "x_202002.parquet"], "x_$Y$m.parquet"),
        (["x1_2020.csv", "x1_2021.csv"], "x1_$Y.csv"),
        (["id79242_2020001.cdf", "id49304_2020002.cdf"], "$x_$Y$j.cdf"),
        (["tha_l3_sm_20080629_171151_20080629_171152_burst_v01.cdf"],
         "tha_l3_sm_$Y$m$d_$H$M$S_$(Y,end)$m$d_$H$M$S_burst_v$v.cdf"),
        (["mms1_fgm_srvy_l2_20151016_v4.18.0.cdf"], "mms1_fgm_srvy_l2_$Y$m$d_v$(v,sep).cdf"),
        (["all.csv"], "all.csv"),
        (["cost$_2020.csv"], "cost$$_$Y.csv"),
    ],
)  # fmt: skip
def test_the_pattern_of_names_is_found(names, expected):
    found = guessed(names)
    assert found.pattern == expected
    assert set(found.fitting) == set(names)
    parse_pattern(f"/{found.pattern}")


def test_what_does_not_follow_is_not_counted():
    found = guessed(["mag_20200101.cdf", "mag_20200102.cdf", "readme.cdf"])
    assert found.pattern == "mag_$Y$m$d.cdf"
    assert len(found.fitting) == 2


def run(*words):
    """What a command says, and its exit code."""
    done = CliRunner().invoke(main, [str(word) for word in words])
    return done.exit_code, done.output


def test_one_real_file_becomes_a_source_in_two_commands(root, test_data, tmp_path):
    folder = tmp_path / "themis"
    shutil.copytree(test_data / "themis", folder)
    code, said = run("init", folder, "--root", root.root, "--contact", "Somebody <somebody@example.org>")
    assert code == 0, said
    assert "made themis" in said
    assert "warning" not in said
    assert "not known: whether EE_xyz_xyz runs over FREQUENCY" in said
    site = dasflex_core.open(root.root)
    source = site["themis"]
    table = source.examples[0].read().only
    assert len(table["time"]) == 100
    assert table["BB_xyz_xyz_0_0"].shape == (100, 164)
    assert table.units("BB_xyz_xyz_0_0") == "mV^2 m^-2 Hz^-1"
    client = Client(Application(site, lambda *_words: None))
    assert client.get("/source/themis.html").status_code == 200
    assert client.get("/source/themis/data.csv?time=2008-06-29T17:11:51/2008-06-29T17:11:53").status_code == 200
    code, said = run("check", "themis", "--root", root.root)
    assert code == 0, said
    assert source.definition.hapi


def test_a_folder_of_days_becomes_a_source_whose_files_are_found(root, days):
    code, said = run("init", days, "-o", root.root / "definitions" / "Lab" / "mag.toml", "--root", root.root)
    assert code == 0, said
    assert "made" not in said
    assert "found: 4 of 4 .cdf files follow $Y/$m/mag_$Y$m$d_v$(v,sep).cdf" in said
    code, said = run("install", "--root", root.root)
    assert code == 0, said
    source = dasflex_core.open(root.root)["Lab/mag"]
    assert source.definition.coords["time"].cadence == 3600
    assert source.definition.coords["freq"].scale == "log"
    assert source.definition.data["B_gse"].valid == (-1000, 1000)
    table = source["2020-01-01":"2020-01-02"].ask(read_data="B_gse").read().only
    assert table["B_gse"][0].tolist() == [100, 101, 102]
    assert len(source.examples[0].read()) >= 1


def test_names_that_say_only_a_begin_get_the_length_of_their_files(root, tmp_path):
    folder = tmp_path / "burst"
    folder.mkdir()
    for hour in (1, 9):
        times = np.datetime64(f"2020-01-01T{hour:02d}:15:00") + np.arange(50) * np.timedelta64(1, "m")
        text = "Time,E (V/m)\n" + "".join(f"{time}Z,{at}\n" for at, time in enumerate(times))
        (folder / f"e_20200101_{hour:02d}1500.csv").write_text(text, encoding="utf-8")
    code, said = run("init", folder, "--root", root.root)
    assert code == 0, said
    assert "longer than its name says" in said
    source = dasflex_core.open(root.root)["burst"]
    assert source.definition.readers[0].files.endswith("e_$Y$m$d_$H$M$(S;delta=50M).csv")
    table = source["2020-01-01T01:40":"2020-01-01T02:00"].read().only
    assert table["E"].tolist() == list(range(25, 45))
    assert table.units("E") == "V/m"


def test_a_definition_that_is_there_stays(root, days):
    file = root.root / "definitions" / "Lab" / "mag.toml"
    words = ("init", days, "--root", root.root, "--id", "Lab/mag")
    assert run(*words)[0] == 0
    text = file.read_text(encoding="utf-8")
    other = ("--contact", "Other <other@example.org>")
    code, said = run(*words, *other)
    assert code != 0
    assert "--force" in said
    assert file.read_text(encoding="utf-8") == text
    assert run(*words, *other, "--force")[0] == 0
    assert "Other" in file.read_text(encoding="utf-8")


def test_a_directory_whose_name_can_be_no_id_is_named_with_the_one_above(root, days):
    code, said = run("init", days, "--root", root.root)
    assert code == 0, said
    assert f"made {days.parent.name}_data" in said


def test_a_folder_without_files_or_with_broken_ones_only_is_told(root, tmp_path):
    (tmp_path / "empty").mkdir()
    code, said = run("init", tmp_path / "empty", "--root", root.root)
    assert code != 0
    assert "no files that can be read" in said
    (tmp_path / "empty" / "a_2020.cdf").write_bytes(b"no CDF at all")
    code, said = run("init", tmp_path / "empty", "--root", root.root)
    assert code != 0
    assert "a_2020.cdf cannot be read" in said

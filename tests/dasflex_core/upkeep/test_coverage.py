# SPDX-License-Identifier: GPL-3.0-or-later
"""The coverage of a source is what its reader has, measured once."""

from __future__ import annotations

import json
import os

import pytest

from dasflex_core.cache.keeping import kept_levels
from dasflex_core.catalog.tree import compile_tree
from dasflex_core.errors import QueryError
from dasflex_core.roots import make_root
from dasflex_core.site import open_site
from dasflex_core.times import parse_time
from dasflex_core.upkeep.coverage import Coverage, coverage_path, measure, read_coverage

#: A record every hour, but none on the 3rd of a month.
READER = """
import sys
from datetime import datetime, timedelta

with open("reads", "a") as log:
    log.write(" ".join(sys.argv[1:3]) + chr(10))
begin, end = (datetime.fromisoformat(each[:19]) for each in sys.argv[1:3])
header = '<stream version="2.2" />'
packet = '<packet><x type="time20" units="us2000" /><y type="ascii10" units="nT" name="b" /></packet>'
print("[00]%06d%s[01]%06d%s" % (len(header), header, len(packet), packet), end="")
while begin < end:
    if begin.day != 3 and begin.minute == 0:
        print(":01:%s %9.1f" % (begin.isoformat(), 1.0))
    begin += timedelta(minutes=30)
"""
SOURCE = """
title = "Hourly"
contacts = { technical = "A B <a@b.example>" }
example = [{ time = "2020-01-01 to 2020-01-02" }]
coords.time.range = "2020-01-01 to 2020-03-01"

[reader]
command = "#[python] -S reader.py #[read.time.min] #[read.time.max]"
writes = "das/2/text"
changed = "data.txt"
"""
LEVEL = """
[[cache.level]]
block = "month"
calc.rate = 86400
"""


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "root"
    make_root(root, "Covered", examples=False)
    folder = root / "definitions"
    (folder / "reader.py").write_text(READER)
    (folder / "data.txt").write_text("1")
    (folder / "hourly.toml").write_text(SOURCE)
    (folder / "daily.toml").write_text(SOURCE + LEVEL)
    (folder / "endless.toml").write_text(SOURCE.replace("coords.time.range", "#"))
    compile_tree(root)
    return root


def reads(root):
    path = root / "definitions" / "reads"
    found = path.read_text().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return found


def nothing(_part, _what):
    """Where nobody wants to know how far it is."""


def test_records_of_each_bin_are_counted(root):
    source = open_site(root)["daily"]
    found = measure(source, nothing).coverage
    assert (found.width, len(found.records)) == (86_400, 60)
    assert found.records[:4] == (24, 24, 0, 24)
    assert sum(found.records) == (60 - 2) * 24
    assert read_coverage(coverage_path(source.site.config, source.id)) == found


def test_without_a_level_bins_are_as_narrow_as_a_thousand_allow(root):
    found = measure(open_site(root)["hourly"], nothing).coverage
    assert (found.width, len(found.records)) == (21_600, 240)
    assert found.records[7:14] == (6, 0, 0, 0, 0, 6, 6)


def test_what_is_known_is_not_measured_again(root):
    source = open_site(root)["daily"]
    first = measure(source, nothing, "2020-01-01/2020-01-10").coverage
    assert first.records[:20].count(None) == 0
    assert first.records[20:].count(None) == 40
    asked = reads(root)
    assert asked == ["2020-01-01T00:00:00 2020-01-21T00:00:00"]
    measure(source, nothing)
    assert len(reads(root)) == 2
    measure(source, nothing)
    assert not reads(root)
    data = root / "definitions" / "data.txt"
    os.utime(data, (1, data.stat().st_mtime + 100))
    measure(open_site(root)["daily"], nothing)
    assert len(reads(root)) == 3


def test_a_source_without_a_range_has_no_coverage(root):
    with pytest.raises(QueryError, match="range"):
        measure(open_site(root)["endless"], nothing)


def test_the_file_is_plain_json(root):
    source = open_site(root)["daily"]
    measure(source, nothing, "2020-01-01/2020-01-10")
    plain = json.loads(coverage_path(source.site.config, source.id).read_text())
    assert plain["begin"] == "2020-01-01T00:00:00Z"
    assert plain["end"] == "2020-03-01T00:00:00Z"
    assert plain["records"][2:4] == [0, 24]
    assert plain["records"][-1] is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"source": 1}', '{"begin": "x"}'])
def test_a_file_that_is_damaged_is_none(tmp_path, text):
    path = tmp_path / "coverage.json"
    path.write_text(text)
    assert read_coverage(path) is None


def test_runs_of_bins_that_are_alike():
    begin = parse_time("2020-01-01").ns
    found = Coverage("x", begin, 1, (1, 5, 0, None, None, 2))
    assert [((first - begin) // 10**9, (last - begin) // 10**9, state) for first, last, state in found.runs()] == [
        (0, 2, True),
        (2, 3, False),
        (3, 5, None),
        (5, 6, True),
    ]


def test_counts_are_not_kept_in_blocks_since_they_cannot_be_cut(root):
    """A bin of a week lies across the ends of months, and what is between two parts with data is counted as 0."""
    site = open_site(root)
    (level,) = kept_levels(site.planner, site["daily"].definition)
    assert "cannot be cut" in level.declined
    plan = site["daily"].ask(read_time_min="2020-01-01", read_time_max="2020-03-01", calc_rate="604800").plan()
    assert not any(each.blocks or each.filling for each in plan.solution.nodes)

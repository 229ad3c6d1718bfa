# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex cache` says what is kept, finds what is broken, and removes what is of no use, and nothing else."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

import dasflex_core
from dasflex_core.arrays import Records
from dasflex_core.cache.block import Block, Part, read_block
from dasflex_core.cache.hits import note_hits
from dasflex_core.cache.keeping import kept_levels
from dasflex_core.cache.periods import PERIODS
from dasflex_core.cache.writing import BlockWriter
from dasflex_core.catalog.tree import compile_tree
from dasflex_core.cli.cache_status import Covered, bar
from dasflex_core.times import parse_time

DEFINITION = """
title    = "Kept"
contacts = { technical = "Somebody <somebody@example.org>" }
reader   = { command = "#[python] reader.py #[read.time.min] #[read.time.max]", writes = "das/2/text" }
example  = [{ title = "A day", time = "2020-01-01 to 2020-01-02" }]
coords.time.range = "2020-01-01 to 2020-01-11"

[[cache.level]]
block = "day"
bin.time.max = 60

[[cache.level]]
block = "hour"
"""
READER = "headers()\nrecords(1440)\n"
DAY = 86_400
HOUR = 3_600_000_000_000


class Kept:
    """A source with two levels, and blocks that are put there."""

    def __init__(self, roots):
        self.roots = roots
        roots.add("Kept", READER, DEFINITION)
        self.folder = roots.root / "cache" / "data" / "Kept"

    @property
    def levels(self):
        site = dasflex_core.open(self.roots.root)
        return kept_levels(site.planner, site["Kept"].definition)

    def put(self, when, *, number=1, **facts):
        """A block of a level, as it would be made now."""
        shelf = self.levels[number - 1].shelf
        at = parse_time(when).ns
        begin, end = shelf.period.snap(at), shelf.period.next(at)
        with BlockWriter(shelf.base(at), "d2s", None) as writer:
            writer.stream(b"stream")
            writer.sums(b"sums")
            plain = Block("", begin, end, shelf.key, "answer", None, 0.0, 10, Part("d2s", 0, 0, ""))
            return writer.keep(replace(plain, **facts))

    def run(self, *words, code=0):
        """What the command says."""
        result = self.roots.run("cache", *words)
        assert result.exit_code == code, result.output
        return result.output

    def files(self):
        """All files below the folder of the source."""
        return sorted(each.name for each in self.folder.rglob("*") if each.is_file())


@pytest.fixture
def kept(bare):
    return Kept(bare)


def test_status_says_what_there_is_of_each_level(kept):
    for when in ("2020-01-02", "2020-01-03", "2020-01-04"):
        kept.put(when)
    kept.put("2020-01-06", key="another")
    broken = kept.put("2020-01-08")
    Path(f"{broken.base}.sums").write_bytes(b"")
    note_hits(str(kept.folder), "1", 3, 1)
    note_hits(str(kept.folder), "1", 3, 2)
    assert kept.run("status", "KEPT").splitlines()[:11] == [
        f"Kept: 2 cache levels, in {kept.folder}",
        "",
        "1  bins of 60 s in day blocks",
        "   blocks    3 there, 1 of another reader, option or algorithm, 1 damaged",
        f"   size      {kept_size(kept)}, 30 records",
        "   kept      2020-01-02T00:00:00 to 2020-01-05T00:00:00",
        "   coverage  .###.!....  30.0%",
        "             2020-01-01T00:00:00 to 2020-01-11T00:00:00",
        f"   hits      66.7%: 6 of 9 blocks that 2 requests wanted since {time.strftime('%Y-%m-%d', time.gmtime())}",
        "",
        "2  records as they are in hour blocks",
    ]


def kept_size(kept):
    """The bytes of all files, in words."""
    size = sum(each.stat().st_size for each in kept.folder.rglob("*") if each.is_file() and each.name != "hits.log")
    return f"{size / 1000:.3g} kB"


def test_status_is_json_for_programs(kept):
    kept.put("2020-01-02")
    kept.put("2020-01-02T05:00", number=2)
    told = json.loads(kept.run("status", "kept", "2020-01-02/2020-01-03", "--json"))
    assert told["source"] == "Kept"
    days, hours = told["levels"]
    assert (days["blocks"]["there"], days["share"], days["coverage"], days["width"]) == (1, 1.0, "#", 60)
    assert (days["begin"], days["end"]) == ("2020-01-02T00:00:00", "2020-01-03T00:00:00")
    assert (hours["period"], hours["width"], hours["hits"]) == ("hour", None, None)
    assert hours["coverage"] == ".....#.................."
    assert hours["records"] == 10
    (only,) = json.loads(kept.run("status", "kept", "--level", "2", "--json"))["levels"]
    assert only["level"] == 2


def test_status_looks_at_the_range_that_is_asked(kept):
    for day in range(1, 10):
        kept.put(f"2020-01-0{day}")
    (level, _other) = json.loads(kept.run("status", "kept", "2020-01-03T12:00/2020-01-05T01:00", "--json"))["levels"]
    assert level["blocks"]["there"] == 3
    assert level["share"] == 1


def test_a_source_without_levels_has_none(examples):
    result = examples.run("cache", "status", "Examples/Waveform")
    assert result.exit_code == 0
    assert "Examples/Waveform: no cache levels" in result.output
    assert examples.run("cache", "verify", "Examples/Waveform").exit_code == 0


@pytest.mark.parametrize("verb", ["status", "build", "verify", "prune"])
def test_what_is_no_source_range_or_level_is_told(kept, verb):
    assert "no source" in kept.run(verb, "Nowhere", code=3).lower()
    assert "yesterday" in kept.run(verb, "kept", "yesterday", code=2)
    if verb != "prune":
        assert "There is no cache level '7'; there are 2" in kept.run(verb, "kept", "--level", "7", code=6)


def test_verify_finds_what_is_broken_and_removes_it_if_it_may(kept):
    good, flipped, cut = (kept.put(f"2020-01-0{day}") for day in (2, 3, 4))
    Path(f"{flipped.base}.d2s").write_bytes(b"strean")
    Path(f"{cut.base}.sums").write_bytes(b"su")
    assert kept.run("verify", "kept", "2020-01-02/2020-01-03") == "1 blocks are whole, 0 broken\n"
    told = [
        "level 1, 2020-01-03: the checksum of a file is another",
        "level 1, 2020-01-04: its files are missing, or are not those that it was made of",
        "1 blocks are whole, 2 broken",
    ]
    assert kept.run("verify", "kept", code=1).splitlines() == told
    assert read_block(flipped.base) is not None
    assert kept.run("verify", "kept", "--remove", code=1).splitlines()[:2] == told[:2]
    assert kept.run("verify", "kept") == "1 blocks are whole, 0 broken\n"
    assert read_block(good.base) == good
    assert kept.files() == [f"2020-01-02_bin-60s.{suffix}" for suffix in ("block", "d2s", "sums")]


def test_prune_removes_what_is_of_no_use_and_nothing_else(kept):
    good, hour = kept.put("2020-01-02"), kept.put("2020-01-02T05:00", number=2)
    other, broken = kept.put("2020-02-03", key="another"), kept.put("2020-01-04")
    Path(f"{broken.base}.d2s").unlink()
    folder = Path(good.base).parent
    old, young = folder / ".2020-01-05_bin-60s.d2s.1f-0123abcd", folder / ".2020-01-06_bin-60s.d2s.1f-0123abcd"
    for each in (old, young):
        each.write_bytes(b"half")
    os.utime(old, (time.time() - 2 * DAY,) * 2)
    strangers = [folder / "2020-01-07_bin-60s.d2s", folder / "notes.txt", kept.folder / "_noparam" / "README"]
    for each in strangers:
        each.write_bytes(b"not ours")
    gone = _shelf_of_a_level_that_is_gone(kept)
    dry = kept.run("prune", "kept", "--dry-run").splitlines()
    assert dry[:-1] == [
        "_noparam/bin-60s: 1 damaged",
        "_noparam/bin-60s: 1 left by writers that were killed",
        "_noparam/bin-60s: 1 of another reader, option or algorithm",
        "_noparam/bin-7s: 1 of a level that the definition does not have",
    ]
    assert dry[-1].endswith("would be removed")
    assert old.exists()
    assert gone.exists()
    said = kept.run("prune", "kept").splitlines()
    assert said[:-1] == dry[:-1]
    assert said[-1] == dry[-1].replace("would be ", "")
    assert read_block(good.base) == good
    assert read_block(hour.base) == hour
    assert young.exists()
    assert all(each.exists() for each in strangers)
    assert not any(each.exists() for each in (old, gone, gone.parent.parent.parent, Path(other.base).parent))
    assert kept.run("prune", "kept") == "0 files, 0 B removed\n"


def _shelf_of_a_level_that_is_gone(kept):
    """A block of a level that the definition had."""
    shelf = kept.levels[0].shelf
    shelf = replace(shelf, folder=str(kept.folder / "_noparam" / "bin-7s"), name="bin-7s")
    at = parse_time("2019-05-06").ns
    with BlockWriter(shelf.base(at), "d2s", None) as writer:
        writer.stream(b"stream")
        writer.keep(Block("", at, at + DAY * 10**9, "key", "answer", None, 0.0, 1, Part("d2s", 0, 0, "")))
    return Path(f"{shelf.base(at)}.block")


def test_prune_of_all_empties_a_range(kept):
    first, second = kept.put("2020-01-02"), kept.put("2020-01-03")
    kept.put("2020-01-02T05:00", number=2)
    told = kept.run("prune", "kept", "2020-01-02/2020-01-03", "--all")
    assert "_noparam/bin-60s: 1 asked for" in told
    assert "_noparam/intrinsic: 1 asked for" in told
    assert read_block(first.base) is None
    assert read_block(second.base) == second
    kept.run("prune", "kept", "--all")
    assert kept.files() == []
    assert kept.folder.is_dir()


def test_prune_follows_no_links_and_leaves_sources_below_alone(kept, tmp_path):
    block = kept.put("2020-01-02", key="another")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    outside = elsewhere / "2020-01-02_bin-60s.block"
    outside.write_bytes(b"{}")
    (kept.folder / "linked").mkdir()
    (kept.folder / "linked" / "bin-60s").symlink_to(elsewhere)
    (Path(block.base).parent.parent / "02").symlink_to(elsewhere)
    (kept.folder / "other").symlink_to(elsewhere)
    below = kept.folder / "Below" / "_noparam" / "bin-60s" / "2020" / "01" / "2020-01-02_bin-60s.block"
    named = kept.folder / "Below" / "bin-60s" / "_noparam" / "bin-60s" / "2020" / "01" / below.name
    for each in (below, named):  # of the sources Kept/Below and Kept/Below/bin-60s
        each.parent.mkdir(parents=True)
        each.write_bytes(b"{}")
    kept.run("prune", "kept", "--all")
    assert outside.exists()
    assert below.exists()
    assert named.exists()
    assert not Path(f"{block.base}.block").exists()


def test_a_level_of_which_nothing_can_be_kept_keeps_what_it_has(kept):
    """As where the plugin that makes bins is away for a while."""
    block = kept.put("2020-01-02")
    file = kept.roots.root / "definitions" / "Kept" / "source.toml"
    file.write_text(f"{DEFINITION}\n[stages]\nnever = ['bin-average', 'bins']\n", encoding="utf-8")
    assert not compile_tree(kept.roots.root).findings
    if not kept.levels[0].declined:
        pytest.skip("bins are made by another stage")
    assert "cannot be kept" in kept.run("status", "kept")
    kept.run("prune", "kept")
    assert read_block(block.base) == block
    assert "level 1" in kept.run("build", "kept", "--level", "1", code=6)


@pytest.mark.parametrize(("periods", "columns"), [(1, 1), (24, 24), (60, 60), (61, 60), (5_000, 60)])
def test_a_bar_has_a_column_for_each_period_as_far_as_they_fit(periods, columns):
    hour = 3_600 * 10**9
    begin = parse_time("2020-01-01").ns
    span = (begin, begin + periods * hour)
    assert bar([], span, PERIODS["hour"]) == ["missing"] * columns
    assert bar([Covered(*span, "there")], span, PERIODS["hour"]) == ["there"] * columns
    half = bar([Covered(begin, begin + periods * hour // 2, "there")], span, PERIODS["hour"])
    assert half.count("there") == columns // 2
    assert len(half) == columns


def test_a_bar_tells_what_is_in_part_and_what_is_stale():
    hour = 3_600 * 10**9
    begin = parse_time("2020-01-01").ns
    span = (begin, begin + 120 * hour)
    covered = [Covered(begin, begin + hour, "there"), Covered(begin + 2 * hour, begin + 4 * hour, "stale")]
    assert bar(covered, span, PERIODS["hour"])[:3] == ["part", "stale", "missing"]


GROWING = """
title    = "Filled"
contacts = { technical = "Somebody <somebody@example.org>" }
reader   = { command = "#[python] reader.py #[read.time.min] #[read.time.max]", writes = "das/2/text" }
example  = [{ title = "A day", time = "2020-01-01 to 2020-01-02" }]
coords.time.range = "2020-01-01 to 2020-01-03"

[cache]
fill = true

[[cache.level]]
block = "hour"
bin.time.max = 60
bin.stats = "mean,min,max,count"
"""
#: The same with bins of the coverage that are an hour wide.
HOURS = GROWING.partition("[cache]")[0] + '[[cache.level]]\nblock = "day"\ncalc.rate = 3600\n'
#: A number for each ten seconds of what is asked.
FILLED = """
from datetime import datetime, timedelta
at, end = (datetime.fromisoformat(each) for each in sys.argv[1:3])
headers()
while at < end:
    sys.stdout.write(f":01:{at.isoformat()[:19]:<19} {at.minute * 60 + at.second:9d}\\n")
    at += timedelta(seconds=10)
sys.stdout.flush()
"""
ASKED = ("get", "filled", "2020-01-01T02:00/2020-01-01T06:00", "bin.time.max=60", "bin.stats=mean,min,max,count")


def _bytes(roots, *words):
    result = roots.run(*words)
    assert result.exit_code == 0, result.output
    return result.stdout_bytes


@pytest.mark.parametrize("suffix", ["d2s", "sums", "block"])
@pytest.mark.parametrize("width", ["60", "300"])
def test_a_block_that_breaks_is_never_served_and_is_made_again(bare, suffix, width):
    """A request leaves blocks behind; one of them breaks, and the answer stays the same."""
    bare.add("Filled", FILLED, GROWING)
    words = [*ASKED[:3], f"bin.time.max={width}", ASKED[4]]
    fresh = _bytes(bare, *words)
    assert "4 there" in bare.run("cache", "status", "filled").output
    again = _bytes(bare, *words)
    assert len(again) == len(fresh)
    folder = bare.root / "cache" / "data" / "Filled" / "_noparam" / "bin-60s"
    (broken,) = folder.rglob(f"2020-01-01T04_bin-60s.{suffix}")
    data = bytearray(broken.read_bytes())
    data[len(data) // 2] ^= 1
    broken.write_bytes(data)
    assert "4 blocks are whole" not in bare.run("cache", "verify", "filled").output
    assert _bytes(bare, *words) == again
    assert _bytes(bare, *words) == again
    assert bare.run("cache", "verify", "filled", "--remove").exit_code in (0, 1)
    assert _bytes(bare, *words) == again
    assert bare.run("cache", "verify", "filled").output == "4 blocks are whole, 0 broken\n"


@pytest.mark.parametrize("workers", ["1", "3"])
def test_build_makes_what_is_missing_and_no_more(bare, workers):
    bare.add("Filled", FILLED, GROWING.replace("fill = true", ""))
    asked = ("get", "filled", "2020-01-01T02:00/2020-01-01T09:00", "bin.time.max=120", "format.type=csv")
    live = _bytes(bare, *asked)
    assert "0 there" in bare.run("cache", "status", "filled").output
    built = bare.run("cache", "build", "filled", "2020-01-01T02:30/2020-01-01T04:30", "--workers", workers)
    assert (built.exit_code, built.output[:58]) == (0, "level 1: 3 blocks built, 0 were there, 0 failed  (bins of ")
    assert _bytes(bare, *asked) == live  # in part
    built = bare.run("cache", "build", "filled", "--workers", workers)
    assert built.output.startswith("level 1: 45 blocks built, 3 were there, 0 failed")
    assert _bytes(bare, *asked) == live
    assert bare.run("cache", "verify", "filled").output == "48 blocks are whole, 0 broken\n"
    (level,) = json.loads(bare.run("cache", "status", "filled", "--json").output)["levels"]
    assert (level["share"], level["records"], level["coverage"]) == (1.0, 48 * 60, "#" * 48)
    assert bare.run("cache", "build", "filled").output.startswith("level 1: 0 blocks built, 48 were there, 0 failed")


def test_build_tells_which_blocks_failed_and_builds_the_others(bare):
    bare.add("Filled", 'if "T03" in sys.argv[1]:\n    sys.exit("no tape")\n' + FILLED, GROWING)
    built = bare.run("cache", "build", "filled", "2020-01-01T02:00/2020-01-01T05:00")
    assert built.exit_code == 1
    assert "level 1: 2 blocks built, 0 were there, 1 failed" in built.stdout
    (told,) = [line for line in built.stderr.splitlines() if line.startswith("dasflex: level 1, 2020-01-01T03: ")]
    assert told.endswith("no tape")
    assert "2 there" in bare.run("cache", "status", "filled").output


def test_build_goes_on_where_what_makes_the_bins_breaks(bare, monkeypatch):
    """A fault in code of a plugin is that of one block, too."""
    import dasflex_reduce.sums

    feed, third = dasflex_reduce.sums.Sums.feed, parse_time("2020-01-01T03").ns

    def broken(self, item):
        if isinstance(item, Records) and third <= int(item["time"].astype("M8[ns]").astype("i8")[0]) < third + HOUR:
            raise IndexError("index 7 is out of bounds")
        return feed(self, item)

    monkeypatch.setattr(dasflex_reduce.sums.Sums, "feed", broken)
    bare.add("Filled", FILLED, GROWING)
    built = bare.run("cache", "build", "filled", "2020-01-01T02:00/2020-01-01T05:00")
    assert (built.exit_code, "level 1: 2 blocks built, 0 were there, 1 failed" in built.stdout) == (1, True)
    assert "dasflex: level 1, 2020-01-01T03: " in built.stderr
    assert "out of bounds" in built.stderr


def test_build_makes_the_levels_that_can_be_kept(bare):
    """A level that says how wide the bins of the coverage are keeps no blocks, and is in nobody's way."""
    bare.add("Filled", FILLED, GROWING + '[[cache.level]]\nblock = "day"\ncalc.rate = 3600\n')
    built = bare.run("cache", "build", "filled", "2020-01-01T02:00/2020-01-01T05:00")
    assert built.exit_code == 0
    assert built.stdout.startswith("level 1: 3 blocks built, 0 were there, 0 failed")
    assert "level 2: no blocks: calc.rate counts from the first data to the last" in built.stdout
    told = bare.run("cache", "build", "filled", "--level", "2")
    assert told.exit_code == 6
    assert "level 2: calc.rate counts" in told.output


def test_coverage_tells_which_parts_failed_and_measures_the_others(bare):
    bare.add("Filled", 'if "-01T20:00" in sys.argv[1]:\n    sys.exit("no tape")\n' + FILLED, HOURS)
    told = bare.run("cache", "coverage", "filled")
    assert told.exit_code == 1
    (line,) = told.stderr.splitlines()
    assert line.startswith("dasflex: 2020-01-01T20:00:00 to 2020-01-02T16:00:00: ")
    assert line.endswith("no tape")
    assert told.stdout == "Filled: 28 of 48 bins of 3,600 s have data, 20 not known\n"
    reader = bare.root / "definitions" / "Filled" / "reader.py"
    reader.write_text(reader.read_text().replace("sys.exit", "str"))
    mended = bare.run("cache", "coverage", "filled")
    assert (mended.exit_code, mended.output) == (0, "Filled: 48 of 48 bins of 3,600 s have data\n")


def test_build_needs_a_level_and_a_range(bare):
    bare.add("Filled", FILLED, GROWING.replace('coords.time.range = "2020-01-01 to 2020-01-03"', ""))
    told = bare.run("cache", "build", "filled")
    assert told.exit_code == 2
    assert "has no range" in told.output
    bare.add("Plain", READER)
    told = bare.run("cache", "build", "plain", "2020-01-01/2020-01-02")
    assert told.exit_code == 6
    assert "Plain has no cache level" in told.output


def test_a_view_is_built_over_the_range_of_what_it_shows(bare):
    bare.add("Filled", FILLED, GROWING[: GROWING.index("[cache]")])
    example = 'example = [{ title = "A day", time = "2020-01-01 to 2020-01-02" }]'
    view = f'title = "View"\nreader.source = "Filled"\n{example}\n{GROWING[GROWING.index("[[cache.level]]") :]}'
    bare.add("View", "", view)
    assert bare.run("cache", "build", "view").output.startswith("level 1: 48 blocks built")
    bare.run("cache", "prune", "view", "--all")
    assert "0 there" in bare.run("cache", "status", "view").output


def test_a_definition_that_changes_makes_its_blocks_useless_unless_it_is_only_the_title(bare):
    bare.add("Filled", FILLED, GROWING)
    bare.run("cache", "build", "filled", "2020-01-01T02:00/2020-01-01T04:00")
    file = bare.root / "definitions" / "Filled" / "source.toml"
    for change, there in (('"Filled"', True), ("reader.py", False)):
        file.write_text(GROWING.replace(change, {'"Filled"': '"Better"'}.get(change, "./reader.py")), encoding="utf-8")
        assert not compile_tree(bare.root).findings
        (level,) = json.loads(bare.run("cache", "status", "filled", "--json").output)["levels"]
        assert (level["blocks"]["there"], level["blocks"]["another"]) == ((2, 0) if there else (0, 2))
    assert "2 of another reader, option or algorithm" in bare.run("cache", "prune", "filled").output


@pytest.mark.integration
def test_builds_that_are_killed_and_run_at_once_leave_whole_blocks_and_are_finished_by_another(bare, program, started):
    """Two at once, killed again and again with their readers at work, until one is let alone."""
    bare.add("Filled", FILLED, GROWING)
    words = [str(program), "cache", "build", "filled", "--workers", "2"]
    for wait in (0.6, 0.9, 1.2):
        two = [started(words, env=bare.environment(), stdout=subprocess.DEVNULL) for _each in range(2)]
        with suppress(subprocess.TimeoutExpired):
            two[0].wait(wait)
        for each in two:
            each.kill()
            each.wait()
        verified = bare.run("cache", "verify", "filled")
        assert verified.exit_code == 0, verified.output
    two = [started(words, env=bare.environment(), stdout=subprocess.DEVNULL) for _each in range(2)]
    assert [each.wait(60) for each in two] == [0, 0]
    assert "48 there" in bare.run("cache", "status", "filled").output
    assert bare.run("cache", "verify", "filled").output == "48 blocks are whole, 0 broken\n"
    for left in bare.root.glob("cache/**/.*"):
        os.utime(left, (time.time() - 2 * DAY,) * 2)
    bare.run("cache", "prune", "filled")
    assert not list(bare.root.glob("cache/**/.*"))
    assert "48 there" in bare.run("cache", "status", "filled").output


def test_a_cache_that_cannot_be_written_disturbs_no_request(bare):
    bare.add("Filled", FILLED, GROWING)
    (bare.root / "cache" / "data").write_bytes(b"in the way")
    first = _bytes(bare, *ASKED)
    (bare.root / "cache" / "data").unlink()
    assert len(_bytes(bare, *ASKED)) == len(first)
    assert "4 there" in bare.run("cache", "status", "filled").output


@pytest.mark.integration
def test_a_disk_that_fills_up_disturbs_no_request_and_leaves_no_block_in_part(bare):
    """On a file system of 64 KiB, where one may be mounted."""
    bare.add("Filled", FILLED, GROWING)
    data = bare.root / "cache" / "data"
    data.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "none", str(data)]
    mounted = subprocess.run(mount, check=False, capture_output=True)
    if mounted.returncode:
        pytest.skip("no file system may be mounted here")
    words = ["get", "filled", "2020-01-01/2020-01-02", *ASKED[3:]]
    try:
        first = _bytes(bare, *words)
        assert _bytes(bare, *words) == first
        verified = bare.run("cache", "verify", "filled")
        assert verified.exit_code == 0
        whole = int(verified.output.split()[0])
        assert 0 < whole < 24
        built = bare.run("cache", "build", "filled", "2020-01-01/2020-01-02")
        assert built.exit_code == 1
        assert "No space left" in built.stderr
        assert not [each for each in data.rglob(".*") if each.is_file()]
    finally:
        subprocess.run(["umount", "-l", str(data)], check=True)
    assert len(_bytes(bare, *words)) == len(first)


def test_requests_are_counted(bare):
    bare.add("Filled", FILLED, GROWING)
    for _each in range(3):
        _bytes(bare, *ASKED)
    assert "66.7%: 8 of 12 blocks that 3 requests wanted" in bare.run("cache", "status", "filled").output


def _classic(folder, hours):
    """What the classic cache reader gives of hour blocks: one header, declarations that are new, and all data.

    It looks for files by their names alone (das-streams 6.2), and knows no `.block` (6.4).
    """
    given_, before = b"", {}
    for hour in hours:
        data = (folder / f"2020/01/01/2020-01-01T{hour:02d}_bin-60s.d2s").read_bytes()
        at, sizes = 0, {}
        while at < len(data):
            if data[at : at + 1] == b"[":
                end = at + 10 + int(data[at + 4 : at + 10])
                number, packet = data[at + 1 : at + 3], data[at:end]
                if number == b"00":
                    before.setdefault(number, packet)
                else:
                    planes = re.findall(rb'<(?:x|y|z|yscan)[^>]*type="[a-z_]*?(\d+)"', packet)
                    sizes[number] = sum(map(int, planes))
                    if before.get(number) != packet:
                        given_ += packet
                    before[number] = packet
            else:
                end = at + 4 + sizes[data[at + 1 : at + 3]]
                given_ += data[at:end]
            at = end
    return given_


def test_the_classic_cache_reader_finds_the_blocks_and_reads_them(bare):
    bare.add("Filled", FILLED, GROWING)
    live = _bytes(bare, *ASKED, "format.serial=binary")
    classic = _classic(bare.root / "cache" / "data" / "Filled" / "_noparam" / "bin-60s", range(2, 6))
    header = 10 + int(live[4:10])
    assert live[:4] == b"[00]"
    assert classic.count(b":01:") == 4 * 60
    assert classic == live[header:]

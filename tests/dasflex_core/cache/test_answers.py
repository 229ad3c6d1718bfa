# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of a cached source are those of its reader, whatever happens to be kept."""

from __future__ import annotations

import random
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dasflex_core.cache.block import read_block
from dasflex_core.cache.keeping import kept_levels
from dasflex_core.catalog.model import Access
from dasflex_core.catalog.tree import compile_tree
from dasflex_core.claims import Claim
from dasflex_core.errors import AccessError, SourceError
from dasflex_core.roots import make_root
from dasflex_core.site import Request, Site, Source, open_site
from dasflex_core.times import Time, format_time, parse_time
from dasflex_core.upkeep.building import build

#: Writes das2 binary, a record every 20 s of 2020 but for gaps, with fill, NaN, a count and a spectrum of 3 channels.
READER = """
import os, struct, sys
from datetime import datetime, timezone

def seconds(text):
    moment = datetime.fromisoformat(text.rstrip("Z")[:26]).replace(tzinfo=timezone.utc)
    return moment.timestamp() - 946684800

begin, end = map(seconds, sys.argv[1:3])
with open(os.environ["READS"], "a") as log:
    log.write(" ".join(sys.argv[1:]) + chr(10))
if os.path.exists("fails"):
    sys.exit("out of order")
header = '<stream version="2.2"><properties title="made up" /></stream>'
planes = '<y type="little_endian_real8" group="B" units="nT" />'
many = '<yscan type="little_endian_real4" group="P" nitems="3" yUnits="Hz" yTags="1,2,3" zUnits="V" />'
if "spectra" in sys.argv:
    planes += many
packet = '<packet><x type="little_endian_real8" units="us2000" />' + planes + "</packet>"
out = sys.stdout.buffer
out.write(b"[00]%06d" % len(header) + header.encode())
at = -(-begin // 20) * 20
if not at < end:
    note = '<exception type="NoDataInInterval" message="nothing" />'
    out.write(b"[xx]%06d" % len(note) + note.encode())
else:
    out.write(b"[01]%06d" % len(packet) + packet.encode())
while at < end:
    number = int(at // 20)
    if number // 50 % 7 != 3:
        value = -1e31 if number % 11 == 0 else float("nan") if number % 13 == 0 else (number * 7919 % 1000) / 7.0 - 40
        out.write(b":01:" + struct.pack("<dd", at * 1e6, value))
        if "spectra" in sys.argv:
            out.write(struct.pack("<fff", number % 5, value, -1.0))
    at += 20
"""
HEAD = """
title = "Made up"
contacts = { technical = "A B <a@b.example>" }
example = [{ time = "2020-01-01 to 2020-01-02" }]

[reader]
command = "#[python] -S reader.py #[read.time.min] #[read.time.max] #[read.kind # @ #]"
writes = "das/2"
pass_env = ["READS"]
changed = "data.txt"

[options.kind]
title = "Kind"
values = { lines = "Lines", spectra = "Spectra" }
default = "lines"

[coords.time]
range = "2020-01-01 to 2020-03-01"
cadence = "20 s"
"""
LEVELS = """
[cache]
fill = {fill}

[[cache.level]]
block = "hour"
bin.time.max = 60
bin.stats = "mean,min,max,count"

[[cache.level]]
block = "day"
bin.time.max = 600

[[cache.level]]
block = "day"
bin.time.max = 60
read.kind = "spectra"
"""
RECORDS = """
[cache]
fill = true

[[cache.level]]
block = "hour"
"""


@dataclass
class Cached:
    """A site with the same source in several ways: with blocks and without, filled by requests or not."""

    site: Site
    reads: Path

    def folder(self, source: str) -> Path:
        return self.site.config.cache_root / "data" / source

    def clear(self, source: str) -> None:
        shutil.rmtree(self.folder(source), ignore_errors=True)

    def blocks(self, source: str) -> list[Path]:
        return sorted(self.folder(source).rglob("*.block"))

    def read_by(self) -> list[str]:
        """What readers were asked since the last look."""
        found = self.reads.read_text().splitlines() if self.reads.exists() else []
        self.reads.unlink(missing_ok=True)
        return found

    def build(self, source: str, span: str, number: int = 0) -> None:
        begin, end = (parse_time(each).ns for each in span.split("/"))
        kept = kept_levels(self.site.planner, self.site[source].definition)[number]
        built = build(self.site, kept, begin, end, lambda _part, _what: None)
        assert not built.failed, built.failures

    def ask(self, source: str, begin: str, end: str, **more):
        return self.site[source].ask(read_time_min=begin, read_time_max=end, **more)


@pytest.fixture(scope="module")
def cached(tmp_path_factory):
    """The site; its readers note what they are asked."""
    place = tmp_path_factory.mktemp("cached")
    root = place / "root"
    make_root(root, "Cached", examples=False)
    folder = root / "definitions"
    (folder / "reader.py").write_text(READER)
    (folder / "data.txt").write_text("1")
    texts = {
        "plain": HEAD,
        "filled": HEAD + LEVELS.format(fill="true"),
        "kept": HEAD + LEVELS.format(fill="false"),
        "records": HEAD + RECORDS,
    }
    for name, text in texts.items():
        (folder / f"{name}.toml").write_text(text)
    patch = pytest.MonkeyPatch()
    patch.setenv("READS", str(place / "reads"))
    compile_tree(root)
    yield Cached(open_site(root), place / "reads")
    patch.undo()


def columns(answer):
    """The columns of an answer by name."""
    return {} if not len(answer) else {name: np.asarray(column) for name, column in next(iter(answer.values())).items()}


def agree(made, wanted):
    """Times, extremes and counts are the same, means within 4 units in the last place of the largest value."""
    assert made.keys() == wanted.keys()
    for name, column in wanted.items():
        mine = made[name]
        assert mine.shape == column.shape, name
        if name.endswith(".stddev"):
            assert np.allclose(mine, column, rtol=1e-6, atol=1e-6, equal_nan=True)
        elif column.dtype.kind == "f" and name in ("y", "B"):
            assert np.allclose(mine, column, rtol=0, atol=4 * np.spacing(103.0), equal_nan=True)
        elif column.dtype.kind == "f" and "." not in name:
            assert np.allclose(mine, column, rtol=1e-6, atol=4 * np.spacing(np.float32(103.0)), equal_nan=True)
        else:
            assert np.array_equal(mine, column, equal_nan=column.dtype.kind == "f"), name


def as_planned(cached, request):
    """The same request of the source without levels: the range and the bins as they are said, on the grid."""
    solved = dict(request.plan().solution.request)
    names = ("read.time.min", "read.time.max", "bin.time.max", "bin.stats", "bin.align", "read.kind")
    return cached.site["plain"].ask(**{name.replace(".", "_"): solved[name] for name in names if name in solved})


BEGINS = st.integers(0, 20 * 86_400)
LENGTHS = st.sampled_from([1, 30, 3600, 7200, 20_000, 86_400, 200_000])
WIDTHS = st.sampled_from([59, 60, 61, 119.5, 120, 300, 599, 600, 1500, 3600, 86_400])
STATS = st.sampled_from(["mean", "min,max", "mean,min,max,count", "count", "stddev,mean", "median"])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    span=st.tuples(BEGINS, LENGTHS),
    width=WIDTHS,
    stats=STATS,
    kind=st.sampled_from(["lines", "spectra"]),
    lost=st.tuples(st.floats(0, 0.5), st.integers(0, 1000)),
)
def test_answers_do_not_depend_on_what_is_kept(cached, span, width, stats, kind, lost):
    lot = random.Random(lost[1])
    for block in cached.blocks("filled"):
        if lot.random() < lost[0]:
            block.unlink()
    begin, length = span
    first = 946_684_800 + 20 * 365 * 86_400 + 5 * 86_400 + begin  # 2020-01-01
    span = [format_time(Time((first + each) * 10**9)) for each in (0, length)]
    asked = {"bin_time_max": str(width), "bin_stats": stats, "read_kind": kind}
    request = cached.ask("filled", *span, **asked)
    solved = dict(request.plan().solution.request)
    made = columns(request.read())
    agree(made, columns(as_planned(cached, request).read()))
    agree(columns(cached.ask("filled", *span, **asked).read()), made)
    assert float(solved["bin.time.max"]) <= width


@pytest.mark.parametrize(
    ("width", "begin", "end", "wanted"),
    [
        ("150", "2020-01-03T00:01:30", "2020-01-03T01:00:01", ("120", "2020-01-03T00:00:00", "2020-01-03T01:02:00")),
        ("60", "2020-01-03T00:01:30", "2020-01-03T01:00:00", ("60", "2020-01-03T00:01:00", "2020-01-03T01:00:00")),
        ("599", "2020-01-03", "2020-01-04", ("540", "2020-01-03T00:00:00", "2020-01-04T00:00:00")),
        ("700", "2020-01-03T00:05", "2020-01-03T00:06", ("600", "2020-01-03T00:00:00", "2020-01-03T00:10:00")),
        ("59", "2020-01-03T00:05:01", "2020-01-03T00:06", ("59", "2020-01-03T00:05:01", "2020-01-03T00:06:00")),
    ],
)
def test_bins_are_the_largest_multiple_of_the_level_on_its_grid(cached, width, begin, end, wanted):
    for source in ("kept", "filled"):
        solved = dict(cached.ask(source, begin, end, bin_time_max=width).plan().solution.request)
        assert (solved["bin.time.max"], solved["read.time.min"], solved["read.time.max"]) == wanted


def test_an_answer_has_one_id_however_it_was_made(cached):
    cached.clear("kept")
    request = cached.ask("kept", "2020-01-03T01:30", "2020-01-03T05:00", bin_time_max="120")
    read = request.plan().solution
    cached.build("kept", "2020-01-03T01:00/2020-01-03T06:00")
    partly = request.plan().solution
    assert read.answer == partly.answer
    assert read.plan != partly.plan
    assert read.nodes[0].kind == "process"
    assert partly.nodes[0].kind == "file"


def test_the_header_says_the_range_and_the_width(cached):
    request = cached.ask("kept", "2020-01-04T00:00:30", "2020-01-04T01:00:30", bin_time_max="150")
    data = b"".join(request.plan().run())
    assert b'DatumRange:xCacheRange="2020-01-04T00:00:00 to 2020-01-04T01:02:00 UTC"' in data
    assert b'Datum:xCacheResolution="120.000000 s"' in data


def test_the_coarsest_level_not_above_the_width_is_used(cached):
    cached.clear("kept")
    cached.build("kept", "2020-01-03/2020-01-04", 0)
    cached.build("kept", "2020-01-03/2020-01-04", 1)
    for width, folder in (("599", "bin-60s"), ("600", "bin-600s"), ("3600", "bin-600s")):
        nodes = cached.ask("kept", "2020-01-03", "2020-01-03T12:00", bin_time_max=width).plan().solution.nodes
        (used,) = {Path(block.base).parents[2].name for node in nodes for block in node.blocks} or {""}
        assert used in (folder, "2020") or folder in "".join(block.base for node in nodes for block in node.blocks)


def test_aligned_requests_of_a_level_s_own_bins_are_its_blocks(cached):
    cached.clear("kept")
    cached.build("kept", "2020-01-03/2020-01-04")
    cached.read_by()
    asked = {"bin_time_max": "60", "bin_stats": "mean,min,max,count"}
    request = cached.ask("kept", "2020-01-03T02:00", "2020-01-03T20:00", **asked)
    plan = request.plan()
    assert [(each.kind, str(each.produces)) for each in plan.solution.nodes] == [("file", "das/2/binary")]
    made = columns(request.read())
    assert not cached.read_by()
    agree(made, columns(as_planned(cached, request).read()))
    data = b"".join(plan.run())
    assert data.count(b"[00]") == 1
    assert data.count(b"<packet>") == 1


def test_blocks_are_streams_that_stand_alone(cached):
    cached.clear("kept")
    cached.build("kept", "2020-01-03T02:00/2020-01-03T03:00")
    (vouching,) = cached.blocks("kept")
    assert vouching.relative_to(cached.folder("kept")).as_posix() == (
        "_noparam/bin-60s/2020/01/03/2020-01-03T02_bin-60s.block"
    )
    block = read_block(str(vouching).removesuffix(".block"))
    data = vouching.with_suffix(".d2s").read_bytes()
    asked = {"bin_time_max": "60", "bin_stats": "mean,min,max,count"}
    request = cached.ask("kept", "2020-01-03T02:00", "2020-01-03T03:00", **asked)
    assert block.answer == request.plan().solution.answer
    assert data.startswith(b"[00]")
    assert block.records == 60 - 10 or 0 < block.records <= 60


def test_a_source_with_options_has_blocks_of_each_apart(cached):
    cached.clear("kept")
    cached.build("kept", "2020-01-03/2020-01-04", 2)
    (vouching,) = cached.blocks("kept")
    assert "kept/spectra/bin-60s/2020/01" in vouching.as_posix()
    request = cached.ask("kept", "2020-01-03", "2020-01-04", bin_time_max="60", read_kind="spectra")
    assert any(each.blocks for each in request.plan().solution.nodes)
    other = cached.ask("kept", "2020-01-03", "2020-01-04", bin_time_max="60")
    assert not any(each.blocks for each in other.plan().solution.nodes)


def test_requests_leave_blocks_behind_where_the_definition_allows(cached):
    cached.clear("filled")
    cached.clear("kept")
    for source in ("filled", "kept"):
        cached.ask(source, "2020-01-03T01:30", "2020-01-03T05:10", bin_time_max="120").read()
    assert [each.name[:13] for each in cached.blocks("filled")] == ["2020-01-03T02", "2020-01-03T03", "2020-01-03T04"]
    assert not cached.blocks("kept")


@pytest.mark.parametrize(("source", "more"), [("filled", {"bin_time_max": "60"}), ("records", {})])
def test_a_reader_that_fails_leaves_no_block(cached, source, more):
    cached.clear(source)
    flag = cached.site.config.root / "definitions" / "fails"
    flag.touch()
    try:
        with pytest.raises(SourceError):
            cached.ask(source, "2020-01-03T01:00", "2020-01-03T05:00", **more).read()
    finally:
        flag.unlink()
    assert not cached.blocks(source)


@pytest.mark.parametrize("suffix", [".sums", ".d2s"])
@pytest.mark.parametrize("damage", ["flip", "cut", "gone"])
def test_broken_blocks_are_not_served_and_made_again(cached, suffix, damage):
    cached.clear("filled")
    asked = {"bin_time_max": "60", "bin_stats": "mean,min,max,count" if suffix == ".d2s" else "mean"}
    request = cached.ask("filled", "2020-01-03T01:00", "2020-01-03T05:00", **asked)
    wanted = columns(request.read())
    broken = cached.blocks("filled")[1].with_suffix(suffix)
    plan = request.plan()
    data = bytearray(broken.read_bytes())
    if damage == "flip":
        data[len(data) // 2] ^= 1
        broken.write_bytes(data)
    elif damage == "cut":
        broken.write_bytes(data[:-1])
    else:
        broken.unlink()
    for each in (plan, request.plan()):
        with each.open() as pump:
            served = b"".join(pump.chunks())
        assert served.count(b":01:") >= len(wanted) or served
    agree(columns(request.read()), wanted)
    assert len(cached.blocks("filled")) == 4
    agree(columns(request.read()), wanted)


def test_data_that_changed_make_blocks_stale_and_titles_do_not(cached, monkeypatch):
    import os

    root = cached.site.config.root
    cached.clear("kept")
    cached.build("kept", "2020-01-03/2020-01-04")

    def uses_blocks():
        site = open_site(root)
        request = site["kept"].ask(read_time_min="2020-01-03", read_time_max="2020-01-04", bin_time_max="60")
        return any(each.blocks for each in request.plan().solution.nodes)

    def define(old, new):
        path = root / "definitions" / "kept.toml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        compile_tree(root)

    assert uses_blocks()
    define('title = "Made up"', 'title = "Made better"')
    assert uses_blocks()
    define("reader.py #[read.time.min]", "./reader.py #[read.time.min]")
    assert not uses_blocks()
    define("./reader.py #[read.time.min]", "reader.py #[read.time.min]")
    assert uses_blocks()
    data = root / "definitions" / "data.txt"
    before = data.stat()
    os.utime(data, (before.st_atime, before.st_mtime + 100))
    assert not uses_blocks()
    os.utime(data, (before.st_atime, before.st_mtime))
    assert uses_blocks()
    define('title = "Made better"', 'title = "Made up"')


RECORD_SPANS = [
    ("2020-01-03T01:00", "2020-01-03T05:00"),
    ("2020-01-03T01:10:07", "2020-01-03T04:50"),
    ("2020-01-03T02:10", "2020-01-03T02:20"),
]


@pytest.mark.parametrize(("begin", "end"), RECORD_SPANS)
@pytest.mark.parametrize("more", [{}, {"bin_time_max": "60"}], ids=["records", "bins"])
def test_levels_of_records_serve_any_range(cached, begin, end, more):
    cached.clear("records")
    first = cached.ask("records", "2020-01-03T01:00", "2020-01-03T04:00")
    first.read()
    assert len(cached.blocks("records")) == 3
    request = cached.ask("records", begin, end, **more)
    assert any(each.blocks for each in request.plan().solution.nodes)
    agree(columns(request.read()), columns(cached.ask("plain", begin, end, **more).read()))


def test_medians_are_read_and_lie_on_the_same_grid(cached):
    cached.build("kept", "2020-01-03/2020-01-04")
    request = cached.ask("kept", "2020-01-03T00:00:30", "2020-01-03T06:00", bin_time_max="150", bin_stats="median")
    solution = request.plan().solution
    assert not any(each.blocks for each in solution.nodes)
    assert dict(solution.request)["bin.time.max"] == "120"
    assert any("median" in reason for _name, reason in solution.declined)


def test_bins_that_begin_with_the_request_are_read(cached):
    request = cached.ask("kept", "2020-01-03T00:00:30", "2020-01-03T06:00", bin_time_max="150", bin_align="begin")
    solution = request.plan().solution
    assert dict(solution.request)["read.time.min"] == "2020-01-03T00:00:30"
    assert not any(each.blocks for each in solution.nodes)


def test_periods_that_are_not_over_are_never_kept(cached):
    from dasflex_core.upkeep.building import wanted

    kept = kept_levels(cached.site.planner, cached.site["filled"].definition)[0]
    now = parse_time("2020-02-01T12:30").ns
    periods = list(wanted(kept.shelf, parse_time("2020-02-01T10:00").ns, parse_time("2020-02-01T15:00").ns, now))
    assert [format_time(Time(end)) for _begin, end in periods] == ["2020-02-01T11:00:00", "2020-02-01T12:00:00"]


@pytest.mark.parametrize("kind", ["csv", "json", "das"])
def test_every_format_is_made_of_blocks(cached, kind):
    cached.clear("kept")
    asked = {"bin_time_max": "120", "bin_stats": "min,max,count", "format_type": kind}
    request = cached.ask("kept", "2020-01-03", "2020-01-03T06:00", **asked)
    read = b"".join(request.plan().run())
    cached.build("kept", "2020-01-03/2020-01-04")
    plan = request.plan()
    assert any(each.blocks for each in plan.solution.nodes)
    assert b"".join(plan.run()) == read


def test_das2_clients_get_the_same_bins(cached):
    pairs = [("start_time", "2020-01-03T00:00:30"), ("end_time", "2020-01-03T03:00"), ("resolution", "130")]
    plan = cached.site.request("kept", pairs, "das2").plan()
    solved = dict(plan.solution.request)
    assert (solved["bin.time.max"], solved["read.time.min"]) == ("120", "2020-01-03T00:00:00")


def guarded(cached, *allow):
    """The cached source with rules of its own."""
    source = cached.site["kept"]
    return Source(cached.site, replace(source.definition, access=Access("Team", allow)))


def planned(source, begin, end, width):
    """What a stranger gets of a source: the request that is solved, or why there is none."""
    pairs = (("read.time.min", begin), ("read.time.max", end), ("bin.time.max", width))
    try:
        return dict(Request(source, pairs, claim=Claim("203.0.113.1")).plan().solution.request)
    except AccessError as error:
        return error.kind


def test_whoever_may_have_averages_gets_no_narrower_ones(cached):
    span = ("2020-01-03T00:00:30", "2020-01-03T03:00")
    assert planned(guarded(cached, "bin:60s"), *span, "10")["bin.time.max"] == "60"
    assert planned(guarded(cached, "bin:60s"), *span, "130")["bin.time.max"] == "120"
    solved = planned(guarded(cached, "bin:125s"), *span, "130")
    assert (solved["bin.time.max"], solved["read.time.min"]) == ("130", "2020-01-03T00:00:30")


def test_whoever_may_have_old_data_gets_no_younger_ones(cached, monkeypatch):
    now = parse_time("2020-02-01T03:00:30")
    monkeypatch.setattr(
        "dasflex_core.plan.planner.parse_time", lambda text, **more: now if text == "now" else parse_time(text, **more)
    )
    source = guarded(cached, "age:1d")
    solved = planned(source, "2020-01-31T00:00:30", "2020-01-31T03:00:30", "120")
    assert (solved["read.time.min"], solved["read.time.max"]) == ("2020-01-31T00:00:30", "2020-01-31T03:00:30")
    solved = planned(source, "2020-01-31T00:00:30", "2020-01-31T02:00:30", "120")
    assert solved["read.time.max"] == "2020-01-31T02:02:00"
    assert planned(source, "2020-01-31T00:00:30", "2020-01-31T04:00:30", "120") == "access.log-in"


@pytest.mark.parametrize("begin", ["0001-01-01", "1970-01-01", "2020-01-03", "9999-12-31"])
@pytest.mark.parametrize("end", ["0001-01-02", "2020-01-04", "9999-12-31T23:59:59", "9999-12-31T23:59:59.999999999"])
@pytest.mark.parametrize("width", ["60", "100000", "4000000000"])
@pytest.mark.parametrize("source", ["kept", "filled", "records"])
def test_ranges_as_long_as_all_times_are_planned_at_once(cached, source, begin, end, width):
    if begin >= end:
        return
    before = time.perf_counter()
    cached.ask(source, begin, end, bin_time_max=width).plan()
    assert time.perf_counter() - before < 5


def test_nothing_is_kept_of_times_before_and_after_those_of_the_source(cached):
    cached.clear("filled")
    cached.ask("filled", "2019-12-31T20:00", "2020-01-01T02:00", bin_time_max="60").read()
    cached.ask("filled", "2020-02-29T22:00", "2020-03-01T06:00", bin_time_max="60").read()
    assert [each.name[:13] for each in cached.blocks("filled")] == [
        "2020-01-01T00", "2020-01-01T01", "2020-02-29T22", "2020-02-29T23",
    ]  # fmt: skip

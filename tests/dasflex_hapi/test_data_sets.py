# SPDX-License-Identifier: GPL-3.0-or-later
"""Data sets have ids that clients take, are described once, by the verb, by the task or at need, and found by any name."""

from __future__ import annotations

import json
import shutil

import pytest
from click.testing import CliRunner

import dasflex_core
from dasflex_core.catalog.publishing import publisher
from dasflex_core.catalog.tree import compile_tree
from dasflex_core.cli import main
from dasflex_core.errors import NotFoundError, QueryError, SourceError
from dasflex_core.roots import make_root
from dasflex_core.tasks import Spool, Work
from dasflex_core.times import parse_time
from dasflex_hapi.serving.catalog import catalog_json
from dasflex_hapi.serving.data import described
from dasflex_hapi.serving.headers import capture, header_of, stored
from dasflex_hapi.serving.info import info_of
from dasflex_hapi.serving.ranges import sample_of, span_of
from dasflex_hapi.serving.register import find, listed
from dasflex_hapi.serving.task import prepare, run

READER = """
import sys
from datetime import datetime, timedelta
open("ran", "a").write("x")
def packet(tag, body):
    sys.stdout.write(f"[{tag}]{len(body.encode()):06d}{body}")
packet("00", '<stream version="2.2" />\\n')
packet("01", '<packet><x type="time24" units="us2000"/><y type="ascii10" units="nT" name="b"/></packet>\\n')
moment, end = (datetime.fromisoformat(each[:19]) for each in sys.argv[1:3])
while moment < end:
    sys.stdout.write(f":01:{moment.isoformat(timespec='milliseconds')} {moment.minute:9d}\\n")
    moment += timedelta(minutes=1)
"""
SOURCE = """
title    = "A line"
contacts = { technical = "Somebody <somebody@example.org>" }
reader   = { command = "#[python] reader.py #[read.time.min] #[read.time.max]", writes = "das/2/text" }
example  = [{ title = "An hour", time = "2020-01-01T00:00 to 2020-01-01T01:00" }]
"""


class Root:
    """A root to which sources are added."""

    def __init__(self, place):
        make_root(place, "Lab", examples=False)
        self.place = place

    def add(self, name, more="hapi = {}\n", source=SOURCE):
        folder = self.place / "definitions" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "reader.py").write_text(READER, encoding="utf-8")
        (folder / "source.toml").write_text(source + more, encoding="utf-8")
        return self

    @property
    def site(self):
        site = dasflex_core.open(self.place)
        report = compile_tree(self.place, publish=publisher(site.config, site.registry, site.external))
        assert report.findings == ()
        return site

    def ran(self, name):
        """How often the reader of a source was run."""
        path = self.place / "definitions" / name / "ran"
        return len(path.read_text()) if path.exists() else 0

    def run(self, *words):
        return CliRunner().invoke(main, ["hapi", *words, "--root", str(self.place)])


@pytest.fixture
def root(tmp_path):
    return Root(tmp_path / "root")


def test_the_verb_describes_all_and_says_what_there_is(root):
    site = root.add("a/line").add("b", 'hapi = [{ id = "10min", bin.time.max = 600 }]').site
    done = root.run()
    assert done.exit_code == 0, done.output
    assert done.output.splitlines() == [
        "a_line: 2020-01-01T00:00:00Z to 2020-01-01T01:00:00Z: Time, b",
        "b_10min: 2020-01-01T00:00:00Z to 2020-01-01T01:00:00Z: Time, b",
    ]
    assert [stored(find(site, each.id)) is not None for each in listed(site)] == [True, True]
    assert len(list((root.place / "cache" / "hapi").glob("catalog-all-*.json"))) == 1


def test_the_verb_tells_what_cannot_be_described_and_goes_on(root):
    text = SOURCE.replace("reader.py", "nowhere.py")
    assert root.add("a", source=text).add("b").site
    done = root.run()
    assert done.exit_code == 1
    assert "b: 2020-01-01T00:00:00Z" in done.output
    assert "a: " in done.output


def test_what_is_described_is_not_described_again_unless_that_is_asked(root):
    assert root.add("a").site
    for words, ran in (((), 1), ((), 1), (("a",), 1), (("a", "--again"), 2)):
        assert root.run(*words).exit_code == 0
        assert root.ran("a") == ran


def test_the_verb_knows_no_source_that_there_is_not(root):
    assert root.add("line").site
    done = root.run("lines")
    assert done.exit_code == 3
    assert "line" in done.output


def test_the_task_describes_the_sets_of_a_source(root):
    site = root.add("a", "hapi = [{}, { id = 'b', bin.time.max = 60 }]\n").add("c").add("d", "").site
    assert list(prepare(site, {})) == [{"source": "a"}, {"source": "c"}]
    assert list(prepare(site, {"source": "A"})) == [{"source": "a"}]
    told = []
    assert run(Work(site, {"source": "a"}, lambda done, what: told.append((done, what)))) == "2 data sets described"
    assert told == [(0.0, "a"), (0.5, "a_b")]
    assert stored(find(site, "a_b")) is not None
    assert stored(find(site, "c")) is None
    with pytest.raises(NotFoundError):
        list(prepare(site, {"source": "nothing"}))
    with pytest.raises(QueryError, match=r"d has no data set of HAPI"):
        list(prepare(site, {"source": "d"}))


def test_an_install_hands_over_what_is_to_be_described(root):
    conf = root.place / "etc" / "dasflex.conf"
    conf.write_text(f"{conf.read_text(encoding='utf-8')}\nWORK_QUEUE_BROKER = redis\n", encoding="utf-8")
    root.add("a").add("b", "")
    for words, handed in (("--check",), 0), ((), 1), ((), 1):
        assert CliRunner().invoke(main, ["install", *words, "--root", str(root.place)]).exit_code == 0
        spool = Spool(dasflex_core.open(root.place).config)
        assert len(spool.handed_over()) == handed
    assert spool.handed_over()[0].startswith("hapi-info-a-")


def test_the_task_raises_what_failed_after_all_were_tried(root):
    site = root.add("a", source=SOURCE.replace("reader.py", "nowhere.py")).site
    with pytest.raises(SourceError):
        run(Work(site, {"source": "a"}, lambda _done, _what: None))


def test_another_definition_is_described_anew_and_the_same_is_not(root):
    site = root.add("a").site
    capture(find(site, "a"))
    assert root.ran("a") == 1
    assert header_of(find(root.site, "a")).learned.records == 60
    assert root.ran("a") == 1
    changed = root.add("a", "summary = 'More'\nhapi = {}\n").site
    assert stored(find(changed, "a")) is None
    header_of(find(changed, "a"))
    assert root.ran("a") == 2


def test_ids_that_would_be_the_same_keep_their_paths(root):
    site = root.add("a/b_c").add("a_b/c").add("a/b.d").site
    assert [each.id for each in listed(site)] == ["a_b_d", "a/b_c", "a_b/c"]
    assert find(site, "a_b/c").source.id == "a_b/c"
    with pytest.raises(NotFoundError):
        find(site, "a_b_c")


def test_a_source_that_needs_an_interval_is_there_by_its_requests_only(root):
    text = SOURCE.replace("reader.py", "reader.py #[read.time.inter]")
    times = 'coords = { time = { interval = { default = "10 min" } } }\n'
    sets = 'hapi = [{}, { id = "10min", read.time.inter = 600 }]\n'
    example = 'time = "2020-01-01T00:00 to 2020-01-01T01:00", read.time.inter = 60'
    site = root.add("a", times + sets, text.replace('time = "2020-01-01T00:00 to 2020-01-01T01:00"', example)).site
    assert [each.id for each in listed(site)] == ["a_10min"]
    assert root.run("a").output.startswith("a_10min: ")
    with pytest.raises(NotFoundError):
        find(site, "a")


def test_a_former_id_of_a_source_finds_it(root):
    site = root.add("new", 'was = ["Old/Name"]\nhapi = {}\n').site
    assert find(site, "Old/Name").id == "new"


def test_an_install_is_seen_at_once_and_reads_what_has_changed(root):
    site = root.add("a").site
    assert [each.id for each in listed(site)] == ["a"]
    site = root.add("b").site
    assert [each.id for each in listed(site)] == ["a", "b"]
    site = root.add("b", "").site
    assert [each.id for each in listed(site)] == ["a"]
    root.add("a", 'hapi = { title = "Another" }\n')
    assert [each.title for each in listed(root.site)] == ["Another"]
    shutil.rmtree(root.place / "definitions" / "a")
    assert listed(root.site) == ()


def test_a_cache_that_cannot_be_written_costs_time_and_nothing_else(root):
    site = root.add("a").site
    (root.place / "cache").mkdir(exist_ok=True)
    (root.place / "cache" / "hapi").write_text("no folder")
    assert [each.id for each in listed(site)] == ["a"]
    assert [each["id"] for each in json.loads(catalog_json(site, "all")[0])] == ["a"]


def test_what_was_kept_by_halves_is_made_anew(root):
    site = root.add("a").site
    capture(find(site, "a"))
    for path in (root.place / "cache" / "hapi").rglob("*.json"):
        path.write_bytes(path.read_bytes()[:20])
    assert [each.id for each in listed(site)] == ["a"]
    assert info_of(find(site, "a"))["parameters"][1]["name"] == "b"


def test_the_range_is_that_of_the_definition_then_the_coverage_then_the_examples(root):
    site = root.add("a").add("b", 'hapi = {}\ncoords = { time = { range = "2019-01-01 to 2021-01-01" } }\n').site

    def span(name):
        return tuple(int(each) for each in span_of(find(site, name)))

    day = [parse_time(each).ns for each in ("2020-01-01T00:00", "2020-01-01T01:00", "2019-01-01", "2021-01-01")]
    assert span("a") == (day[0], day[1])
    assert span("b") == (day[2], day[3])
    from dasflex_core.upkeep.coverage import Coverage, coverage_path

    path = coverage_path(site.config, "a")
    path.parent.mkdir(parents=True)
    path.write_bytes(Coverage("a", day[2], 86_400, (0, 5, 0, 7, None, 0)).plain())
    assert span("a") == (day[2] + 86_400 * 10**9, day[2] + 4 * 86_400 * 10**9)


def test_a_sample_begins_with_the_records_that_were_seen(root):
    site = root.add("a").site
    data_set = find(site, "a")
    begin, end = sample_of(data_set, capture(data_set).learned)
    assert (begin, end) == tuple(parse_time(each).ns for each in ("2020-01-01T00:00", "2020-01-01T01:00"))


def test_a_source_whose_times_nobody_knows_says_what_is_missing(root):
    text = SOURCE.replace('time = "2020-01-01T00:00 to 2020-01-01T01:00"', 'read.time.min = "2020-01-01"')
    site = root.add("a", source=text.replace("#[read.time.max]", "2020-01-02")).site
    with pytest.raises(QueryError, match=r"no example with a range|coords\.time\.range"):
        capture(find(site, "a"))


def test_the_administrator_is_told_what_clients_are_not(root, capsys):
    site = root.add("a", source=SOURCE.replace("#[python] reader.py", "/no/such/program")).site
    with pytest.raises(SourceError):
        described(find(site, "a"))
    assert "HAPI: a cannot be described: source.start: " in capsys.readouterr().err


def test_whoever_waits_for_another_takes_what_that_one_learned(root):
    from concurrent.futures import ThreadPoolExecutor

    site = root.add("a").site
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _turn: capture(find(site, "a")).learned.records, range(4)))
    assert made == [60] * 4
    assert root.ran("a") == 1
    assert not [path for path in (root.place / "cache" / "hapi" / "headers").iterdir() if "partial" in path.name]

# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex usage`: what the logs say, added up, with robots apart."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
import time
from dataclasses import astuple

import pytest
from click.testing import CliRunner

from dasflex_core.cli.verbs import main
from dasflex_core.logs import LogEntry, RequestLog
from dasflex_core.roots import make_root
from dasflex_core.usage import GROUPINGS, is_robot, source_of, usage_of

NOON = 1_795_348_800.25  # 2026-11-22T12:00:00.250Z
DAY = 86_400


def write(directory, *entries, form="text"):
    log = RequestLog(directory, pytest.fail, form=form)
    for each in entries:
        known = {"time": NOON, "client": "192.0.2.7", "request": "r", "method": "GET", "target": "/x", "status": 200}
        log.write(LogEntry(**{**known, **each}))


def test_requests_bytes_errors_and_addresses_are_counted_by_month_and_source(tmp_path):
    write(
        tmp_path,
        {"source": "a", "bytes": 10},
        {"source": "a", "bytes": 20, "client": "::1"},
        {"source": "a", "bytes": 30, "time": NOON + 10 * DAY, "status": 400},
        {"source": "b", "bytes": 40, "time": NOON + DAY, "complete": False},
        {"source": "b", "bytes": 50, "agent": "Googlebot/2.1", "client": "192.0.2.8"},
        {"bytes": 5},
    )
    rows, total = usage_of(tmp_path)
    assert [astuple(each) for each in rows] == [
        (("2026-11", ""), 1, 5, 0, 1, 0, 0, 0),
        (("2026-11", "a"), 2, 30, 0, 2, 0, 0, 0),
        (("2026-11", "b"), 1, 40, 1, 1, 1, 50, 1),
        (("2026-12", "a"), 1, 30, 1, 1, 0, 0, 0),
    ]
    assert astuple(total)[1:] == (5, 105, 2, 2, 1, 50, 1)


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize(
    ("by", "keys"),
    [
        ("source", ["", "A/b"]),
        ("month", ["2026-11"]),
        ("day", ["2026-11-22", "2026-11-23"]),
        ("address", ["192.0.2.7", "2001:db8::1"]),
        ("user", ["", "jane"]),
        ("status", ["200", "404"]),
        ("agent", ["", "curl/8"]),
    ],
)
def test_anything_that_an_entry_says_can_be_told_apart(tmp_path, by, keys, form):
    write(
        tmp_path,
        {"source": "A/b", "user": "jane", "agent": "curl/8"},
        {"target": "/source/a/B/flex", "time": NOON + DAY, "status": 404, "client": "2001:db8::1"},
        {"target": "/search"},
        form=form,
    )
    assert [each.key for each in usage_of(tmp_path, (by,))[0]] == [(key,) for key in keys]
    assert by in GROUPINGS


def test_who_asked_for_robots_txt_was_a_robot_on_that_day(tmp_path):
    write(
        tmp_path,
        {"bytes": 1, "agent": "Mozilla/5.0"},
        {"target": "/robots.txt?x", "status": 404},
        {"bytes": 2, "time": NOON + DAY},
        {"bytes": 4, "client": "192.0.2.8", "target": "/search?q=/robots.txt"},
    )
    rows, total = usage_of(tmp_path, ("address", "day"))
    assert {each.key: (each.bytes, each.robot_bytes) for each in rows} == {
        ("192.0.2.7", "2026-11-22"): (0, 1),
        ("192.0.2.7", "2026-11-23"): (2, 0),
        ("192.0.2.8", "2026-11-22"): (4, 0),
    }
    assert (total.requests, total.addresses, total.robot_requests, total.robot_addresses) == (2, 2, 2, 1)


@pytest.mark.parametrize(
    ("agent", "robot"),
    [
        ("Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)", True),
        ("Baiduspider/2.0", True),
        ("UptimeRobot/2.0", True),
        ("check_http/v2.3.3 (monitoring-plugins 2.3.3)", True),
        ("kube-probe/1.29", True),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/119.0 Safari/537.36", False),
        ("Java/17.0.9", False),
        ("python-requests/2.31", False),
        ("curl/8.5.0", False),
        ("IDL/8.8.1", False),
        ("", False),
    ],
)
def test_robots_are_told_by_their_own_words(agent, robot):
    assert is_robot(agent) is robot


@pytest.mark.parametrize(
    ("target", "source"),
    [
        ("/source/Juno/Waves/flex?time=1", "juno/waves"),
        ("/cgi-bin/das/source/juno/waves/data.csv?x", "juno/waves"),
        ("/source/juno/waves/plan", "juno/waves"),
        ("/source/juno/waves.html", "juno/waves"),
        ("/source/juno/waves/hapi.json", "juno/waves"),
        ("/source/ju%6Eo/waves/flex", "juno/waves"),
        ("/source/juno/", ""),
        ("/?server=dataset&dataset=Juno/Waves&start_time=1", "juno/waves"),
        ("/das/server?DATASET=Juno%2FWaves;server=dsdf", "juno/waves"),
        ("/hapi/data?id=juno/waves", "juno/waves"),
        ("/hapi/2/info?dataset=juno/waves", "juno/waves"),
        ("/x?id=juno", ""),
        ("/dasws/juno/waves/flexRT?x=1", "juno/waves"),
        ("/", ""),
        ("", ""),
        ("/source/%ff%zz/flex", "\ufffd%zz"),
    ],
)
def test_an_old_entry_has_its_source_in_its_address(target, source):
    assert source_of(target) == source


def test_days_and_months_bound_what_is_counted(tmp_path):
    write(tmp_path, *({"time": NOON + each * DAY} for each in range(20)))
    assert usage_of(tmp_path, ("month",), since="2026-12")[1].requests == 11
    assert usage_of(tmp_path, ("month",), until="2026-11")[1].requests == 9
    assert usage_of(tmp_path, ("month",), since="2026-11-30", until="2026-12-01")[1].requests == 2


def test_no_logs_are_no_usage(tmp_path):
    assert usage_of(tmp_path / "none") == ([], usage_of(tmp_path)[1])


def test_a_hundred_thousand_entries_take_under_two_seconds_and_no_memory(tmp_path):
    write(tmp_path, {"target": "/source/a/b/flex?time=2020-01-01/P1D", "agent": "Mozilla/5.0 (X11)", "source": "a/b"})
    [file] = tmp_path.iterdir()
    file.write_bytes(file.read_bytes() * 100_000)
    code = """
import resource, sys, time
from pathlib import Path
from dasflex_core.usage import usage_of
before, begun = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
rows, total = usage_of(Path(sys.argv[1]))
used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(total.requests, time.process_time() - begun, used)
"""
    done = subprocess.run((sys.executable, "-c", code, str(tmp_path)), capture_output=True, text=True, check=True)
    count, seconds, kilobytes = map(float, done.stdout.split())
    assert count == 100_000
    assert seconds < 2
    assert kilobytes < 20_000


@pytest.mark.parametrize("hostile", ['"' * 900, "\\" * 900, '\\"' * 900, " " * 900, "a=" * 900, "%" * 900])
def test_no_line_takes_long(tmp_path, hostile):
    write(tmp_path, *({"target": f"/source/{hostile}/flex?id=1&server=&{hostile}", "agent": hostile},) * 1_000)
    begun = time.process_time()
    assert usage_of(tmp_path)[1].requests == 1_000
    assert time.process_time() - begun < 3


class TestVerb:
    """The verb."""

    @pytest.fixture
    def root(self, tmp_path):
        """A root with some entries."""
        make_root(tmp_path / "root", "Usage")
        write(
            tmp_path / "root" / "log",
            {"source": "a", "bytes": 1_000_000, "agent": "=1+1"},
            {"source": "b", "bytes": 7, "agent": "\x1b[2J"},
        )
        return str(tmp_path / "root")

    def run(self, root, *words, code=0):
        """What it writes."""
        done = CliRunner().invoke(main, ["usage", "--root", root, *words])
        assert done.exit_code == code, done.output
        return done.output

    def test_it_writes_a_table_with_a_total(self, root):
        head, *rows, total = self.run(root).splitlines()
        assert head.split()[:5] == ["month", "source", "requests", "bytes", "errors"]
        assert [each.split()[:4] for each in rows] == [
            ["2026-11", "a", "1", "1,000,000"], ["2026-11", "b", "1", "7"]
        ]  # fmt: skip
        assert total.split()[:4] == ["total", "total", "2", "1,000,007"]

    def test_it_writes_json(self, root):
        told = json.loads(self.run(root, "--by", "source", "--json"))
        assert told["by"] == ["source"]
        assert [(each["source"], each["bytes"]) for each in told["rows"]] == [("a", 1_000_000), ("b", 7)]
        assert told["total"]["requests"] == 2

    def test_it_writes_csv_that_no_spreadsheet_runs(self, root):
        head, *rows = csv.reader(io.StringIO(self.run(root, "--by", "agent", "--csv")))
        assert head[0] == "agent"
        assert [each[0] for each in rows] == ["\x1b[2J", "'=1+1"]

    def test_no_word_of_a_client_moves_the_cursor(self, root):
        assert "\x1b" not in self.run(root, "--by", "agent")

    @pytest.mark.parametrize("words", [("--since", "yesterday"), ("--by", "weather"), ("--until", "2026-13")])
    def test_what_it_does_not_know_it_says(self, root, words):
        assert words[1] in self.run(root, *words, code=2)

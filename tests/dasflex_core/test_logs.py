# SPDX-License-Identifier: GPL-3.0-or-later
"""The log of requests: whole lines whatever clients write, from any number of processes, and never a failure."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dasflex_core.errors import shown
from dasflex_core.logs import LogEntry, RequestLog, log_name
from dasflex_core.redacting import without_secrets

NOON = 1_795_348_800.25  # 2026-11-22T12:00:00.250Z
HOSTILE = st.text(max_size=60) | st.sampled_from(
    ["\n", "\r\nx", "\u2028", '" 200 "', "\x1b[2J", "\udc80", "\x85", "\\"]
)
LINE = re.compile(r'\S+ \S+ \S+ "(?:[^"\\]|\\.)*" \d+ \d+ [0-9.]+ (?:complete|broken) "(?:[^"\\]|\\.)*" \S+ \S+')


def entry(**rest):
    known = {"time": NOON, "client": "192.0.2.7", "request": "r1", "method": "GET", "target": "/flex", "status": 200}
    return LogEntry(**{**known, **rest})


def test_a_line_says_what_was_asked_and_what_came_of_it(tmp_path):
    log = RequestLog(tmp_path / "log", pytest.fail)
    log.write(entry(bytes=1234, seconds=0.125, agent="curl/8"))
    log.write(entry(complete=False, kind="source.exit", message="It failed", detail="tape\nbroke"))
    assert (tmp_path / "log" / "192.0.2.7_2026-11-22.log").read_text() == (
        '2026-11-22T12:00:00.250Z r1 GET "/flex" 200 1234 0.125 complete "curl/8" - -\n'
        '2026-11-22T12:00:00.250Z r1 GET "/flex" 200 0 0.000 broken "" - -\n'
        "    source.exit: It failed\n    | tape\n    | broke\n"
    )


def test_each_address_and_each_day_of_utc_has_a_file():
    assert log_name("2001:db8::1", NOON) == "2001-db8--1_2026-11-22.log"
    assert log_name("192.0.2.7", NOON + 43_200) == "192.0.2.7_2026-11-23.log"
    assert log_name("192.0.2.7", NOON + 43_199) == "192.0.2.7_2026-11-22.log"


@given(st.text(max_size=200) | st.sampled_from(["../../etc/x", "..", "/", "", "a\0b", ".hidden"]))
def test_no_client_names_a_file_elsewhere(client):
    assert re.fullmatch(r"[a-z0-9-][a-z0-9.-]{0,63}_2026-11-22\.log", log_name(client, NOON))


@given(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE)
def test_whatever_clients_write_a_request_is_one_line_of_the_same_form(target, agent, method, request, message, detail):
    hostile = {"target": target, "agent": agent, "method": method, "request": request}
    first, *rest = entry(**hostile, kind="query", message=message, detail=detail).text().split("\n")
    assert LINE.fullmatch(first), first
    assert rest.pop() == ""
    assert all(line.startswith(("    query: ", "    | ")) for line in rest)
    assert all(char.isprintable() for line in (first, *rest) for char in line)


def test_a_long_request_has_a_short_entry():
    long = "x" * 1_000_000
    assert len(entry(target=long, agent=long, message=long, kind=long, detail=f"{long}\n" * 50).text()) < 50_000


@pytest.mark.parametrize(
    ("sent", "written"),
    [
        ("/a?key=SECRET&x=1", "/a?key=...&x=1"),
        ("/a?x=1&PASSWD=SECRET", "/a?x=1&PASSWD=..."),
        ("/a?x=1;token=SECRET;y=2", "/a?x=1;token=...;y=2"),
        ("/a?k%65y=SECRET", "/a?k%65y=..."),
        ("/a?+key=SECRET", "/a?+key=..."),
        ("/a?read.token=SECRET", "/a?read.token=..."),
        ("/a?params=--gain%3D3+--token%3DSECRET&x=1", "/a?params=...&x=1"),
        ("/a?params=--gain%3D3+key", "/a?params=--gain%3D3+key"),
        ("http://me:SECRET@host/a?x=1", "http://...@host/a?x=1"),
        ("/a?monkey=1&k%zz=2&keys=3&key", "/a?monkey=1&k%zz=2&keys=3&key"),
        ("/a@b?url=http://x@y", "/a@b?url=http://x@y"),
    ],
)
def test_secrets_are_not_written_and_the_rest_is(sent, written):
    assert without_secrets(sent) == written
    assert f'"{written}"' in entry(target=sent).text()


@pytest.mark.parametrize("secret", ["SECRET", "S%45CRET", "SEC+RET'\"x", "SECRET" * 40, "%C3%A9SECRET%5B"])
def test_what_went_wrong_does_not_tell_a_secret_either(secret):
    text = unquote_plus(secret)
    told = f"password is given twice, as {shown(text)} and as 'b'; give it once"
    written = entry(
        target=f"/a?password={secret}&x=1", kind="query.bad-value", message=told, detail=f"cat {text}"
    ).text()
    assert "SEC" not in written
    assert "password is given twice, as" in written
    assert written.count("...") >= 3


@pytest.mark.parametrize("place", ["file/log", "/dev/full/log", "/proc/none/log"])
def test_a_directory_that_cannot_be_is_told_once_and_fails_nothing(tmp_path, place):
    (tmp_path / "file").write_text("in the way")
    told = []
    log = RequestLog(tmp_path / place, told.append)
    log.write(entry())
    log.write(entry())
    assert len(told) == 1


def test_a_full_disk_is_told_and_fails_nothing(tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr("os.write", lambda _file, data: len(data) - 1)
    RequestLog(tmp_path, told.append).write(entry())
    assert len(told) == 1


def test_a_link_in_the_directory_leads_nowhere(tmp_path):
    told = []
    (tmp_path / log_name("192.0.2.7", NOON)).symlink_to(tmp_path / "elsewhere")
    RequestLog(tmp_path, told.append).write(entry())
    assert told
    assert not (tmp_path / "elsewhere").exists()


def test_a_time_that_is_none_fails_nothing(tmp_path):
    told = []
    RequestLog(tmp_path, told.append).write(entry(time=1e30))
    assert len(told) == 1


def test_several_processes_write_whole_entries_into_one_file(tmp_path):
    text = """
import sys
from dasflex_core.logs import LogEntry, RequestLog
log = RequestLog(sys.argv[1], sys.exit)
for each in range(500):
    long = "x" * 900 if each % 3 else ""
    log.write(LogEntry(time=0.0, client="::1", request=f"{sys.argv[2]}-{each}", method="GET", target="/" + long,
                       status=200, kind="source.exit", message="y" * 900, detail=("z" * 900 + "\\n") * 8))
"""
    running = [subprocess.Popen((sys.executable, "-c", text, str(tmp_path), str(each))) for each in range(8)]
    assert [each.wait(60) for each in running] == [0] * 8
    [file] = tmp_path.iterdir()
    lines = file.read_text().splitlines()
    assert len(lines) == 4000 * 10
    for at in range(0, len(lines), 10):
        assert LINE.fullmatch(lines[at])
        assert lines[at + 1] == "    source.exit: " + "y" * 900
        assert lines[at + 2 : at + 10] == ["    | " + "z" * 900] * 8
    assert {line.split()[1] for line in lines[::10]} == {f"{one}-{each}" for one in range(8) for each in range(500)}


def test_a_small_program_can_afford_it():
    """Neither logging nor pathlib nor json, which a CGI program need not import for a static file."""
    code = "import sys; import dasflex_core.logs; print(*sorted(sys.modules))"
    done = subprocess.run(
        (sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:0] = {sys.path!r}; {code}"),
        capture_output=True,
        check=True,
        text=True,
    )
    assert not {"logging", "pathlib", "json", "fcntl", "datetime", "numpy", "urllib.parse"} & set(done.stdout.split())
    assert Path(__file__).exists()

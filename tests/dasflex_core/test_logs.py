# SPDX-License-Identifier: GPL-3.0-or-later
"""The log of requests: whole lines whatever clients write, from any number of processes, and never a failure."""

from __future__ import annotations

import fcntl
import json
import os
import re
import stat
import subprocess
import sys
import time
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


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("reads", [False, True])
def test_a_fifo_in_the_place_of_a_log_holds_nobody_up(tmp_path, form, reads):
    told = []
    fifo = tmp_path / log_name("192.0.2.7", NOON)
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK) if reads else -1
    try:
        RequestLog(tmp_path, told.append, form=form).write(entry())
        assert len(told) == 1
        assert not reads or os.read(reader, 10) == b""
    finally:
        if reads:
            os.close(reader)


@pytest.mark.parametrize("what", ["directory", "device"])
def test_what_is_no_plain_file_is_not_written(tmp_path, what):
    told = []
    place = tmp_path / log_name("192.0.2.7", NOON)
    if what == "directory":
        place.mkdir()
    else:
        try:
            os.mknod(place, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        except PermissionError:
            pytest.skip("only root makes devices")
    RequestLog(tmp_path, told.append).write(entry())
    assert len(told) == 1


def test_a_file_that_is_full_is_begun_anew_and_the_one_before_is_kept(tmp_path):
    log = RequestLog(tmp_path, pytest.fail, most=2_000)
    for each in range(100):
        log.write(entry(request=f"r{each}", target="/" + "x" * 400))
    name = log_name("192.0.2.7", NOON)
    assert sorted(each.name for each in tmp_path.iterdir()) == [name, f"{name}.1"]
    assert all(each.stat().st_size < 2_600 for each in tmp_path.iterdir())
    lines = (tmp_path / f"{name}.1").read_text() + (tmp_path / name).read_text()
    assert [line.split()[1] for line in lines.splitlines()] == [f"r{each}" for each in range(100)][-lines.count("\n") :]


def test_several_processes_that_begin_a_file_anew_lose_nothing_of_the_last_two(tmp_path):
    text = """
import sys
from dasflex_core.logs import LogEntry, RequestLog
log = RequestLog(sys.argv[1], sys.exit, most=30_000)
for each in range(300):
    log.write(LogEntry(time=0.0, client="::1", request=f"{sys.argv[2]}-{each}", method="GET", target="/", status=200))
"""
    running = [subprocess.Popen((sys.executable, "-c", text, str(tmp_path), str(each))) for each in range(4)]
    assert [each.wait(60) for each in running] == [0] * 4
    assert len([*tmp_path.iterdir()]) == 2
    assert all(LINE.fullmatch(line) for each in tmp_path.iterdir() for line in each.read_text().splitlines())
    assert all(each.stat().st_size < 32_000 for each in tmp_path.iterdir())


def test_a_long_process_goes_to_the_file_of_the_new_day(tmp_path):
    log = RequestLog(tmp_path, pytest.fail)
    log.write(entry())
    log.write(entry(time=NOON + 43_200))
    assert sorted(each.name[-14:] for each in tmp_path.iterdir()) == ["2026-11-22.log", "2026-11-23.log"]


def test_a_file_that_was_moved_away_is_begun_anew(tmp_path):
    log = RequestLog(tmp_path, pytest.fail)
    log.write(entry())
    [file] = tmp_path.iterdir()
    file.rename(tmp_path / "elsewhere")
    log.write(entry())
    assert file.read_text() == (tmp_path / "elsewhere").read_text()


def test_json_has_one_object_a_line_with_what_the_text_says(tmp_path):
    log = RequestLog(tmp_path, pytest.fail, form="json")
    log.write(entry(bytes=12, user="jane", source="A/b", target="/x?token=SECRET&y", agent="a\nb"))
    log.write(entry(complete=False, kind="source.exit", message="It failed", detail="tape\nbroke"))
    first, second = map(json.loads, (tmp_path / log_name("192.0.2.7", NOON)).read_text().splitlines())
    assert first == {
        "time": "2026-11-22T12:00:00.250Z", "request": "r1", "client": "192.0.2.7", "user": "jane", "source": "A/b",
        "method": "GET", "target": "/x?token=...&y", "status": 200, "bytes": 12, "seconds": 0.0, "complete": True,
        "agent": "a\nb",
    }  # fmt: skip
    assert (second["complete"], second["kind"], second["detail"]) == (False, "source.exit", "tape\nbroke")


@given(HOSTILE, HOSTILE, HOSTILE, HOSTILE)
def test_whatever_clients_write_is_one_line_of_json(target, agent, user, detail):
    text = entry(target=target, agent=agent, user=user, kind="query", message=detail, detail=detail).json()
    assert text.endswith("\n")
    assert text.isascii()
    assert len(text.splitlines()) == 1
    assert json.loads(text)["status"] == 200


@pytest.mark.parametrize(
    ("user", "word"), [("", "-"), ("jane@example.edu", "jane@example.edu"), ("a b", "a_b"), ('"\n\u2028', "___")]
)
def test_a_user_is_one_word(user, word):
    assert entry(user=user).text().endswith(f'"" {word} -\n')


def test_a_disk_that_is_really_full_is_told_once_and_the_next_entry_is_whole(tmp_path):
    """The system refuses to let any file grow: what a full disk does, for anybody who may run this test."""
    text = """
import resource, sys
from dasflex_core.logs import LogEntry, RequestLog
from dasflex_core.log_reading import read_entries
from pathlib import Path
told = []
log = RequestLog(sys.argv[1], told.append)
one = lambda name: LogEntry(time=0.0, client="::1", request=name, method="GET", target="/" + "x" * 300, status=200)
log.write(one("first"))
resource.setrlimit(resource.RLIMIT_FSIZE, (500, resource.RLIM_INFINITY))
log.write(one("second"))
log.write(one("third"))
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
log.write(one("fourth"))
print(len(told), *(each.request for each in read_entries(Path(sys.argv[1]))))
"""
    done = subprocess.run((sys.executable, "-c", text, str(tmp_path)), capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["1", "first", "fourth"]


def test_a_lock_that_somebody_holds_delays_an_entry_a_little(tmp_path):
    log = RequestLog(tmp_path, pytest.fail)
    log.write(entry())
    [file] = tmp_path.iterdir()
    with file.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        begun = time.perf_counter()
        log.write(entry(message="x" * 900, detail=("y" * 900 + "\n") * 8))
        assert time.perf_counter() - begun < 1
    assert file.read_text().count("\n") > 2


def test_nobody_else_on_the_machine_reads_the_logs(tmp_path):
    RequestLog(tmp_path / "log", pytest.fail).write(entry())
    assert (tmp_path / "log").stat().st_mode & 0o007 == 0
    assert all(each.stat().st_mode & 0o007 == 0 for each in (tmp_path / "log").iterdir())

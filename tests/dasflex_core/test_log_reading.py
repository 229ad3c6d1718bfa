# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs are read back as they were written, in both forms, and nothing in their directory holds the reader up."""

from __future__ import annotations

import gzip
import os
import tracemalloc
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dasflex_core.log_reading import LogFile, entries, last_entries, log_files, read_entries, rows
from dasflex_core.logs import LogEntry, RequestLog

NOON = 1_795_348_800.25  # 2026-11-22T12:00:00.250Z
DAY = 86_400
TEXT = st.text(st.characters(exclude_categories=("Cs",)) | st.sampled_from("\n\r\u2028\x85\\\"' \t|{}:"), max_size=40)
FORMS = pytest.mark.parametrize("form", ["text", "json"])


def entry(**rest):
    known = {"time": NOON, "client": "192.0.2.7", "request": "r1", "method": "GET", "target": "/flex", "status": 200}
    return LogEntry(**{**known, **rest})


def write(directory, *written, form="text"):
    log = RequestLog(directory, pytest.fail, form=form)
    for each in written:
        log.write(each)


@FORMS
def test_what_was_written_is_read(tmp_path, form):
    written = [
        entry(bytes=1234, seconds=0.125, agent="curl/8", user="jane@example.edu", source="Examples/Waveform"),
        entry(complete=False, kind="source.exit", message="It failed", detail="tape\nbroke", status=500),
        entry(target='/a?b="c\\"', agent="\\", request="r3"),
        entry(target="/größe?π", agent="\x1b[2J"),
    ]
    write(tmp_path, *written, form=form)
    assert [*read_entries(tmp_path)] == written


@given(TEXT, TEXT, TEXT, st.lists(TEXT, max_size=3), st.sampled_from(["text", "json"]))
def test_whatever_clients_write_is_read_as_it_was(tmp_path_factory, target, agent, message, detail, form):
    place = tmp_path_factory.mktemp("log")
    lines = "\n".join(" ".join(each.split()) or "." for each in detail)
    kept = entry(target=f"/{target}", agent=agent, kind="query", message=" ".join(message.split()), detail=lines)
    write(place, entry(), kept, entry(request="last"), form=form)
    first, middle, last = read_entries(place)
    assert (first, last) == (entry(), entry(request="last"))
    assert middle.detail.splitlines() == kept.detail.splitlines()
    if "?" not in target and ":" not in target:  # where secrets may be
        assert replace(middle, detail="") == replace(kept, detail="")


def test_the_forms_may_be_mixed_and_old_entries_have_no_user(tmp_path):
    write(tmp_path, entry(user="a"), form="json")
    write(tmp_path, entry(user="b"))
    with (tmp_path / "192.0.2.7_2026-11-22.log").open("a") as file:
        file.write('2026-11-22T12:00:00.250Z r1 GET "/flex" 200 0 0.000 complete ""\n')
    write(tmp_path, entry(user="c"), form="json")
    assert [each.user for each in read_entries(tmp_path)] == ["a", "b", "", "c"]


BROKEN = [
    b"",
    b"\n\n",
    b"    | a detail of nothing\n    query: and its message",
    b'2026-11-22T12:00:00.250Z r1 GET "/flex',
    b'2026-11-22T12:00:00.250Z r1 GET "/flex" 200',
    b'2026-99-22T12:00:00.250Z r1 GET "/flex" 200 0 0.000 complete ""',
    b'2026-11-22T12:00:00.250Z r1 GET "/flex" two 0 0.000 complete "" - -',
    b'{"time": "2026-11-22T12:00:00.250Z", "status": 2',
    b'{"time": "2026-11-22T12:00:00.250Z", "client": 5, "status": 200}',
    b'{"time": "yesterday", "status": 200}',
    b"{" * 100_000,
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"[1, 2]",
    b"\xff\xfe\x00" * 100,
    b"x" * 3_000_000,
    b'2026-11-22T12:00:00.250Z r1 GET "' + b'\\"' * 5_000,
]


@pytest.mark.parametrize("broken", BROKEN, ids=range(len(BROKEN)))
def test_a_broken_line_hides_no_other(tmp_path, broken):
    write(tmp_path, entry(request="before"))
    [file] = log_files(tmp_path)
    with file.path.open("ab") as opened:
        opened.write(broken + b"\n")
    write(tmp_path, entry(request="after"))
    assert [each.request for each in entries(file)] == ["before", "after"]
    assert [each.request for each in rows(file)] == ["before", "after"]


def test_an_entry_behind_one_that_was_cut_off_begins_a_line_of_its_own(tmp_path):
    write(tmp_path, entry(request="first"), entry(request="second"))
    [file] = log_files(tmp_path)
    with file.path.open("r+b") as opened:
        opened.truncate(file.bytes - 20)
    write(tmp_path, entry(request="third"))
    assert [each.request for each in entries(file)] == ["first", "third"]


def test_files_are_found_by_day_and_client(tmp_path):
    write(tmp_path, entry(), entry(time=NOON + DAY), entry(client="2001:db8::1", time=NOON + 10 * DAY))
    (tmp_path / "websocd.log").write_text("no log of requests")
    (tmp_path / "requests").mkdir()
    assert [(each.day, each.client) for each in log_files(tmp_path)] == [
        ("2026-11-22", "192.0.2.7"), ("2026-11-23", "192.0.2.7"), ("2026-12-02", "2001:db8::1")
    ]  # fmt: skip
    assert [each.day for each in log_files(tmp_path, since="2026-11-23", until="2026-11")] == ["2026-11-23"]
    assert [each.day for each in log_files(tmp_path, since="2026-12")] == ["2026-12-02"]
    assert [each.day for each in log_files(tmp_path, until="2026-11-22")] == ["2026-11-22"]
    assert [each.day for each in log_files(tmp_path, client="2001:DB8::1")] == ["2026-12-02"]
    assert next(read_entries(tmp_path, client="2001:db8::1")).client == "2001:db8::1"
    assert log_files(tmp_path / "none") == []
    assert log_files(tmp_path / "websocd.log") == []


def test_files_that_were_rotated_and_compressed_are_read_in_their_order(tmp_path):
    write(tmp_path, entry(request="oldest"))
    path = tmp_path / "192.0.2.7_2026-11-22.log"
    (tmp_path / f"{path.name}.2.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    write(tmp_path, entry(request="older"))
    path.rename(tmp_path / f"{path.name}.1")
    write(tmp_path, entry(request="newest"))
    (tmp_path / "192.0.2.7_2026-11-23.log.gz").write_bytes(b"\x1f\x8b no gzip")
    assert [each.request for each in read_entries(tmp_path)] == ["oldest", "older", "newest"]
    assert [each.request for each in last_entries(log_files(tmp_path)[0], 5)] == ["oldest"]


def test_what_is_no_file_is_neither_followed_nor_waited_for(tmp_path):
    (tmp_path / "secret").write_text('2026-11-22T12:00:00.250Z r1 GET "/flex" 200 0 0.000 complete ""\n')
    (tmp_path / "192.0.2.7_2026-11-22.log").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "192.0.2.7_2026-11-23.log")
    (tmp_path / "192.0.2.7_2026-11-24.log").mkdir()
    assert log_files(tmp_path) == []
    for path in tmp_path.iterdir():
        if path.name != "secret":
            file = LogFile(path, "", "2026-11-22", 1)
            assert ([*entries(file)], [*rows(file)], last_entries(file, 3)) == ([], [], [])


@pytest.mark.parametrize("detail", ["", "x" * 900 + "\n" + "y" * 900])
def test_the_last_entries_are_read_from_the_end(tmp_path, detail):
    write(tmp_path, *(entry(request=f"r{each}", detail=detail, kind="k") for each in range(2_000)))
    [file] = log_files(tmp_path)
    for count in (1, 10, 1_500, 2_000, 5_000):
        wanted = [f"r{each}" for each in range(2_000)][-count:]
        assert [each.request for each in last_entries(file, count)] == wanted


def test_the_memory_does_not_grow_with_the_file(tmp_path):
    write(tmp_path, entry(target="/" + "x" * 1_000))
    [file] = log_files(tmp_path)
    file.path.write_bytes(file.path.read_bytes() * 20_000)
    tracemalloc.start()
    try:
        assert sum(1 for _each in rows(file)) == 20_000
        assert sum(1 for _each in entries(file)) == 20_000
        assert tracemalloc.get_traced_memory()[1] < 15_000_000
    finally:
        tracemalloc.stop()

# SPDX-License-Identifier: GPL-3.0-or-later
"""Request records: their ids, and that one is written however a run ends, without ever failing it."""

from __future__ import annotations

import hashlib
import json
import re
import time
from pathlib import Path

import pytest

from dasflex_core.errors import ConfigError, NotFoundError, SourceError
from dasflex_core.run import Pump, RequestRecord, new_request_id, read_record
from dasflex_core.run.digest import Digest
from dasflex_core.run.records import iso_time, write_record


def test_ids_are_short_sort_by_time_and_do_not_repeat():
    first = new_request_id()
    time.sleep(0.002)
    later = {new_request_id() for _each in range(1000)}
    assert len(later) == 1000
    assert all(first < each for each in later)
    assert all(re.fullmatch(r"[0-9a-hjkmnp-tv-z]{22}", each) for each in later)


def test_most_of_an_id_is_random():
    ends = [new_request_id()[9:] for _each in range(200)]
    assert all(len({end[place] for end in ends}) > 16 for place in range(13))


def test_a_record_is_written_and_read(readers, settings, tmp_path):
    about = RequestRecord(
        id=new_request_id(), source="Examples/Random", request=(("read.time.min", "2020-01-01"),), plan="p", answer="a"
    )
    with Pump((readers.node("print('data')"),), settings(records=str(tmp_path / "log" / "requests")), about) as pump:
        list(pump.chunks())
    record = read_record(about.id, str(tmp_path / "log" / "requests"))
    assert record == pump.record
    assert record.complete
    assert (record.source, record.request, record.plan, record.answer) == (about.source, about.request, "p", "a")
    assert record.sha256 == hashlib.sha256(b"data\n").hexdigest()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", record.started)
    assert [path.suffix for path in (tmp_path / "log" / "requests").iterdir()] == [".json"]


def test_the_record_is_there_before_the_end_of_the_stream_is_seen(readers, settings, tmp_path):
    pump = Pump((readers.node("print('data')"),), settings(records=str(tmp_path / "r")))
    chunks = pump.chunks()
    next(chunks)
    assert not (tmp_path / "r").exists()
    assert next(chunks, None) is None
    assert read_record(pump.record.id, str(tmp_path / "r")).complete


def test_a_consumer_that_goes_leaves_an_incomplete_record(readers, settings, tmp_path):
    pump = Pump((readers.node("print('data', flush=True); input()"),), settings(records=str(tmp_path)))
    chunks = pump.chunks()
    next(chunks)
    chunks.close()
    record = read_record(pump.record.id, str(tmp_path))
    assert not record.complete
    assert (record.bytes, record.error_kind, record.error) == (5, "", "")


def test_a_failure_is_in_the_record_without_what_only_the_administrator_may_see(readers, settings, tmp_path):
    pump = Pump((readers.node("import sys; sys.exit('/secret/path')"),), settings(records=str(tmp_path)))
    with pump, pytest.raises(SourceError):
        pump.start()
    assert read_record(pump.record.id, str(tmp_path)).error_kind == "source.exit"
    assert "/secret" not in (tmp_path / f"{pump.record.id}.json").read_text()


def test_a_pump_that_never_started_leaves_a_record(readers, settings, tmp_path):
    with Pump((readers.node("print()"),), settings(records=str(tmp_path))) as pump:
        pass
    assert not read_record(pump.record.id, str(tmp_path)).complete


@pytest.mark.parametrize("directory", ["file/records", "/dev/full", "/proc/none/records"])
def test_a_log_disk_that_is_not_there_fails_nothing(readers, settings, tmp_path, directory):
    (tmp_path / "file").write_text("in the way")
    notes = []
    with Pump((readers.node("print('data')"),), settings(records=str(tmp_path / directory), note=notes.append)) as pump:
        assert b"".join(pump.chunks()) == b"data\n"
    assert len(notes) == 1
    assert pump.record.complete


def test_a_full_log_disk_leaves_no_half_record(tmp_path, monkeypatch):
    def full(path, data):
        path.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    notes = []
    write_record(RequestRecord(id=new_request_id()), str(tmp_path), notes.append)
    assert len(notes) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("identifier", ["", "../../etc/passwd", "0" * 22, "a" * 23, "ü" * 22])
def test_there_is_no_record_of_what_was_never_asked(tmp_path, identifier):
    with pytest.raises(NotFoundError) as caught:
        read_record(identifier, str(tmp_path))
    assert caught.value.kind == "not-found.request"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"id": 1, "request": {}}', "{"])
def test_a_damaged_record_is_no_record(tmp_path, text):
    identifier = new_request_id()
    (tmp_path / f"{identifier}.json").write_text(text)
    with pytest.raises(NotFoundError):
        read_record(identifier, str(tmp_path))


def test_an_id_of_ones_own_making_is_refused():
    with pytest.raises(ConfigError):
        RequestRecord(id="my request")


def test_records_are_plain_json(tmp_path):
    record = RequestRecord(id=new_request_id(), request=(("a", "b"),), error="über")
    write_record(record, str(tmp_path), pytest.fail)
    shown = json.loads((tmp_path / f"{record.id}.json").read_text("utf-8"))
    assert shown["request"] == {"a": "b"}
    assert shown["error"] == "über"
    assert shown["records"] is None


def test_times_are_utc():
    assert iso_time(0.5) == "1970-01-01T00:00:00.500Z"


@pytest.mark.parametrize("size", [10, 100_000, 400_000])  # above 4 MiB in all a thread hashes
def test_a_digest_is_the_same_with_and_without_its_thread(size):
    chunks = [bytes([each]) * size for each in range(12)]
    digest = Digest()
    for chunk in chunks:
        digest.update(chunk)
    assert digest.finish() == hashlib.sha256(b"".join(chunks)).hexdigest()


def test_a_stream_that_is_faster_than_the_hash_does_not_wait_for_it():
    digest, chunk = Digest(), bytes(1 << 20)
    for _each in range(500):
        digest.update(chunk)
    assert digest.finish() == ""


def test_without_digest_nothing_is_hashed(readers, settings):
    with Pump((readers.node("print('data')"),), settings(digest=False)) as pump:
        list(pump.chunks())
    assert pump.record.sha256 == ""

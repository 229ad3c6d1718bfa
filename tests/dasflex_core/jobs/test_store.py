# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory of jobs: what is in it is whole, is nobody's but the site's, and is seen by all programs."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dasflex_core.errors import BusyError, ConfigError, NotFoundError
from dasflex_core.jobs.model import Job, Status, from_plain, to_plain
from dasflex_core.jobs.store import Jobs, made_at
from dasflex_core.run.records import new_request_id

TEXT = st.text(max_size=20)
JOBS = st.builds(
    Job,
    id=st.just("0" * 22),
    source=TEXT,
    request=st.lists(st.tuples(TEXT, TEXT)).map(tuple),
    answer=TEXT,
    made=st.floats(0, 1e10),
    user=TEXT,
    note=TEXT,
)


def job(**more):
    """A job."""
    return Job(id=new_request_id(), source="a/b", request=(("read.time.min", "2020"),), answer="x", made=1.0, **more)


@pytest.fixture
def store(tmp_path):
    """A directory of jobs, which is made when it is needed."""
    return Jobs(tmp_path / "deep" / "jobs")


@given(JOBS)
def test_a_job_is_the_same_after_it_was_written_as_json(made):
    assert from_plain(Job, json.loads(json.dumps(to_plain(made)))) == made


def test_what_another_release_has_added_is_left_out():
    assert from_plain(Status, {"state": "failed", "colour": "red"}) == Status(state="failed")


def test_a_job_that_was_added_is_found_and_waits(store):
    made = job(user="anna")
    store.add(made)
    assert store.find(made.id.upper()) == made
    assert store.status(made.id) == Status()
    assert store.active() == store.ids() == [made.id]
    store.put(made.id, Status(state="complete"))
    assert (store.active(), store.ids()) == ([], [made.id])


def test_nobody_else_on_the_machine_can_read_it(store):
    made = job()
    store.add(made)
    for each in (store.folder(made.id), store.directory / "active"):
        assert not each.stat().st_mode & 0o007


@pytest.mark.parametrize("name", ["", "..", "../" + "0" * 19, "i" * 22, "0" * 21, "0" * 22, "gate", "\0" * 22])
def test_what_is_no_id_of_a_job_is_not_found(store, name):
    store.add(job())
    with pytest.raises(NotFoundError) as caught:
        store.find(name)
    assert caught.value.kind == "not-found.job"


def test_a_job_that_was_removed_is_remembered_as_that_and_then_forgotten(store):
    made = job()
    store.add(made)
    store.result(made.id).write_bytes(b"data")
    assert store.size() == 4
    store.remove(made.id, Status(state="complete", removed=5.0))
    assert store.size() == 0
    with pytest.raises(NotFoundError) as caught:
        store.find(made.id)
    assert caught.value.kind == "not-found.gone"
    store.forget(made.id)
    with pytest.raises(NotFoundError) as caught:
        store.find(made.id)
    assert caught.value.kind == "not-found.job"


def test_a_file_that_is_broken_is_no_job(store):
    made = job()
    store.add(made)
    for text in ("", "[]", "{", "[" * 100_000):
        (store.folder(made.id) / "job.json").write_text(text)
        with pytest.raises(NotFoundError):
            store.find(made.id)


def test_an_id_says_when_it_was_made():
    assert made_at(new_request_id()) == pytest.approx(time.time(), abs=1)


def test_one_program_holds_a_job_until_it_ends_however_that_comes_about(store):
    made = job()
    store.add(made)
    code = (
        "import sys, time; from pathlib import Path; from dasflex_core.jobs.store import Jobs\n"
        "print(Jobs(Path(sys.argv[1])).take(sys.argv[2]), flush=True); time.sleep(60)"
    )
    arguments = [sys.executable, "-c", code, str(store.directory), made.id]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline().strip().isdigit()
        assert store.is_held(made.id)
        assert store.take(made.id, patience=0.05) is None
        other.kill()
    assert not store.is_held(made.id)
    lock = store.take(made.id)
    assert lock is not None
    os.close(lock)


def test_looking_whether_a_job_is_held_keeps_nobody_from_taking_it(store):
    made = job()
    store.add(made)
    assert not store.is_held(made.id)
    lock = store.take(made.id, patience=0.0)
    assert lock is not None
    os.close(lock)


def test_the_gate_lets_one_through_at_a_time(store, monkeypatch):
    monkeypatch.setattr("dasflex_core.jobs.store._PATIENCE", 0.1)
    with store.gate(), pytest.raises(BusyError), store.gate():
        pass
    with store.gate():
        pass


def test_a_place_that_cannot_be_written_is_the_administrators_fault(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be written"):
        Jobs(tmp_path / "file" / "jobs").add(job())
    with pytest.raises(ConfigError, match="cannot be written"), Jobs(tmp_path / "file" / "jobs").gate():
        pass


def test_a_disk_that_is_full_is_a_limit(store, monkeypatch):
    def full(*_any):
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr("dasflex_core.jobs.store.replaced", full)
    with pytest.raises(BusyError, match="no room") as caught:
        store.add(job())
    assert caught.value.kind == "busy.limit"
    assert store.active() == []


def test_a_directory_that_is_not_there_has_no_jobs(store):
    assert store.ids() == store.active() == []
    assert store.size() == 0


def test_whose_job_it_is():
    assert job(user="anna", address="192.0.2.1").owner == "user:anna"
    assert replace(job(address="192.0.2.1")).owner == "address:192.0.2.1"
    assert job(user="192.0.2.1").owner != job(address="192.0.2.1").owner

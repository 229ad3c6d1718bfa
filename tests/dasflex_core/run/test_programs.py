# SPDX-License-Identifier: GPL-3.0-or-later
"""The record of a request says by what programs it was answered and how these ended, to the administrator only."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from dasflex_core.errors import SourceError
from dasflex_core.plan.graph import Command, Limits
from dasflex_core.run import Pump, RequestRecord, new_request_id, read_record
from dasflex_core.run.answered import note_answer, read_answer
from dasflex_core.run.fed import FedRun
from dasflex_core.run.records import ProgramRecord, shown_to_clients, write_record


def about(**rest):
    return RequestRecord(id=new_request_id(), **rest)


def test_commands_exit_statuses_and_what_was_read_are_recorded(readers, settings, tmp_path):
    node = readers.node("print('x' * 99)", "import sys; sys.stdout.write(sys.stdin.read()[:50])")
    known = about(user="jane", format="raw", convention="flex", stages=("reader",))
    with Pump((node,), settings(records=str(tmp_path)), known) as pump:
        assert len(b"".join(pump.chunks())) == 50
    record = read_record(known.id, str(tmp_path))
    assert [each.command for each in record.programs] == [*node.command.argvs]
    assert [(each.stage, each.status, each.signal) for each in record.programs] == [("reader", 0, "")] * 2
    assert (record.read, record.bytes, record.user, record.stages) == (50, 50, "jane", ("reader",))
    assert record == pump.record


def test_a_failure_has_the_status_of_its_program(readers, settings, tmp_path):
    pump = Pump((readers.node("import sys; sys.exit(3)"),), settings(records=str(tmp_path)))
    with pump, pytest.raises(SourceError):
        pump.start()
    assert [each.status for each in read_record(pump.record.id, str(tmp_path)).programs] == [3]


def test_a_program_that_was_ended_has_the_signal(readers, settings, tmp_path):
    node = readers.node("import time; print('data', flush=True); time.sleep(60)")
    pump = Pump((node,), settings(records=str(tmp_path)))
    chunks = pump.chunks()
    next(chunks)
    chunks.close()
    [program] = read_record(pump.record.id, str(tmp_path)).programs
    assert (program.status, program.signal) in ((None, "SIGTERM"), (None, "SIGKILL"))


def test_a_limit_is_a_signal_too(readers, settings, tmp_path):
    node = readers.node("import time; time.sleep(60)", limits=Limits(silence=0.3))
    pump = Pump((node,), settings(records=str(tmp_path)))
    with pump, pytest.raises(SourceError):
        pump.start()
    record = read_record(pump.record.id, str(tmp_path))
    assert (record.error_kind, record.programs[0].signal) == ("source.silent", "SIGTERM")


def test_a_run_that_is_fed_tells_the_same(readers, settings, tmp_path):
    run = FedRun((readers.node("print('data')"),), settings(records=str(tmp_path)))
    program = run.program()
    for chunk in program.chunks():
        run.feed(chunk)
    run.end()
    run.close()
    record = read_record(run.record.id, str(tmp_path))
    assert ([each.status for each in record.programs], record.read) == ([0], 5)


def test_secrets_are_in_no_record(readers, settings, tmp_path):
    node = readers.node("print('data')")
    words = (*node.command.argvs[0], "--password", "SECRET1", "--token=SECRET2", "gain=3", "SECRET3", "/x/SECRET3/y")
    node = replace(node, command=Command((words,)))
    known = about(request=(("read.token", "SECRET3"), ("read.opts", "--key=SECRET4"), ("read.gain", "3")))
    with Pump((node,), settings(records=str(tmp_path)), known) as pump:
        list(pump.chunks())
    text = (tmp_path / f"{known.id}.json").read_text()
    assert "SECRET" not in text
    record = read_record(known.id, str(tmp_path))
    assert record.programs[0].command[-6:] == ("--password", "...", "--token=...", "gain=3", "...", "/x/.../y")
    assert record.request == (("read.token", "..."), ("read.opts", "..."), ("read.gain", "3"))


def test_an_error_that_quotes_a_secret_does_not_bring_it_into_the_record(tmp_path):
    known = about(request=(("read.token", "SECRET3"),), error_kind="query.bad-value", error="'SECRET3' is no token")
    write_record(known, str(tmp_path), pytest.fail)
    assert read_record(known.id, str(tmp_path)).error == "'...' is no token"


def test_the_request_behind_an_answer_has_no_secrets(tmp_path):
    note_answer("a" * 16, "x", (("read.token", "SECRET"), ("read.gain", "3")), "flex", str(tmp_path), pytest.fail)
    assert read_answer("a" * 16, str(tmp_path)).pairs == (("read.token", "..."), ("read.gain", "3"))


def test_clients_are_told_neither_commands_nor_users():
    program = ProgramRecord(stage="reader", command=("/secret/program",), status=3)
    told = shown_to_clients(about(user="jane", programs=(program,), stages=("reader",), format="das/2", read=7))
    assert told["read"] == 7
    assert not {"user", "programs", "stages"} & told.keys()
    assert "secret" not in json.dumps(told)


def test_a_record_of_an_older_version_can_be_read(tmp_path):
    known = about(source="a")
    write_record(known, str(tmp_path), pytest.fail)
    path = tmp_path / f"{known.id}.json"
    old = json.loads(path.read_text())
    for name in ("user", "programs", "stages", "convention", "format", "read"):
        del old[name]
    path.write_text(json.dumps(old))
    assert read_record(known.id, str(tmp_path)) == known

# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that is fed gives what the synchronous pump gives, byte for byte, however its input is cut."""

from __future__ import annotations

import json
import sys

import pytest

import dasflex_core
from dasflex_core.errors import SourceError
from dasflex_core.plan.graph import Command, Node
from dasflex_core.run import new_request_id
from dasflex_core.run.fed import FedRun, can_be_fed
from dasflex_core.streamtype import StreamType

FORMS = ({}, {"format_type": "csv"}, {"format_type": "json"}, {"format_type": "das", "format_serial": "text"})
EXAMPLES = ("Examples/Random", "Examples/Spectra", "Examples/Waveform", "Examples/Params")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A root with the examples."""
    from dasflex_core.roots import make_root

    return dasflex_core.open(make_root(tmp_path_factory.mktemp("fed") / "root", "Fed").root)


def whole(plan) -> bytes:
    """What the synchronous pump gives."""
    return b"".join(plan.run())


def written(run: FedRun) -> bytes:
    """What the program at the first place writes."""
    program = run.program()
    try:
        return b"".join(program.chunks())
    finally:
        program.close()


def fed(plan, size: int) -> bytes:
    """What the fed run gives, of pieces of some size."""
    settings = plan.settings(new_request_id())
    with FedRun(plan.solution.nodes, settings, plan.about(new_request_id())) as run:
        source = written(run)
        made = [piece for at in range(0, len(source), size) for piece in run.feed(source[at : at + size])]
        made += run.end()
        assert run.failure is None
        assert run.over
        return b"".join(made)


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("form", FORMS, ids=lambda form: "-".join(form.values()) or "own")
def test_what_is_fed_comes_out_as_from_the_pump(site, name, form):
    plan = site[name].examples[0].ask(**form).plan()
    expected = whole(plan)
    if form.get("format_type") == "json":  # where items end depends on when records come
        assert json.loads(fed(plan, 1000))["complete"]
    else:
        assert fed(plan, 1000) == expected


def test_bytes_may_come_one_by_one(site):
    plan = site["Examples/Params"].examples[0].ask(format_type="csv").plan()
    assert fed(plan, 1) == whole(plan)


def test_a_live_formatter_holds_nothing(site):
    plan = site["Examples/Random"].examples[0].ask(format_type="json").plan()
    with FedRun(plan.solution.nodes, plan.settings(new_request_id()), live=True) as run:
        source = written(run)
        early = b"".join(run.feed(source[: len(source) // 2]))
        assert b'"records":' in early
        assert run.found
        assert run.head
        assert early.startswith(run.head)
        assert b'"columns"' not in run.head


def test_the_head_is_what_stands_before_the_records(site):
    plan = site["Examples/Random"].examples[0].ask(format_type="csv").plan()
    with FedRun(plan.solution.nodes, plan.settings(new_request_id())) as run:
        made = b"".join(run.feed(written(run)))
        assert run.head == made[: made.index(b"\n") + 1]


def test_a_failure_is_told_in_the_stream_and_raised_by_the_next_call(site):
    plan = site["Examples/Random"].examples[0].ask(format_type="das", format_version="3").plan()
    with FedRun(plan.solution.nodes, plan.settings(new_request_id())) as run:
        source = written(run)
        run.feed(source)
        told = b"".join(run.end(SourceError("The tape is torn", kind="source.exit")))
        assert b"The tape is torn" in told
        assert run.over
        assert run.failure.kind == "source.exit"
        assert run.record.error_kind == "source.exit"
        with pytest.raises(SourceError, match="torn"):
            run.feed(source)


def test_a_stage_that_fails_ends_the_run(site):
    plan = site["Examples/Random"].examples[0].ask(format_type="csv").plan()
    with FedRun(plan.solution.nodes, plan.settings(new_request_id())) as run:
        run.feed(b"this is no stream at all")
        assert run.failure is not None
        assert not run.record.complete


def test_the_record_tells_what_was_given(site):
    plan = site["Examples/Random"].examples[0].ask(format_type="csv").plan()
    with FedRun(plan.solution.nodes, plan.settings(new_request_id())) as run:
        made = b"".join([*run.feed(written(run)), *run.end()])
    assert (run.record.bytes, run.record.complete) == (len(made), True)
    assert run.record.records
    assert [each.name for each in run.stats][-1] == "csv"


def node(kind: str, place: int, **named) -> Node:
    """A node that passes das2 on."""
    inputs = (place - 1,) if place else ()
    return Node(f"{kind}{place}", kind, StreamType("das", "2", "binary"), inputs, **named)


def test_what_would_wait_for_its_input_cannot_be_fed():
    command = Command(((sys.executable, "-c", ""),))
    nodes = (node("process", 0, command=command), node("process", 1, command=command))
    assert can_be_fed(nodes[:1])
    assert not can_be_fed(nodes)

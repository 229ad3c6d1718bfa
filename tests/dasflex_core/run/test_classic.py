# SPDX-License-Identifier: GPL-3.0-or-later
"""Classic programs at work between processes and stages: what passes, what is told, what ends."""

from __future__ import annotations

from itertools import pairwise

import pytest

from dasflex_core.arrays import Records
from dasflex_core.errors import ConfigError, QueryError, SourceError
from dasflex_core.plan.classics import Classics
from dasflex_core.plan.graph import Command, Node
from dasflex_core.registry import discover
from dasflex_core.run import Pump
from dasflex_core.streamtype import ARRAYS, StreamType

DAS = StreamType("das")
DAS2 = StreamType("das", "2")
RAW = StreamType("raw")
REGISTRY = discover()
COPYING = "import shutil, sys; shutil.copyfileobj(sys.stdin.buffer, sys.stdout.buffer)"


def writing(*parts, then=""):
    lines = [f"sys.stdout.buffer.write({part!r}); sys.stdout.flush()" for part in parts]
    return "\n".join(["import sys, time", *lines, then])


def classic(*words, before=0, produces=DAS2):
    return Node("reader", "classic", produces, (before,), command=Command((words,)))


@pytest.fixture
def pump(settings):
    """Makes a pump that knows the installed classic programs."""
    return lambda *nodes, **rest: Pump(nodes, settings(classic=Classics(REGISTRY).nodes, **rest))


def taken(run):
    """All bytes, and the error after them."""
    got = []
    with run:
        try:
            got.extend(run.chunks())
        except (SourceError, QueryError) as error:
            return b"".join(got), error
    return b"".join(got), None


def records(stream):
    """The lines of the packets."""
    return [each for each in stream[stream.index(b":01:") :].splitlines() if each.startswith(b":01:")]


def test_what_a_reader_writes_is_averaged(readers, pump, das2):
    got, failure = taken(pump(readers.node(writing(das2.whole(100)), produces=DAS), classic("das2_bin_avgsec", "10")))
    assert failure is None
    assert len(records(got)) == 10


def test_pieces_of_any_size_give_the_same(readers, pump, das2):
    """The beginning of the input may come late, and the declaration in the middle of a chunk."""
    whole = das2.whole(30)
    places = [0, 1, 40, len(das2.header) + 30, len(das2.header) + len(das2.dataset) - 2, len(whole)]
    pieces = [whole[first:last] for first, last in pairwise(places)]
    slow = "\n".join(
        ["import sys, time", *(f"sys.stdout.buffer.write({p!r}); sys.stdout.flush(); time.sleep(0.03)" for p in pieces)]
    )
    ways = [taken(pump(readers.node(text, produces=DAS), classic("das2_ascii"))) for text in (writing(whole), slow)]
    assert ways[0] == ways[1]
    assert len(records(ways[0][0])) == 30


def test_programs_may_stand_between_others(readers, pump, das2):
    nodes = (
        readers.node(writing(das2.whole(100)), produces=DAS),
        classic("das2_bin_avgsec", "10", produces=DAS),
        readers.node(COPYING, produces=DAS, inputs=(1,)),
        classic("das2_bin_avgsec", "50", before=2),
    )
    run = pump(*nodes)
    got, failure = taken(run)
    assert failure is None
    assert len(records(got)) == 2
    assert [each.kind for each in run.stats] == ["process", "classic", "process", "classic"]
    assert all(each.bytes for each in run.stats)


def test_the_generation_of_the_input_decides_which_stages_work(readers, pump, test_data):
    stream = (test_data / "das3" / "das3_csv_unsigned_test.d3b").read_bytes()
    (readers.folder / "given").write_bytes(stream)
    text = f"import sys; sys.stdout.buffer.write(open({str(readers.folder / 'given')!r}, 'rb').read())"
    got, failure = taken(pump(readers.node(text, produces=DAS), classic("das3_text", produces=RAW)))
    assert failure is None
    assert got.startswith(b"|Sx|")


def test_input_that_the_program_does_not_take_is_refused_before_the_first_byte(readers, pump, das2):
    got, failure = taken(pump(readers.node(writing(das2.whole(3)), produces=DAS), classic("das3_text", produces=RAW)))
    assert got == b""
    assert isinstance(failure, QueryError)
    assert "-3 makes das3 of it" in failure.message


def test_a_reader_that_fails_before_any_output_fails_the_answer(readers, pump):
    got, failure = taken(pump(readers.node("raise SystemExit(3)", produces=DAS), classic("das2_bin_avgsec", "10")))
    assert got == b""
    assert failure.kind == "source.exit"


def test_a_reader_that_fails_later_is_told_in_the_stream_once(readers, pump, das2):
    text = writing(das2.whole(3000), then="raise SystemExit(3)")
    for after in ((), (readers.node(COPYING, produces=DAS2, inputs=(2,)),)):
        nodes = (
            readers.node(text, produces=DAS),
            classic("das2_bin_avgsec", "10", produces=DAS),
            classic("das2_ascii", before=1),
            *after,
        )
        got, failure = taken(pump(*nodes))
        assert failure.kind == "source.exit"
        assert got.count(b"<exception") == 1


def test_nothing_in_is_no_data(readers, pump):
    got, failure = taken(pump(readers.node("pass", produces=DAS), classic("das2_bin_avgsec", "10")))
    assert failure is None
    assert b"NoDataInInterval" in got


def test_items_follow_where_a_decoder_does(readers, pump, das2):
    decode = next(each for each in REGISTRY.stages if each.name == "das2-decode")
    nodes = (
        readers.node(writing(das2.whole(100)), produces=DAS),
        classic("das2_bin_avgsec", "10"),
        Node("decode", "stage", ARRAYS, (1,), decode),
    )
    with pump(*nodes) as run:
        items = list(run.items())
    assert sum(len(each) for each in items if isinstance(each, Records)) == 10


def test_whoever_stops_early_leaves_nothing_behind(readers, pump, das2):
    endless = writing(das2.header + das2.dataset, then=f"while True: sys.stdout.buffer.write({das2.records(500)!r})")
    nodes = (
        readers.node(endless, produces=DAS),
        classic("das2_ascii", produces=DAS),
        readers.node(COPYING, produces=DAS, inputs=(1,)),
        classic("das2_ascii", before=2),
    )
    with pump(*nodes) as run:
        assert next(iter(run.chunks()))
    assert readers.gone(within=2)


def test_without_a_registry_there_is_no_such_program(readers, settings, das2):
    nodes = (readers.node(writing(das2.whole(3)), produces=DAS), classic("das2_ascii"))
    with Pump(nodes, settings()) as run, pytest.raises(ConfigError, match="no classic program das2_ascii"):
        list(run.chunks())

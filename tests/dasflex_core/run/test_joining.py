# SPDX-License-Identifier: GPL-3.0-or-later
"""Byte streams one after the other, and plans that no pump runs."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dasflex_core.errors import ConfigError, SourceError
from dasflex_core.plan.graph import Command, Node
from dasflex_core.run import Pump
from dasflex_core.run.joining import concat_frames
from dasflex_core.run.shape import check_shape
from dasflex_core.streamtype import ARRAYS, StreamType
from dasflex_das.das2_framing import Das2Framer

DAS2 = StreamType("das", "2")
RAW = StreamType("raw")


def file(tmp_path, name, data, produces=DAS2):
    path = tmp_path / name
    path.write_bytes(data)
    return Node(name, "file", produces, path=str(path))


def run(*nodes, settings):
    with Pump(nodes, settings) as pump:
        return b"".join(pump.chunks())


def test_two_das2_streams_become_one_with_one_header(tmp_path, settings, das2):
    nodes = (
        file(tmp_path, "a", das2.whole(3)),
        file(tmp_path, "b", das2.whole(2)),
        Node("all", "concat", DAS2, (0, 1)),
    )
    assert run(*nodes, settings=settings()) == das2.header + das2.dataset + das2.records(3) + das2.records(2)


def test_another_layout_under_the_same_id_is_kept(tmp_path, settings, das2):
    other = das2.declaration(1, "other")
    streams = [das2.whole(2), das2.header + other + das2.records(1), das2.whole(1)]
    nodes = tuple(file(tmp_path, f"f{place}", data) for place, data in enumerate(streams))
    joined = run(*nodes, Node("all", "concat", DAS2, (0, 1, 2)), settings=settings())
    assert joined == das2.whole(2) + other + das2.records(1) + das2.dataset + das2.records(1)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=4), st.integers(1, 50))
def test_joining_does_not_depend_on_chunks(counts, size):
    header, body = b'[00]000023<stream version="2.2"/>', b'<packet><x type="time24" units="UTC"/></packet>'
    declared = b"[01]%06d%b" % (len(body), body)
    record = b":01:2020-01-01T00:00:00.000 "
    streams = [header + declared + record * count for count in counts]
    inputs = [
        lambda data=data: iter([data[begin : begin + size] for begin in range(0, len(data), size)]) for data in streams
    ]
    assert b"".join(concat_frames(inputs, Das2Framer)) == header + declared + record * sum(counts)


def test_empty_streams_add_nothing(tmp_path, settings, das2):
    nodes = (file(tmp_path, "a", b""), file(tmp_path, "b", das2.whole(2)), Node("all", "concat", DAS2, (0, 1)))
    assert run(*nodes, settings=settings()) == das2.whole(2)


def test_a_block_and_a_reader_for_the_rest(tmp_path, settings, das2, readers):
    text = f"import sys; sys.stdout.buffer.write({das2.whole(5)!r})"
    nodes = (
        file(tmp_path, "block", das2.whole(3)),
        readers.node(text, produces=DAS2),
        Node("all", "concat", DAS2, (0, 1)),
    )
    assert run(*nodes, settings=settings()) == das2.whole(3) + das2.records(5)


def test_a_block_that_ends_inside_a_packet_is_an_error(tmp_path, settings, das2):
    nodes = (
        file(tmp_path, "a", das2.whole(3)[:-1]),
        file(tmp_path, "b", das2.whole(2)),
        Node("all", "concat", DAS2, (0, 1)),
    )
    with pytest.raises(SourceError) as caught:
        run(*nodes, settings=settings())
    assert caught.value.kind == "source.truncated"


def test_streams_without_headers_are_joined_as_they_are_and_others_refused(tmp_path, settings):
    nodes = (file(tmp_path, "a", b"1", RAW), file(tmp_path, "b", b"2", RAW), Node("all", "concat", RAW, (0, 1)))
    assert run(*nodes, settings=settings(headerless=(RAW,))) == b"12"
    with pytest.raises(ConfigError, match="cannot be joined"):
        run(*nodes, settings=settings())


def node(kind="process", *inputs, produces=RAW, **rest):
    return Node("node", kind, produces, inputs, command=Command((("true",),)), **rest)


@pytest.mark.parametrize(("nodes", "text"), [
    ((), "at least one"),
    ((node(), node("process", 0), node("process", 0), node("merge", 1, 2)), "diamond"),
    ((node(), node("concat", 0, 0)), "diamond"),
    ((node(), node()), "nothing reads"),
    ((node("process", 0),), "before it"),
    ((node("process", 1), node()), "before it"),
    ((node(), node("file", 0)), "1 inputs"),
    ((node("tee"),), "0 inputs"),
])  # fmt: skip
def test_what_is_no_plan_is_refused(nodes, text):
    with pytest.raises(ConfigError, match=text):
        check_shape(nodes)


@pytest.mark.parametrize("nodes", [
    (Node("p", "process", RAW),),
    (node(), Node("tee", "tee", RAW, (0,))),
    (node(), Node("s", "stage", ARRAYS, (0,))),
    (node(), Node("m", "merge", ARRAYS, (0,))),
    (node(), Node("s", "spool", RAW, (0,))),
])  # fmt: skip
def test_a_node_without_what_its_kind_needs_is_refused(nodes, settings):
    with Pump(nodes, settings()) as pump, pytest.raises(ConfigError):
        pump.start()

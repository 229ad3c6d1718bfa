# SPDX-License-Identifier: GPL-3.0-or-later
"""Pauses are filled between packets and nowhere else, late answers begin without data, and headers are completed."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dasflex_core.arrays import Comment, Dataset, Dimension, Records, StreamHeader, Variable
from dasflex_core.errors import SourceError
from dasflex_core.plan.graph import Node
from dasflex_core.run import Pump, PumpSettings, outlet
from dasflex_core.run.outlet import Outlet
from dasflex_core.stages import StageSpec
from dasflex_core.streamtype import ARRAYS, StreamType, StreamTypeInfo
from dasflex_das.das2_framing import Das2Framer
from dasflex_das.das2_messages import early_header, problem_packet
from dasflex_das.das3_framing import Das3Framer
from dasflex_das.das3_messages import early_header as early_header3

DAS2, DAS3, RAW = StreamType("das", "2"), StreamType("das", "3"), StreamType("raw")
FRAMERS = {"2": Das2Framer, "3": Das3Framer}
COMMENT = re.compile(rb'\[xx\]\d{6}<comment type="log:fine" source="dasflex" value="The source is at work[^"]*" />\n')
COMMENT3 = re.compile(
    rb'\|Cx\|\|\d+\|\n<comment type="log:fine" source="dasflex">The source is at work[^<]*</comment>\n'
)
SPAN = (("read.time.min", "2020-01-01"), ("read.time.max", "2020-01-02"))


def info(produced):
    if produced.kind != "das":
        return None
    module = f"dasflex_das.das{produced.version}_messages"
    return StreamTypeInfo(
        produced,
        "",
        "",
        "d2s",
        problem=f"{module}:problem_packet",
        comment=f"{module}:comment_packet",
        header=f"{module}:early_header",
        amend="dasflex_das.das2_amending:amended" if produced.version == "2" else "",
        failure=f"{module}:error_document",
    )


def rules(pulse=0.1, first_byte=0.0, **rest):
    return PumpSettings(
        framer=lambda produced: FRAMERS[produced.version]() if produced.kind == "das" else None,
        info=info,
        pulse=pulse,
        first_byte=first_byte,
        **rest,
    )


def program(*parts):
    """A reader that writes bytes, sleeps for seconds, and waits for files."""

    def act(part):
        if isinstance(part, Path):
            return f"while not os.path.exists({str(part)!r}): time.sleep(0.01)"
        return f"time.sleep({part})" if isinstance(part, float) else f"w({part!r})"

    begin = ["import os, sys, time", "def w(b): sys.stdout.buffer.write(b); sys.stdout.flush()"]
    return "\n".join([*begin, *map(act, parts)])


def everything(nodes, settings):
    with Pump(nodes, settings) as pump:
        return b"".join(pump.chunks())


def taken(pump):
    got = []
    try:
        got.extend(pump.chunks())
    except SourceError as error:
        return b"".join(got), error
    return b"".join(got), None


def test_a_pause_between_packets_is_filled_with_comments(readers, das2):
    begin, end = das2.whole(3), das2.records(2)
    got = everything((readers.node(program(begin, 0.5, end), produces=DAS2),), rules())
    assert got.startswith(begin)
    assert got.endswith(end)
    assert COMMENT.sub(b"", got) == begin + end
    assert 2 <= len(COMMENT.findall(got)) <= 5


def test_a_pause_inside_a_packet_stays_empty(readers, das2):
    stream = das2.whole(3)
    assert everything((readers.node(program(stream[:-5], 0.4, stream[-5:]), produces=DAS2),), rules()) == stream


def test_a_pause_after_the_last_packet_is_filled_while_the_reader_works_on(readers, das2):
    text = program(das2.whole(2)) + "\nimport os; os.close(1); time.sleep(0.4)"
    got = everything((readers.node(text, produces=DAS2),), rules())
    assert COMMENT.sub(b"", got) == das2.whole(2)
    assert COMMENT.search(got)


def test_a_consumer_that_takes_its_time_gets_no_comments(readers, das2):
    with Pump((readers.node(program(das2.whole(3)), produces=DAS2),), rules(pulse=0.1)) as pump:
        chunks = pump.chunks()
        got = next(chunks)
        time.sleep(0.4)
        assert got + b"".join(chunks) == das2.whole(3)


def test_without_a_period_nothing_is_added(readers, das2):
    text = program(0.2, das2.whole(1), 0.2)
    assert everything((readers.node(text, produces=DAS2),), rules(pulse=0.0)) == das2.whole(1)


def test_a_format_without_comments_is_left_alone(readers):
    with Pump((readers.node(program(0.5, b"data")),), rules(pulse=0.05, first_byte=0.05)) as pump:
        assert not pump.start(patience=0.3)
        assert b"".join(pump.chunks()) == b"data"


def test_an_answer_whose_data_are_late_begins_without_them(readers, das2, tmp_path):
    gate = tmp_path / "gate"
    text = program(gate, das2.whole(2))
    with Pump((readers.node(text, produces=DAS2),), rules(pulse=10.0, first_byte=0.1)) as pump:
        assert pump.start(patience=10)  # the rest of the data cannot have come
        gate.touch()
        chunks = pump.chunks()
        assert COMMENT.sub(b"", next(chunks)) == early_header() == b'[00]000025<stream version="2.2" />\n'
        assert b"".join(chunks) == das2.whole(2)[len(das2.header) :]
    assert pump.record.complete


def test_a_header_that_says_something_is_passed_on_behind_the_early_one(readers, das2):
    body = b'<stream version="2.2"><properties title="t"/></stream>'
    stream = b"[00]%06d%b" % (len(body), body) + das2.dataset + das2.records(2)
    got = everything((readers.node(program(0.3, stream), produces=DAS2),), rules(pulse=10.0, first_byte=0.1))
    assert COMMENT.sub(b"", got) == early_header() + stream


@pytest.fixture
def late_behind(monkeypatch):
    """Lets the time after which data are late be over when so many bytes have passed, and no earlier."""

    def late(pump: Pump, size: int) -> None:
        def clock() -> float:
            return 1000.0 if sum(map(len, pump._outlet._ends._pieces)) >= size else 0.0

        monkeypatch.setattr(outlet, "monotonic", clock)

    return late


def test_a_header_without_data_is_handed_over_when_data_are_late(readers, das2, tmp_path, late_behind):
    gate = tmp_path / "gate"
    text = program(das2.header, gate, das2.dataset + das2.records(1))
    with Pump((readers.node(text, produces=DAS2),), rules(pulse=2000.0, first_byte=100.0)) as pump:
        late_behind(pump, len(das2.header))
        assert pump.start(patience=10)  # the rest of the data cannot have come
        gate.touch()
        assert COMMENT.sub(b"", b"".join(pump.chunks())) == das2.whole(1)


def test_in_the_place_of_half_a_header_the_early_one_stands_when_data_are_late(readers, das2, tmp_path):
    gate = tmp_path / "gate"
    whole = das2.whole(1)
    text = program(whole[:7], gate, whole[7:])
    with Pump((readers.node(text, produces=DAS2),), rules(pulse=0.1, first_byte=0.1)) as pump:
        assert pump.start(patience=10)  # the rest of the data cannot have come
        gate.touch()
        assert COMMENT.sub(b"", b"".join(pump.chunks())) == early_header() + whole[len(das2.header) :]


def test_half_a_packet_is_handed_over_without_a_comment_when_data_are_late(readers, das2, tmp_path, late_behind):
    gate = tmp_path / "gate"
    whole = das2.whole(1)
    text = program(whole[:-7], gate, whole[-7:])
    with Pump((readers.node(text, produces=DAS2),), rules(pulse=0.1, first_byte=100.0)) as pump:
        late_behind(pump, len(whole) - 7)
        assert pump.start(patience=10)  # the rest of the data cannot have come
        gate.touch()
        assert b"".join(pump.chunks()) == whole


def test_a_reader_that_fails_after_the_early_header_is_told_in_the_stream(readers):
    text = program(0.4) + "\nsys.exit(3)"
    with Pump((readers.node(text, produces=DAS2),), rules(pulse=10.0, first_byte=0.1)) as pump:
        assert pump.start(patience=10)
        got, error = taken(pump)
    assert error.kind == "source.exit"
    assert COMMENT.sub(b"", got) == early_header() + problem_packet(error.kind, error.message)
    assert not pump.record.complete


def test_a_reader_that_fails_early_still_fails_before_any_byte(readers):
    text = program(0.1) + "\nsys.exit(3)"
    with Pump((readers.node(text, produces=DAS2),), rules(first_byte=5.0)) as pump, pytest.raises(SourceError):
        pump.start(patience=10)


def test_a_das3_stream_begins_early_pauses_and_fails_in_the_same_way(readers):
    stream = b'|Sx||38|<stream type="t" version="3.0" lang="en"/>|Hx|1|9|<dataset>|Pd|1|3|abc'
    stream = stream.replace(b"|38|", b"|%d|" % len(b'<stream type="t" version="3.0" lang="en"/>'))
    text = program(0.3, stream, 0.3) + "\nsys.exit(3)"
    with Pump((readers.node(text, produces=DAS3),), rules(first_byte=0.1)) as pump:
        assert pump.start(patience=10)
        got, error = taken(pump)
    assert error.kind == "source.exit"
    assert len(COMMENT3.findall(got)) >= 3
    plain = COMMENT3.sub(b"", got)
    assert plain.startswith(early_header3() + b"|Hx|1|9|<dataset>|Pd|1|3|abc|Ex||")


def test_remarks_stand_behind_the_first_header_of_the_reader_even_when_one_came_early(readers, das2):
    settings = rules(pulse=10.0, first_byte=0.1, remarks=("told",))
    got = COMMENT.sub(b"", everything((readers.node(program(0.3, das2.whole(1)), produces=DAS2),), settings))
    rest = got.removeprefix(early_header())
    assert rest.startswith(b"[xx]")
    assert b'value="told"' in rest[:80]
    assert rest.endswith(das2.dataset + das2.records(1))


# -- where packets end: any cut of a stream


NOTHING = b'<exception type="NoDataInInterval" message="nothing there" />'


@pytest.mark.parametrize("early", [0.0, 0.5])
def test_a_stream_in_which_nothing_was_found_says_so_and_that_is_counted(readers, das2, early):
    headers = das2.header + das2.dataset
    for wrote, begins in ((b"", b'[00]000025<stream version="2.2" />'), (headers, das2.header)):
        nodes = (readers.node(program(wrote, 3 * early), produces=DAS2),)
        with Pump(nodes, rules(0, early, absence="nothing there")) as pump:
            whole = b"".join(pump.chunks())
        assert whole.startswith(begins)
        assert whole.count(NOTHING) == 1
        assert pump.record.bytes == len(whole)
        assert pump.record.complete


def test_a_stream_says_nothing_of_the_kind_where_it_has_data_or_says_it_itself_or_cannot(readers, das2):
    told = das2.header + das2.dataset + problem_packet("NoMatchingData", "not today")
    for data in (das2.whole(5), told):
        assert everything((readers.node(program(data), produces=DAS2),), rules(0, absence="nothing there")) == data
    raw = (readers.node(program(b"")),)
    assert everything(raw, rules(0, absence="nothing there")) == b""
    assert everything((readers.node(program(b""), produces=DAS2),), rules(0)) == b""


def cut(data, places):
    edges = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [data[begin:end] for begin, end in pairwise(edges)]


def signed(chunks):
    """The chunks with a sign of silence before and behind each."""
    yield b""
    for chunk in chunks:
        yield from (chunk, b"")


@pytest.mark.parametrize("produced", [DAS2, DAS3], ids=str)
@given(st.lists(st.integers(0, 10_000), max_size=12), st.integers(0, 30), st.booleans(), st.booleans())
def test_comments_never_break_a_packet_wherever_silence_falls(produced, places, count, early, amend):
    if produced is DAS2:
        header, body = b'[00]000023<stream version="2.2"/>', b'<packet><x type="time20"/><y type="ascii12"/></packet>'
        packets = b"".join(b":01:2020-01-01T00:01:%02dZ%11.4e\n" % (each, each) for each in range(count))
        stream = header + b"[01]%06d%b" % (len(body), body) + packets
    else:
        packets = b"".join(b"|Pd|1|%d|" % (each % 7) + b"|Pd|1|4|"[: each % 7] for each in range(count))
        stream = b"|Sx||8|<stream/|Hx|1|9|<dataset>".replace(b"8|<stream/", b"9|<stream/>") + packets
    settings = rules(pulse=1e-9, first_byte=1e-9 if early else 0.0, amend=SPAN if amend else ())
    got = b"".join(Outlet(produced, settings).watch(signed(cut(stream, places))))
    create = FRAMERS[produced.version]
    told = {
        each: [frame for frame in create().feed(each) if frame.kind in ("data", "dataset")] for each in (stream, got)
    }
    assert told[got] == told[stream]
    framer = create()
    assert list(framer.feed(got))
    assert not list(framer.finish())
    if early or count > 1:
        assert b"comment" in got


# -- completed headers


def test_a_passed_through_header_says_the_range_of_the_request(readers, das2):
    settings = rules(amend=(*SPAN, ("bin.time.max", "60")))
    got = everything((readers.node(program(das2.whole(5)), produces=DAS2),), settings)
    header = (
        b'<stream version="2.2"><properties DatumRange:xCacheRange="2020-01-01 to 2020-01-02 UTC"'
        b' Datum:xCacheResolution="60 s" /></stream>'
    )
    assert got == b"[00]%06d%b" % (len(header), header) + das2.whole(5)[len(das2.header) :]


def test_an_early_header_says_the_range_and_the_plain_one_that_follows_is_left_out(readers, das2):
    settings = rules(pulse=10.0, first_byte=0.1, amend=SPAN)
    got = COMMENT.sub(b"", everything((readers.node(program(0.3, das2.whole(1)), produces=DAS2),), settings))
    assert got.count(b"[00]") == got.count(b"xCacheRange") == 1
    assert got.endswith(das2.whole(1)[len(das2.header) :])


# -- silence passes by the stages


class Silent:
    """A stage that gives its items at the end, and fails where it is fed a sign."""

    def __init__(self):
        self.kept = []

    def feed(self, item):
        assert not isinstance(item, Comment)
        assert item != b""
        self.kept.append(item)
        return ()

    def finish(self):
        return self.kept


class Slow:
    """A producer that takes its time before each record."""

    def items(self, _cancelled):
        variable = Variable("t", "center", "real", "us2000", (-1,), np.dtype(np.float64))
        dataset = Dataset(1, "d", (-1,), (Dimension("time", "time", True, (variable,)),), ("t",))
        yield StreamHeader()
        yield dataset
        for each in range(3):
            time.sleep(0.15)
            yield Records(dataset, {"t": np.array([float(each)])})


class Keeping:
    """A spool that fails where it is fed a sign."""

    def __init__(self, scratch):
        self.path = scratch / "file"

    def feed(self, item):
        assert not isinstance(item, Comment)

    def finish(self):
        self.path.write_bytes(b"spooled")
        return self.path


def made(name, accepts, produces, *inputs, factory="", protocol="stage"):
    return Node(name, protocol, produces, inputs, StageSpec(name, name, accepts, produces, factory=factory))


DECODE = "dasflex_das.das2_decoder:Das2Decoder"
ENCODE = "dasflex_das.das2_encoder:Das2BinaryEncoder"


def data_of(stream):
    return [frame.data for frame in Das2Framer().feed(stream) if frame.kind == "data"]


def test_a_slow_reader_behind_a_decoder_and_an_encoder_leaves_no_pause(readers, das2):
    nodes = (
        readers.node(program(das2.whole(2), 0.4, das2.records(1)), produces=DAS2),
        made("d", DAS2, ARRAYS, 0, factory=DECODE),
        made("e", ARRAYS, DAS2, 1, factory=ENCODE),
    )
    got = everything(nodes, rules())
    assert COMMENT.search(got)
    assert len(data_of(got)) == len(data_of(COMMENT.sub(b"", got))) == 3


@pytest.mark.parametrize("place", ["bytes", "items"])
def test_stages_that_hold_all_back_while_the_reader_writes_leave_no_pause(readers, das2, place):
    held = made("s", DAS2 if place == "bytes" else ARRAYS, DAS2 if place == "bytes" else ARRAYS, factory=f"{__name__}:Silent")  # fmt: skip
    steps = [("d", DAS2, ARRAYS, DECODE), ("e", ARRAYS, DAS2, ENCODE)]
    stages = [made(name, accepts, produces, factory=factory) for name, accepts, produces, factory in steps]
    stages.insert(0 if place == "bytes" else 1, held)
    nodes = (
        readers.node(program(das2.whole(1), *(each for _time in range(8) for each in (0.05, das2.records(1)))), produces=DAS2),
        *(replace(each, inputs=(at,)) for at, each in enumerate(stages)),
    )  # fmt: skip
    with Pump(nodes, rules(pulse=0.1, first_byte=0.1)) as pump:
        assert pump.start(patience=10)
        got = b"".join(pump.chunks())
    assert len(COMMENT.findall(got)) >= 2
    assert len(data_of(got)) == 9


def test_a_slow_producer_leaves_no_pause():
    nodes = (
        made("p", None, ARRAYS, factory=f"{__name__}:Slow", protocol="producer"),
        made("e", ARRAYS, DAS2, 0, factory=ENCODE),
    )
    got = everything(nodes, rules(pulse=0.05))
    assert COMMENT.search(got)
    assert len(data_of(got)) == 3


def test_whoever_takes_items_sees_no_signs():
    nodes = (made("p", None, ARRAYS, factory=f"{__name__}:Slow", protocol="producer"),)
    with Pump(nodes, rules(pulse=0.02)) as pump:
        assert [type(item) for item in pump.items()] == [StreamHeader, Dataset, Records, Records, Records]


def test_a_merge_passes_signs_on_and_waits_for_the_header_of_its_first_input():
    slow = made("p", None, ARRAYS, factory=f"{__name__}:Slow", protocol="producer")
    nodes = (slow, slow, Node("m", "merge", ARRAYS, (0, 1)), made("e", ARRAYS, DAS2, 2, factory=ENCODE))
    got = everything(nodes, rules(pulse=0.05))
    assert COMMENT.search(got)
    assert len(data_of(got)) == 6


def test_a_spool_is_fed_no_signs():
    nodes = (
        made("p", None, ARRAYS, factory=f"{__name__}:Slow", protocol="producer"),
        made("s", ARRAYS, RAW, 0, factory=f"{__name__}:Keeping", protocol="spool"),
    )
    assert everything(nodes, rules(pulse=0.02)) == b"spooled"


def test_a_program_in_the_middle_is_fed_no_signs(readers, das2):
    nodes = (
        readers.node(program(das2.whole(1), 0.3, das2.records(1)), produces=DAS2),
        readers.node("import sys\nfor b in iter(lambda: sys.stdin.buffer.read1(), b''): sys.stdout.buffer.write(b); sys.stdout.flush()", produces=DAS2, inputs=(0,)),
    )  # fmt: skip
    got = everything(nodes, rules())
    assert COMMENT.search(got)
    assert COMMENT.sub(b"", got) == das2.whole(1) + das2.records(1)

# SPDX-License-Identifier: GPL-3.0-or-later
"""A reader's packets are one stream, however often it was started and however its bytes are split."""

from __future__ import annotations

from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
import trio
import trio.testing
from hypothesis import given, settings
from hypothesis import strategies as st

from dasflex_core.catalog.model import Live
from dasflex_core.errors import BusyError, SourceError
from dasflex_core.streamtype import StreamType
from dasflex_das.das3_framing import Das3Framer
from dasflex_das.plugin import STREAM_TYPES
from dasflex_ws.reading import LINGER, Reading, Rules, rules_of
from dasflex_ws.ring import CATCH_UP, KEEP
from dasflex_ws.wording import Words

DAS3 = next(each for each in STREAM_TYPES if each.type == StreamType("das", "3", "binary"))


def packet(tag, number, body):
    return b"|%b|%b|%d|%b" % (tag.encode(), str(number).encode() if number else b"", len(body), body)


SX, HX, PD, CX, EX = (packet(tag, number, body) for tag, number, body in (("Sx", 0, b"\n<stream version='3.0'/>"), ("Hx", 1, b"<d/>"), ("Pd", 1, b"data"), ("Cx", 0, b"<comment/>"), ("Ex", 0, b"<exception/>")))  # fmt: skip


class Script:
    """Readers that write what they are told, one after the other, in pieces; the last never ends."""

    def __init__(self, *runs):
        self.runs = list(runs)
        self.again = []
        self.closed = 0

    @asynccontextmanager
    async def open(self, again):
        self.again.append(again)
        self.pieces = list(self.runs.pop(0)) if self.runs else [None]
        try:
            yield self
        finally:
            self.closed += 1

    async def take(self):
        await trio.lowlevel.checkpoint()
        piece = self.pieces.pop(0) if self.pieces else b""
        if piece is None:
            await trio.sleep_forever()
        if isinstance(piece, Exception):
            raise piece
        return [piece] if piece else None


def read(script, condition, **rules):
    """The reading of a script, run until a condition of it is true."""
    reading = Reading("Lab/X", script.open, Das3Framer, Words(DAS3), Rules(pause=0.001, **rules))

    async def run():
        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:
                reading.enter()
                nursery.start_soon(reading.run)
                while not condition(reading):
                    await reading.news()
                nursery.cancel_scope.cancel()

    trio.run(run)
    return reading


def kept(reading):
    return [entry.data for entry in reading.ring.after(0, 1 << 30)]


CHANGED = packet("Hx", 1, b"<other/>")
RUNS = st.lists(st.lists(st.sampled_from([HX, CHANGED, PD, CX, EX]), max_size=6), min_size=1, max_size=4)


@given(RUNS, st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_what_several_runs_write_is_one_stream_however_it_is_split(runs, size):
    last = packet("Pd", 9, b"last")
    written = [SX + b"".join(run) for run in runs]
    written[-1] += last
    script = Script(*([data[at : at + size] for at in range(0, len(data), size)] for data in written))
    reading = read(script, lambda each: last in kept(each))
    expected, declared = [SX], None
    for run in [*runs[:-1], [*runs[-1], last]]:
        for each in run:
            if each in (HX, CHANGED) and each == declared:
                continue
            if each != EX:
                expected.append(each)
            declared = each if each in (HX, CHANGED) else declared
    told = [each for each in kept(reading) if b"is started again" not in each]
    assert told == expected
    assert len(kept(reading)) - len(told) in (len(runs) - 1, len(runs))
    assert script.again[: len(runs)] == [False] + [True] * (len(runs) - 1)


def test_what_is_no_packet_is_a_reader_that_failed():
    script = Script([SX + HX + PD, b"garbage that goes on and on"], [SX + HX + packet("Pd", 1, b"more"), None])
    reading = read(script, lambda each: packet("Pd", 1, b"more") in kept(each))
    assert script.closed == 2
    assert b"starts no das3 packet" in kept(reading)[3]


def test_a_failure_that_the_reader_tells_is_told_as_a_comment_when_it_has_ended():
    problem = packet("Ex", 0, b"<exception type='x'>The &amp;\n antenna is off</exception>")
    reading = read(Script([SX + HX + PD + problem]), lambda each: len(each.ring) > 3)
    assert b"The reader says: The &amp; antenna is off. It is started again" in kept(reading)[3]
    assert kept(reading)[3].startswith(b"|Cx|")


def test_a_stream_that_ends_inside_a_packet_is_told_so():
    reading = read(Script([SX + HX + PD + PD[:-1]]), lambda each: len(each.ring) > 3)
    assert b"ends inside the packet" in kept(reading)[3]


def test_a_header_that_the_pump_wrote_for_a_late_reader_gives_way_to_the_readers_own():
    early, title = Words(DAS3).header(), packet("Sx", 0, b'<stream version="3.0"><properties/></stream>')
    reading = read(Script([early + CX, title + HX + PD, None]), lambda each: each.found)
    assert kept(reading) == [early, CX, title, HX, PD]
    assert [entry.data for entry in reading.ring.heads(reading.ring.next)] == [title, HX]


def test_what_is_said_before_the_reader_has_a_header_comes_behind_one_that_is_made():
    failure = SourceError("It is off", kind="source.exit")
    reading = read(Script([failure], [SX + HX + PD, None]), lambda each: each.found)
    made, told = kept(reading)[:2]
    assert made == Words(DAS3).header()
    assert b"It is off. It is started again" in told
    assert kept(reading)[-2:] == [HX, PD]


def test_whoever_waits_for_the_first_data_is_told_of_the_failure():
    reading = Reading("Lab/X", Script([SourceError("off")]).open, Das3Framer, Words(DAS3), Rules(pause=60))

    async def run():
        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:
                reading.enter()
                nursery.start_soon(reading.run)
                with pytest.raises(SourceError, match="off"):
                    await reading.ready()
                reading.leave()
                await reading.ended.wait()  # nobody watches, and nothing ever came: it is not started again
                with pytest.raises(SourceError, match="off"):
                    await reading.ready()

    trio.run(run)
    assert reading.starts == 1


def test_whoever_waits_when_the_server_stops_is_told_so():
    reading = Reading("Lab/X", Script([None]).open, Das3Framer, Words(DAS3), Rules())

    async def run():
        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:
                reading.enter()
                nursery.start_soon(reading.run)
                nursery.start_soon(waits)
                await trio.testing.wait_all_tasks_blocked()
                reading.stop()

    async def waits():
        with pytest.raises(BusyError):
            await reading.ready()

    trio.run(run)


def test_pauses_grow_while_the_reader_keeps_ending():
    clock = trio.testing.MockClock(autojump_threshold=0)
    times = []
    script = Script(*[[SX + HX + PD] for _each in range(9)])

    @asynccontextmanager
    async def open_(again):
        times.append(trio.current_time())
        async with script.open(again) as supply:
            yield supply

    reading = Reading("Lab/X", open_, Das3Framer, Words(DAS3), Rules())

    async def run():
        async with trio.open_nursery() as nursery:
            reading.enter()
            nursery.start_soon(reading.run)
            await trio.sleep(250)
            nursery.cancel_scope.cancel()

    trio.run(run, clock=clock)
    assert [round(later - one) for one, later in pairwise(times)][:7] == [1, 2, 4, 8, 16, 32, 60]


def test_the_linger_begins_anew_with_each_who_leaves():
    clock = trio.testing.MockClock(autojump_threshold=0)
    reading = Reading("Lab/X", Script([SX + HX + PD, None]).open, Das3Framer, Words(DAS3), Rules(linger=10))
    ends = []

    async def run():
        async with trio.open_nursery() as nursery:
            reading.enter()
            nursery.start_soon(reading.run)
            await reading.ready()
            begun = trio.current_time()
            reading.leave()
            await trio.sleep(9)
            reading.enter()
            await trio.sleep(50)
            reading.leave()
            await trio.sleep(9)
            assert not reading.over
            await reading.ended.wait()
            ends.append(trio.current_time() - begun)

    trio.run(run, clock=clock)
    assert ends == [pytest.approx(69)]


def test_the_rules_of_a_definition_that_says_nothing():
    assert rules_of(Live()) == Rules(linger=LINGER, catch_up=CATCH_UP, keep=KEEP, drop=True)
    said = Live(linger=0.0, catch_up=0.0, keep=0, slow="disconnect", single=True, watchers=3)
    assert rules_of(said) == Rules(linger=0, catch_up=10, keep=1 << 20, drop=False, single=True, watchers=3)

# SPDX-License-Identifier: GPL-3.0-or-later
"""All who watch a branch see the same messages, whenever they come: declarations, what they asked of the past, the rest."""

from __future__ import annotations

import pytest
import trio
import trio.testing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dasflex_core.errors import BusyError, SourceError
from dasflex_core.streamtype import StreamType
from dasflex_das.das3_framing import Das3Framer
from dasflex_das.plugin import STREAM_TYPES
from dasflex_ws.branch import Branch
from dasflex_ws.grouping import Group, PassedOn, Worked, frame_of, grouped
from dasflex_ws.messages import LONGEST
from dasflex_ws.reading import Reading, Rules
from dasflex_ws.wording import Words

DAS3 = next(each for each in STREAM_TYPES if each.type == StreamType("das", "3", "binary"))


def packet(tag, number, body):
    return b"|%b|%b|%d|%b" % (tag.encode(), str(number).encode() if number else b"", len(body), body)


def record(number):
    return packet("Pd", 1, b"%06d" % number)


class Source(Reading):
    """A reading whose packets are put in by the test."""

    def __init__(self, **rules):
        super().__init__("Lab/X", None, Das3Framer, Words(DAS3), Rules(**rules))
        self.clock = 1_000

    def put(self, kind, number, data):
        self.clock += 1
        self.ring.push(kind, number, data, self.clock)
        self._tell_all()

    def begin(self):
        self.put("header", 0, packet("Sx", 0, b"<stream/>"))
        self.put("dataset", 1, packet("Hx", 1, b"<a/>"))

    def records(self, first, last):
        for number in range(first, last):
            self.put("data", 1, record(number))

    def finish(self):
        self.over = True
        self._tell_all()


def branch_of(source, behind=None, begin=0):
    return Branch(source, (), begin, behind or PassedOn(), Words(DAS3))


def seen(stream, channel):
    """The packets that a channel was given."""
    return stream.packets(channel.payload)


def run(work):
    """Runs a test's work, on a clock that does not wait."""
    trio.run(work, clock=trio.testing.MockClock(autojump_threshold=0.001))


STEPS = st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["join", "past", "declare", "none"])), min_size=1, max_size=12)  # fmt: skip


@given(steps=STEPS, turns=st.integers(0, 3))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whoever_joins_whenever_sees_all_that_comes_from_there_once(steps, turns, recorder, stream):
    source, joined = Source(), []

    class Slow(recorder):
        async def send(self, frame):
            for _turn in range(turns):
                await trio.lowlevel.checkpoint()
            await super().send(frame)

    async def work():
        branch, count = branch_of(source), 0
        source.begin()
        async with trio.open_nursery() as nursery:
            branch.enter(0)  # somebody is always there
            nursery.start_soon(branch.run)
            for more, what in steps:
                source.records(count, count + more)
                count += more
                if what == "declare":
                    source.put("dataset", 1, packet("Hx", 1, b"<at%d/>" % count))
                elif what != "none":
                    await trio.sleep(0.1)  # a message gathers what comes within 20 ms
                    channel, since = Slow(), source.clock + 1 if what == "join" else 0
                    joined.append((channel, count if what == "join" else 0))
                    nursery.start_soon(branch.show, branch.enter(since), channel)
                if more % 2:
                    await trio.testing.wait_all_tasks_blocked()
            source.records(count, count + 1)
            source.finish()
            await branch.over.wait()
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        for channel, first in joined:
            found = seen(stream, channel)
            assert [int(body) for tag, _id, body in found if tag == "Pd"] == list(range(first, count + 1))
            assert found[0][0] == "Sx"
            in_force = declared(source)
            now = None
            for tag, _id, body in found:
                now = body if tag == "Hx" else now
                assert tag != "Pd" or now == in_force[int(body)]

    run(work)


def declared(source):
    """The declaration that was in force at each record."""
    found, now = {}, None
    for entry in source.ring.after(0, 1 << 30):
        if entry.kind == "dataset":
            now = entry.data.split(b"|", 4)[4]
        elif entry.kind == "data":
            found[int(entry.data[-6:])] = now
    return found


async def behind_the(branch, nursery, channel, since=0):
    """A watcher in the background."""
    watcher = branch.enter(since)
    nursery.start_soon(branch.show, watcher, channel)
    return watcher


def test_one_who_is_too_slow_to_catch_up_is_told_so_and_gets_what_was_declared_meanwhile(recorder, stream):
    source = Source(keep=2_000)

    class Stuck(recorder):
        free = None

        async def send(self, frame):
            await super().send(frame)
            if len(self.frames) == 4 and not self.free:
                self.free = trio.Event()
                await self.free.wait()

    channel, other = Stuck(), recorder()

    async def work():
        branch = branch_of(source)
        source.seats = 2
        source.begin()
        async with trio.open_nursery() as nursery:
            await behind_the(branch, nursery, other)
            nursery.start_soon(branch.run)
            for number in range(3):
                source.records(number, number + 1)
                await trio.sleep(0.1)
            await behind_the(branch, nursery, channel)
            await trio.sleep(0.1)
            for number in range(3, 43):
                if number == 20:
                    source.put("dataset", 1, packet("Hx", 1, b"<b/>"))
                source.records(number, number + 1)
                await trio.sleep(0.1)
            channel.free.set()
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()

    run(work)
    tags = [tag for tag, _id, _body in seen(stream, channel)]
    gap = tags.index("Cx")
    assert tags[:2] == ["Sx", "Hx"]
    assert tags[gap - 1] == "Hx"
    numbers = [int(body) for tag, _id, body in seen(stream, channel) if tag == "Pd"]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == 42
    assert len(numbers) < 43
    assert b"Some data are missing here" in channel.payload
    assert [int(body) for tag, _id, body in seen(stream, other) if tag == "Pd"] == list(range(43))


def test_where_the_slow_are_not_kept_one_who_cannot_catch_up_is_sent_away(recorder):
    source = Source(keep=600, drop=False)

    class Stuck(recorder):
        async def send(self, frame):
            await trio.sleep(5)
            await super().send(frame)

    async def work():
        branch = branch_of(source)
        source.seats = 2
        source.begin()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(branch.run)
            branch.enter(0)
            source.records(0, 1)
            await trio.sleep(1)
            watcher = branch.enter(0)

            async def shown():
                with pytest.raises(BusyError, match="too slow"):
                    await branch.show(watcher, Stuck())
                nursery.cancel_scope.cancel()

            nursery.start_soon(shown)
            for number in range(1, 100):
                source.records(number, number + 1)
                await trio.sleep(1)

    run(work)


class Broken:
    """Stages of which one fails at the third packet."""

    def __init__(self):
        self.closed = False

    async def take(self, entries):
        if any(entry.data == record(2) for entry in entries):
            raise SourceError("The numbers went wrong", kind="source.stream")
        return await PassedOn().take(entries)

    async def end(self, failure=None):
        return [Group("problem", 0, Words(DAS3).problem(failure.kind, failure.message))] if failure else []

    def close(self):
        self.closed = True


def test_a_stage_that_fails_ends_its_branch_and_no_other(recorder, stream):
    source, behind, whole, broken = Source(), Broken(), recorder(), recorder()

    async def work():
        branches = [branch_of(source), branch_of(source, behind)]
        source.begin()
        async with trio.open_nursery() as nursery:
            watchers = [branch.enter(0) for branch in branches]

            async def fails():
                with pytest.raises(SourceError, match="went wrong"):
                    await watchers[1].show(broken)

            nursery.start_soon(watchers[0].show, whole)
            nursery.start_soon(fails)
            for branch in branches:
                nursery.start_soon(branch.run)
            for number in range(5):
                source.records(number, number + 1)
                await trio.sleep(0.1)
            nursery.cancel_scope.cancel()

    run(work)
    assert [tag for tag, _id, _body in seen(stream, whole)] == ["Sx", "Hx"] + 5 * ["Pd"]
    assert [tag for tag, _id, _body in seen(stream, broken)] == ["Sx", "Hx", "Pd", "Pd", "Ex"]
    assert behind.closed


def test_packets_that_come_close_together_are_one_message_and_the_first_is_not_held(recorder, stream):
    source, channel = Source(), recorder()

    async def work():
        branch = branch_of(source)
        source.begin()
        async with trio.open_nursery() as nursery:
            await behind_the(branch, nursery, channel)
            nursery.start_soon(branch.run)
            await trio.sleep(1)
            before = len(channel.frames)
            source.records(0, 1)
            await trio.testing.wait_all_tasks_blocked()
            assert len(channel.frames) == before + 1  # no time has passed
            for number in range(1, 20):
                source.records(number, number + 1)
                await trio.sleep(0.001)
            await trio.sleep(1)
            assert len(channel.frames) == before + 2
            nursery.cancel_scope.cancel()

    run(work)
    assert len(seen(stream, channel)) == 22


class Lines:
    """A run that writes a line for each packet, and a title first; nothing tells its packets."""

    def __init__(self):
        self.found, self.head = False, b""

    def feed(self, piece, _place=0):
        made = [] if self.head else [b"title\n"]
        self.head = b"title\n"
        rows = [b"%d\n" % int(each) for each in piece.split(b"|")[4::4] if each.isdigit()]
        self.found = self.found or bool(rows)
        return made + rows

    def end(self, _failure=None, _place=0):
        return [b"end\n"]

    def close(self):
        pass


def test_where_no_packets_can_be_told_what_stood_before_the_records_is_the_declaration(recorder):
    source, first, late = Source(), recorder(), recorder()

    async def work():
        behind = Worked(Lines(), None, trio.CapacityLimiter(1), text=True)
        branch = Branch(source, (), 0, behind, Words(None))
        source.begin()
        async with trio.open_nursery() as nursery:
            await behind_the(branch, nursery, first)
            nursery.start_soon(branch.run)
            source.records(0, 3)
            await first.until(lambda each: b"2\n" in each.payload)
            await behind_the(branch, nursery, late, source.clock + 1)
            source.records(3, 4)
            source.finish()

    trio.run(work)
    assert first.payload == b"title\n0\n1\n2\n3\nend\n"
    assert late.payload == b"title\n3\nend\n"


def test_messages_hold_whole_packets_up_to_their_size_and_declarations_alone():
    data = [Group("data", 1, bytes(20_000)) for _each in range(7)]
    made = grouped(
        [Group("header", 0, b"H"), *data, Group("dataset", 1, b"D"), Group("data", 1, bytes(100_000)), data[0]]
    )
    assert [(each.kind, len(each.data)) for each in made] == [("header", 1), ("data", 60_000), ("data", 60_000), ("data", 20_000), ("dataset", 1), ("data", 100_000), ("data", 20_000)]  # fmt: skip
    assert all(len(each.data) <= LONGEST for each in made if len(each.data) != 100_000)


@pytest.mark.parametrize(("data", "first"), [(b"text", 0x81), ("µ".encode(), 0x81), (b"\xff", 0x82)])
def test_only_valid_text_is_a_text_message(data, first):
    assert frame_of(Group("data", 0, data), text=True)[0] == first
    assert frame_of(Group("data", 0, data), text=False)[0] == 0x82

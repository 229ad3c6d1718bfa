# SPDX-License-Identifier: GPL-3.0-or-later
"""A finite answer goes out in messages of whole packets, none waits long, and its end has a code."""

from __future__ import annotations

import sys
import time

import pytest
import trio

import dasflex_core
from dasflex_core.plan.graph import Command, Limits, Node
from dasflex_core.run import Guardian, PumpSettings
from dasflex_core.streamtype import StreamType
from dasflex_ws.answering import answer
from dasflex_ws.pumping import pump_of, pumping

BYTES = StreamType("x")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A root with the examples."""
    from dasflex_core.roots import make_root

    return dasflex_core.open(make_root(tmp_path_factory.mktemp("answering") / "root", "Answering").root)


def reader(script: str, **limits) -> Node:
    """A node that runs a script of Python."""
    command = Command(((sys.executable, "-c", script),), limits=Limits(**limits))
    return Node("reader", "process", BYTES, (), command=command)


def run(work, seconds: float = 60):
    """Runs an asynchronous test to its end."""

    async def timed():
        with trio.fail_after(seconds):
            return await work()

    return trio.run(timed)


class Sent:
    """A channel that keeps what it is sent."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []

    async def send(self, frame: bytes) -> None:
        await trio.lowlevel.checkpoint()
        self.frames.append(frame)


def test_an_answer_is_sent_in_messages_of_whole_packets(site):
    plan = site["Examples/Spectra"].examples[0].plan()
    sent = Sent()

    async def work():
        with Guardian() as guardian:
            async with pump_of(plan, limiter=trio.CapacityLimiter(2), guardian=guardian) as pump:
                return await answer(pump, sent)

    ending = run(work)
    assert (ending.code, ending.failure) == (1000, None)
    assert all(frame[0] == 0x82 for frame in sent.frames)
    assert b"".join(map(payload, sent.frames)) == b"".join(plan.open(plain=True).chunks())
    assert max(map(len, sent.frames)) <= (1 << 16) + 10


def payload(frame: bytes) -> bytes:
    """What is in a frame."""
    return frame[{126: 4, 127: 10}.get(frame[1], 2) :]


def test_packets_do_not_wait_for_more_than_a_moment():
    script = "import time; print('early', flush=True); time.sleep(1); print('late', flush=True)"
    seen: list[tuple[float, bytes]] = []

    class Timed:
        async def send(self, frame: bytes) -> None:
            await trio.lowlevel.checkpoint()
            seen.append((time.monotonic(), payload(frame)))

    async def work():
        async with pumping((reader(script),), PumpSettings(), limiter=trio.CapacityLimiter(1)) as pump:
            return await answer(pump, Timed())

    assert run(work).code == 1000
    assert [data for _when, data in seen] == [b"early\n", b"late\n"]


def test_packets_that_follow_one_another_closely_do_not_wait_for_a_full_message():
    """They come each 5 ms, so that there never are 20 ms without one, and are far from 64 KiB together."""
    sent = Sent()
    script = "import time\nfor n in range(100): print(n, flush=True); time.sleep(0.005)"

    async def work():
        async with pumping((reader(script),), PumpSettings(), limiter=trio.CapacityLimiter(1)) as pump:
            return await answer(pump, sent)

    assert run(work).code == 1000
    assert payload(sent.frames[0]) == b"0\n"
    assert len(sent.frames) > 5
    assert b"".join(map(payload, sent.frames)) == "".join(f"{n}\n" for n in range(100)).encode()


def test_an_answer_that_breaks_off_ends_with_1011():
    sent = Sent()
    script = "import sys; print('data', flush=True); sys.exit(3)"

    async def work():
        async with pumping((reader(script),), PumpSettings(), limiter=trio.CapacityLimiter(1)) as pump:
            return await answer(pump, sent)

    ending = run(work)
    assert ending.code == 1011
    assert "exit status 3" in ending.reason
    assert ending.failure.kind == "source.exit"
    assert sent.frames == [b"\x82\x05data\n"]

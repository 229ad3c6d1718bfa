# SPDX-License-Identifier: GPL-3.0-or-later
"""The trio pump gives what the synchronous pump gives, waits for whoever is slow, and leaves nothing behind."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import trio

import dasflex_core
from dasflex_core.errors import SourceError
from dasflex_core.plan.graph import Command, Limits, Node
from dasflex_core.run import Guardian, PumpSettings
from dasflex_core.streamtype import StreamType
from dasflex_ws.pumping import TrioPump, pump_of, pumping

BYTES = StreamType("x")
FORMS = ({}, {"format_type": "csv"}, {"format_type": "das", "format_version": "3", "format_serial": "text"})


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A root with the examples."""
    from dasflex_core.roots import make_root

    return dasflex_core.open(make_root(tmp_path_factory.mktemp("pumping") / "root", "Pumping").root)


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


async def gathered(pump: TrioPump) -> bytes:
    """All that a pump gives."""
    return b"".join([piece async for piece in pump.chunks()])


def descriptors() -> int:
    """How many descriptors this process has open."""
    return len([*Path("/proc/self/fd").iterdir()])


def alive(pid: int) -> bool:
    """Whether a process runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] != b"Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("name", ["Examples/Random", "Examples/Spectra", "Examples/Waveform", "Examples/Params"])
@pytest.mark.parametrize("form", FORMS, ids=["own", "csv", "text"])
def test_it_gives_what_the_synchronous_pump_gives(site, name, form):
    plan = site[name].examples[0].ask(**form).plan()

    async def work():
        with Guardian() as guardian:
            async with pump_of(plan, limiter=trio.CapacityLimiter(2), guardian=guardian) as pump:
                return await gathered(pump), pump.record, pump.stats

    got, record, stats = run(work)
    with plan.open(plain=True) as pump:
        assert got == b"".join(pump.chunks())
    assert (record.complete, record.bytes) == (True, len(got))
    assert len(stats) == len(plan.solution.nodes)


def test_a_plan_with_a_program_in_its_middle_runs_in_a_thread():
    upper = Command(((sys.executable, "-c", "import sys; sys.stdout.write(sys.stdin.read().upper())"),))
    nodes = (reader("print('a' * 1000)"), Node("upper", "process", BYTES, (0,), command=upper))

    async def work():
        async with pumping(nodes, PumpSettings(), limiter=trio.CapacityLimiter(1)) as pump:
            return await gathered(pump)

    assert run(work) == b"A" * 1000 + b"\n"


def test_two_readers_are_joined():
    nodes = (reader("print('a')"), reader("print('b')"), Node("both", "concat", BYTES, (0, 1)))

    async def work():
        async with pumping(nodes, PumpSettings(headerless=(BYTES,)), limiter=trio.CapacityLimiter(1)) as pump:
            return await gathered(pump)

    assert run(work) == b"a\nb\n"


@pytest.mark.parametrize("middle", [False, True], ids=["piped", "threaded"])
def test_what_fails_before_any_data_fails_the_start(middle):
    nodes = (reader("import sys; sys.exit(3)"),)
    if middle:
        nodes = (*nodes, Node("cat", "process", BYTES, (0,), command=Command((("cat",),))))

    async def work():
        async with pumping(nodes, PumpSettings(), limiter=trio.CapacityLimiter(1)) as pump:
            await pump.start()

    with pytest.raises(SourceError, match="exit status 3"):
        run(work)


def test_what_fails_later_is_raised_behind_what_came_before():
    nodes = (reader("import sys; print('data', flush=True); sys.exit(3)"),)

    async def work():
        async with pumping(nodes, PumpSettings(), limiter=trio.CapacityLimiter(1)) as pump:
            await pump.start()
            assert await pump.take() == [b"data\n"]
            with pytest.raises(SourceError, match="after part of its output"):
                await pump.take()

    run(work)


@pytest.mark.parametrize("silence", [0.3, 1.3], ids=["shorter than a look", "longer than a look"])
def test_a_silent_reader_is_ended_by_its_limit(silence):
    nodes = (reader("import time; print('data', flush=True); time.sleep(60)", silence=silence),)

    async def work():
        async with pumping(nodes, PumpSettings(), limiter=trio.CapacityLimiter(1)) as pump:
            with pytest.raises(SourceError) as caught:
                await gathered(pump)
            assert caught.value.kind == "source.silent"

    run(work)


def test_a_reader_that_writes_too_much_is_ended():
    nodes = (reader("print('a' * 100_000)", output=1000),)

    async def work():
        async with pumping(nodes, PumpSettings(), limiter=trio.CapacityLimiter(1)) as pump:
            with pytest.raises(SourceError, match="more than 1,000 bytes"):
                await gathered(pump)

    run(work)


@pytest.mark.parametrize("middle", [False, True], ids=["piped", "threaded"])
def test_the_reader_and_its_children_are_gone_with_the_pump(tmp_path, middle):
    pids = tmp_path / "pids"
    script = (
        "import os, subprocess, sys, time\n"
        "child = subprocess.Popen(['sleep', '60'])\n"
        f"open({str(pids)!r}, 'w').write(f'{{os.getpid()}} {{child.pid}}')\n"
        "print('data', flush=True)\n"
        "time.sleep(60)\n"
    )
    nodes = (reader(script),)
    if middle:
        nodes = (*nodes, Node("cat", "process", BYTES, (0,), command=Command((("cat",),))))

    async def work():
        async with pumping(nodes, PumpSettings(), limiter=trio.CapacityLimiter(1)) as pump:
            assert await pump.take() == [b"data\n"]

    run(work)
    assert not any(alive(int(pid)) for pid in pids.read_text(encoding="utf-8").split())


@pytest.mark.parametrize("middle", [False, True], ids=["piped", "threaded"])
def test_others_have_their_turn_while_a_reader_is_ended_that_does_not_want_to(middle):
    script = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('data', flush=True); time.sleep(60)"
    )
    nodes = (reader(script),)
    if middle:
        nodes = (*nodes, Node("cat", "process", BYTES, (0,), command=Command((("cat",),))))

    turns = []

    async def others():
        while True:
            await trio.sleep(0.05)
            turns.append(1)

    async def work():
        async with trio.open_nursery() as nursery:
            async with pumping(nodes, PumpSettings(grace=1.0), limiter=trio.CapacityLimiter(1)) as pump:
                await pump.take()
                nursery.start_soon(others)
            nursery.cancel_scope.cancel()

    run(work)
    assert len(turns) > 5  # of 20; one or two where nobody else has a turn


def test_who_leaves_does_not_wait_for_a_reader_that_has_closed_its_output():
    """It has no more to say, and goes on: a client that leaves now ends it as at any other time."""
    script = "import os, time; os.write(1, b'data'); os.close(1); time.sleep(45)"

    async def work():
        async with pumping((reader(script),), PumpSettings(), limiter=trio.CapacityLimiter(1)) as pump:
            assert await pump.take() == [b"data"]
            with trio.move_on_after(0.3) as waiting:
                await pump.take()
            assert waiting.cancelled_caught

    run(work, seconds=20)


def test_a_reader_that_has_closed_its_output_has_limits_still():
    script = "import os, time; os.write(1, b'data'); os.close(1); time.sleep(45)"

    async def work():
        async with pumping((reader(script, silence=0.3),), PumpSettings(), limiter=trio.CapacityLimiter(1)) as pump:
            with pytest.raises(SourceError) as caught:
                await gathered(pump)
            assert caught.value.kind == "source.silent"

    run(work, seconds=20)


@pytest.mark.parametrize("middle", [False, True], ids=["piped", "threaded"])
def test_a_reader_waits_for_who_takes_nothing(tmp_path, middle):
    progress = tmp_path / "progress"
    script = (
        "import sys\n"
        f"note = open({str(progress)!r}, 'w')\n"
        "for count in range(1, 1 << 20):\n"
        "    sys.stdout.buffer.write(bytes(1 << 16)); sys.stdout.buffer.flush()\n"
        "    note.seek(0); note.write(str(count)); note.flush()\n"
    )
    nodes = (reader(script),)
    if middle:
        nodes = (*nodes, Node("cat", "process", BYTES, (0,), command=Command((("cat",),))))

    async def work():
        async with pumping(nodes, PumpSettings(), limiter=trio.CapacityLimiter(1)) as pump:
            await pump.take()
            last = -1
            while (count := int(progress.read_text(encoding="utf-8") or 0)) != last:
                last = count
                await trio.sleep(0.3)
            return last

    assert run(work) < 100  # of 64 KiB: what pipes and hands hold, of 64 GiB


def test_no_descriptor_is_left_open(site):
    plan = site["Examples/Random"].examples[0].ask(format_type="csv").plan()

    async def work():
        with Guardian() as guardian:
            limiter = trio.CapacityLimiter(2)
            counts = []
            for _turn in range(4):
                async with pump_of(plan, limiter=limiter, guardian=guardian) as pump:
                    await gathered(pump)
                counts.append(descriptors())
            return counts

    counts = run(work)
    assert counts[-1] <= counts[1]


@pytest.mark.parametrize("form", FORMS, ids=["own", "csv", "text"])
def test_nothing_is_lost_by_whoever_takes_with_little_patience(site, form):
    """A message waits no longer than a moment for more: taking is cancelled whenever that has passed."""
    plan = site["Examples/Live"].examples[0].ask(**form).plan()

    async def work():
        got, patience = [], 0.0
        with Guardian() as guardian:
            async with pump_of(plan, limiter=trio.CapacityLimiter(1), guardian=guardian) as pump:
                await pump.start()
                while True:
                    patience = (patience + 0.0003) % 0.003
                    with trio.move_on_after(patience) as waiting:
                        pieces = await pump.take()
                        if pieces is None:
                            return b"".join(got)
                        got += pieces
                    assert waiting.cancelled_caught or pieces

    got = run(work)
    with plan.open(plain=True) as pump:
        assert got == b"".join(pump.chunks())

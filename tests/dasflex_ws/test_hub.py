# SPDX-License-Identifier: GPL-3.0-or-later
"""One reader for all who watch, and each gets what it asked for: nothing is missing, and nothing comes twice."""

from __future__ import annotations

import json
import os
import signal
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

import dasflex_core
from dasflex_core.errors import BusyError, SourceError
from dasflex_ws.hub import Hub


def running(hub, work, *arguments):
    """Runs a hub, and some work with it, to the end of the work."""

    async def both():
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                await nursery.start(hub.run)
                await work(*arguments)
                nursery.cancel_scope.cancel()

    trio.run(both)


@asynccontextmanager
async def watching(hub, plan, channel):
    """A watcher in the background."""
    async with trio.open_nursery() as nursery:
        await nursery.start(_watch, hub, plan, channel)
        yield
        nursery.cancel_scope.cancel()


async def _watch(hub, plan, channel, task_status=trio.TASK_STATUS_IGNORED):
    async with hub.seat(plan) as seat:
        task_status.started()
        channel.ending = await seat.watch(channel)


async def until(condition):
    """Waits until something is true."""
    while not condition():  # noqa: ASYNC110  nobody tells of it
        await trio.sleep(0.02)


def comments(stream, channel):
    """The texts of the comments that a watcher of das3 got."""
    return [body.decode() for tag, _id, body in stream.packets(channel.payload) if tag == "Cx"]


def together(stream, channel):
    """The numbers that a watcher got, which must follow one another."""
    got = stream.numbers(channel.payload)
    assert got == list(range(got[0], got[0] + len(got)))
    return got


def test_fifty_watchers_of_several_formats_have_one_reader(device, hub, recorder, stream):
    plans = [device.plan(), device.plan(format_type="csv"), device.plan(format_type="das", format_version="2"), device.plan(bin_time_max="0.1")]  # fmt: skip
    channels = [recorder() for _each in range(50)]

    async def work():
        async with trio.open_nursery() as nursery:
            for number, channel in enumerate(channels):
                nursery.start_soon(_watch, hub, plans[number % len(plans)], channel)
            for channel in channels:
                await channel.until(lambda each: len(each.frames) > 5)
            nursery.cancel_scope.cancel()

    running(hub, work)
    assert len(device.starts) == 1
    for channel in channels[::4]:
        together(stream, channel)
        assert [tag for tag, _id, _body in stream.packets(channel.payload)[:2]] == ["Sx", "Hx"]
    assert b"number" in channels[1].payload.lower()
    assert channels[2].payload.startswith(b"[00]")


def test_equal_watchers_are_sent_the_very_same_bytes(device, hub, recorder):
    first, second = recorder(), recorder()

    async def work():
        async with watching(hub, device.plan(), first), watching(hub, device.plan(), second):
            await second.until_records(5)

    running(hub, work)
    assert len({id(frame) for frame in second.frames} & {id(frame) for frame in first.frames}) >= 5


def test_bins_are_computed_once_for_all_whose_watching_began_at_other_times(device, hub, recorder, stream):
    channels = [recorder() for _each in range(3)]

    async def work():
        async with trio.open_nursery() as nursery:
            for channel in channels:
                await nursery.start(_watch, hub, device.plan(bin_time_max="0.1"), channel)
                await channel.until(lambda each: len(each.frames) > 3)
            (branches,) = hub._branches.values()
            assert len(branches) == 1
            nursery.cancel_scope.cancel()

    running(hub, work)
    assert {id(frame) for frame in channels[2].frames} <= {id(frame) for frame in channels[0].frames}


def test_a_late_joiner_gets_the_headers_then_what_it_asked_of_the_ring_then_the_stream(device, hub, recorder, stream):
    first, late, later = recorder(), recorder(), recorder()

    async def work():
        async with watching(hub, device.plan(), first):
            await first.until_records(60)
            plan = device.plan("now-PT0.5S")
            async with watching(hub, plan, late), watching(hub, device.plan(), later):
                await late.until_records(60)
                await later.until_records(10)

    running(hub, work)
    for channel in (first, late, later):
        together(stream, channel)
        assert [tag for tag, _id, _body in stream.packets(channel.payload)][:3] == ["Sx", "Hx", "Pd"]
    start = stream.numbers(late.payload)[0]
    assert 0 < start < stream.numbers(later.payload)[0]
    assert len(device.starts) == 1


def test_a_watcher_of_another_form_sees_what_the_ring_held_before_its_form_was_asked_for(device, hub, recorder):
    first, late, later = recorder(), recorder(), recorder()

    async def work():
        async with watching(hub, device.plan(), first):
            await first.until_records(40)
            async with watching(hub, device.plan(format_type="csv"), late):
                await late.until(lambda each: each.payload.count(b"\n") > 5)
                async with watching(hub, device.plan("now-PT30S", format_type="csv"), later):
                    await later.until(lambda each: each.payload.count(b"\n") > 60)

    running(hub, work)

    def rows(channel):
        return [int(line.rpartition(b",")[2]) for line in channel.payload.splitlines()[1:]]

    assert rows(late)[0] >= 40
    assert rows(later)[0] == 0
    assert rows(later) == list(range(len(rows(later))))
    assert rows(late) == list(range(rows(late)[0], rows(late)[0] + len(rows(late))))


def test_the_reader_outlives_its_last_watcher_by_the_linger_and_no_more(device, hub, recorder):
    device.define('linger = "0.4 s"')

    async def work():
        async with watching(hub, device.plan(), recorder()) as _seat:
            pass
        assert len(hub._readings) == 1
        again = recorder()
        async with watching(hub, device.plan(), again):
            await again.until_records(3)
        assert len(device.starts) == 1
        await until(lambda: not hub._readings)
        assert not gone_wrong(device)
        async with watching(hub, device.plan(), recorder()):
            pass
        assert len(device.starts) == 2

    running(hub, work)


def gone_wrong(device):
    """The readers that still run."""
    return [each for each in device.starts if Path("/proc", each.split()[0]).exists()]


def test_a_reader_that_dies_is_started_again_and_all_who_watch_are_told(device, hub, recorder, stream):
    device.tell({"count": 5, "exit": 3}, {"count": 4, "title": "B"}, {})
    channel, csv, late = recorder(), recorder(), recorder()
    hub._pause = 0.05

    async def work():
        async with watching(hub, device.plan(), channel), watching(hub, device.plan(format_type="csv"), csv):
            await channel.until_records(12)
            async with watching(hub, device.plan("now-PT30S"), late):
                await late.until_records(12)

    running(hub, work)
    got = stream.numbers(channel.payload)
    assert got[:10] == [0, 1, 2, 3, 4, 100_000, 100_001, 100_002, 100_003, 200_000]
    first, second = comments(stream, channel)[:2]
    assert "log:warning" in first
    assert "failed with exit status 3" in first
    assert "The reader has ended" in second
    tags = [(tag, b"A<" in body or b"B<" not in body) for tag, _id, body in stream.packets(channel.payload) if tag in ("Sx", "Hx")]  # fmt: skip
    assert tags == [("Sx", True), ("Hx", True), ("Hx", False), ("Hx", True)]
    assert csv.payload.count(b"\n") > 10
    seen = [packet for packet in stream.packets(late.payload) if b"keeps no more of the past" not in packet[2]]
    assert seen[: len(got)] == stream.packets(channel.payload)[: len(got)]


def test_a_reader_that_is_killed_is_started_again(device, hub, recorder, stream):
    hub._pause = 0.05
    channel = recorder()

    async def work():
        async with watching(hub, device.plan(), channel):
            await channel.until_records(3)
            os.kill(int(device.starts[0].split()[0]), signal.SIGKILL)
            await channel.until(lambda each: 100_001 in stream.numbers(each.payload))

    running(hub, work)
    assert "signal 9" in comments(stream, channel)[0]


@pytest.mark.parametrize("script", [{"head": False, "count": 0, "exit": 3}, {"count": 0, "exit": 3}])
def test_a_reader_that_fails_before_its_first_data_is_an_error_before_the_upgrade(device, hub, script):
    device.tell(script)

    async def work():
        with pytest.raises(SourceError, match="exit status 3"):
            async with hub.seat(device.plan()):
                pass
        await until(lambda: not hub._readings)

    running(hub, work)
    assert len(device.starts) == 1


def test_a_program_that_is_not_there_is_an_error_before_the_upgrade(device, hub):
    device.define()
    file = device.root / "definitions" / "Lab" / "Device" / "source.toml"
    file.write_text(file.read_text().replace("#[python]", "/not/there"))
    device.install()

    async def work():
        with pytest.raises(SourceError, match="not there"):
            async with hub.seat(device.plan()):
                pass

    running(hub, work)


def test_a_silent_instrument_is_not_waited_for(device, hub, recorder, stream):
    device.tell({"late": 2.5})
    channel = recorder()

    async def work():
        async with watching(hub, device.plan(), channel):
            assert not channel.frames
            await channel.until_records(3)

    running(hub, work)
    assert together(stream, channel)[0] == 0


def test_who_watches_is_told_of_a_reader_that_fails_late_and_before_any_data(device, hub, recorder, stream):
    device.tell({"late": 1.5, "head": False, "count": 0, "exit": 3}, {})
    hub._pause = 0.05
    channel = recorder()

    async def work():
        async with watching(hub, device.plan(), channel):
            await channel.until_records(3)

    running(hub, work)
    tags = [tag for tag, _id, _body in stream.packets(channel.payload)]
    assert tags[:4] == ["Sx", "Cx", "Hx", "Pd"]
    assert "exit status 3" in comments(stream, channel)[0]


def test_other_options_are_another_reader(device, hub, recorder):
    one, other = recorder(), recorder()

    async def work():
        async with (
            watching(hub, device.plan(), one),
            watching(hub, device.plan(read_antenna="Ev"), other),
            watching(hub, device.plan(read_antenna="Eu"), recorder()),  # the default
        ):
            await other.until_records(2)

    running(hub, work)
    assert sorted(each.partition(" ")[2] for each in device.starts) in (
        [["", "antenna=Ev"], ["antenna=Eu", "antenna=Ev"]]
    )


def test_an_instrument_that_admits_one_reader_has_never_two(device, hub, recorder):
    device.define('linger = "20 s"\nsingle = true')

    async def work():
        async with watching(hub, device.plan(), recorder()):
            with pytest.raises(BusyError, match="admits one reader at a time, and it is being read with antenna=Eu"):
                async with hub.seat(device.plan(read_antenna="Ev")):
                    pass
            async with watching(hub, device.plan(), recorder()):
                pass
        channel = recorder()
        async with watching(hub, device.plan(read_antenna="Ev"), channel):  # nobody watches the first any more
            await channel.until_records(2)
            assert len(gone_wrong(device)) == 1
            with pytest.raises(BusyError, match="antenna=Ev"):
                async with hub.seat(device.plan()):
                    pass

    running(hub, work)
    assert len(device.starts) == 2


def test_no_two_servers_read_an_instrument_that_admits_one_reader(device, hub, guardian, tmp_path, recorder):
    device.define('single = true\nlinger = "0.2 s"')
    other = Hub(limiter=trio.CapacityLimiter(1), guardian=guardian, runtime=tmp_path / "run")

    async def work():
        async with trio.open_nursery() as nursery:
            await nursery.start(other.run)
            async with watching(hub, device.plan(), recorder()):
                with pytest.raises(BusyError, match="another program of this site reads it"):
                    async with other.seat(device.plan()):
                        pass
            await until(lambda: not hub._readings)
            channel = recorder()
            async with watching(other, device.plan(), channel):
                await channel.until_records(1)
            nursery.cancel_scope.cancel()

    running(hub, work)


def test_there_are_no_more_watchers_than_the_definition_allows(device, hub, recorder):
    device.define("watchers = 2")

    async def work():
        async with watching(hub, device.plan(), recorder()), watching(hub, device.plan(format_type="csv"), recorder()):
            with pytest.raises(BusyError, match="as many watchers as it may, which is 2"):
                async with hub.seat(device.plan()):
                    pass
        async with watching(hub, device.plan(), recorder()):
            pass

    running(hub, work)


def test_a_definition_that_was_changed_has_a_new_reader_and_the_old_one_ends_with_its_watchers(
    device, hub, recorder, stream
):
    old, new = recorder(), recorder()

    async def work():
        async with trio.open_nursery() as nursery:
            async with watching(hub, device.plan(), old):
                await old.until_records(2)
                device.define(more=" changed")
                await nursery.start(_watch, hub, device.plan(), new)
                await new.until_records(2)
                assert len(gone_wrong(device)) == 2
            await until(lambda: len(hub._readings) == 1)
            assert len(gone_wrong(device)) == 1
            nursery.cancel_scope.cancel()

    running(hub, work)
    assert [each.endswith("changed") for each in device.starts] == [False, True]
    together(stream, old)


def test_when_the_hub_stops_all_watchings_end_with_going_away_and_the_readers_are_gone(device, hub, recorder):
    channel = recorder()

    async def work():
        async with trio.open_nursery() as nursery:
            stopped = await nursery.start(_run_until, hub)
            await nursery.start(_watch, hub, device.plan(), channel)
            await channel.until_records(2)
            stopped.cancel()
            await until(lambda: channel.ending is not None)
            with pytest.raises(BusyError, match="stopping"):
                async with hub.seat(device.plan()):
                    pass

    trio.run(work)
    assert channel.ending.code == 1001
    assert not gone_wrong(device)


async def _run_until(hub, task_status):
    with trio.CancelScope() as scope:
        async with trio.open_nursery() as nursery:
            await nursery.start(hub.run)
            task_status.started(scope)
    assert hub._nursery is None


def test_who_leaves_ends_the_watching(device, hub, recorder):
    channel = recorder()

    async def work():
        async with watching(hub, device.plan(), channel):
            await channel.until_records(1)
            channel.gone.set()
            await until(lambda: channel.ending is not None)

    running(hub, work)


def test_the_only_one_who_watches_is_waited_for_while_it_catches_up(device, hub, recorder, stream, monkeypatch):
    monkeypatch.setattr("dasflex_ws.reading._LEAST", 0)
    device.tell({"every": 0, "count": 20_000}, {"count": 0})
    device.define('keep = "100 kB"')

    class Slow(recorder):
        async def send(self, frame):
            await trio.sleep(0.002)
            self.offer(frame)

    channel = Slow()

    async def work():
        async with watching(hub, device.plan(), channel):
            await channel.until(lambda each: stream.last(each.frames[-1:]) == 19_999)

    running(hub, work)
    assert together(stream, channel) == list(range(20_000))


def test_the_policy_of_the_definition_is_the_channels(device, hub, recorder, stream):
    device.define('slow = "disconnect"')
    one, other = recorder(), recorder()

    async def work():
        async with watching(hub, device.plan(), one):
            await until(lambda: one.slow)

    running(hub, work)
    device.define('slow = "drop"')

    async def more():
        async with watching(hub, device.plan(), other):
            await until(lambda: other.slow)

    running(hub, more)
    assert (one.slow, other.slow) == ("disconnect", "drop")
    told = stream.packets(stream.unframed(other.warning(7, 12_345)))
    assert told[0][0] == "Cx"
    assert b"7 messages of 12,345 bytes" in told[0][2]


def test_a_reader_that_takes_the_begin_gets_that_of_the_first_watcher_and_the_present_when_it_is_started_again(device, hub, recorder, stream):  # fmt: skip
    device.define(more=" #[read.time.min]")
    device.tell({"count": 3}, {})
    hub._pause = 0.05
    first, second = recorder(), recorder()

    async def work():
        async with watching(hub, device.plan("2026-01-02"), first):
            await first.until_records(2)
            async with watching(hub, device.plan("2026-01-03"), second):
                await second.until_records(5)

    running(hub, work)
    began, again = [each.split()[-1] for each in device.starts]
    assert began.startswith("2026-01-02")
    assert again > "2026-01-03T"
    assert stream.numbers(first.payload)[0] == stream.numbers(second.payload)[0] == 0
    assert not [each for each in comments(stream, first) if "keeps no more" in each]


def test_a_reader_that_nobody_watches_begins_anew_for_a_past_that_only_it_has(device, hub, recorder):
    device.define('linger = "20 s"', more=" #[read.time.min]")

    async def work():
        for begin in ("2026-01-02", "2026-01-01", "2026-01-03"):
            channel = recorder()
            async with watching(hub, device.plan(begin), channel):
                await channel.until_records(1)

    running(hub, work)
    assert [each.split()[-1][:10] for each in device.starts] == ["2026-01-02", "2026-01-01"]


def test_a_begin_in_the_future_is_waited_for(device, hub, recorder, stream):
    channel = recorder()

    async def work():
        async with watching(hub, device.plan(), recorder()), watching(hub, device.plan("now+PT0.5S"), channel):
            await channel.until_records(3)

    running(hub, work)
    assert together(stream, channel)[0] > 10


def test_a_plan_with_a_program_behind_the_reader_has_a_reader_of_its_own_and_keeps_the_promise(device, hub, recorder):
    device.define("single = true", readers='[[stage]]\ncommand = "cat #[calc.same]"\naccepts = "das/3"\nwrites = "das/3/binary"\n')  # fmt: skip
    text = "/dev/stdin"
    channel = recorder()

    async def work():
        async with watching(hub, device.plan(calc_same=text), channel):
            await channel.until_records(3)
            for other in (device.plan(), device.plan(calc_same=text)):
                with pytest.raises(BusyError, match="admits one reader"):
                    async with hub.seat(other):
                        pass
        async with watching(hub, device.plan(), recorder()):
            with pytest.raises(BusyError, match="admits one reader"):
                async with hub.seat(device.plan(calc_same=text)):
                    pass

    running(hub, work)
    assert len(device.starts) == 2


def test_a_finite_plan_does_not_belong_here(device, hub, bare_root):
    assert hub.takes(device.plan())
    finite = dasflex_core.open(bare_root)["Examples/Live"]["2025-11-23":"2025-11-24"]
    assert not hub.takes(finite.plan())


def test_a_view_shares_the_reader_of_what_it_views(device, hub, recorder):
    place = device.root / "definitions" / "Lab" / "View"
    place.mkdir()
    head = 'title = "Bins"\ncontacts = { technical = "A. Nobody <a@example.org>" }\n[reader]\nsource = "Lab/Device"\n'
    (place / "source.toml").write_text(head + '[default]\nbin.time.max = 0.2\n[[example]]\ntime = "now to forever"\n')
    device.install()
    whole, bins = recorder(), recorder()

    async def work():
        site = dasflex_core.open(device.root)
        plan = site.request("Lab/View", (("read.time.min", "now"), ("read.time.max", "forever"))).plan()
        async with watching(hub, device.plan(), whole), watching(hub, plan, bins):
            await bins.until(lambda each: len(each.frames) > 4)

    running(hub, work)
    assert len(device.starts) == 1
    assert len(bins.frames) < len(whole.frames)


DAS2 = """
import sys, time
from datetime import UTC, datetime
def packet(tag, body):
    return f"[{tag}]{len(body):06d}{body}"
sys.stdout.write(packet("00", '<stream version="2.2" />\\n'))
sys.stdout.write(packet("01", '<packet><x type="time23" units="us2000"/><y type="ascii10" units="V" name="n"/></packet>\\n'))
for number in range(10**9):
    sys.stdout.write(f":01:{datetime.now(UTC).isoformat()[:22]} {number:9d}\\n")
    sys.stdout.flush()
    time.sleep(0.02)
"""


def test_das2_and_what_is_made_of_it_are_watched_and_joined_late(device, hub, recorder):
    reader = device.folder / "das2.py"
    reader.write_text(DAS2)
    file = device.root / "definitions" / "Lab" / "Device" / "source.toml"
    text = file.read_text().replace(f"{device.folder}/reader.py", str(reader)).replace("das/3/binary", "das/2/text")
    file.write_text(text)
    device.install()
    forms = ({}, {"format_type": "csv"}, {"format_type": "jsonl"}, {"format_type": "das", "format_version": "3"})
    early, late = [recorder() for _form in forms], [recorder() for _form in forms]

    async def work():
        async with trio.open_nursery() as nursery:
            for channels in (early, late):
                for form, channel in zip(forms, channels, strict=True):
                    await nursery.start(_watch, hub, device.plan(**form), channel)
                for channel in channels:
                    await channel.until(lambda each: len(each.frames) > 8)
            assert len(hub._readings) == 1
            nursery.cancel_scope.cancel()

    running(hub, work)
    for form, one, other in zip(forms, early, late, strict=True):
        head = 1 if form.get("format_type") == "csv" else 2
        assert one.frames[:head] == other.frames[:head]
        assert set(other.frames[head + 1 :]) & set(one.frames[head + 1 :])
        assert not set(other.frames) & set(one.frames[head : head + 3])
    lines = [json.loads(line) for line in late[2].payload.splitlines()]
    assert [next(iter(line)) for line in lines[:3]] == ["form", "dataset", "records"]
    assert late[0].payload.startswith(b"[00]")
    assert {frame[0] for channel in (late[0], late[1], late[2]) for frame in channel.frames} == {0x81}

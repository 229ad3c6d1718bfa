# SPDX-License-Identifier: GPL-3.0-or-later
"""From the past into the present: what an archive has, then what is live, each record once."""

from __future__ import annotations

import csv
import io
import struct
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
import trio

import dasflex_core

#: Runs the reader of the example, and notes its arguments; the first time it lets its reader wait.
SLOW = """
import sys, time
from pathlib import Path
calls = Path(sys.argv[1])
first = not calls.exists()
with calls.open("a") as file:
    file.write(" ".join(sys.argv[3:]) + "\\n")
if first:
    time.sleep(float(sys.argv[2]))
if "nothing" in calls.parent.joinpath("how").read_text():
    sys.exit("there is nothing")
import runpy
sys.argv = sys.argv[3:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
READERS = """
[[reader]]
name = "archive"
command = "#[python] {folder}/slow.py {folder}/calls {wait} {reader} --rate=200 --channels=16 #[read.time.min] #[read.time.max]"
writes = "das/3/binary"
"""
TENTH = timedelta(milliseconds=100)
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)


def running(hub, work):
    async def both():
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                await nursery.start(hub.run)
                await work()
                nursery.cancel_scope.cancel()

    trio.run(both)


@pytest.fixture
def live(bare_root):
    """A function that plans a watching of the example, whose archive has all records of the past."""
    site = dasflex_core.open(bare_root)

    def plan(begin, **more):
        asked = {name.replace("_", "."): text for name, text in more.items()}
        pairs = {"read.time.min": begin, "read.time.max": "forever", **asked}
        return site.request("Examples/Live", tuple(pairs.items())).plan()

    return plan


async def watch(hub, plan, channel):
    async with hub.seat(plan) as seat:
        await seat.watch(channel)


def times(stream, channel):
    """The times of the records of the example."""
    found = [struct.unpack("<q", body[:8])[0] for tag, _id, body in stream.packets(channel.payload) if tag == "Pd"]
    return [EPOCH + timedelta(microseconds=each) for each in found]


def test_the_archive_flows_into_the_live_stream_without_a_gap_or_a_record_twice(hub, live, recorder, stream):
    channel, begun = recorder(), datetime.now(UTC)

    async def work():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch, hub, live("now-PT20S"), channel)
            await channel.until(lambda each: len(times(stream, each)) > 215)
            nursery.cancel_scope.cancel()

    running(hub, work)
    got = times(stream, channel)
    assert timedelta(0) <= got[0] - (begun - timedelta(seconds=20)) < timedelta(seconds=1)
    assert [later - one for one, later in pairwise(got)] == [TENTH] * (len(got) - 1)
    assert got[-1] > begun
    tags = [tag for tag, _id, _body in stream.packets(channel.payload)]
    assert tags[:2] == ["Sx", "Hx"]
    assert set(tags[2:]) == {"Pd"}


def test_stages_see_past_and_present_as_one_stream(hub, live, recorder):
    rows, bins = recorder(), recorder()

    async def work():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch, hub, live("now-PT10S", format_type="csv", read_channels="16"), rows)
            plan = live("now-PT10S", format_type="csv", read_channels="16", bin_time_max="1")
            nursery.start_soon(watch, hub, plan, bins)
            await rows.until(lambda each: each.payload.count(b"\n") > 120)
            await bins.until(lambda each: each.payload.count(b"\n") > 12)
            nursery.cancel_scope.cancel()

    running(hub, work)
    for channel, step in ((rows, 0.1), (bins, 1.0)):
        table = list(csv.reader(io.StringIO(channel.payload.decode())))[1:]
        got = [datetime.fromisoformat(row[0][:26]) for row in table]
        apart = {round((later - one).total_seconds(), 3) for one, later in pairwise(got)}
        assert apart == {step}


@pytest.fixture
def slow(device, bare_root):
    """A function that defines a source whose archive is slow when it is first asked, and whose ring is short."""

    def define(wait, live, how=""):
        reader = bare_root / "definitions" / "Examples" / "Live" / "reader.py"
        (device.folder / "slow.py").write_text(SLOW)
        (device.folder / "how").write_text(how)
        device.define(live, readers=READERS.format(folder=device.folder, wait=wait, reader=reader))
        file = device.root / "definitions" / "Lab" / "Device" / "source.toml"
        text = file.read_text().replace(f"{device.folder}/reader.py {device.folder} #[read.antenna # antenna=@ #]", f"{reader} --follow --rate=200 --channels=16")  # fmt: skip
        head, _, rest = text.partition("[options.antenna]")
        file.write_text(head + rest[rest.index("[coords.time]") :])
        device.install()
        return device

    return define


def test_an_archive_is_asked_again_for_what_was_let_go_while_it_worked(hub, slow, recorder, stream, monkeypatch):
    monkeypatch.setattr("dasflex_ws.reading._LEAST", 0)
    device, channel = slow(2, 'keep = "80 kB"'), recorder()

    async def work():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch, hub, device.plan("now-PT1S"), channel)
            await channel.until(lambda each: len(each.frames) > 3 and len(times(stream, each)) > 900)
            nursery.cancel_scope.cancel()

    running(hub, work)
    got = times(stream, channel)
    assert {later - one for one, later in pairwise(got)} == {timedelta(milliseconds=5)}
    calls = [line.split()[-2:] for line in (device.folder / "calls").read_text().splitlines()]
    assert len(calls) > 1
    assert all(one[1] == later[0] for one, later in pairwise(calls))


def test_an_archive_that_fails_is_told_and_the_present_is_shown(hub, slow, recorder, stream):
    device, channel = slow(0, "", "nothing"), recorder()

    async def work():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch, hub, device.plan("now-PT1S"), channel)
            await channel.until(lambda each: len(times(stream, each)) > 20)
            nursery.cancel_scope.cancel()

    running(hub, work)
    packets = stream.packets(channel.payload)
    assert [tag for tag, _id, _body in packets][:4] == ["Sx", "Hx", "Cx", "Pd"]
    assert b"The past could not be read, data begin at the present" in packets[2][2]


def test_what_the_ring_has_is_not_asked_of_the_archive(hub, slow, recorder, stream):
    device, first, channel = slow(0, ""), recorder(), recorder()

    async def work():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch, hub, device.plan(), first)
            await first.until(lambda each: len(times(stream, each)) > 300)
            nursery.start_soon(watch, hub, device.plan("now-PT0.5S"), channel)
            await channel.until(lambda each: len(times(stream, each)) > 150)
            nursery.cancel_scope.cancel()

    running(hub, work)
    assert not (device.folder / "calls").exists()
    assert {later - one for one, later in pairwise(times(stream, channel))} == {timedelta(milliseconds=5)}
    assert len(set(first.frames) & set(channel.frames)) > 3


def test_an_instrument_that_is_silent_flows_from_its_archive_when_it_speaks(hub, slow, recorder, stream):
    device, channel = slow(0, ""), recorder()
    hub._patience = 0.1
    reader = device.folder / "late.py"
    reader.write_text("import runpy, sys, time\ntime.sleep(3)\ndel sys.argv[0]\nrunpy.run_path(sys.argv[0], run_name='__main__')\n")  # fmt: skip
    file = device.root / "definitions" / "Lab" / "Device" / "source.toml"
    file.write_text(file.read_text().replace('command = "#[python] ', f'command = "#[python] {reader} ', 1))
    device.install()

    async def work():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(watch, hub, device.plan("now-PT1S"), channel)
            await channel.until(lambda each: len(times(stream, each)) > 900)
            nursery.cancel_scope.cancel()

    running(hub, work)
    assert {later - one for one, later in pairwise(times(stream, channel))} == {timedelta(milliseconds=5)}
    assert len((device.folder / "calls").read_text().splitlines()) == 2

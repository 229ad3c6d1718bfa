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

ARCHIVE = """
[[reader]]
name = "archive"
command = "#[python] {folder}/archive.py {folder} #[read.time.min] #[read.time.max]"
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

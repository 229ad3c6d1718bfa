# SPDX-License-Identifier: GPL-3.0-or-later
"""The channel to one client, over a real connection: frames are whole and in order, whoever is slow or leaves."""

from __future__ import annotations

import socket
import ssl
from contextlib import asynccontextmanager, suppress

import pytest
import trio
import trio.testing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from dasflex_ws.channel import Channel
from dasflex_ws.frames import closing, encoded

#: Bytes that fill what the systems hold between two ends.
MUCH = 1 << 20


async def pair(receive_buffer=8192):
    """Two ends of a connection of TCP that holds little."""
    listener = socket.create_server(("127.0.0.1", 0))
    far = socket.socket()
    far.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    far.connect(listener.getsockname())
    near, _address = listener.accept()
    listener.close()
    near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    for each in (near, far):
        each.setblocking(False)
    return tuple(trio.SocketStream(trio.socket.from_stdlib_socket(each)) for each in (near, far))


class Far:
    """The end of the client."""

    def __init__(self, stream) -> None:
        self.stream = stream
        self._held = b""

    async def frame(self):
        """Opcode and payload of the next frame; None at the end."""
        head = await self._take(2)
        if head is None:
            return None
        assert head[1] < 128
        size = head[1]
        if size > 125:
            size = int.from_bytes(await self._take(2 if size == 126 else 8))
        return head[0] & 15, await self._take(size)

    async def frames(self, count):
        return [(await self.frame())[1] for _each in range(count)]

    async def _take(self, count):
        while len(self._held) < count:
            more = await self.stream.receive_some(65536)
            if not more:
                assert not self._held
                return None
            self._held += more
        taken, self._held = self._held[:count], self._held[count:]
        return taken


@asynccontextmanager
async def opened(live=None, lost=None):
    """A channel that is open, and the client's end; closing is left to the client."""
    near, far = await pair()
    try:
        async with trio.open_nursery() as nursery:
            channel = Channel(near, nursery, lost)

            async def closer(code, reason):
                with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                    await channel.control(closing(code, reason))

            channel.open(closer)
            if live:
                channel.live(*live)
            with trio.fail_after(30):
                yield channel, Far(far)
            channel.lose()
            nursery.cancel_scope.cancel()
    finally:
        await trio.aclose_forcefully(near)
        await trio.aclose_forcefully(far)


def text(payload):
    return encoded(payload, text=True)


def test_what_is_offered_to_a_client_that_takes_it_is_there_without_a_switch():
    async def main():
        async with opened() as (channel, far):
            for number in range(3):
                channel.offer(text(b"%d" % number))
            assert channel.waiting == 0
            assert await far.frames(3) == [b"0", b"1", b"2"]
            assert (channel.sent, channel.dropped) == (3, 0)

    trio.run(main)


def test_what_a_client_does_not_take_waits_and_comes_whole_and_in_order():
    async def main():
        async with opened() as (channel, far):
            offered = [bytes([number]) * 50_000 for number in range(40)]
            for each in offered:
                channel.offer(encoded(each, text=False))
            assert channel.waiting > 0
            await trio.testing.wait_all_tasks_blocked()
            assert channel.lag > 0
            assert await far.frames(40) == offered
            await trio.testing.wait_all_tasks_blocked()
            assert (channel.waiting, channel.lag) == (0, 0)

    trio.run(main)


def test_of_a_slow_client_the_oldest_are_dropped_and_it_is_told_how_many():
    async def main():
        told = []

        def warning(messages, size):
            told.append((messages, size))
            return text(b"lost %d" % messages)

        async with opened(("drop", MUCH, warning)) as (channel, far):
            channel.offer(text(b"header" * 2000), keep=True)
            for number in range(300):
                channel.offer(text(b"%06d" % number * 4000), keep=number == 100)
                assert channel.waiting <= 2 * MUCH
            assert channel.dropped > 0
            assert channel.sent + channel.dropped == 301
            seen, warned, expected = [], 0, 0
            assert (await far.frame())[1].startswith(b"header")
            while expected < 300:
                payload = (await far.frame())[1]
                if payload.startswith(b"lost"):
                    warned += int(payload[5:])
                    continue
                number = int(payload[:6])
                seen.append(number)
                expected = number + 1
            assert seen == sorted(seen)
            assert 100 in seen
            assert 299 in seen
            assert warned == channel.dropped == 300 - len(seen)
            assert told
            assert channel.dropped_bytes == sum(size for _count, size in told)

    trio.run(main)


def test_a_slow_client_is_disconnected_with_1013_where_that_is_the_rule():
    async def main():
        lost = trio.Event()
        async with opened(("disconnect", MUCH, None), lost.set) as (channel, far):
            number = 0
            while not channel.gone.is_set():
                channel.offer(text(b"%06d" % number * 4000))
                number += 1
                await trio.lowlevel.checkpoint()
            assert lost.is_set()
            assert channel.code == 1013
            before = channel.sent
            channel.offer(text(b"more"))
            assert channel.sent == before
            assert far.stream

    trio.run(main)


def test_a_client_that_reads_late_still_gets_the_code_of_the_close():
    async def main():
        async with opened(("disconnect", 200_000, None)) as (channel, far), trio.open_nursery() as nursery:
            for number in range(100):
                channel.offer(text(b"%06d" % number * 4000))
            nursery.start_soon(channel.gone.wait)
            last = None
            while (found := await far.frame())[0] != 8:
                last = found
            assert last is not None
            assert int.from_bytes(found[1][:2]) == 1013

    trio.run(main)


def test_what_waits_is_sent_before_the_close():
    async def main():
        async with opened() as (channel, far), trio.open_nursery() as nursery:
            for number in range(30):
                channel.offer(text(b"%06d" % number * 4000))
            nursery.start_soon(channel.close, 1011, "the reader failed")
            for number in range(30):
                assert (await far.frame())[1][:6] == b"%06d" % number
            assert await far.frame() == (8, (1011).to_bytes(2) + b"the reader failed")

    trio.run(main)


def test_a_client_that_takes_nothing_does_not_hold_up_the_close(monkeypatch):
    monkeypatch.setattr("dasflex_ws.channel._DRAIN", 0.1)
    monkeypatch.setattr("dasflex_ws.channel._HANDSHAKE", 0.1)

    async def main():
        async with opened() as (channel, far):
            for number in range(300):
                channel.offer(text(b"%06d" % number * 4000))
            await channel.close(1001)
            assert channel.gone.is_set()
            assert far.stream

    trio.run(main)


def test_a_pong_goes_in_front_of_what_waits_and_never_into_a_frame():
    async def main():
        async with opened() as (channel, far), trio.open_nursery() as nursery:
            for number in range(100):
                channel.offer(text(b"%06d" % number * 4000))
            nursery.start_soon(channel.control, b"\x8a\x02hi")
            await trio.testing.wait_all_tasks_blocked()
            found = [await far.frame() for _each in range(101)]
            assert (10, b"hi") in found[:80]
            assert [int(payload[:6]) for code, payload in found if code == 1] == list(range(100))

    trio.run(main)


def test_a_send_waits_for_the_client_and_keeps_its_place():
    async def main():
        async with opened() as (channel, far), trio.open_nursery() as nursery:
            channel.offer(text(b"first" * 100_000))
            sent = trio.Event()

            async def send():
                await channel.send(text(b"second" * 100_000))
                sent.set()

            nursery.start_soon(send)
            await trio.testing.wait_all_tasks_blocked()
            assert not sent.is_set()
            channel.offer(text(b"third"))
            assert [payload[:5] for payload in await far.frames(3)] == [b"first", b"secon", b"third"]
            await sent.wait()

    trio.run(main)


def test_a_send_that_is_cancelled_leaves_no_half_frame_behind():
    async def main():
        async with opened() as (channel, far):
            with trio.move_on_after(0.05) as scope:
                await channel.send(text(b"a" * MUCH))
            assert scope.cancelled_caught
            channel.offer(text(b"b"))
            assert await far.frames(2) == [b"a" * MUCH, b"b"]

    trio.run(main)


def test_nothing_follows_a_close_frame():
    async def main():
        async with opened() as (channel, far):
            await channel.control(closing(1000))
            channel.offer(text(b"late"))
            with pytest.raises(trio.ClosedResourceError):
                await channel.control(b"\x8a\x00")
            with trio.move_on_after(0.05) as scope:
                await channel.send(text(b"late"))
            assert scope.cancelled_caught
            channel.lose()
            await far.stream.send_eof()
            assert await far.frame() == (8, b"\x03\xe8")
            with trio.move_on_after(0.05) as scope:
                await far.frame()
            assert scope.cancelled_caught

    trio.run(main)


def test_a_client_that_is_reset_is_gone_at_the_next_send_and_nobody_raises():
    async def main():
        lost = trio.Event()
        async with opened(None, lost.set) as (channel, far):
            far.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            await far.stream.aclose()
            while not channel.gone.is_set():
                channel.offer(text(b"x" * 1000))
                await trio.lowlevel.checkpoint()
            assert lost.is_set()
            channel.offer(text(b"x"))
            await channel.close(1000)

    trio.run(main)


def test_what_the_client_has_taken_is_known():
    async def main():
        async with opened() as (channel, far):
            channel.offer(text(b"x" * 100))
            while channel.acknowledged < 102:
                await trio.lowlevel.checkpoint()
            channel.offer(text(b"x" * MUCH))
            await trio.testing.wait_all_tasks_blocked()
            assert channel.acknowledged < channel.sent_bytes + channel.waiting
            await far.frames(2)
            while channel.acknowledged < MUCH:
                await trio.lowlevel.checkpoint()

    trio.run(main)


@given(
    steps=some.lists(
        some.tuples(some.sampled_from(("offer", "offer", "keep", "send", "cancel", "pong")), some.integers(0, 40_000)),
        max_size=40,
    )
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_done_frames_are_whole_and_those_to_be_kept_arrive_in_order(steps):
    async def main():
        async with opened(("drop", 100_000, lambda messages, _size: text(b"w%d" % messages))) as (channel, far):
            kept, found = [], []
            async with trio.open_nursery() as nursery:
                for number, (step, size) in enumerate(steps):
                    payload = b"%d," % number + b"x" * size
                    if step in ("keep", "send"):
                        kept.append(number)
                        payload = payload[:1000]
                    await done(step, text(payload), channel, nursery)
                    await trio.testing.wait_all_tasks_blocked(0.0002)
                nursery.start_soon(channel.send, text(b"end"))
                while (taken := await far.frame())[1] != b"end":
                    found.append(taken)
            assert {code for code, _payload in found} <= {1, 10}
            numbers = [int(payload.partition(b",")[0]) for code, payload in found if code == 1 and payload[:1] != b"w"]
            assert numbers == sorted(numbers)
            assert set(kept) <= set(numbers)
            warned = sum(int(payload[1:]) for code, payload in found if code == 1 and payload[:1] == b"w")
            assert warned == channel.dropped

    trio.run(main)


async def done(step, frame, channel, nursery):
    """Does one thing to a channel."""
    if step in ("offer", "keep"):
        channel.offer(frame, keep=step == "keep")
    elif step == "send":
        nursery.start_soon(channel.send, frame)
    elif step == "cancel":
        with trio.CancelScope() as scope:
            scope.cancel()
            await channel.send(frame)
    else:
        nursery.start_soon(channel.control, b"\x8a\x00")


def test_over_tls_frames_are_whole_too(tmp_path):
    import subprocess

    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-keyout", tmp_path / "key", "-out", tmp_path / "crt"],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "crt", tmp_path / "key")
    trusting = ssl.create_default_context(cafile=tmp_path / "crt")
    trusting.check_hostname = False

    async def main():
        near, far = await pair()
        server = trio.SSLStream(near, context, server_side=True, https_compatible=True)
        client = trio.SSLStream(far, trusting, server_hostname="localhost", https_compatible=True)
        with trio.fail_after(30):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(server.do_handshake)
                await client.do_handshake()
            async with trio.open_nursery() as nursery:
                channel = Channel(server, nursery)
                channel.upgraded.set()
                reading = Far(client)
                channel.offer(text(b"a" * MUCH))
                with trio.move_on_after(0.05):
                    await channel.send(text(b"b" * MUCH))
                nursery.start_soon(channel.control, b"\x8a\x00")
                channel.offer(text(b"c"))
                await trio.testing.wait_all_tasks_blocked()
                found = [await reading.frame() for _each in range(4)]
                assert [(code, payload[:1]) for code, payload in found if code == 1] == [
                    (1, b"a"),
                    (1, b"b"),
                    (1, b"c"),
                ]
                assert (10, b"") in found[1:]
                channel.lose()
                nursery.cancel_scope.cancel()
            await trio.aclose_forcefully(near)
            await trio.aclose_forcefully(far)

    trio.run(main)

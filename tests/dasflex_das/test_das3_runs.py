# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs of packets are found at full speed, and are the packets that a plain walk finds."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dasflex_das.runs import Packet, Run, Walker, gather, repeats

KINDS = [Packet(b"|Pd|1|3|", 11, 1), Packet(b"|Pd|2|1|", 9, 2), Packet(b"|Pd|02|1|", 10, 2), Packet(b"|Pd|3|0|", 8, 3)]


def stream(kinds: list[int]) -> tuple[bytes, dict[int, list[bytes]]]:
    """The bytes of packets of these kinds, and the bodies of each id in order."""
    data, bodies = b"", {}
    for count, kind in enumerate(kinds):
        packet = KINDS[kind]
        body = bytes((count + each) % 256 for each in range(packet.size - len(packet.tag)))
        data += packet.tag + body
        bodies.setdefault(packet.id, []).append(body)
    return data, bodies


def walk(data: bytes, most: int) -> tuple[dict[int, list[bytes]], int]:
    """The bodies that a walker finds, and where it stopped."""
    walker, at, found = Walker(), 0, {}
    for packet in KINDS:
        walker.know(packet)
    while (end := walker.follow(data, at, most)) > at:
        at = end
        for number, runs in walker.take().items():
            size = next(packet.size - len(packet.tag) for packet in KINDS if packet.id == number)
            found.setdefault(number, []).extend(row.tobytes() for row in gather(data, runs, size))
    return found, at


patterns = st.tuples(
    st.lists(st.integers(0, 3), min_size=1, max_size=6), st.integers(1, 60), st.lists(st.integers(0, 3))
)


@given(st.lists(patterns, max_size=4), st.sampled_from([1, 30, 400, 1 << 20]))
def test_every_packet_is_found_once_and_in_order(parts, most):
    """Whatever patterns follow one another, with whatever between them."""
    data, bodies = stream([kind for pattern, times, rest in parts for kind in [*(pattern * times), *rest]])
    assert walk(data, most) == (bodies, len(data))


@given(st.lists(st.integers(0, 3), min_size=1, max_size=400), st.integers(1, 20))
def test_a_walk_ends_before_a_packet_that_is_not_whole(kinds, missing):
    """The rest waits for more bytes."""
    data, _bodies = stream(kinds)
    last = KINDS[kinds[-1]].size
    _found, end = walk(data[: len(data) - min(missing, last)], 1 << 20)
    assert end == len(data) - last


def test_a_walk_ends_at_an_unknown_tag():
    """Which may be a header, or no packet at all."""
    data, _bodies = stream([0] * 200)
    for rest in (b"|Hx|01|5|<x/>", b"garbage without a tag", b"|Pd|9|1|x"):
        assert walk(data + rest, 1 << 20)[1] == len(data)


def test_packets_that_announce_their_size_are_walked_among_the_others():
    """Whatever they announce; not beyond the data, nor what is no length."""
    data, bodies = stream([0, 1] * 100)
    varying = [b"x" * (place * 7 % 300) for place in range(200)]
    mixed = b"".join(b"|Pd|7|%d|%b" % (len(body), body) for body in varying)
    walker = Walker()
    walker.know_varying(b"|Pd|7|", 7)
    for packet in KINDS:
        walker.know(packet)
    whole, at = data + mixed + data, 0
    while (end := walker.follow(whole, at, 1 << 20)) > at:
        at = end
    assert at == len(whole)
    assert [whole[first:stop] for first, stop in walker.take_spans()[7]] == varying
    assert sum(1 if isinstance(each, int) else each.times * len(each.starts) for each in walker.take()[1]) == 2 * len(
        bodies[1]
    )
    for bad in (b"|Pd|7|5|four", b"|Pd|7|+1|a", b"|Pd|7|1_0|0123456789", b"|Pd|7|", b"|Pd|7", b"|Pd|7|9999999999|a"):
        assert walker.follow(bad, 0, 1 << 20) == 0
    assert not walker.take_spans()


def test_one_run_is_a_view_and_copies_nothing():
    """Binary columns are views of the bytes that came in."""
    data, bodies = stream([0] * 50)
    rows = gather(data, [Run((8,), 11, 50)], 3)
    assert np.shares_memory(rows, np.frombuffer(data, dtype=np.uint8))
    assert [row.tobytes() for row in rows] == bodies[1]


@pytest.mark.parametrize("wrong", [0, 1, 63, 64, 65, 199])
def test_repeats_stop_at_the_first_wrong_tag(wrong):
    """At any place in the blocks that are compared."""
    data, _bodies = stream([0, 1] * 200)
    stride = KINDS[0].size + KINDS[1].size
    damaged = bytearray(data)
    damaged[wrong * stride + KINDS[0].size + 2] ^= 1
    assert repeats(bytes(damaged), 0, KINDS[:2], 1000) == wrong
    assert repeats(data, 0, KINDS[:2], 1000) == 200
    assert repeats(data, 0, KINDS[:2], 7) == 7


def test_a_shuffled_stream_is_walked_without_loss():
    """No pattern at all, more packets than the longest walk."""
    kinds = random.Random(5).choices(range(4), k=5000)
    data, bodies = stream(kinds)
    assert walk(data, 1 << 14) == (bodies, len(data))

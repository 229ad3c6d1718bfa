# SPDX-License-Identifier: GPL-3.0-or-later
"""The ring keeps the end of what came, whole, within its bounds, and knows what was declared before it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from dasflex_ws.ring import _DECLARATIONS, OVERHEAD, Ring

SECOND = 1_000_000_000

COMING = st.lists(
    st.tuples(
        st.sampled_from(["data", "data", "data", "dataset", "header", "comment"]),
        st.integers(1, 3),
        st.integers(0, 400),  # bytes
        st.integers(-2, 12),  # seconds since the one before
    ),
    max_size=60,
)


def filled(coming, keep, catch_up):
    """A ring after all that, and a plain list of all entries."""
    ring, known, at = Ring(keep, catch_up), [], 1000 * SECOND
    for kind, identifier, size, seconds in coming:
        at += seconds * SECOND
        known.append(ring.push(kind, 0 if kind == "header" else identifier, bytes(size), at))
    return ring, known


def in_force(entries):
    """The last declaration of each kind and id, in the order in which they came."""
    last = {(each.kind, each.id): each for each in entries if each.kind in ("header", "dataset")}
    return sorted(last.values())


@given(COMING, st.integers(0, 4000), st.integers(0, 30))
@settings(max_examples=300, deadline=None)
def test_what_is_held_is_the_end_of_what_came_within_the_bounds(coming, keep, catch_up):
    ring, known = filled(coming, keep, catch_up)
    held = known[ring.first :]
    assert ring.after(0, 1 << 30) == held
    assert len(ring) == len(held)
    assert ring.next == len(known)
    assert [each.number for each in known] == list(range(len(known)))
    if len(held) > 1:
        assert sum(len(each.data) + OVERHEAD for each in held) <= keep
        assert held[0].at >= held[-1].at - catch_up * SECOND
    if known and ring.first:  # nothing was let go without need
        more = known[ring.first - 1 :]
        size = sum(len(each.data) + OVERHEAD for each in more)
        newest = max(each.at for each in known)
        assert size > keep or more[0].at < newest - catch_up * SECOND or len(held) == 1


@given(COMING, st.integers(0, 4000), st.integers(0, 30), st.data())
@settings(max_examples=300, deadline=None)
def test_one_who_joins_anywhere_is_shown_what_was_declared_before(coming, keep, catch_up, data):
    ring, known = filled(coming, keep, catch_up)
    place = data.draw(st.integers(ring.first, ring.next))
    assert ring.heads(place) == in_force(known[:place])
    since = data.draw(st.integers(990, 1200)) * SECOND
    begin = ring.since(since)
    assert all(each.at >= since for each in known[begin:])
    assert all(each.at < since for each in known[ring.first : begin])
    if ring.reaches(since):
        assert not [each for each in known[: ring.first] if each.at >= since and not each.declares]


@given(COMING, st.integers(0, 1000))
@settings(max_examples=100, deadline=None)
def test_reading_on_from_number_to_number_gives_all_that_came_once(coming, most):
    ring, known = filled(coming, 1 << 30, 1e6)
    seen = []
    while batch := ring.after(len(seen), most):
        assert sum(len(each.data) for each in batch) <= most or len(batch) == 1
        seen += batch
    assert seen == known


def test_a_number_that_is_lost_is_read_on_from_the_oldest():
    ring = Ring(keep=3 * (OVERHEAD + 1), catch_up=1e6)
    for number in range(10):
        ring.push("data", 1, bytes([number]), number)
    assert [each.number for each in ring.after(2, 1 << 20)] == [7, 8, 9]
    assert ring.after(10, 1 << 20) == []


def test_what_came_before_a_mark_is_not_whole_any_more():
    ring = Ring()
    ring.push("data", 1, b"a", 10)
    assert ring.reaches(10)
    ring.mark(20)
    assert not ring.reaches(19)
    assert ring.reaches(20)


def test_a_clock_that_is_set_back_leaves_the_order():
    ring = Ring()
    times = [ring.push("data", 1, b"", at).at for at in (50, 30, 60)]
    assert times == [50, 50, 60]


def test_a_stream_that_declares_for_ever_does_not_fill_the_memory():
    ring = Ring(keep=OVERHEAD, catch_up=1e6)
    ring.push("header", 0, b"H", 0)
    for number in range(2 * _DECLARATIONS):
        ring.push("dataset", number, b"D", number)
    heads = ring.heads(ring.next)
    assert len(heads) <= _DECLARATIONS + 1
    assert heads[0].kind == "header"
    assert heads[-1].id == 2 * _DECLARATIONS - 1


def test_the_list_of_what_is_held_is_freed_as_it_passes():
    ring = Ring(keep=10 * (OVERHEAD + 1), catch_up=1e6)
    for number in range(10_000):
        ring.push("data", 1, b"x", number)
    assert len(ring._held) < 100

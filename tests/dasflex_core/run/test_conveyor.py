# SPDX-License-Identifier: GPL-3.0-or-later
"""The bounded line between threads."""

from __future__ import annotations

import threading
import time

import pytest

from dasflex_core.errors import BusyError
from dasflex_core.run.conveyor import Conveyor


def test_items_come_in_order_and_all_of_them():
    conveyor = Conveyor()
    conveyor.load(0, lambda: iter(range(1000)))
    assert list(conveyor.items()) == list(range(1000))


def test_items_of_several_iterators_bear_their_numbers():
    conveyor = Conveyor()
    for place in range(3):
        conveyor.load(place, lambda: iter(range(100)))
    got = []
    while (taken := conveyor.take()) is not None:
        got.append(taken)
    assert sorted(got) == [(place, item) for place in range(3) for item in range(100)]


def test_no_more_than_the_capacity_is_made_ahead():
    made = []

    def numbers():
        for each in range(100):
            made.append(each)
            yield each

    conveyor = Conveyor(capacity=2)
    conveyor.load(0, numbers)
    conveyor.take()
    time.sleep(0.1)
    assert len(made) <= 4
    conveyor.close()


def test_what_an_iterator_raises_comes_after_its_items():
    def broken():
        yield 1
        raise ZeroDivisionError

    conveyor = Conveyor()
    conveyor.load(0, broken)
    assert conveyor.take() == (0, 1)
    with pytest.raises(ZeroDivisionError):
        conveyor.take()


def test_what_cannot_begin_raises():
    conveyor = Conveyor()
    conveyor.load(0, lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        conveyor.take()


def test_closing_wakes_who_waits_and_ends_the_threads():
    ended = threading.Event()

    def endless():
        try:
            while True:
                yield 1
        finally:
            ended.set()

    conveyor = Conveyor()
    conveyor.load(0, endless)
    conveyor.take()
    conveyor.close()
    assert ended.is_set()
    assert conveyor.closed()
    with pytest.raises(BusyError):
        conveyor.take()


def test_a_thread_that_blocks_is_left_behind():
    release = threading.Event()
    conveyor = Conveyor()
    conveyor.load(0, lambda: iter(release.wait, True))
    begin = time.monotonic()
    conveyor.close()
    assert time.monotonic() - begin < 1
    release.set()

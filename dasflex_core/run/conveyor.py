# SPDX-License-Identifier: GPL-3.0-or-later
"""Iterators that run in threads of their own, and what they yield in one bounded line."""

from __future__ import annotations

from collections import deque
from threading import Condition, Thread
from typing import TYPE_CHECKING, Generic, TypeVar

from dasflex_core.run.family import cancelled

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Conveyor"]

T = TypeVar("T")
#: Seconds in which a thread must see that it is no longer wanted; one that blocks for longer is left behind.
_PATIENCE = 0.5


class Conveyor(Generic[T]):
    """A bounded line of items, filled by one thread for each iterator, emptied by the thread that iterates.

    At most `capacity` items wait; a thread with more to give waits, too. What an iterator raises is raised by the
    conveyor, after all that was put on the line before. With `idle`, `items` gives that whenever nothing has come for
    `period` seconds.
    """

    def __init__(self, capacity: int = 4, idle: T | None = None, period: float = 1.0) -> None:
        self._capacity = capacity
        self._idle = idle
        self._period = period
        self._line: deque[tuple[int, T]] = deque()
        self._changed = Condition()
        self._failure: BaseException | None = None
        self._running = 0
        self._closed = False
        self._threads: list[Thread] = []

    def load(self, place: int, begin: Callable[[], Iterator[T]]) -> None:
        """Starts a thread that runs what `begin` gives; its items bear the number `place`."""
        thread = Thread(target=self._run, args=(place, begin), name=f"dasflex-conveyor-{place}", daemon=True)
        with self._changed:
            self._running += 1
        self._threads.append(thread)
        thread.start()

    def closed(self) -> bool:
        """Whether nobody wants more items."""
        return self._closed

    def take(self) -> tuple[int, T] | None:
        """The next item with the number of its iterator; None when all have ended.

        Raises what one of them raised, and `BusyError` if the conveyor was closed.
        """
        with self._changed:
            self._changed.wait_for(self._ready)
            if self._closed:
                raise cancelled()
            if self._line:
                self._changed.notify_all()
                return self._line.popleft()
            if self._failure is not None:
                raise self._failure
            return None

    def items(self) -> Iterator[T]:
        """All items until the end, without their numbers."""
        while True:
            while self._idle is not None and not self._waits(self._period):
                yield self._idle
            taken = self.take()
            if taken is None:
                return
            yield taken[1]

    def _ready(self) -> bool:
        """Whether there is an item, or an end of whatever kind."""
        return bool(self._line or self._failure or not self._running or self._closed)

    def _waits(self, seconds: float) -> bool:
        """Waits for an item or an end; false where that took too long."""
        with self._changed:
            return self._changed.wait_for(self._ready, seconds)

    def close(self) -> None:
        """Ends the threads at their next item, and waits for them a little."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(_PATIENCE)

    def _run(self, place: int, begin: Callable[[], Iterator[T]]) -> None:
        """Puts what an iterator gives on the line, until it ends or nobody wants it."""
        failure: BaseException | None = None
        try:
            items = begin()
            try:
                for item in items:
                    if not self._put(place, item):
                        break
            finally:
                close = getattr(items, "close", None)
                if close is not None:
                    close()
        except BaseException as error:  # noqa: BLE001  raised again by the thread that takes
            failure = error
        with self._changed:
            self._failure = self._failure or failure
            self._running -= 1
            self._changed.notify_all()

    def _put(self, place: int, item: T) -> bool:
        """Waits for room and puts an item on the line; false where nobody wants it."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._line) < self._capacity or self._closed)
            if not self._closed:
                self._line.append((place, item))
                self._changed.notify_all()
            return not self._closed

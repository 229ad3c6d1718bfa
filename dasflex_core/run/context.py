# SPDX-License-Identifier: GPL-3.0-or-later
"""What the nodes of one run share: its programs and threads, its first failure, and whether data have come."""

from __future__ import annotations

import contextlib
from threading import Lock
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from dasflex_core.run.family import Family

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dasflex_core.arrays import Item
    from dasflex_core.errors import DasflexError
    from dasflex_core.run.conveyor import Conveyor
    from dasflex_core.run.settings import PumpSettings

    Piece: TypeAlias = bytes | Item

__all__ = ["Run"]

_T = TypeVar("_T")


class Run:
    """The state of a run. `data` says that records have reached what writes the answer."""

    def __init__(self, settings: PumpSettings, token: str) -> None:
        self.settings = settings
        self.family = Family(token, python=settings.python, grace=settings.grace, guardian=settings.guardian)
        self.data = False
        self.failure: DasflexError | None = None
        self._lock = Lock()
        self._conveyors: list[Conveyor[Any]] = []
        self._ends: list[Callable[[], None]] = []
        self._flows: list[Iterator[Piece]] = []

    def mark_data(self) -> None:
        """Notes that data have come."""
        self.data = True

    def first(self, failure: DasflexError) -> bool:
        """Notes a failure that the stream is about to tell; false where it tells one already."""
        with self._lock:
            if self.failure is not None:
                return False
            self.failure = failure
            return True

    def carry(self, conveyor: Conveyor[_T]) -> Conveyor[_T]:
        """The conveyor, whose threads end with the run."""
        with self._lock:
            self._conveyors.append(conveyor)
        if self.family.ended:  # cancelled while the plan was being opened
            conveyor.close()
        return conveyor

    def at_end(self, end: Callable[[], None]) -> None:
        """Calls `end` when the run is closed."""
        with self._lock:
            self._ends.append(end)

    def keep(self, flow: Iterator[Piece]) -> None:
        """Closes a generator when the run ends."""
        with self._lock:
            self._flows.append(flow)

    def cancel(self) -> None:
        """Ends the programs and threads, so that whoever waits for them fails. From any thread."""
        self.family.end()
        with self._lock:
            conveyors, self._conveyors = self._conveyors, []
        for conveyor in conveyors:
            conveyor.close()

    def close(self) -> None:
        """Ends all that the run has started, and closes what it has opened. From the thread that pumps."""
        self.cancel()
        with self._lock:
            flows, self._flows = self._flows, []
            ends, self._ends = self._ends, []
        for flow in reversed(flows):
            close = getattr(flow, "close", None)
            if close is not None:
                with contextlib.suppress(ValueError):  # it runs in a thread, which closes it
                    close()
        for end in reversed(ends):
            end()

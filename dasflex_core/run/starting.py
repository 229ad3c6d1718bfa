# SPDX-License-Identifier: GPL-3.0-or-later
"""The start of an answer: what comes is held until data are there, so that an early failure is no half answer."""

from __future__ import annotations

from collections import deque
from threading import Condition, Thread
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dasflex_core.run.context import Piece

__all__ = ["Start"]

#: Bytes that are held at most: whoever writes this much before any data is heard at once.
_HELD: Final = 1 << 24


class Start:
    """Runs `begin` and takes from its iterator until `enough()` says so, in this thread or in another."""

    def __init__(self, begin: Callable[[], Iterator[Piece]], enough: Callable[[], bool]) -> None:
        self.begun = False
        self.failure: BaseException | None = None
        self._begin = begin
        self._enough = enough
        self._held: deque[Piece] = deque()
        self._rest: Iterator[Piece] = iter(())
        self._done = False
        self._changed = Condition()
        self._thread: Thread | None = None

    def wait(self, patience: float | None) -> bool:
        """Waits for enough, the end or a failure, at most `patience` seconds; false where that was not enough.

        Without a limit the work is done in the calling thread.
        """
        if not self.begun:
            self.begun = True
            if patience is None:
                self._take()
            else:
                self._thread = Thread(target=self._take, name="dasflex-start", daemon=True)
                self._thread.start()
        with self._changed:
            return self._changed.wait_for(lambda: self._done, patience)

    def pieces(self) -> Iterator[Piece]:
        """All of it: what is held, what is still being waited for, and the rest. Raises what came in its way."""
        while (piece := self._next()) is not None:
            yield piece
        if self.failure is not None:
            raise self.failure
        yield from self._rest

    def join(self) -> None:
        """Waits for the other thread, which must have been given a reason to end."""
        if self._thread is not None:
            self._thread.join()

    def _next(self) -> Piece | None:
        """The next piece that was taken early; None when there are no more of these."""
        with self._changed:
            self._changed.wait_for(lambda: self._held or self._done)
            return self._held.popleft() if self._held else None

    def _take(self) -> None:
        """Takes pieces until there are enough."""
        held = 0
        try:
            self._rest = self._begin()
            while not self._enough() and held < _HELD:
                piece = next(self._rest, None)
                if piece is None:
                    break
                if isinstance(piece, bytes) and not piece:
                    continue
                held += len(piece) if isinstance(piece, bytes) else 0
                with self._changed:
                    self._held.append(piece)
                    self._changed.notify_all()
        except BaseException as error:  # noqa: BLE001  raised again by the thread that wants the pieces
            self.failure = error
        with self._changed:
            self._done = True
            self._changed.notify_all()

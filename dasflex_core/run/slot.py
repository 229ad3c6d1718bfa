# SPDX-License-Identifier: GPL-3.0-or-later
"""An input that is filled from outside: what a run is fed with, by whoever waits for it elsewhere."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dasflex_core.errors import DasflexError

__all__ = ["Slot"]


class Slot:
    """Bytes that are put here come out of `pieces`, which never waits.

    Where nothing is left it gives an empty chunk and notes that it is `dry`. Flows are pulled: whoever asks the slot
    again has been through with all that it gave before.
    """

    def __init__(self) -> None:
        self.dry = False
        self._waiting: deque[bytes] = deque()
        self._failure: DasflexError | None = None
        self._ended = False

    def put(self, piece: bytes) -> None:
        """Adds bytes."""
        if piece:
            self._waiting.append(piece)

    def end(self, failure: DasflexError | None = None) -> None:
        """Says that there will be no more, because of a failure if there is one."""
        self._ended = True
        self._failure = failure

    def pieces(self) -> Iterator[bytes]:
        """What was put, and empty chunks in between. Raises the failure behind the last."""
        while True:
            if self._waiting:
                yield self._waiting.popleft()
            elif not self._ended:
                self.dry = True
                yield b""
            elif self._failure is not None:
                raise self._failure
            else:
                return

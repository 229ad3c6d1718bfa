# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes to the standard input of a program, in a thread, so that its output can be read meanwhile."""

from __future__ import annotations

import os
from threading import Thread
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Feeder"]


class Feeder:
    """Feeds a pipe from an iterator, which from now on is the thread's alone, and closes both.

    `failure` is what the iterator raised; it is there before the program can see the end of its input. `nothing`
    says that the input ended without a byte, `waiting` that the program waits for us. `sign` is called after each
    write.
    """

    def __init__(self, descriptor: int, source: Iterator[bytes], sign: Callable[[], None]) -> None:
        self.failure: BaseException | None = None
        self.nothing = False
        self.waiting = True
        self._descriptor = descriptor
        self._source = source
        self._sign = sign
        Thread(target=self._run, name="dasflex-feeder", daemon=True).start()

    def _run(self) -> None:
        """Feeds until the source ends or fails, or nobody reads any more."""
        written = 0
        try:
            for chunk in self._source:
                if chunk:  # an empty one says only that nothing came for a while
                    written += self._write(chunk)
            self.nothing = not written
        except BrokenPipeError:
            pass  # the program has read enough; whether it succeeded is seen from its exit status
        except BaseException as error:  # noqa: BLE001  raised again by the thread that reads the program's output
            self.failure = error
        finally:
            self.waiting = False
            os.close(self._descriptor)
            self._close_source()

    def _write(self, chunk: bytes) -> int:
        """Writes all of a chunk."""
        self.waiting = False
        rest = memoryview(chunk)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]
            self._sign()
        self.waiting = True
        return len(chunk)

    def _close_source(self) -> None:
        """Ends the generators behind the source in the thread that ran them."""
        close = getattr(self._source, "close", None)
        if close is not None:
            close()

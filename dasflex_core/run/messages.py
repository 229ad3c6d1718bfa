# SPDX-License-Identifier: GPL-3.0-or-later
"""The standard error of programs: read as it comes, kept in part, and written to a log."""

from __future__ import annotations

import os
from threading import Thread
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from dasflex_core.run.reader_log import Log

__all__ = ["KEPT", "Messages"]

#: Bytes of the end of the messages that are kept.
KEPT: Final = 1 << 16
_LINES: Final = 20


class Messages:
    """Reads a pipe in a thread of its own, so that no program ever waits to complain."""

    def __init__(self, descriptor: int, log: Log | None = None) -> None:
        self._descriptor = descriptor
        self._log = log
        self._kept = b""
        self._thread = Thread(target=self._read, name="dasflex-messages", daemon=True)
        self._thread.start()

    def wait(self, seconds: float) -> None:
        """Waits for the end of the messages, but no longer: a process that was left behind may hold the pipe."""
        self._thread.join(seconds)

    def last_lines(self) -> str:
        """The last twenty lines, at most 64 kB of them."""
        return "\n".join(self._kept.decode("utf-8", "replace").splitlines()[-_LINES:])

    def _read(self) -> None:
        """Reads until every writer has closed the pipe."""
        try:
            while chunk := os.read(self._descriptor, KEPT):
                self._kept = (self._kept + chunk)[-KEPT:]
                self._write(chunk)
        finally:
            os.close(self._descriptor)

    def _write(self, chunk: bytes) -> None:
        """Writes to the log. A log that is full or closed is no reason to fail the request: it gets no more."""
        if self._log is None:
            return
        try:
            self._log.write(chunk)
            self._log.flush()
        except (OSError, ValueError):
            self._log = None

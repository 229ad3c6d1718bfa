# SPDX-License-Identifier: GPL-3.0-or-later
"""The account of each request: what was sent, how long it took and how it ended, in one entry of the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dasflex_cgi.exchange import Wrapped
from dasflex_core.errors import DasflexError
from dasflex_core.logs import LogEntry

if TYPE_CHECKING:
    from collections.abc import Callable

    from dasflex_cgi.exchange import Body
    from dasflex_cgi.visit import Visit

__all__ = ["Accounted", "entry_of"]


def entry_of(visit: Visit, status: int, sent: int, *, complete: bool) -> LogEntry:
    """What the log says of a request that has ended: `sent` bytes, and whether that is all there was."""
    asked, error = visit.asked, visit.error
    return LogEntry(
        time=visit.begun,
        client=asked.client,
        request=visit.id,
        method=asked.method,
        target=f"{asked.base}{asked.path}{asked.query and '?' + asked.query}",
        status=status,
        bytes=sent,
        seconds=visit.seconds,
        complete=complete,
        agent=asked.headers.get("user-agent", ""),
        kind=error.kind if error else "",
        message=error.message if error else "",
        detail=error.detail if error else "",
        user=visit.user,
        source=visit.source,
    )


class Accounted(Wrapped):
    """A body whose bytes are counted; `ended` is told their number, and whether that is all, when it is closed."""

    def __init__(self, body: Body, visit: Visit, ended: Callable[[int, bool], None]) -> None:
        super().__init__(body)
        self._visit = visit
        self._ended = ended
        self._sent = 0
        self._complete = False
        self._closed = False

    def __next__(self) -> bytes:
        try:
            piece = next(self._pieces)
        except StopIteration:
            self._complete = True
            raise
        except Exception as error:
            self._visit.error = error if isinstance(error, DasflexError) else DasflexError(type(error).__name__)
            raise
        self._sent += len(piece)
        return piece

    def close(self) -> None:
        """Closes the body, and then the account. May be called twice."""
        try:
            super().close()
        finally:
            if not self._closed:
                self._closed = True
                self._ended(self._sent, self._complete)

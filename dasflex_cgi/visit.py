# SPDX-License-Identifier: GPL-3.0-or-later
"""What becomes known of one request while it is answered: who it is for, what they expect, how long things took."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from dasflex_core.claims import Claim, is_foreign

if TYPE_CHECKING:
    from dasflex_cgi.exchange import Asked
    from dasflex_core.errors import DasflexError
    from dasflex_core.streamtype import StreamType

__all__ = ["Visit", "address"]


class Visit:
    """One request on its way to an answer.

    `id` is the request's id, which a run replaces by its own. `wanted` is the stream type that the client expects, as
    far as that can be told, and `das2` whether it speaks the `das2` convention: both decide the form of a failure.
    `source` is the id of the source that was asked, as the catalog writes it, and `error` what went wrong. `claim` is
    who asks, not checked yet, and `user` who that turned out to be: blank where nobody has logged in.
    """

    def __init__(self, asked: Asked, identifier: str, remote_user: str = "") -> None:
        self.asked = asked
        self.id = identifier
        self.wanted: StreamType | None = None
        self.das2 = False
        self.source = ""
        self.error: DasflexError | None = None
        foreign = is_foreign(asked.headers.get("origin", ""), asked.headers.get("host", ""))
        self.claim = Claim(asked.client, asked.headers.get("authorization", ""), remote_user, foreign=foreign)
        self.user = ""
        self.begun = time.time()
        self._clock = time.perf_counter()
        self._last = self._clock
        self._timed: list[tuple[str, float]] = []

    def mark(self, phase: str) -> None:
        """Notes that a phase has ended: it took the time since the one before it."""
        now = time.perf_counter()
        self._timed.append((phase, now - self._last))
        self._last = now

    @property
    def seconds(self) -> float:
        """The seconds since the request came."""
        return time.perf_counter() - self._clock

    @property
    def timing(self) -> str:
        """The phases as `Server-Timing` has them, in milliseconds; blank where there were none."""
        return ", ".join(f"{name};dur={seconds * 1e3:.1f}" for name, seconds in self._timed)


def address(asked: Asked, path: str, public: str) -> str:
    """The absolute address of a path of this server, as the client would write it; `public` stands in for its host."""
    return f"{asked.origin}{asked.base}{path}" if asked.origin else public.rstrip("/") + path

# SPDX-License-Identifier: GPL-3.0-or-later
"""How the showing of a stream to a client came to its end, as a close code of RFC 6455, 7.4.1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from dasflex_core.errors import DasflexError

__all__ = ["FAILED", "GOING_AWAY", "GONE", "NORMAL", "POLICY", "TOO_BIG", "TRY_LATER", "Ending"]

#: All was sent; the server stops; a limit of the server; a message of the client is too big; a failure; too slow.
NORMAL: Final = 1000
GONE: Final = 1006  # never sent: the client has gone without a word
GOING_AWAY: Final = 1001
POLICY: Final = 1008
TOO_BIG: Final = 1009
FAILED: Final = 1011
TRY_LATER: Final = 1013


@dataclass(frozen=True, slots=True)
class Ending:
    """An end: the close code, what is said with it, and the failure behind it, if one is."""

    code: int
    reason: str = ""
    failure: DasflexError | None = None

# SPDX-License-Identifier: GPL-3.0-or-later
"""How the showing of a stream to a client came to its end, as a close code of RFC 6455, 7.4.1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_core.errors import QueryError
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from dasflex_core.errors import DasflexError

__all__ = [
    "FAILED",
    "GOING_AWAY",
    "GONE",
    "NORMAL",
    "POLICY",
    "PROTOCOL",
    "TOO_BIG",
    "TRY_LATER",
    "Ending",
    "left_with",
    "told_with",
]

#: All was sent.
NORMAL: Final = 1000
#: The server stops.
GOING_AWAY: Final = 1001
#: The client breaks the protocol.
PROTOCOL: Final = 1002
#: The client has gone without a word. This is never sent.
GONE: Final = 1006
#: A limit of the server was reached.
POLICY: Final = 1008
#: A message of the client is too big.
TOO_BIG: Final = 1009
#: The source failed, or the server.
FAILED: Final = 1011
#: Too slow, or too many: it may go better later.
TRY_LATER: Final = 1013
#: The codes for a client that breaks the protocol.
_BROKEN: Final = (PROTOCOL, 1003, 1007, TOO_BIG)
#: What those clients are told who can do something about it, in place of what a library says of itself.
_TOLD: Final = {
    PROTOCOL: "What was sent is not as RFC 6455 has it",
    1007: "A text message must be UTF-8",
    TOO_BIG: "This message is too long; none is wanted",
}


@dataclass(frozen=True, slots=True)
class Ending:
    """An end: the close code, what is said with it, and the failure behind it, if one is."""

    code: int
    reason: str = ""
    failure: DasflexError | None = None


def told_with(code: int, reason: str) -> str:
    """What is said with the close code of a connection that the client has ended, or broken."""
    return _TOLD.get(code, reason)


def left_with(code: int, reason: str) -> Ending:
    """How it ended where the client ended it, or broke the protocol."""
    if code in _BROKEN:
        said = f"The client broke the protocol ({code}): {' '.join(reason.split())}"
        return Ending(code, reason, QueryError(said, kind="query"))
    return Ending(code, reason)

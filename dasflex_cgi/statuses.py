# SPDX-License-Identifier: GPL-3.0-or-later
"""What HTTP says of a failure: the status of each kind of error, and the text that a client may see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dasflex_core.errors import DasflexError

__all__ = ["STATUSES", "public_text", "status_of"]

#: The status of each kind of error, or of a whole family of kinds.
STATUSES: Final[Mapping[str, int]] = {
    "query": 400,
    "access.log-in": 401,
    "access": 403,
    "not-found": 404,
    "source.silent": 504,
    "source": 500,
    "config": 500,
    "busy": 503,
    "error": 500,
}


def status_of(error: DasflexError) -> int:
    """The status of an error."""
    return STATUSES.get(error.kind) or STATUSES.get(error.kind.partition(".")[0], 500)


def public_text(error: DasflexError) -> str:
    """What the client is told: the error's own text, unless that may hold paths and is for administrators only."""
    if error.kind.partition(".")[0] in ("config", "error"):
        return "The server is not set up for this request; its administrator can find out why from its log"
    return error.message

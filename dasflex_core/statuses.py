# SPDX-License-Identifier: GPL-3.0-or-later
"""What HTTP says of a failure: the status of each kind of error, and the text that a client may see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dasflex_core.errors import DasflexError

__all__ = ["STATUSES", "public_text", "realm_of", "status_of"]

#: What one logs in to where nothing has a name; das2C reads no name of fewer than four characters.
_REALM: Final = "das2 server"
_SHORTEST_REALM: Final = 4

#: The status of each kind of error, or of a whole family of kinds.
STATUSES: Final[Mapping[str, int]] = {
    "query.too-large": 413,
    "query.not-offered": 501,
    "query": 400,
    "access.log-in": 401,
    "access": 403,
    "not-found.gone": 410,
    "not-found": 404,
    "source.silent": 504,
    "source": 500,
    "config": 500,
    "busy.rate": 429,
    "busy.log-in": 429,
    "busy.job": 409,
    "busy": 503,
    "error": 500,
}
#: What das2 clients are told in another way: Autoplot shows its users the text of a failure with 5xx only.
_DAS2: Final[Mapping[str, int]] = {"query.too-large": 503, "busy.rate": 503}


def status_of(error: DasflexError, *, das2: bool = False) -> int:
    """The status of an error; `das2` is whether the client speaks the das2 convention."""
    kinds = {**STATUSES, **_DAS2} if das2 else STATUSES
    return kinds.get(error.kind) or kinds.get(error.kind.partition(".")[0], 500)


def public_text(error: DasflexError) -> str:
    """What the client is told, on one line: the error's own text, unless that is for administrators only."""
    if error.kind.partition(".")[0] in ("config", "error"):
        return "The server is not set up for this request; its administrator can find out why from its log"
    return " ".join(error.message.encode("utf-8", "replace").decode().split())


def realm_of(error: DasflexError) -> str:
    """What one logs in to, without what would end a quoted text, or is not read by the das2 clients."""
    named = getattr(error, "realm", "")
    plain = "".join(char for char in named if " " <= char <= "~" and char not in '"\\').strip()
    return plain if len(plain) >= _SHORTEST_REALM else f"{_REALM} {plain}".rstrip()

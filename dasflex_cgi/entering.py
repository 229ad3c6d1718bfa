# SPDX-License-Identifier: GPL-3.0-or-later
"""How whoever looks at the page of a protected source logs in, and who they are once they have.

A browser asks for a password when an answer demands it, and sends that again with whatever lies below the directory of
the address that asked (RFC 7617, 2.2). So the page asks for it itself, at its own address with `log-in` behind it, and
its scripts ask for nothing of a protected source before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from dasflex_core.errors import AccessError, BusyError
from dasflex_core.guarding import Guard, is_trusted
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from dasflex_core.claims import Claim
    from dasflex_core.site import Source

__all__ = ["LOG_IN", "OPEN", "Entrance", "entrance"]

#: What stands in the query of a page that asks for a log-in.
LOG_IN: Final = "log-in"


@dataclass(frozen=True, slots=True)
class Entrance:
    """What the page says of a log-in.

    `realm` is what one would log in to, blank for an open source. `user` is who has, `address` where one does, blank
    where nobody needs to. `entered` says that the scripts of the page may ask for plans and data unbidden.
    """

    realm: str = ""
    user: str = ""
    address: str = ""
    entered: bool = True


#: Of a page that nobody logs in to.
OPEN: Final = Entrance()


def entrance(source: Source, claim: Claim, base: str, query: str) -> Entrance:
    """How a page is entered; `query` is its own. Raises `AccessError` where it asks for a log-in that nobody gave."""
    if not source.protected:
        return OPEN
    guard = Guard(source, claim)
    realm = guard.realm or "a log-in"
    if is_trusted(claim, source.site):
        return Entrance(realm)
    pairs = query.split("&")
    wanted = LOG_IN in pairs
    try:
        who = guard.identity()
    except (AccessError, BusyError):
        if wanted:
            raise
        user = ""
    else:
        user = who.user
    if user:
        return Entrance(realm, user)
    if wanted:
        raise guard.refusal()
    asked = "&".join([*filter(None, pairs), LOG_IN])
    return Entrance(realm, "", f"{base}/source/{quote(source.id.lower(), safe='/+')}.html?{asked}", entered=False)

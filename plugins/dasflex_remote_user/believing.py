# SPDX-License-Identifier: GPL-3.0-or-later
"""The word of the web server: whoever it says has logged in there, has.

It comes by the variable REMOTE_USER (RFC 3875, 4.1.11), which a client cannot set, or by a header of a web server in
front whose address the configuration lists (`REMOTE_USER_PROXIES`); that was seen to before a claim was made of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_core.access import Identity

if TYPE_CHECKING:
    from dasflex_core.authentication import Credentials
    from dasflex_core.config import Config

__all__ = ["believe"]

#: The longest name of a user: that of a mail address (RFC 5321, 4.5.3.1), which many log-ins give.
_LONGEST: Final = 320


def believe(credentials: Credentials, _config: Config) -> Identity | None:
    """The user that the web server names; None for a name that none has."""
    name = credentials.user.strip()
    return Identity(name) if name and len(name) <= _LONGEST and name.isprintable() else None

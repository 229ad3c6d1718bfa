# SPDX-License-Identifier: GPL-3.0-or-later
"""What a front-end knows of who asks, nothing of it checked yet."""

from __future__ import annotations

from dataclasses import field

from dasflex_core.values import dataclass

__all__ = ["UNKNOWN", "Claim"]


@dataclass(frozen=True, slots=True)
class Claim:
    """Who somebody says to be.

    `address` is that of the client, past the proxies that are trusted; `authorization` the header of that name as it
    was sent, which is never shown. `remote_user` is who the web server says has logged in there, and `ticket_user` whom
    a ticket names that was found good.
    """

    address: str = ""
    authorization: str = field(default="", repr=False)
    remote_user: str = ""
    ticket_user: str = ""


UNKNOWN = Claim()

# SPDX-License-Identifier: GPL-3.0-or-later
"""Who asks for data: what a front-end knows of that, for whoever decides who may read what."""

from __future__ import annotations

from dataclasses import field

from dasflex_core.values import dataclass

__all__ = ["NOBODY", "Identity"]


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks.

    `user` is who a ticket says, blank without one; `authorization` the header of that name as it was sent, not checked
    yet and never shown; `address` that of the client, past the proxies that are trusted.
    """

    user: str = ""
    authorization: str = field(default="", repr=False)
    address: str = ""


NOBODY = Identity()

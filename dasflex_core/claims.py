# SPDX-License-Identifier: GPL-3.0-or-later
"""What a front-end knows of who asks, nothing of it checked yet."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dasflex_core.config import Config

__all__ = ["UNKNOWN", "Claim", "is_foreign", "user_of_proxy"]


@dataclass(frozen=True, slots=True)
class Claim:
    """Who somebody says to be.

    `address` is that of the client, past the proxies that are trusted; `authorization` the header of that name as it
    was sent, which is never shown. `remote_user` is who the web server says has logged in there, and `ticket_user` whom
    a ticket names that was found good. `foreign` says that a script of a page of another site asks: it may read the
    answer, so that the address of whoever looks at that page must not open anything to it.
    """

    address: str = ""
    authorization: str = field(default="", repr=False)
    remote_user: str = ""
    ticket_user: str = ""
    foreign: bool = False


UNKNOWN = Claim()


def is_foreign(origin: str, host: str) -> bool:
    """Whether a page of another host asks, by `Origin` (RFC 6454, 7) and `Host`; programs send no origin.

    >>> is_foreign("", "a.edu"), is_foreign("https://A.edu", "a.edu"), is_foreign("https://b.edu", "a.edu")
    (False, False, True)
    >>> is_foreign("null", "null")
    True
    """
    _, scheme, place = origin.strip().lower().partition("://")
    return bool(origin.strip()) and not (scheme and place and place == host.strip().lower())


def user_of_proxy(peer: str, headers: Mapping[str, str], config: Config) -> str:
    """The user that a web server in front names in a header; blank where `peer`, who sent it, is not to be believed.

    `peer` is the address at the other end of the connection, whatever it says of others. Names of headers are in lower
    case.
    """
    if not config.remote_user_proxies or not peer:
        return ""
    from ipaddress import ip_address

    try:
        address = ip_address(peer)
    except ValueError:
        return ""
    plain = getattr(address, "ipv4_mapped", None) or address
    believed = any(plain in each for each in config.remote_user_proxies if each.version == plain.version)
    return headers.get(config.remote_user_header.lower(), "").strip() if believed else ""

# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a source is that has moved, as its site sees it: a definition may name the very server that it is on."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from dasflex_core.catalog.identifiers import folded

if TYPE_CHECKING:
    from dasflex_core.catalog.model import Definition
    from dasflex_core.config import Config

__all__ = ["moved_to", "other_name"]


def moved_to(definition: Definition, config: Config) -> str:
    """The id or the address where a source is now; blank for one that is here.

    One at this very server is here, unless it has another name. With `IGNORE_REDIRECT` each is, that names a server.
    """
    there = definition.moved
    if "://" in there:
        if config.ignore_redirect:
            return ""
        if _server(there) == _server(config.server_url):
            there = other_name(there)
    return "" if folded(there) == folded(definition.id) else there


def other_name(address: str) -> str:
    """The id that a source has at an address of a das2 server; blank where it is the same."""
    return parse_qs(address.partition("?")[2]).get("dataset", [""])[0]


def _server(place: str) -> str:
    """The server that an address is of, as das2 definitions name theirs: one may end in the name of a program."""
    whole = place.lower().partition("://")[2].partition("?")[0].partition("#")[0]
    return whole.rstrip("/").removesuffix("/server").removesuffix("/das2server")

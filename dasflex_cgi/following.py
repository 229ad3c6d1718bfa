# SPDX-License-Identifier: GPL-3.0-or-later
"""Where that is to be had which HTTP does not send: data that follow the present go over a WebSocket."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from dasflex_cgi.requesting import address_query
from dasflex_cgi.visit import address
from dasflex_core.catalog.addresses import socket_url
from dasflex_core.errors import QueryError
from dasflex_core.plan.parameters import canonical_pairs

if TYPE_CHECKING:
    from dasflex_cgi.exchange import Asked
    from dasflex_core.config import Config
    from dasflex_core.solved import Plan

__all__ = ["page_socket", "public_socket", "socket_sources", "told_where"]

#: What an address may hold that stands in a header.
_SOUND: Final = re.compile(r"[A-Za-z0-9.:\[\]_-]+")


def told_where(plan: Plan, asked: Asked) -> QueryError:
    """The refusal of a plan that never ends: it names the WebSocket that gives the same.

    Times that are relative stay so in it, since it is for later; those of other conventions are as they were resolved.
    """
    request, config = plan.request, plan.request.source.site.config
    pairs = canonical_pairs(request.pairs) if request.convention == "flex" else dict(plan.canonical)
    named = {**dict(plan.solution.request), **pairs}
    ends = {name: named[name] for name in ("read.time.min", "read.time.max") if name in named}
    place = f"{public_socket(asked, config, request.source.id)}?{address_query(ends | pairs)}"
    return QueryError(
        f"{request.source.id} is asked for ever, which HTTP does not send. Connect to {place} for data as they come,"
        " or ask for a range that ends",
        kind="query.live",
    )


def public_socket(asked: Asked, config: Config, identifier: str) -> str:
    """The address of the WebSocket of a source, as who asks would write it."""
    here = config if config.websocket_uri else replace(config, server_url=address(asked, "", config.server_url))
    return socket_url(here, identifier)


def page_socket(asked: Asked, config: Config, identifier: str) -> str:
    """The address that a page connects to: a path of the server that it came from, unless the configuration says more.

    A path has no scheme, which only the browser knows where something in between speaks TLS.
    """
    if config.websocket_uri:
        return socket_url(config, identifier)
    return f"{asked.base}/dasws/{quote(identifier.lower(), safe='/+')}/flexRT"


def socket_sources(asked: Asked, config: Config) -> str:
    """What a Content-Security-Policy has to let a page connect to, with a blank before each.

    Some browsers do not take `'self'` for a WebSocket of the same server.
    """
    if config.websocket_uri:
        parts = urlsplit(socket_url(config, ""))
        return f" {parts.scheme}://{parts.netloc}" if _SOUND.fullmatch(parts.netloc) else ""
    host = urlsplit(asked.origin or config.server_url).netloc
    return f" ws://{host} wss://{host}" if _SOUND.fullmatch(host) else ""

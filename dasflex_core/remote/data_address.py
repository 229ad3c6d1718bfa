# SPDX-License-Identifier: GPL-3.0-or-later
"""Addresses that people copy, as requests of another server.

https://host/source/a/b/flex?read.time.min=…        data of a dasflex server
https://host/source/a/b/data.csv?time=A/B           the same, in the format of a suffix
https://host/source/a/b   https://host/source/a/b.html   a source, of which nothing is asked yet
https://host/das/server?server=dataset&dataset=a/b&start_time=…&end_time=…     data of a das2 server
https://host/das/server                             a server, of which no source is named
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, unquote

from dasflex_core.errors import QueryError
from dasflex_core.remote.asking import Address
from dasflex_core.remote.classic_server import CANONICAL, ClassicServer
from dasflex_core.remote.flex_server import FlexServer
from dasflex_core.remote.opening import open_remote
from dasflex_core.remote.site import RemoteRequest, RemoteSite

if TYPE_CHECKING:
    from dasflex_core.wording import Pairs

__all__ = ["request_at"]

_SOURCE: Final = re.compile(
    r"(?P<base>.*)/source/(?P<id>.+?)(?:/flex|/data\.(?P<suffix>\w+)|/flex\.json|/plan|\.html|\.json|/)?", re.IGNORECASE
)
#: What clients of das2 send that is no part of a request.
_HABITS: Final = ("server", "dataset", "key", "compress", "redirect", "devel", "nitems", "ascii")


def request_at(url: str, source: str = "") -> RemoteRequest:
    """The request that an address means; `source` is the id of the source where the address is that of a server.

    Raises `ConfigError` for what is no address, `QueryError` where no source is named, or twice, and what asking for
    the source raises.
    """
    where, query = Address.parse(url)
    pairs = tuple(parse_qsl(query))
    asked = {name.lower(): text for name, text in pairs}
    found = _SOURCE.fullmatch(where.url)
    if source:
        if found or pairs:
            raise QueryError(f"{where.url} names a source already; leave out {source!r}", kind="query.bad-value")
        return RemoteRequest(open_remote(url)[source])
    if found:
        site = RemoteSite(FlexServer(Address(found["base"], where.login)))
        return RemoteRequest(site[unquote(found["id"])], pairs, found["suffix"] or "")
    if asked.get("dataset"):
        return RemoteRequest(RemoteSite(ClassicServer(where))[asked["dataset"]], _classic(pairs))
    what = f"{where.url} names no source: write its id behind the address of the server"
    raise QueryError(what, kind="query.missing-parameter")


def _classic(pairs: Pairs) -> Pairs:
    """The canonical pairs of a das2 query."""
    ascii_ = any(name.lower() == "ascii" and text.lower() in ("1", "true") for name, text in pairs)
    known = tuple((CANONICAL.get(name.lower(), name), text) for name, text in pairs if name.lower() not in _HABITS)
    return (*known, *((("format.serial", "text"),) if ascii_ else ()))

# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds out what kind of server is at an address, and makes a site of it."""

from __future__ import annotations

import json
from typing import Final

from dasflex_core.errors import DasflexError, NotFoundError, QueryError, SourceError
from dasflex_core.remote.asking import Address, asked
from dasflex_core.remote.classic_server import ClassicServer
from dasflex_core.remote.confirming import record_bases
from dasflex_core.remote.flex_server import FlexServer
from dasflex_core.remote.site import RemoteSite

__all__ = ["open_remote"]

_LONGEST: Final = 1_000_000


def open_remote(url: str) -> RemoteSite:
    """The site of a server: of dasflex, or of das2.2.

    The address may be that where das2 clients ask (`…/das/server`). A log-in may stand before the host,
    `https://name:password@host/`. Raises `ConfigError` for no address, `SourceError` where nothing of the kind answers.
    """
    where, _query = Address.parse(url)
    where = Address(where.url.rstrip("/"), where.login)
    for base in dict.fromkeys((where, *record_bases(where))):
        if _is_flex(base):
            return RemoteSite(FlexServer(base))
    if not _is_classic(where):
        what = f"{where.url} is neither a dasflex server nor a das2 server"
        raise SourceError(what, kind="source.stream")
    return RemoteSite(ClassicServer(where))


def _is_classic(where: Address) -> bool:
    """Whether there is a list of sources at an address, as das2 servers have it, and no page."""
    try:
        with asked(where, (("server", "list"),)) as reply:
            return "html" not in reply.media_type and not reply.text().lstrip().startswith("<")
    except (NotFoundError, QueryError):
        return False


def _is_flex(base: Address) -> bool:
    """Whether a dasflex server says at an address that it is one. Raises `SourceError` where nothing can be reached."""
    try:
        with asked(base.below("id.json"), accept="application/json") as reply:
            found = json.loads(reply.whole(_LONGEST))
    except SourceError as error:
        if error.kind in ("source.start", "source.silent") and "cannot be reached" in error.message:
            raise
        return False
    except (DasflexError, ValueError):
        return False
    return isinstance(found, dict) and found.get("software") == "dasflex"

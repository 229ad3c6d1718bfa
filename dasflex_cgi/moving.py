# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a source is that has moved: the address that asks the same there.

Clients follow 301 and an absolute address of less than 1024 bytes, and no other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from dasflex_cgi.exchange import TEXT, Answer
from dasflex_cgi.visit import address
from dasflex_core.catalog.moved import moved_to, other_name
from dasflex_core.errors import NotFoundError

if TYPE_CHECKING:
    from dasflex_cgi.visit import Visit
    from dasflex_core.catalog.model import Definition
    from dasflex_core.config import Config

__all__ = ["moved_answer", "redirect"]

_LONGEST: Final = 1000
#: What an address may hold as it is; a `%` is that of an escape.
_SAFE: Final = "%/:=&?+,;@!$'()*~[]#"


def moved_answer(config: Config, visit: Visit, definition: Definition, what: str) -> Answer | None:
    """The redirection of a request for a source that is elsewhere; None for one that is here.

    `what` follows the id in the path, such as `/flex`. Raises `NotFoundError`, which says where it is, when the
    address would be longer than clients can take.
    """
    there = moved_to(definition, config)
    if not there:
        return None
    place = redirect(_das2(config, visit, there) if visit.das2 else _path(config, visit, there, what))
    if place is None:
        raise NotFoundError(f"{definition.id} has moved to {there}; ask for it there", kind="not-found.source")
    return place


def redirect(place: str) -> Answer | None:
    """An answer that sends the client to an address; None where that is too long."""
    place = quote(place, safe=_SAFE)
    if len(place) >= _LONGEST:
        return None
    headers = (("Location", place), ("Content-Type", TEXT), ("Cache-Control", "no-cache"))
    return Answer(301, headers, f"It has moved to {place}\n".encode())


def _path(config: Config, visit: Visit, there: str, what: str) -> str:
    """Where a source is that was asked by its path: the same path of the other id, or below the other address."""
    asked = visit.asked
    query = f"?{asked.query}" if asked.query else ""
    if "://" not in there:
        return address(asked, f"/source/{there.lower()}{what}{query}", config.server_url)
    return f"{there.rstrip('/')}{what}{query}" if "/source/" in there else there


def _das2(config: Config, visit: Visit, there: str) -> str:
    """Where a source is that a das2 client asked: the query with the other id, or the same at the other server."""
    asked = visit.asked
    if "://" not in there:
        return address(asked, f"{asked.path}?{_with_dataset(asked.query, there)}", config.server_url)
    server, found, identifier = there.partition("/source/")
    if found:
        return f"{server}/?{_with_dataset(asked.query, identifier.strip('/'))}"
    other = other_name(there)
    return f"{there.partition('?')[0]}?{_with_dataset(asked.query, other) if other else asked.query}"


def _with_dataset(query: str, identifier: str) -> str:
    """The query as it was sent, with another id in it.

    >>> _with_dataset("server=dataset&dataset=a%2Fb&start_time=2001-01-01", "c/d")
    'server=dataset&dataset=c/d&start_time=2001-01-01'
    """
    fields = [field for field in query.split("&") if field]
    return "&".join(
        f"dataset={identifier}" if field.partition("=")[0].lower() == "dataset" else field for field in fields
    )

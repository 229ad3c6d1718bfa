# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server says of itself: whether it is well, who its peers are, and what became of requests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from dasflex_cgi.exchange import JSON, Answer
from dasflex_cgi.failures import NOT_DATA
from dasflex_core.errors import DasflexError
from dasflex_core.tasks import background

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dasflex_cgi.exchange import Asked
    from dasflex_core.config import Config
    from dasflex_core.site import Site

__all__ = ["asked_before", "health", "peers", "record"]


def health(site: Site, note: Callable[[str], None]) -> Answer:
    """Whether requests can be answered, 503 where the catalog cannot be read, and whether there is background work."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        number = version("dasflex")
    except PackageNotFoundError:
        number = ""
    status, word = 200, "ok"
    try:
        site.catalog.entries()
    except DasflexError as error:
        note(error.message)
        status, word = 503, "the catalog cannot be read"
    told = {"status": word, "version": number, "background": background(site.config)}
    return Answer(status, (("Content-Type", JSON), *NOT_DATA), _json(told))


def peers(config: Config, note: Callable[[str], None]) -> Iterator[tuple[str, str]]:
    """The name and the address of each server in PEERS_FILE, a JSON list of objects with these.

    A file that cannot be read lists none, and the administrator is told.
    """
    try:
        listed = json.loads(config.peers_file.read_bytes())
        for each in listed if isinstance(listed, list) else []:
            if isinstance(each, dict) and isinstance(each.get("url"), str):
                yield str(each.get("name") or each["url"]), each["url"]
    except FileNotFoundError:
        return
    except (OSError, ValueError, RecursionError) as error:
        note(f"{config.peers_file}: the list of peers cannot be read: {error}")


def record(site: Site, identifier: str) -> Answer:
    """What became of a request. Raises `NotFoundError`."""
    from dasflex_core.run.records import read_record, shown_to_clients

    found = read_record(identifier, str(site.config.requests))
    return Answer(200, (("Content-Type", JSON), *NOT_DATA), _json(shown_to_clients(found)))


def asked_before(site: Site, asked: Asked, identifier: str) -> Answer:
    """What request stands behind an answer id, and the address that asks it again. Raises `NotFoundError`."""
    from urllib.parse import quote, urlencode

    from dasflex_cgi.visit import address
    from dasflex_core.run.answered import read_answer

    found = read_answer(identifier, str(site.config.answers))
    query = urlencode(found.pairs, safe=":/,")
    path = f"/source/{quote(found.source.lower(), safe='/+')}/flex{query and '?' + query}"
    told = {
        "answer": identifier,
        "source": found.source,
        "request": dict(found.pairs),
        "convention": found.convention,
        "url": address(asked, path, site.config.server_url),
    }
    return Answer(200, (("Content-Type", JSON), *NOT_DATA), _json(told))


def _json(value: object) -> bytes:
    """A value as JSON, on several lines."""
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()

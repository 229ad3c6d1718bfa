# SPDX-License-Identifier: GPL-3.0-or-later
"""`/openapi.json`: the description of the server for programs, in front of that of its sources.

What the server itself has is said at each request, since that is little; the sources are a part that was written when
they were installed, and are sent as they are read. It is OpenAPI 3.1, which has path items that sources share.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final
from zlib import crc32

import orjson

from dasflex_cgi.compressing import Coded, coding
from dasflex_cgi.conditional import unchanged
from dasflex_cgi.exchange import JSON, Answer, Wrapped
from dasflex_cgi.openapi_server import components, paths
from dasflex_cgi.visit import address
from dasflex_core.catalog.addresses import hapi_url
from dasflex_core.catalog.published_names import OPENAPI

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from dasflex_cgi.exchange import Asked
    from dasflex_core.site import Site

__all__ = ["openapi"]

_CHUNK: Final = 1 << 18
_END: Final = b"}}\n"
#: What a site without sources has of them.
_NOTHING: Final = os.devnull


def openapi(site: Site, asked: Asked) -> Answer:
    """The description, unless the client has it. It has a tag and no date: plugins and configuration change it, too."""
    try:
        file = (site.config.root / "public" / OPENAPI).open("rb")
    except OSError:  # nothing was installed yet
        file = open(_NOTHING, "rb")  # noqa: SIM115, PTH123  it is closed with the body
    facts = os.fstat(file.fileno())
    begin, middle = _begin(site, asked)
    code = coding(asked.headers.get("accept-encoding", ""))
    tag = f'"{facts.st_mtime_ns:x}-{facts.st_size:x}-{crc32(begin + middle):x}{code and "-" + code}"'
    headers = (
        ("ETag", tag),
        ("Cache-Control", "public, max-age=60"),
        ("Vary", "Accept-Encoding"),
    )
    if unchanged(asked.headers, tag, None):
        file.close()
        return Answer(304, headers)
    body = _Pieces(file, begin, middle)
    size = len(begin) + len(middle) + facts.st_size + len(_END)
    told = (("Content-Encoding", code),) if code else (("Content-Length", str(size)),)
    return Answer(200, (*headers, ("Content-Type", JSON), *told), Coded(body, code) if code else body)


class _Pieces(Wrapped):
    """The description in pieces; the file is closed with it."""

    def __init__(self, file: BinaryIO, begin: bytes, middle: bytes) -> None:
        super().__init__(_pieces(file, begin, middle))
        self._file = file

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def _pieces(file: BinaryIO, begin: bytes, middle: bytes) -> Iterator[bytes]:
    """What the sources share is the first line of their part, and stands before the paths of the server."""
    yield begin
    yield file.readline()
    yield middle
    while piece := file.read(_CHUNK):
        yield piece
    yield _END


def _begin(site: Site, asked: Asked) -> tuple[bytes, bytes]:
    """What stands before the components of the sources, and what stands before their paths."""
    config = site.config
    about = {
        "openapi": "3.1.0",
        "info": {
            "title": config.site_title or config.server_name,
            "version": _version(),
            "description": "Data of space physics. Ids of sources have slashes, which are written as they are",
        },
        "servers": [{"url": address(asked, "", config.server_url)}],
        "tags": [
            {"name": "data", "description": "Data, by the parameters that each source takes"},
            {"name": "das2", "description": "What das2 clients ask"},
            {"name": "catalog", "description": "What sources there are"},
            {"name": "pages", "description": "Pages for people"},
            {"name": "server", "description": "The server itself"},
        ],
        "components": components(),
    }
    begin = orjson.dumps(about)[:-2]
    has_hapi = bool(hapi_url(site.config, site.registry))
    return begin, b'},"paths":' + orjson.dumps(paths(site.registry, hapi=has_hapi))[:-1]


def _version() -> str:
    """The version of dasflex."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("dasflex")
    except PackageNotFoundError:
        return "unknown"

# SPDX-License-Identifier: GPL-3.0-or-later
"""The HAPI server: its endpoints as a WSGI application (PEP 3333), mounted at `/hapi`.

It checks what is asked, asks the front-end for the data, and tells what fails in the words of the standard. What it
says of data sets has a date and an entity tag, so that clients need not fetch it again.
"""

from __future__ import annotations

import gzip
import traceback
from contextlib import suppress
from email.utils import formatdate, parsedate_to_datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import orjson

from dasflex_core.errors import DasflexError
from dasflex_core.mounts import FRONT_END
from dasflex_core.noting import say
from dasflex_core.values import dataclass
from dasflex_hapi.serving.catalog import catalog_json
from dasflex_hapi.serving.data import answer_data, described
from dasflex_hapi.serving.describing import about_of, capabilities_of
from dasflex_hapi.serving.info import info_of, modified_at
from dasflex_hapi.serving.queries import chosen, read_query
from dasflex_hapi.serving.refusals import HAPI, HapiError, Refusal, phrase, refusal_of, status_json
from dasflex_hapi.serving.register import find

if TYPE_CHECKING:
    from collections.abc import Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from dasflex_core.mounts import Delivered, FrontEnd
    from dasflex_core.site import Site
    from dasflex_hapi.serving.queries import Query

__all__ = ["application"]

_JSON: Final = "application/json"
_HTML: Final = "text/html; charset=utf-8"
#: A body shorter than this is not worth compressing.
_SHORTEST: Final = 1_000
#: Of all answers (HAPI 3.3, 3.3).
_CORS: Final = (
    ("Access-Control-Allow-Origin", "*"),
    ("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS"),
    ("Access-Control-Allow-Headers", "Content-Type"),
)


def application(site: Site) -> WSGIApplication:
    """The server of a site; one that says that there is none where `ENABLE_HAPI_SUBSYS` is off."""
    return _Server(site) if site.config.enable_hapi_subsys else _switched_off


def _switched_off(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:  # noqa: ARG001  PEP 3333
    """What is answered where HAPI is off."""
    start_response("404 Not Found", [("Content-Type", "text/plain; charset=utf-8")])
    return [b"This server does not serve HAPI\n"]


@dataclass(frozen=True, slots=True)
class _Told:
    """Something that is said: its bytes, when it was true first (seconds since 1970), their type, and for whom."""

    body: bytes
    modified: float | None = None
    media_type: str = _JSON
    private: bool = False


class _Server:
    """The server."""

    def __init__(self, site: Site) -> None:
        self._site = site

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers one request."""
        path = environ.get("PATH_INFO", "")
        if path.endswith("/"):
            return _moved(environ, start_response)
        try:
            return self._answered(path.strip("/"), environ, start_response)
        except DasflexError as error:
            return _refused(refusal_of(error), environ, start_response)
        except Exception as error:  # noqa: BLE001  whatever it is, clients are told in JSON and the administrator here
            say(f"HAPI: {environ['REQUEST_METHOD']} {path}: {traceback.format_exc()}")
            return _refused(refusal_of(DasflexError(type(error).__name__)), environ, start_response)

    def _answered(self, endpoint: str, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """The answer of an endpoint. Raises `DasflexError`."""
        front: FrontEnd = environ[FRONT_END]
        if environ["REQUEST_METHOD"] not in ("GET", "HEAD"):
            raise HapiError(1400, "Ask by GET or HEAD", status=405)
        if not endpoint:
            from dasflex_hapi.serving.landing import page

            return _said(_Told(page(self._site, front.base).encode(), None, _HTML), environ, start_response)
        query = read_query(endpoint, environ.get("QUERY_STRING", ""))
        if endpoint == "data":
            return _given(answer_data(self._site, front, query), start_response)
        return _said(self._told(query, front), environ, start_response)

    def _told(self, query: Query, front: FrontEnd) -> _Told:
        """What is said of the server, and of its data sets."""
        match query.endpoint:
            case "about":
                return _Told(_with_status(about_of(self._site)))
            case "capabilities":
                return _Told(_with_status(capabilities_of(self._site)))
            case "catalog":
                listed, modified = catalog_json(self._site, "all" if query["depth"] == "all" else "dataset")
                return _Told(_with_status({})[:-2] + b',"catalog":' + listed + b"}\n", modified)
        data_set = find(self._site, query["dataset"], front.claim)
        header = described(data_set)
        info = info_of(data_set, header)
        names = chosen(query, [each["name"] for each in info["parameters"]])
        if names is not None:
            info["parameters"] = [each for each in info["parameters"] if each["name"] in names]
        return _Told(_with_status(info), modified_at(data_set, header), private=data_set.source.protected)


def _with_status(said: dict[str, Any]) -> bytes:
    """An object of JSON with what all have before it."""
    return orjson.dumps({"HAPI": HAPI, "status": status_json(1200), **said}) + b"\n"


def _said(told: _Told, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """What is said as an answer, or that the client has it already."""
    tag = f'W/"{blake2b(told.body, digest_size=12).hexdigest()}"'
    modified = formatdate(told.modified, usegmt=True) if told.modified is not None else formatdate(usegmt=True)
    headers = [
        ("Content-Type", told.media_type),
        *_CORS,
        ("Vary", "Accept-Encoding"),
        ("Cache-Control", "private, no-store" if told.private else "no-cache"),
        ("Last-Modified", modified),
        ("ETag", tag),
    ]
    if _has_it(environ, tag, told.modified):
        start_response("304 Not Modified", headers)
        return []
    body = told.body
    if len(body) > _SHORTEST and _takes_gzip(environ.get("HTTP_ACCEPT_ENCODING", "")):
        body = gzip.compress(body, 1, mtime=0)
        headers.append(("Content-Encoding", "gzip"))
    start_response(phrase(200, 1200), [*headers, ("Content-Length", str(len(body)))])
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def _has_it(environ: WSGIEnvironment, tag: str, modified: float | None) -> bool:
    """Whether the client has what would be sent (RFC 9110, 13): a tag counts before a date."""
    if held := environ.get("HTTP_IF_NONE_MATCH", ""):
        return held.strip() == "*" or tag in {each.strip() for each in held.split(",")}
    since = environ.get("HTTP_IF_MODIFIED_SINCE", "")
    if since and modified is not None:
        with suppress(ValueError, TypeError):
            return int(modified) <= parsedate_to_datetime(since).timestamp()
    return False


def _takes_gzip(accepted: str) -> bool:
    """Whether a client takes gzip.

    >>> _takes_gzip("gzip, br"), _takes_gzip("identity, gzip;q=0"), _takes_gzip("")
    (True, False, False)
    """
    for each in accepted.lower().split(","):
        name, _, weight = each.partition(";")
        if name.strip() == "gzip":
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _given(given: Delivered, start_response: StartResponse) -> Iterable[bytes]:
    """Data as an answer."""
    first = "304 Not Modified" if given.status == 304 else phrase(200, 1201 if given.empty else 1200)
    start_response(first, [*given.headers, *_CORS])
    return given.body


def _refused(refusal: Refusal, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """A refusal as an answer, in JSON whatever was asked."""
    body = refusal.body
    headers = [
        ("Content-Type", _JSON),
        *_CORS,
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        *refusal.headers,
        *((("Allow", "GET, HEAD, OPTIONS"),) if refusal.status == 405 else ()),
        ("Content-Length", str(len(body))),
    ]
    start_response(refusal.phrase, headers)
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]


def _moved(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
    """Where an address without its slash is (HAPI 3.3, 3.2)."""
    path = (environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")).strip("/")
    query = environ.get("QUERY_STRING", "")
    where = f"/{quote(path, safe='/', encoding='latin-1')}" + (f"?{query}" if query else "")
    start_response(
        "301 Moved Permanently", [("Location", where), ("Content-Type", _JSON), ("Content-Length", "0"), *_CORS]
    )
    return []

# SPDX-License-Identifier: GPL-3.0-or-later
"""The endpoints of the server in its OpenAPI description: each route, what it is told, and all that it may answer.

Each source is described beside these by its path `flex`. A path of a plugin's own application is described by that.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dasflex_cgi.das2_views import SERVERS
from dasflex_cgi.openapi_schemas import SCHEMAS
from dasflex_cgi.static import MEDIA_TYPES
from dasflex_core.catalog.openapi_paths import TIME, answers_of, failures

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dasflex_core.registry import Registry

__all__ = ["components", "paths"]

#: An object of JSON.
Node = dict[str, Any]
_ID: Final = {
    "description": "The id of a source",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9_][A-Za-z0-9_.+-]*(/[A-Za-z0-9_][A-Za-z0-9_.+-]*)*$"},
    "example": "Examples/Waveform",
}
_TEXT: Final = ("text/plain",)
_PAGE: Final = ("text/html",)
_JSON: Final = ("application/json",)
_PICTURES: Final = ("image/png", "image/gif", "image/jpeg")
_SAME: Final[Node] = {"304": {"description": "It is what the client has"}}
_MOVED: Final[Node] = {
    "301": {
        "description": "The source is elsewhere",
        "headers": {"Location": {"schema": {"type": "string", "format": "uri"}}},
        "content": {"text/plain": {"schema": {"type": "string"}}},
    }
}


def components() -> Node:
    """What operations refer to: the schemas, and how to log in."""
    return {
        "securitySchemes": {"basic": {"type": "http", "scheme": "basic"}},
        "schemas": {"Time": TIME, **SCHEMAS},
    }


def paths(registry: Registry, *, hapi: bool) -> Node:
    """Each route of the server, with what it answers to GET. HEAD gives the same headers.

    `hapi` says whether something serves that.
    """
    das2 = {"get": _das2(registry)}
    return {
        "/": das2,
        "/das/server": das2,
        "/das/das2server": das2,
        **_pages(),
        **_sources(registry),
        **(_hapi() if hapi else {}),
        **_catalog(),
        **_jobs(registry),
        **_server(),
    }


def _pages() -> Node:
    """What is for people."""
    words = {"name": "q", "in": "query", "description": "Words, all of which a source must have", "schema": _string()}
    moved = {**_MOVED, **_failed("404", "500")}
    return {
        "/search": _get("pages", "Search for sources", _said("A page", _PAGE), _failed("500"), params=[words]),
        "/peers": _get("pages", "Other servers", _said("A page", _PAGE)),
        "/verify": _verify(),
        "/source/": _get("pages", "The directories and sources at the top", _said("A page", _PAGE), _failed("500")),
        "/source/{directory}/": _get(
            "pages",
            "A directory, or a source",
            _said("A page", _PAGE),
            moved,
            params=[_in_path("directory", {**_ID, "description": "The path of a directory", "example": "Examples"})],
        ),
        "/source/{id}.html": _get("pages", "A source", _said("A page", _PAGE), moved, params=[_in_path("id", _ID)]),
    }


def _verify() -> Node:
    """The verifier of streams: of a source by GET, and of what is sent by POST. It changes nothing."""
    named = _query("source", _string())
    verdict = {"200": {"description": "A page with the form, or the verdict on the stream", "content": {
        **{kind: {"schema": _string()} for kind in (*_PAGE, *_TEXT)}, _JSON[0]: {"schema": _schema("StreamReport")},
    }}}  # fmt: skip
    anything = {"description": "Another failure of the source", "content": {kind: {} for kind in (*_TEXT, *_PAGE)}}
    item = _get("pages", "Verify a source of this server; without one, the form", verdict, params=[named])
    item["get"]["responses"]["default"] = anything
    sent = {"required": True, "content": {
        "application/octet-stream": {"schema": _string()},
        "multipart/form-data": {
            "schema": {"type": "object", "properties": {"stream": _string(format="binary")}, "required": ["stream"]}
        },
    }}  # fmt: skip
    posted = {"tags": ["pages"], "summary": "Verify the stream that is sent", "requestBody": sent}
    return {**item, "post": {**posted, "responses": {**verdict, "default": anything}}}


def _sources(registry: Registry) -> Node:
    """What is asked of sources by paths that all of them have."""
    here = [_in_path("id", _ID)]
    return {**_data(registry, here), **_beside(here), **_nodes(here)}


def _data(registry: Registry, here: list[Node]) -> Node:
    """The data of a source in the format of a suffix, and the plan that gives them."""
    suffixes = {"schema": _string(enum=sorted(each.suffix for each in registry.stream_types if each.suffix))}
    media = sorted({each.media_type.partition(";")[0] for each in registry.stream_types if each.suffix})
    asked = [
        _query("read.time.min", {"$ref": "#/components/schemas/Time"}, "1979-03-01T12:26:11"),
        _query("read.time.max", {"$ref": "#/components/schemas/Time"}, "1979-03-01T12:27"),
        _query("bin.time.max", {"type": "number", "exclusiveMinimum": 0}),
    ]
    how = _query("format", _string(enum=["text", "json", "mermaid"]))
    as_suffix = "Data in the format of a suffix; the parameters are those of `flex` of the source"
    plan = {
        "200": {
            "description": "The plan",
            "content": {"text/plain": {"schema": _string()}, "application/json": {"schema": _schema("Plan")}},
        }
    }
    return {
        "/source/{id}/data.{suffix}": _get(
            "data",
            as_suffix,
            _MOVED,
            answers_of(registry, media, closed=True),
            params=[*here, _in_path("suffix", suffixes), *asked],
        ),
        "/source/{id}/plan": _get(
            "data",
            "The plan that `flex` with the same parameters would run, and its price",
            plan,
            _MOVED,
            _failed("400", "403", "404", "500"),
            params=[*here, *asked, how],
        ),
    }


def _beside(here: list[Node]) -> Node:
    """What is known of a source beside its data, and what a page needs to get them."""
    return {
        "/source/{id}/coverage.json": _get(
            "catalog",
            "When the source has data: its records in each bin of its range, null where that is not known",
            _object("Coverage"),
            _SAME,
            _MOVED,
            _failed("404"),
            params=here,
        ),
        "/source/{id}/ticket": _get(
            "data",
            "A ticket with which a page may connect to the WebSocket of the source, for a minute",
            _object("Ticket"),
            _MOVED,
            _failed("403", "404", "500"),
            params=here,
        ),
    }


def _nodes(here: list[Node]) -> Node:
    """The catalog nodes of a source, and what its clients are told by other conventions."""
    node = {**_SAME, **_failed("404", "500")}
    return {
        "/source/{id}.json": _get(
            "catalog", "A source or a directory", _node(("Collection", "Catalog")), node, params=here
        ),
        "/source/{id}.flex.json": _get(
            "catalog", "The same in the flex tree", _node(("SourceSet", "Catalog")), node, params=here
        ),
        "/source/{id}/flex.json": _get(
            "catalog", "The interface of a source", _node(("HttpStreamSrc",)), node, params=here
        ),
        "/source/{id}/flexrt.json": _get("catalog", "The same, live", _node(("WebSocSrc",)), node, params=here),
        "/source/{id}/das2.d2t": _get(
            "catalog", "The same as a das2 header", _said("A header", ("text/vnd.das2.das2stream",)), node, params=here
        ),
    }


def _hapi() -> Node:
    """What is said of sources where something serves HAPI."""
    node, here = {**_SAME, **_failed("404", "500")}, [_in_path("id", _ID)]
    return {
        "/source/{id}/hapi.json": _get("catalog", "Its HAPI service", _node(("HttpStreamSrc",)), node, params=here),
    }


def _catalog() -> Node:
    """The lists of all sources; a site without any has none."""
    same = {**_SAME, **_failed("404")}
    return {
        **{
            f"/{name}{ending}": _get("catalog", title, _node(("Catalog",)), same)
            for name, title in (("root", "The uppermost directory"), ("catalog", "All directories in one"))
            for ending in (".json", ".flex.json")
        },
        "/nodes.csv": _get("catalog", "All nodes as a table", _said("A table", ("text/csv",)), same),
        "/das2list.txt": _get("catalog", "All sources, for das2 clients", _said("Lines", _TEXT), same),
        "/das2discovery.txt": _get("catalog", "All sources with an example", _said("Lines", _TEXT), same),
    }


def _jobs(registry: Registry) -> Node:
    """Requests that are answered later."""
    here = [_in_path("id", {"schema": _string(pattern="^[0-9a-z]{22}$")})]
    failed = _failed("401", "403", "404", "409", "410", "500", "503")
    told = _object("Job")
    told["200"]["content"] |= {kind: {"schema": _string()} for kind in (*_TEXT, *_PAGE)}
    media = sorted({each.media_type.partition(";")[0] for each in registry.stream_types if each.suffix} | {*_TEXT})
    part = {
        "206": {"description": "A part of the data", "content": {kind: {} for kind in media}},
        "416": {"description": "There is no such part", "content": {kind: {} for kind in media}},
    }
    item = _get("data", "What became of a job", told, failed, params=here)
    about = "End a job, and remove its result"
    gone = {"204": {"description": "It is removed"}}
    end = {"delete": {"tags": ["data"], "summary": about, "parameters": here, "responses": {**gone, **failed}}}
    data = _get("data", "The data of a job", _said("The data", media, {}), part, _SAME, failed, params=here)
    return {"/jobs/{id}": {**item, **end}, "/jobs/{id}/result": data}


def _server() -> Node:
    """What the server says of itself."""
    kept = _in_path("id", {"schema": _string(pattern="^[0-9a-z]{16,22}$")})
    file = _in_path("file", {"schema": _string(pattern="^[a-z0-9_-]+[.][a-z0-9]+$"), "example": "dasflex.css"})
    logo = _get("server", "The logo", _said("A picture", _PICTURES))
    files = sorted({each.partition(";")[0] for each in MEDIA_TYPES.values()})
    return {
        "/id.json": _get("server", "Who this is", _object("Identity")),
        "/id.txt": _get("server", "The name of the server", _said("A name", _TEXT)),
        "/logo.png": logo,
        "/favicon.ico": logo,
        "/peers.xml": _get("server", "Other servers", _said("A list", ("text/xml",))),
        "/health": _get("server", "Whether requests can be answered", _object("Health"), _object("Health", "503")),
        "/request/{id}": _get(
            "server", "What became of a request", _object("Record"), _failed("404", "500"), params=[kept]
        ),
        "/answer/{id}": _get(
            "server", "The request behind an answer", _object("Asked"), _failed("404", "500"), params=[kept]
        ),
        "/openapi.json": _get("server", "This description", _said("OpenAPI", _JSON, {"type": "object"}), _SAME),
        "/static/": _get("pages", "What pages are made of", _said("A line", _TEXT)),
        "/static/{file}": _get(
            "pages", "A part of pages", _said("A file", files, {}), _SAME, _failed("404"), params=[file]
        ),
    }


def _das2(registry: Registry) -> Node:
    """What das2 clients ask by `server=`, and the first page without that."""
    media = {
        each.media_type.partition(";")[0] for each in registry.stream_types if each.type.kind in ("das", "qstream")
    }
    answers = answers_of(registry, (), closed=True) | failures(registry, ("404",)) | _MOVED
    del answers["413"]  # these clients are told 503, of which they show the text
    answers |= {
        "501": answers["500"] | {"description": "Other servers answer this word of `server`, and this one does not"}
    }
    kinds = ("text/html", "text/plain", "text/xml", "application/octet-stream", *_PICTURES, *sorted(media))
    answers |= _said("The first page, or what `server` asks for", kinds, {})
    params = [
        _query("server", _string(enum=[*SERVERS])),
        _query("dataset", _string(), "Examples/Random"),
        _query("start_time", {"$ref": "#/components/schemas/Time"}, "2017-01-01"),
        _query("end_time", {"$ref": "#/components/schemas/Time"}, "2017-01-02"),
        _query("resolution", {"type": "number", "exclusiveMinimum": 0}),
        _query("interval", {"type": "number", "exclusiveMinimum": 0}),
        _query("params", _string()),
        _query("ascii", _string(enum=["1", "0", "true", "false"])),
    ]
    summary = "The first page; or, with `server`, what das2 clients ask"
    return {"tags": ["das2"], "summary": summary, "parameters": params, "responses": dict(sorted(answers.items()))}


# -- how they are written


def _get(tag: str, summary: str, *answers: Node, params: Iterable[Node] = ()) -> Node:
    """A path that is asked by GET."""
    responses = {status: each for some in answers for status, each in some.items()}
    about: Node = {"tags": [tag], "summary": summary, "responses": dict(sorted(responses.items()))}
    return {"get": about | ({"parameters": [*params]} if params else {})}


def _said(what: str, kinds: Iterable[str], schema: Node | None = None) -> Node:
    """An answer of one of these media types."""
    content = {
        kind: {"schema": _string()} if schema is None else ({"schema": schema} if schema else {}) for kind in kinds
    }
    return {"200": {"description": what, "content": content}}


def _object(name: str, status: str = "200") -> Node:
    """An answer of JSON."""
    return {status: {"description": SCHEMAS[name]["description"], "content": {_JSON[0]: {"schema": _schema(name)}}}}


def _node(kinds: tuple[str, ...]) -> Node:
    """A node of the federated catalog."""
    schema = {"allOf": [_schema("Node"), {"properties": {"type": {"enum": [*kinds]}}}]}
    return _said("A node of the catalog", _JSON, schema)


def _failed(*statuses: str) -> Node:
    """Failures: a line of text, a page for browsers, or an object for programs that prefer JSON."""
    why = {
        "400": "Something is wrong with the request",
        "401": "A log-in is needed",
        "403": "The source is closed to this client",
        "404": "There is no such thing",
        "409": "It is not there yet: come again later",
        "410": "It was removed",
        "503": "The server is busy: come again later",
        "500": "The server is not set up for this request",
    }
    content = {kind: {"schema": _string()} for kind in (*_TEXT, *_PAGE)} | {_JSON[0]: {"schema": _schema("Failure")}}
    return {status: {"description": why[status], "content": content} for status in statuses}


def _in_path(name: str, about: Node) -> Node:
    """A part of a path."""
    return {"name": name, "in": "path", "required": True, **about}


def _query(name: str, schema: Node, example: str = "") -> Node:
    """A parameter."""
    return {"name": name, "in": "query", "schema": schema} | ({"example": example} if example else {})


def _schema(name: str) -> Node:
    """A reference to a schema."""
    return {"$ref": f"#/components/schemas/{name}"}


def _string(**more: object) -> Node:
    """A text."""
    return {"type": "string", **more}

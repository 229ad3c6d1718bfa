# SPDX-License-Identifier: GPL-3.0-or-later
"""The WSGI application: from an address to a request, and from its plan to a response. It does nothing else.

Headers are held until the first data have come, so that what fails before that gets its own status. What fails later
is the stream's own exception, where its format has one, and a connection that is broken rather than ended.
"""

from __future__ import annotations

import json
import re
import sys
import traceback
from dataclasses import asdict
from html import escape
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import parse_qsl, quote, urlencode

from werkzeug.wrappers import Request as WebRequest
from werkzeug.wrappers import Response

from dasflex_cgi.runs import Body, Runs
from dasflex_cgi.statuses import public_text, status_of
from dasflex_core.errors import DasflexError, NotFoundError, QueryError, SourceError
from dasflex_core.streamtype import StreamType, StreamTypeInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIEnvironment

    from dasflex_core.run import Pump
    from dasflex_core.site import Plan, Request, Site

__all__ = ["Application", "query_text"]

#: Seconds that a client is kept waiting for the first data; readers of the network give up after 60.
PATIENCE: Final = 50.0
_MOST_FIELDS: Final = 200
_TEXT: Final = "text/plain; charset=utf-8"
_METHODS: Final = ("GET", "HEAD")
_SOURCE: Final = re.compile(r"/source/(?P<id>.+)/(?P<what>flex|plan|data\.(?P<suffix>[^/.]+))", re.IGNORECASE)
_REQUEST: Final = re.compile(r"/request/(?P<id>[^/]+)", re.IGNORECASE)

Pairs = list[tuple[str, str]]


def _to_stderr(text: str) -> None:
    """Where the administrator reads what clients are not told."""
    print(f"dasflex: {text}", file=sys.stderr, flush=True)  # noqa: T201  the server's log is its standard error


class Application:
    """A site over HTTP. `note` takes a line for the administrator."""

    def __init__(self, site: Site, note: Callable[[str], None] = _to_stderr) -> None:
        self.site = site
        self._note = note
        self._runs = Runs()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers one request (PEP 3333)."""
        web = WebRequest(environ)
        wanted: list[StreamType] = []
        try:
            response = self._answer(web, wanted)
        except DasflexError as error:
            response = self._failure(web, error, wanted)
        except Exception:  # noqa: BLE001  a fault of ours is one status, noted in full, and told to nobody else
            self._note(f"{web.method} {web.path}: {traceback.format_exc()}")
            response = self._failure(web, DasflexError("internal"), wanted)
        response.headers["Access-Control-Allow-Origin"] = "*"
        return response(environ, start_response)

    def end(self) -> None:
        """Ends all that runs for clients."""
        self._runs.end()

    def _answer(self, web: WebRequest, wanted: list[StreamType]) -> Response:
        """The response to a request; `wanted` takes the stream type that the client expects, as soon as it is known."""
        if web.method not in _METHODS:
            return Response("Only GET and HEAD are answered here\n", 405, {"Allow": "GET, HEAD"}, content_type=_TEXT)
        path = re.sub(r"/{2,}", "/", "/" + web.path)
        pairs = _query(web)
        if path == "/":
            return self._front(web, pairs, wanted)
        if found := _SOURCE.fullmatch(path):
            if found["what"].lower() == "plan":
                return self._plan(web, found["id"], pairs)
            request = self.site.request(found["id"], pairs)
            wanted += self._expected(request, found["suffix"] or "")
            return self._data(web, request.as_suffix(f".{found['suffix']}") if found["suffix"] else request)
        if found := _REQUEST.fullmatch(path):
            return self._record(found["id"])
        raise NotFoundError(f"There is nothing at {path[:200]}; the sources are listed at /", kind="not-found")

    # -- data

    def _front(self, web: WebRequest, pairs: Pairs, wanted: list[StreamType]) -> Response:
        """The list of sources, or what a das2 client asks by `server=`."""
        servers = [value for name, value in pairs if name.lower() == "server"]
        if not servers:
            return Response(self._list(web), content_type="text/html; charset=utf-8")
        wanted.append(StreamType.parse(self.site.registry.convention("das2").goal))
        if servers != ["dataset"]:
            raise QueryError(f"server={servers[0][:40]!r} is not answered here; there is server=dataset")
        named = [value for name, value in pairs if name.lower() == "dataset" and value]
        if len(named) != 1:
            raise QueryError("server=dataset needs one dataset=ID", kind="query.missing-parameter")
        rest = [pair for pair in pairs if pair[0].lower() not in ("server", "dataset")]
        return self._data(web, self.site.request(named[0], rest, "das2"))

    def _expected(self, request: Request, suffix: str) -> list[StreamType]:
        """The stream type that the client of a failed request expects, if that can be told."""
        registry = self.site.registry
        if suffix:
            info = registry.by_suffix(suffix)
            return [info.type] if info else []
        asked = {name.lower(): value for name, value in request.pairs}
        kind = asked.get("format.type")
        return [StreamType(kind, asked.get("format.version", ""))] if kind else []

    def _data(self, web: WebRequest, request: Request) -> Response:
        """The data of a request; of a HEAD only what would be said of them."""
        plan = request.plan()
        headers = self._headers(web, plan)
        if web.method == "HEAD":
            return Response(iter(()), headers=headers)  # an iterator: nothing is said of the length
        run = plan.open()
        gone = web.environ.get("waitress.client_disconnected")
        self._runs.add(run, gone if callable(gone) else None)
        try:
            _begin(run, request.source.id)
        except BaseException:
            run.close()
            self._runs.remove(run)
            raise
        return Response(Body(run, self._runs), headers={**headers, "X-Request-Id": run.record.id})

    def _headers(self, web: WebRequest, plan: Plan) -> dict[str, str]:
        """What is said of the data: their type, the name of a file for them, and what the type depends on."""
        text = plan.type is not None and plan.type.text
        shown = text and _is_browser(web)
        name = re.sub(r"[^\w.+-]", "_", plan.file_name(), flags=re.ASCII)  # headers hold no more than that
        return {
            "Content-Type": _TEXT if shown else plan.media_type,
            "Content-Disposition": f'{"inline" if text else "attachment"}; filename="{name}"',
            "Vary": "Accept, User-Agent",
        }

    # -- what is said of data

    def _plan(self, web: WebRequest, identifier: str, pairs: Pairs) -> Response:
        """The plan that `flex` with the same parameters would run."""
        forms = [value.lower() for name, value in pairs if name.lower() == "format"]
        accepts_json = web.accept_mimetypes.best_match(["text/plain", "application/json"]) == "application/json"
        how: Literal["text", "json", "mermaid"] = "json" if accepts_json else "text"
        if forms:
            if forms[0] not in ("text", "json", "mermaid"):
                raise QueryError(f"format={forms[0][:40]!r} is none of text, json, mermaid", kind="query.bad-value")
            how = "json" if forms[0] == "json" else "mermaid" if forms[0] == "mermaid" else "text"
        rest = [pair for pair in pairs if pair[0].lower() != "format"]
        text = self.site.request(identifier, rest).plan().explain(how)
        return Response(text, content_type="application/json" if how == "json" else _TEXT, headers={"Vary": "Accept"})

    def _record(self, identifier: str) -> Response:
        """What became of a request."""
        from dasflex_core.run import read_record

        record = read_record(identifier, str(self.site.config.requests))
        shown = {**asdict(record), "request": dict(record.request)}
        return Response(json.dumps(shown, indent=1) + "\n", content_type="application/json")

    def _list(self, web: WebRequest) -> str:
        """The listed sources, each with its examples."""
        entries = [entry for entry in self.site.catalog.entries() if entry.listed]
        items = "\n".join(
            f"<li><b>{escape(entry.id)}</b> {escape(entry.title)}{self._links(web, entry.id)}</li>" for entry in entries
        )
        title = escape(self.site.config.server_name)
        return (
            f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title></head>\n'
            f"<body><h1>{title}</h1>\n<ul>\n{items}\n</ul></body></html>\n"
        )

    def _links(self, web: WebRequest, identifier: str) -> str:
        """The examples of a source as links; a source that cannot be read has none, and the administrator is told."""
        try:
            requests = self.site[identifier].examples
        except DasflexError as error:
            self._note(error.message)
            return ""
        base = f"{web.script_root}/source/{quote(identifier.lower())}"
        links = ""
        for request in requests:
            query = escape(query_text(request.pairs))
            links += f' · <a href="{base}/data.csv?{query}">csv</a> <a href="{base}/plan?{query}">plan</a>'
        return links

    # -- failures

    def _failure(self, web: WebRequest, error: DasflexError, wanted: list[StreamType]) -> Response:
        """The response to a request that failed before any data: in the form of the stream, where that has one."""
        status, text = status_of(error), public_text(error)
        if status >= 500:
            detail = f"\n{error.detail}" if error.detail else ""
            self._note(f"{web.method} {web.full_path.rstrip('?')}: {error.kind}: {error.message}{detail}")
        info = self._telling(wanted[0]) if wanted and status != 401 else None
        if info is not None:
            from dasflex_core.loading import load

            body = load(info.failure)(error.kind, text)
            if isinstance(body, bytes):
                return Response(body, status, content_type=info.media_type)
        return Response(f"{text}\n", status, content_type=_TEXT, headers={"X-Content-Type-Options": "nosniff"})

    def _telling(self, wanted: StreamType) -> StreamTypeInfo | None:
        """The readable variant of a type that can tell a failure, if there is one."""
        for each in (StreamType(wanted.kind, wanted.version, "text"), wanted):
            info = self.site.registry.stream_type(each)
            if info is not None and info.failure:
                return info
        return None


def _begin(run: Pump, name: str) -> None:
    """Waits for the first data. Raises what failed before them, and `SourceError` where they do not come in time."""
    if not run.start(PATIENCE):
        raise SourceError(f"{name} gave nothing in {PATIENCE:.0f} s; ask for less", kind="source.silent")


def query_text(pairs: Iterable[tuple[str, str]]) -> str:
    """The query that asks for these parameters, with the range in its short form.

    >>> query_text([("read.time.min", "2020-01-01"), ("read.time.max", "2020-01-02"), ("format.type", "csv")])
    'time=2020-01-01/2020-01-02&format.type=csv'
    """
    rest = dict(pairs)
    if "read.time.min" in rest and "read.time.max" in rest:
        rest = {"time": f"{rest.pop('read.time.min')}/{rest.pop('read.time.max')}", **rest}
    return urlencode(rest, safe=":/,")


def _query(web: WebRequest) -> Pairs:
    """The names and values of the query, decoded once; a `+` is a blank. Raises `QueryError`."""
    try:
        return parse_qsl(
            web.query_string.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS
        )
    except ValueError as error:
        raise QueryError("The query of this address cannot be read as UTF-8 with % escapes") from error


def _is_browser(web: WebRequest) -> bool:
    """Whether a person looks at the answer: Java clients accept HTML as well, so that the agent must say so too."""
    return "text/html" in web.headers.get("Accept", "") and "Mozilla/" in web.headers.get("User-Agent", "")

# SPDX-License-Identifier: GPL-3.0-or-later
"""The front-end without a socket: one request in, one answer out, whatever the request is.

It finds out who is to answer a path, and says of each answer what is said of all. A CGI program imports this for one
request, so that it imports late, and only the standard library and the core.
"""

from __future__ import annotations

from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Final

from dasflex_cgi import about, das2_views, identity
from dasflex_cgi.accounting import Accounted, entry_of
from dasflex_cgi.bounds import megabytes, too_large
from dasflex_cgi.compressing import coding, compressible, encoded
from dasflex_cgi.delivering import deliver, deliver_so
from dasflex_cgi.exchange import TEXT, Answer
from dasflex_cgi.failures import NOT_DATA, blamed, failure
from dasflex_cgi.moving import moved_answer
from dasflex_cgi.runs import Runs
from dasflex_cgi.shielding import JOB_METHODS, METHODS, OF_ALL, OF_PAGES, VERIFIER_METHODS, preflight
from dasflex_cgi.static import serve
from dasflex_cgi.visit import Visit
from dasflex_core.claims import user_of_proxy
from dasflex_core.errors import DasflexError, NotFoundError, QueryError, shown
from dasflex_core.logs import RequestLog
from dasflex_core.queries import joined_lists, query_pairs
from dasflex_core.run.records import new_request_id
from dasflex_core.site import Request
from dasflex_core.streamtype import StreamType
from dasflex_core.telling import asked_type, own_type

if TYPE_CHECKING:
    from collections.abc import Callable

    from dasflex_cgi.delivering import Manner
    from dasflex_cgi.exchange import Asked, Body
    from dasflex_core.queries import Pairs
    from dasflex_core.site import Site, Source

__all__ = ["Front"]

#: The paths where das2 clients have a server: ours, and those written into programs of others.
_DAS2_PATHS: Final = ("/", "/das/server", "/das/das2server")
#: Streams that are verified at once, since nothing else here takes its time in this process.
_VERIFIED_AT_ONCE: Final = 4
#: What can be asked of a source beside its data, behind its address.
_ABOUT: Final = ("plan", "ticket", "coverage.json")
#: What das2C reads of headers, less what servers add to ours (the das2 clients, HTTP).
_LONGEST_HEAD: Final = 1_700
#: What is left out of headers that would be longer, the least important first.
_SPARE: Final = (
    "Server-Timing", "Access-Control-Expose-Headers", "Content-Disposition", "X-Suggested-Parameters",
    "X-Estimate-Basis", "X-Estimated-Seconds", "X-Estimated-Records", "X-Estimated-Bytes", "Vary", "ETag",
    "Last-Modified",
)  # fmt: skip


class Front:
    """A site over HTTP, for any edge. `note` takes a line for the administrator.

    `logs_at` is the address of the log viewer, where that is not at `/log` of this server.

    Where the process is `lasting`, it ages the logs beside its requests; else whoever ends it does that.
    """

    def __init__(self, site: Site, note: Callable[[str], None], *, lasting: bool = True, logs_at: str = "") -> None:
        self.site = site
        self._note = note
        self._logs_at = logs_at
        self._runs = Runs()
        self._verifying = BoundedSemaphore(_VERIFIED_AT_ONCE)
        self.log = RequestLog.of(site.config, note, _ageing(site, note) if lasting else None)

    def answer(self, asked: Asked) -> Answer:
        """The answer to a request. Raises nothing: what fails is an answer, too."""
        visit = self.visit(asked)
        try:
            answer = self._routed(visit)
        except DasflexError as error:
            answer = failure(self.site, visit, error, self._note)
        except Exception:  # noqa: BLE001  a fault of ours is one status, noted in full, and told to nobody else
            from traceback import format_exc

            self._note(f"{asked.method} {asked.path}: {format_exc()}")
            answer = failure(self.site, visit, DasflexError("internal"), _unsaid)
        return self._finished(visit, answer)

    def visit(self, asked: Asked) -> Visit:
        """A request at its beginning."""
        remote_user = asked.remote_user or user_of_proxy(asked.peer, asked.headers, self.site.config)
        return Visit(asked, new_request_id(), remote_user)

    def data(self, visit: Visit, request: Request, manner: Manner) -> tuple[Answer, bool]:
        """Data for what a plugin has mounted, and whether there are none. Raises `DasflexError`, which was noted."""
        try:
            return deliver_so(visit, request, self._runs, manner)
        except DasflexError as error:
            blamed(visit, error, self._note)
            raise

    def end(self) -> None:
        """Ends all that runs for clients."""
        self._runs.end()

    # -- who answers

    def _routed(self, visit: Visit) -> Answer:
        """The answer of whoever is responsible for a path."""
        asked = visit.asked
        path = _folded_slashes(asked.path)
        refused = _refused(self.site, asked, path)
        if refused is not None:
            return refused
        lower = path.lower()
        if (lower.rstrip("/") or "/") in _DAS2_PATHS:
            return self._front(visit)
        if "." in lower.rpartition("/")[2]:
            served = serve(str(self.site.config.root), asked.method, path, asked.headers)
            if served is not None:
                return Answer(served.status, served.headers, served)
        first, _, rest = path[1:].partition("/")
        if first.lower() == "source":
            return self._source(visit, rest)
        kept = first.lower() in ("request", "answer") and rest and "/" not in rest
        if kept or (first.lower() == "jobs" and rest.strip("/")):
            return self._kept(visit, first.lower(), rest)
        return self._about(visit, lower)

    def _about(self, visit: Visit, path: str) -> Answer:
        """What the server says of itself; `path` is in lower case."""
        answers = self.said(visit.asked)
        site = self.site
        if path.startswith("/static/plotly-"):
            from dasflex_cgi.plot_library import serve_library

            folder = site.config.runtime / "static"
            library = serve_library(folder, visit.asked.method, path, visit.asked.headers)
            if library is not None:
                return Answer(library.status, library.headers, library)
        if path in answers:
            return answers[path]()
        if f"{path}/".startswith("/log/"):
            from dasflex_cgi.log_view import log_answer

            return log_answer(site, visit, path[len("/log/") :], self._logs_at or f"{visit.asked.base}/log")
        if path == "/verify" and site.config.enable_verifier:
            from dasflex_cgi.verify_view import verify

            return verify(site, visit, self._runs, self._verifying)
        raise NotFoundError(f"There is nothing at {shown(visit.asked.path)}; the sources are listed at /source/")

    def said(self, asked: Asked) -> dict[str, Callable[[], Answer]]:
        """What answers each path at which the server says something of itself, in lower case."""
        site, note = self.site, self._note
        return {
            "/id.txt": lambda: identity.id_txt(site),
            "/id.json": lambda: identity.id_json(site),
            "/logo.png": lambda: identity.logo(site),
            "/favicon.ico": lambda: identity.logo(site),
            "/peers.xml": lambda: das2_views.peers(site, note),
            "/health": lambda: about.health(site, note),
            "/openapi.json": lambda: _openapi(site, asked),
            "/search": lambda: _search(site, asked),
            "/peers": lambda: _peers(site, asked, note),
            "/static/": lambda: Answer(200, (("Content-Type", TEXT), *NOT_DATA), b"What pages are made of\n"),
        }

    def _kept(self, visit: Visit, what: str, identifier: str) -> Answer:
        """What became of a request or of a job, and the request behind an answer."""
        if what == "jobs":
            from dasflex_cgi.job_views import job_answer

            return job_answer(self.site, visit, identifier)
        if what == "request":
            return about.record(self.site, identifier)
        return about.asked_before(self.site, visit.asked, identifier)

    # -- das2 clients, and the first page

    def _front(self, visit: Visit) -> Answer:
        """The first page, or what a das2 client asks by `server=`."""
        asked = visit.asked
        if "server=" in asked.query.lower():
            visit.das2 = True
            visit.wanted = StreamType.parse(self.site.registry.convention("das2").goal)
        pairs = query_pairs(asked.query)
        if not any(name.strip().lower() == "server" and value.strip() for name, value in pairs):
            from dasflex_cgi import pages

            return pages.front(self.site, asked)
        query = das2_views.read_query(pairs)
        if query.server == "id":
            return identity.id_txt(self.site)
        if query.server == "logo":
            return identity.logo(self.site)
        if query.server == "peers":
            return das2_views.peers(self.site, self._note)
        if query.server in ("list", "discovery"):
            return das2_views.list_of(self.site, with_examples=query.server == "discovery")
        return self._das2_source(visit, query)

    def _das2_source(self, visit: Visit, query: das2_views.Das2Query) -> Answer:
        """What a das2 client asks of a source: its description, or data."""
        source = self._found(visit, query.dataset)
        moved = moved_answer(self.site.config, visit, source.definition, "")
        if moved is not None:
            return moved
        if query.server == "dsdf":
            return das2_views.header(self.site, source.definition)
        media_type = "application/octet-stream" if query.server == "compactdataset" else ""
        pairs = das2_views.picture(self.site, query.rest) if query.server == "image" else query.rest
        return deliver(visit, Request(source, tuple(pairs), "das2", visit.claim), self._runs, media_type)

    def _found(self, visit: Visit, identifier: str) -> Source:
        """The source of an id."""
        source = self.site[identifier]
        visit.source = source.id
        return source

    # -- sources

    def _source(self, visit: Visit, rest: str) -> Answer:
        """What is asked of a source by its path: data, a plan, a ticket, or a page. `rest` follows `/source/`."""
        identifier, _, what = rest.rpartition("/")
        what = what.lower()
        if not identifier or (what not in ("flex", *_ABOUT) and not what.startswith("data.")):
            return self._page(visit, rest)
        suffix = what.removeprefix("data.") if what.startswith("data.") else ""
        pairs, wrong = _read(visit.asked.query)
        if what not in _ABOUT:
            info = self.site.registry.by_suffix(suffix) if suffix else None
            visit.wanted = asked_type(pairs) or (info.type if info else None)
        source = self._found(visit, identifier)
        if what == "flex":
            visit.wanted = visit.wanted or own_type(source.definition)
        if wrong is not None:
            raise wrong
        moved = moved_answer(self.site.config, visit, source.definition, f"/{what}")
        if moved is not None:
            return moved
        if what in _ABOUT:
            return self._about_source(visit, source, what, pairs)
        request = Request(source, tuple(pairs), claim=visit.claim)
        request = request.as_suffix(suffix) if suffix else request
        if "prefer" in visit.asked.headers and visit.asked.method == "GET":
            from dasflex_cgi.deferring import deferred

            later = deferred(visit, request)
            if later is not None:
                return later
        return deliver(visit, request, self._runs)

    def _about_source(self, visit: Visit, source: Source, what: str, pairs: Pairs) -> Answer:
        """What is asked of a source beside its data: a plan, a ticket, or when there are data."""
        if what == "ticket":
            from dasflex_cgi.ticketing import ticket_answer

            return ticket_answer(source, visit)
        if what == "coverage.json":
            from dasflex_cgi.covering import coverage_answer

            return coverage_answer(visit, source)
        from dasflex_cgi.explaining import plan_answer

        return plan_answer(visit, source, pairs)

    def _page(self, visit: Visit, rest: str) -> Answer:
        """The page of a source or of a directory; a directory answers with and without its slash."""
        path = rest.strip("/")
        if path.lower().endswith(".html"):
            path = path[: -len(".html")]
        catalog = self.site.catalog
        if path and (path in catalog or not catalog.has_folder(path)):
            moved = moved_answer(self.site.config, visit, self._found(visit, path).definition, "")
            if moved is not None:
                return moved
        from dasflex_cgi import pages

        if not visit.source:
            return pages.directory(self.site, visit.asked, path)
        return pages.source(self.site, visit.asked, visit.source, visit.claim)

    # -- what is said of all answers

    def _finished(self, visit: Visit, answer: Answer) -> Answer:
        """The answer with the headers that all have, compressed where it is short and that was asked for."""
        answer = _shielded(_compressed(visit.asked, answer)).with_headers(
            X_Request_Id=visit.id, Server_Timing=visit.timing
        )
        return Answer(answer.status, _safe(answer.headers), self._accounted(visit, answer))

    def _accounted(self, visit: Visit, answer: Answer) -> bytes | Body:
        """The body of an answer, which is logged when it was sent."""
        nothing = visit.asked.method == "HEAD" or answer.status == 304

        def ended(sent: int, complete: bool) -> None:  # noqa: FBT001  two facts of an end, in the order of the log
            self.log.write(entry_of(visit, answer.status, sent, complete=complete or nothing))

        if isinstance(answer.body, bytes):
            ended(0 if nothing else len(answer.body), True)
            return answer.body
        return Accounted(answer.body, visit, ended)


def _ageing(site: Site, note: Callable[[str], None]) -> Callable[[], None]:
    """What is called behind each entry of the log, and ages the logs where it is time to."""
    from dasflex_core.log_ageing import LogKeeper

    return LogKeeper.of(site.config, note).look


def _openapi(site: Site, asked: Asked) -> Answer:
    """The description of the server for programs."""
    from dasflex_cgi.openapi import openapi

    return openapi(site, asked)


def _search(site: Site, asked: Asked) -> Answer:
    """The sources that have the words of a search, as a page."""
    from dasflex_cgi import pages

    return pages.search(site, asked)


def _peers(site: Site, asked: Asked, note: Callable[[str], None]) -> Answer:
    """The other servers that are known here, as a page."""
    from dasflex_cgi import pages

    return pages.peers(site, asked, tuple(about.peers(site.config, note)))


def _read(query: str) -> tuple[Pairs, QueryError | None]:
    """The pairs of a query, or what is wrong with it: that is told when it is known to whom."""
    try:
        return joined_lists(query_pairs(query)), None
    except QueryError as error:
        return [], error


def _refused(site: Site, asked: Asked, path: str) -> Answer | None:
    """The answer to a request that is too large, or of a method that its path does not take; None for any other."""
    most = megabytes(site.config.limit_verify_megabytes)
    wrong = too_large(len(asked.path) + len(asked.query), asked.headers, most)
    if wrong is not None:
        return Answer(wrong[0], (("Content-Type", TEXT), *NOT_DATA), f"{wrong[1]}\n".encode())
    methods = METHODS
    if path.lower() == "/verify" and site.config.enable_verifier:
        methods = VERIFIER_METHODS
    elif path[:6].lower() == "/jobs/" and path[6:] and "/" not in path[6:].rstrip("/"):
        methods = JOB_METHODS
    if asked.method != "OPTIONS" and asked.method in methods.split(", "):
        return None
    return _of_method(asked.method, methods)


def _of_method(method: str, methods: str) -> Answer:
    """The answer to a method other than these."""
    if method == "OPTIONS":
        return Answer(200, (*preflight(methods), ("Content-Type", TEXT)))
    headers = (("Allow", methods), ("Content-Type", TEXT), *NOT_DATA)
    head, _, last = methods.rpartition(", ")
    return Answer(405, headers, f"Only {head} and {last} are answered here\n".encode())


def _shielded(answer: Answer) -> Answer:
    """An answer with what browsers are told: all of them, and what is a page more."""
    more = dict(OF_ALL)
    price = [name for name, _value in answer.headers if name.startswith(("X-Estimate", "X-Suggested"))]
    if price:
        more["Access-Control-Expose-Headers"] += f", {', '.join(price)}"
    if any(name == "Content-Type" and value.startswith("text/html") for name, value in answer.headers):
        more |= dict(OF_PAGES)
    if any(name == "Cross-Origin-Resource-Policy" for name, _value in answer.headers):  # for no page of another site
        more = {name: value for name, value in more.items() if not name.startswith("Access-Control-")}
    return Answer(
        answer.status, (*(pair for pair in answer.headers if pair[0] not in more), *more.items()), answer.body
    )


def _folded_slashes(path: str) -> str:
    """The path from its first slash on, with single slashes."""
    path = f"/{path}"
    while "//" in path:
        path = path.replace("//", "/")
    return path


def _compressed(asked: Asked, answer: Answer) -> Answer:
    """A whole answer in the coding that the client asked for, if it has one and is worth it."""
    headers = dict(answer.headers)
    if not isinstance(answer.body, bytes) or not compressible(headers.get("Content-Type", "")):
        return answer
    vary = ", ".join(filter(None, ("Accept-Encoding", headers.get("Vary", ""))))
    code = coding(asked.headers.get("accept-encoding", "")) if answer.status == 200 else ""
    body = encoded(answer.body, code)
    if body is answer.body:
        return answer.with_headers(Vary=vary)
    return Answer(answer.status, answer.headers, body).with_headers(Vary=vary, Content_Encoding=code)


def _safe(headers: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Headers without control characters, without blank ones, and not longer than all clients read."""
    clean = [
        (name, "".join(char if " " <= char <= "~" or "\xa0" <= char <= "\xff" else "_" for char in value))
        for name, value in headers
        if value
    ]
    for spare in _SPARE:
        if sum(len(name) + len(value) + 4 for name, value in clean) <= _LONGEST_HEAD:
            break
        clean = [pair for pair in clean if pair[0] != spare]
    return tuple(clean)


def _unsaid(_text: str) -> None:
    """Where a second note of the same failure goes."""

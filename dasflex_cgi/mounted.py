# SPDX-License-Identifier: GPL-3.0-or-later
"""What plugins mount, as the front-end answers by it: with a request id, the usual headers, and an entry of the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dasflex_cgi.accounting import Accounted, entry_of
from dasflex_cgi.delivering import Manner
from dasflex_cgi.exchange import TEXT, Wrapped
from dasflex_cgi.shielding import METHODS, OF_ALL, preflight
from dasflex_core.errors import DasflexError
from dasflex_core.mounts import FRONT_END, Delivered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from dasflex_cgi.answering import Front
    from dasflex_cgi.exchange import Asked
    from dasflex_cgi.visit import Visit
    from dasflex_core.claims import Claim
    from dasflex_core.site import Request

__all__ = ["Mounted"]

_OURS: Final = "x-request-id"


class Mounted:
    """An application of a plugin (PEP 3333) at a path, within a front-end. `asked` reads the environ of a request."""

    def __init__(
        self, application: WSGIApplication, path: str, front: Front, asked: Callable[[WSGIEnvironment], Asked]
    ) -> None:
        self._application = application
        self._path = path
        self._front = front
        self._asked = asked

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers one request, whose path begins with that of the mount."""
        visit = self._front.visit(self._asked(environ))
        said = 500

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Callable[[bytes], object]:  # noqa: ANN401  what the system says of an exception
            nonlocal said
            said = int(status[:3])
            own = [pair for pair in headers if pair[0].lower() != _OURS]
            named = {name.lower() for name, _ in own}
            more = [pair for pair in OF_ALL if pair[0].lower() not in named]
            return start_response(status, [*own, *more, ("X-Request-Id", visit.id)], *error)

        def ended(sent: int, complete: bool) -> None:  # noqa: FBT001  two facts of an end, in the order of the log
            nothing = visit.asked.method == "HEAD" or said == 304
            self._front.log.write(entry_of(visit, said, sent, complete=complete or nothing))

        if visit.asked.method == "OPTIONS":
            start("200 OK", [*preflight(METHODS), ("Content-Type", TEXT)])
            return Accounted(Wrapped(()), visit, ended)
        below = {
            "SCRIPT_NAME": environ.get("SCRIPT_NAME", "") + self._path,
            "PATH_INFO": environ.get("PATH_INFO", "")[len(self._path) :],
            FRONT_END: _OfRequest(self._front, visit),
        }
        try:
            body = self._application({**environ, **below}, start)
        except Exception as error:
            visit.error = DasflexError(type(error).__name__, detail=str(error))
            ended(0, False)
            raise
        return Accounted(Wrapped(body), visit, ended)


class _OfRequest:
    """The front-end for one request (`dasflex_core.mounts.FrontEnd`)."""

    def __init__(self, front: Front, visit: Visit) -> None:
        self._front = front
        self._visit = visit

    @property
    def claim(self) -> Claim:
        """Who asks, not checked yet."""
        return self._visit.claim

    @property
    def base(self) -> str:
        """The path of the server."""
        return self._visit.asked.base

    @property
    def origin(self) -> str:
        """The scheme and the host."""
        return self._visit.asked.origin

    def deliver(
        self, request: Request, *, media_type: str = "", head: bytes = b"", tail: bytes = b"", alone: bytes = b""
    ) -> Delivered:
        """The data of a request, between `head` and `tail`, or `alone` where there are none."""
        visit = self._visit
        visit.source = request.source.id
        answer, empty = self._front.data(visit, request, Manner(media_type, head, tail, alone, mounted=True))
        body = Wrapped((answer.body,)) if isinstance(answer.body, bytes) else answer.body
        return Delivered(answer.status, tuple(pair for pair in answer.headers if pair[1]), body, empty)

# SPDX-License-Identifier: GPL-3.0-or-later
"""The site as a running server has it: read anew on demand, while what began with the old one ends with the old one."""

from __future__ import annotations

from io import BytesIO
from threading import Lock
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from dasflex_cgi.exchange import ASKED, TEXT, Answer, Wrapped
from dasflex_core.errors import ConfigError, DasflexError
from dasflex_core.run.records import new_request_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from dasflex_cgi.app import Application
    from dasflex_cgi.exchange import Asked
    from dasflex_core.site import Site

__all__ = ["Current", "Watched", "answer_of", "answer_or_fault"]

_FAULT: Final = b"The server failed at this request; its administrator can find out why from its log\n"


class Current:
    """Answers for the site that `read` gives, by WSGI and as a value. `note` takes a line for the administrator.

    Each request holds the site that it began with, which is ended when it is no longer the current one and nobody
    holds it. May be used by many threads.
    """

    def __init__(self, read: Callable[[], Site], note: Callable[[str], None]) -> None:
        self._read = read
        self._note = note
        self._lock = Lock()
        self._edition = _Edition(read(), note)
        self._editions = [self._edition]

    @property
    def site(self) -> Site:
        """The site of new requests."""
        return self._edition.site

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers one request (PEP 3333)."""
        edition = self._held()
        try:
            body = edition.application(environ, start_response)
        except BaseException:
            self._let_go(edition)
            raise
        return Watched(body, lambda: self._let_go(edition))

    def answer(self, asked: Asked) -> Answer:
        """Answers one request. What a plugin has mounted is asked by WSGI."""
        edition = self._held()
        try:
            answer = edition.answer(asked)
        except BaseException:
            self._let_go(edition)
            raise
        if isinstance(answer.body, bytes):
            self._let_go(edition)
            return answer
        body = Watched(answer.body, lambda: self._let_go(edition))
        return Answer(answer.status, answer.headers, body, answer.phrase)

    def renew(self) -> bool:
        """Reads the site anew for the requests to come; false, with a note and the old site, where that fails."""
        try:
            edition = _Edition(self._read(), self._note)
        except Exception as error:  # noqa: BLE001  a plugin may raise anything, and the server must go on
            told = str(error) if isinstance(error, (DasflexError, OSError)) else f"{type(error).__name__}: {error}"
            self._note(f"the old configuration stays, since the new one cannot be read: {told}")
            return False
        with self._lock:
            old, self._edition = self._edition, edition
            self._editions.append(edition)
            old.holders += 1
        self._let_go(old)
        return True

    def end(self) -> None:
        """Ends all that runs for clients."""
        with self._lock:
            editions = list(self._editions)
        for each in editions:
            each.end()

    def _held(self) -> _Edition:
        """The current edition, which is not ended before it is let go."""
        with self._lock:
            self._edition.holders += 1
            return self._edition

    def _let_go(self, edition: _Edition) -> None:
        """Ends an edition that nobody needs any more."""
        with self._lock:
            edition.holders -= 1
            over = edition.holders == 0 and edition is not self._edition
            if over:
                self._editions.remove(edition)
        if over:
            edition.end()


class _Edition:
    """A site as it was read once, and what answers for it. `holders` are the requests that began with it."""

    def __init__(self, site: Site, note: Callable[[str], None]) -> None:
        from dasflex_cgi.app import Application

        self.site = site
        self.application: Application = Application(site, note)
        self.holders = 0
        self._note = note
        self._mounts = tuple(f"/{each.path.strip('/')}/" for each in site.registry.mounts())

    def answer(self, asked: Asked) -> Answer:
        """The answer to a request."""
        if f"{asked.path}/".startswith(self._mounts):
            return answer_or_fault(self.application, asked, self._note)
        return self.application.front.answer(asked)

    def end(self) -> None:
        """Ends all that runs for clients."""
        self.application.end()


class Watched(Wrapped):
    """A body of which one learns when it is closed; `done` is called once, whether it was taken or not."""

    def __init__(self, body: Iterable[bytes], done: Callable[[], None]) -> None:
        super().__init__(body)
        self._done: Callable[[], None] | None = done

    def close(self) -> None:
        """Closes the body."""
        done, self._done = self._done, None
        try:
            super().close()
        finally:
            if done is not None:
                done()


def answer_or_fault(application: WSGIApplication, asked: Asked, note: Callable[[str], None]) -> Answer:
    """The answer of a WSGI application; whatever fails in a plugin is its own fault, noted, and told to nobody."""
    try:
        return answer_of(application, asked)
    except Exception:  # noqa: BLE001  a plugin may raise anything
        from traceback import format_exc

        note(f"{asked.method} {asked.path}: {format_exc()}")
        return Answer(500, (("Content-Type", TEXT), ("X-Request-Id", new_request_id())), _FAULT)


def answer_of(application: WSGIApplication, asked: Asked) -> Answer:
    """The answer of a WSGI application to a request without a body (PEP 3333)."""
    said: list[tuple[str, list[tuple[str, str]]]] = []
    written: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], _error: object = None) -> Callable[[bytes], object]:
        said[:] = [(status, headers)]
        return written.append

    body = Wrapped(application(_environ(asked), start_response))
    try:
        while not said:  # an application may begin only when it is asked for its first bytes
            written.append(next(body))
    except StopIteration:
        body.close()
        raise ConfigError("An application of a plugin ended without an answer", kind="config.plugin") from None
    except BaseException:
        body.close()
        raise
    status, headers = said[0]
    return Answer(int(status[:3]), tuple(headers), _Preceded(written, body), status[4:])


class _Preceded(Wrapped):
    """A body behind pieces that came before it."""

    def __init__(self, before: list[bytes], body: Iterable[bytes]) -> None:
        super().__init__(body)
        self._before = before

    def __next__(self) -> bytes:
        return self._before.pop(0) if self._before else next(self._pieces)


def _environ(asked: Asked) -> WSGIEnvironment:
    """The request as WSGI has it."""
    import sys

    origin = urlsplit(asked.origin)
    default = "443" if origin.scheme == "https" else "80"
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": asked.method,
        "SCRIPT_NAME": asked.base.encode().decode("latin-1"),
        "PATH_INFO": asked.path.encode().decode("latin-1"),
        "QUERY_STRING": asked.query,
        "SERVER_NAME": origin.hostname or "localhost",
        "SERVER_PORT": origin.netloc.rpartition(":")[2] if origin.netloc.rpartition(":")[2].isdigit() else default,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": asked.client,
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": origin.scheme or "http",
        "wsgi.input": BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "CONTENT_LENGTH": "0",
        ASKED: asked,
    }
    for name, value in asked.headers.items():
        if name not in ("content-length", "content-type"):
            environ[f"HTTP_{name.replace('-', '_').upper()}"] = value
    return environ

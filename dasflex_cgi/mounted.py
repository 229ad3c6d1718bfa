# SPDX-License-Identifier: GPL-3.0-or-later
"""What plugins mount, as the front-end answers by it: with a request id, the usual headers, and an entry of the log."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from dasflex_cgi.exchange import Wrapped
from dasflex_cgi.shielding import OF_ALL
from dasflex_core.logs import LogEntry
from dasflex_core.run.records import new_request_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

    from dasflex_core.logs import RequestLog

__all__ = ["Mounted"]


class Mounted:
    """An application of a plugin (PEP 3333). `client` gives the address of a client by the environ of its request."""

    def __init__(self, application: WSGIApplication, log: RequestLog, client: Callable[[WSGIEnvironment], str]) -> None:
        self._application = application
        self._log = log
        self._client = client

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers one request."""
        account = _Account(environ, self._client(environ), self._log)

        def start(status: str, headers: list[tuple[str, str]], *error: Any) -> Callable[[bytes], object]:  # noqa: ANN401  what the system says of an exception
            account.status = int(status[:3])
            own = [pair for pair in headers if pair[0].lower() != "x-request-id"]
            named = {name.lower() for name, _ in own}
            more = [pair for pair in OF_ALL if pair[0].lower() not in named]
            return start_response(status, [*own, *more, ("X-Request-Id", account.id)], *error)

        try:
            body = self._application(environ, start)
        except Exception as error:
            account.close(error)
            raise
        return _Counted(body, account)


class _Account:
    """What the log says of a request, once."""

    def __init__(self, environ: WSGIEnvironment, client: str, log: RequestLog) -> None:
        self.id = new_request_id()
        self.status = 500
        self.bytes = 0
        self._environ = environ
        self._client = client
        self._log = log
        self._begun = time.time()
        self._clock = time.perf_counter()
        self._closed = False

    def close(self, error: Exception | None = None, *, complete: bool = False) -> None:
        """Writes the entry, unless that was done."""
        if self._closed:
            return
        self._closed = True
        get = self._environ.get
        query = get("QUERY_STRING", "")
        entry = LogEntry(
            time=self._begun,
            client=self._client,
            request=self.id,
            method=get("REQUEST_METHOD", ""),
            target=f"{get('SCRIPT_NAME', '')}{get('PATH_INFO', '')}{query and '?' + query}",
            status=self.status,
            bytes=self.bytes,
            seconds=time.perf_counter() - self._clock,
            complete=complete,
            agent=get("HTTP_USER_AGENT", ""),
            kind="error" if error else "",
            message=type(error).__name__ if error else "",
            detail=str(error) if error else "",
            user=get("REMOTE_USER", ""),
        )
        self._log.write(entry)


class _Counted(Wrapped):
    """A body whose bytes are counted."""

    def __init__(self, body: Iterable[bytes], account: _Account) -> None:
        super().__init__(body)
        self._account = account
        self._complete = False

    def __next__(self) -> bytes:
        try:
            piece = next(self._pieces)
        except StopIteration:
            self._complete = True
            raise
        except Exception as error:
            self._account.close(error)
            raise
        self._account.bytes += len(piece)
        return piece

    def close(self) -> None:
        """Closes the body, and then the account. A body that was not looked at, as for HEAD, is whole."""
        try:
            super().close()
        finally:
            self._account.close(complete=self._complete or not self._account.bytes)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Connections to other servers: made in little time, known to whoever may break them off, and redirected with care."""

from __future__ import annotations

from functools import partial
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from typing import IO, TYPE_CHECKING, Any, Final
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPHandler, HTTPRedirectHandler, HTTPSHandler, Request

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from http.client import HTTPMessage

    Notice = Callable[[socket.socket], None] | None

__all__ = ["Connections", "Redirection"]

#: Seconds in which a server must take a connection, however long it may then be silent.
_CONNECT: Final = 10.0


class _Plain(HTTPConnection):
    """A connection of HTTP."""

    def __init__(self, notice: Notice, host: str, **settings: Any) -> None:  # noqa: ANN401  those of the base
        super().__init__(host, **settings)
        self._notice = notice

    def connect(self) -> None:
        """Connects, and tells of the socket."""
        silence, self.timeout = self.timeout, min(self.timeout or _CONNECT, _CONNECT)
        super().connect()
        _told(self.sock, silence, self._notice)


class _Secure(_Plain, HTTPSConnection):
    """A connection of HTTPS. The certificate of the server, and its name, are verified."""


def _told(opened: socket.socket, silence: float | None, notice: Notice) -> None:
    """Lets a connection be silent for so many seconds, and tells of it."""
    opened.settimeout(silence)
    if notice is not None:
        notice(opened)


class Connections(HTTPHandler, HTTPSHandler):
    """Opens addresses of HTTP and HTTPS. `notice` is told the socket of each connection."""

    def __init__(self, notice: Notice = None) -> None:
        super().__init__()
        self._notice = notice

    def http_open(self, req: Request) -> HTTPResponse:
        """The answer to a request of HTTP."""
        return self.do_open(partial(_Plain, self._notice), req)

    def https_open(self, req: Request) -> HTTPResponse:
        """The answer to a request of HTTPS."""
        return self.do_open(partial(_Secure, self._notice), req)


class Redirection(HTTPRedirectHandler):
    """Follows redirections. A log-in goes to the server that it is for, and nothing from https to http."""

    max_redirections = 5

    def redirect_request(
        self,
        req: Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> Request | None:
        """The request to the new address."""
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        if old.scheme == "https" and new.scheme != "https":
            raise HTTPError(
                req.full_url, code, f"it is redirected to {new.scheme}:, which anybody can read", headers, fp
            )
        made = super().redirect_request(req, fp, code, msg, headers, newurl)
        if made is not None and (old.scheme, old.netloc.lower()) != (new.scheme, new.netloc.lower()):
            made.remove_header("Authorization")
        return made

# SPDX-License-Identifier: GPL-3.0-or-later
"""One question to another server over HTTP, and its answer: whole, or an error that says what is wrong with it.

A connection is broken off within a second of nobody wanting the answer any more, whatever the server does.
"""

from __future__ import annotations

import socket
from base64 import b64encode
from contextlib import contextmanager, suppress
from http.client import HTTPException, HTTPResponse
from threading import Event, Thread
from typing import TYPE_CHECKING, Final
from urllib.error import HTTPError
from urllib.parse import quote, unquote, urlencode, urlsplit, urlunsplit
from urllib.request import Request

from dasflex_core.errors import BusyError, ConfigError, SourceError
from dasflex_core.fetching import SCHEMES, fetch
from dasflex_core.remote.refusing import refusal
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = ["Address", "Reply", "asked", "plain"]

#: Seconds that a server may be silent.
PATIENCE: Final = 60.0
_CHUNK: Final = 1 << 16
#: The longest list, description or error of a server, in bytes.
_LONGEST: Final = 16_000_000
_LOOK: Final = 0.2


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is: an address of HTTP without a query, and the log-in for it, `name:password` or blank."""

    url: str
    login: str = ""

    def __repr__(self) -> str:
        """The address alone: a log-in is never shown."""
        return f"<Address {self.url}>"

    @classmethod
    def parse(cls, text: str) -> tuple[Address, str]:
        """An address and its query. A log-in may stand before the host. Raises `ConfigError` for what is none."""
        parts = urlsplit(text.strip())
        if not text.strip().lower().startswith(SCHEMES) or not parts.hostname or not text.strip().isprintable():
            shown = text.rpartition("@")[2]
            raise ConfigError(f"{shown!r} is no address of a server; write http://… or https://…")
        login, at, host = parts.netloc.rpartition("@")
        bare = urlunsplit((parts.scheme.lower(), host, quote(parts.path, safe="/%+~:@!$&'()*,;="), "", ""))
        return cls(bare, unquote(login) if at else ""), parts.query

    def below(self, path: str) -> Address:
        """An address below this one."""
        return Address(f"{self.url.rstrip('/')}/{path}", self.login)

    def asking(self, pairs: Iterable[tuple[str, str]]) -> str:
        """The address with a query."""
        query = urlencode(list(pairs), quote_via=quote, safe="/:,")
        return f"{self.url}?{query}" if query else self.url


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that has begun."""

    response: HTTPResponse
    name: str
    breaker: _Breaker

    @property
    def media_type(self) -> str:
        """What kind of content the server says it is, in lower case."""
        return self.header("Content-Type").partition(";")[0].strip().lower()

    def header(self, name: str) -> str:
        """A header; blank where there is none."""
        return self.response.headers.get(name, "")

    def chunks(self) -> Iterator[bytes]:
        """The bytes as they come. Raises `SourceError` where the connection ends before the answer does."""
        with self.breaker.guarded(self.name):
            while chunk := self.response.read1(_CHUNK):
                yield chunk
        if self.response.length:  # it was told how many there are
            self.breaker.check()
            what = f"{self.name} broke off: {self.response.length:,} bytes are missing"
            raise SourceError(what, kind="source.truncated")

    def whole(self, most: int = _LONGEST) -> bytes:
        """All bytes. Raises `SourceError` where there are more than so many."""
        data = bytearray()
        for chunk in self.chunks():
            data += chunk
            if len(data) > most:
                raise SourceError(f"{self.name} answers without an end", kind="source.limit")
        return bytes(data)

    def text(self) -> str:
        """All of it as text, without characters that a terminal would obey."""
        return plain(self.whole())


class _Breaker:
    """Breaks connections off when nobody wants them: another thread waits for the server."""

    def __init__(self, cancelled: Callable[[], bool] | None) -> None:
        self._cancelled = cancelled
        self._sockets: list[socket.socket] = []
        self._over = Event()
        self.broken = False
        if cancelled is not None:
            Thread(target=self._look, name="dasflex-breaker", daemon=True).start()

    def take(self, opened: socket.socket) -> None:
        """Takes a connection up."""
        self._sockets.append(opened)

    def check(self) -> None:
        """Raises `BusyError` where connections were broken off."""
        if self.broken or (self._cancelled is not None and self._cancelled()):
            raise BusyError("The request was ended", kind="busy.stopped")

    @contextmanager
    def guarded(self, name: str) -> Iterator[None]:
        """Waiting for a server: its failures as errors of ours."""
        try:
            yield
        except TimeoutError as error:
            self.check()
            raise SourceError(f"{name} says nothing any more", kind="source.silent") from error
        except (OSError, HTTPException) as error:
            self.check()
            detail = repr(error)
            raise SourceError(f"{name} broke off", kind="source.truncated", detail=detail) from error
        self.check()

    def end(self) -> None:
        """There is nothing left to break off."""
        self._over.set()

    def _look(self) -> None:
        """Looks now and then, until it is over."""
        while not self._over.wait(_LOOK):
            if self._cancelled is not None and self._cancelled():
                self.broken = True
                for each in list(self._sockets):
                    with suppress(OSError):  # it is closed
                        socket.socket.shutdown(each, socket.SHUT_RDWR)  # past TLS, whose state the other thread has


@contextmanager
def asked(
    address: Address,
    pairs: Iterable[tuple[str, str]] = (),
    *,
    patience: float = PATIENCE,
    cancelled: Callable[[], bool] | None = None,
    accept: str = "*/*",
    name: str = "",
) -> Iterator[Reply]:
    """The answer to a query, of status 200. The server may be silent for `patience` seconds.

    `name` is what errors call the server: its address, unless clients should not know that.

    Raises the error that a refusal means (`dasflex_core.remote.refusing`), `SourceError` for a server that cannot be
    reached or breaks off, and `BusyError` soon after `cancelled()` has become true.
    """
    headers = {"User-Agent": "dasflex", "Accept": accept, "Accept-Encoding": "identity"}
    if address.login:
        headers["Authorization"] = f"Basic {b64encode(address.login.encode()).decode('ascii')}"
    request = Request(address.asking(pairs), headers=headers)  # noqa: S310  the scheme was looked at
    name = name or address.url
    breaker = _Breaker(cancelled)
    try:
        with _opened(request, name, patience, breaker) as response:
            if response.headers.get("Content-Encoding", "identity").lower() not in ("", "identity"):
                raise SourceError(f"{name} sends a coding that nobody asked for", kind="source.stream")
            yield Reply(response, name, breaker)
    finally:
        breaker.end()


def _opened(request: Request, name: str, patience: float, breaker: _Breaker) -> HTTPResponse:
    """The answer to a request. Raises what it says instead."""
    try:
        response = fetch(request, patience, breaker.take)
    except HTTPError as error:
        with error:
            body = b""
            with suppress(OSError, HTTPException):  # the status tells enough
                body = error.read(_LONGEST)
            breaker.check()
            raise refusal(error.code, plain(body), name, error.headers.get("Content-Type", ""), error.reason) from error
    except TimeoutError as error:
        breaker.check()
        raise SourceError(f"{name} does not answer", kind="source.silent") from error
    except (OSError, HTTPException) as error:
        breaker.check()
        reason = getattr(error, "reason", error)
        if isinstance(reason, TimeoutError):
            raise SourceError(f"{name} cannot be reached: it does not answer", kind="source.start") from error
        raise SourceError(f"{name} cannot be reached: {reason}", kind="source.start") from error
    if response.status != 200:
        with response:
            raise refusal(response.status, "", name, "", response.reason)
    return response


def plain(data: bytes) -> str:
    """What a server wrote, without characters that a terminal would obey."""
    return "".join(char for char in data.decode("utf-8", "replace") if char.isprintable() or char in "\r\n\t")

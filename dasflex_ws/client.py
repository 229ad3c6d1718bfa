# SPDX-License-Identifier: GPL-3.0-or-later
"""A client of WebSocket sources: it connects, gives the messages that arrive, and says how it ended.

Refusals before the upgrade are HTTP answers with a das exception, ends after it are close codes (RFC 6455, 7.4). Both
become errors of the one family here, so that whoever uses this client has one thing to look at.
"""

from __future__ import annotations

import base64
import os
import ssl
import time
from contextlib import asynccontextmanager
from math import inf
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import quote, urlencode, urlsplit

import trio
import trio_websocket

from dasflex_core.errors import AccessError, BusyError, DasflexError, NotFoundError, QueryError, SourceError
from dasflex_core.values import dataclass
from dasflex_ws.ending import GOING_AWAY, GONE, NORMAL, POLICY, TRY_LATER

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterable, Mapping

__all__ = ["Address", "Connection", "Message", "address_of", "basic", "connected", "failure_of", "refusal_of", "trust"]

#: Seconds that the server may take to answer the first request, and to agree to the end.
CONNECT: Final = 60.0
DISCONNECT: Final = 5.0
_FAREWELL: Final = 0.2
#: The longest message that is taken, in bytes.
LONGEST: Final = 1 << 28
_RECEIVED: Final = 1 << 18
#: The schemes of an address, and whether each is encrypted. That of a page is taken for that of its WebSocket.
_SCHEMES: Final[Mapping[str, bool]] = {"ws": False, "wss": True, "http": False, "https": True}


@dataclass(frozen=True, slots=True)
class Address:
    """Where a source is: the host, the port, the path with its query, and whether the connection is encrypted."""

    host: str
    port: int
    resource: str
    tls: bool = False

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = self.port == (443 if self.tls else 80)
        return f"{'wss' if self.tls else 'ws'}://{host}{'' if usual else f':{self.port}'}{self.resource}"


@dataclass(frozen=True, slots=True)
class Message:
    """One message: its bytes, whether it came as text, and when, in seconds since 1970."""

    data: bytes
    text: bool
    came: float


def address_of(url: str, pairs: Iterable[tuple[str, str]] = ()) -> Address:
    """The address that a URL and more pairs of its query make. Raises `QueryError` for what is no address."""
    try:
        parts = urlsplit(url if "://" in url else f"ws://{url}")
        port = parts.port
    except ValueError as error:
        raise QueryError(f"{url!r} is no address: {error}", kind="query.bad-value") from error
    if parts.scheme not in _SCHEMES or not parts.hostname:
        raise QueryError(f"{url!r} is no address of a WebSocket; write ws://HOST/PATH", kind="query.bad-value")
    tls = _SCHEMES[parts.scheme]
    more = urlencode([*pairs], quote_via=quote, safe=":/,")
    query = "&".join(filter(None, (quote(parts.query, safe="=&%:/,+;@!$'()*?~-._"), more)))
    path = quote(parts.path, safe="/%:@!$&'()*+,;=~-._") or "/"
    return Address(parts.hostname, port or (443 if tls else 80), f"{path}?{query}" if query else path, tls)


def basic(user: str, password: str) -> tuple[str, str]:
    """The header that logs a user in (RFC 7617)."""
    return "Authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")


def trust(authority: str = "", *, insecure: bool = False) -> ssl.SSLContext:
    """Whom an encrypted connection believes: the authorities in a file, else those of the system; anybody, if told so.

    Raises `QueryError` for a file that holds none.
    """
    try:
        context = ssl.create_default_context(cafile=authority or None)
    except (OSError, ssl.SSLError) as error:
        raise QueryError(
            f"{authority} holds no certificate of an authority: {error}", kind="query.bad-value"
        ) from error
    if insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


class Connection:
    """An open WebSocket of a client. `code` and `reason` say how it ended, once it did."""

    def __init__(self, opened: trio_websocket.WebSocketConnection) -> None:
        self._opened = opened
        self.code = 0
        self.reason = ""

    @property
    def subprotocol(self) -> str:
        """The sub-protocol that the server chose; blank without one."""
        return self._opened.subprotocol or ""

    async def receive(self) -> Message | None:
        """The next message; None when the server has closed properly. Raises what `failure_of` makes of another end."""
        try:
            received = await self._opened.get_message()
        except trio_websocket.ConnectionClosed as closed:
            self.code = closed.reason.code if closed.reason else GONE
            self.reason = (closed.reason.reason if closed.reason else "") or ""
            if failure := failure_of(self.code, self.reason):
                raise failure from None
            return None
        text = isinstance(received, str)
        return Message(received.encode() if isinstance(received, str) else received, text, time.time())

    async def send(self, text: str) -> None:
        """Sends a text, which no source of dasflex expects."""
        await self._opened.send_message(text)

    async def close(self) -> None:
        """Closes properly: what is still on its way is thrown away."""
        await self._opened.aclose(NORMAL)


def _nothing() -> None:
    """Where nobody waits for an answer yet."""


class _Watched(trio.abc.Stream):
    """A stream that tells when there is no more of it: trio-websocket waits for an answer that can no longer come."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self.ended: Callable[[], None] = _nothing

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        try:
            received = await self._stream.receive_some(max_bytes)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self.ended()
            raise
        if not received:
            self.ended()
        return received

    async def aclose(self) -> None:
        self.ended()
        await self._stream.aclose()


@asynccontextmanager
async def connected(
    address: Address,
    *,
    trusted: ssl.SSLContext | None = None,
    headers: Iterable[tuple[str, str]] = (),
    subprotocol: str = "",
    patience: float = CONNECT,
) -> AsyncGenerator[Connection]:
    """Connects, and closes properly at the end, cancelled or not. Raises what refused or failed.

    `patience` is how long each, the connection and the answer to the request, may take, in seconds.
    """
    stream = await _reached(address, trusted, patience)
    raised: Exception | None = None
    try:
        async with trio.open_nursery() as nursery:
            try:
                opened = await _upgraded(nursery, _Watched(stream), address, headers, subprotocol, patience)
                try:
                    yield Connection(opened)
                finally:
                    with trio.move_on_after(_parting(), shield=True):
                        await opened.aclose(NORMAL)
            except Exception as error:
                raised = error
                raise
            finally:
                nursery.cancel_scope.cancel()
    except ExceptionGroup as group:
        raise raised or _refusal(group, address) from None


def _parting() -> float:
    """The seconds for saying goodbye: who was cancelled has nobody left who would receive the answer to it."""
    return _FAREWELL if trio.current_effective_deadline() == -inf else DISCONNECT


async def _reached(address: Address, trusted: ssl.SSLContext | None, patience: float) -> trio.abc.Stream:
    """A stream to the server, encrypted where that was asked. Raises `SourceError`."""
    try:
        with trio.fail_after(patience):
            plain = await trio.open_tcp_stream(address.host, address.port)
            if not address.tls:
                return plain
            secret = trio.SSLStream(plain, trusted or trust(), server_hostname=address.host, https_compatible=True)
            await secret.do_handshake()
            return secret
    except trio.TooSlowError as error:
        raise SourceError(f"{address} did not answer within {patience:.0f} s", kind="source.silent") from error
    except (OSError, trio.BrokenResourceError) as error:
        raise SourceError(f"{address} cannot be reached: {_reason(error)}", kind="source.start") from error


async def _upgraded(
    nursery: trio.Nursery,
    stream: _Watched,
    address: Address,
    headers: Iterable[tuple[str, str]],
    subprotocol: str,
    patience: float,
) -> trio_websocket.WebSocketConnection:
    """The WebSocket over a stream. Raises `SourceError` where the server ends, or gives no answer."""
    usual = address.port == (443 if address.tls else 80)
    host = f"[{address.host}]" if ":" in address.host else address.host
    with trio.move_on_after(patience) as waiting:
        stream.ended = waiting.cancel
        opened: trio_websocket.WebSocketConnection = await trio_websocket.wrap_client_stream(
            nursery,
            cast("trio.SocketStream", stream),
            host if usual else f"{host}:{address.port}",
            address.resource,
            subprotocols=[subprotocol] if subprotocol else None,
            extra_headers=[(name.encode("ascii"), value.encode("latin-1")) for name, value in headers],
            max_message_size=LONGEST,
            receive_buffer_size=_RECEIVED,
        )
        return opened
    raise _strange(address)


def _refusal(group: ExceptionGroup[Exception], address: Address) -> DasflexError:
    """The error that is behind what the receiving of the answer failed with."""
    for each in group.exceptions:
        if isinstance(each, trio_websocket.ConnectionRejected):
            known = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in each.headers or ()}
            return refusal_of(each.status_code, known, each.body or b"", address)
    return _strange(address)


def _strange(address: Address) -> SourceError:
    """What is no WebSocket server."""
    return SourceError(f"{address} did not answer as a WebSocket server does", kind="source.start")


def _reason(error: BaseException) -> str:
    """Why there is no connection, in the words of the system: those of the last address that was tried."""
    while True:
        causes = error.exceptions if isinstance(error, BaseExceptionGroup) else [error.__cause__]
        if causes[-1] is None:
            named = isinstance(error, ConnectionError) and error.errno
            return (os.strerror(named) if named else getattr(error, "strerror", "")) or str(error)
        error = causes[-1]


def failure_of(code: int, reason: str) -> DasflexError | None:
    """The failure that a close code says (RFC 6455, 7.4.1); None for an end that is none."""
    said = f": {reason}" if reason else ""
    if code in (NORMAL, GOING_AWAY):
        return None
    if code == TRY_LATER:
        return BusyError(f"The server closed with code 1013, try again later{said}", kind="busy.limit")
    if code == POLICY:
        return AccessError(f"The server closed with code 1008, policy violation{said}", kind="access.denied")
    if code == GONE:
        return SourceError(f"The connection broke off without a proper end{said}", kind="source.truncated")
    return SourceError(f"The server closed with code {code}{said}", kind="source.stream")


def refusal_of(status: int, headers: Mapping[str, str], body: bytes, address: object = "The server") -> DasflexError:
    """The error that a refusal before the upgrade is: its status, in the words of the exception in its body."""
    from dasflex_ws.wording import told_failure

    said = told_failure(body)
    text = f"{address} answers {status}" + (f": {said}" if said else "")
    if status in (401, 403):
        return AccessError(text, kind="access.log-in" if status == 401 else "access.denied")
    if status in (404, 410):
        return NotFoundError(text, kind="not-found.source")
    if status in (429, 503):
        later = headers.get("retry-after", "")
        return BusyError(f"{text} (try again in {later} s)" if later else text, kind="busy.limit")
    if 400 <= status < 500:
        return QueryError(text, kind="query")
    return SourceError(text, kind="source")

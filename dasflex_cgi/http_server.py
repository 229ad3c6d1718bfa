# SPDX-License-Identifier: GPL-3.0-or-later
"""The HTTP server under `dasflex serve`: waitress, turned by us, so that it can stop in peace.

It was chosen by measurement; the figures are in the guide on running the server.
"""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote_from_bytes

from dasflex_cgi.exchange import PEER
from dasflex_cgi.websocket import asks_for_websocket, may_ask
from dasflex_core.errors import DasflexError
from dasflex_core.run.records import new_request_id

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from wsgiref.types import WSGIApplication

    from dasflex_cgi.websocket import WebSocketDaemon

__all__ = ["HttpServer", "Unread"]

#: Bytes that may wait for a slow client before its reader has to wait: a response is never held as a whole.
_WAITING: Final = 1 << 19
#: A buffer above this size would be written to a file; none gets there, since a chunk is far smaller than the rest.
_NEVER_TO_DISK: Final = 1 << 30
#: Bytes of a head, above which nothing is kept of it: what is smaller and too large still is told so by name.
_HEAD: Final = 1 << 18
#: Seconds in which the head of a request must be there, all of its body, and some byte of an answer must be taken.
HEAD_SECONDS: Final = 20.0
BODY_SECONDS: Final = 120.0
STALLED_SECONDS: Final = 120.0
#: Seconds between two looks at the clock for all connections.
_ROUND: Final = 1.0
#: Connections beside those that are answered: idle ones, and those that wait for a thread.
_MORE_CONNECTIONS: Final = 1000
#: The part of all connections that is kept free, so that whoever has something to ask is heard at once.
_FREE: Final = 0.1
#: Seconds in which whoever has connected may say what it asks, before its connection makes room for another.
_HEARD: Final = 0.25
#: An HTTP server on this machine that is in front of us, and the headers in which it says for whom it asks.
_FRONT: Final = "127.0.0.1"
_FORWARDED: Final = frozenset(("x-forwarded-for", "x-forwarded-host", "x-forwarded-proto"))
#: What a line of a log may hold as it is.
_PRINTABLE: Final = bytes(range(0x20, 0x7F))
#: What a client is told who asks for a WebSocket while there is no daemon.
_NO_DAEMON: Final = b"There are no WebSockets at the moment; try again in a while\n"
_REFUSAL: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n"
    b"X-Request-Id: %b\r\nRetry-After: 5\r\nConnection: close\r\n\r\n"
)
_LOGGER: Final = logging.getLogger("waitress")


class Unread(NamedTuple):
    """A request that never reaches the application: whose, its first line, why, and the id that the client was told.

    What is no printable ASCII in the line is escaped by `%`.
    """

    client: str
    line: str
    status: int
    why: str
    request: str
    kind: str = "query"


class HttpServer:
    """A server on a socket that listens, which it takes over.

    `workers` requests are answered at once, each in a thread; more of them wait. What an HTTP server on this machine
    that is in front of this one says of the client and the host is believed. All methods are for the thread that turns
    it. Once it is `ending`, answers that break off are not noted: it is we who end them. `unread` is told of requests
    that are refused here, in one of the threads that answer. Connections that ask for a WebSocket go to `daemon`. A
    request may have a `body` of so many bytes; what does not fit into memory waits in a file.
    """

    def __init__(
        self,
        application: WSGIApplication,
        listener: socket.socket,
        workers: int,
        unread: Callable[[Unread], None] = lambda _unread: None,
        daemon: WebSocketDaemon | None = None,
        body: int = 1 << 20,
    ) -> None:
        import waitress

        self.ending = False
        self._most = workers + _MORE_CONNECTIONS
        self._free = max(4, int(self._most * _FREE))  # waitress counts two sockets of its own
        _LOGGER.addFilter(self._shown)
        self._map: dict[int, object] = {}
        self._server: Any = waitress.create_server(
            application,
            map=self._map,
            sockets=[listener],
            threads=workers,
            ident="dasflex",
            outbuf_high_watermark=_WAITING,
            outbuf_overflow=_NEVER_TO_DISK,
            channel_request_lookahead=1,  # without it a client that leaves is seen at the next write only
            max_request_body_size=body,
            max_request_header_size=_HEAD,
            connection_limit=self._most,
            asyncore_use_poll=True,  # select cannot watch descriptors above 1,023
            expose_tracebacks=False,
            trusted_proxy=_FRONT,
            trusted_proxy_headers=_FORWARDED,
        )
        self._waiting: set[_Doorman] = set()
        self._sending: dict[Any, _Sending] = {}
        self._looked = 0.0
        self._server.channel_class = partial(_channel, unread, daemon, self._waiting)

    def turn(self, seconds: float) -> None:
        """Takes requests and sends what there is to send, for at most so many seconds of waiting."""
        self._server.asyncore.loop(timeout=seconds, use_poll=True, map=self._map, count=1)
        for each in [*self._waiting]:
            each.look_again()
        if len(self._server.active_channels) > self._most - self._free:
            self._make_room()
        if time.monotonic() - self._looked >= _ROUND:
            self._looked = time.monotonic()
            self._cut_off()

    def _make_room(self) -> None:
        """Closes the oldest connections on which nothing is answered, where there are nearly as many as may be.

        Else clients that connect and say nothing would keep out all others, since waitress then accepts nobody. Who has
        just come is not among them: while all others wait for an answer it would be the only one to close.
        """
        heard = time.time() - _HEARD
        silent = [
            each
            for each in self._server.active_channels.values()
            if not each.requests and not each.total_outbufs_len and each.creation_time < heard
        ]
        for each in sorted(silent, key=lambda each: each.creation_time)[: self._free]:
            each.handle_close()

    def _cut_off(self) -> None:
        """Closes the connections that send their request, or take its answer, too slowly to be of use to anybody.

        A thread waits for whoever does not take an answer, and waitress lets both go on for ever.
        """
        channels = list(self._server.active_channels.values())
        sending = {
            each: _sending(each, self._sending.get(each), self._looked) for each in channels if not each.requests
        }
        self._sending = {each: found for each, found in sending.items() if found is not None}
        stalled = [
            each for each in channels if each.total_outbufs_len and time.time() - each.last_activity > STALLED_SECONDS
        ]
        late = [each for each, found in self._sending.items() if self._looked > found.until]
        for each in (*stalled, *late):
            each.handle_close()

    @property
    def busy(self) -> bool:
        """Whether a request is being answered, or an answer not yet sent."""
        return any(each.requests or each.total_outbufs_len for each in list(self._server.active_channels.values()))

    def stop_accepting(self) -> None:
        """Takes those who have connected, and listens no more. Connections that are there go on."""
        self.turn(0)
        self._server.accepting = False
        self._server.del_channel()
        self._server.socket.close()

    def close(self) -> None:
        """Closes all connections, and waits a moment for the threads that served them."""
        self.ending = True
        for each in list(self._server.active_channels.values()):
            each.handle_close()
        self._server.task_dispatcher.shutdown(timeout=0.5)
        self._server.trigger.close()
        _LOGGER.removeFilter(self._shown)

    def _shown(self, record: logging.LogRecord) -> bool:
        """A failure of a reader in mid-stream in one line, since it is no fault of ours; nothing of one that we end."""
        if self.ending:
            return False
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, DasflexError):
            record.msg = f"{record.getMessage()}: {error.kind}: {error.message}"
            record.args, record.exc_info = (), None
        return True


class _Sending(NamedTuple):
    """A request that is not complete: by what it is read, whether that is its body, and until when it has time."""

    request: object
    body: bool
    until: float


def _sending(channel: Any, before: _Sending | None, now: float) -> _Sending | None:  # noqa: ANN401  as below
    """What a connection is sending now; None where it sends nothing, as between two requests."""
    request = channel.request
    if request is None:
        if not channel.held():
            return None
        request = channel  # the doorman has all that came: it is the head of the first request, and goes on to be that
    body = bool(getattr(request, "headers_finished", False))
    if before is not None and before.body == body and before.request in (request, channel):
        return before
    return _Sending(request, body, now + (BODY_SECONDS if body else HEAD_SECONDS))


def _channel(
    unread: Callable[[Unread], None],
    daemon: WebSocketDaemon | None,
    waiting: set[_Doorman],
    *args: object,
    **named: object,
) -> object:
    """A connection whose answers have their headers as the application wrote them; `unread` hears of no requests.

    waitress waits for a body that has been announced by `Expect: 100-continue` even where the request has none.
    """
    from waitress.channel import HTTPChannel

    channel = HTTPChannel(*args, **named)
    channel.parser_class = _parser
    channel.task_class = _task
    channel.error_task_class = partial(_refusal, unread)
    go_on = channel.send_continue

    def send_continue() -> None:
        if channel.request.completed:
            channel.request.expect_continue = False
        else:
            go_on()

    channel.send_continue = send_continue
    channel.held = bool
    if daemon is not None:
        doorman = _Doorman(channel, daemon, waiting, unread)
        channel.received, channel.held = doorman.received, doorman.holds
    return channel


class _Doorman:
    """Looks at what a connection asks, and hands it over where that is a WebSocket.

    What may be a request for one waits until all before it is answered and sent; `waiting` has those who wait so.
    """

    def __init__(
        self,
        channel: Any,  # noqa: ANN401  waitress has no types
        daemon: WebSocketDaemon,
        waiting: set[_Doorman],
        unread: Callable[[Unread], None],
    ) -> None:
        self._channel = channel
        self._unread = unread
        self._daemon = daemon
        self._waiting = waiting
        self._go_on: Callable[[bytes], object] = channel.received
        self._held = b""

    def received(self, data: bytes) -> None:
        """Takes what the client has sent, in the thread that turns the server."""
        if self._channel.request is not None:
            self._go_on(data)
            return
        received, self._held = self._held + data, b""
        if asks_for_websocket(received):
            if self._is_busy():
                self._held = received
                self._waiting.add(self)
            else:
                self._hand_over(received)
        elif may_ask(received):
            self._held = received
        else:
            self._go_on(received)

    def holds(self) -> bool:
        """Whether the client has begun a request, and not yet said what it asks."""
        return bool(self._held) and self not in self._waiting

    def look_again(self) -> None:
        """Hands the connection over, if it is not busy any more; forgets it where the client has left."""
        if not self._channel.connected:
            self._waiting.discard(self)
        elif not self._is_busy():
            self._waiting.discard(self)
            self._hand_over(self._held)

    def _is_busy(self) -> bool:
        """Whether an earlier request of the connection is being answered, or its answer not yet sent."""
        return bool(self._channel.requests or self._channel.total_outbufs_len)

    def _hand_over(self, received: bytes) -> None:
        """Lets the daemon have the connection; where there is none, the client is told to come again."""
        channel = self._channel
        if not self._daemon.take(channel.socket, received):
            request = new_request_id()
            with suppress(OSError):
                channel.socket.send(_REFUSAL % (len(_NO_DAEMON), request.encode("ascii")) + _NO_DAEMON)
            line = received.partition(b"\r\n")[0]
            self._unread(Unread(*_whose(channel, line), 503, "There is no WebSocket daemon", request, "busy.stopped"))
        channel.handle_close()


def _parser(adjustments: object) -> object:
    """What reads a request: a target such as `http://[` is refused; waitress would close without a word."""
    from waitress.parser import HTTPRequestParser, ParsingError

    parser = HTTPRequestParser(adjustments)
    parse = parser.parse_header

    def parse_header(head: bytes) -> None:
        try:
            parse(head)
        except ValueError:
            raise ParsingError("The address of the request is none") from None

    parser.parse_header = parse_header
    return parser


def _task(channel: Any, request: Any) -> object:  # noqa: ANN401  waitress has no types
    """The answering of one request.

    waitress writes `Www-Authenticate`, which clients that compare bytes do not find, and ends the body of an answer to
    HEAD, which has none: both are put right where it makes the head. It also takes whoever a proxy names for the peer,
    so that the peer is noted before.
    """
    from waitress.task import WSGITask

    task = WSGITask(channel, request)
    task.get_environment()[PEER] = channel.addr[0]
    make = task.build_response_header

    def build() -> bytes:
        written = {name.lower(): name for name, _ in task.response_headers}
        head: bytes = make()
        if request.command == "HEAD":
            task.chunked_response = False
        return _spelt(head, written)

    task.build_response_header = build
    return task


def _refusal(unread: Callable[[Unread], None], channel: Any, request: Any) -> object:  # noqa: ANN401  as above
    """The answering of a request that could not be read."""
    from waitress.task import ErrorTask

    identifier = new_request_id()
    if request.error.code < 500:  # else it was read, and has failed since
        why = f"This is no request of HTTP: {request.error.body}"
        whose = _whose(channel, getattr(request, "first_line", b""))
        unread(Unread(*whose, request.error.code, why, identifier))
    task = ErrorTask(channel, request)
    task.response_headers.append(("X-Request-Id", identifier))
    return task


def _whose(channel: Any, line: bytes) -> tuple[str, str]:  # noqa: ANN401  waitress has no types
    """The address of a client, and the first line of its request."""
    return channel.addr[0] if isinstance(channel.addr, tuple) else "", quote_from_bytes(line, _PRINTABLE)


def _spelt(head: bytes, written: dict[str, str]) -> bytes:
    r"""A head with the names of its headers spelt as they were written.

    >>> _spelt(b"HTTP/1.1 401 Unauthorized\r\nWww-Auth: Basic\r\n\r\n", {"www-auth": "WWW-Auth"})
    b'HTTP/1.1 401 Unauthorized\r\nWWW-Auth: Basic\r\n\r\n'
    """
    first, *lines = head.decode("latin-1").split("\r\n")
    split = (line.partition(":") for line in lines)
    named = (f"{written.get(name.lower(), name)}{colon}{value}" for name, colon, value in split)
    return "\r\n".join((first, *named)).encode("latin-1")

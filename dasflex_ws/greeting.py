# SPDX-License-Identifier: GPL-3.0-or-later
"""The beginning of a connection: the head of an HTTP request is read, and refused where no WebSocket comes of it."""

from __future__ import annotations

import binascii
from base64 import b64decode
from dataclasses import field
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

import h11
import trio

from dasflex_core.values import dataclass
from dasflex_ws.replying import Reply, plain

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["SUBPROTOCOL", "Greeting", "greeted"]

#: The one sub-protocol there is, for clients that ask for one.
SUBPROTOCOL: Final = "request"
#: Bytes and seconds that the head of a request may take.
_LONGEST: Final = 1 << 14
#: Bytes of path and query, and header fields, as over HTTP.
_LONGEST_TARGET: Final = 8_190
_MOST_HEADERS: Final = 100
_PATIENCE: Final = 10.0
_RECEIVED: Final = 1 << 12
_VERSION: Final = "13"
_WHAT: Final = (
    "This is the WebSocket daemon of a dasflex server. Data of a source are at ws://HOST/dasws/SOURCE/flexRT, with the "
    "same parameters as over HTTP."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeting:
    """A request to open a WebSocket.

    `target` is path and query as they were sent; `path` is decoded, once, and `query` is not. `headers` have names in
    lower case, and what came several times is joined by commas. `rest` are bytes that came behind the head.
    """

    target: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # which may hold a password
    rest: bytes = b""

    @property
    def subprotocols(self) -> list[str]:
        """The sub-protocols of which the client wants one, the best first."""
        return _words(self.headers.get("sec-websocket-protocol", ""))

    def handshake(self) -> bytes:
        """The request, as short as it can be said to whoever answers it; the client's own is read already."""
        lines = [
            "GET / HTTP/1.1",
            "Host: localhost",
            "Connection: Upgrade",
            "Upgrade: websocket",
            f"Sec-WebSocket-Version: {_VERSION}",
            f"Sec-WebSocket-Key: {self.headers['sec-websocket-key']}",
        ]
        if self.subprotocols:
            lines.append(f"Sec-WebSocket-Protocol: {SUBPROTOCOL}")
        return "\r\n".join((*lines, "", "")).encode("ascii")


async def greeted(stream: trio.abc.ReceiveStream, begun: bytes = b"") -> Greeting | Reply | None:
    """Reads the head of a request, of which some bytes may be there already.

    Gives the answer to what is no request for a WebSocket, and nothing where the client leaves without any.
    """
    parser = h11.Connection(h11.SERVER, max_incomplete_event_size=_LONGEST)
    said = len(begun)
    try:
        with trio.fail_after(_PATIENCE):
            if begun:
                parser.receive_data(begun)
            while not isinstance(event := parser.next_event(), h11.Request):
                if event is not h11.NEED_DATA:
                    return None
                data = bytes(await stream.receive_some(_RECEIVED))
                said += len(data)
                parser.receive_data(data)
    except trio.TooSlowError:
        return plain(408, f"The request was not complete after {_PATIENCE:.0f} s") if said else None
    except h11.RemoteProtocolError as error:
        if not said:
            return None
        return _too_long() if error.error_status_hint == 431 else plain(400, "What was sent is no HTTP request")
    rest = parser.trailing_data[0]
    return _too_large(event, said - len(rest)) or read_request(event, rest)


def _too_large(request: h11.Request, size: int) -> Reply | None:
    """The answer to a request whose head has so many bytes, where that is more than anybody needs."""
    method, target = request.method.decode("ascii"), request.target.decode("ascii")
    if len(target) > _LONGEST_TARGET:
        text = f"The address of a request has at most {_LONGEST_TARGET:,} bytes here"
        return plain(414, text, method=method, target=target)
    if len(request.headers) > _MOST_HEADERS:
        return plain(431, f"A request has at most {_MOST_HEADERS} headers here", method=method, target=target)
    return _too_long() if size > _LONGEST else None


def _too_long() -> Reply:
    """The answer to a head that is longer than anybody needs."""
    return plain(431, f"The head of a request has at most {_LONGEST:,} bytes here")


def read_request(request: h11.Request, rest: bytes) -> Greeting | Reply:
    """What a request is: one for a WebSocket (RFC 6455, 4.2.1), or the answer to any other."""
    method, target = request.method.decode("ascii"), request.target.decode("ascii")
    headers: dict[str, str] = {}
    for raw_name, raw_value in request.headers:
        name, value = raw_name.decode("ascii").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    location = _origin_form(target)
    path, _, query = location.partition("?")

    def no(status: int, text: str, *more: tuple[str, str]) -> Reply:
        return plain(status, text, *more, method=method, target=target)

    if method not in ("GET", "HEAD"):
        return no(405, "Only GET and HEAD are answered here", ("Allow", "GET, HEAD"))
    if method == "HEAD" or "websocket" not in _words(headers.get("upgrade", "").lower()):
        if path == "/":
            return no(200, _WHAT)
        return no(426, f"Only a WebSocket is to be had here. {_WHAT}", ("Upgrade", "websocket"),
                  ("Connection", "Upgrade, close"))  # fmt: skip
    wrong = _fault(request, headers)
    if not wrong and headers.get("sec-websocket-version", "").strip() != _VERSION:
        return no(426, f"Only version {_VERSION} of the protocol is spoken here", ("Sec-WebSocket-Version", _VERSION),
                  ("Upgrade", "websocket"), ("Connection", "Upgrade, close"))  # fmt: skip
    try:
        decoded = unquote(path, errors="strict")
    except UnicodeDecodeError:
        decoded, wrong = "", "The path of this address is no UTF-8"
    if wrong:
        return no(400, wrong)
    return Greeting(target=target, path=decoded, query=query, headers=headers, rest=rest)


def _fault(request: h11.Request, headers: Mapping[str, str]) -> str:
    """What is wrong with a request for a WebSocket."""
    if request.http_version < b"1.1":
        return "A WebSocket needs HTTP 1.1"
    if "upgrade" not in _words(headers.get("connection", "").lower()):
        return "The header Connection: Upgrade is missing"
    if headers.get("content-length", "0").strip() != "0" or "transfer-encoding" in headers:
        return "A request for a WebSocket has no body"
    try:
        key = b64decode(headers.get("sec-websocket-key", "").strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 16:
        return "The header Sec-WebSocket-Key must be the base64 of 16 bytes"
    wanted = _words(headers.get("sec-websocket-protocol", ""))
    if wanted and SUBPROTOCOL not in wanted:
        named = ", ".join(wanted)[:200]
        return f"There is no sub-protocol {named}; leave Sec-WebSocket-Protocol out, or say {SUBPROTOCOL}"
    return ""


def _origin_form(target: str) -> str:
    """Path and query of a target, which may be a whole address (RFC 9112, 3.2)."""
    scheme, found, rest = target.partition("://")
    if found and scheme.isalpha():
        at = min((place for place in (rest.find("/"), rest.find("?")) if place >= 0), default=len(rest))
        target = rest[at:]
    return target if target.startswith("/") else f"/{target}"


def _words(text: str) -> list[str]:
    """The words of a list between commas."""
    return [each.strip() for each in text.split(",") if each.strip()]

# SPDX-License-Identifier: GPL-3.0-or-later
"""What comes in and what goes out, as values: one HTTP request, and the answer to it.

All that decides is written against these two, and opens no socket. Two edges make the one and send the other: the WSGI
application on werkzeug for servers, and the CGI program, which has no time to import werkzeug.
"""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Final, Protocol

from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

__all__ = ["ASKED", "HTML", "JSON", "PEER", "TEXT", "Answer", "Asked", "Body", "Wrapped", "is_host"]

#: Media types of what we write ourselves.
TEXT: Final = "text/plain; charset=utf-8"
HTML: Final = "text/html; charset=utf-8"
JSON: Final = "application/json"
#: Where a server notes the other end of the connection, if it puts somebody else in its place (WSGI).
PEER: Final = "dasflex.peer"
#: Where an edge that is none of WSGI leaves the request as it has read it, for what is asked by WSGI.
ASKED: Final = "dasflex.asked"

#: What the labels of a host's name may be made of; names with `_` are in use.
_LABEL: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
_LONGEST_NAME: Final = 255
_LONGEST_LABEL: Final = 63
#: The digits of a port.
_PORT: Final = 5


def is_host(text: str) -> bool:
    """Whether a text can be a host, with its port or without, that is repeated in an address (RFC 3986, 3.2.2).

    >>> is_host("data.example.org:8080"), is_host("[::1]:80"), is_host("a..b"), is_host("a:b"), is_host("[x]")
    (True, True, False, False, False)
    """
    if text.startswith("["):
        name, bracket, rest = text[1:].partition("]")
        sound = bool(bracket) and _is_address(name)
    else:
        name, colon, port = text.partition(":")
        sound = len(name) <= _LONGEST_NAME and all(map(_is_label, name.removesuffix(".").split(".")))
        rest = colon + port
    digits = rest.removeprefix(":")
    return sound and (not rest or (rest != digits and len(digits) <= _PORT and digits.isascii() and digits.isdigit()))


def _is_label(text: str) -> bool:
    """Whether a text is one part of the name of a host."""
    return 0 < len(text) <= _LONGEST_LABEL and _LABEL.issuperset(text)


def _is_address(text: str) -> bool:
    """Whether a text is an address of IPv6."""
    from ipaddress import AddressValueError, IPv6Address  # late: few write one, and it takes three milliseconds

    try:
        IPv6Address(text)
    except AddressValueError:
        return False
    return "%" not in text  # a zone is of this machine only


class Body(Protocol):
    """Bytes that come in pieces; `close` ends whatever makes them, whether they were taken or not."""

    def __iter__(self) -> Iterator[bytes]: ...

    def __next__(self) -> bytes: ...

    def close(self) -> None:
        """Ends whatever makes the bytes."""
        ...


class Wrapped:
    """A body around other pieces, which are closed with it: what looks at a body, or changes it, begins as this."""

    def __init__(self, body: Iterable[bytes]) -> None:
        self._body = body
        self._pieces = iter(body)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        return next(self._pieces)

    def close(self) -> None:
        """Closes the body inside."""
        close = getattr(self._body, "close", None)
        if close is not None:
            close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One HTTP request.

    `path` is decoded, begins with `/` and is relative to where the server is mounted, which is `base` (without a slash
    at its end; blank at the top). `query` is as it was sent. `origin` is `http://host[:port]` as the client wrote it.
    `headers` have names in lower case. `client` is the address of whoever asks, `peer` that of the other end of the
    connection. `remote_user` is who has logged in at the web server that we are a part of, and `gone` tells whether the
    client has left, where that can be known.
    """

    method: str
    path: str
    query: str = ""
    origin: str = ""
    base: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)  # which may hold a password
    client: str = ""
    peer: str = ""
    remote_user: str = field(default="", repr=False)
    gone: Callable[[], bool] | None = field(default=None, compare=False, repr=False)
    read: Callable[[int], bytes] | None = field(default=None, compare=False, repr=False)

    @property
    def browser(self) -> bool:
        """Whether a person looks at the answer: Java programs accept HTML too, so the agent must say so as well."""
        return "text/html" in self.headers.get("accept", "") and "Mozilla/" in self.headers.get("user-agent", "")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: its status, its headers in their canonical case, and its body.

    A body of bytes has a known length. One that comes in pieces has none; it must be closed, and if it raises, the
    connection is broken rather than ended. To HEAD the edges send no body. The `phrase` stands behind the status, in
    which protocols such as HAPI say what is wrong; blank: the usual one.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes | Body = b""
    phrase: str = ""

    def with_headers(self, **named: str) -> Answer:
        """This answer with more headers, or others in their place: `Cache_Control` is `Cache-Control`."""
        new = {name.replace("_", "-"): value for name, value in named.items()}
        kept = tuple(pair for pair in self.headers if pair[0] not in new)
        return Answer(self.status, (*kept, *new.items()), self.body, self.phrase)

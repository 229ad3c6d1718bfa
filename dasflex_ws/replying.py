# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP answers to those who get no WebSocket: what failed, in the form that the client can use."""

from __future__ import annotations

import logging
from dataclasses import replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from dasflex_core.errors import BusyError, DasflexError
from dasflex_core.statuses import public_text, realm_of, status_of
from dasflex_core.telling import telling_type, told
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from dasflex_core.registry import Registry
    from dasflex_core.streamtype import StreamType, StreamTypeInfo

__all__ = ["Reply", "plain", "refusal"]

_TEXT: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer that ends the connection: status, body, its media type, and further headers.

    To a client that asked by HEAD only the `head` is sent. `target` is what was asked, `kind` that of the error.
    """

    status: int
    body: bytes
    media_type: str = _TEXT
    headers: tuple[tuple[str, str], ...] = ()
    head: bool = False
    method: str = ""
    target: str = ""
    kind: str = "http"

    def known_as(self, request: str) -> Reply:
        """The same answer with the id of its request."""
        return replace(self, headers=(*self.headers, ("X-Request-Id", request)))

    def encoded(self) -> bytes:
        """The answer as it is sent (RFC 9112, 4)."""
        lines = [
            f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}",
            f"Content-Type: {self.media_type}",
            f"Content-Length: {len(self.body)}",
            "Cache-Control: no-store",
            "X-Content-Type-Options: nosniff",
            "Access-Control-Allow-Origin: *",
            *(f"{name}: {value}" for name, value in self.headers),
        ]
        if not any(name == "Connection" for name, _value in self.headers):
            lines.append("Connection: close")
        return "\r\n".join((*lines, "", "")).encode("latin-1", "replace") + (b"" if self.head else self.body)


def plain(status: int, text: str, *headers: tuple[str, str], method: str = "", target: str = "") -> Reply:
    """An answer of one line of text."""
    return Reply(status, f"{text}\n".encode(), headers=headers, head=method == "HEAD", method=method, target=target)


def refusal(registry: Registry, error: DasflexError, wanted: StreamType | None) -> Reply:
    """The answer to a request that failed before its WebSocket: a das exception of the type that was asked.

    Where that type has none, it is one of the newest type that has.
    """
    status, text = status_of(error), public_text(error)
    headers: list[tuple[str, str]] = []
    if status == 401:
        headers.append(("WWW-Authenticate", f'Basic realm="{realm_of(error)}"'))
    if isinstance(error, BusyError):
        headers.append(("Retry-After", str(error.retry_after)))
    info = (telling_type(registry, wanted) if wanted is not None else None) or _newest(registry)
    if info is not None:
        try:
            body = told(info, error.kind, text)
        except Exception as broken:  # noqa: BLE001  a plugin that is broken must not hide the failure itself
            logging.getLogger("dasflex.ws").warning("A failure cannot be told as it should be: %r", broken)
        else:
            return Reply(status, body, info.media_type, tuple(headers), kind=error.kind)
    return Reply(status, f"{text}\n".encode(), headers=tuple(headers), kind=error.kind)


def _newest(registry: Registry) -> StreamTypeInfo | None:
    """The newest type that can tell a failure, as people can read it if there is a choice."""
    able = [each for each in registry.stream_types if each.failure]
    return max(able, key=lambda each: (each.type.version, each.text), default=None)

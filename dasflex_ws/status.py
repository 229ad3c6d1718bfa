# SPDX-License-Identifier: GPL-3.0-or-later
"""How a daemon is, to be fetched over HTTP at a port of the loopback address: its metrics and its health."""

from __future__ import annotations

import json
from contextlib import suppress
from http import HTTPStatus
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final, NamedTuple

import trio

from dasflex_core.errors import DasflexError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dasflex_core.site import Site
    from dasflex_ws.metrics import Metrics

__all__ = ["LOOPBACK", "Status"]

LOOPBACK: Final = "127.0.0.1"
#: Bytes and seconds that the head of a request may take, and seconds for an answer.
_HEAD: Final = 1 << 13
_PATIENCE: Final = 5.0
_PROMETHEUS: Final = "text/plain; version=0.0.4; charset=utf-8"
_TEXT: Final = "text/plain; charset=utf-8"
_JSON: Final = "application/json"


class _Answer(NamedTuple):
    """What is answered."""

    status: int
    kind: str
    body: bytes


class Status:
    """Answers `/status` and `/metrics` with what was counted, and `/health` with 200 or 503.

    `site` gives the site of the moment; `ending` says whether the daemon is about to end.
    """

    def __init__(self, metrics: Metrics, site: Callable[[], Site], ending: Callable[[], bool]) -> None:
        self._metrics = metrics
        self._site = site
        self._ending = ending

    async def serve(self, listeners: Sequence[trio.SocketListener]) -> None:
        """Answers until it is cancelled."""
        await trio.serve_listeners(self._connection, list(listeners))

    async def _connection(self, stream: trio.SocketStream) -> None:
        """Answers one request, and closes. Whoever asks badly or leaves does no harm."""
        with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
            async with stream:
                with trio.move_on_after(_PATIENCE):
                    line = await _first_line(stream)
                    answer = await self._answer(line)
                    await stream.send_all(_encoded(answer, head=line.startswith(b"HEAD ")))
                    await stream.send_eof()

    async def _answer(self, line: bytes) -> _Answer:
        """The answer to the first line of a request."""
        words = line.split()
        if len(words) != 3 or not words[2].startswith(b"HTTP/"):
            return _Answer(400, _TEXT, b"This is no request of HTTP\n")
        if words[0] not in (b"GET", b"HEAD"):
            return _Answer(405, _TEXT, b"There are GET and HEAD\n")
        path = words[1].partition(b"?")[0]
        if path in (b"/status", b"/metrics"):
            return _Answer(200, _PROMETHEUS, self._metrics.exposition())
        if path == b"/health":
            return await self._health()
        return _Answer(404, _TEXT, b"There are /status, /metrics and /health\n")

    async def _health(self) -> _Answer:
        """Whether requests can be answered: the catalog is read, as it is for each."""
        status, word = 200, "ok"
        try:
            await trio.to_thread.run_sync(self._site().catalog.entries, abandon_on_cancel=True)
        except DasflexError:
            status, word = 503, "the catalog cannot be read"
        if self._ending():
            status, word = 503, "the daemon is ending"
        return _Answer(status, _JSON, json.dumps({"status": word, "version": _version()}).encode() + b"\n")


def _version() -> str:
    """The version of dasflex; empty where it is not installed."""
    try:
        return version("dasflex")
    except PackageNotFoundError:
        return ""


async def _first_line(stream: trio.SocketStream) -> bytes:
    """The first line of a head, which is read to its end; empty where there is none."""
    head = b""
    while b"\r\n\r\n" not in head and b"\n\n" not in head:
        piece = await stream.receive_some(_HEAD)
        head += piece
        if not piece or len(head) > _HEAD:
            return b""
    return head.splitlines()[0]


def _encoded(answer: _Answer, *, head: bool) -> bytes:
    """An answer of HTTP/1.1."""
    lines = (
        f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}",
        f"Content-Type: {answer.kind}",
        f"Content-Length: {len(answer.body)}",
        "Cache-Control: no-store",
        "Connection: close",
        *(("Allow: GET, HEAD",) if answer.status == 405 else ()),
    )
    return "\r\n".join((*lines, "", "")).encode("ascii") + (b"" if head else answer.body)

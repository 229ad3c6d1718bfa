# SPDX-License-Identifier: GPL-3.0-or-later
"""The beginning of a connection: the head of an HTTP request is read, and refused where no WebSocket comes of it."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    import trio

__all__ = ["Greeting", "greeted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeting:
    """A request to open a WebSocket.

    `target` is path and query as they were sent; `path` is decoded; `headers` have names in lower case. `peer` is the
    address of whoever is connected, which may be a proxy. `rest` are bytes that came behind the head.
    """

    target: str
    path: str
    query: str
    headers: Mapping[str, str] = field(default_factory=dict)
    peer: str = ""
    rest: bytes = b""


async def greeted(stream: trio.abc.Stream, peer: str) -> Greeting:
    """Reads the head of a request, no longer and for no longer than a client needs."""
    raise NotImplementedError

# SPDX-License-Identifier: GPL-3.0-or-later
"""What is fetched from elsewhere comes by HTTP: no address, and no redirection, leads to a file or another protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from http.client import HTTPResponse
    from socket import socket
    from urllib.request import Request

__all__ = ["SCHEMES", "fetch"]

#: How an address begins that can be fetched, in lower case.
SCHEMES: Final = ("http://", "https://")


def fetch(address: str | Request, seconds: float, notice: Callable[[socket], None] | None = None) -> HTTPResponse:
    """The answer to an address, or to a request, that begins within so many seconds.

    `urlopen` of the standard library also opens `file:` and `ftp:`, to which an answer of a server could redirect it.
    This has no way to. Nor does a redirection take a password to another server, or what was asked by https to http.
    `notice` is given each socket that is opened, so that another thread can break the connection off. Raises
    `urllib.error.HTTPError` for an answer that is none, and `OSError`.
    """
    from urllib import request

    from dasflex_core.remote.connecting import Connections, Redirection

    opener = request.OpenerDirector()
    ways = (
        request.ProxyHandler(),
        request.UnknownHandler(),
        Connections(notice),
        request.HTTPDefaultErrorHandler(),
        Redirection(),
        request.HTTPErrorProcessor(),
    )
    for way in ways:
        opener.add_handler(way)
    answer: HTTPResponse = opener.open(address, timeout=seconds)
    return answer

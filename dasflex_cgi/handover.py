# SPDX-License-Identifier: GPL-3.0-or-later
"""The warm path: hands a request of CGI over to a running server by SCGI, and sends on what it answers.

SCGI (the protocol of that name, version 1) is one netstring of variables, each name and value ended by a NUL,
`CONTENT_LENGTH` first; the answer has the form of CGI, and ends when the server closes. `_socket` is what `socket` is
made of: that module itself takes as long to import as half of Python.
"""

from __future__ import annotations

import os
from _socket import AF_UNIX, SOCK_STREAM, socket

TYPE_CHECKING = False  # the module of that name takes longer to import than a file takes to be sent
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Final

__all__ = ["hand_over", "request_of"]

#: Seconds in which the server must take the request; an answer may take as long as the slowest reader's first data.
_CONNECT: Final = 0.2
_FIRST_BYTE: Final = 55.0
_CHUNK: Final = 1 << 18
#: The variables that say what is asked, beside the headers (`HTTP_…`).
_SENT: Final = (
    "REQUEST_METHOD",
    "REQUEST_URI",
    "REQUEST_SCHEME",
    "SCRIPT_NAME",
    "PATH_INFO",
    "QUERY_STRING",
    "SERVER_NAME",
    "SERVER_PORT",
    "SERVER_PROTOCOL",
    "SERVER_SOFTWARE",
    "REMOTE_ADDR",
    "REMOTE_PORT",
    "HTTPS",
    "REDIRECT_HTTP_AUTHORIZATION",
)


def hand_over(place: str, variables: Mapping[str, str], write: Callable[[bytes | memoryview], None]) -> bool:
    """Hands a request over to the server at a socket; false where none took it, and nothing was written.

    Once a byte came, this is the answer, whatever follows. Raises `ConnectionResetError` when the server breaks it off,
    and what `write` raises.
    """
    server = socket(AF_UNIX, SOCK_STREAM)
    buffer = memoryview(bytearray(_CHUNK))
    try:
        try:
            server.settimeout(_CONNECT)
            server.connect(place)
            server.sendall(request_of(variables))
            server.settimeout(_FIRST_BYTE)
            count = server.recv_into(buffer)
        except OSError:
            return False  # a socket whose server has gone, or one that is too busy: the request is answered without it
        server.settimeout(None)
        begun = count > 0
        while count:
            write(buffer[:count])
            count = server.recv_into(buffer)
        return begun
    finally:
        server.close()


def request_of(variables: Mapping[str, str]) -> bytes:
    r"""The request of CGI variables in the form of SCGI, without a body.

    >>> request_of({"REQUEST_METHOD": "GET", "HOME": "/root"})
    b'43:CONTENT_LENGTH\x000\x00SCGI\x001\x00REQUEST_METHOD\x00GET\x00,'
    """
    sent = {"CONTENT_LENGTH": "0", "SCGI": "1"}
    sent.update((name, variables[name]) for name in _SENT if name in variables)
    sent.update((name, text) for name, text in variables.items() if name.startswith("HTTP_"))
    text = b"".join(os.fsencode(f"{name}\0{value}\0") for name, value in sent.items())
    return b"%d:%b," % (len(text), text)

# SPDX-License-Identifier: GPL-3.0-or-later
"""The CGI program: answers the one request of its environment in the cheapest of three ways.

A file is sent as it is. Where a server of the root listens on its socket, the request is handed over to it. Else this
process answers by itself, and pays for what it imports: before that, nothing is imported here that Python has not
loaded when it starts, so that a file or a hand-over costs little more than a bare interpreter.
"""

from __future__ import annotations

import os
import sys
from time import time

from dasflex_cgi.static import root_of, serve

TYPE_CHECKING = False  # the module of that name takes longer to import than a file takes to be sent
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

    from dasflex_cgi.static import Served

__all__ = ["Output", "answer", "main", "request_id", "run"]

_REASONS: Final = {200: "OK", 206: "Partial Content", 304: "Not Modified", 416: "Range Not Satisfiable"}
_STDOUT: Final = 1


class Output:
    """The way to the client: the file descriptor that the HTTP server reads."""

    __slots__ = ("_descriptor",)

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, data: bytes | memoryview) -> None:
        """Sends bytes, unbuffered. Raises `BrokenPipeError` when nobody reads them any more."""
        left = memoryview(data)
        while left:
            left = left[os.write(self._descriptor, left) :]

    def gone(self) -> bool:
        """Whether nobody will read what is written, as far as that can be known without writing."""
        from select import POLLERR, POLLHUP, poll

        watched = poll()
        watched.register(self._descriptor, 0)
        return any(events & (POLLERR | POLLHUP) for _, events in watched.poll(0))


def main() -> None:
    """Answers the request of the environment, and ends the process.

    What was made for one request need not be taken down: an interpreter takes a tenth of the time of an answer for it.
    """
    code = run()
    sys.stderr.flush()
    os._exit(code)


def run() -> int:
    """Answers the request of the environment, and gives the exit code: 0 also for a client that has left."""
    try:
        return answer(os.environ, Output(_STDOUT))
    except BrokenPipeError:
        return 0
    except ConnectionResetError:
        return 1  # the server broke the answer off in its middle, and so does this


def answer(variables: Mapping[str, str], output: Output) -> int:
    """Answers the request of these variables (RFC 3875), and gives the exit code."""
    config = variables.get("DASFLEX_CONFIG", "")
    if config:
        root = root_of(config)
        served = _file(root, variables)
        if served is not None:
            _send(served, output)
            return 0
        socket = os.path.join(root, "run", "dasflex.sock")
        if os.path.exists(socket) and not _has_body(variables):
            from dasflex_cgi.handover import hand_over

            if hand_over(socket, variables, output.write):
                return 0
    from dasflex_cgi import cold

    return cold.run(variables, config, output)


def _has_body(variables: Mapping[str, str]) -> bool:
    """Whether the body of a request is looked at: this process does that, so that it passes through no other."""
    return variables.get("REQUEST_METHOD") == "POST" and variables.get("PATH_INFO", "").strip("/").lower() == "verify"


def _file(root: str, variables: Mapping[str, str]) -> Served | None:
    """The file that answers a request."""
    get = variables.get
    headers = {
        "accept-encoding": get("HTTP_ACCEPT_ENCODING", ""),
        "if-none-match": get("HTTP_IF_NONE_MATCH", ""),
    }
    if since := get("HTTP_IF_MODIFIED_SINCE"):
        headers["if-modified-since"] = since
    if part := get("HTTP_RANGE"):
        headers |= {"range": part, "if-range": get("HTTP_IF_RANGE", "")}
    return serve(root, get("REQUEST_METHOD", "GET"), get("PATH_INFO", ""), headers)


def request_id() -> str:
    """A new id of a request, as `dasflex_core.run.records` makes them, which takes too long to import for a file."""
    number = (int(time() * 1000) << 65) | (int.from_bytes(os.urandom(9), "big") >> 7)
    return "".join(["0123456789abcdefghjkmnpqrstvwxyz"[number >> shift & 31] for shift in range(105, -1, -5)])


def _send(served: Served, output: Output) -> None:
    """Sends a file; a short one in a single piece with its head."""
    lines = [f"Status: {served.status} {_REASONS[served.status]}"]
    lines += [f"{name}: {value}" for name, value in (*served.headers, ("X-Request-Id", request_id()))]
    head = "\r\n".join([*lines, "", ""]).encode("latin-1")
    try:
        output.write(head + next(served, b""))
        for piece in served:
            output.write(piece)
    finally:
        served.close()

# SPDX-License-Identifier: GPL-3.0-or-later
"""SCGI on the root's own Unix socket, by which the CGI program hands its requests over to a running server.

SCGI (the protocol of that name, version 1) is one netstring of variables, each name and value ended by a NUL,
`CONTENT_LENGTH` first; the answer has the form of CGI. An answer that breaks off in its middle is told from one that
has ended by the comma of the netstring: it is taken only then, and a socket that is closed with something unread in it
resets its connection (unix(7)).
"""

from __future__ import annotations

import errno
import os
import select
import socket
import stat
import struct
from socketserver import BaseRequestHandler, ThreadingMixIn, UnixStreamServer
from threading import Lock, Thread
from typing import TYPE_CHECKING, Final, Protocol

from dasflex_cgi.cgi_form import asked_from, head_of, without_body
from dasflex_cgi.exchange import TEXT, Answer
from dasflex_core.run.records import new_request_id

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from dasflex_cgi.exchange import Asked

__all__ = ["SOCKET", "Answering", "ScgiServer", "listening_at"]

#: Where the socket is, below the root.
SOCKET: Final = "run/dasflex.sock"
_MOST: Final = 1 << 16
#: Seconds in which a client must have sent its request.
_SENDING: Final = 10.0
_WAITING: Final = 128
#: Seconds after which it is seen, at the latest, that the server stops.
_ROUND: Final = 0.1
_CREDENTIALS: Final = struct.Struct("3i")


class Answering(Protocol):
    """What answers requests: it raises for none."""

    def answer(self, asked: Asked) -> Answer:
        """The answer to a request."""
        ...


class _MalformedError(Exception):
    """What came is no request of SCGI."""


class ScgiServer:
    """Answers what comes by a socket, each connection in a thread of its own, until it is closed.

    The socket is made at `place`, for its owner and its group; `note` is told why there is none. One that another
    server listens on is left alone.
    """

    def __init__(self, place: Path, front: Answering, note: Callable[[str], None]) -> None:
        self._note = note
        self._place = place
        self._server: _Server | None = None
        listener = listening_at(place, note)
        if listener is None:
            return
        self._made = _identity(place)
        self._server = _Server(listener, front, note, place.stat().st_gid)
        Thread(target=self._server.serve_forever, args=(_ROUND,), name="dasflex-scgi", daemon=True).start()

    @property
    def listening(self) -> bool:
        """Whether there is a socket, and we listen on it."""
        return self._server is not None

    @property
    def busy(self) -> bool:
        """Whether a request is being answered."""
        return self._server is not None and self._server.going > 0

    def stop_accepting(self) -> None:
        """Listens no more, and removes the socket if it is still ours. What is being answered goes on."""
        if self._server is None:
            return
        if _identity(self._place) == self._made:
            self._place.unlink(missing_ok=True)
        self._server.shutdown()
        self._server.server_close()


def listening_at(place: Path, note: Callable[[str], None]) -> socket.socket | None:
    """A Unix socket that listens at a path, for its owner and its group; None, with a note, where there can be none.

    A socket that nobody listens on any more is replaced.
    """
    try:
        if place.exists() and not _removed(place, note):
            return None
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o117)
        try:
            listener.bind(str(place))
        except OSError:
            listener.close()
            raise
        finally:
            os.umask(before)
        listener.listen(_WAITING)
    except OSError as error:
        note(f"there is no socket for CGI at {place}: {error.strerror or error}")
        return None
    return listener


def _removed(place: Path, note: Callable[[str], None]) -> bool:
    """Whether the socket at a path was one that nobody listens on, and is removed."""
    if not stat.S_ISSOCK(place.lstat().st_mode):
        note(f"there is no socket for CGI: {place} is something else")
        return False
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as tried:
        tried.settimeout(1)
        try:
            tried.connect(str(place))
        except OSError as error:
            if error.errno in (errno.ECONNREFUSED, errno.ENOENT):
                place.unlink(missing_ok=True)
                return True
    note(f"another server listens at {place}, and goes on to answer for CGI")
    return False


class _Server(ThreadingMixIn, UnixStreamServer):
    """The connections of a socket that listens already."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, listener: socket.socket, front: Answering, note: Callable[[str], None], group: int) -> None:
        super().__init__(listener.getsockname(), _Connection, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.front = front
        self.note = note
        self.group = group
        self._lock = Lock()
        self.going = 0

    def verify_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> bool:
        """Whether whoever connected may ask: the file's mode says so as well, unless somebody has changed it."""
        del client_address
        return isinstance(request, socket.socket) and _permitted(request, self.group)

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        """Closes a connection at once: if its sending were ended before, the other side would see a whole answer."""
        self.close_request(request)

    def count(self, change: int) -> None:
        """Counts the requests that are being answered."""
        with self._lock:
            self.going += change

    def handle_error(self, request: object, client_address: object) -> None:
        """A fault of ours: one line, and the connection is closed."""
        import traceback

        del request, client_address
        self.note(f"SCGI: {traceback.format_exc()}")


class _Connection(BaseRequestHandler):
    """One request, and its answer."""

    server: _Server
    request: socket.socket

    def handle(self) -> None:
        """Reads, answers, and takes the comma when the answer is whole."""
        self.server.count(+1)
        try:
            self.request.settimeout(_SENDING)
            try:
                variables = _variables(self.request)
            except (_MalformedError, UnicodeError) as error:
                self.request.sendall(_refusal(f"This is no request of SCGI: {error}"))
                return
            self.request.settimeout(None)
            if self._answered(asked_from(variables, _gone(self.request))):
                self.request.recv(1)
        except OSError:
            return  # whoever asked has left, and what ran for them has ended
        finally:
            self.server.count(-1)

    def _answered(self, asked: Asked) -> bool:
        """Whether the whole answer was sent. Whatever happens, its body is closed. Raises `OSError`: they have left."""
        answer = self.server.front.answer(asked)
        body = answer.body
        wanted = asked.method != "HEAD" and not without_body(answer.status)
        if isinstance(body, bytes):
            self.request.sendall(head_of(answer) + (body if wanted else b""))
            return True
        try:
            self.request.sendall(head_of(answer))
            if wanted:
                for piece in body:
                    self.request.sendall(piece)
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001  whatever broke the answer, the client is told by how it ends
            self.server.note(f"{asked.method} {asked.path}: broken off: {type(error).__name__}: {error}")
            return False
        finally:
            body.close()
        return True


def _variables(connection: socket.socket) -> Mapping[str, str]:
    """The variables of a request, all but the comma behind them. Raises what says that it is none."""
    digits = b""
    while not digits.endswith(b":"):
        if len(digits) > 6 or not (digits + b"0").isdigit():
            raise _MalformedError("a netstring begins with its length")
        digits += _exactly(connection, 1)
    length = int(digits[:-1] or b"0")
    if not 0 < length <= _MOST:
        raise _MalformedError(f"its variables take {length} bytes; there may be {_MOST}")
    text = _exactly(connection, length)
    if connection.recv(1, socket.MSG_PEEK) != b",":
        raise _MalformedError("a netstring ends with a comma")
    parts = os.fsdecode(text).split("\0")
    if parts.pop() or len(parts) % 2:
        raise _MalformedError("each name and each value ends with a NUL")
    variables = dict(zip(parts[::2], parts[1::2], strict=True))
    if parts[0] != "CONTENT_LENGTH" or variables.get("SCGI") != "1":
        raise _MalformedError("it begins with CONTENT_LENGTH, and has SCGI=1")
    return variables


def _exactly(connection: socket.socket, count: int) -> bytes:
    """So many bytes. Raises `_MalformedError` if there are fewer."""
    received = bytearray()
    while len(received) < count:
        piece = connection.recv(count - len(received))
        if not piece:
            raise _MalformedError("it ends too early")
        received += piece
    return bytes(received)


def _refusal(text: str) -> bytes:
    """The answer to what is no request."""
    answer = Answer(400, (("Content-Type", TEXT), ("X-Request-Id", new_request_id())), f"{text}\n".encode())
    return head_of(answer) + f"{text}\n".encode()


def _gone(connection: socket.socket) -> Callable[[], bool]:
    """Tells whether the other side has closed. It may have ended its sending only, and that is not leaving."""

    def gone() -> bool:
        if connection.fileno() < 0:
            return True
        watched = select.poll()
        watched.register(connection, 0)
        return any(events & (select.POLLHUP | select.POLLERR) for _, events in watched.poll(0))

    return gone


def _permitted(connection: socket.socket, group: int) -> bool:
    """Whether a process is ours, root's, or of the group that the socket belongs to."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _process, user, own_group = _CREDENTIALS.unpack(credentials)
    return user in (0, os.geteuid()) or own_group == group or _is_member(user, group)


def _is_member(user: int, group: int) -> bool:
    """Whether a user is a member of a group, by the system's lists."""
    import grp
    import pwd

    try:
        name = pwd.getpwuid(user).pw_name
        return name in grp.getgrgid(group).gr_mem
    except KeyError:
        return False


def _identity(place: Path) -> tuple[int, int] | None:
    """Which file is at a path; None if there is none."""
    try:
        found = place.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino

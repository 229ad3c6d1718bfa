# SPDX-License-Identifier: GPL-3.0-or-later
"""The WebSocket daemon of `dasflex serve`: a child process that gets the connections that ask for a WebSocket.

It is a program of its own, of which nothing is imported here. Connections go to it over a Unix socket of whole
messages, each with the descriptor and the bytes that were read. Both ends of that socket are held here, so that what is
handed over while the daemon starts is there when it has started; but once this process is gone, however it went, the
daemon sees the end of the socket, and ends too.
"""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["WebSocketDaemon", "asks_for_websocket", "may_ask"]

#: Bytes of a head that is looked at, and handed over.
HEAD: Final = 1 << 15
#: Seconds before a daemon is started again that has ended: at first, and at most; and how long a good one runs.
_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 60.0
_STEADY: Final = 60.0
#: Seconds in which it may come to its end.
_ENDING: Final = 10.0
#: The first line of a request that may be one for a WebSocket: below `dasws`, or the live part of a source.
_LINE: Final = re.compile(rb"GET [^ ?]*(?:/dasws/|/flexrt(?=[? ]))[^ ]* HTTP/1\.[0-9]\r?\n", re.IGNORECASE)
_UPGRADE: Final = re.compile(rb"\nupgrade:[^\n]*\bwebsocket\b", re.IGNORECASE)
_END: Final = re.compile(rb"\r?\n\r?\n")
_METHOD: Final = b"GET "


def may_ask(received: bytes) -> bool:
    r"""Whether these first bytes of a connection may become a request for a WebSocket, so that more are waited for.

    >>> may_ask(b"GE"), may_ask(b"GET /dasws/a/flexRT HTTP/1.1\r\nHost: a"), may_ask(b"GET / HTTP/1.1\r\n")
    (True, True, False)
    """
    if len(received) > HEAD or _END.search(received):
        return False
    if b"\n" not in received:
        return received[:4] == _METHOD[: len(received)]
    return _LINE.match(received) is not None


def asks_for_websocket(received: bytes) -> bool:
    r"""Whether these are the head of a request for a WebSocket (RFC 6455, 4.1), with what came behind it.

    >>> asks_for_websocket(b"GET /source/a/flexRT?x=1 HTTP/1.1\r\nUpgrade: websocket\r\n\r\n")
    True
    """
    end = _END.search(received)
    return end is not None and bool(_LINE.match(received)) and bool(_UPGRADE.search(received, 0, end.start()))


class WebSocketDaemon:
    """The daemon of a root, which is started again when it ends; `note` takes a line for the administrator.

    Its logs have the form that is given, else that of its configuration.

    Its methods may be called by any thread.
    """

    def __init__(self, config: Path, note: Callable[[str], None], log_format: str | None = None) -> None:
        self._note = note
        self._ours, self._its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._ours.setblocking(False)
        end = str(self._its.fileno())
        asked = ("--config", str(config), "--level", "warning", "--handed-over", end)
        form = ("--log-format", log_format) if log_format is not None else ()
        self._command = (sys.executable, "-P", "-m", "dasflex_ws", *asked, *form)
        self._process: subprocess.Popen[bytes] | None = None
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._keep, name="websocket", daemon=True)
        self._thread.start()

    def take(self, connection: socket.socket, received: bytes) -> bool:
        """Hands a connection over, of which these bytes have been read; false where no daemon takes it."""
        if self._process is None or self._over.is_set():
            return False
        try:
            socket.send_fds(self._ours, [received], [connection.fileno()])
        except OSError:
            return False
        return True

    def renew(self) -> None:
        """Lets it read its configuration anew."""
        self._signal("SIGHUP")

    def stop(self) -> None:
        """Asks it to end, once: a second signal would be an order. Its clients are told that the server goes away."""
        if not self._over.is_set():
            self._over.set()
            self._signal("SIGTERM")

    def close(self) -> None:
        """Waits for its end, and ends it where that takes long."""
        self.stop()
        self._thread.join(_ENDING)
        if (process := self._process) is not None:
            process.kill()
            self._thread.join(_ENDING)
        self._ours.close()
        self._its.close()

    def _signal(self, name: str) -> None:
        """Sends a signal, if the daemon runs."""
        import signal

        with self._lock:
            if self._process is not None:
                self._process.send_signal(signal.Signals[name])

    def _keep(self) -> None:
        """Starts the daemon, and starts it again when it has ended, after a pause that grows."""
        pause = _PAUSE
        while not self._over.is_set():
            began = time.monotonic()
            told = self._run()
            if self._over.is_set():
                return
            pause = _PAUSE if time.monotonic() - began > _STEADY else pause
            self._note(f"note: the WebSocket daemon {told}; it is started again in {pause:.0f} s")
            self._over.wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _run(self) -> str:
        """Runs the daemon to its end, and says how that was."""
        try:
            with self._lock:
                if self._over.is_set():
                    return ""
                self._process = subprocess.Popen(
                    self._command,
                    stdin=subprocess.DEVNULL,
                    stdout=sys.stderr.fileno(),
                    pass_fds=(self._its.fileno(),),
                    process_group=0,  # Ctrl-C is for the server, which tells the daemon
                )
        except OSError as error:
            return f"cannot be started: {error.strerror}"
        code = self._process.wait()
        with self._lock:
            self._process = None
        return f"was ended by signal {-code}" if code < 0 else f"ended with status {code}"

# SPDX-License-Identifier: GPL-3.0-or-later
"""A WebSocket server in a thread, on a port of its own: what the fixture `served` gives."""

from __future__ import annotations

import os
import socket
import struct
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import trio
from websockets.sync.client import connect

import dasflex_core
from dasflex_core.run import Guardian
from dasflex_ws.hub import Hub
from dasflex_ws.metrics import Metrics
from dasflex_ws.serving import Serving, serve

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # RFC 6455, 1.3


class Served:
    """A server of a root. `serving` is what its connections share; `call` does something in its thread."""

    def __init__(self, root: Path, tls: ssl.SSLContext | None = None) -> None:
        self.root = root
        self.metrics = Metrics()
        self.failure: BaseException | None = None
        self.port = 0
        self._tls = tls
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._main, name="served")
        self._thread.start()
        assert self._ready.wait(60)
        assert self.failure is None, self.failure
        self.url = f"{'ws' if tls is None else 'wss'}://127.0.0.1:{self.port}"

    def _main(self) -> None:
        try:
            trio.run(self._run)
        except BaseException as error:  # noqa: BLE001  shown by the test, which is in another thread
            self.failure = error
        finally:
            self._ready.set()

    async def _run(self) -> None:
        site = dasflex_core.open(self.root)
        limiter = trio.CapacityLimiter(os.cpu_count() or 1)
        with Guardian() as guardian:
            hub = Hub(limiter=limiter, guardian=guardian, runtime=site.config.runtime, metrics=self.metrics)
            self.serving = Serving(
                site, hub=hub, guardian=guardian, limiter=limiter, metrics=self.metrics, tls=self._tls
            )
            listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
            self.port = listeners[0].socket.getsockname()[1]
            self._token = trio.lowlevel.current_trio_token()
            with trio.CancelScope() as self._scope:
                async with trio.open_nursery() as nursery:
                    await nursery.start(serve, listeners, self.serving)
                    self._ready.set()

    def call(self, function, *arguments):
        """What a function gives in the thread of the server."""
        return trio.from_thread.run_sync(function, *arguments, trio_token=self._token)

    def begin_stop(self) -> None:
        """Tells the server to stop, without waiting."""
        if self._thread.is_alive():
            self._token.run_sync_soon(self._scope.cancel)

    def stop(self) -> None:
        """Stops the server. Fails if it does not, or has failed."""
        self.begin_stop()
        self._thread.join(60)
        assert not self._thread.is_alive()
        if self.failure is not None:
            raise self.failure

    def connect(self, path: str, pairs=(), **how):
        """A connection of the second implementation."""
        usual = {"compression": None, "max_size": None, "open_timeout": 60, "close_timeout": 30, "proxy": None}
        query = urlencode(dict(pairs))
        return connect(f"{self.url}{path}{'?' + query if query else ''}", **usual | how)

    @contextmanager
    def raw(self, data: bytes = b"", **how):
        """A plain socket that has sent some bytes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=30, **how) as connection:
            connection.sendall(data)
            yield connection

    @contextmanager
    def upgraded(self, target: str, *headers: str):
        """A plain socket that was upgraded, as a file whose next bytes are frames."""
        with self.raw(opening(target, *headers)) as connection, connection.makefile("rb") as file:
            status = file.readline()
            assert b" 101 " in status, status + file.read()
            while file.readline().strip():
                pass
            yield connection, file

    @property
    def log(self) -> str:
        """What the log says of all requests."""
        return "".join(each.read_text() for each in self.serving.site.config.log_path.glob("*.log"))

    def counted(self, name: str) -> float:
        """The value of a metric."""
        return sum(
            sample.value
            for metric in self.metrics.registry.collect()
            for sample in metric.samples
            if sample.name == name
        )


def opening(target: str, *headers: str, method: str = "GET", version: str = "13", key: str = KEY) -> bytes:
    """The opening of a client (RFC 6455, 4.1)."""
    lines = [
        f"{method} {target} HTTP/1.1",
        "Host: 127.0.0.1",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key}",
        f"Sec-WebSocket-Version: {version}",
        *headers,
    ]
    return "\r\n".join((*lines, "", "")).encode("latin-1")


def frame(first: int, payload: bytes = b"", *, mask: bytes = b"\1\2\3\4") -> bytes:
    """A frame of a client (RFC 6455, 5.2): its first byte, and a payload that is masked."""
    size = len(payload)
    head = bytes((first, 0x80 | (size if size < 126 else 126 if size < 1 << 16 else 127)))
    if size >= 126:
        head += struct.pack("!H" if size < 1 << 16 else "!Q", size)
    return head + mask + bytes(each ^ mask[at % 4] for at, each in enumerate(payload))


def read_frame(file) -> tuple[int, bytes] | None:
    """The opcode and the payload of the next frame of a server; None at the end."""
    head = file.read(2)
    if len(head) < 2:
        return None
    assert head[0] & 0x70 == 0
    assert not head[1] & 0x80
    size = head[1]
    if size == 126:
        size = int.from_bytes(file.read(2))
    elif size == 127:
        size = int.from_bytes(file.read(8))
    payload = file.read(size)
    assert len(payload) == size
    return head[0] & 0x0F, payload


def read_close(file) -> int | None:
    """The code of the close frame that comes sooner or later, after which nothing comes; None where none does."""
    while (found := read_frame(file)) is not None:
        if found[0] == 8:
            assert file.read(1) == b""
            return int.from_bytes(found[1][:2]) if found[1] else 1005
    return None

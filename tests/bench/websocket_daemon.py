# SPDX-License-Identifier: GPL-3.0-or-later
"""What the benches of the WebSocket daemon share: a root, the daemon as a process, and requests to it."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from dasflex_core.catalog.tree import compile_tree
from dasflex_core.roots import make_root

if TYPE_CHECKING:
    from collections.abc import Iterator

HOST = "127.0.0.1"
#: Frequencies of `Examples/Live` whose records are 4 kB.
CHANNELS = 1021
SOURCE = """
title    = "A file"
contacts = { technical = "Somebody <somebody@example.org>" }
reader   = { command = "cat stream.d3b", writes = "das/3/binary" }
example  = [{ title = "All of it" }]
"""


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.create_server((HOST, 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def make_sources(root: Path, megabytes: float) -> Path:
    """A root with the examples and a source `cat` of a file, as long as said: that file."""
    config = make_root(root, "Bench")
    limits = "\nWEBSOCKET_CONNECTIONS = 20000\nWEBSOCKET_CONNECTIONS_EACH = 20000\n"
    config.file.write_text(config.file.read_text(encoding="utf-8") + limits, encoding="utf-8")
    place = root / "definitions" / "cat"
    place.mkdir()
    (place / "source.toml").write_text(SOURCE, encoding="utf-8")
    reader = root / "definitions" / "Examples" / "Live" / "reader.py"
    block = subprocess.run(
        (sys.executable, reader, f"--channels={CHANNELS}", "2025-11-23T09:00", "2025-11-23T09:02"),
        capture_output=True,
        check=True,
    ).stdout
    records = block[block.index(b"|Pd|") :]
    with (place / "stream.d3b").open("wb") as file:
        file.write(block)
        while file.tell() < megabytes * 1e6:
            file.write(records)
    report = compile_tree(root)
    if report.findings:
        raise SystemExit("\n".join(map(str, report.findings)))
    return place / "stream.d3b"


class Daemon:
    """A daemon at a port."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.port = port
        self.process = psutil.Process(process.pid)

    @property
    def megabytes(self) -> float:
        """Its memory, without that of its readers."""
        return float(self.process.memory_info().rss) / 1e6

    def readers(self) -> list[psutil.Process]:
        """The reader processes below it that run."""
        return [each for each in self.process.children(recursive=True) if "reader.py" in " ".join(_words(each))]


def _words(process: psutil.Process) -> list[str]:
    try:
        words: list[str] = process.cmdline()
    except psutil.Error:  # it ended while we looked
        return []
    return words


@contextmanager
def daemon(root: Path) -> Iterator[Daemon]:
    """The daemon of a root, from its first answer on, until the end of the block."""
    port = free_port()
    command = [Path(sys.executable).with_name("dasflex_websocd"), "-i", HOST, "-p", str(port), "-c", str(root)]
    with subprocess.Popen(command) as process:
        try:
            wait_for_port(port, process)
            yield Daemon(process, port)
        finally:
            process.terminate()


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Waits until a process accepts connections."""
    for _ in range(600):
        if process.poll() is not None:
            raise SystemExit(f"{process.args} ended with {process.returncode}")
        try:
            socket.create_connection((HOST, port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit(f"{process.args} does not listen")


def asked(port: int, path: str) -> socket.socket:
    """A connection on which a WebSocket was asked for."""
    connection = socket.create_connection((HOST, port), timeout=60)
    connection.sendall(
        f"GET {path} HTTP/1.1\r\nHost: {HOST}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    return connection


def live_path(channels: int = CHANNELS, rate: int = 10) -> str:
    """The address of the receiver, from now on."""
    return (
        f"/dasws/examples/live/flexRT?read.channels={channels}&read.rate={rate}&read.time.min=now&read.time.max=forever"
    )

# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex serve` with a reader `cat FILE`: its first byte, and many downloads at once with slow ones among them.

The first byte is that of the answer's body, less that of the reader by itself. The downloads are 64 of 200 MB, or of as
many megabytes as the first argument says; 8 of them are read at 100 kB/s. The share of a fast one is the time that the
56 fast ones take without the slow ones, all of them; memory is that of the server, without its readers. The client
throws away what it receives, in the kernel.
"""

from __future__ import annotations

import argparse
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import NamedTuple
from urllib.parse import urlsplit

from dasflex_core.catalog.tree import compile_tree
from dasflex_core.roots import make_root

FAST = 56
SLOW = 8
SLOW_RATE = 100_000
REPEATS = 21
PERIOD = 0.1
MEGABYTE = 1_000_000
#: What must be reached.
FIRST_BYTE = 0.005
SHARE = 1.3
MEMORY = 300
SOURCE = """
title    = "A file"
contacts = { technical = "Somebody <somebody@example.org>" }
reader   = { command = "cat stream.d2t", writes = "das/2/text" }
example  = [{ title = "All of it" }]
"""
PACKETS = (
    '<stream version="2.2" />\n',
    '<packet><x type="time20" units="us2000"/><y type="ascii10" units="V" name="level"/></packet>\n',
)


class Downloads(NamedTuple):
    """Seconds until each fast download was there, the most memory of the server (MB), and bytes a slow one got."""

    seconds: list[float]
    memory: float
    slow: int


def make_stream(path: Path, size: int) -> int:
    """A das2 stream of about a size, and its true size."""
    with path.open("wb") as file:
        for number, packet in enumerate(PACKETS):
            file.write(f"[{number:02d}]{len(packet):06d}{packet}".encode())
        block = b"".join(f":01:2020-01-01T00:{n // 60:02d}:{n % 60:02d} {n:9d}\n".encode() for n in range(3600)) * 10
        while file.tell() < size:
            file.write(block)
        return file.tell()


def make_source(root: Path, size: int) -> tuple[Path, int]:
    """A source of a new root, whose reader is `cat FILE`: the file, and its size."""
    make_root(root, "Bench", examples=False)
    place = root / "definitions" / "cat"
    place.mkdir(parents=True)
    file = place / "stream.d2t"
    real = make_stream(file, size)
    (place / "source.toml").write_text(SOURCE, encoding="utf-8")
    report = compile_tree(root)
    if report.findings:
        raise SystemExit("\n".join(map(str, report.findings)))
    return file, real


def start(root: Path) -> tuple[subprocess.Popen[str], tuple[str, int]]:
    """A server of a root, and its address."""
    code = "from dasflex_core.cli import main; main(prog_name='dasflex')"
    config = str(root / "etc" / "dasflex.conf")
    command = [sys.executable, "-c", code, "serve", "--port", "0", "--no-socket", "--no-websocket", "--config", config]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    while not (line := server.stdout.readline()).startswith("Serving "):
        if not line:
            raise SystemExit("the server did not start")
    place = urlsplit(line.split()[3])
    return server, (place.hostname, place.port)


def asked(address: tuple[str, int]) -> socket.socket:
    """A connection on which the whole file was asked for."""
    connection = socket.create_connection(address)
    connection.sendall(b"GET /source/cat/flex HTTP/1.0\r\nHost: bench\r\n\r\n")
    return connection


def first_byte(address: tuple[str, int]) -> float:
    """Seconds until the first byte of the body is there."""
    begin = time.perf_counter()
    with asked(address) as connection:
        received = b""
        while not received.partition(b"\r\n\r\n")[2]:
            piece = connection.recv(65536)
            if not piece:
                raise SystemExit(f"no body: {received!r}")
            received += piece
        return time.perf_counter() - begin


def reader_alone(file: Path) -> float:
    """Seconds until the first byte of the reader by itself is there."""
    begin = time.perf_counter()
    with subprocess.Popen(("cat", file), stdout=subprocess.PIPE) as reader:
        os.read(reader.stdout.fileno(), 65536)
        seconds = time.perf_counter() - begin
        reader.kill()
    return seconds


def one_beyond(address: tuple[str, int], file: Path) -> float:
    """Seconds by which a first byte is later than that of the reader, when nothing else is being answered or ended."""
    time.sleep(0.1)  # the request before was broken off: its readers are looked for and ended meanwhile
    return first_byte(address) - reader_alone(file)


def resident(process: int) -> float:
    """The memory of a process in MB."""
    status = Path(f"/proc/{process}/status").read_text(encoding="ascii")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) / 1000


def download(address: tuple[str, int], server: int, size: int, slow: int) -> Downloads:
    """Downloads the file by the fast clients, beside so many slow ones, until the fast ones have all of it."""
    begin = time.perf_counter()
    slowly = [asked(address) for _ in range(slow)]
    got = dict.fromkeys([asked(address) for _ in range(FAST)], 0)
    poll, by_number = select.epoll(), {each.fileno(): each for each in got}
    for number in by_number:
        poll.register(number, select.EPOLLIN)
    done: list[float] = []
    buffer = bytearray(1 << 20)
    memory, slow_bytes, next_look = 0.0, 0, begin
    while len(done) < FAST:
        for number, _events in poll.poll(PERIOD):
            each = by_number[number]
            count = each.recv_into(buffer, len(buffer), socket.MSG_TRUNC)  # thrown away by the kernel
            got[each] += count
            if not count:
                poll.unregister(number)
                done.append(time.perf_counter() - begin)
        if (now := time.perf_counter()) >= next_look:
            next_look = now + PERIOD
            memory = max(memory, resident(server))
            for each in slowly:
                with suppress(BlockingIOError):
                    slow_bytes += len(each.recv(int(SLOW_RATE * PERIOD), socket.MSG_DONTWAIT))
    for each in (*slowly, *got):
        each.close()
    if min(got.values()) < size:
        raise SystemExit(f"a download has {min(got.values())} bytes of {size}")
    return Downloads(done, memory, slow_bytes // slow if slow else 0)


def slowest(name: str, downloads: Downloads, size: int) -> float:
    """Prints what downloads took, and gives the time of the slowest."""
    last = max(downloads.seconds)
    print(
        f"  {name:24} first {min(downloads.seconds):5.1f} s, median {median(downloads.seconds):5.1f} s, last {last:5.1f} s,"
        f" {FAST * size / last / MEGABYTE:4.0f} MB/s together, memory {downloads.memory:.0f} MB"
    )
    return last


def measure(root: Path, size: int) -> bool:
    """Prints the figures and what is wanted of them, and tells whether they are reached."""
    file, real = make_source(root, size)
    server, address = start(root)
    try:
        first_byte(address)
        beyond = median(one_beyond(address, file) for _ in range(REPEATS))
        print(f"first byte beyond the reader's own, median of {REPEATS}: {beyond * 1000:.1f} ms; wanted < 5 ms")
        print(f"{FAST} downloads of {real / MEGABYTE:.0f} MB at once")
        share = slowest("alone", download(address, server.pid, real, 0), real)
        beside = download(address, server.pid, real, SLOW)
        ratio = slowest(f"beside {SLOW} at 100 kB/s", beside, real) / share
        print(f"  the slowest of them {ratio:.2f} x its share; wanted <= {SHARE}")
        print(f"  memory of the server {beside.memory:.0f} MB; wanted < {MEMORY} MB")
        print(f"  a slow one got {beside.slow / max(beside.seconds) / 1000:.0f} kB/s")
    finally:
        server.terminate()
        server.communicate()
    return beyond < FIRST_BYTE and ratio <= SHARE and beside.memory < MEMORY


def main() -> None:
    """Downloads as many megabytes as the first argument says."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("megabytes", nargs="?", type=float, default=200.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(0 if measure(Path(folder) / "root", int(arguments.megabytes * MEGABYTE)) else 1)


if __name__ == "__main__":
    main()

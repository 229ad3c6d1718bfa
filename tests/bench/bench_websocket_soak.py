# SPDX-License-Identifier: GPL-3.0-or-later
"""The WebSocket daemon after 20,000 clients have come and gone: its memory, descriptors, threads and processes.

Most watch the live source for a record and leave, with and without a proper close; some ask for the past, and some for
what there is not. Before the first count a tenth as many come and go, so that what is kept once is there. The first
argument is another number of clients.
"""

from __future__ import annotations

import argparse
import gc
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

import psutil
from websocket_daemon import Daemon, asked, daemon, live_path, make_sources

CLIENTS = 20_000
AT_ONCE = 40
#: MB by which the memory may be more at the end than after the first tenth, and seconds until all is ended.
GROWTH = 15.0
PATIENCE = 60.0
CLOSE = bytes([0x88, 0x82, 0, 0, 0, 0, 0x03, 0xE8])
PAST = "read.time.min=2025-11-23T09:00:00&read.time.max=2025-11-23T09:00:00.5"


class Count(NamedTuple):
    """What a daemon has: MB, file descriptors, threads, processes below it, and how many of these are zombies."""

    megabytes: float
    descriptors: int
    threads: int
    children: int
    zombies: int


def count(server: Daemon) -> Count:
    """What the daemon has now."""
    below = server.process.children(recursive=True)
    zombies = sum(each.status() == psutil.STATUS_ZOMBIE for each in below if each.is_running())
    process = server.process
    return Count(server.megabytes, process.num_fds(), process.num_threads(), len(below) - zombies, zombies)


def settled(server: Daemon) -> Count:
    """What the daemon has when its readers have ended, or patience has."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and (server.readers() or count(server).zombies):
        time.sleep(1)
    time.sleep(15)  # threads that wait for work end after ten seconds
    return count(server)


def visit(port: int, number: int) -> None:
    """One client."""
    if number % 50 == 0:
        path = f"/dasws/examples/live/flexRT?read.channels=16&{PAST}"
    elif number % 25 == 0:
        path = "/dasws/no/such/flexRT"
    else:
        path = live_path(256)
    with asked(port, path) as connection:
        received = connection.recv(65536)
        if number % 25:
            while b"\r\n\r\n" not in received or not received.partition(b"\r\n\r\n")[2]:
                if not (piece := connection.recv(65536)):
                    raise SystemExit(f"client {number}: {received!r}")
                received += piece
            if number % 2:
                connection.sendall(CLOSE)
        elif b" 404 " not in received and number % 50:
            raise SystemExit(f"client {number}: {received!r}")


def visits(port: int, number: int) -> float:
    """So many clients, some at once; how long they took."""
    left = iter(range(number))
    lock = threading.Lock()
    failures: list[BaseException] = []

    def work() -> None:
        try:
            while not failures:
                with lock:
                    mine = next(left, None)
                if mine is None:
                    return
                visit(port, mine)
        except (OSError, SystemExit) as error:
            failures.append(error)

    begin = time.monotonic()
    threads = [threading.Thread(target=work) for _ in range(AT_ONCE)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    if failures:
        raise SystemExit(f"a client failed: {failures[0]!r}")
    return time.monotonic() - begin


def soak(root: Path, clients: int) -> bool:
    """Prints what the daemon has before and after, and tells whether that is the same."""
    gc.disable()
    with daemon(root) as server:
        visits(server.port, max(clients // 10, 100))
        before = settled(server)
        seconds = visits(server.port, clients)
        after = settled(server)
    print(f"{clients:,} clients in {seconds:.0f} s, {clients / seconds:.0f} a second")
    for name, early, late in zip(Count._fields, before, after, strict=True):
        print(f"  {name:12} {early:8.6g} before, {late:8.6g} after")
    same = after.descriptors <= before.descriptors + 2 and after.threads <= before.threads + 2
    grown = after.megabytes - before.megabytes
    print(f"  memory grew by {grown:.1f} MB; wanted < {GROWTH:.0f}")
    return same and grown < GROWTH and after.children <= before.children and not after.zombies


def main() -> None:
    """Lets as many clients come and go as the first argument says."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("clients", nargs="?", type=int, default=CLIENTS)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        make_sources(root, 1)
        sys.exit(0 if soak(root, arguments.clients) else 1)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: GPL-3.0-or-later
"""The WebSocket daemon: many who watch one live source, some who stall, one who downloads, and the first packet.

Who watches is one process of `websocket_load.py`, which shares the two cores with the daemon and the reader. Its own
share is shown beside a plain server that sends the same frames to as many by `send` alone. The download is compared
with two public servers in Python, which read the same file and send messages of 64 kB; the client of all three throws
away what it receives, in the kernel. The first packet is compared with the reader by itself. The latency is from the
time of a record to its arrival, so it holds the reader's own.

Figures are medians of five, with the least and the greatest.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from websocket_daemon import HOST, Daemon, asked, daemon, free_port, live_path, make_sources, wait_for_port

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

LOAD = Path(__file__).with_name("websocket_load.py")
REPEATS = 5
FIRSTS = 21
#: What must be reached: seconds, MB, MB/s, and ratios.
MEDIAN, P99, MEMORY = 0.060, 0.250, 300
MEMORY_IDLE = 1000
THROUGHPUT, SHARE = 250, 0.6
FIRST = 1.5
#: How much greater a 99th percentile of five may be by chance, and seconds below which it is noise.
UNCHANGED, NOISE = 1.25, 0.010
PAST = ("2025-11-23T09:00:00", "2025-11-23T09:00:02")
WEBSOCKETS = """
import asyncio, sys
from websockets.asyncio.server import serve
async def answer(connection):
    with open(sys.argv[2], "rb") as file:
        while block := file.read(65536):
            await connection.send(block)
async def main():
    async with serve(answer, "127.0.0.1", int(sys.argv[1]), compression=None):
        await asyncio.Future()
asyncio.run(main())
"""
AIOHTTP = """
import sys
from aiohttp import web
async def answer(request):
    connection = web.WebSocketResponse(compress=False)
    await connection.prepare(request)
    with open(sys.argv[2], "rb") as file:
        while block := file.read(65536):
            await connection.send_bytes(block)
    return connection
app = web.Application()
app.add_routes([web.get("/{any:.*}", answer)])
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)
"""
PUBLIC = {"websockets": WEBSOCKETS, "aiohttp": AIOHTTP}


def spread(values: Sequence[float], scale: float, unit: str) -> str:
    """The median of some figures, with the least and the greatest."""
    return f"{median(values) * scale:.3g} {unit} ({min(values) * scale:.3g} to {max(values) * scale:.3g})"


def verdict(name: str, text: str, *, good: bool) -> bool:
    """Prints a figure, and whether it is reached."""
    print(f"  {name:34} {text}{'' if good else '   MISSED'}", flush=True)
    return good


class Watched:
    """What a process of watchers saw, and the server's memory meanwhile."""

    def __init__(self, port: int, path: str, *options: str, server: Daemon | None = None) -> None:
        command = [sys.executable, LOAD, "watch", HOST, str(port), path, *options]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as load:
            if load.stdout.readline() != "ready\n":
                raise SystemExit("the watchers did not get what they asked for")
            self.readers = len(server.readers()) if server else 0
            told = load.stdout.read()
            self.megabytes = server.megabytes if server else 0.0
        self.seen = json.loads(told)

    def figures(self, name: str) -> list[float]:
        """A figure of each window."""
        return [each[name] for each in self.seen["windows"]]

    def show(self, name: str) -> None:
        """Prints what was seen."""
        print(
            f"  {name:34} median {spread(self.figures('median'), 1e3, 'ms')}, 99 % {spread(self.figures('p99'), 1e3, 'ms')},"
            f" worst {max(self.figures('worst')) * 1e3:.0f} ms; {median(self.figures('rate')):,.0f} records/s;"
            f" the client took {median(self.figures('cpu')):.0%} of a core",
            flush=True,
        )

    @property
    def whole(self) -> bool:
        """Whether nothing was dropped and nobody was sent away."""
        return not self.seen["missing"] and not self.seen["closed"]


def plainly(connections: int, period: float) -> None:
    """What the same watchers see of a server that does nothing but send."""
    port = free_port()
    command = [sys.executable, LOAD, "plain", str(port), "--period", str(period), "--size", "4096"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        server.stdout.readline()
        seen = Watched(port, "/", "--connections", str(connections), "--period", str(period), "--windows", "2")
        seen.show("the yardstick, one send for each")
        server.terminate()


def watchers(root: Path, _file: Path) -> bool:
    """1,000 watchers of 10 packets/s of 4 kB."""
    print("1,000 watchers, 10 packets/s of 4 kB", flush=True)
    plainly(1000, 0.1)
    with daemon(root) as server:
        seen = Watched(server.port, live_path(), "--connections", "1000", server=server)
    seen.show("dasflex_websocd")
    latency, late = median(seen.figures("median")), median(seen.figures("p99"))
    return all([
        verdict("dropped", f"{seen.seen['missing']} records; wanted 0", good=seen.whole),
        verdict("median latency", f"{latency * 1e3:.0f} ms; wanted < {MEDIAN * 1e3:.0f}", good=latency < MEDIAN),
        verdict("99th percentile", f"{late * 1e3:.0f} ms; wanted < {P99 * 1e3:.0f}", good=late < P99),
        verdict("readers", f"{seen.readers}; wanted 1", good=seen.readers == 1),
        verdict("memory", f"{seen.megabytes:.0f} MB; wanted < {MEMORY}", good=seen.megabytes < MEMORY),
    ])  # fmt: skip


def idle(root: Path, _file: Path) -> bool:
    """5,000 watchers of one packet a second."""
    print("5,000 watchers, 1 packet/s of 1 kB", flush=True)
    with daemon(root) as server:
        path = live_path(256, 1)
        seen = Watched(server.port, path, "--connections", "5000", "--period", "1", server=server)
    seen.show("dasflex_websocd")
    return all([
        verdict("dropped", f"{seen.seen['missing']} records; wanted 0", good=seen.whole),
        verdict("memory", f"{seen.megabytes:.0f} MB; wanted < {MEMORY_IDLE}", good=seen.megabytes < MEMORY_IDLE),
    ])  # fmt: skip


def stalled(root: Path, _file: Path) -> bool:
    """200 watchers, and then 10 of them read nothing, until what the kernel takes for them is full by far."""
    print("200 watchers, 100 packets/s of 4 kB, 10 of them stalled", flush=True)
    with daemon(root) as server:
        fast = ("--connections", "190", "--period", "0.01")
        before = Watched(server.port, live_path(rate=100), *fast, server=server)
        beside = Watched(server.port, live_path(rate=100), *fast, "--stalled", "10", "--settle", "15", server=server)
    before.show("190 alone")
    beside.show("190 beside 10 that stall")
    alone, late = median(before.figures("p99")), median(beside.figures("p99"))
    lost = beside.seen["missing of the stalled"]
    return all([
        verdict("dropped of the others", f"{beside.seen['missing']} records; wanted 0", good=beside.whole),
        verdict("dropped of those that stall", f"{lost} records; wanted > 0", good=lost > 0),
        verdict(
            "99th percentile of the others",
            f"{late * 1e3:.1f} ms beside {alone * 1e3:.1f} ms; wanted the same",
            good=late <= alone * UNCHANGED + NOISE,
        ),
        verdict("memory", f"{beside.megabytes:.0f} MB; wanted < {MEMORY}", good=beside.megabytes < MEMORY),
    ])  # fmt: skip


def download(port: int, path: str, size: int) -> float:
    """MB/s from the request to the last byte; what is received is thrown away in the kernel."""
    begin, got, buffer = time.perf_counter(), 0, bytearray(1 << 20)
    with asked(port, path) as connection:
        while got < size:
            count = connection.recv_into(buffer, len(buffer), socket.MSG_TRUNC)
            if not count:
                raise SystemExit(f"a download has {got} bytes of {size}")
            got += count
    return size / (time.perf_counter() - begin) / 1e6


def archive(root: Path, file: Path) -> bool:
    """One client, one stream of the past, beside two public servers."""
    size = file.stat().st_size
    print(f"one client, one stream of {size / 1e6:.0f} MB", flush=True)
    rates = {}
    for name, code in PUBLIC.items():
        port = free_port()
        with subprocess.Popen([sys.executable, "-c", code, str(port), str(file)]) as server:
            wait_for_port(port, server)
            rates[name] = [download(port, "/", size) for _ in range(REPEATS)]
            server.terminate()
        print(f"  {name:34} {spread(rates[name], 1, 'MB/s')}", flush=True)
    with daemon(root) as server:
        download(server.port, "/dasws/cat/flexRT", size)
        own = [download(server.port, "/dasws/cat/flexRT", size) for _ in range(REPEATS)]
    best = max(map(median, rates.values()))
    good = median(own) >= min(THROUGHPUT, SHARE * best)
    text = f"{spread(own, 1, 'MB/s')}; wanted >= {THROUGHPUT} or {SHARE} x {best:.0f}"
    return verdict("dasflex_websocd", text, good=good)


def first_record(receive: Callable[[int], bytes]) -> None:
    """Waits until what is received holds a record."""
    got = b""
    while b"|Pd|" not in got:
        piece = receive(65536)
        if not piece:
            raise SystemExit(f"no record: {got!r}")
        got += piece


def connected(port: int) -> float:
    """Seconds from nothing to the first record over a WebSocket."""
    begin = time.perf_counter()
    path = f"/dasws/examples/live/flexRT?read.time.min={PAST[0]}&read.time.max={PAST[1]}"
    with asked(port, path) as connection:
        first_record(connection.recv)
        return time.perf_counter() - begin


def alone(reader: Path) -> float:
    """Seconds from nothing to the first record of the reader by itself."""
    begin = time.perf_counter()
    with subprocess.Popen([sys.executable, reader, *PAST], stdout=subprocess.PIPE) as process:
        first_record(lambda size: os.read(process.stdout.fileno(), size))
        return time.perf_counter() - begin


def first(root: Path, _file: Path) -> bool:
    """From connecting to the first packet, beside the reader by itself."""
    print(f"connect and first packet, medians of {FIRSTS}", flush=True)
    reader = root / "definitions" / "Examples" / "Live" / "reader.py"
    with daemon(root) as server:
        connected(server.port)
        pairs = [(alone(reader), connected(server.port)) for _ in range(FIRSTS)]
    by_itself, over = (list(each) for each in zip(*pairs, strict=True))
    ratio = median(over) / median(by_itself)
    print(f"  {'the reader by itself':34} {spread(by_itself, 1e3, 'ms')}")
    text = f"{spread(over, 1e3, 'ms')}, {ratio:.2f} x the reader's own; wanted < {FIRST}"
    return verdict("dasflex_websocd", text, good=ratio < FIRST)


ROWS = {each.__name__: each for each in (watchers, idle, archive, first, stalled)}


def main() -> None:
    """Measures all rows, or those that are named."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("rows", nargs="*", metavar=f"{{{','.join(ROWS)}}}")
    parser.add_argument("--megabytes", type=float, default=400.0)
    arguments = parser.parse_args()
    if not set(arguments.rows) <= set(ROWS):
        parser.error(f"the rows are {', '.join(ROWS)}")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        file = make_sources(root, arguments.megabytes)
        reached = [ROWS[name](root, file) for name in arguments.rows or ROWS]
    sys.exit(0 if all(reached) else 1)


if __name__ == "__main__":
    main()

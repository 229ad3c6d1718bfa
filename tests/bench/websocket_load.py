# SPDX-License-Identifier: GPL-3.0-or-later
"""A thousand watchers in one process, at a cost that is low and known, for the benches of the WebSocket daemon.

`websocket_load.py watch HOST PORT PATH …` connects, receives for some seconds and prints what it saw as JSON: sockets
and epoll, frames found by their lengths, and of the das3 packets in them the time that stands first, in us2000. The
latency is the time from there to the return of `recv`. `websocket_load.py plain PORT …` is what it is measured against:
a server that sends the same frames by one `send` each.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import select
import socket
import struct
import sys
import time
from array import array

EPOCH = 946_684_800  # of us2000, in seconds since 1970
BUFFER = 1 << 20
TEXT, BINARY, CLOSE, PING = 1, 2, 8, 9
#: Connections that are being opened at once.
OPENING = 64
#: Seconds for which those that stalled are received from at the end, to see what they lost.
WAKING = 5


def frame(data: bytes, at: int) -> tuple[int, int, int] | None:
    """The kind of the frame that begins there, and where its payload begins and ends; None where it is not whole."""
    size, begin = len(data), at + 2
    if size < begin:
        return None
    length = data[at + 1]
    if length >= 126:
        wide = 2 if length == 126 else 8
        if size < begin + wide:
            return None
        length, begin = int.from_bytes(data[begin : begin + wide], "big"), begin + wide
    return (data[at] & 15, begin, begin + length) if begin + length <= size else None


class Client:
    """One connection: what is left of a frame, and the time of the last record."""

    __slots__ = ("last", "messages", "records", "rest", "socket")

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self.rest = b""
        self.last = 0
        self.messages = 0
        self.records = 0


class Load:
    """All connections, and what is counted of them."""

    def __init__(self, period: float) -> None:
        self.clients: dict[int, Client] = {}
        self.poll = select.epoll()
        self.buffer = bytearray(BUFFER)
        self.latencies = array("d")
        self.measuring = False
        self.missing = self.closed = self.bytes = self.wakes = 0
        self.period = round(period * 1e6)

    def open(self, host: str, port: int, path: str, count: int, *, small: bool = False) -> None:
        """Opens connections, some at a time, and waits for their answers."""
        for first in range(0, count, OPENING):
            opened = [self._connect(host, port, path, small=small) for _ in range(min(OPENING, count - first))]
            for each in opened:
                self._answered(each)
            self.receive(time.monotonic())

    def _connect(self, host: str, port: int, path: str, *, small: bool) -> Client:
        """A connection with its request on the way."""
        connection = socket.socket()
        if small:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(60)
        connection.connect((host, port))
        connection.sendall(
            f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        return Client(connection)

    def _answered(self, client: Client) -> None:
        """Waits until the connection is upgraded; what came with the answer is kept."""
        received = b""
        while b"\r\n\r\n" not in received:
            piece = client.socket.recv(65536)
            if not piece:
                raise SystemExit(f"no upgrade: {received!r}")
            received += piece
        head, _, client.rest = received.partition(b"\r\n\r\n")
        if b" 101 " not in head.partition(b"\r\n")[0] + b" ":
            raise SystemExit(f"refused: {received[:500]!r}")
        client.socket.setblocking(False)
        self.clients[client.socket.fileno()] = client

    def listen(self, *, stalled: int = 0) -> None:
        """Begins to receive from all but the last so many."""
        for descriptor in [*self.clients][: len(self.clients) - stalled]:
            self.poll.register(descriptor, select.EPOLLIN)

    def wake(self, stalled: int) -> None:
        """Begins to receive from the last so many."""
        for descriptor in [*self.clients][len(self.clients) - stalled :]:
            self.poll.register(descriptor, select.EPOLLIN)

    def receive(self, until: float) -> None:
        """Receives until a moment of the monotonic clock."""
        while (left := until - time.monotonic()) > 0:
            for descriptor, _event in self.poll.poll(min(left, 0.5)):
                self.wakes += 1
                self._receive(self.clients[descriptor])

    def _receive(self, client: Client) -> None:
        """Takes what is there of one connection."""
        try:
            count = client.socket.recv_into(self.buffer)
        except BlockingIOError:
            return
        except ConnectionError:
            count = 0
        now = time.time()
        if not count:
            self._end(client)
            return
        self.bytes += count
        data = client.rest + self.buffer[:count] if client.rest else bytes(memoryview(self.buffer)[:count])
        at = 0
        while found := frame(data, at):
            kind, begin, at = found
            if kind in (BINARY, TEXT):
                client.messages += 1
                self._look(client, data, begin, at, now)
            elif kind == PING:
                client.socket.send(bytes([0x8A, 0x80 | (at - begin), 0, 0, 0, 0]) + data[begin:at])
            elif kind == CLOSE:
                self._end(client)
                return
        client.rest = data[at:]

    def _look(self, client: Client, data: bytes, at: int, end: int, now: float) -> None:
        """Takes the times of the records of a message."""
        while at < end:
            place = data.index(b"|", data.index(b"|", at + 1) + 1)  # behind the tag, then behind the id
            body = data.index(b"|", place + 1) + 1
            if data[at + 1] == 80:  # P: a record
                (moment,) = struct.unpack_from("<q", data, body)
                client.records += 1
                if self.measuring:
                    self.latencies.append(now - EPOCH - moment / 1e6)
                    if client.last:
                        self.missing += max(0, round((moment - client.last) / self.period) - 1)
                client.last = moment
            at = body + int(data[place + 1 : body - 1])

    def _end(self, client: Client) -> None:
        """Counts a connection that was closed by the server."""
        self.closed += 1
        if client.socket.fileno() >= 0:
            self.poll.unregister(client.socket.fileno())
        client.socket.close()


def quantile(ordered: list[float], share: float) -> float:
    """The smallest value that is not below a share of all."""
    return ordered[max(0, -int(-share * len(ordered) // 1) - 1)] if ordered else float("nan")


def watch(asked: argparse.Namespace) -> dict[str, object]:
    """Watches for some seconds, five times, and gives what was seen each time."""
    load = Load(asked.period)
    load.open(asked.host, asked.port, asked.path, asked.connections)
    load.open(asked.host, asked.port, asked.path, asked.stalled, small=True)
    load.listen(stalled=asked.stalled)
    load.receive(time.monotonic() + asked.settle)
    load.measuring = True
    print("ready", flush=True)  # the bench looks at the server's memory now
    windows = [window(load, asked.seconds) for _ in range(asked.windows)]
    reading = [*load.clients.values()][: asked.connections]
    records, missing, closed = [each.records for each in reading], load.missing, load.closed
    load.wake(asked.stalled)
    load.receive(time.monotonic() + (WAKING if asked.stalled else 0))
    return {
        "connections": len(load.clients),
        "closed": closed,
        "missing": missing,
        "missing of the stalled": load.missing - missing,
        "records": [min(records), max(records)],
        "windows": windows,
    }


def window(load: Load, seconds: float) -> dict[str, float]:
    """What was seen in some seconds; `cpu` is the share of a core that this process took."""
    load.latencies, load.bytes = array("d"), 0
    before, begin = sum(os.times()[:2]), time.monotonic()
    load.receive(begin + seconds)
    taken = time.monotonic() - begin
    ordered = sorted(load.latencies)
    return {
        "median": quantile(ordered, 0.5),
        "p99": quantile(ordered, 0.99),
        "worst": quantile(ordered, 1),
        "rate": len(ordered) / taken,
        "megabytes": load.bytes / taken / 1e6,
        "cpu": (sum(os.times()[:2]) - before) / taken,
    }


def plain(asked: argparse.Namespace) -> None:
    """Sends frames to all that connected, at their times, by one `send` each; ends when the first one leaves."""
    body = bytes(asked.size - 8)
    clients: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", asked.port), backlog=1024) as listener:
        print("ready", flush=True)  # the bench waits for it
        listener.setblocking(False)
        number = int(time.time() / asked.period) + 1
        while True:
            while (left := number * asked.period - time.time()) > 0:
                if select.select([listener], [], [], left)[0]:
                    connection, _ = listener.accept()
                    connection.recv(65536)
                    connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
                    clients.append(connection)
            moment = struct.pack("<q", round((number * asked.period - EPOCH) * 1e6))
            packet = f"|Pd|1|{asked.size}|".encode() + moment + body
            frame = bytes([0x82, 126]) + len(packet).to_bytes(2, "big") + packet
            try:
                for each in clients:
                    each.sendall(frame)
            except ConnectionError:
                return
            number += 1


def main() -> None:
    """Does what the first word says."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    parser = argparse.ArgumentParser(description=__doc__)
    kinds = parser.add_subparsers(dest="kind", required=True)
    one = kinds.add_parser("watch")
    one.add_argument("host")
    one.add_argument("port", type=int)
    one.add_argument("path")
    one.add_argument("--connections", type=int, default=1000)
    one.add_argument("--stalled", type=int, default=0)
    one.add_argument("--period", type=float, default=0.1)
    one.add_argument("--settle", type=float, default=3)
    one.add_argument("--seconds", type=float, default=4)
    one.add_argument("--windows", type=int, default=5)
    other = kinds.add_parser("plain")
    other.add_argument("port", type=int)
    other.add_argument("--period", type=float, default=0.1)
    other.add_argument("--size", type=int, default=4096)
    asked = parser.parse_args()
    if asked.kind == "plain":
        plain(asked)
    else:
        json.dump(watch(asked), sys.stdout)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: GPL-3.0-or-later
"""One client, as all who send to it see it: frames go out whole and in order, and nobody waits who does not want to.

There is one writer at a time. Who finds none writes at once, without waiting, what the socket takes; what is left over
waits, and a task that lives no longer than the backlog writes it. Pongs, pings and the close of trio-websocket take
the same way, next after the frame that is under way, so that no two frames are ever mixed.
"""

from __future__ import annotations

import fcntl
import os
import termios
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Literal

import trio

from dasflex_ws.ending import TRY_LATER
from dasflex_ws.frames import CLOSE, closing, opcode

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    #: Begins the close handshake with a code and a reason.
    Closer = Callable[[int, str], Awaitable[None]]

__all__ = ["Channel", "Slow"]

Slow = Literal["drop", "disconnect"]
#: Bytes that may wait for a client for whom nothing else was set.
_LIMIT: Final = 1 << 22
#: Seconds that what waits, and then the close handshake, may take.
_DRAIN: Final = 1.0
_HANDSHAKE: Final = 2.0


class _Waiting:
    """A frame, or what is left of it, that waits to be written. `done` is set when it was, or never will be.

    `lost` are the messages and bytes that were dropped where this one stands, of which the client is to be told.
    """

    __slots__ = ("at", "data", "done", "keep", "lost")

    def __init__(
        self, data: bytes | memoryview, *, keep: bool, done: trio.Event | None = None, lost: tuple[int, int] = (0, 0)
    ) -> None:
        self.data = data
        self.keep = keep
        self.at = trio.current_time()
        self.done = done
        self.lost = lost


class Channel:
    """The way to one client, over a stream that is open.

    `gone` is set when nothing can be sent any more: the client has left, is lost, or the channel was closed. Whoever
    serves the client is cancelled then. `dropped` counts the messages that a slow client did not get, and `sent` and
    `sent_bytes` those that were handed over; `begun` and `touched` are when it was made and when data were last to be
    sent (seconds of the clock of trio). `code` is the close code that was sent first, 0 before that.
    """

    def __init__(
        self,
        stream: trio.SocketStream | trio.SSLStream[trio.SocketStream],
        nursery: trio.Nursery,
        lost: Callable[[], None] | None = None,
    ) -> None:
        self.gone = trio.Event()
        self.dropped = 0
        self.dropped_bytes = 0
        self.sent = 0
        self.sent_bytes = 0
        self.code = 0
        self.begun = self.touched = trio.current_time()
        self.upgraded = trio.Event()
        self._on_loss = lost
        self._stream = stream
        below = stream if isinstance(stream, trio.SocketStream) else stream.transport_stream
        self._descriptor = below.socket.fileno()
        self._plain = self._descriptor if below is stream else -1
        self._nursery = nursery
        self._queue: deque[_Waiting] = deque()
        self._bytes = 0
        self._under_way: _Waiting | None = None
        self._writing = False
        self._ended = False
        self._closing = False
        self._refusing = False
        self._slow: Slow = "disconnect"
        self._limit = _LIMIT
        self._warning: Callable[[int, int], bytes] | None = None
        self._closer: Closer | None = None

    # -- for those who send

    async def send(self, frame: bytes) -> None:
        """Sends a frame, and waits until it was handed to the system.

        Once the client has gone this waits to be cancelled.
        """
        if not self._over:
            self.touched = trio.current_time()
            self.sent += 1
            await self._pass(frame, first=False)
        if self._over:
            await trio.sleep_forever()

    def offer(self, frame: bytes, *, keep: bool = False) -> None:
        """Sends a frame without waiting: at once where the client takes it, else when it does.

        For a slow client it may never be sent, as `live` says; one to `keep`, such as a header, is.
        """
        if self._over:
            return
        self.touched = trio.current_time()
        if not self._writing and not self._queue and self._under_way is None and self._plain >= 0:
            rest = self._write_now(frame)
            self.sent += 1
            if rest is None:
                return
            if len(rest) == len(frame):
                self._append(_Waiting(frame, keep=keep))
            else:
                self._under_way = _Waiting(rest, keep=True)
        elif self._admits(len(frame)):
            self.sent += 1
            self._append(_Waiting(frame, keep=keep))
        else:
            return
        self._start_writer()

    def live(self, slow: Slow, limit: int, warning: Callable[[int, int], bytes] | None) -> None:
        """Sets what becomes of a client that takes less than it is offered, once `limit` bytes wait for it.

        `drop` lets the oldest of the frames go that wait, until half as many do, and tells how many messages and bytes
        by the frame that `warning` gives; `disconnect` closes with 1013, which is done, too, where too many are kept.
        """
        self._slow = slow
        self._limit = limit
        self._warning = warning

    async def close(self, code: int, reason: str = "") -> None:
        """Closes the connection: what waits is sent first, if that does not take long. Later calls await the first."""
        if self._closer is None or self.gone.is_set():
            return
        if self._closing:
            await self.gone.wait()
            return
        self._closing = True
        self.code = self.code or code
        with trio.CancelScope(shield=True):
            if code != TRY_LATER:
                with trio.move_on_after(_DRAIN):
                    await self._drained()
            self._forget()
            with trio.move_on_after(_HANDSHAKE):
                await self._closer(code, closing(code, reason)[4:].decode())
            self.lose()

    @property
    def _over(self) -> bool:
        """Whether nothing is taken any more from those who send."""
        return self._ended or self._closing or self._refusing

    @property
    def lag(self) -> float:
        """For how many seconds the oldest frame that waits has been waiting; 0 where none waits."""
        oldest = self._under_way or (self._queue[0] if self._queue else None)
        return trio.current_time() - oldest.at if oldest else 0.0

    @property
    def waiting(self) -> int:
        """How many bytes wait."""
        return self._bytes + (len(self._under_way.data) if self._under_way else 0)

    @property
    def acknowledged(self) -> int:
        """About how many bytes the system of the client has taken, as far as ours knows."""
        if self.gone.is_set():
            return self.sent_bytes
        try:
            left = fcntl.ioctl(self._descriptor, termios.TIOCOUTQ, b"\0\0\0\0")
        except OSError:
            return self.sent_bytes
        return self.sent_bytes - int.from_bytes(left, "little")

    # -- for the connection that it is of

    def open(self, closer: Closer) -> None:
        """Says that the connection was upgraded, and what begins the close handshake."""
        self._closer = closer
        self.upgraded.set()

    def lose(self) -> None:
        """Gives the connection up: nothing is sent any more."""
        self._ended = True
        self.gone.set()
        self._forget()
        if self._on_loss is not None:
            self._on_loss()

    async def control(self, data: bytes) -> None:
        """Sends what trio-websocket has to say, before all that waits; nothing follows a close frame.

        Raises `BrokenResourceError` where the client cannot be reached.
        """
        if self._ended:
            raise trio.ClosedResourceError
        if self.upgraded.is_set() and opcode(data) == CLOSE:
            self._ended = True
            self._forget()
        await self._pass(data, first=True)
        if self.gone.is_set():
            raise trio.BrokenResourceError

    async def hang_up(self, code: int, reason: str = "") -> None:
        """Closes without waiting for the client's part, if a close frame was not sent already."""
        if not self._ended:
            self.code = self.code or code
            with trio.move_on_after(_HANDSHAKE, shield=True), suppress(trio.BrokenResourceError):
                await self.control(closing(code, reason))
        self.lose()

    # -- the one writer

    async def _pass(self, data: bytes, *, first: bool) -> None:
        """Writes some bytes, behind what is under way and, unless they are the first, behind all that waits."""
        await trio.lowlevel.checkpoint_if_cancelled()
        if self._plain >= 0 and not self._writing and not self._queue and self._under_way is None:
            rest = self._write_now(data)
            if rest is None:
                await trio.lowlevel.cancel_shielded_checkpoint()
                return
            entry = self._under_way = _Waiting(rest, keep=True, done=trio.Event())
        else:
            entry = _Waiting(data, keep=True, done=trio.Event())
            self._append(entry, first=first)
        if self._writing or self._plain < 0:
            self._start_writer()
            await self._done(entry)
            return
        try:
            await self._write(until=entry)
        finally:
            self._start_writer()

    async def _done(self, entry: _Waiting) -> None:
        """Waits until an entry was written, or never will be."""
        if entry.done is not None:
            await entry.done.wait()

    def _write_now(self, data: bytes) -> memoryview | None:
        """Writes what the system takes at once; gives what is left, or None where nothing is."""
        try:
            count = os.write(self._plain, data)
        except BlockingIOError:
            count = 0
        except OSError:
            self.lose()
            return None
        self._count(count)
        return None if count == len(data) else memoryview(data)[count:]

    def _count(self, count: int) -> None:
        """Notes that bytes were taken."""
        self.sent_bytes += count

    def _start_writer(self) -> None:
        """Starts the task that writes what waits, unless somebody writes or nothing waits."""
        if not self._writing and (self._under_way or self._queue):
            self._writing = True
            self._nursery.start_soon(self._write_all)

    async def _write_all(self) -> None:
        """Writes until nothing waits. It is the task of `_start_writer`."""
        self._writing = False
        await self._write(until=None)

    async def _write(self, *, until: _Waiting | None) -> None:
        """Writes what waits, up to an entry or all of it. Cancelled, it leaves what is under way to the next."""
        self._writing = True
        try:
            while self._next() and self._under_way is not None:
                entry = self._under_way
                await self._write_one(entry)
                self._under_way = None
                if entry.done is not None:
                    entry.done.set()
                if entry is until:
                    return
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
            self.lose()
        finally:
            self._writing = False

    def _next(self) -> bool:
        """Takes the next frame up: whether there is one."""
        if self._under_way is None and self._queue:
            self._under_way = entry = self._queue.popleft()
            self._bytes -= len(entry.data)
            if entry.lost[0] and self._warning is not None:
                entry.data = self._warning(*entry.lost)
        return self._under_way is not None

    async def _write_one(self, entry: _Waiting) -> None:
        """Writes one entry. Raises `OSError` or an error of trio where the client cannot be reached."""
        if self._plain < 0:
            await self._stream.send_all(entry.data)
            self._count(len(entry.data))
            return
        while entry.data:
            if self.gone.is_set():  # the number of the descriptor may be that of another connection by now
                raise trio.ClosedResourceError
            try:
                count = os.write(self._plain, entry.data)
            except BlockingIOError:
                await trio.lowlevel.wait_writable(self._plain)
                continue
            self._count(count)
            entry.data = memoryview(entry.data)[count:]
            if entry.data:
                await trio.lowlevel.checkpoint()

    def _append(self, entry: _Waiting, *, first: bool = False) -> None:
        """Lets an entry wait."""
        self._bytes += len(entry.data)
        if first:
            self._queue.appendleft(entry)
        else:
            self._queue.append(entry)

    def _admits(self, size: int) -> bool:
        """Makes room for a frame that is offered; whether there is."""
        if not self._queue or self._bytes + size <= self._limit:
            return True
        if self._slow == "drop":
            self._drop(self._bytes + size - self._limit // 2)
        if self._bytes + size <= self._limit or not self._queue:
            return True
        self._refusing = True
        self._nursery.start_soon(self.close, TRY_LATER, "This client is too slow for what it watches")
        return False

    def _drop(self, count: int) -> None:
        """Lets the oldest frames go, as many bytes as that at least, but those to be kept."""
        kept: list[_Waiting] = []
        messages = size = told = told_bytes = 0
        while self._queue and size < count:
            entry = self._queue.popleft()
            if entry.lost[0]:
                told, told_bytes = told + entry.lost[0], told_bytes + entry.lost[1]
            elif entry.keep:
                kept.append(entry)
            else:
                messages, size = messages + 1, size + len(entry.data)
        if told or messages:
            kept.append(_Waiting(b"", keep=True, lost=(told + messages, told_bytes + size)))
        self._queue.extendleft(reversed(kept))
        self._bytes -= size
        self.sent -= messages
        self.dropped += messages
        self.dropped_bytes += size

    def _forget(self) -> None:
        """Lets all go that waits, but what is under way, whose frame has begun."""
        for entry in self._queue:
            if entry.done is not None:
                entry.done.set()
        self._queue.clear()
        self._bytes = 0
        if self.gone.is_set() and self._under_way is not None and self._under_way.done is not None:
            self._under_way.done.set()

    async def _drained(self) -> None:
        """Waits until nothing waits."""
        last = self._under_way if not self._queue else self._queue[-1]
        if last is not None:
            last.done = last.done or trio.Event()
            await last.done.wait()

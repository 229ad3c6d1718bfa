# SPDX-License-Identifier: GPL-3.0-or-later
"""What equal watchers share behind a reader: the stages of their plan, and each WebSocket frame, encoded once."""

from __future__ import annotations

import logging
from bisect import bisect_right
from operator import attrgetter
from typing import TYPE_CHECKING, Final

import trio

from dasflex_core.errors import BusyError, DasflexError, SourceError
from dasflex_ws.frames import encoded
from dasflex_ws.grouping import LOST, frame_of, grouped
from dasflex_ws.messages import LONGEST
from dasflex_ws.ring import Entry, Ring

if TYPE_CHECKING:
    from dasflex_core.plan.graph import Nodes
    from dasflex_ws.channel import Channel
    from dasflex_ws.grouping import Behind, Group
    from dasflex_ws.reading import Reading
    from dasflex_ws.wording import Words

__all__ = ["Branch", "Watcher"]

#: Seconds that a message waits, at most, for more to come into it.
_GATHER: Final = 0.02
#: Seconds that are not worth a wait.
_INSTANT: Final = 1e-4
#: Bytes of packets that the stages are given at a time, and of messages that are sent to one who catches up.
_BATCH: Final = 1 << 18
#: Frames that are offered to channels before others have their turn.
_TURN: Final = 100
#: Seconds that all wait, at most, for the only one who watches to catch up.
_HELD: Final = 30.0
#: Seconds after which it is looked whether others watch by now.
_LOOK: Final = 0.2
#: Nanoseconds between the first and the last of the packets that one message is made of, at most.
_SPAN: Final = 1_000_000_000


class Watcher:
    """One who watches a branch, and wants no data that came before `since` (ns since 1970).

    `cursor` is the number of the message that comes next; `live` says that all before it were taken. `note` is a packet
    that is sent when the stream has begun.
    """

    def __init__(self, branch: Branch, cursor: int, since: int, note: bytes) -> None:
        self.cursor = cursor
        self.since = since
        self.note = note
        self.live = False
        self._branch = branch

    @property
    def largest(self) -> int:
        """Bytes in the largest message so far."""
        return self._branch.largest

    def wants(self, entry: Entry) -> bool:
        """Whether it is shown a message."""
        return entry.at >= self.since or entry.declares

    async def show(self, channel: Channel) -> None:
        """Sends all that comes until the branch is over. Raises the failure that ended it."""
        await self._branch.show(self, channel)
        if self._branch.failure is not None:
            raise self._branch.failure


class Branch:
    """The stages behind a reader, at work once for all whose plans have the same, and the last messages.

    `nodes` are those stages, none where packets are passed on as they are; `behind` is these stages at work. `begin`
    is the number of the first packet of the reading that they are given. `ring` holds whole WebSocket frames. `over` is
    set when nothing comes any more, because of `failure` if there is one.
    """

    def __init__(self, reading: Reading, nodes: Nodes, begin: int, behind: Behind, words: Words) -> None:
        self.reading = reading
        self.nodes = nodes
        self.begin = self.position = begin
        self.words = words
        self.ring = Ring(reading.rules.keep, reading.rules.catch_up)
        self.failure: DasflexError | None = None
        self.over = trio.Event()
        self.watchers: dict[Watcher, Channel | None] = {}
        self.largest = 0
        self._behind = behind
        self._at = reading.began
        self._waiting: list[Group] = []
        self._published = 0.0
        self._progress = trio.Event()
        self._scope = trio.CancelScope()

    async def run(self) -> None:
        """Works on what comes until the reading is over or nobody watches. Raises nothing but `Cancelled`."""
        try:
            with self._scope:
                await self._work()
                self._waiting += await self._behind.end()
                await self._flush()
        except DasflexError as error:
            await self._fail(error)
        except Exception as error:
            logging.getLogger("dasflex.live").exception("%s: a stage behind the reader failed", self.reading.name)
            await self._fail(SourceError("A stage behind the reader failed", kind="source.stream", detail=repr(error)))
        finally:
            self._behind.close()
            self.over.set()

    def enter(self, since: int, note: bytes = b"") -> Watcher:
        """A place for one who wants all that came since a time (ns since 1970), and is told something first."""
        watcher = Watcher(self, self.ring.since(since), since, note)
        self.watchers[watcher] = None
        return watcher

    def leave(self, watcher: Watcher) -> None:
        """Gives a place back; the branch ends with the last."""
        self.watchers.pop(watcher, None)
        self._progress.set()
        if not self.watchers:
            self._scope.cancel()

    async def show(self, watcher: Watcher, channel: Channel) -> None:
        """Sends a watcher the declarations, then what it has yet to see, then all that comes, until the branch is over.

        From the moment when nothing is left to be seen it need not be waited for: its channel is offered what comes,
        and holds it or lets it go by its own rule.
        """
        for entry in self.ring.heads(watcher.cursor):
            await self._send(watcher, channel, entry)
        while entries := self.ring.after(watcher.cursor, _BATCH):
            if entries[0].number > watcher.cursor:
                await self._send_lost(watcher, channel, entries[0])
            for entry in entries:
                if watcher.wants(entry):
                    await self._send(watcher, channel, entry)
                watcher.cursor = entry.number + 1
            self._progress.set()
            self.reading.advanced()
        self.watchers[watcher] = channel
        watcher.live = True
        await self.over.wait()

    async def _send(self, watcher: Watcher, channel: Channel, entry: Entry) -> None:
        """Sends a message to one who catches up, and what it is told behind the first declaration."""
        await channel.send(entry.data)
        if watcher.note and entry.declares:
            note, watcher.note = watcher.note, b""
            await channel.send(encoded(note, text=self.words.text))

    async def _send_lost(self, watcher: Watcher, channel: Channel, entry: Entry) -> None:
        """Tells one who was too slow to catch up that something is missing, and what was declared in between.

        Raises `BusyError` where such are not kept.
        """
        if not self.reading.rules.drop:
            raise BusyError("The connection is too slow for this source", kind="busy.limit")
        for head in self.ring.heads(entry.number):
            if head.number >= watcher.cursor:
                await channel.send(head.data)
        if told := self.words.comment("log:warning", LOST):
            await channel.send(encoded(told, text=self.words.text))

    async def _work(self) -> None:
        """Gives the stages what the reading has, as it comes."""
        ring = self.reading.ring
        await self._take(ring.heads(self.position))
        while True:
            entries = _together(ring.after(self.position, _BATCH))
            if entries:
                await self._follow(entries)
            elif self.reading.over:
                return
            elif self._waiting and (soon := self._published + _GATHER - trio.current_time()) > _INSTANT:
                with trio.move_on_after(soon):
                    await self.reading.news()
            elif self._waiting:
                await self._flush()
            else:
                await self.reading.news()

    async def _follow(self, entries: list[Entry]) -> None:
        """Takes the next packets of the reading; what was lost since is told, and its declarations made up for."""
        first = entries[0].number
        if first > self.position:
            await self._take([each for each in self.reading.ring.heads(first) if each.number >= self.position])
            if told := self.reading.words.comment("log:warning", LOST):
                await self._take([Entry(first, self._at, "comment", -1, told)])
        self.position, self._at = entries[-1].number + 1, entries[-1].at
        self.reading.advanced()
        await self._take(entries)
        await trio.lowlevel.checkpoint()  # what is passed on is waited for nowhere else
        if trio.current_time() >= self._published + _GATHER or _size(self._waiting) >= LONGEST:
            await self._flush()

    async def _take(self, entries: list[Entry]) -> None:
        """Gives the stages some packets, and keeps what they make of them."""
        if entries:
            self._waiting += await self._behind.take(entries)

    async def _flush(self) -> None:
        """Publishes all that waits."""
        waiting, self._waiting = self._waiting, []
        await self._publish(waiting)

    async def _publish(self, packets: list[Group]) -> None:
        """Makes messages of packets, keeps them, and offers each to all who have seen what came before it."""
        for group in grouped(packets):
            frame = frame_of(group, text=self.words.text)
            self.largest = max(self.largest, len(frame))
            await self._room(len(frame))
            entry = self.ring.push(group.kind, group.id, frame, self._at)
            await self._offer(entry)
        self._published = trio.current_time()

    async def _offer(self, entry: Entry) -> None:
        """Offers one message to all channels, with a pause for others now and then."""
        keep = entry.declares
        count = 0
        for watcher, channel in list(self.watchers.items()):
            if channel is None or watcher.cursor != entry.number or watcher not in self.watchers:
                continue
            watcher.cursor += 1
            if not watcher.wants(entry):
                continue
            channel.offer(entry.data, keep=keep)
            count += 1
            if not count % _TURN:
                await trio.lowlevel.checkpoint()

    def holding(self) -> int | None:
        """The number of the message that the only one who watches has yet to take; None where nobody is waited for."""
        if self.reading.seats != 1 or len(self.watchers) != 1:
            return None
        (watcher,) = self.watchers
        return None if watcher.live else watcher.cursor

    async def _room(self, size: int) -> None:
        """Waits while a message would push out what the only one who watches has yet to take."""
        if self.holding() is None:
            return
        with trio.move_on_after(_HELD):
            while (
                (place := self.holding()) is not None
                and self.ring.overfull(size, 0)
                and len(self.ring)
                and place <= self.ring.first
            ):
                self._progress = trio.Event()
                with trio.move_on_after(_LOOK):
                    await self._progress.wait()

    async def _fail(self, failure: DasflexError) -> None:
        """Tells the failure in the stream, where its format can, before the branch is over."""
        self.failure = failure
        logging.getLogger("dasflex.live").warning("%s: %s", self.reading.name, failure.message)
        try:
            await self._flush()
            self._waiting += await self._behind.end(failure)
            await self._flush()
        except DasflexError:
            pass  # the stages say again why they failed
        except Exception:
            logging.getLogger("dasflex.live").exception("%s: a stage could not be ended", self.reading.name)


def _size(packets: list[Group]) -> int:
    """The bytes of some packets."""
    return sum(len(each.data) for each in packets)


def _together(entries: list[Entry]) -> list[Entry]:
    """The first of these that came at about the same time, which is that of their messages."""
    end = bisect_right(entries, entries[0].at + _SPAN, key=attrgetter("at")) if entries else 0
    return entries[:end]

# SPDX-License-Identifier: GPL-3.0-or-later
"""From the past into the present for one watcher: an archive up to the oldest live packet that is held, then live.

The archive is asked for `[begin, T)`, where T is the time of that packet, so that nothing is missing between the two
and nothing comes twice. While the archive works, the packet may be let go: then the archive is asked for what lies
between T and the oldest that is held now, and so on; an archive is faster than the present.
"""

from __future__ import annotations

import logging
from itertools import takewhile
from time import time_ns
from typing import TYPE_CHECKING, Final, TypeAlias

import trio

from dasflex_core.errors import BusyError, DasflexError
from dasflex_core.run.joining import Joint
from dasflex_core.stages import Frame
from dasflex_core.values import dataclass
from dasflex_ws.dating import earliest
from dasflex_ws.grouping import LOST, frame_of, grouped
from dasflex_ws.ring import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractAsyncContextManager

    from dasflex_core.plan.graph import Nodes
    from dasflex_core.stages import Framer
    from dasflex_ws.channel import Channel
    from dasflex_ws.grouping import Behind, Group
    from dasflex_ws.reading import Reading, Supply
    from dasflex_ws.wording import Words

__all__ = ["PATIENCE", "Flow", "Past"]

#: Seconds in which an instrument gives its first packet; else the past is taken to end now.
PATIENCE: Final = 5.0
#: Bytes of packets that are worked on at a time, and of live packets that are looked at for the first of each dataset.
_BATCH: Final = 1 << 18
_NO_PAST: Final = "The past could not be read, data begin at the present"

#: Opens the archive for a range, in ns since 1970: its begin, and its end, which is not in it.
OpenPast: TypeAlias = "Callable[[int, int], AbstractAsyncContextManager[Supply]]"


@dataclass(frozen=True, slots=True)
class Past:
    """How the past of a live reader is had: `since` when (ns since 1970), and how to `open` the archive.

    `decoding` are the stages that make arrays of packets of the live reader, by which these are dated.
    """

    since: int
    open: OpenPast
    decoding: Nodes


class Flow:
    """One watcher's own way from the archive to the live packets of a reading, through stages of its own.

    When there are no live data after `patience` seconds, the past is taken to end now, for the time being.
    """

    def __init__(
        self,
        reading: Reading,
        past: Past,
        create: Callable[[], Framer | None],
        behind: Behind,
        words: Words,
        *,
        patience: float = PATIENCE,
    ) -> None:
        self._reading = reading
        self._past = past
        self._create = create
        self._behind = behind
        self._words = words
        self._patience = patience
        self._joint = Joint()
        self._remarks: list[bytes] = []
        self._position = 0
        self.largest = 0

    async def show(self, channel: Channel) -> None:
        """Sends the past and then all that comes, until nothing comes any more. Raises `DasflexError`.

        The channel is waited for: one who is slow is told what was let go meanwhile.
        """
        try:
            await self._show_past(channel)
            await self._show_present(channel)
            await self._send(channel, await self._behind.end())
        except DasflexError as error:
            await self._send(channel, await self._behind.end(error))
            raise

    async def _show_past(self, channel: Channel) -> None:
        """Sends the past; `_position` is then the live packet with which the present begins."""
        begin = self._past.since
        with trio.move_on_after(self._patience):
            await self._some_data()
        end = await self._oldest()
        while begin < (until := time_ns() if end is None else end):
            if not await self._archived(channel, begin, until):
                return
            begin = until
            await self._some_data()
            end = await self._oldest()
            if end is None:
                return

    async def _some_data(self) -> None:
        """Waits for the first live data, or the end of the reader."""
        while not self._reading.found and not self._reading.over:
            await self._reading.news()

    async def _archived(self, channel: Channel, begin: int, end: int) -> bool:
        """Sends what the archive has of a range; false where it fails, which the watcher is told."""
        framer = self._create()
        if framer is None:
            return False
        async with self._past.open(begin, end) as supply:
            try:
                while (pieces := await supply.take()) is not None:
                    frames = framer.feed(b"".join(pieces))
                    await self._take(channel, [each for each in frames if each.kind != "problem"])
            except DasflexError as error:
                logging.getLogger("dasflex.live").warning("%s: %s", self._reading.name, error.message)
                self._remarks.append(self._reading.words.comment("log:warning", f"{_NO_PAST}: {error.message}"))
                return False
        return True

    async def _oldest(self) -> int | None:
        """The time of the oldest live data that are held, with no gap behind them; None where that is not known.

        `_position` is their place. The first packets of all datasets are looked at.
        """
        ring = self._reading.ring
        while True:
            self._position = ring.since(ring.floor)
            packets = _firsts(ring.after(self._position, _BATCH))
            if not packets:
                return None
            packets = [*ring.heads(self._position), *packets]
            time = await trio.to_thread.run_sync(earliest, self._past.decoding, packets)
            if self._position >= ring.first:
                return time

    async def _show_present(self, channel: Channel) -> None:
        """Sends the live packets from `_position` on, until none come any more."""
        ring = self._reading.ring
        await self._take(channel, ring.heads(self._position))
        while True:
            entries = ring.after(self._position, _BATCH)
            if entries and self._remarks:  # they come behind the declarations
                await self._remark(channel)
                entries = list(takewhile(lambda entry: entry.declares, entries)) or entries
            if entries:
                await self._make_up(channel, entries[0].number)
                self._position = entries[-1].number + 1
                await self._take(channel, entries)
            elif self._reading.over:
                return
            else:
                await self._reading.news()

    async def _remark(self, channel: Channel) -> None:
        """Sends what is to be said, if the stream has begun."""
        if self._joint.headed:
            remarks, self._remarks = self._remarks, []
            await self._take(channel, [Entry(0, 0, "comment", -1, remark) for remark in remarks])

    async def _make_up(self, channel: Channel, number: int) -> None:
        """Where packets before a number were let go: says so, and gives what was declared in them."""
        if number <= self._position:
            return
        if not self._reading.rules.drop:
            raise BusyError("The connection is too slow for this source", kind="busy.limit")
        await self._take(channel, [each for each in self._reading.ring.heads(number) if each.number >= self._position])
        await self._take(channel, [Entry(0, 0, "comment", -1, self._reading.words.comment("log:warning", LOST))])

    async def _take(self, channel: Channel, packets: Iterable[Entry | Frame]) -> None:
        """Sends what the stages make of packets, if they belong to the one stream that past and present are."""
        passed = [each for each in packets if each.data and self._joint.passes(Frame(each.kind, each.id, each.data))]
        if passed:
            entries = [Entry(0, 0, each.kind, each.id, each.data) for each in passed]
            await self._send(channel, await self._behind.take(entries))

    async def _send(self, channel: Channel, packets: list[Group]) -> None:
        """Sends packets in messages."""
        for group in grouped(packets):
            self.largest = max(self.largest, len(group.data))
            await channel.send(frame_of(group, text=self._words.text))


def _firsts(entries: list[Entry]) -> list[Entry]:
    """The first data packet of each dataset among these, and the declarations; none where there are no data."""
    seen: set[int] = set()
    found: list[Entry] = []
    for entry in entries:
        if entry.declares or (entry.kind == "data" and entry.id not in seen):
            found.append(entry)
            seen |= {entry.id} if entry.kind == "data" else set()
    return found if seen else []

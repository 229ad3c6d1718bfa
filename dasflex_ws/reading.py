# SPDX-License-Identifier: GPL-3.0-or-later
"""One live reader at work for all who watch: framed once, its last packets kept, started again when it ends."""

from __future__ import annotations

import logging
from time import time_ns
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

import trio

from dasflex_core.errors import BusyError, DasflexError, SourceError
from dasflex_core.run.joining import Joint
from dasflex_core.values import dataclass
from dasflex_ws.ring import CATCH_UP, KEEP, Ring
from dasflex_ws.wording import complaint_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from contextlib import AbstractAsyncContextManager

    from dasflex_core.catalog.model import Live
    from dasflex_core.stages import Frame, Framer
    from dasflex_ws.wording import Words

__all__ = ["LINGER", "PAUSE", "Reading", "Rules", "Supply", "rules_of"]

#: Seconds that a reader outlives its last watcher, where the definition says nothing.
LINGER: Final = 30.0
#: Seconds before a reader is started again: the first time, and at most; and how long it must run to begin anew.
PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 60.0
_STEADY: Final = 60.0
#: Seconds that a reader waits, at most, for the only one who watches to catch up, before the oldest is let go.
_HELD: Final = 30.0
#: What is kept at least: a few reads of a pipe, and some seconds, in which all that is behind the ring takes its turn.
_LEAST: Final = 1 << 20
_SHORTEST: Final = 10.0
#: Seconds after which it is looked whether others watch by now.
_LOOK: Final = 0.2


class Supply(Protocol):
    """What gives the bytes of a reader: a `TrioPump` of its part of a plan."""

    async def take(self) -> list[bytes] | None:
        """The next pieces, None at the end. Raises `DasflexError` where the reader fails."""
        ...


#: Opens a reader; true where it ran before, so that it must not begin in the past again.
Open: TypeAlias = "Callable[[bool], AbstractAsyncContextManager[Supply]]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How a reader is shared, as `[live]` of its definition says: see `dasflex_core.catalog.Live`.

    `pause` is after how many seconds it is started again at first; each pause is twice as long as the one before.
    """

    linger: float = LINGER
    catch_up: float = CATCH_UP
    keep: int = KEEP
    drop: bool = True
    single: bool = False
    watchers: int = 0
    pause: float = PAUSE


def rules_of(live: Live, pause: float = PAUSE) -> Rules:
    """The rules of a definition, and ours where it says nothing. Some is kept in any case, for who must follow it."""
    return Rules(
        linger=LINGER if live.linger is None else live.linger,
        catch_up=max(_SHORTEST, CATCH_UP if live.catch_up is None else live.catch_up),
        keep=max(_LEAST, KEEP if live.keep is None else live.keep),
        drop=live.slow != "disconnect",
        single=live.single,
        watchers=live.watchers or 0,
        pause=pause,
    )


class Reading:
    """A reader that runs while it is watched, and what it wrote lately.

    `name` is the source, `on` what was asked of it, for people. `ring` holds its packets as one stream, whatever number
    of times it was started: one header, and a declaration only where it is new. `seats` counts who watches; nobody may
    begin to when it is `closing`. `found` says that data have come, `failure` why the reader has ended, None while it
    runs. `over` says that it will not run again. `holding` gives the number of the packet for which somebody waits.
    """

    def __init__(
        self,
        name: str,
        start: Open,
        create: Callable[[], Framer | None],
        words: Words,
        rules: Rules,
        *,
        restarted: Callable[[], None] = lambda: None,
    ) -> None:
        self.name = name
        self.on = ""
        self.rules = rules
        self.words = words
        self.ring = Ring(rules.keep, rules.catch_up)
        self.found = False
        self.failure: DasflexError | None = None
        self.over = False
        self.starts = 0
        self.seats = 0
        self.closing = False
        self.began = time_ns()
        self._start = start
        self._create = create
        self._restarted = restarted
        self._joint = Joint()
        self._early = False
        self._complaint = ""
        self._news = trio.Event()
        self._seated = trio.Event()
        self._left = trio.Event()
        self._progress = trio.Event()
        self._scope = trio.CancelScope()
        self.ended = trio.Event()
        self.holding: Callable[[], int | None] = lambda: None

    async def run(self) -> None:
        """Reads while somebody watches, and `linger` seconds more. Raises nothing but `Cancelled`."""
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(self._until_left, nursery.cancel_scope)
                    await self._read_on()
        finally:
            self.over = True
            self._tell_all()
            self.ended.set()

    def stop(self) -> None:
        """Ends the reader now. `ended` is set when it is gone; nobody must take a seat any more."""
        self.closing = True
        self._scope.cancel()

    def enter(self) -> None:
        """Counts one who watches."""
        self.seats += 1
        self._seated.set()
        if self._left.is_set():
            self._left = trio.Event()

    def leave(self) -> None:
        """Counts one who watches no more. Who waited for nothing need not be waited for: it ends at once then."""
        self.seats -= 1
        if not self.seats:
            self._seated = trio.Event()
            self._left.set()

    async def ready(self) -> None:
        """Waits until data have come. Raises the failure of a reader that ends before any."""
        while not self.found:
            if self.failure is not None:
                raise self.failure.with_traceback(None)
            if self.over:
                raise BusyError("The server is stopping; try again later", kind="busy.stopped")
            await self._news.wait()

    async def news(self) -> None:
        """Waits for the next packets, or the end."""
        await self._news.wait()

    def advanced(self) -> None:
        """Says that somebody has taken packets, for which the reader may have waited."""
        self._progress.set()

    async def _until_left(self, scope: trio.CancelScope) -> None:
        """Cancels a scope when nobody has watched for `linger` seconds; at once where nothing ever came."""
        while True:
            await self._left.wait()
            linger = self.rules.linger if self.found else 0.0
            with trio.move_on_after(linger):
                await self._seated.wait()
                continue
            if not self.seats:
                self.closing = True
                scope.cancel()
                return

    async def _read_on(self) -> None:
        """Reads, and starts the reader again when it ends, after a pause that grows."""
        pause = self.rules.pause
        while True:
            began = trio.current_time()
            try:
                self.failure = await self._once()
            except Exception as error:  # a fault of ours ends no server, and the reader has another try
                logging.getLogger("dasflex.live").exception("%s: reading it failed", self.name)
                self.failure = SourceError("Reading the source failed", kind="source.stream", detail=repr(error))
            if trio.current_time() - began >= _STEADY:
                pause = self.rules.pause
            self._note(self.failure, pause)
            self._tell_all()
            await trio.sleep(pause)
            self._restarted()
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _once(self) -> DasflexError:
        """Runs the reader to its end, and says why it has ended."""
        again, self.starts = self.starts > 0, self.starts + 1
        framer, self._complaint = self._create(), ""
        if framer is None:
            raise RuntimeError(f"{self.name}: packets of its stream cannot be told")
        async with self._start(again) as supply:
            return await self._to_the_end(supply, framer)

    async def _to_the_end(self, supply: Supply, framer: Framer) -> DasflexError:
        """Reads a reader to its end, and says why it has ended."""
        try:
            while (pieces := await supply.take()) is not None:
                self.failure = None
                for piece in pieces:
                    await self._take(framer.feed(piece))
            for _frame in framer.finish():
                pass
        except DasflexError as error:
            return error
        return SourceError(self._complaint or "The reader has ended", kind="source.exit")

    async def _take(self, frames: Iterable[Frame]) -> None:
        """Keeps packets, and says that they are there."""
        now = time_ns()
        try:
            for frame in frames:
                if data := self._passed(frame):
                    await self._room(len(data))
                    self.ring.push(frame.kind, frame.id, data, now)
                    self.found = self.found or frame.kind == "data"
        finally:
            self._tell_all()

    def _passed(self, frame: Frame) -> bytes:
        """What of a packet belongs to the stream that all see, which goes on when the reader is started again.

        A failure that the reader tells in its stream would end that for who reads it: it is told in a comment instead,
        when the reader has ended.
        """
        if frame.kind == "problem":
            self._complaint = complaint_of(frame.data)
            return b""
        if frame.kind == "header" and self._early:
            self._early = False
            return self.words.header(frame.data)
        if frame.kind == "header" and not self._joint.headed:
            self._early = frame.data == self.words.header()  # the pump wrote it, since the reader was late
        return frame.data if self._joint.passes(frame) else b""

    async def _room(self, size: int) -> None:
        """Waits while the only one who watches has yet to take what would be lost: a reader may write fast at first."""
        if self.holding() is None:
            return
        with trio.move_on_after(_HELD):
            while self.ring.overfull(size, 0) and (place := self.holding()) is not None:
                if place > self.ring.first:
                    return
                self._tell_all()
                self._progress = trio.Event()
                with trio.move_on_after(_LOOK):
                    await self._progress.wait()

    def _note(self, failure: DasflexError, pause: float) -> None:
        """Tells those who watch that the reader has ended, in the stream, and the administrator in the log."""
        logging.getLogger("dasflex.live").warning(
            "%s: %s; it is started again in %g s", self.name, failure.message, pause, extra={"detail": failure.detail}
        )
        self.ring.mark(time_ns())
        if self.seats:
            self.say("log:warning", f"{failure.message}. It is started again in {pause:g} s")

    def say(self, comment_type: str, text: str) -> None:
        """Tells all who watch something in the stream, where its type has comments; a header must come first."""
        packet = self.words.comment(comment_type, text)
        if packet and not self._joint.headed and (header := self.words.header()):
            self._joint.headed = self._early = True
            self.ring.push("header", 0, header, time_ns())
        if packet and self._joint.headed:
            self.ring.push("comment", -1, packet, time_ns())
            self._tell_all()

    def _tell_all(self) -> None:
        """Wakes who waits for packets."""
        self._news.set()
        self._news = trio.Event()

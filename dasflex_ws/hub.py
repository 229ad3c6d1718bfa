# SPDX-License-Identifier: GPL-3.0-or-later
"""The live hub: gives every watcher of a live instrument a seat at the one reader that follows it."""

from __future__ import annotations

import logging
from collections import Counter
from contextlib import asynccontextmanager
from functools import partial
from time import time_ns
from typing import TYPE_CHECKING, Final

import trio

from dasflex_core.errors import BusyError, DasflexError
from dasflex_core.run.holding import Lock
from dasflex_ws.at_work import Parts, can_be_shared
from dasflex_ws.branch import Branch
from dasflex_ws.flowing import PATIENCE, Flow
from dasflex_ws.reading import PAUSE, Reading, rules_of
from dasflex_ws.seat import Alone, Seat
from dasflex_ws.sharing import aligned, shared_part

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from dasflex_core.run import Guardian
    from dasflex_core.solved import Plan
    from dasflex_ws.metrics import Metrics
    from dasflex_ws.seat import Way
    from dasflex_ws.sharing import ReaderKey

__all__ = ["Hub"]

#: Seconds that a connection waits, before it is upgraded, for the first data or the failure of a reader.
_MOMENT: Final = 1.0
#: Nanoseconds by which the begin of a range may lie in the past and still mean the present.
_PRESENT: Final = 1_000_000_000
_DAY: Final = 86_400_000_000_000
_NO_PAST: Final = "This source keeps no more of the past than this; data begin with what is at hand"


class Hub:
    """All live readers of a server and who watches them.

    `run` must be running (in the nursery of the server) while seats are taken. When it is cancelled all readers end,
    and whoever still watches gets an ending with code 1001. `runtime` is the directory for the locks of instruments
    that admit one reader, `pause` the seconds after which a reader that has ended is started again, and `patience`
    those in which its first data are waited for by who wants the past first.
    """

    def __init__(
        self,
        *,
        limiter: trio.CapacityLimiter,
        guardian: Guardian,
        runtime: Path,
        metrics: Metrics | None = None,
        pause: float = PAUSE,
        patience: float = PATIENCE,
    ) -> None:
        self._limiter = limiter
        self._guardian = guardian
        self._runtime = runtime
        self._metrics = metrics
        self._pause = pause
        self._patience = patience
        self._nursery: trio.Nursery | None = None
        self._readings: dict[ReaderKey, Reading] = {}
        self._branches: dict[Reading, list[Branch]] = {}
        self._alone_at: Counter[str] = Counter()

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Runs the readers and the branches; ends them all when it is cancelled."""
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            task_status.started()
            try:
                await trio.sleep_forever()
            finally:
                self._nursery = None  # at once, not when the last reader is gone: nobody takes a seat from here on

    def takes(self, plan: Plan) -> bool:
        """Whether a plan follows the present, so that its watcher belongs here; others are finite and are answered."""
        return "live" in plan.solution.path.steps[0].spec.adds

    @asynccontextmanager
    async def seat(self, plan: Plan) -> AsyncIterator[Seat | Alone]:
        """A seat for the watcher of a plan: `async with hub.seat(plan) as seat: …upgrade…; await seat.watch(channel)`.

        The reader is started if it does not run. Waits until there are data, though no longer than a moment, since an
        instrument may be silent. Raises `DasflexError` where the reader fails before any data, where the instrument
        admits one reader and another is on, or where there are as many watchers as the definition allows: to be told
        as an HTTP status.
        """
        shared = await trio.to_thread.run_sync(shared_part, plan)  # it may look at the files of the data
        parts = Parts(plan, shared, self._limiter, self._guardian)
        if not can_be_shared(plan, parts.shared):
            async with self._alone(parts) as alone:
                yield alone
            return
        since = time_ns() if parts.shared.since is None else parts.shared.since
        reading = await self._reading(parts, since)
        reading.enter()
        self._count()
        try:
            with trio.move_on_after(_MOMENT):
                await reading.ready()
            async with self._way(parts, reading, since) as way:
                yield Seat(way, reading.rules, parts.words(out=True))
        finally:
            reading.leave()
            self._count()

    @asynccontextmanager
    async def _alone(self, parts: Parts) -> AsyncIterator[Alone]:
        """A seat with a reader of its own: its packets cannot be told, or go through another program."""
        while (other := self._other(parts)) is not None:
            other.stop()
            await other.ended.wait()
        self._check_watchers(parts)
        source = parts.shared.source
        lock = Lock(self._runtime, source) if parts.shared.definition.live.single else None
        self._alone_at[source] += 1
        self._count()
        try:
            failure: DasflexError | None = None
            async with parts.whole() as pump:
                try:
                    await pump.start()
                except DasflexError as error:
                    failure = error  # raised below, outside of the pump and its group
                else:
                    yield Alone(pump)
            if failure is not None:
                raise failure
        finally:
            self._alone_at[source] -= 1
            self._count()
            if lock is not None:
                lock.release()

    async def _reading(self, parts: Parts, since: int) -> Reading:
        """The reader of a plan, which is started if it does not run."""
        key = parts.shared.key
        while self._nursery is not None:
            self._check_watchers(parts)
            found = self._readings.get(key)
            if found is None and (other := self._other(parts)) is not None:
                other.stop()
                await other.ended.wait()
            elif found is None:
                return self._started(parts, since, self._nursery)
            elif found.closing or self._begins_anew(found, parts, since):
                found.stop()
                await found.ended.wait()
            else:
                return found
        raise BusyError("The server is stopping; try again later", kind="busy.stopped")

    def _started(self, parts: Parts, since: int, nursery: trio.Nursery) -> Reading:
        """A new reader. Raises `BusyError` where another server reads an instrument that admits one."""
        shared = parts.shared
        rules = rules_of(shared.definition.live, self._pause)
        lock = Lock(self._runtime, shared.source) if rules.single else None
        reading = Reading(
            shared.source,
            lambda again: parts.reader(again=again),
            parts.framer,
            parts.words(out=False),
            rules,
            restarted=self._count_restart,
        )
        reading.on = shared.on
        reading.ring.mark(since if shared.past else reading.began)
        reading.holding = partial(self._holding, reading)
        self._readings[shared.key] = reading
        self._branches[reading] = []
        nursery.start_soon(self._run_reading, shared.key, reading, lock)
        return reading

    async def _run_reading(self, key: ReaderKey, reading: Reading, lock: Lock | None) -> None:
        """Runs a reader to its end."""
        self._count()
        try:
            await reading.run()
        except Exception:
            logging.getLogger("dasflex.live").exception("%s: reading it failed", reading.name)
        finally:
            del self._readings[key], self._branches[reading]
            if lock is not None:
                lock.release()
            self._count()

    def _other(self, parts: Parts) -> Reading | None:
        """Another reader of an instrument that admits one, which nobody watches any more.

        Raises `BusyError` where it is watched.
        """
        if not parts.shared.definition.live.single:
            return None
        reading = next(iter(self._of_source(parts.shared.source)), None)
        if self._alone_at[parts.shared.source] or (reading is not None and reading.seats):
            what = f" with {reading.on}" if reading is not None and reading.on else ""
            raise BusyError(
                f"{parts.shared.source} admits one reader at a time, and it is being read{what}", kind="busy.limit"
            )
        return reading

    def _of_source(self, source: str) -> list[Reading]:
        """The shared readers of a source that run."""
        return [reading for reading in self._readings.values() if reading.name == source]

    def _check_watchers(self, parts: Parts) -> None:
        """Raises `BusyError` where a source has as many watchers as it may."""
        most, source = parts.shared.definition.live.watchers, parts.shared.source
        if most and sum(reading.seats for reading in self._of_source(source)) + self._alone_at[source] >= most:
            raise BusyError(
                f"{source} has as many watchers as it may, which is {most:,}; try again later",
                kind="busy.limit",
            )

    def _begins_anew(self, reading: Reading, parts: Parts, since: int) -> bool:
        """Whether a reader that nobody watches is started again, since only it has the past that is wanted."""
        if reading.seats or not parts.shared.past or _at_hand(parts, reading, since):
            return False
        return parts.past() is None

    @asynccontextmanager
    async def _way(self, parts: Parts, reading: Reading, since: int) -> AsyncIterator[Way]:
        """How what comes gets to a watcher: what is at hand, or an archive first where that does not reach back."""
        note = b""
        if not _at_hand(parts, reading, since):
            past = await trio.to_thread.run_sync(parts.past)
            if past is not None:
                behind = parts.behind(aligned(parts.shared.stages, since))
                try:
                    words = parts.words(out=True)
                    yield Flow(reading, past, parts.framer, behind, words, patience=self._patience)
                finally:
                    behind.close()
                return
            note = parts.words(out=True).comment("log:info", _NO_PAST)
        branch = self._branch(parts, reading, since)
        watcher = branch.enter(since, note)
        try:
            yield watcher
        finally:
            branch.leave(watcher)

    def _branch(self, parts: Parts, reading: Reading, since: int) -> Branch:
        """The branch for the stages of a plan, new if there is none that was given what is wanted of the past."""
        stages = aligned(parts.shared.stages, reading.began - _DAY)
        begin = reading.ring.since(since)
        branches = self._branches.get(reading)
        if branches is None or self._nursery is None:
            raise BusyError("The server is stopping; try again later", kind="busy.stopped")
        for branch in reversed(branches):
            if branch.nodes == stages and branch.watchers and branch.begin <= begin:
                return branch
        branch = Branch(reading, stages, begin, parts.behind(stages), parts.words(out=True))
        branches.append(branch)
        self._nursery.start_soon(self._run_branch, branches, branch)
        return branch

    async def _run_branch(self, branches: list[Branch], branch: Branch) -> None:
        """Runs a branch to its end."""
        try:
            await branch.run()
        finally:
            branches.remove(branch)

    def _holding(self, reading: Reading) -> int | None:
        """The number of the packet that the only one who watches has yet to take; None where nobody is waited for."""
        branches = self._branches.get(reading, [])
        if reading.seats != 1 or len(branches) != 1 or branches[0].holding() is None:
            return None
        return branches[0].position

    def _count(self) -> None:
        """Tells the metrics how many watch, and how many readers run."""
        if self._metrics is not None:
            alone = self._alone_at.total()
            self._metrics.watchers.set(sum(reading.seats for reading in self._readings.values()) + alone)
            self._metrics.readers.set(len(self._readings) + alone)

    def _count_restart(self) -> None:
        """Tells the metrics that a reader was started again."""
        if self._metrics is not None:
            self._metrics.restarts.inc()


def _at_hand(parts: Parts, reading: Reading, since: int) -> bool:
    """Whether all that came since a time is held, or the present is wanted."""
    return parts.shared.since is None or since >= time_ns() - _PRESENT or reading.ring.reaches(since)

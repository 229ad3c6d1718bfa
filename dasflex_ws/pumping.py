# SPDX-License-Identifier: GPL-3.0-or-later
"""The trio pump: runs a plan while others have their turn, by the stages of the synchronous one.

A plan that begins with a program and goes on with stages is read here: trio waits for the pipe, stages that work on
arrays are fed in a thread, and bytes that are only passed on stay. Nothing is read while nobody takes what was made, so
that a slow client slows its reader. Any other plan is run by the synchronous pump in a thread of its own.
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol

import trio

from dasflex_core.errors import DasflexError, SourceError
from dasflex_core.run import Pump, new_request_id
from dasflex_core.run.fed import FedRun, can_be_fed
from dasflex_core.run.shape import gives_items
from dasflex_ws.turns import turn_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from dasflex_core.plan.graph import Nodes
    from dasflex_core.run import Guardian, NodeStats, PumpSettings, RequestRecord
    from dasflex_core.run.processes import Process
    from dasflex_core.solved import Plan
    from dasflex_core.stages import Framer

__all__ = ["PATIENCE", "TrioPump", "pump_of", "pumping"]

#: Seconds that a client waits for the beginning of an answer.
PATIENCE: Final = 50.0
#: Seconds between looks whether a program has ended that has closed its output: at first, and after a while.
_SHORT: Final = 0.0005
_LONG: Final = 0.02
#: Chunks that wait between the thread of a synchronous pump and who takes them.
_LINE: Final = 2


class _Way(Protocol):
    """How the pieces of an answer are had."""

    @property
    def record(self) -> RequestRecord:
        """What is known of the request."""
        ...

    @property
    def stats(self) -> tuple[NodeStats, ...]:
        """What each node did so far."""
        ...

    async def begin(self) -> list[bytes]:
        """The first pieces, when the answer may begin. Raises `DasflexError` for what fails before any data."""
        ...

    async def more(self) -> list[bytes] | None:
        """The next pieces, of which there may be none yet; None at the end. Raises `DasflexError` behind the last."""
        ...

    async def end(self) -> None:
        """Ends whatever runs. May be called twice."""
        ...


class TrioPump:
    """One run of a plan, made by `pumping` or `pump_of`.

    `framer` is a new framer of the type of the answer, None where there is none; `text` says that the answer is text.
    """

    def __init__(self, way: _Way, framer: Framer | None, *, text: bool) -> None:
        self.framer = framer
        self.text = text
        self._way = way
        self._held: list[bytes] = []
        self._started = False
        self._over = False

    @property
    def record(self) -> RequestRecord:
        """What is known of the request; complete when the run is over."""
        return self._way.record

    @property
    def stats(self) -> tuple[NodeStats, ...]:
        """What each node did so far."""
        return self._way.stats

    async def start(self) -> None:
        """Runs until the answer may begin, and holds what came before that.

        Raises the failure of whatever failed before any data, and `SourceError` where nothing came in time.
        """
        if self._started:
            return
        self._started = True
        with trio.move_on_after(PATIENCE) as waiting:
            self._held = await self._way.begin()
        if waiting.cancelled_caught:
            raise SourceError(f"The source gave nothing in {PATIENCE:.0f} s; ask for less", kind="source.silent")

    async def take(self) -> list[bytes] | None:
        """The next pieces of the answer, at least one; None at its end.

        It may be cancelled where the pump was started, and called again, and nothing is lost. Raises a failure behind
        the pieces that came before it, among which it is told where the format can.
        """
        await self.start()
        while not self._held and not self._over:
            pieces = await self._way.more()
            self._over = pieces is None
            self._held += pieces or []
        held, self._held = self._held, []
        return held or None

    async def chunks(self) -> AsyncIterator[bytes]:
        """All pieces of the answer."""
        while (pieces := await self.take()) is not None:
            for each in pieces:
                yield each


@asynccontextmanager
async def pumping(
    nodes: Nodes,
    settings: PumpSettings,
    about: RequestRecord | None = None,
    *,
    limiter: trio.CapacityLimiter,
) -> AsyncIterator[TrioPump]:
    """A run of the nodes of a plan, which has not begun. At its end, whatever way, its programs are gone."""
    info = settings.info(nodes[-1].produces)
    way: _Way
    if nodes[0].kind == "process" and can_be_fed(nodes):
        way = _Piped(FedRun(nodes, settings, about), nodes, limiter)
    else:
        way = _Threaded(Pump(nodes, settings, about))
    try:
        yield TrioPump(way, settings.framer(nodes[-1].produces), text=info is not None and info.text)
    finally:
        with trio.CancelScope(shield=True):
            await way.end()


@asynccontextmanager
async def pump_of(
    plan: Plan, client: str | None = None, *, limiter: trio.CapacityLimiter, guardian: Guardian, absence: str = ""
) -> AsyncIterator[TrioPump]:
    """A run of a plan, which has not begun. One for a `client`, by its address, has its turn among all of the server.

    Raises `BusyError` where that does not come.
    """
    identifier = new_request_id()
    settings = plan.settings(identifier, absence=absence, plain=True, guardian=guardian)
    about = await trio.to_thread.run_sync(plan.about, identifier)  # it writes a file
    async with turn_of(plan, client), pumping(plan.solution.nodes, settings, about, limiter=limiter) as pump:
        yield pump


class _Piped:
    """A program that is read here, and the stages behind it."""

    def __init__(self, run: FedRun, nodes: Nodes, limiter: trio.CapacityLimiter) -> None:
        self._run = run
        self._limiter = limiter
        self._heavy = any(gives_items(each) or each.kind != "stage" for each in nodes[1:])
        self._program: Process | None = None
        self._drained = False
        self._silent = False

    @property
    def record(self) -> RequestRecord:
        return self._run.record

    @property
    def stats(self) -> tuple[NodeStats, ...]:
        return self._run.stats

    async def begin(self) -> list[bytes]:
        self._program = await trio.to_thread.run_sync(self._run.program)
        if self._heavy:  # the code of the stages is loaded while the reader works
            await trio.to_thread.run_sync(self._run.open, limiter=self._limiter)
        held: list[bytes] = []
        while not self._run.begun and not self._run.over:
            held += await self._step()
        if self._run.failure is not None and not self._run.found:
            raise self._run.failure
        return held

    async def more(self) -> list[bytes] | None:
        if not self._run.over:
            return await self._step()
        if self._run.failure is not None:
            raise self._run.failure
        return None

    async def end(self) -> None:
        await _ended(self._run.close)

    async def _step(self) -> list[bytes]:
        """What comes of the next bytes, or of a wait in which there were none."""
        program = self._program
        if program is None:
            raise RuntimeError("a pump is started before it is asked")
        await trio.lowlevel.checkpoint()  # from here to the stages nothing is cancelled that holds bytes
        chunk = program.take()
        if chunk is None:
            patience = program.look() if self._silent else program.await_bytes()
            self._silent = True  # the clock runs on until something comes
            with trio.move_on_after(patience) as waiting:
                await trio.lowlevel.wait_readable(program.fileno())
            if waiting.cancelled_caught:
                program.look()
                return await self._worked(partial(self._run.feed, b""))
            chunk = program.take()
        self._silent = False
        if chunk or chunk is None:  # None: it was woken for nothing
            return await self._worked(partial(self._run.feed, chunk or b""))
        return await self._last(program)

    async def _last(self, program: Process) -> list[bytes]:
        """What comes at the end of the program's output, when it has ended; of a wait, while it goes on."""
        patience = program.look() if self._drained else program.await_bytes()
        self._drained = True
        with trio.move_on_after(patience):
            pause = _SHORT
            while not program.exited():
                await trio.sleep(pause)
                pause = min(2 * pause, _LONG)
        if not program.exited():
            return await self._worked(partial(self._run.feed, b""))
        return await self._worked(partial(_concluded, self._run, program), heavy=True)  # it writes the record

    async def _worked(self, work: partial[list[bytes]], *, heavy: bool = False) -> list[bytes]:
        """What a call of the run gives: in a thread, where stages work on arrays. Whoever is cancelled has it later."""
        if not (heavy or self._heavy):
            return work()
        made: list[bytes] = []
        with trio.CancelScope(shield=True):
            made += await trio.to_thread.run_sync(work, limiter=self._limiter)
        return made


async def _ended(end: Callable[[], None]) -> None:
    """Ends a run, which takes a moment, in a thread: others have their turn, and it waits for no other run's end."""
    await trio.to_thread.run_sync(end, limiter=trio.CapacityLimiter(1))


def _concluded(run: FedRun, program: Process) -> list[bytes]:
    """What comes of the end of a run, whose program has ended."""
    try:
        program.conclude()
    except DasflexError as error:
        return run.end(error)
    return run.end()


class _Threaded:
    """A synchronous pump in a thread of its own, which waits while nobody takes what it gives."""

    def __init__(self, pump: Pump) -> None:
        self._pump = pump
        self._line, self._taken = trio.open_memory_channel[bytes](_LINE)
        self._begun = trio.Event()
        self._over = trio.Event()
        self._running = False
        self._failure: Exception | None = None

    @property
    def record(self) -> RequestRecord:
        return self._pump.record

    @property
    def stats(self) -> tuple[NodeStats, ...]:
        return self._pump.stats

    async def begin(self) -> list[bytes]:
        self._running = True
        # No nursery of its own: what whoever pumps raises would come out of that as a group.
        trio.lowlevel.spawn_system_task(self._run, name="dasflex-pump")
        await self._begun.wait()
        if self._failure is not None:
            raise self._failure
        return []

    async def more(self) -> list[bytes] | None:
        try:
            return [await self._taken.receive()]
        except trio.EndOfChannel:
            if self._failure is not None:
                raise self._failure from None
            return None

    async def end(self) -> None:
        self._taken.close()
        if self._running:
            await _ended(self._pump.cancel)
            await self._over.wait()

    async def _run(self) -> None:
        """Runs the pump to its end; the thread is this run's alone."""
        try:
            await trio.to_thread.run_sync(self._work, limiter=trio.CapacityLimiter(1))
        except trio.BrokenResourceError:
            pass  # nobody takes any more
        except Exception as error:  # noqa: BLE001  raised again by who takes
            self._failure = error
        finally:
            self._begun.set()
            self._over.set()
            self._line.close()

    def _work(self) -> None:
        """Gives what the pump gives, in its thread. Raises what the pump raises."""
        with self._pump as pump:
            pump.start()
            trio.from_thread.run_sync(self._begun.set)
            for chunk in pump.chunks():
                trio.from_thread.run(self._line.send, chunk)

# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that is fed: what comes is pushed in by whoever waited for it, and what comes of it is given at once.

The trio pump and the live hub wait for readers in their own way. The stages behind these are the same, opened and
pulled as by the synchronous pump, whose answer is the same byte for byte. Since a flow is pulled, an input that is
asked again has been worked on to its last byte: so a piece is put into the slot of its input, and the run is pulled
until that slot is dry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self, cast

from dasflex_core.errors import DasflexError
from dasflex_core.run.account import Account
from dasflex_core.run.context import Run
from dasflex_core.run.opening import Opener
from dasflex_core.run.outlet import Outlet
from dasflex_core.run.processes import Process
from dasflex_core.run.programs import programs_of, read_of
from dasflex_core.run.settings import PumpSettings
from dasflex_core.run.shape import check_shape, gives_items, makes_records, wrong
from dasflex_core.run.slot import Slot
from dasflex_core.run.stats import NodeStats, node_stats

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dasflex_core.plan.graph import Nodes
    from dasflex_core.run.records import RequestRecord

__all__ = ["FedRun", "can_be_fed"]

#: What is pulled in the thread that pulls; others have threads or programs that would wait for the slot.
_PULLED: Final = ("stage", "classic", "tee")


def can_be_fed(nodes: Nodes) -> bool:
    """Whether bytes can be pushed through a plan in place of what its first node gives."""
    return not gives_items(nodes[-1]) and all(each.kind in _PULLED for each in nodes[1:])


class FedRun:
    """One run of a plan whose first node stands for bytes that are fed.

    With `live`, formatters hold nothing when the input is dry. Calls take the time that the stages need, and none
    beside; one is made at a time, from any thread. A `failure` is told in the stream where the format can; the calls
    after it raise it. The record is written when the run is over, or closed.
    """

    def __init__(
        self,
        nodes: Nodes,
        settings: PumpSettings | None = None,
        about: RequestRecord | None = None,
        *,
        live: bool = False,
    ) -> None:
        check_shape(nodes)
        if not can_be_fed(nodes):
            raise wrong(nodes[-1], "this plan cannot be fed from outside")
        self.failure: DasflexError | None = None
        self.head = b""
        self.over = False
        self._nodes = nodes
        self._settings = settings or PumpSettings()
        self._account = Account(self._settings, about)
        self._run = Run(self._settings, self.record.id)
        self._slot = Slot()
        self._opener = Opener(nodes, self._run, inputs={0: self._slot.pieces()}, flush=live)
        self._outlet = Outlet(nodes[-1].produces, self._settings)
        self._from_records = makes_records(nodes)
        self._flow: Iterator[bytes] | None = None

    @property
    def record(self) -> RequestRecord:
        """What is known of the request; complete when the run is over."""
        return self._account.record

    @property
    def found(self) -> bool:
        """Whether records have come out: a data packet where packets can be told."""
        if self._outlet.framed or not self._from_records:
            return self._outlet.found
        return self._run.data

    @property
    def begun(self) -> bool:
        """Whether the answer may begin: data have come, or have been waited for long enough."""
        return self.found or self._outlet.early

    @property
    def stats(self) -> tuple[NodeStats, ...]:
        """What each node did so far."""
        return node_stats(self._nodes, self._opener.meters)

    def program(self) -> Process:
        """Starts the command that stands first, as a program of this run. Raises what its start raises."""
        node = self._nodes[0]
        if node.command is None or node.inputs:
            raise wrong(node, "it is no program that could be started here")
        process = Process(node.name, node.command, self._run.family, self._settings)
        self._run.at_end(process.close)
        return process

    def open(self) -> None:
        """Makes the stages, which `feed` does otherwise: their code is imported."""
        if self._flow is None:
            flow = cast("Iterator[bytes]", self._opener.open(len(self._nodes) - 1))
            self._flow = self._outlet.watch(flow)

    def feed(self, piece: bytes = b"") -> list[bytes]:
        """Puts bytes in, and gives what comes of them; without any it is seen how the time goes."""
        self._slot.put(piece)
        return self._pull()

    def end(self, failure: DasflexError | None = None) -> list[bytes]:
        """Ends the input, because of a failure if there is one, and gives what comes of that."""
        self._slot.end(failure)
        return self._pull()

    def cancel(self) -> None:
        """Ends the programs of the run. From any thread."""
        self._run.cancel()

    def close(self) -> None:
        """Ends the run where it is not over. May be called twice, not while another call is made."""
        self._run.close()
        self._settle(self.failure)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_reason: object) -> None:
        self.close()

    def _pull(self) -> list[bytes]:
        """All that comes until the input is dry, or the end."""
        if self.over:
            if self.failure is not None:
                raise self.failure
            return []
        made: list[bytes] = []
        self._slot.dry = False
        try:
            self.open()
            while self._pull_one(made):
                if self._slot.dry:
                    return made
        except DasflexError as error:
            self._fail(error, made)
        except Exception as error:
            self.over = True
            self._settle(error)
            raise
        else:
            self.over = True
            self._settle(None, complete=True)
        return made

    def _pull_one(self, made: list[bytes]) -> bool:
        """Takes the next piece; false at the end."""
        early = self._from_records and not self._run.data
        piece = next(self._flow, None) if self._flow is not None else None
        if piece:
            self._account.count(piece)
            made.append(piece)
            if early and not self._run.data:
                self.head += piece
        return piece is not None

    def _fail(self, error: DasflexError, made: list[bytes]) -> None:
        """Notes a failure; what tells it in the stream is added to what was made."""
        self.over = True
        self.failure = self._run.failure or error
        untold = self._run.failure is None and self._account.delivered
        if untold and (packet := self._outlet.told(self.failure)):
            self._account.count(packet)
            made.append(packet)
        self._settle(self.failure)

    def _settle(self, failure: BaseException | None, *, complete: bool = False) -> None:
        """Completes the record."""
        counted = [meter for node, meter in zip(self._nodes, self._opener.meters, strict=True) if gives_items(node)]
        self._account.settle(
            failure,
            counted[-1].records if counted else None,
            complete=complete,
            programs=lambda: programs_of(self._run.family, self.record.request),
            read=read_of(self._nodes, self._opener.meters),
        )

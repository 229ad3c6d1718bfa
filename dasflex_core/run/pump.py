# SPDX-License-Identifier: GPL-3.0-or-later
"""The synchronous pump: runs a plan by pulling at its last node, and hands on what comes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self, cast

from dasflex_core.errors import ConfigError, DasflexError
from dasflex_core.run.account import Account
from dasflex_core.run.context import Run
from dasflex_core.run.delivery import Delivery
from dasflex_core.run.opening import Opener
from dasflex_core.run.outlet import Outlet
from dasflex_core.run.programs import programs_of, read_of
from dasflex_core.run.remarking import remarked_items
from dasflex_core.run.settings import PumpSettings
from dasflex_core.run.shape import check_shape, gives_items, makes_records
from dasflex_core.run.starting import Start
from dasflex_core.run.stats import NodeStats, node_stats

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from dasflex_core.arrays import Item
    from dasflex_core.plan.graph import Nodes
    from dasflex_core.run.context import Piece
    from dasflex_core.run.records import RequestRecord

__all__ = ["Pump"]


class Pump:
    """One run of a plan.

        with Pump(nodes, settings) as pump:
            pump.start()
            for chunk in pump.chunks():
                ...

    `about` is the request record as far as it is known before the run; it gives the request id. Whatever way the run
    ends, its programs and their children are gone within a second, and the record is written.

    A reader that fails before any data makes `start` raise, and nothing of the answer is seen. One that fails later
    makes `chunks` or `items` raise after all that had come: in a stream whose format can tell a failure, that is told
    first, and the caller then breaks the connection rather than ending it.
    """

    def __init__(self, nodes: Nodes, settings: PumpSettings | None = None, about: RequestRecord | None = None) -> None:
        check_shape(nodes)
        self._nodes = nodes
        self._settings = settings or PumpSettings()
        self._account = Account(self._settings, about)
        self._run = Run(self._settings, self.record.id)
        self._opener = Opener(nodes, self._run)
        self._start = Start(self._begin, self._has_data)
        self._type = nodes[-1].produces
        self._outlet = Outlet(self._type, self._settings)

    @property
    def record(self) -> RequestRecord:
        """What is known of the request; complete when the run is over."""
        return self._account.record

    def start(self, patience: float | None = None) -> bool:
        """Runs until the first data have come, or the end; holds what came before them.

        Where the format has comments, that is so after the `first_byte` seconds of the settings at the latest: then the
        stream header and a comment are there, and a failure is told in the stream.

        With `patience`, at most so many seconds: false if that was not enough. The run then goes on in a thread, and
        one may wait again, or begin to take what there is. Raises the failure of whatever failed before any data.
        """
        there = self._start.wait(patience)
        if there and self._start.failure is not None:
            failure = self._first_of(self._start.failure)
            self._settle(failure)
            self.close()
            raise failure
        return there

    def chunks(self) -> Delivery[bytes]:
        """The bytes of the answer. Starts the run if that was not done; the pump is closed at the end."""
        if gives_items(self._nodes[-1]):
            raise ConfigError("This plan ends in arrays: take its items", kind="config.bad-value")
        if not self._start.begun:
            self.start()
        return Delivery(cast("Generator[bytes]", self._deliver()), self.close)

    def items(self) -> Delivery[Item]:
        """The items of the answer, for a plan that ends in arrays. Starts and closes as `chunks` does."""
        if not gives_items(self._nodes[-1]):
            raise ConfigError(f"This plan ends in {self._type}: take its chunks", kind="config.bad-value")
        if not self._start.begun:
            self.start()
        return Delivery(cast("Generator[Item]", self._deliver()), self.close)

    @property
    def stats(self) -> tuple[NodeStats, ...]:
        """What each node did so far."""
        return node_stats(self._nodes, self._opener.meters)

    def cancel(self) -> None:
        """Ends the run from another thread: the one that pumps gets a `BusyError`, and must still close."""
        self._run.cancel()

    def close(self) -> None:
        """Ends whatever still runs, and writes the record if that was not done. May be called twice."""
        self._run.cancel()
        self._start.join()
        self._run.close()
        self._settle(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_reason: object) -> None:
        self.close()

    def _begin(self) -> Iterator[Piece]:
        """Opens the plan, and watches what comes out of it."""
        if self._settings.hold is not None:
            self._run.at_end(self._settings.hold())
        flow = self._opener.open(len(self._nodes) - 1)
        remarks = self._settings.remarks
        if gives_items(self._nodes[-1]):
            items = cast("Iterator[Item]", flow)
            return self._watched_items(remarked_items(items, remarks) if remarks else items)
        chunks = cast("Iterator[bytes]", flow)
        return self._outlet.watch(chunks)

    def _watched_items(self, flow: Iterator[Item]) -> Iterator[Item]:
        """The same items."""
        from dasflex_core.arrays import Records
        from dasflex_core.run.silence import SILENCE

        for item in flow:
            if isinstance(item, Records):
                self._run.mark_data()
            if item is not SILENCE:
                yield item

    def _has_data(self) -> bool:
        """Whether data have come: a data packet where packets can be told, else records that were written as bytes.

        Or whether there is no more waiting for them.
        """
        if self._outlet.framed or not makes_records(self._nodes):
            return self._outlet.found or self._outlet.early
        return self._run.data

    def _deliver(self) -> Generator[Piece]:
        """All pieces of the answer, counted, and the end of the run."""
        try:
            for piece in self._start.pieces():
                if not isinstance(piece, bytes) or piece:
                    self._account.count(piece)
                    yield piece
        except DasflexError as error:
            failure = self._first_of(error)
            told = self._in_band(failure)
            self._account.count(told)
            self._settle(failure)
            if told:
                yield told
            raise failure from failure.__cause__
        except Exception as error:
            self._settle(error)
            raise
        else:
            self._settle(None, complete=True)
        finally:
            self.close()

    def _first_of(self, failure: BaseException) -> BaseException:
        """The failure that the stream tells, where it tells one: it came first, and others come of it."""
        return self._run.failure or failure

    def _in_band(self, failure: BaseException) -> bytes:
        """What tells the failure in the stream itself, unless a stage has told it."""
        if self._run.failure is not None or not self._account.delivered or not isinstance(failure, DasflexError):
            return b""
        return self._outlet.told(failure)

    def _settle(self, failure: BaseException | None, *, complete: bool = False) -> None:
        """Completes the record."""
        self._account.settle(
            failure,
            self._records(),
            complete=complete,
            programs=lambda: programs_of(self._run.family, self.record.request),
            read=read_of(self._nodes, self._opener.meters),
            worked=self._opener.meters[-1].seconds,
        )

    def _records(self) -> int | None:
        """How many records came out of the last node that gives items."""
        counted = [meter for node, meter in zip(self._nodes, self._opener.meters, strict=True) if gives_items(node)]
        return counted[-1].records if counted else None

# SPDX-License-Identifier: GPL-3.0-or-later
"""What stages make of live packets, as packets again: declarations apart from data, data together up to a size."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

import trio

from dasflex_ws.frames import encoded
from dasflex_ws.messages import LONGEST, Packer, is_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dasflex_core.errors import DasflexError
    from dasflex_core.stages import Framer
    from dasflex_ws.ring import Entry

__all__ = ["LOST", "Behind", "Group", "PassedOn", "Worked", "frame_of", "grouped"]

#: What those are told who have missed something.
LOST: Final = "Some data are missing here: they came faster than they could be worked on or sent"


class Group(NamedTuple):
    """Whole packets that go into one message: one declaration, or data and comments. As of an `Entry`."""

    kind: str
    id: int
    data: bytes


class Fed(Protocol):
    """What bytes are fed through: a `FedRun`."""

    @property
    def found(self) -> bool:
        """Whether records have come out."""
        ...

    @property
    def head(self) -> bytes:
        """What was given before the bytes of the first records."""
        ...

    def feed(self, piece: bytes) -> list[bytes]:
        """What comes out because of these bytes. Raises `DasflexError`."""
        ...

    def end(self, failure: DasflexError | None = None) -> list[bytes]:
        """What is left at the end of the input."""
        ...

    def close(self) -> None:
        """Ends the run."""
        ...


class Behind(Protocol):
    """What stands between a reader's packets and the messages."""

    async def take(self, entries: Sequence[Entry]) -> list[Group]:
        """The packets that come of these."""
        ...

    async def end(self, failure: DasflexError | None = None) -> list[Group]:
        """The packets that come at the end of the input."""
        ...

    def close(self) -> None:
        """Ends what works here."""
        ...


class PassedOn:
    """Nothing stands between: packets are passed on as they are."""

    async def take(self, entries: Sequence[Entry]) -> list[Group]:
        """The same packets."""
        return [Group(entry.kind, entry.id, entry.data) for entry in entries]

    async def end(self, failure: DasflexError | None = None) -> list[Group]:  # noqa: ARG002  whoever passes on has nothing to say
        """Nothing."""
        return []

    def close(self) -> None:
        """Does nothing."""


class Worked:
    """Stages stand between, which work in threads, one batch after the other.

    Where packets of the output can be told, `framer` does so; else what the stages give first of all, before any
    records, is the one declaration.
    """

    def __init__(self, fed: Fed, framer: Framer | None, limiter: trio.CapacityLimiter, *, text: bool) -> None:
        self._fed = fed
        self._framer = framer
        self._text = text
        self._limiter = limiter
        self._early: list[bytes] | None = []

    async def take(self, entries: Sequence[Entry]) -> list[Group]:
        """The packets that the stages make of these. Raises `DasflexError` where one fails."""
        batch = b"".join([entry.data for entry in entries])
        pieces = await trio.to_thread.run_sync(self._fed.feed, batch, limiter=self._limiter)
        return list(self._groups(pieces))

    async def end(self, failure: DasflexError | None = None) -> list[Group]:
        """The packets that the stages make at the end."""
        pieces = await trio.to_thread.run_sync(self._fed.end, failure, limiter=self._limiter)
        return list(self._groups(pieces))

    def close(self) -> None:
        """Ends the stages."""
        self._fed.close()

    def _groups(self, pieces: list[bytes]) -> Iterable[Group]:
        """The packets in what the stages gave."""
        if self._framer is not None:
            for frame in self._framer.feed(b"".join(pieces)):
                yield Group(frame.kind, frame.id, frame.data)
            return
        if self._early is not None:
            self._early += pieces
            if not self._fed.found:
                return
            head, given, self._early = self._fed.head, b"".join(self._early), None
            if head:
                yield Group("header", 0, head)
            pieces = [given[len(head) :]]
        packer = Packer(None, text=self._text)
        for piece in pieces:
            yield from (Group("data", 0, message.data) for message in packer.feed(piece))
        if (rest := packer.rest()) is not None:
            yield Group("data", 0, rest.data)


def frame_of(group: Group, *, text: bool) -> bytes:
    """The WebSocket frame of a group; what is no UTF-8 is no text message (RFC 6455, 8.1)."""
    return encoded(group.data, text=text and is_text(group.data))


def grouped(packets: Iterable[Group], longest: int = LONGEST) -> list[Group]:
    """The same bytes in as few groups as hold `longest` bytes each; a declaration stays alone, a longer packet too.

    >>> [group.data for group in grouped([Group("header", 0, b"H"), Group("data", 1, b"a"), Group("data", 1, b"b")])]
    [b'H', b'ab']
    """
    made: list[Group] = []
    waiting: list[bytes] = []
    size = 0
    for packet in packets:
        alone = packet.kind in ("header", "dataset")
        if waiting and (alone or size + len(packet.data) > longest):
            made.append(Group("data", 0, b"".join(waiting)))
            waiting, size = [], 0
        if alone:
            made.append(packet)
        else:
            waiting.append(packet.data)
            size += len(packet.data)
    if waiting:
        made.append(Group("data", 0, b"".join(waiting)))
    return made

# SPDX-License-Identifier: GPL-3.0-or-later
"""Knows a byte stream by its two ends: checks it up to its first data packet, and tells where it stops.

In between, bytes are copied unseen in large chunks.
"""

from __future__ import annotations

from collections import deque
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal

from dasflex_core.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from dasflex_core.stages import Framer

__all__ = ["Ends", "Stop"]

#: Where a stream stops: between two packets, inside one, or nobody can say.
Stop = Literal["between", "inside", "unknown"]

#: Bytes given to the framer at a time, so that it does not frame many packets beyond the first.
_STEP: Final = 4096
#: Bytes of the end that are kept, or four packets, whichever is more.
_TAIL: Final = 1 << 15
#: Bytes that are kept before the first data packet: all, unless somebody writes headers without end.
_HEAD: Final = 1 << 20
#: Length of the tag by which data packets are found again (the das2 and das3 stream formats, framing).
_TAG: Final = 4
_TRIES: Final = 64
#: Bytes of the first data packet that are kept, to tell what looks like it from what does not.
_LIKENESS: Final = 256


class Ends:
    """Follows a byte stream whose type has a framer; `create` makes a new one.

    `found` says that a whole data packet has passed, `told` that before any of them a failure, or that there are no
    data, was told. Without a framer any bytes count as data.
    """

    def __init__(self, create: Callable[[], Framer | None]) -> None:
        self.found = False
        self.told = False
        self._create = create
        self._declarations = b""
        self._first = b""
        self._kept = _HEAD
        self._held = 0
        self._cut = False
        self._pieces: deque[bytes] = deque()

    @cached_property
    def _framer(self) -> Framer | None:
        """The framer of the head, made when the first bytes are there: its code is loaded while the reader works."""
        return self._create()

    @property
    def framed(self) -> bool:
        """Whether packets can be told."""
        return self._framer is not None

    @property
    def seen(self) -> bool:
        """Whether any bytes have passed."""
        return self._held > 0

    def see(self, chunk: bytes) -> None:
        """Sees a chunk. Raises `SourceError` (`source.stream`) where it cannot belong to a stream of this type."""
        self._pieces.append(chunk)
        self._held += len(chunk)
        while self._held - len(self._pieces[0]) >= self._kept:
            self._held -= len(self._pieces.popleft())
            self._cut = True
        if not self.found:
            self._check(chunk)

    def finish(self) -> None:
        """Raises `SourceError` where the stream has ended inside a packet, if that can be told."""
        if self._framer is not None and not self.found:
            for _frame in self._framer.finish():
                pass
        elif self.stop() == "inside":
            raise SourceError("The stream ends inside a packet", kind="source.truncated")

    def stop(self) -> Stop:
        """Where the stream stops.

        Up to the first data packet a new framer is shown all that came. Later a new framer is shown the declarations of
        the head, then the end of the stream from where a tag of a data packet seems to be. If whole packets follow one
        another from there, the place was right, since the tag of each must stand where the one before it ends. Packets
        that were declared later, and compressed streams, cannot be told.
        """
        if not self._first:
            return self._follow_head()
        tail = b"".join(self._pieces)
        verdicts = (self._follow(tail[at:]) for at in self._places(tail))
        return next((verdict for verdict in verdicts if verdict != "unknown"), "unknown")

    def _places(self, tail: bytes) -> list[int]:
        """Where the tag of a data packet stands near the beginning of these bytes, the likeliest first.

        It may stand inside packets, too, and even with their period: `:01:` is in each time of the first minute of an
        hour. What begins at such a place looks much less like the first packet of the stream than a packet does.
        """
        alike: dict[int, int] = {}
        at = tail.find(self._first[:_TAG])
        while at >= 0 and len(alike) < _TRIES:
            alike[at] = sum(map(int.__eq__, self._first, tail[at : at + len(self._first)]))
            at = tail.find(self._first[:_TAG], at + 1)
        least = max(alike.values(), default=0) / 2
        return sorted((place for place in alike if alike[place] > least), key=alike.__getitem__, reverse=True)

    def _check(self, chunk: bytes) -> None:
        """Frames a chunk up to the first data packet."""
        if self._framer is None:
            self.found = bool(chunk)
            return
        for start in range(0, len(chunk), _STEP):
            for frame in self._framer.feed(chunk[start : start + _STEP]):
                if frame.kind == "data":
                    self.found = True
                    self._first = frame.data[:_LIKENESS]
                    self._kept = max(_TAIL, 4 * len(frame.data))
                    break
                if frame.kind in ("header", "dataset"):
                    self._declarations += frame.data
                self.told = self.told or frame.kind == "problem"
            if self.found:
                return

    def _follow_head(self) -> Stop:
        """What framing all that came says, while there are no data."""
        framer = None if self._cut else self._create()
        if framer is None:
            return "unknown"
        try:
            for _frame in (*framer.feed(b"".join(self._pieces)), *framer.finish()):
                pass
        except SourceError as error:
            return "inside" if error.kind == "source.truncated" else "unknown"
        return "between"

    def _follow(self, end: bytes) -> Stop:
        """What framing the end of the stream says, if it holds at least one whole packet."""
        framer = self._create()
        if framer is None:
            return "unknown"
        try:
            for _frame in framer.feed(self._declarations):
                pass
            whole = sum(1 for frame in framer.feed(end) if frame.kind == "data")
        except SourceError:
            return "unknown"
        try:
            for _frame in framer.finish():
                pass
        except SourceError as error:
            return "inside" if whole and error.kind == "source.truncated" else "unknown"
        return "between" if whole else "unknown"

# SPDX-License-Identifier: GPL-3.0-or-later
"""The last place of a run whose answer is bytes: their ends are checked, their header completed, their pauses filled.

Clients give a connection up when nothing comes over it for a minute. So where the format has comments, one is sent when
nothing has come for a while and a packet has ended, and an answer begins without data when these are late. Some
of them take a stream without data for a fault, so that one may end with what says that nothing was found.
"""

from __future__ import annotations

from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Final

from dasflex_core.errors import ConfigError
from dasflex_core.loading import load
from dasflex_core.run.head import Ends
from dasflex_core.run.remarking import REMARK, SOURCE, headed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dasflex_core.errors import DasflexError
    from dasflex_core.run.head import Stop
    from dasflex_core.run.settings import PumpSettings
    from dasflex_core.stages import Framer
    from dasflex_core.streamtype import StreamType

__all__ = ["Outlet"]

#: The type of comment that fills a pause, which clients do not show unless asked, and what it says.
_PULSE: Final = "log:fine"
_LATE: Final = "The source is at work; there are no data yet"
_WAITING: Final = "The source is at work"
#: The type of exception that says that nothing was found (das-streams, exceptions of das3), and so no kind of error.
_NO_DATA: Final = "NoMatchingData"


class Outlet:
    """Follows the bytes of an answer of some type. `early` says that it has begun without waiting for data."""

    def __init__(self, produced: StreamType, settings: PumpSettings) -> None:
        self.early = False
        self._settings = settings
        self._info = settings.info(produced)
        self._create = partial(settings.framer, produced)
        self._ends = Ends(self._create)
        self._written = b""

    @property
    def found(self) -> bool:
        """Whether a whole data packet has passed, or anything at all where packets cannot be told."""
        return self._ends.found

    @property
    def framed(self) -> bool:
        """Whether packets can be told."""
        return self._ends.framed

    def stop(self) -> Stop:
        """Whether the bytes that passed end between two packets."""
        return self._ends.stop()

    def told(self, failure: DasflexError) -> bytes:
        """The packet of a failure; nothing where the format has none, or it is not known that a packet may follow."""
        return self._call("problem", failure.kind, failure.message) if self._may_tell() else b""

    def _may_tell(self) -> bool:
        """Whether a failure can be told in the stream as it is now."""
        return self._has("problem") and self.stop() == "between"

    def watch(self, flow: Iterator[bytes]) -> Iterator[bytes]:
        """The bytes of the answer. Raises `SourceError` where they begin or end as their type cannot.

        An empty chunk says that nothing comes now, or that the answer has begun though nothing can be sent yet.
        """
        began = last = monotonic()
        framer = self._create()
        late = self._settings.first_byte if framer is not None and self._has("comment") else 0.0
        for chunk in self._headed(flow, framer):
            if chunk:
                self._ends.see(chunk)
                yield chunk
                last = monotonic()
            if late and not self.found and not self.early and monotonic() - began >= late:
                self.early = True
                yield self._opening()
                last = monotonic()
            elif not chunk and self._settings.pulse and monotonic() - last >= self._settings.pulse:
                if comment := self._comment(_WAITING):
                    yield comment
                last = monotonic()
            if not chunk:
                yield b""
        self._ends.finish()
        if not self.found and (told := self._nothing()):
            yield told

    def _headed(self, flow: Iterator[bytes], framer: Framer | None) -> Iterator[bytes]:
        """The same bytes with a completed header, if their format has comments, or knows how to complete it."""
        if framer is None or not (self._has("comment") or (self._has("amend") and self._settings.amend)):
            return flow
        return headed(flow, framer, self._header, plain=self._settings.plain)

    def _header(self, header: bytes) -> bytes:
        """What takes the place of the stream header: itself with what is known of the answer, and the remarks."""
        new = not self._written or self._call("header", header)
        told = self._amended(header) if new else b""
        if not self._settings.remarks or not self._has("comment"):
            return told
        return told + b"".join(self._call("comment", REMARK, SOURCE, text) for text in self._settings.remarks)

    def _amended(self, header: bytes) -> bytes:
        """A header with what is known of the answer."""
        if not self._settings.amend or not self._has("amend"):
            return header
        return self._call("amend", header, dict(self._settings.amend)) or header

    def _opening(self) -> bytes:
        """What begins an answer whose data are late; nothing where its head is not at the end of a packet."""
        if self._ends.seen or not self._has("header"):
            return self._comment(_LATE)
        self._written = self._amended(self._call("header", b""))
        self._ends.see(self._written)
        return self._written + self._comment(_LATE)

    def _nothing(self) -> bytes:
        """What says that nothing was found, if that shall be told and was not: a stream of its own, or its last packet.

        Nothing where packets cannot be told, or where none may follow what passed.
        """
        text = self._settings.absence
        if not text or not self.framed or not self._has("comment"):
            return b""
        if not self._ends.seen:
            return self._call("failure", _NO_DATA, text) if self._has("failure") else b""
        return self._call("problem", _NO_DATA, text) if not self._ends.told and self._may_tell() else b""

    def _comment(self, text: str) -> bytes:
        """The packet of a comment, if it is known that one may follow here."""
        begun = self._ends.seen and (self.early or self.found)
        if not begun or not self._has("comment") or self._ends.stop() != "between":
            return b""
        return self._call("comment", _PULSE, SOURCE, text)

    def _has(self, name: str) -> bool:
        """Whether the stream type names a function for something."""
        return bool(getattr(self._info, name, ""))

    def _call(self, name: str, *arguments: object) -> bytes:
        """What the function gives that the stream type names; nothing where it cannot be loaded."""
        try:
            made: bytes = load(getattr(self._info, name))(*arguments)
        except ConfigError as error:
            self._settings.note(error.message)
            return b""
        return made

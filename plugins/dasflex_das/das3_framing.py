# SPDX-License-Identifier: GPL-3.0-or-later
"""Das3 packets out of bytes that are split anywhere: `|Tt|ID|LEN|BODY` (the das3 stream format, framing).

Nothing here looks into a body, so that pass-through and live streams need neither numpy nor a header parser.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from dasflex_core.errors import SourceError
from dasflex_core.stages import Frame
from dasflex_das.chunks import end_of_alike

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["MAX_HEADER", "MAX_RECORD", "Das3Framer", "Tag", "read_tag", "truncated"]

#: Bytes in the largest header, comment or exception that is read. Classic tools stop at 262,144.
MAX_HEADER: Final = 1 << 20
#: Bytes in the largest data packet that is read. Classic tools stop at 262,144.
MAX_RECORD: Final = 1 << 24

_LONGEST: Final = len("|Pd|1234567890|123456789|")
_TAG: Final = re.compile(rb"\|([A-Z][A-Za-z])\|([0-9]{0,10})\|([0-9]{1,9})\|")
_PART: Final = re.compile(rb"\|(?:[A-Z](?:[A-Za-z](?:\|[0-9]{0,10}(?:\|[0-9]{0,9})?)?)?)?")
#: The kind of frame by the tag's letters. What `XX` holds is for others: it is passed on as a comment is.
_KINDS: Final = {b"Sx": "header", b"Hx": "dataset", b"Pd": "data", b"Cx": "comment", b"Ex": "problem", b"XX": "comment"}


class Tag(NamedTuple):
    """The head of a packet: `kind` as in `Frame`, `letters`, `id` (0 if blank), and where its body starts and ends."""

    kind: str
    letters: bytes
    id: int
    body: int
    end: int


def read_tag(data: bytes | bytearray, at: int, offset: int = 0) -> Tag | None:
    """The tag of the packet that starts at `at`, or None where the data end inside the tag.

    The body need not be there yet. `offset` is the place of the data in the stream, for errors. Raises `SourceError`
    (`source.stream`) for what is no tag, for JSON headers, and for a length beyond `MAX_HEADER` or `MAX_RECORD`.
    """
    found = _TAG.match(data, at)
    if found is None:
        if len(data) - at < _LONGEST and _PART.fullmatch(data, at):
            return None
        raise _garbage(bytes(data[at : at + 12]), offset + at)
    letters, identifier, size = found.groups()
    kind = _KINDS.get(bytes(letters))
    if kind is None:
        raise SourceError(
            f"The packet at byte {offset + at:,} has the tag {letters.decode()};"
            " das3 streams with the tags Sx, Hx, Pd, Cx, Ex and XX are read",
            kind="source.stream",
        )
    length, limit = int(size), MAX_RECORD if kind == "data" else MAX_HEADER
    if length > limit:
        raise SourceError(
            f"The {letters.decode()} packet at byte {offset + at:,} announces {length:,} bytes;"
            f" at most {limit:,} are read",
            kind="source.stream",
        )
    return Tag(kind, bytes(letters), int(identifier or 0), found.end(), found.end() + length)


def _garbage(seen: bytes, offset: int) -> SourceError:
    """The error for bytes that start no packet."""
    if offset == 0 and seen.lstrip().startswith(b"<"):
        return SourceError(
            "This is an XML document, which has no packets; the packet form of das3 starts with |Sx|",
            kind="source.stream",
        )
    return SourceError(
        f"At byte {offset:,} of the stream stands {seen!r}, which starts no das3 packet; packets start with a tag"
        " such as |Pd|1|24|, and nothing may stand between them",
        kind="source.stream",
    )


def truncated(left: bytes, offset: int) -> SourceError:
    """The error for a stream that ends inside the packet at `offset`, of which `left` is there."""
    return SourceError(
        f"The stream ends inside the packet that starts at byte {offset:,} with {left[:12]!r}:"
        f" {len(left):,} bytes of it are there",
        kind="source.truncated",
    )


class Das3Framer:
    """Bytes in, whole das3 packets out. A `Framer` that can give data packets `together`."""

    def __init__(self) -> None:
        self.together = 0
        self._held = bytearray()
        self._need = 1
        self._offset = 0

    def feed(self, chunk: bytes, /) -> Iterator[Frame]:
        """The packets that this chunk completes, each with its tag. Raises `SourceError` at what is no packet.

        What is no packet is told behind the packets that came before it, however the stream was cut.
        """
        held = self._held
        held += chunk
        if len(held) < self._need:
            return
        at, self._need = 0, 1
        try:
            while at < len(held) and (tag := read_tag(held, at, self._offset)):
                if tag.end > len(held):
                    self._need = tag.end - at
                    break
                end = tag.end
                if self.together and tag.kind == "data":
                    end = end_of_alike(held, at, tag.body - at, end - at, self.together)
                frame = Frame(tag.kind, tag.id, bytes(held[at:end]))
                at = end
                yield frame
        finally:
            del held[:at]
            self._offset += at

    def finish(self) -> Iterable[Frame]:
        """Nothing. Raises `SourceError` (`source.truncated`) where the stream ends inside a packet."""
        if self._held:
            raise truncated(bytes(self._held), self._offset)
        return ()

# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole das2 packets from bytes that are split anywhere, without decoding a value.

Compressed streams are framed as what they hold: their `[00]` frame says `compression="none"`, so that the frames
together are a valid stream (the das2 stream format, compression).
"""

from __future__ import annotations

import re
import zlib
from typing import TYPE_CHECKING, Final

from dasflex_core.errors import SourceError
from dasflex_core.stages import Frame
from dasflex_das.chunks import end_of_alike, put_behind
from dasflex_das.das2_layout import compression_of, garbage, header_of, planes_of, size_of, undeclared
from dasflex_das.elements import parse

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Das2Framer", "Inflater", "truncated"]

#: Bytes that are inflated at a time, so that a small chunk cannot fill the memory.
_STEP: Final = 1 << 20
_SLICE: Final = 1 << 16
_TAG: Final = 4
_COMPRESSED = re.compile(rb"""compression\s*=\s*(["'])\s*(?:deflate|zlib)\s*\1""")


class Inflater:
    """Undoes the compression of what follows the stream header: one zlib stream (RFC 1950)."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj()

    def feed(self, chunk: bytes, /) -> Iterator[bytes]:
        """The plain bytes of a chunk, at most 1 MiB at a time. Raises `SourceError` for what is no zlib stream."""
        for start in range(0, len(chunk), _SLICE):
            piece = chunk[start : start + _SLICE]
            while piece:
                if self._zlib.eof:
                    raise SourceError("Bytes follow the end of the compressed stream", kind="source.stream")
                try:
                    plain = self._zlib.decompress(piece, _STEP)
                except zlib.error as error:
                    raise SourceError(f"The compressed stream is damaged: {error}", kind="source.stream") from None
                piece = self._zlib.unconsumed_tail or self._zlib.unused_data
                if plain:
                    yield plain

    def finish(self) -> None:
        """Raises `SourceError` (`source.truncated`) where the compressed stream has not ended."""
        if not self._zlib.eof:
            raise SourceError("The stream ends inside its compressed part", kind="source.truncated")


class Das2Framer:
    """Bytes in, whole packets out, each with its tag: a `Framer`. A repeated stream header is left out.

    It can give data packets `together`.
    """

    def __init__(self) -> None:
        self.together = 0
        self._pieces: list[bytes] = []
        self._held = 0
        self._needed = _TAG
        self._offset = 0
        self._sizes: dict[bytes, int] = {}
        self._inflater: Inflater | None = None
        self._started = False

    def feed(self, chunk: bytes, /) -> Iterator[Frame]:
        """The packets that this chunk completes. Raises `SourceError` at what is no packet."""
        if self._inflater is None:
            yield from self._plain(bytes(chunk))
        else:
            for plain in self._inflater.feed(chunk):
                yield from self._plain(plain)

    def finish(self) -> Iterator[Frame]:
        """Nothing, or a `SourceError` (`source.truncated`) where the stream ends inside a packet."""
        left = b"".join(self._pieces).lstrip(b"\n")  # das2java allows a newline behind the last packet too
        if left:
            raise truncated(left, self._offset + self._held - len(left))
        if self._inflater is not None:
            self._inflater.finish()
        return iter(())

    def _plain(self, chunk: bytes) -> Iterator[Frame]:
        """The packets that these bytes complete. Short chunks only gather until they matter."""
        put_behind(self._pieces, chunk)
        self._held += len(chunk)
        if self._held < self._needed:
            return
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        at = 0
        while True:
            while data[at : at + 1] == b"\n":  # das2java allows a newline between packets
                at += 1
            found = self._next(data, at)
            if found is None:
                break
            kind, number, stop = found
            if self.together and kind == "data":
                stop = end_of_alike(data, at, _TAG, stop - at, self.together)
            frame = Frame(kind, number, data[at:stop])
            checked = frame if kind == "data" else self._header(frame, self._offset + at)
            at = stop
            if checked is None:
                continue
            if checked.kind == "header" and self._inflater is not None:
                self._hold(b"", at)
                yield checked
                yield from self.feed(data[at:])
                return
            yield checked
        self._hold(data[at:], at)

    def _hold(self, rest: bytes, consumed: int) -> None:
        """Keeps what is left for the next chunk."""
        self._offset += consumed
        self._pieces = [rest] if rest else []
        self._held = len(rest)
        if not rest:
            self._needed = _TAG

    def _next(self, data: bytes, at: int) -> tuple[str, int, int] | None:
        """Kind, id and end of the packet at a place, or None where it is not whole: `_needed` bytes then help."""
        tag = data[at : at + _TAG]
        size = self._sizes.get(tag, 0)
        if size:
            self._needed = size
            return ("data", int(tag[1:3]), at + size) if at + size <= len(data) else None
        if tag[:1] == b"[":
            self._needed = 10
            if at + 10 > len(data):
                return None
            number, length = header_of(data[at : at + 10], self._offset + at)
            self._needed = 10 + length
            kind = {0: "header", -1: "comment"}.get(number, "dataset")
            return (kind, number, at + 10 + length) if at + 10 + length <= len(data) else None
        self._needed = _TAG
        if len(tag) < _TAG and tag[:1] in (b"", b":"):
            return None
        if re.fullmatch(rb":[0-9]{2}:", tag):
            raise undeclared(tag, self._offset + at)
        raise garbage(data[at : at + 12], self._offset + at)

    def _header(self, frame: Frame, offset: int) -> Frame | None:
        """A header frame with its right kind, or None to leave it out; what it says of later bytes is noted."""
        tag = frame.data[:4].decode("ascii")
        where = f"The header {tag} at byte {offset:,}"
        if not self._started and frame.id != 0:
            raise SourceError(f"The stream starts with {tag}, where [00] should be", kind="source.stream")
        root = parse(frame.data[10:], where)
        repeated, self._started = self._started, True
        if root.tag == "exception":
            return Frame("problem", frame.id, frame.data)
        if frame.kind == "dataset":
            self._sizes[b":%02d:" % frame.id] = size_of(planes_of(root, where))
        if frame.kind == "header" and repeated:
            return None
        if frame.kind == "header" and compression_of(root, where):
            self._inflater = Inflater()
            return Frame("header", 0, _uncompressed(frame.data))
        return frame


def _uncompressed(packet: bytes) -> bytes:
    """The `[00]` packet with `compression="none"`, since its frames follow uncompressed."""
    body = _COMPRESSED.sub(b'compression="none"', packet[10:], count=1)
    return b"[00]%06d%b" % (len(body), body)


def truncated(left: bytes, offset: int) -> SourceError:
    """The error for a stream that ends with `left`, which is a part of a packet, or starts none."""
    if left[:1] not in (b"[", b":"):
        return garbage(left, offset)
    return SourceError(
        f"The stream ends inside the packet that starts at byte {offset:,} with {left[:12]!r}:"
        f" {len(left):,} bytes of it are there",
        kind="source.truncated",
    )

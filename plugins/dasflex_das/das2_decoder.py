# SPDX-License-Identifier: GPL-3.0-or-later
"""Decodes das2 streams, binary and text, into arrays.

Values are never looked at one by one: `das2_packets` views runs of packets as columns. Headers, comments and
exceptions end a batch, so that their place among the records of a stream is kept.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from dasflex_core.arrays import Comment, NoData, Problem, StreamHeader
from dasflex_core.errors import SourceError
from dasflex_core.stages import Decoder
from dasflex_das.chunks import put_behind
from dasflex_das.das2_framing import Inflater, truncated
from dasflex_das.das2_headers import read_packet, read_stream
from dasflex_das.das2_layout import garbage, header_of, undeclared
from dasflex_das.das2_messages import NO_DATA, problem_type
from dasflex_das.das2_packets import BATCH, Batch, Layout
from dasflex_das.elements import parse

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dasflex_core.arrays import Item
    from dasflex_das.elements import Element

__all__ = ["Das2Decoder"]

_TAG: Final = 4
_HEADER: Final = 10
#: Tags that the headers of all ids together may hold or imply.
_MAX_TAGS: Final = 1 << 22
_DATA: Final = re.compile(rb":[0-9]{2}:")


class Das2Decoder(Decoder, name="das2-decode", accepts="das/2", produces="arrays"):
    """Das2 streams, binary and text, to arrays."""

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []
        self._held = 0
        self._needed = _TAG
        self._offset = 0
        self._inflater: Inflater | None = None
        self._header: StreamHeader | None = None
        self._layouts: dict[bytes, Layout] = {}
        self._batch = Batch()

    def feed(self, chunk: bytes, /) -> Iterator[Item]:
        """The items that this chunk completes. Raises `SourceError` at what is no das2 packet."""
        if self._inflater is None:
            yield from self._plain(bytes(chunk))
        else:
            for plain in self._inflater.feed(chunk):
                yield from self._plain(plain)

    def finish(self) -> Iterator[Item]:
        """Nothing, or a `SourceError` (`source.truncated`) where the stream ends inside a packet."""
        left = b"".join(self._pieces).lstrip(b"\n")  # das2java allows a newline behind the last packet too
        if left:
            raise truncated(left, self._offset + self._held - len(left))
        if self._inflater is not None:
            self._inflater.finish()
        return iter(())

    def _plain(self, chunk: bytes) -> Iterator[Item]:
        """The items that these bytes complete. Short chunks only gather until they matter, and are joined once."""
        put_behind(self._pieces, chunk)
        self._held += len(chunk)
        if self._held < self._needed:
            return
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        at, compressed = 0, self._inflater
        while at < len(data):
            before = at
            at = self._batch.gather(data, at, self._layouts)
            yield from self._batch.take()
            stop = self._header_end(data, at)
            if stop:
                yield from self._announced(data[at:stop], self._offset + at)
                at = stop
                if self._inflater is not compressed:
                    break
            elif at - before < BATCH:
                break
        self._hold(data[at:] if self._inflater is compressed else b"", at)
        if self._inflater is not compressed:
            yield from self.feed(data[at:])

    def _hold(self, rest: bytes, consumed: int) -> None:
        """Keeps what is left for the next chunk."""
        self._offset += consumed
        self._pieces = [rest] if rest else []
        self._held = len(rest)
        if not rest:
            self._needed = _TAG

    def _header_end(self, data: bytes, at: int) -> int:
        """The end of the header packet at a place; 0 where it is not whole, or none, and then what is needed there.

        Raises `SourceError` for what starts no packet.
        """
        tag = data[at : at + _TAG]
        if tag[:1] == b"[":
            self._needed = _HEADER
            if at + _HEADER > len(data):
                return 0
            _number, length = header_of(data[at : at + _HEADER], self._offset + at)
            self._needed = _HEADER + length
            return at + _HEADER + length if at + _HEADER + length <= len(data) else 0
        layout = self._layouts.get(tag)
        self._needed = layout.size if layout else _TAG
        if layout or tag[:1] in (b"", b"\n") or (len(tag) < _TAG and tag[:1] == b":"):
            return 0
        raise (undeclared if _DATA.fullmatch(tag) else garbage)(data[at : at + 12], self._offset + at)

    def _announced(self, packet: bytes, offset: int) -> Iterator[Item]:
        """The items of a whole header packet."""
        number, _length = header_of(packet[:_HEADER], offset)
        tag = packet[:_TAG].decode("ascii")
        if self._header is None and number != 0:
            raise SourceError(f"The stream starts with {tag}, where [00] should be", kind="source.stream")
        root = parse(packet[_HEADER:], f"The header {tag} at byte {offset:,}")
        if root.tag == "exception":
            yield from self._exception(root)
        elif number == 0:
            yield self._stream(root, f"The header {tag} at byte {offset:,}")
        elif number > 0:
            yield from self._packet(root, number, packet[_HEADER:], f"The header {tag} at byte {offset:,}")
        elif root.tag == "comment":
            yield Comment(root.get("type"), root.get("value"), root.get("source"))
        else:
            yield Comment("log:warning", f"The message <{root.tag}> is unknown to das 2.2 and was left out", "dasflex")

    def _exception(self, root: Element) -> Iterator[Item]:
        """What an exception says. One that stands in place of the stream header is read as if it followed one."""
        if self._header is None:
            self._header = StreamHeader(generation=2)
            yield self._header
        written, message = problem_type(root.get("type")), root.get("message")
        yield NoData(message) if written == problem_type(NO_DATA) else Problem(written, message)

    def _stream(self, root: Element, where: str) -> Item:
        """The stream header. A repeated one, such as that of joined files, is left out."""
        header = read_stream(root, where)
        if self._header is not None:
            return Comment("log:warning", f"{where} is a second stream header and was left out", "dasflex")
        if header.compression:
            self._inflater = Inflater()
        self._header = header
        return header

    def _packet(self, root: Element, number: int, body: bytes, where: str) -> Iterator[Item]:
        """The dataset that a packet header declares, unless it repeats the one that is known."""
        known = self._layouts.get(b":%02d:" % number)
        if known is not None and known.body == body:
            return
        dataset = read_packet(root, number, self._header or StreamHeader(generation=2), where)
        layout = Layout(dataset, body)
        self._layouts[layout.tag] = layout
        if sum(each.tags for each in self._layouts.values()) > _MAX_TAGS:
            raise SourceError(f"{where}: the headers have more than {_MAX_TAGS:,} tags in all", kind="source.stream")
        self._batch.forget()
        yield dataset

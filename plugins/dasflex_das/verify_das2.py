# SPDX-License-Identifier: GPL-3.0-or-later
"""Verifies the packets of das2 streams: headers, what stands between packets, and the spelling of missing values."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from dasflex_core.errors import SourceError
from dasflex_das.das2_decoder import Das2Decoder
from dasflex_das.das2_framing import Das2Framer
from dasflex_das.das2_layout import header_of, planes_of
from dasflex_das.elements import parse
from dasflex_das.verify_headers import Remark, check_header
from dasflex_das.verify_packets import CLASSIC, Decoding, Packets, excerpt, left_out, locate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dasflex_core.stages import Frame
    from dasflex_das.das2_layout import Plane

__all__ = ["Das2Packets"]

#: A missing value that Java clients do not read: any spelling but NaN.
_NAN: Final = re.compile(rb"(?<![A-Za-z])(?!NaN)[nN][aA][nN](?![A-Za-z])")
_TAG: Final = 10
#: Bytes that are shown of what is no packet, or no whole one.
_SHOWN: Final = 24
_PACKET: Final = re.compile(rb"\[[0-9xX]{2}\]|:[0-9]{2}:")


class _Watched(Das2Framer):
    """The framer, with the headers as they stand in the stream, and where."""

    def __init__(self) -> None:
        super().__init__()
        self.met: list[tuple[int, Frame]] = []
        self.at = (0, b"")

    def _next(self, data: bytes, at: int) -> tuple[str, int, int] | None:
        self.at = (self._offset + at, data[at : at + _SHOWN])
        return super()._next(data, at)

    def finish(self) -> Iterator[Frame]:
        held = b"".join(self._pieces)
        left = held.lstrip(b"\n")
        self.at = (self._offset + len(held) - len(left), left[:_SHOWN])
        return super().finish()

    def _header(self, frame: Frame, offset: int) -> Frame | None:
        self.met.append((offset, frame))
        return super()._header(frame, offset)


class Das2Packets(Packets):
    """A das2 stream."""

    form = "das2"

    def __init__(self) -> None:
        super().__init__()
        self._framer = _Watched()
        self._decoding = Decoding(Das2Decoder, self._undecoded, lambda number, count: self.count(number, records=count))
        self._seen = 0
        self._ended = False
        self._text: dict[int, list[tuple[int, int]]] = {}
        self._streams = 0

    def feed(self, chunk: bytes) -> None:
        """Verifies a chunk."""
        if self._ended:
            return
        try:
            for frame in self._framer.feed(chunk):
                if frame.kind == "data":
                    self._data(frame)
                else:
                    self._take_headers(frame)
        except SourceError as error:
            self._end(error)

    def finish(self) -> None:
        """Verifies the end."""
        if not self._ended:
            try:
                list(self._framer.finish())
            except SourceError as error:
                self._end(error)
        self._take_headers(None)
        self._decoding.flush()

    def _end(self, error: SourceError) -> None:
        """The stream cannot be framed any further."""
        self._ended = True
        told = self._take_headers(None, error)
        self._decoding.flush()
        if not told:
            offset, seen = self._framer.at
            tag = _PACKET.match(seen)
            self.fault(offset, tag[0].decode() if tag else "", error, excerpt(seen))

    def _data(self, frame: Frame) -> None:
        """A data packet."""
        self._take_headers(None)
        offset, size = self._seen, len(frame.data)
        self._seen += size
        self.count(frame.id, packets=1, size=size)
        self._sized(offset, f":{frame.id:02d}:", size)
        spans = self._text.get(frame.id)
        if spans and _NAN.search(frame.data):
            self._spelled(frame, offset, spans)
        self._decoding.data(frame.id, offset, frame.data)

    def _sized(self, offset: int, packet: str, size: int) -> None:
        """Remarks on a packet that is too large for classic clients."""
        if size >= CLASSIC:
            message = f"classic clients read packets below {CLASSIC:,} bytes"
            self.remark(offset, packet, Remark("deviation", "size", message, text=f"{size:,} bytes"))

    def _spelled(self, frame: Frame, offset: int, spans: list[tuple[int, int]]) -> None:
        """Remarks on another spelling of NaN in the values of text planes."""
        for start, stop in spans:
            found = _NAN.search(frame.data, start, stop)
            if found:
                message = "Java clients read a missing value as NaN only"
                self.remark(offset, f":{frame.id:02d}:", Remark("deviation", "nan", message, text=excerpt(found[0])))
                return

    def _take_headers(self, frame: Frame | None, error: SourceError | None = None) -> bool:
        """Verifies the headers that the framer has met; whether one of them took the error on itself."""
        met, self._framer.met = self._framer.met, []
        told = False
        for place, (offset, each) in enumerate(met):
            last = place == len(met) - 1
            told = self._header(each, offset, frame if last else None, error if last else None) or told
        return told

    def _header(self, frame: Frame, offset: int, made: Frame | None, error: SourceError | None) -> bool:
        """One header packet; `made` is what the framer made of it, `error` why it did not."""
        tag, size = frame.data[:4].decode("ascii"), len(frame.data)
        self._between(offset, tag)
        self._seen = offset + size
        number, _length = header_of(frame.data[:_TAG], offset)
        root, remarks = check_header(frame.data[_TAG:], "das2")
        remarks = [*_tagged(frame.data[:_TAG], number), *remarks]
        if number == 0:
            self._streams += root == "stream"
            if self._streams > 1:
                remarks.append(Remark("deviation", "stream-twice", "das2C refuses a second stream header", 1, 1))
        self._sized(offset, tag, size)
        if error is None:
            error = self._decoded(made or frame, number, remarks)
        if error and not any(each.verdict == "fault" for each in remarks):
            remarks.append(locate(frame.data[_TAG:], error))
        if number < 0:
            self.messages[root] = self.messages.get(root, 0) + 1
            for each in remarks:
                self.remark(offset, tag, each)
            return error is not None
        if number:
            self.count(number, headers=1)
        self.met(offset, tag, root, "", remarks)
        return error is not None

    def _between(self, offset: int, tag: str) -> None:
        """Remarks on newlines before a header."""
        if offset > self._seen:
            message = "das2C refuses bytes between packets; a newline belongs into the packet before it"
            text = f"{offset - self._seen:,} bytes since byte {self._seen:,}"
            self.remark(offset, tag, Remark("deviation", "between", message, text=text))

    def _decoded(self, frame: Frame, number: int, remarks: list[Remark]) -> SourceError | None:
        """Hands a header to the decoder; gives the error of one that it refuses."""
        try:
            if number == 0 and self._streams == 1:
                self._decoding.start(frame.data)
            elif number > 0:
                planes = planes_of(parse(frame.data[_TAG:], ""), "")
                self._text[number] = _text_spans(planes)
                said = self._decoding.declare(number, frame.data)
                remarks += [left_out(frame.data[_TAG:], each.text) for each in said]
            elif number < 0:
                self._decoding.message(frame.data)
        except SourceError as error:
            return error
        return None

    def _undecoded(self, number: int, offset: int, error: SourceError, packet: bytes) -> None:
        """A data packet whose values cannot be read."""
        self.fault(offset, f":{number:02d}:", error, excerpt(packet))


def _tagged(tag: bytes, number: int) -> list[Remark]:
    """What is wrong with the ten bytes before a header."""
    found = []
    if not tag[4:].isdigit():
        message = "the length is padded with blanks; Java clients want six digits"
        found.append(Remark("deviation", "length-padded", message, text=excerpt(tag)))
    if number < 0 and tag[1:3] != b"xx":
        found.append(Remark("deviation", "tag-case", "Java clients know [xx] in lower case only", text=excerpt(tag)))
    return found


def _text_spans(planes: tuple[Plane, ...]) -> list[tuple[int, int]]:
    """Where numbers of text stand in a data packet."""
    spans, at = [], 4
    for plane in planes:
        if plane.encoding == "ascii":
            spans.append((at, at + plane.size))
        at += plane.size
    return spans

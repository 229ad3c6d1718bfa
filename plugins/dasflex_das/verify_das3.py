# SPDX-License-Identifier: GPL-3.0-or-later
"""Verifies the packets of das3 streams, and das3 documents."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from dasflex_core.arrays import Comment, Records
from dasflex_core.errors import SourceError
from dasflex_das.chunks import put_behind
from dasflex_das.das3_decoder import Das3Decoder
from dasflex_das.das3_document import DocumentReader
from dasflex_das.das3_framing import read_tag, truncated
from dasflex_das.elements import parse
from dasflex_das.verify_headers import HeaderChecker, Remark, check_header, worst
from dasflex_das.verify_packets import CLASSIC, Decoding, Header, Packets, Tally, excerpt, left_out, locate

if TYPE_CHECKING:
    from dasflex_das.das3_framing import Tag

__all__ = ["Das3Document", "Das3Packets"]

#: Bytes of a document that are verified at a time: records that cannot be read are among them.
_PIECE: Final = 1 << 12
#: Ids that classic clients know.
_IDS: Final = range(1, 100)
#: How headers of das2 begin.
_DAS2: Final = re.compile(rb"\s*(?:<\?[^>]*\?>\s*)?(?:<packet[\s>]|<stream\s[^>]*version\s*=\s*[\"']2)")


class Das3Packets(Packets):
    """A das3 stream."""

    form = "das3"

    def __init__(self) -> None:
        super().__init__()
        self._pieces: list[bytes] = []
        self._held = 0
        self._need = 1
        self._offset = 0
        self._ended = False
        self._decoding = Decoding(Das3Decoder, self._undecoded, lambda number, count: self.count(number, records=count))

    def feed(self, chunk: bytes) -> None:
        """Verifies a chunk."""
        if self._ended:
            return
        put_behind(self._pieces, chunk)
        self._held += len(chunk)
        if self._held < self._need:
            return
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        at, self._need = 0, 1
        while at < len(data):
            try:
                tag = read_tag(data, at, self._offset)
            except SourceError as error:
                self._ended = True
                self._decoding.flush()
                self.fault(self._offset + at, "", error, excerpt(data[at : at + 24]))
                return
            if tag is None or tag.end > len(data):
                self._need = tag.end - at if tag else 1
                break
            self._packet(data[at : tag.end], tag, tag.body - at, self._offset + at)
            self._compare()
            at = tag.end
        self._pieces = [data[at:]] if at < len(data) else []
        self._held = len(data) - at
        self._offset += at

    def finish(self) -> None:
        """Verifies the end."""
        self._decoding.flush()
        self._compare()
        if self._held and not self._ended:
            left = b"".join(self._pieces)
            self.fault(self._offset, "", truncated(left, self._offset), excerpt(left[:24]))

    def _compare(self) -> None:
        """Remarks on runs of different lengths over one index."""
        for number, offset, why in self._decoding.uneven:
            message = f"{why}, and they share an index"
            self.remark(offset, f"|Pd|{number}|", Remark("deviation", "run-lengths", message))
        self._decoding.uneven.clear()

    def _packet(self, packet: bytes, tag: Tag, start: int, offset: int) -> None:
        """One whole packet, whose body begins at `start`."""
        written = packet[:start].rsplit(b"|", 2)[0].decode("ascii", "replace") + "|"
        if len(packet) >= CLASSIC:
            message = f"classic clients read packets below {CLASSIC:,} bytes"
            self.remark(offset, written, Remark("deviation", "size", message, text=f"{len(packet):,} bytes"))
        if not offset and tag.kind in ("comment", "problem"):
            self.remark(
                offset, written, Remark("deviation", "stream-first", "a das3 stream begins with its header |Sx|")
            )
        if tag.kind == "data":
            self.count(tag.id, packets=1, size=len(packet))
            self._decoding.data(tag.id, offset, packet)
        elif tag.letters == b"XX":
            self.messages["XX"] = self.messages.get("XX", 0) + 1
            self.remark(offset, written, Remark("deviation", "tag-extra", "das2C refuses packets XX"))
        else:
            self._header(packet, packet[start:], tag, written, offset)

    def _header(self, packet: bytes, body: bytes, tag: Tag, written: str, offset: int) -> None:
        """A packet of XML."""
        old = bool(_DAS2.match(body)) and tag.kind in ("header", "dataset")
        root, remarks = check_header(body, "das2" if old else "das3")
        if old:
            remarks.append(
                Remark("deviation", "das2-header", "a header of das2 behind a tag of das3, as das2C reads it")
            )
        if tag.kind == "dataset" and tag.id not in _IDS:
            remarks.append(Remark("deviation", "id", "classic clients know the ids 1 to 99", text=written))
        name = ""
        try:
            if tag.kind == "header":
                self._decoding.start(packet)
            elif tag.kind == "dataset":
                said = self._decoding.declare(tag.id, packet)
                remarks += [left_out(body, each.text) for each in said]
            else:
                self._decoding.message(packet)
        except SourceError as error:
            if not any(each.verdict == "fault" for each in remarks):
                remarks.append(locate(body, error))
        if tag.kind == "dataset":
            self.count(tag.id, headers=1)
            name = self._named(tag.id, body)
        if tag.kind in ("header", "dataset"):
            self.met(offset, written, root, name, remarks)
            return
        self.messages[root] = self.messages.get(root, 0) + 1
        for each in remarks:
            self.remark(offset, written, each)

    def _named(self, number: int, body: bytes) -> str:
        """The name that a header gives its dataset, if it can be parsed."""
        try:
            name = parse(body, "").get("name")
        except SourceError:
            return ""
        self._names[number] = excerpt(name.encode())
        return self._names[number]

    def _undecoded(self, number: int, offset: int, error: SourceError, packet: bytes) -> None:
        """A data packet whose values cannot be read."""
        self.fault(offset, f"|Pd|{number}|", error, excerpt(packet))


class Das3Document(Packets):
    """A das3 document."""

    form = "document"

    def __init__(self) -> None:
        super().__init__()
        self._checker = HeaderChecker("document")
        self._reader = DocumentReader()
        self._told = 0
        self._whole = True
        self._readable = True
        self._faulty = False
        self._waiting = b""

    def feed(self, chunk: bytes) -> None:
        """Verifies a chunk."""
        whole = self._waiting + chunk
        for start in range(0, len(whole) - _PIECE + 1, _PIECE):
            self._piece(whole[start : start + _PIECE])
        self._waiting = whole[len(whole) - len(whole) % _PIECE :]

    def finish(self) -> None:
        """Verifies the end."""
        self._piece(self._waiting, last=True)
        found = self._checker
        self._headers.append(Header("", 0, found.root, "", "fault" if self._faulty else worst(found.remarks)))
        for each in found.datasets:
            packet = f'<dataset id="{each.id}">'
            self._headers.append(Header(packet, 0, "dataset", each.name, each.verdict))

    def _piece(self, piece: bytes, *, last: bool = False) -> None:
        """Verifies a few bytes: the rules first, which know the place of what is wrong, then the reader."""
        if self._whole:
            self._whole = self._checker.feed(piece, last=last)
            for each in self._checker.remarks[self._told :]:
                self.remark(0, "", each)
            self._told = len(self._checker.remarks)
        if not self._readable or not self._whole:
            return
        try:
            for item in [*self._reader.feed(piece), *(self._reader.finish() if last else ())]:
                self._item(item)
        except SourceError as error:
            self._readable, self._faulty = False, True
            line, column = self._checker.place
            self.remark(0, "", Remark("fault", error.kind.partition(".")[2], error.message, line, column + 1))

    def tallies(self) -> tuple[Tally, ...]:
        """The counts of each id: `<dataset>` elements, `<d>` elements, and the records that were decoded."""
        read = {each.id: each.records for each in super().tallies()}
        rows: dict[int, Tally] = {}
        for each in self._checker.datasets:
            headers = rows[each.id].headers + 1 if each.id in rows else 1
            rows[each.id] = Tally(
                each.id, each.name, headers, self._checker.records.get(each.id, 0), 0, read.get(each.id, 0)
            )
        return tuple(rows[number] for number in sorted(rows))

    def _item(self, item: object) -> None:
        """Counts what the reader made."""
        if isinstance(item, Records):
            self.count(item.dataset.id, records=len(item))
        elif isinstance(item, Comment):
            line, column = self._checker.place
            self.remark(0, "", Remark("deviation", "left-out", item.text, line, column + 1))

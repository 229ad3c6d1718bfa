# SPDX-License-Identifier: GPL-3.0-or-later
"""Das3 packets to items: bytes split anywhere in, datasets and batches of records out.

Whole packets are decoded as soon as they are there, so that a live stream is not held up; a batch holds at most
about 1 MiB of packets. Runs of packets of one kind, or of kinds that take turns, are viewed as matrices (`runs`);
packets of different sizes are cut (`das3_cuts`).
"""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Final

import numpy as np

from dasflex_core.arrays import VARIES, Records
from dasflex_core.errors import SourceError
from dasflex_core.stages import Decoder
from dasflex_das.chunks import put_behind
from dasflex_das.das3_document import DocumentReader
from dasflex_das.das3_framing import read_tag, truncated
from dasflex_das.das3_headers import read_comment, read_dataset, read_exception, read_stream
from dasflex_das.das3_text import TooWideError
from dasflex_das.runs import Packet, Walker, gather

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from dasflex_core.arrays import Comment, Dataset, Item, StreamHeader
    from dasflex_das.das3_framing import Tag
    from dasflex_das.das3_layout import Layout

__all__ = ["Das3Decoder"]

#: Bytes of packets in a batch.
_BATCH: Final = 1 << 20
#: What may stand before the root of a document: blanks, and the mark of UTF-8.
_BEFORE: Final = b" \t\r\n\xef\xbb\xbf"
#: Values that the headers of all datasets together may hold or imply.
_MAX_HELD: Final = 1 << 22
#: Datasets that one stream may declare: more than any real one has ids.
_MAX_DATASETS: Final = 1000


class _Open:
    """A dataset that has been declared: how its packets are read, and how many there were."""

    def __init__(self, dataset: Dataset, layout: Layout, header: bytes) -> None:
        self.dataset = dataset
        self.layout = layout
        self.header = blake2b(header).digest()
        self.count = 0
        self.held = sum(each.values.size for each in dataset.variables.values() if each.values is not None)


class Das3Decoder(Decoder, name="das3-decode", accepts="das/3", produces="arrays"):
    """Das3 streams, binary and text, to arrays."""

    def __init__(self, **values: str | float | bool | tuple[str, ...] | None) -> None:
        super().__init__(**values)
        self._pieces: list[bytes] = []
        self._held = 0
        self._need = 1
        self._offset = 0
        self._header: StreamHeader | None = None
        self._open: dict[int, _Open] = {}
        self._walker = Walker()
        self._document: DocumentReader | None = None

    def feed(self, chunk: bytes, /) -> Iterator[Item]:
        """The items that this chunk completes. Raises `SourceError` at what is no das3 stream."""
        if self._document:
            yield from self._document.feed(chunk)
            return
        put_behind(self._pieces, bytes(chunk))
        self._held += len(chunk)
        if self._held < self._need:
            return
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        if self._header is None and not self._offset and data.lstrip(_BEFORE)[:1] in (b"", b"<"):
            if data.lstrip(_BEFORE):
                self._document, self._held, self._pieces = DocumentReader(), 0, []
                yield from self._document.feed(data)
            return
        at, self._need, start = 0, 1, 0
        while at < len(data):
            at = self._walker.follow(data, at, _BATCH - (at - start))
            if at - start >= _BATCH:
                yield from self._batches(data)
                start = at
                continue
            try:
                tag = self._tag(data, at)
            except SourceError:
                yield from self._batches(data)
                raise
            if tag is None or tag.end > len(data):
                self._need = tag.end - at if tag else 1
                break
            if tag.kind != "data":
                yield from self._batches(data)
                yield from self._message(data[tag.body : tag.end], tag, at)
                at = start = tag.end
        yield from self._batches(data)
        self._pieces = [data[at:]] if at < len(data) else []
        self._held = len(data) - at
        self._offset += at

    def finish(self) -> Iterator[Item]:
        """Nothing. Raises `SourceError` (`source.truncated`) where the stream ends inside a packet."""
        if self._document:
            return self._document.finish()
        if self._held:
            raise truncated(b"".join(self._pieces), self._offset)
        return iter(())

    def _tag(self, data: bytes, at: int) -> Tag | None:
        """The tag of the packet at `at`, or None where it is not there; a data packet is then known to the walker.

        Raises `SourceError` for a data packet without a header, and for one of another size than its header says.
        """
        tag = read_tag(data, at, self._offset) if at < len(data) else None
        if tag is None or tag.kind != "data":
            return tag
        opened = self._open.get(tag.id)
        if opened is None:
            raise SourceError(
                f"The data packet at byte {self._offset + at:,} has the id {tag.id}, which no header declares",
                kind="source.stream",
            )
        if opened.layout.size == VARIES:
            self._walker.know_varying(data[at : data.index(b"|", at + 4) + 1], tag.id)
            return tag
        if tag.end - tag.body != opened.layout.size:
            raise SourceError(
                f"The packet of dataset {opened.dataset.name} at byte {self._offset + at:,} has"
                f" {tag.end - tag.body:,} bytes; by its header each has {opened.layout.size:,}",
                kind="source.stream",
            )
        self._walker.know(Packet(data[at : tag.body], tag.end - at, tag.id))
        return tag

    def _batches(self, data: bytes) -> Iterator[Records]:
        """The records of the packets that have been found, one batch per dataset unless that takes too much memory."""
        for number, runs in self._walker.take().items():
            opened = self._open[number]
            bodies = gather(data, runs, opened.layout.size)
            for start in range(0, len(bodies), opened.layout.most):
                part = bodies[start : start + opened.layout.most]
                columns = opened.layout.columns(part, opened.count)
                opened.count += len(part)
                if columns:
                    yield Records(opened.dataset, columns, opened.layout.extras(part))
        for number, spans in self._walker.take_spans().items():
            opened = self._open[number]
            places = np.array(spans, dtype=np.int64)
            for start in range(0, len(places), opened.layout.most):
                yield from self._cut(data, places[start : start + opened.layout.most], opened)

    def _cut(self, data: bytes, places: NDArray[np.int64], opened: _Open) -> Iterator[Records]:
        """The records of packets of different sizes, in fewer at a time where their strings take too much memory."""
        try:
            columns, extras = opened.layout.cut_columns(data, places[:, 0], places[:, 1], opened.count)
        except TooWideError:
            half = len(places) // 2
            if not half:
                raise
            yield from self._cut(data, places[:half], opened)
            yield from self._cut(data, places[half:], opened)
            return
        opened.count += len(places)
        if columns:
            yield Records(opened.dataset, columns, extras)

    def _message(self, body: bytes, tag: Tag, at: int) -> Iterator[Item]:
        """The items of a packet that holds no data."""
        where = f"The {tag.letters.decode()} packet at byte {self._offset + at:,}"
        if tag.kind == "header":
            if self._header is not None:
                raise SourceError(f"{where} is a second stream header; there may be one", kind="source.stream")
            self._header = read_stream(body, where)
            yield self._header
        elif tag.kind == "dataset":
            yield from self._declare(body, tag.id, where)
        elif tag.kind == "problem":
            yield read_exception(body, where)
        elif tag.letters == b"Cx":
            yield read_comment(body, where)

    def _declare(self, body: bytes, number: int, where: str) -> Iterator[Dataset | Comment]:
        """The dataset of a header, unless it is declared already in the same words."""
        if self._header is None:
            raise SourceError(f"{where} comes before the stream header |Sx|", kind="source.stream")
        known = self._open.get(number)
        if known is not None and known.header == blake2b(body).digest():
            return
        if known is None and len(self._open) >= _MAX_DATASETS:
            raise SourceError(f"{where}: a stream may declare {_MAX_DATASETS} datasets", kind="source.stream")
        dataset, layout, remarks = read_dataset(body, number, where, self._header)
        self._open[number] = _Open(dataset, layout, body)
        if sum(opened.held for opened in self._open.values()) > _MAX_HELD:
            raise SourceError(f"{where}: the headers hold more than {_MAX_HELD:,} values in all", kind="source.stream")
        self._walker.forget()  # what it remembers may have the size of the old layout
        yield dataset
        yield from remarks

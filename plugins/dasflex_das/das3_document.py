# SPDX-License-Identifier: GPL-3.0-or-later
"""The XML document form of das3, read: `<stream type="das-basic-doc">` with its datasets, and `<d>` for each record.

The document is read as it comes: each child of the root is taken as soon as it is whole, and is then what a packet is
in a stream. Where a document leaves out what a packet says, values are text that ends with a terminator; a variable
without one takes that of the others (the das3 stream format, XML document form).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Never
from xml.parsers import expat

import numpy as np

from dasflex_core.arrays import Records
from dasflex_core.errors import SourceError
from dasflex_das import elements
from dasflex_das.das3_headers import declared, header_of
from dasflex_das.das3_values import count_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dasflex_core.arrays import Dataset, Item
    from dasflex_das.das3_layout import Layout
    from dasflex_das.elements import Element

__all__ = ["DocumentReader"]

#: Bytes of records in a batch.
_BATCH: Final = 1 << 18
#: Datasets that one document may declare.
_MAX_DATASETS: Final = 1000
_HEAD: Final = ("properties", "frame", "extension")


class _Pieces:
    """Cuts a document into its root's tag and the whole children of the root, in whatever chunks it comes."""

    def __init__(self) -> None:
        self.found: list[bytes] = []
        self.closed = False
        self._data = bytearray()
        self._first = 0
        self._depth = 0
        self._start = 0
        self._bare = False
        parser = expat.ParserCreate()
        parser.StartElementHandler = self._open
        parser.EndElementHandler = self._close
        parser.CharacterDataHandler = self._text
        parser.StartDoctypeDeclHandler = self._refuse_dtd
        parser.EntityDeclHandler = self._refuse_dtd
        self._parser = parser

    def feed(self, chunk: bytes, *, last: bool = False) -> list[bytes]:
        """The pieces that this chunk completes. Raises `SourceError` for what is no well-formed XML."""
        self._data += chunk
        try:
            self._parser.Parse(chunk, last)
        except expat.ExpatError as error:
            raise SourceError(
                f"The das3 document is no well-formed XML: {expat.ErrorString(error.code)}, at line {error.lineno},"
                f" column {error.offset + 1}",
                kind="source.truncated" if last and not self.closed else "source.stream",
            ) from None
        except (LookupError, ValueError):  # the second for encodings of several bytes, which expat cannot read
            self._refuse("its prolog names an encoding that nobody knows; das3 is UTF-8")
        keep = self._start if self._depth > 1 else self._parser.CurrentByteIndex
        keep = min(max(keep, self._first), self._first + len(self._data))
        if self._first + len(self._data) - keep > elements.MAX_BYTES:
            self._refuse(f"an element has more than {elements.MAX_BYTES:,} bytes")
        del self._data[: keep - self._first]
        self._first = keep
        found, self.found = self.found, []
        return found

    def _refuse(self, why: str) -> Never:
        """Raises a `SourceError` that says where the parser stands."""
        parser = self._parser
        raise SourceError(
            f"The das3 document: {why}, at line {parser.CurrentLineNumber}, column {parser.CurrentColumnNumber + 1}",
            kind="source.stream",
        )

    def _refuse_dtd(self, *_about: object) -> None:
        self._refuse("it may hold no DTD and no entities")

    def _open(self, tag: str, attributes: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > elements.MAX_DEPTH:
            self._refuse(f"elements are nested more than {elements.MAX_DEPTH} deep")
        if self._depth == 1:
            kind = attributes.get("type")
            if tag != "stream" or kind != "das-basic-doc":
                self._refuse(f"its root is <{tag}> of the type {kind!r}, where a <stream> of das-basic-doc should be")
            text = elements.Element("stream", tuple(attributes.items()))
            self.found.append(elements.serialise(text).encode())
        elif self._depth == 2:
            self._start = self._parser.CurrentByteIndex
        self._bare = True

    def _text(self, _data: str) -> None:
        self._bare = False

    def _close(self, _tag: str) -> None:
        self._depth -= 1
        self.closed = self._depth == 0
        if self._depth == 1:
            first, at = self._start - self._first, self._parser.CurrentByteIndex - self._first
            # Of `<a/>` expat reports the end behind it, of `<a></a>` at the `</a>`.
            empty = self._bare and self._data[at - 2 : at] == b"/>"
            whole = self._data[first : at if empty else self._data.index(b">", at) + 1]
            self.found.append(bytes(whole))
        self._bare = False


class DocumentReader:
    """Bytes of a document in, items out."""

    def __init__(self) -> None:
        self._pieces = _Pieces()
        self._head: list[bytes] | None = []
        self._open: dict[int, tuple[Dataset, Layout]] = {}
        self._records: list[bytes] = []
        self._size = 0
        self._number = 0
        self._counts: dict[int, int] = {}

    def feed(self, chunk: bytes) -> Iterator[Item]:
        """The items that this chunk completes. Raises `SourceError` at what is no das3 document."""
        yield from self._take(self._pieces.feed(chunk))

    def finish(self) -> Iterator[Item]:
        """What is left at the end. Raises `SourceError` (`source.truncated`) where the document does not end."""
        yield from self._take(self._pieces.feed(b"", last=True))
        if self._head:
            yield header_of(self._whole_head(), "The das3 document")

    def _take(self, pieces: list[bytes]) -> Iterator[Item]:
        """The items of some whole elements."""
        for piece in pieces:
            if self._head is not None and (not self._head or piece[1:].startswith(tuple(t.encode() for t in _HEAD))):
                self._head.append(piece)
                continue
            if self._head is not None:
                yield header_of(self._whole_head(), "The das3 document")
                self._head = None
            yield from self._element(piece)
        yield from self._batch()

    def _whole_head(self) -> bytes:
        """The root with those of its children that a stream header has."""
        root, *children = self._head or [b""]
        return root.removesuffix(b"/>") + b">" + b"".join(children) + b"</stream>"

    def _element(self, piece: bytes) -> Iterator[Item]:
        """The items of a dataset or a record."""
        element = elements.parse(piece, "The das3 document")
        number = count_of(element.get("id"))
        if element.tag == "dataset":
            yield from self._batch()
            yield from self._declare(piece, element, number)
        elif element.tag == "d":
            if number not in self._open:
                raise SourceError(
                    f"The das3 document has a record of the dataset {element.get('id')!r}, which it does not declare",
                    kind="source.stream",
                )
            if number != self._number or self._size > _BATCH:
                yield from self._batch()
            self._number = number
            _dataset, layout = self._open[number]
            self._records.append(element.text.strip().encode() + b" " * layout.tail)
            self._size += len(self._records[-1])

    def _declare(self, piece: bytes, element: Element, number: int) -> Iterator[Item]:
        """The declaration of a dataset."""
        where = f"Dataset {element.get('name') or number}"
        if not number or len(self._open) >= _MAX_DATASETS:
            raise SourceError(
                f"{where} has the id {element.get('id')!r}; documents declare up to {_MAX_DATASETS} datasets with ids"
                " from 1 on",
                kind="source.stream",
            )
        dataset, layout, remarks = declared(_as_packets(element), piece, number, where)
        self._open[number] = dataset, layout
        self._counts[number] = 0
        yield dataset
        yield from remarks

    def _batch(self) -> Iterator[Records]:
        """The records that wait."""
        if not self._records:
            return
        dataset, layout = self._open[self._number]
        ends = np.cumsum([len(record) for record in self._records], dtype=np.int64)
        starts = ends - np.array([len(record) for record in self._records], dtype=np.int64)
        columns, extras = layout.cut_columns(b"".join(self._records), starts, ends, self._counts[self._number])
        self._counts[self._number] += len(self._records)
        self._records, self._size = [], 0
        if columns:
            yield Records(dataset, columns, extras)


def _as_packets(dataset: Element) -> Element:
    """A dataset of a document as one of a stream: with what its `<packet>` elements leave out.

    Its rank is that of its index, which real documents write otherwise.
    """
    terms = [packet.get("valTerm") for packet in _packets(dataset) if packet.get("valTerm")]
    rank = str(len(dataset.get("index").split(";")))
    told = tuple((name, text) for name, text in dataset.attributes if name != "rank")
    return replace(_completed(dataset, terms[0] if terms else ""), attributes=(*told, ("rank", rank)))


def _packets(element: Element) -> Iterator[Element]:
    """All `<packet>` elements inside."""
    for child in element.children:
        if child.tag == "packet":
            yield child
        else:
            yield from _packets(child)


def _completed(element: Element, term: str) -> Element:
    """The element with whole `<packet>` elements inside."""
    if element.tag != "packet":
        return replace(element, children=tuple(_completed(child, term) for child in element.children))
    wanted = (("encoding", "utf8"), ("itemBytes", "*"), ("valTerm", term))
    more = tuple((name, text) for name, text in wanted if text and not element.has(name))
    return replace(element, attributes=(*element.attributes, *more))

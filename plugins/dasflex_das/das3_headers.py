# SPDX-License-Identifier: GPL-3.0-or-later
"""Das3 headers read: `<stream>`, `<dataset>`, `<comment>` and `<exception>` to the items of the in-memory stream."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Final

from dasflex_core.arrays import (
    VARIES,
    Comment,
    CoordinateFrame,
    Dataset,
    Dimension,
    NoData,
    Problem,
    StreamHeader,
)
from dasflex_core.errors import SourceError
from dasflex_das import elements
from dasflex_das.das3_layout import Layout, Place
from dasflex_das.das3_levels import Runs
from dasflex_das.das3_properties import read_properties
from dasflex_das.das3_values import MAX_ITEMS, count_of
from dasflex_das.das3_variables import read_variable

if TYPE_CHECKING:
    from dasflex_das.elements import Element

__all__ = ["declared", "header_of", "is_das2", "read_comment", "read_dataset", "read_exception", "read_stream"]

#: das3 has at most this many indices (das 3.0 schema, `DatasetRank`).
_MAX_RANK: Final = 8
#: Variables of one dataset that are read, and dimensions, each of which gets a name of its own.
_MAX_VARIABLES: Final = 1_000
#: Roles without which a dimension means nothing.
_NEEDED: Final = ("center", "reference", "offset")
#: The spellings of das2 for exception types (the das2 stream format, exceptions).
_TYPES = {"IllegalArgument": "QueryError", "NoDataInInterval": "NoMatchingData"}


def read_stream(body: bytes, where: str) -> StreamHeader:
    """The head of a stream. Raises `SourceError` where the body is no `<stream>` of das3 packets."""
    root = _root(body, where, "stream")
    if is_das2(root):
        from dasflex_das import das2_headers
        from dasflex_das.to_das3 import header_to_das3

        return header_to_das3(das2_headers.read_stream(root, where))
    kind = root.get("type", "das-basic-stream")
    if kind != "das-basic-stream":
        raise SourceError(f"{where} has the type {kind!r}; das-basic-stream is read", kind="source.stream")
    if root.get("compression", "none") not in ("", "none"):
        raise SourceError(f"{where} announces compression, which das3 streams do not have", kind="source.stream")
    return header_of(body, where)


def is_das2(root: Element) -> bool:
    """Whether a header is one of das2, which das2C reads behind tags of das3 too (the das3 stream format, framing)."""
    return root.tag == "packet" or (root.tag == "stream" and root.get("version").startswith("2"))


def header_of(body: bytes, where: str) -> StreamHeader:
    """The head that a `<stream>` element of packets or of a document tells."""
    root = _root(body, where, "stream")
    return StreamHeader(
        generation=3,
        properties=read_properties(root),
        frames=tuple(_frame(frame) for frame in root.all("frame")),
        extensions=tuple(elements.raw(body, extension) for extension in root.all("extension")),
        lang=root.get("lang"),
    )


def _root(body: bytes, where: str, tag: str) -> Element:
    """The root element, which must have that tag."""
    root = elements.parse(body, where)
    _check_tag(root, where, tag)
    return root


def _check_tag(root: Element, where: str, tag: str) -> None:
    """Raises `SourceError` for a root element with another tag."""
    if root.tag != tag:
        raise SourceError(f"{where} holds <{root.tag}>, where <{tag}> should be", kind="source.stream")


def _frame(frame: Element) -> CoordinateFrame:
    """One coordinate frame."""
    return CoordinateFrame(frame.get("name"), frame.get("body"), frame.get("fixed"), read_properties(frame))


def read_comment(body: bytes, where: str) -> Comment:
    """A comment; its text is the content, or the attribute `value` as in das2."""
    root = _root(body, where, "comment")
    return Comment(root.get("type"), root.text.strip() or root.get("value"), root.get("source"))


def read_exception(body: bytes, where: str) -> Problem | NoData:
    """An exception; das2 spellings of its type, and its text in the attribute `message`, are read too."""
    root = _root(body, where, "exception")
    written = root.get("type", "Unknown")
    kind, text = _TYPES.get(written, written), root.text.strip() or root.get("message")
    return NoData(text) if kind == "NoMatchingData" else Problem(kind, text)


def read_dataset(
    body: bytes, number: int, where: str, header: StreamHeader | None = None
) -> tuple[Dataset, Layout, tuple[Comment, ...]]:
    """The declaration of a dataset, the layout of its data packets, and warnings of what was left out.

    `header` is that of the stream, for the properties that a header of das2 leaves to it.

    Header values of a minor role, such as widths of channels, are left out where they cannot be read: real streams
    have too few of them. Raises `SourceError` for other things that the das 3.0 schema does not allow, naming dataset
    and variable.
    """
    root = elements.parse(body, where)
    if is_das2(root):
        return _das2_declared(root, number, header or StreamHeader(), where)
    _check_tag(root, where, "dataset")
    name = root.get("name")
    return declared(root, body, number, f"Dataset {name}" if name else where)


def declared(root: Element, body: bytes, number: int, where: str) -> tuple[Dataset, Layout, tuple[Comment, ...]]:
    """What `read_dataset` gives, for a `<dataset>` element that was parsed from `body`."""
    name = root.get("name")
    reader = _Dimensions(_index(root, where), where)
    dimensions = tuple(reader.read(element) for element in root.all("coord", "data"))
    passed = [each for element in root.all("extData") for each in _passed_over(element, where)]
    columns = [each.variable for each in reader.declared if each.variable is not None and each.variable.per_record]
    dataset = Dataset(
        id=number,
        name=name or f"dataset_{number:02d}",
        index=(VARIES, *reader.index[1:]),
        dimensions=tuple(dimension for dimension in dimensions if dimension.variables),
        wire=tuple(variable.name for variable in columns),
        properties=read_properties(root),
        generation=3,
        plot=root.get("plot"),
        extensions=tuple(elements.raw(body, extension) for extension in root.all("extension")),
        extras=tuple(elements.raw(body, extra) for extra in root.all("extData")) if passed else (),
    )
    remarks = tuple(Comment("log:warning", remark, "dasflex") for remark in reader.remarks)
    return dataset, Layout.of((*reader.declared, *passed), where), remarks


def _das2_declared(
    root: Element, number: int, header: StreamHeader, where: str
) -> tuple[Dataset, Layout, tuple[Comment, ...]]:
    """The declaration of a dataset by a header of das2, in the words of das3."""
    from dasflex_das import das2_headers
    from dasflex_das.to_das3 import dataset_to_das3

    dataset = dataset_to_das3(header, das2_headers.read_packet(root, number, header, where))
    places = tuple(
        Place(variable, variable.encoding.width, prod(variable.shape))
        for variable in dataset.columns
        if variable.encoding is not None
    )
    return dataset, Layout.of(places, where), ()


def _index(root: Element, where: str) -> tuple[int, ...]:
    """The extents of the dataset: `VARIES` or a number of 1 or more for each index."""
    entries = [entry.strip() for entry in root.get("index").split(";")]
    index = tuple(VARIES if entry == "*" else count_of(entry) for entry in entries)
    if 0 in index:
        raise SourceError(
            f"{where} has the index {root.get('index')!r}; one is written like *;128", kind="source.stream"
        )
    rank = root.get("rank", str(len(index)))
    if rank.strip() != str(len(index)) or len(index) > _MAX_RANK:
        raise SourceError(
            f"{where} has rank {rank} and {len(index)} indices; both must agree, at most {_MAX_RANK}",
            kind="source.stream",
        )
    return index


class _Dimensions:
    """Reads the dimensions of one dataset in turn, and gives each dimension and variable a name of its own."""

    def __init__(self, index: tuple[int, ...], where: str) -> None:
        self.index = index
        self.where = where
        self.declared: list[Place] = []
        self.remarks: list[str] = []
        self._left = MAX_ITEMS
        self._dimensions: set[str] = set()
        self._variables: set[str] = set()

    def read(self, element: Element) -> Dimension:
        """One `<coord>` or `<data>` with its variables, whose places on the wire go to `declared`."""
        if len(self._dimensions) >= _MAX_VARIABLES:
            raise SourceError(
                f"{self.where} has more than {_MAX_VARIABLES:,} dimensions, the most that are read",
                kind="source.stream",
            )
        name = _unique(element.get("name") or element.get("physDim") or element.tag, self._dimensions)
        dimension = Dimension(
            name=name,
            physical=element.get("physDim"),
            coordinate=element.tag == "coord",
            variables=(),
            axis=element.get("axis"),
            annotation=element.get("annotation"),
            frame=element.get("frame"),
            properties=read_properties(element),
            named=element.has("name"),
        )
        found = []
        for child in element.all("scalar", "vector"):
            role = child.get("use", "center").strip().lower()
            own = _unique(name if role == "center" else f"{name}.{role}", self._variables)
            if len(self._variables) > _MAX_VARIABLES:
                raise SourceError(
                    f"{self.where} has more than {_MAX_VARIABLES:,} variables, the most that are read",
                    kind="source.stream",
                )
            try:
                variable, place = read_variable(child, dimension, own, self.index, self._left, self.where)
            except SourceError as error:
                if child.first("packet") is not None or role in _NEEDED:
                    raise
                self.remarks.append(f"{error.message}; it is left out")
                continue
            self._left -= prod(variable.shape) if place.sequences or variable.values is not None else 0
            found.append(variable)
            self.declared.append(place)
        return replace(dimension, variables=tuple(found))


def _unique(name: str, taken: set[str]) -> str:
    """The name, or where it is taken the name with `_2`, `_3` …; it is taken from now on."""
    found, count = name, 1
    while found in taken:
        count += 1
        found = f"{name}_{count}"
    taken.add(found)
    return found


def _passed_over(element: Element, where: str) -> list[Place]:
    """The bytes of an `<extData>` element, which belong to others: they are stepped over."""
    fields = []
    for number, packet in enumerate(packet for item in element.all("object") for packet in item.all("packet")):
        name = f"{where}, extData {element.get('name')}".rstrip()
        written = packet.get("itemBytes").strip()
        count, width = count_of(packet.get("numItems")), VARIES if written == "*" else count_of(written)
        if not (count and width):
            raise SourceError(
                f"{name}: packet {number + 1} has no fixed number of items, which each must have", kind="source.stream"
            )
        runs = Runs(name, (), VARIES, count, "blob") if width == VARIES else None
        fields.append(Place(None, width, count, runs=runs))
    return fields

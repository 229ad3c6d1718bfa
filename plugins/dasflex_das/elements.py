# SPDX-License-Identifier: GPL-3.0-or-later
"""The XML of stream headers as small frozen trees: read by expat, without namespaces, entities or DTDs.

Attributes of das2 properties look like `Datum:xTagWidth="8.0 s"` and declare no namespace, so a parser that knows
namespaces refuses them (the das2 stream format, XML dialect). das3 headers are read the same way.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Never
from xml.parsers import expat

from dasflex_core.errors import SourceError
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["MAX_BYTES", "MAX_DEPTH", "Element", "attribute_text", "content_text", "parse", "raw", "serialise"]

#: The largest header that is read, in bytes: what six decimal digits can say, and a little more for das3.
MAX_BYTES = 1 << 20
#: The deepest nesting that is read. Real headers stay below ten.
MAX_DEPTH = 32


@dataclass(frozen=True, slots=True)
class Element:
    """One element: its tag as written, attributes in order, child elements, and its own character data.

    `text` is the character data directly inside, in one piece, without that of the children. `line` (from 1) is where
    the element begins in the header. `span` is the half-open range of bytes that it takes there; see `raw`.
    """

    tag: str
    attributes: tuple[tuple[str, str], ...] = ()
    children: tuple[Element, ...] = ()
    text: str = ""
    line: int = 1
    span: tuple[int, int] = (0, 0)

    def get(self, name: str, default: str = "") -> str:
        """The attribute of that name, or the default."""
        return next((text for key, text in self.attributes if key == name), default)

    def has(self, name: str) -> bool:
        """Whether the attribute was written."""
        return any(key == name for key, _text in self.attributes)

    def all(self, *tags: str) -> Iterator[Element]:
        """The children with one of these tags, in order."""
        return (child for child in self.children if child.tag in tags)

    def first(self, tag: str) -> Element | None:
        """The first child with that tag, or None."""
        return next(self.all(tag), None)


class _Open:
    """An element whose end has not come yet."""

    def __init__(self, tag: str, pairs: list[str], line: int, start: int) -> None:
        self.tag = tag
        self.attributes = tuple(zip(pairs[::2], pairs[1::2], strict=True))
        self.line = line
        self.start = start
        self.children: list[Element] = []
        self.pieces: list[str] = []

    def close(self, stop: int) -> Element:
        """The finished element."""
        text = "".join(self.pieces)
        return Element(self.tag, self.attributes, tuple(self.children), text, self.line, (self.start, stop))


class _Builder:
    """Gathers what expat reports into a tree."""

    def __init__(self, body: bytes, where: str) -> None:
        self.body = body
        self.where = where
        self.root: Element | None = None
        self.stack: list[_Open] = []
        self.shift = len(body) - len(body.lstrip())
        self.lines = body.count(b"\n", 0, self.shift)  # once: a header may begin with a million of them
        self.parser = expat.ParserCreate()
        self.parser.ordered_attributes = True
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.EntityDeclHandler = self._entity

    def _refuse(self, why: str) -> Never:
        """Raises a `SourceError` that says where the parser stands."""
        line = self.parser.CurrentLineNumber + self.lines
        column = self.parser.CurrentColumnNumber + 1
        raise SourceError(f"{self.where}: {why}, at line {line}, column {column}", kind="source.stream")

    def _doctype(self, *_about: object) -> None:
        self._refuse("a header may hold no DTD")

    def _entity(self, *_about: object) -> None:
        self._refuse("a header may declare no entities")

    def _start(self, tag: str, pairs: list[str]) -> None:
        if len(self.stack) >= MAX_DEPTH:
            self._refuse(f"elements are nested more than {MAX_DEPTH} deep")
        line = self.parser.CurrentLineNumber + self.lines
        self.stack.append(_Open(tag, pairs, line, self.parser.CurrentByteIndex + self.shift))

    def _text(self, data: str) -> None:
        if self.stack:
            self.stack[-1].pieces.append(data)

    def _end(self, _tag: str) -> None:
        own = self.stack.pop()
        at = self.parser.CurrentByteIndex + self.shift
        # Of `<a/>` expat reports the end behind it, of `<a></a>` at the `</a>`.
        empty = not own.children and not own.pieces and self.body[at - 2 : at] == b"/>"
        element = own.close(at if empty else self.body.find(b">", at) + 1 or len(self.body))
        if self.stack:
            self.stack[-1].children.append(element)
        else:
            self.root = element

    def tree(self) -> Element:
        """The root element of the whole body."""
        try:
            self.parser.Parse(self.body[self.shift :], True)
        except expat.ExpatError as error:
            line = error.lineno + self.lines
            raise SourceError(
                f"{self.where} is no well-formed XML: {expat.ErrorString(error.code)},"
                f" at line {line}, column {error.offset + 1}",
                kind="source.stream",
            ) from None
        except (LookupError, ValueError):  # the second for encodings of several bytes, which expat cannot read
            self._refuse("its prolog names an encoding that nobody knows; headers are UTF-8")
        if self.root is None:
            self._refuse("a header holds one element, and this one holds none")
        return self.root


def parse(body: bytes, where: str) -> Element:
    """The element tree of a header; `where` names the header in errors, such as `The header [01] at byte 250`.

    A prolog, comments, and blanks around the root are skipped. Raises `SourceError` (`source.stream`) with line and
    column for what is no well-formed XML, for a DTD, and for what is too large or nested too deep.
    """
    if len(body) > MAX_BYTES:
        raise SourceError(f"{where} has {len(body):,} bytes; the limit is {MAX_BYTES:,}", kind="source.stream")
    return _Builder(body, where).tree()


def raw(body: bytes, element: Element) -> str:
    """The text of an element of `parse(body, …)` exactly as it was written, for elements that are passed through."""
    start, stop = element.span
    return body[start:stop].decode("utf-8", errors="replace")


_ALWAYS = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_IN_TEXT = str.maketrans(_ALWAYS)
_IN_ATTRIBUTE = str.maketrans({**_ALWAYS, '"': "&quot;", "\n": "&#10;", "\t": "&#9;", "\r": "&#13;"})


@cache
def _illegal() -> re.Pattern[str]:
    """What XML 1.0 cannot hold, not even escaped (XML 1.0, production 2).

    To compile it takes five milliseconds, and who only reads headers does not need it.
    """
    return re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _legal(text: str) -> str:
    """The text with a question mark for each character that XML cannot hold."""
    return text if text.isascii() and text.isprintable() else _illegal().sub("?", text)


def attribute_text(text: str) -> str:
    """The text as it stands between the double quotes of an attribute: escaped, on one line."""
    return _legal(text).translate(_IN_ATTRIBUTE)


def content_text(text: str) -> str:
    """The text as it stands between tags."""
    return _legal(text).translate(_IN_TEXT)


def serialise(element: Element) -> str:
    """The element as XML, attributes in order and no blanks added: what `parse` reads as the same tree."""
    attributes = "".join(f' {name}="{attribute_text(text)}"' for name, text in element.attributes)
    inside = content_text(element.text) + "".join(serialise(child) for child in element.children)
    return f"<{element.tag}{attributes}>{inside}</{element.tag}>" if inside else f"<{element.tag}{attributes}/>"

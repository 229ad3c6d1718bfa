# SPDX-License-Identifier: GPL-3.0-or-later
"""What a das3 stream says beside its data: packets of headers, comments and exceptions. No numpy."""

from __future__ import annotations

from typing import Final

from dasflex_core.errors import SourceError
from dasflex_das.elements import attribute_text, content_text, parse

__all__ = [
    "MAX_PACKET",
    "attributes",
    "comment_packet",
    "early_header",
    "error_document",
    "header_packet",
    "problem_packet",
]

#: The largest packet that classic das tools read, in bytes.
MAX_PACKET: Final = 262_144
#: Longer messages are cut: clients show them in a box.
_LONGEST: Final = 8_000
#: Families of error kinds with an exception type of their own (the das3 stream format, exceptions).
_FAMILIES: Final = {"query": "QueryError", "not-found": "QueryError", "no-data": "NoMatchingData"}


def attributes(*pairs: tuple[str, str]) -> str:
    """The attributes of an element, each with a blank in front; those without text are left out."""
    return "".join(f' {name}="{attribute_text(text)}"' for name, text in pairs if text)


def header_packet(tag: str, number: str, element: str) -> bytes:
    """A packet that holds an element; its body begins with a line end, as classic tools write it.

    Raises `SourceError` (`source.limit`) where it is larger than classic tools read.
    """
    body = f"\n{element}".encode()
    packet = b"|%b|%b|%d|%b" % (tag.encode(), number.encode(), len(body), body)
    if len(packet) > MAX_PACKET:
        raise SourceError(
            f"A header of {len(packet):,} bytes cannot be written: das3 packets hold at most {MAX_PACKET:,}",
            kind="source.limit",
        )
    return packet


def problem_packet(kind: str, message: str) -> bytes:
    """The packet of a failure; `kind` is that of an error (`source.exit`), or an exception type (`QueryError`)."""
    written = kind if kind[:1].isupper() else _FAMILIES.get(kind.partition(".")[0], "ServerError")
    text = content_text(message if len(message) <= _LONGEST else message[: _LONGEST - 1] + "…")
    return header_packet("Ex", "", f"<exception{attributes(('type', written))}>{text}</exception>\n")


def comment_packet(comment_type: str, source: str, text: str) -> bytes:
    """The packet of a comment, such as `log:info`, `taskSize` or `taskProgress`."""
    named = f' type="{attribute_text(comment_type)}"' + attributes(("source", source))
    return header_packet("Cx", "", f"<comment{named}>{content_text(text)}</comment>\n")


def error_document(kind: str, message: str) -> bytes:
    """A whole answer that says only what went wrong: the stream header comes first (the das3 stream format)."""
    return early_header() + problem_packet(kind, message)


def early_header(later: bytes = b"") -> bytes:
    """The stream header of an answer of which nothing is known yet.

    Given the header that came later: itself where it says more than that, else nothing.
    """
    if not later:
        return header_packet("Sx", "", '<stream type="das-basic-stream" version="3.0" />\n')
    root = parse(later.split(b"|", 4)[4], "The stream header")
    named = {name for name, _text in root.attributes}
    plain = not root.children and not root.text.strip() and named <= {"type", "version", "lang"}
    return b"" if root.tag == "stream" and plain else later

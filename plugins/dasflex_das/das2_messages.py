# SPDX-License-Identifier: GPL-3.0-or-later
"""What a das2 stream says beside its data: comments and exceptions, as packets and as whole error answers. No numpy.

An exception stands in an `[xx]` packet on one line. In a stream without data the stream header comes first: clients
reject a stream that begins with `[xx]`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_das.elements import attribute_text, parse

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "NO_DATA",
    "comment_packet",
    "early_header",
    "error_document",
    "exception_type",
    "problem_packet",
    "problem_type",
]

#: The exception type that says that nothing was found, which is no error.
NO_DATA: Final = "NoDataInInterval"

#: Longer messages are cut: clients show them in a box, and das2C reads headers of 262,144 bytes at most.
_LONGEST: Final = 8_000
_TO_DAS2: Final[Mapping[str, str]] = {"QueryError": "IllegalArgument", "NoMatchingData": NO_DATA}
_TO_DAS3: Final[Mapping[str, str]] = {"IllegalArgument": "QueryError", NO_DATA: "NoMatchingData"}
#: Families of error kinds that have an exception type of their own; every other failure is the server's.
_FAMILIES: Final[Mapping[str, str]] = {"query": "IllegalArgument", "not-found": "NoSuchDataSource"}


def exception_type(kind: str) -> str:
    """The das2 exception type of an error's kind (`query.bad-time`) or of a das3 or das2 type (`QueryError`)."""
    family = kind.partition(".")[0]
    if kind[:1].isupper():
        return _TO_DAS2.get(kind, kind)
    return _FAMILIES.get(family, "ServerError")


def problem_type(written: str) -> str:
    """The das3 spelling of an exception type that stands in a das2 stream."""
    return _TO_DAS3.get(written, written)


def _packet(tag: str, body: str) -> bytes:
    """A header packet: six digits, zero padded, of the bytes that follow."""
    data = body.encode("utf-8")
    return b"%b%06d%b" % (tag.encode("ascii"), len(data), data)


def _line(text: str) -> str:
    """The text on one line, of at most `_LONGEST` characters, escaped for an attribute."""
    flat = " ".join(text.split())
    return attribute_text(flat if len(flat) <= _LONGEST else flat[: _LONGEST - 1] + "…")


def problem_packet(kind: str, message: str) -> bytes:
    """The `[xx]` packet of a failure, newline included; `kind` is an error's kind or an exception type."""
    return _packet("[xx]", f'<exception type="{_line(exception_type(kind))}" message="{_line(message)}" />\n')


def comment_packet(comment_type: str, source: str, text: str) -> bytes:
    """The `[xx]` packet of a comment, such as `log:info`, `taskSize` or `taskProgress`."""
    return _packet("[xx]", f'<comment type="{_line(comment_type)}" source="{_line(source)}" value="{_line(text)}" />\n')


def error_document(kind: str, message: str) -> bytes:
    """A whole answer that says only what went wrong, in the form that every das2 client accepts."""
    return early_header() + problem_packet(kind, message)


def early_header(later: bytes = b"") -> bytes:
    """The stream header of an answer of which nothing is known yet.

    Given the header that came later: itself where it says more than that, else nothing. A second header is tolerated by
    das2java, and its properties count.
    """
    if not later:
        return _packet("[00]", '<stream version="2.2" />\n')
    root = parse(later[10:], "The stream header")
    plain = not root.children and not root.text.strip() and {name for name, _text in root.attributes} <= {"version"}
    return b"" if root.tag == "stream" and plain else later

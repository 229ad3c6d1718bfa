# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said in streams beside the data: by the server itself, in words of some type, and by failures."""

from __future__ import annotations

import logging
import re
from html import unescape
from typing import TYPE_CHECKING, Final

from dasflex_core.errors import ConfigError
from dasflex_core.loading import load

if TYPE_CHECKING:
    from dasflex_core.streamtype import StreamTypeInfo

__all__ = ["Words", "complaint_of", "told_failure"]

#: The program that makes the comments, as they say themselves.
_SOURCE: Final = "dasflex"
#: The text of an exception: an attribute of it in das2, what is in it in das3 (the das stream formats, exceptions).
_ATTRIBUTE: Final = re.compile(r"""<exception\b[^>]*?\b(?:message|value)\s*=\s*(?:"([^"]*)"|'([^']*)')""", re.DOTALL)
_ELEMENT: Final = re.compile(r"<exception\b[^>]*>(.*?)</exception>", re.DOTALL)
#: Characters of it that are shown.
_SHOWN: Final = 1000


def told_failure(body: bytes) -> str:
    """What a failure says, on one line: the text of its das exception, else the text itself unless it is a page.

    >>> told_failure(b'[xx]000041<exception type="x" message="It is &lt;off&gt;"/>')
    'It is <off>'
    >>> told_failure(b'|Ex||47|<exception type="ServerError">It is off</exception>')
    'It is off'
    """
    text = body.decode("utf-8", "replace")
    found = _ATTRIBUTE.search(text) or _ELEMENT.search(text)
    if found:
        text = unescape(next((group for group in found.groups() if group), ""))
    elif "<html" in text.lower():
        return ""
    words = " ".join("".join(char for char in text if char.isprintable() or char.isspace()).split())
    return words[:_SHOWN]


def complaint_of(packet: bytes) -> str:
    """What the packet of a failure says, as the reader's own words; nothing where it says nothing."""
    said = told_failure(packet) if b"<exception" in packet else ""
    return f"The reader says: {said}" if said else ""


class Words:
    """The words of a stream type; all are empty where the format has none. `text` says that its messages are text."""

    def __init__(self, info: StreamTypeInfo | None) -> None:
        self.text = info is not None and info.text
        self._info = info

    def comment(self, comment_type: str, text: str) -> bytes:
        """A comment, such as `log:warning`."""
        return self._call("comment", comment_type, _SOURCE, text)

    def problem(self, kind: str, message: str) -> bytes:
        """A failure that ends the stream."""
        return self._call("problem", kind, message)

    def header(self, later: bytes = b"") -> bytes:
        """The header of a stream of which nothing is known; given that which came later, what is still to be said."""
        return self._call("header", later)

    def _call(self, name: str, *arguments: object) -> bytes:
        """What the function gives that the stream type names for something."""
        function = getattr(self._info, name, "")
        if not function:
            return b""
        try:
            made: bytes = load(function)(*arguments)
        except ConfigError as error:
            logging.getLogger("dasflex.live").warning("%s", error.message)
            return b""
        return made

# SPDX-License-Identifier: GPL-3.0-or-later
"""What the server itself says in a stream of some type: comments, and the header of a stream that has none yet."""

from __future__ import annotations

import logging
import re
from html import unescape
from typing import TYPE_CHECKING, Final

from dasflex_core.errors import ConfigError
from dasflex_core.loading import load

if TYPE_CHECKING:
    from dasflex_core.streamtype import StreamTypeInfo

__all__ = ["Words", "complaint_of"]

#: The program that makes the comments, as they say themselves.
_SOURCE: Final = "dasflex"
#: The text of an exception, in das2 and in das3 (the das stream formats, exceptions).
_MESSAGE: Final = re.compile(r'<exception\b[^>]*?(?:\bmessage\s*=\s*"([^"]*)"|>([^<]*)<)', re.DOTALL)


def complaint_of(packet: bytes) -> str:
    """What the packet of a failure says: the `message` of a das2 exception, the text of a das3 one.

    >>> complaint_of(b'[xx]000041<exception type="x" message="It is &lt;off&gt;"/>')
    'The reader says: It is <off>'
    >>> complaint_of(b'|Ex||47|<exception type="ServerError">It is off</exception>')
    'The reader says: It is off'
    """
    found = _MESSAGE.search(packet.decode("utf-8", "replace"))
    said = " ".join(unescape(found[1] or found[2] or "").split()) if found else ""
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

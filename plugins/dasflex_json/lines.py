# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON lines as packets: what kind each is, and what the server itself says in them. Nothing of a line is parsed."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from dasflex_core.errors import SourceError
from dasflex_core.stages import Frame

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["LinesFramer", "comment_line", "problem_line"]

#: Bytes in the longest line that is read. An item of records holds 65,536 values, or one record.
LONGEST: Final = 1 << 27
#: Longer messages are cut: clients show them on a line.
_MOST_TEXT: Final = 8_000
_KIND: Final = re.compile(rb'\{"(form|dataset|records|comment|nodata|problem)":(?:(\d+),"(count)")?(\d*)')
#: The kind of packet by the first word of a line. The last line, `records` without a `count`, is a remark.
_KINDS: Final = {b"form": "header", b"dataset": "dataset", b"problem": "problem"}
#: Families of error kinds with an exception type of their own (the das3 stream format, exceptions).
_FAMILIES: Final = {"query": "QueryError", "not-found": "QueryError", "no-data": "NoMatchingData"}


class LinesFramer:
    """Bytes in, whole lines out. A `Framer`."""

    def __init__(self) -> None:
        self._held: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes, /) -> Iterator[Frame]:
        """The lines that this chunk ends, each with its line feed. Raises `SourceError` at what is no line of these."""
        start = 0
        while end := chunk.find(b"\n", start) + 1:
            line = b"".join((*self._held, chunk[start:end]))
            self._held, self._size, start = [], 0, end
            yield _frame(line)
        if start < len(chunk):
            self._held.append(chunk[start:])
            self._size += len(chunk) - start
            if self._size > LONGEST:
                raise SourceError(f"A line of JSON has more than {LONGEST:,} bytes", kind="source.stream")

    def finish(self) -> Iterator[Frame]:
        """Nothing. Raises `SourceError` where the stream ends inside a line."""
        if self._size:
            raise SourceError(
                f"The stream ends inside a line, of which {self._size:,} bytes are there", kind="source.truncated"
            )
        return iter(())


def _frame(line: bytes) -> Frame:
    """A line as a packet."""
    found = _KIND.match(line)
    if found is None:
        raise SourceError(
            f"A line that begins with {line[:12]!r} is none of dasflex's JSON lines", kind="source.stream"
        )
    word, records, counted, number = found.groups()
    if counted:
        return Frame("data", int(records), line)
    return Frame(_KINDS.get(word, "comment"), int(number) if word == b"dataset" and number else 0, line)


def comment_line(comment_type: str, source: str, text: str) -> bytes:
    """The line of a comment, such as `log:warning`."""
    return _line({"comment": comment_type, "text": text, "source": source})


def problem_line(kind: str, message: str) -> bytes:
    """The line of a failure; `kind` is that of an error (`source.exit`), or an exception type (`QueryError`)."""
    written = kind if kind[:1].isupper() else _FAMILIES.get(kind.partition(".")[0], "ServerError")
    return _line({"problem": written, "message": message})


def _line(texts: dict[str, str]) -> bytes:
    """An object on a line."""
    cut = {name: text if len(text) <= _MOST_TEXT else f"{text[: _MOST_TEXT - 1]}…" for name, text in texts.items()}
    return json.dumps(cut, separators=(",", ":")).encode() + b"\n"

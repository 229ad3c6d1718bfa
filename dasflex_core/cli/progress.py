# SPDX-License-Identifier: GPL-3.0-or-later
"""A line on the terminal that says how far a transfer is, and the words for sizes and times."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Final, Self, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Progress", "size_text"]

_PERIOD: Final = 0.1


def size_text(count: float) -> str:
    """Bytes in three digits with a decimal unit.

    >>> size_text(999), size_text(1_234_567)
    ('999 B', '1.23 MB')
    """
    for unit in ("B", "kB", "MB", "GB"):
        if count < 999.5:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"


class Progress:
    """Says on a line of `stream` how many bytes have passed and how fast; nothing where that is no terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream if stream.isatty() else None
        self._begun = monotonic()
        self._shown = self._begun
        self.bytes = 0

    def watch(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """The same chunks, counted."""
        for chunk in chunks:
            yield chunk
            self.bytes += len(chunk)
            if self._stream is not None and monotonic() - self._shown > _PERIOD:
                self._show(self._stream)

    def _show(self, stream: TextIO) -> None:
        self._shown = monotonic()
        seconds = self._shown - self._begun
        speed = size_text(self.bytes / seconds)
        stream.write(f"\r{size_text(self.bytes):>8}  {seconds:5.1f} s  {speed:>8}/s \x1b[K")
        stream.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_reason: object) -> None:
        """Takes the line away."""
        if self._stream is not None and self._shown != self._begun:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

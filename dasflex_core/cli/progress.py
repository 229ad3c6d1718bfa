# SPDX-License-Identifier: GPL-3.0-or-later
"""A line on the terminal that says how far a transfer is."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING, Final, Self, TextIO

from dasflex_core.prices import amount

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Progress"]

_PERIOD: Final = 0.1


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
        speed = amount(self.bytes / seconds)
        stream.write(f"\r{amount(self.bytes):>8}  {seconds:5.1f} s  {speed:>8}/s \x1b[K")
        stream.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_reason: object) -> None:
        """Takes the line away."""
        if self._stream is not None and self._shown != self._begun:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

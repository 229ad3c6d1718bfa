# SPDX-License-Identifier: GPL-3.0-or-later
"""The log of a request: what its programs said on standard error, in a file that appears with their first words."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Protocol

__all__ = ["Log", "ReaderLog"]

#: Bytes that one request may log; a program that complains without end does not fill the disk.
LONGEST: Final = 1 << 20


class Log(Protocol):
    """Takes what programs say on standard error. What it raises as `OSError` or `ValueError` ends the logging only."""

    def write(self, data: bytes, /) -> object:
        """Takes some bytes."""
        ...

    def flush(self) -> object:
        """Makes them last."""
        ...


class ReaderLog:
    """The file `ID.log` of a request below a directory, at most 1 MiB long."""

    def __init__(self, directory: str | Path, identifier: str) -> None:
        self._path = Path(directory) / f"{identifier}.log"
        self._left = LONGEST

    def write(self, data: bytes, /) -> None:
        """Appends to the file. Raises `OSError` where that cannot be written."""
        kept = data[: self._left]
        if not kept:
            return
        self._path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            file.write(kept)
        self._left -= len(kept)

    def flush(self) -> None:
        """Nothing is held back."""

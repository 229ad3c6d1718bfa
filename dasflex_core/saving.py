# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes an answer to a file: whole, or not at all."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

__all__ = ["saved"]


def saved(named: Path, chunks: Callable[[], Iterable[bytes]]) -> Path:
    """Writes what `chunks` gives to a file, and gives its path. Where that breaks, the file stays as it was.

    What is no plain file, such as a pipe or a device, is written to and not replaced; of a link, what it leads to is.
    """
    if named.exists() and not named.is_file():
        _write(chunks(), named)
        return named
    target = named.resolve()
    partial = target.with_name(f".dasflex-{os.urandom(6).hex()}.part")
    try:
        _write(chunks(), partial)
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return named


def _write(chunks: Iterable[bytes], path: Path) -> None:
    """Writes bytes to a file as they come."""
    with path.open("wb") as file:
        for chunk in chunks:
            file.write(chunk)

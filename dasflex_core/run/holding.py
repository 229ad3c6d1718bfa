# SPDX-License-Identifier: GPL-3.0-or-later
"""The promise of an instrument that admits one reader, kept by all programs that share a root."""

from __future__ import annotations

import fcntl
import os
import re
from typing import TYPE_CHECKING

from dasflex_core.errors import BusyError, ConfigError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Lock"]


class Lock:
    """The right to read an instrument, held from now until `release` or the end of this process.

    Raises `BusyError` where another process holds it, `ConfigError` where nothing can be written.
    """

    def __init__(self, directory: Path, source: str) -> None:
        name = re.sub(r"[^a-z0-9_.+-]", "=", source.lower())  # an id has none of these but the slash
        path = directory / f"live-{name}.lock"
        try:
            directory.mkdir(parents=True, exist_ok=True)
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o660)
        except OSError as error:
            raise ConfigError(f"{path} cannot be written: {error.strerror}", kind="config.unreadable") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            raise BusyError(
                f"{source} admits one reader at a time, and another program of this site reads it", kind="busy.limit"
            ) from None

    def release(self) -> None:
        """Gives the right back."""
        os.close(self._descriptor)

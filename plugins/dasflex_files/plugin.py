# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plugin provides: readers of file collections, and the verb that writes their definitions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_core.hookspecs import ReaderKind, hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["KIND", "dasflex_reader_kinds"]

KIND: Final = ReaderKind(
    "files", "Collections of CDF, CSV, NetCDF, Parquet and das files", "files", "dasflex_files.binding:bind"
)


@hookimpl
def dasflex_reader_kinds(register: Callable[[ReaderKind], None]) -> None:
    """Registers the reader of files."""
    register(KIND)

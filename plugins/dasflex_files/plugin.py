# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plugin provides: readers of file collections, and the verb that writes their definitions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_core.hookspecs import DefinitionTable, ReaderKind, hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable

    import click

__all__ = ["KIND", "dasflex_commands", "dasflex_definition_tables", "dasflex_reader_kinds"]

KIND: Final = ReaderKind(
    "files", "Collections of CDF, CSV, NetCDF, Parquet and das files", "files", "dasflex_files.binding:bind"
)


@hookimpl
def dasflex_reader_kinds(register: Callable[[ReaderKind], None]) -> None:
    """Registers the reader of files."""
    register(KIND)


@hookimpl
def dasflex_definition_tables(register: Callable[[DefinitionTable], None]) -> None:
    """Registers `[files]`: how tables of text are laid out, where it cannot be seen."""
    keys = ("delimiter", "comment", "skip", "columns", "missing")
    register(DefinitionTable("files", "How the tables of text of a collection are laid out", keys=keys))


@hookimpl
def dasflex_commands(register: Callable[[click.Command], None]) -> None:
    """Registers `dasflex init`."""
    from dasflex_files.init_command import init

    register(init)

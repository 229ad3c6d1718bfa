# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that a plugin may provide: the typed hooks, in the order in which they are called.

A plugin is a module named by an entry point of the group `dasflex`. Each of its hooks is a function marked with
`hookimpl`, which is given `register` and calls it with what the plugin declares. Hooks declare and do nothing else:
they import no format library, open no file and start nothing. All are called once, when the registry is made, or
never, where a fresh manifest already holds what they said; `dasflex_commands` only by the `dasflex` command.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pluggy

from dasflex_core.declarations import (
    Authenticator,
    ClassicProgram,
    Convention,
    DefinitionImporter,
    DefinitionTable,
    Family,
    Mount,
    Summing,
    TaskKind,
)
from dasflex_core.extras import Extra

if TYPE_CHECKING:
    from collections.abc import Callable

    import click

    from dasflex_core.stages import StageSpec
    from dasflex_core.streamtype import StreamTypeInfo

__all__ = [
    "API_VERSION",
    "Authenticator",
    "ClassicProgram",
    "Convention",
    "DefinitionImporter",
    "DefinitionTable",
    "Extra",
    "Family",
    "Mount",
    "Summing",
    "TaskKind",
    "hookimpl",
]

PROJECT = "dasflex"
#: The version of what plugins build on: these hooks, what they register, `dasflex_core.stages` and `arrays`. The first
#: number grows where a plugin may have to be changed, the second where something is added.
API_VERSION: Final = "1.0"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def dasflex_stages(register: Callable[[StageSpec | type], None]) -> None:
    """Registers stages: a `StageSpec`, or a class made from `Reducer`, `Formatter` or `Decoder`."""


@hookspec
def dasflex_stream_types(register: Callable[[StreamTypeInfo], None]) -> None:
    """Registers stream types that leave the process, with media type and suffix."""


@hookspec
def dasflex_families(register: Callable[[Family], None]) -> None:
    """Registers families of parameters with their place in the order of a path."""


@hookspec
def dasflex_conventions(register: Callable[[Convention], None]) -> None:
    """Registers conventions: how a kind of client names parameters."""


@hookspec
def dasflex_definition_importers(register: Callable[[DefinitionImporter], None]) -> None:
    """Registers readers of other forms of definition, such as DSDF."""


@hookspec
def dasflex_definition_tables(register: Callable[[DefinitionTable], None]) -> None:
    """Registers tables of the definition file that the plugin understands."""


@hookspec
def dasflex_classic_programs(register: Callable[[ClassicProgram], None]) -> None:
    """Registers classic programs whose work stages of the plugin do."""


@hookspec
def dasflex_mounts(register: Callable[[Mount], None]) -> None:
    """Registers WSGI applications below a path, for whole client protocols. They are loaded by servers only."""


@hookspec
def dasflex_authenticators(register: Callable[[Authenticator], None]) -> None:
    """Registers back ends that check credentials."""


@hookspec
def dasflex_task_kinds(register: Callable[[TaskKind], None]) -> None:
    """Registers kinds of background tasks: what workers do, and what may be put on work-lists."""


@hookspec
def dasflex_summings(register: Callable[[Summing], None]) -> None:
    """Registers how bins are kept in cache blocks, so that wider ones can be made of them."""


@hookspec
def dasflex_extras(register: Callable[[Extra], None]) -> None:
    """Registers what depends on a library that need not be installed: stages and stream types, used where it is."""


@hookspec
def dasflex_commands(register: Callable[[click.Command], None]) -> None:
    """Registers verbs of the `dasflex` command. Called by the command line only."""

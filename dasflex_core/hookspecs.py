# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that a plugin may provide: the typed hooks, in the order in which they are called.

A plugin is a module named by an entry point of the group `dasflex`. Each of its hooks is a function marked with
`hookimpl`, which is given `register` and calls it with what the plugin declares. Hooks declare and do nothing else:
they import no format library, open no file and start nothing. All are called once, when the registry is made, or
never, where a fresh manifest already holds what they said; `dasflex_commands` only by the `dasflex` command,
`dasflex_mounts` only by a server.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pluggy

from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    import click

    from dasflex_core.stages import StageSpec
    from dasflex_core.streamtype import StreamTypeInfo

__all__ = [
    "Authenticator",
    "Convention",
    "DefinitionImporter",
    "DefinitionTable",
    "Family",
    "Mount",
    "TaskKind",
    "hookimpl",
]

PROJECT = "dasflex"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@dataclass(frozen=True, slots=True)
class Family:
    """A family of parameters and its place: a path consumes families in the order of their places.

    The core's are read (100), dft (200), calc (300), bin (400), view (500) and format (600).
    """

    name: str
    place: int
    title: str


@dataclass(frozen=True, slots=True)
class Convention:
    """How a kind of client names parameters.

    `translate` is `module:name` of a function `(pairs, definition) -> list of canonical pairs`, which raises
    `QueryError`. `lenient` drops, with a `log:info` comment, what no stage can consume. `goal` is the stream type
    (`das/2`) of a request that names none; blank: the reader's own.
    """

    name: str
    title: str
    translate: str
    lenient: bool = False
    goal: str = ""


@dataclass(frozen=True, slots=True)
class DefinitionImporter:
    """Reads another form of definition: files with this suffix, by `module:name` of `(text, Place) -> TOML tables`."""

    name: str
    suffix: str
    title: str
    read: str


@dataclass(frozen=True, slots=True)
class DefinitionTable:
    """A table of definitions that belongs to a plugin, such as `[hapi]`.

    `keys` are its known keys, other than those of a partial request, which are allowed where `request` is true;
    `many` allows `[[name]]`.
    """

    name: str
    title: str
    keys: tuple[str, ...] = ()
    request: bool = False
    many: bool = False


@dataclass(frozen=True, slots=True)
class Mount:
    """A WSGI application below a path of the server, by `module:name` of a function `(site) -> application`."""

    path: str
    title: str
    application: str


@dataclass(frozen=True, slots=True)
class Authenticator:
    """A back end that checks credentials, by `module:name` of a function `(user, secret, config) -> bool`."""

    name: str
    title: str
    check: str


@dataclass(frozen=True, slots=True)
class TaskKind:
    """A kind of background task, by `module:name` of the function that does it."""

    name: str
    title: str
    run: str


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
def dasflex_mounts(register: Callable[[Mount], None]) -> None:
    """Registers WSGI applications below a path, for whole client protocols. Called by servers only."""


@hookspec
def dasflex_authenticators(register: Callable[[Authenticator], None]) -> None:
    """Registers back ends that check credentials."""


@hookspec
def dasflex_task_kinds(register: Callable[[TaskKind], None]) -> None:
    """Registers kinds of background tasks for work-lists."""


@hookspec
def dasflex_commands(register: Callable[[click.Command], None]) -> None:
    """Registers verbs of the `dasflex` command. Called by the command line only."""

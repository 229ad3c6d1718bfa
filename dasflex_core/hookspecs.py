# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that a plugin may provide: the typed hooks, in the order in which they are called.

A plugin is a module named by an entry point of the group `dasflex`. Each of its hooks is a function marked with
`hookimpl`, which is given `register` and calls it with what the plugin declares. Hooks declare and do nothing else:
they import no format library, open no file and start nothing. All are called once, when the registry is made, or
never, where a fresh manifest already holds what they said; `dasflex_commands` only by the `dasflex` command.

The docstrings of the hooks are what the guide for authors of plugins, `docs/plugins.md`, says of them: write Markdown,
and the path of another page, such as `docs/glossary.md`, where it shall lead there.
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
    ReaderKind,
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
    "ReaderKind",
    "Summing",
    "TaskKind",
    "hookimpl",
]

PROJECT = "dasflex"
#: The version of what plugins build on: these hooks, what they register, and the modules that `docs/plugins.md` names.
#: The first number grows where a plugin may have to be changed, the second where something is added.
API_VERSION: Final = "1.0"
hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def dasflex_stages(register: Callable[[StageSpec | type], None]) -> None:
    """Registers stages: readers, reducers, formatters and converters.

    What a stage *is* follows from what it accepts and produces. A class made from `Reducer`, `Formatter`,
    `FileFormatter` or `Decoder` declares itself by its class line and `param()`. What no base fits, such as an
    in-process reader (`Producer`), is declared by a `StageSpec`; so is a class whose module imports a large library at
    its top.
    """


@hookspec
def dasflex_stream_types(register: Callable[[StreamTypeInfo], None]) -> None:
    """Registers stream types that leave the process, with media type and suffix.

    A new format registers its type beside its formatter. A type says, too, whether a person can read it and whether it
    holds more than one dataset, and names the code that splits it into packets, writes a comment or a failure into it,
    begins it while there are no data yet, adds to its header what the server knows of the answer, and verifies it for
    `dasflex check`. Of a format that is made as a whole, `limit` is the key of the configuration that says how many
    bytes an answer may have.
    """


@hookspec
def dasflex_families(register: Callable[[Family], None]) -> None:
    """Registers families of parameters with their place in the order of a path.

    The name of a parameter begins with its family. A plan consumes families in the order of their places.
    """


@hookspec
def dasflex_conventions(register: Callable[[Convention], None]) -> None:
    """Registers conventions: how a kind of client names parameters.

    A convention is a function from its names to the canonical ones, whether what nothing consumes is dropped or
    refused, and the stream type of a request that names none.
    """


@hookspec
def dasflex_definition_importers(register: Callable[[DefinitionImporter], None]) -> None:
    """Registers readers of other forms of definition, such as DSDF.

    ```python
    from dasflex_core.catalog.importing import Imported
    from dasflex_core.errors import Place


    def read_ini(text, file, include):
        return Imported({"title": text}, origins={("title",): Place(file, 1, "name")})
    ```

    An `Imported` has the tables that the TOML would give, and where each key of them comes from, so that a fault is
    told at its line under its own name. `findings` make the definition wrong and `warnings` do not; `may_lack` are keys
    whose absence is only a warning; `comments` go into the TOML that `dasflex convert` writes; `included` are the other
    files that were read, so that a change of one is seen. DSDF and JSON are read by importers of the core's own.
    """


@hookspec
def dasflex_definition_tables(register: Callable[[DefinitionTable], None]) -> None:
    """Registers tables of the definition file that the plugin understands, such as `[hapi]` or `[das1]`.

    A stage is given what stands in its table by `tells` of its declaration.
    """


@hookspec
def dasflex_reader_kinds(register: Callable[[ReaderKind], None]) -> None:
    """Reads sources without a program: those whose definition says `reader.files`, or `reader.url` with the scheme.

    `bind` names a function `(reader, setting) -> OwnReader` (both in `dasflex_core.plan.own_readers`), called whenever
    a request of such a source is planned. It gives the declaration of a stage that accepts nothing and is a `Producer`,
    and what its factory is to be called with. A producer gives items, or the bytes of a stream where its stage produces
    one.
    """


@hookspec
def dasflex_classic_programs(register: Callable[[ClassicProgram], None]) -> None:
    """Registers classic programs whose work stages of the plugin do.

    `dasflex filter das2_psd 1024 2` then needs no such program, nor do commands of definitions
    (`docs/reference/definitions.md#classic-programs-in-commands`). A plan is made before there is any input: the
    function is then given an empty beginning, for which the arguments must do.
    """


@hookspec
def dasflex_mounts(register: Callable[[Mount], None]) -> None:
    """Registers WSGI applications below a path of the server, for whole client protocols.

    Servers load one when it is asked for.
    """


@hookspec
def dasflex_authenticators(register: Callable[[Authenticator], None]) -> None:
    """Registers back ends that check credentials (`docs/howto/protect-a-source.md`)."""


@hookspec
def dasflex_task_kinds(register: Callable[[TaskKind], None]) -> None:
    """Registers kinds of background tasks: what workers do, and what may be put on work-lists.

    `dasflex_core.tasks.Work` has the site, the arguments, and `tell(fraction, doing)` for the progress of a task
    (`docs/howto/run-background-work.md`). What is done must be right when it is done twice, or was done half before.
    Errors of the kinds `query`, `not-found`, `access` and `config` are not tried again.
    """


@hookspec
def dasflex_summings(register: Callable[[Summing], None]) -> None:
    """Registers how bins of time are kept in cache blocks, so that wider ones can be made of them.

    The bundled one is that of `bin-average` (`docs/howto/cache-a-source.md`). Only the first that is registered counts.
    """


@hookspec
def dasflex_extras(register: Callable[[Extra], None]) -> None:
    """Registers what depends on a library that need not be installed: stages and stream types, used where it is.

    The library is looked for and not imported. Where it is found, what is registered is used like all else. Where not,
    the page of a source and `dasflex check --can` tell what it would add, and whoever asks for it is told what to
    install. Such stages are declared by `StageSpec`, so that nothing of the library is imported.
    """


@hookspec
def dasflex_commands(register: Callable[[click.Command], None]) -> None:
    """Registers verbs of the `dasflex` command. Called by the command line only."""

# SPDX-License-Identifier: GPL-3.0-or-later
"""From a definition file to a `Definition`: read, inherited, validated, with all that is wrong and its place."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from dasflex_core.catalog.documents import (
    Directories,
    Document,
    describes_directory,
    faults_of,
    load_document,
    merged,
    parse_document,
)
from dasflex_core.catalog.findings import Finding, Places, Problems, raise_for
from dasflex_core.catalog.keys import DEFINITION, DIRECTORY, OWN_KEYS
from dasflex_core.catalog.model import Definition, ExternalStage, Reader
from dasflex_core.catalog.rules import check_rules
from dasflex_core.catalog.walk import CORE, Vocabulary, Walk
from dasflex_core.errors import Place
from dasflex_core.plan.template_syntax import PYTHON, Insert, parse_commands
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import PurePath

__all__ = [
    "DEFINITION_FILE",
    "Reading",
    "completed_stages",
    "examination",
    "examine",
    "examine_directory",
    "examine_file",
    "id_of",
    "is_source_file",
    "problems",
    "read_definition",
    "read_text",
]

#: The definition of a source that has a directory of its own; it may have the suffix of another form.
DEFINITION_FILE: Final = "source.toml"
_SOURCE: Final = DEFINITION_FILE.removesuffix(".toml")


@dataclass(frozen=True, slots=True)
class Reading:
    """What came of reading a definition: either it, or what is wrong. `warnings` are worth a look and nothing more.

    `included` are the other files that its own file includes.
    """

    definition: Definition | None
    findings: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()
    included: tuple[str, ...] = ()


def read_definition(path: Path, *, root: Path, vocabulary: Vocabulary = CORE) -> Definition:
    """The definition in a file below `root`, with what the directories from there down to it pass on.

    Raises one `ConfigError` that lists all that is wrong, each with file, line and the key's path.
    """
    return _definition(examine_file(path, Directories(root, vocabulary.forms), vocabulary))


def read_text(
    text: str,
    *,
    id: str = "",  # noqa: A002  the word of the format
    file: str = DEFINITION_FILE,
    directory: str = "",
    inherited: Sequence[Document] = (),
    vocabulary: Vocabulary = CORE,
) -> Definition:
    """The definition that is this TOML text. `id` counts where the text names none; `file` is named in errors.

    `directory` is where its commands run; `inherited` is what it inherits, the nearest first. Raises `ConfigError`
    as `read_definition` does.
    """
    document = parse_document(text, file)
    if isinstance(document, Finding):
        return _definition(Reading(None, (document,)))
    return _definition(examine(document, id=id, directory=directory, inherited=inherited, vocabulary=vocabulary))


def problems(path: Path, *, root: Path | None = None, vocabulary: Vocabulary = CORE) -> tuple[Finding, ...]:
    """All that is wrong with a definition, or with a `_dirinfo_.toml`; nothing where all is well.

    Without `root` it is the directory around the source: that of its file, or the one above a `source.toml`.
    """
    return examination(path, root=root, vocabulary=vocabulary).findings


def examination(path: Path, *, root: Path | None = None, vocabulary: Vocabulary = CORE) -> Reading:
    """What `problems` looks at; with the warnings, and with the definition where one is right."""
    if describes_directory(path):
        document = load_document(path, vocabulary.forms)
        return examine_directory(document, vocabulary)
    path = path.absolute()
    own = path.parent.parent if is_source_file(path) else path.parent
    return examine_file(path, Directories(root or own, vocabulary.forms), vocabulary)


def is_source_file(path: PurePath) -> bool:
    """Whether a definition is that of the directory that it is in."""
    return path.stem == _SOURCE


def id_of(path: Path, root: Path) -> str:
    """The id of a definition file by its place below `root`; empty for a `source.toml` in `root` itself."""
    relative = path.relative_to(root)
    named = relative.parent if is_source_file(relative) else relative.with_suffix("")
    return named.as_posix().removeprefix(".")


def _definition(reading: Reading) -> Definition:
    raise_for(reading.findings)
    if reading.definition is None:
        raise TypeError("a reading without findings has a definition")
    return reading.definition


def examine_file(path: Path, directories: Directories, vocabulary: Vocabulary = CORE) -> Reading:
    """The definition in a file below the root of `directories`, or all that is wrong with it."""
    path = path.absolute()
    if not path.is_relative_to(directories.root):
        outside = f"this file is not below {directories.root}, so that it has no id"
        return Reading(None, (Finding("config.bad-value", outside, Place(str(path))),))
    document = load_document(path, vocabulary.forms)
    above = directories.inherited(path.parent)
    broken = faults_of((document, *above))
    if isinstance(document, Finding):
        return Reading(None, broken)
    if broken:
        return Reading(None, broken, document.warnings)
    inherited = tuple(each for each in above if isinstance(each, Document))
    identifier = id_of(path, directories.root)
    directory = str(path.parent)
    reading = examine(document, id=identifier, directory=directory, inherited=inherited, vocabulary=vocabulary)
    return replace(reading, included=document.imported.included if document.imported else ())


def examine(
    document: Document,
    *,
    id: str = "",  # noqa: A002  the word of the format
    directory: str = "",
    inherited: Iterable[Document] = (),
    vocabulary: Vocabulary = CORE,
) -> Reading:
    """The definition that a document writes, or all that is wrong with it; the arguments are those of `read_text`."""
    sources = (document, *inherited)
    tables = document.tables
    for each in sources[1:]:
        tables = merged(tables, {name: value for name, value in each.tables.items() if name not in OWN_KEYS})
    found = Problems(Places(sources))
    fields = Walk(vocabulary, found).fields(DEFINITION, tables)
    whole = {"id": id, "title": "", "file": document.file, "directory": directory, **fields}
    definition = _completed(Definition(**whole), found)
    check_rules(definition, vocabulary, found)
    findings, minor = found.parted(document.may_lack)
    warnings = (*document.warnings, *(() if definition.moved else minor))
    return Reading(None, findings, warnings) if findings else Reading(definition, (), warnings)


def examine_directory(document: Document | Finding, vocabulary: Vocabulary = CORE) -> Reading:
    """All that is wrong with a `_dirinfo_.toml`; it never has a definition."""
    broken = faults_of((document,))
    if broken or isinstance(document, Finding):
        return Reading(None, broken)
    found = Problems(Places((document,)))
    Walk(vocabulary, found, partial=True).fields(DIRECTORY, document.tables)
    return Reading(None, found.made(), document.warnings)


# -- what a definition leaves to be understood


def _completed(definition: Definition, found: Problems) -> Definition:
    """The definition with the names, types and directories that it does not write."""
    several = len(definition.readers) > 1
    readers = tuple(
        replace(
            reader,
            name=reader.name or (f"reader-{place}" if several else "reader"),
            directory=str(Path(definition.directory, reader.directory)) if reader.directory else "",
        )
        for place, reader in enumerate(definition.readers, 1)
    )
    return replace(definition, readers=readers, stages=tuple(completed_stages(definition.stages, readers, found)))


def completed_stages(
    stages: Sequence[ExternalStage], readers: Sequence[Reader], found: Problems
) -> Iterable[ExternalStage]:
    """The stages with the names and types that they leave to be understood; notes where a type cannot be."""
    written = next((reader.writes for reader in readers if reader.writes), "")
    names: list[str] = []
    for place, stage in enumerate(stages):
        accepts = stage.accepts or written
        if not accepts and not found.within(("stage", place)):
            found.add(("stage", place, "accepts"), "is missing: no reader says what it writes", "config.missing")
        name = _program(stage.command)
        names.append(name)
        count = names.count(name)
        yield replace(
            stage, name=f"{name}-{count}" if count > 1 else name, accepts=accepts, writes=stage.writes or accepts
        )


def _program(command: str) -> str:
    """What a command is called: its program, or the script that it is given, without directory and suffix."""
    if not command:
        return ""
    words = [
        "".join(piece for piece in argument if isinstance(piece, str))
        for argument in parse_commands(command)[0]
        if not any(isinstance(piece, Insert) and piece.name == PYTHON for piece in argument)
    ]
    return Path(words[0]).stem if words and words[0] else "stage"

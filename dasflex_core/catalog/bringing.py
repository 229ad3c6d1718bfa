# SPDX-License-Identifier: GPL-3.0-or-later
"""Bringing definition files into a root: under which id, whether they are right there, and the copy.

A file that is below `definitions/` stays where it is. Another one is copied to the place of its id; a `source.toml`
comes with what is in its directory, since its readers may be there.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from dasflex_core.catalog.documents import Directories, Document, faults_of, load_document, place_in
from dasflex_core.catalog.findings import Finding
from dasflex_core.catalog.identifiers import folded, id_fault
from dasflex_core.catalog.read_toml import Reading, examine, examine_file, id_of, is_source_file
from dasflex_core.errors import DasflexError, Place
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dasflex_core.catalog.changing import Changes
    from dasflex_core.catalog.tree import Catalog
    from dasflex_core.catalog.walk import Vocabulary

__all__ = ["Brought", "bring", "copy", "named", "read_as"]

#: A directory that holds more than this is no definition with its readers.
_MOST_FILES: Final = 200
_MOST_BYTES: Final = 20_000_000


@dataclass(frozen=True, slots=True)
class Brought:
    """A definition file that belongs into a root: where it is, where it goes, and what came of reading it there."""

    file: Path
    target: Path
    reading: Reading

    @property
    def is_there(self) -> bool:
        """Whether it is in its place already."""
        return self.file == self.target


def named(file: Path, vocabulary: Vocabulary, *, identifier: str = "", below: Path | None = None) -> str:
    """The id of a definition file: the one given, what it says itself, or its path below a directory.

    Without a directory it is the name of the file, or of the directory around a `source.toml`.
    """
    if identifier:
        return identifier
    document = load_document(file, vocabulary.forms)
    own = document.tables.get("id") if isinstance(document, Document) else None
    if isinstance(own, str) and own:
        return own
    file = file.absolute()
    if below is not None and file.is_relative_to(below.absolute()):
        return id_of(file, below.absolute())
    return file.parent.name if is_source_file(file) else file.stem


def read_as(file: Path, identifier: str, folder: Path, directories: Directories, vocabulary: Vocabulary) -> Reading:
    """What a file says as the definition of an id in a folder, with what directories pass on to it there."""
    document = load_document(file, vocabulary.forms)
    above = directories.inherited(folder)
    broken = faults_of((document, *above))
    if isinstance(document, Finding) or broken:
        return Reading(None, broken)
    inherited = [each for each in above if isinstance(each, Document)]
    reading = examine(document, id=identifier, directory=str(folder), inherited=inherited, vocabulary=vocabulary)
    if reading.definition is not None and folded(reading.definition.id) != folded(identifier):
        message = f"its own id is {reading.definition.id!r}; remove that, or leave {identifier!r} out"
        return Reading(None, (Finding("config.bad-value", message, Place(str(file), key="id")),))
    return reading


def bring(file: Path, identifier: str, definitions: Path, catalog: Catalog, vocabulary: Vocabulary) -> Brought:
    """Where a definition file goes below `definitions`, and whether it is right there. Nothing is written."""
    file = file.absolute()
    directories = Directories(definitions, vocabulary.forms)
    if file.is_relative_to(definitions):
        return Brought(file, file, examine_file(file, directories, vocabulary))
    fault = id_fault(identifier)
    if fault:
        return Brought(file, file, Reading(None, (Finding("config.bad-value", fault, Place(str(file), key="id")),)))
    rival = _rival(file, identifier, catalog, vocabulary)
    if rival is not None:
        return Brought(file, file, Reading(None, (rival,)))
    target = _place(file, identifier, definitions, catalog)
    return Brought(file, target, read_as(file, identifier, target.parent, directories, vocabulary))


def _rival(file: Path, identifier: str, catalog: Catalog, vocabulary: Vocabulary) -> Finding | None:
    """What is wrong with an id that leads to another source: one that differs only in case, or had it before."""
    try:
        present = catalog.find(identifier)
    except DasflexError:  # it is new
        return None
    if present.id == identifier or not Path(present.file).exists():
        return None
    if folded(present.id) == folded(identifier):
        why = f"is that of {present.file} too, since ids match without regard to case; write {present.id!r}"
        message = f"the id {identifier!r} {why} to replace that, remove that file, or give this one another id"
    else:
        message = f"the id {identifier!r} leads to {present.id}, of {present.file}; give this one another id"
    return Finding("config.bad-value", message, place_in(file, ("id",), vocabulary.forms))


def _place(file: Path, identifier: str, definitions: Path, catalog: Catalog) -> Path:
    """Where the definition of an id is or would be: in place of what is installed, or by its id."""
    try:
        present = Path(catalog.find(identifier).file)
    except DasflexError:  # it is new
        present = Path()
    if present.is_relative_to(definitions) and is_source_file(present) == is_source_file(file):
        return present.with_suffix(file.suffix)
    return definitions / identifier / file.name if is_source_file(file) else definitions / f"{identifier}{file.suffix}"


def copy(brought: Brought, catalog: Catalog, changes: Changes) -> Iterator[Finding]:
    """Copies a definition to its place, and removes one of the same id in another; gives what is in the way."""
    if brought.is_there or brought.reading.definition is None:
        return
    files = [brought.file]
    if is_source_file(brought.file):
        folder = brought.file.parent
        files += [path for path in _inside(folder) if path != brought.file]
        if len(files) > _MOST_FILES or sum(path.stat().st_size for path in files) > _MOST_BYTES:
            message = f"{folder} holds more than a definition and its readers; put it below definitions/ by a link"
            yield Finding("config.bad-value", message, Place(str(brought.file)))
            return
    try:
        present = Path(catalog.find(brought.reading.definition.id).file)
        if present != brought.target and present.is_relative_to(catalog.root / "definitions"):
            changes.remove(present)
    except DasflexError:  # it is new
        pass
    for path in files:
        target = brought.target.parent / path.relative_to(brought.file.parent)
        name = brought.target if path == brought.file else target
        try:
            changes.write(name, path.read_bytes(), mode=path.stat().st_mode & 0o777)
        except OSError as error:
            what = f"this file cannot be written: {error.strerror}"
            yield Finding("config.unreadable", what, Place(str(name)))
            return


def _inside(folder: Path) -> Iterator[Path]:
    """The files in a directory, without hidden ones and what Python leaves behind."""
    for count, path in enumerate(sorted(folder.rglob("*"))):
        hidden = any(part.startswith(".") or part == "__pycache__" for part in path.relative_to(folder).parts)
        if path.is_file() and not hidden:
            yield path
        if count > 10 * _MOST_FILES:
            return

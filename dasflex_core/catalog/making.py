# SPDX-License-Identifier: GPL-3.0-or-later
"""From the definitions of a tree to its compiled ones: what is right is written, what is wrong is told.

This reads TOML, which no request does: `catalog.tree` imports it when something is to be installed.
"""

from __future__ import annotations

import os
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from dasflex_core.catalog.compiled import to_json
from dasflex_core.catalog.documents import Directories, Document, describes_directory, place_in
from dasflex_core.catalog.findings import Finding
from dasflex_core.catalog.identifiers import folded
from dasflex_core.catalog.importing import TOML, Forms
from dasflex_core.catalog.published_names import CATALOG_BEGIN, SOURCE_FILES
from dasflex_core.catalog.read_toml import examine_directory, examine_file, is_source_file
from dasflex_core.catalog.tree import Catalog, Entry, TreeReport, index_text
from dasflex_core.catalog.views import check_views
from dasflex_core.errors import ConfigError, Place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from dasflex_core.catalog.findings import KeyPath
    from dasflex_core.catalog.model import Definition
    from dasflex_core.catalog.publishing import Publisher
    from dasflex_core.catalog.walk import Vocabulary

__all__ = ["definition_files", "install"]


def definition_files(definitions: Path, forms: Forms | None = None) -> Iterator[Path]:
    """The definition files below a directory, in order. Without `forms` they are those of the core."""
    return (path for path in _files(definitions, forms or Forms()) if not describes_directory(path))


def _files(definitions: Path, forms: Forms) -> Iterator[Path]:
    """The definitions and the descriptions of directories. A directory that several links lead to is entered once.

    Of files that differ in their form alone, TOML comes first: it is what a person goes on editing.
    """
    entered: set[str] = set()
    owned: set[Path] = set()
    for name, folders, files in os.walk(definitions, followlinks=True):
        here = Path(name)
        if os.path.realpath(here) in entered:
            folders.clear()
            continue
        entered.add(os.path.realpath(here))
        folders[:] = sorted(folder for folder in folders if not folder.startswith("."))
        shown = [path for file in files if forms.are_form_of(path := here / file)]
        shown.sort(key=lambda path: (path.stem, path.suffix != TOML, path.name))
        if any(is_source_file(path) for path in shown) or here.parent in owned:
            owned.add(here)
        yield from (path for path in shown if here not in owned or is_source_file(path) or describes_directory(path))


def install(root: Path, vocabulary: Vocabulary, publish: Publisher | None = None) -> TreeReport:
    """What `catalog.tree.compile_tree` does."""
    root = root.absolute()
    work = _Compilation(root, vocabulary)
    work.examine()
    before = {folded(entry.id): entry for entry in work.catalog.entries()} if work.usable() else {}
    kept = work.settle_views(before)
    written = work.write(kept)
    staying = {name: before[name] for name in kept}
    index = index_text([*written.values(), *staying.values()], work.former(kept), work.titles)
    _replace(root / "sources" / "index.json", index)
    if publish:
        work.publish(publish, {name: each for name, each in {**kept, **work.good}.items() if name in {*written, *kept}})
    removed = [entry for name, entry in before.items() if name not in written and name not in staying]
    for entry in removed:
        (root / "sources" / entry.file).unlink(missing_ok=True)
    return TreeReport(
        tuple(sorted(entry.id for entry in written.values())),
        tuple(sorted(entry.id for entry in staying.values())),
        tuple(sorted(entry.id for entry in removed)),
        tuple(work.found.values()),
        tuple(work.warnings),
    )


class _Compilation:
    """One run over a tree: the definitions that are right, by folded id, and what is wrong with the others."""

    def __init__(self, root: Path, vocabulary: Vocabulary) -> None:
        self.definitions = root / "definitions"
        self.sources = root / "sources"
        self.public = root / "public"
        self.catalog = Catalog(root)
        self.vocabulary = vocabulary
        self.good: dict[str, Definition] = {}
        self.broken: set[str] = set()  # definition files
        self.titles: dict[str, str] = {}
        self.warnings: list[Finding] = []
        self.found: dict[str, Finding] = {}  # by their text, since several definitions inherit the same fault

    def note(self, *findings: Finding) -> None:
        self.found.update({str(finding): finding for finding in findings})

    def examine(self) -> None:
        """Reads all the files."""
        forms = self.vocabulary.forms
        directories = Directories(self.definitions, forms)
        for path in _files(self.definitions, forms):
            if describes_directory(path):
                self.examine_directory(directories.own(path.parent), path.parent)
                continue
            reading = examine_file(path, directories, self.vocabulary)
            self.note(*reading.findings)
            self.warnings += reading.warnings
            if reading.definition:
                self.add(reading.definition)
            else:
                self.broken.add(str(path))

    def examine_directory(self, document: Document | Finding | None, folder: Path) -> None:
        if document is None:
            return
        reading = examine_directory(document, self.vocabulary)
        self.note(*reading.findings)
        self.warnings += reading.warnings
        title = document.tables.get("title") if isinstance(document, Document) else None
        if isinstance(title, str):
            self.titles[folder.relative_to(self.definitions).as_posix().removeprefix(".")] = title

    def add(self, definition: Definition) -> None:
        """Takes a definition, unless its id is taken."""
        other = self.good.get(folded(definition.id))
        if other:
            message = (
                f"the id {definition.id!r} is that of {other.file} too, since ids match without regard to case;"
                " remove one of the two, or give it another id"
            )
            self.note(Finding("config.bad-value", message, self.place(definition, ("id",))))
            self.broken.add(definition.file)
        else:
            self.good[folded(definition.id)] = definition

    def place(self, definition: Definition, key: KeyPath) -> Place:
        """Where a key of a definition stands."""
        return place_in(Path(definition.file), key, self.vocabulary.forms)

    def usable(self) -> bool:
        """Whether there is an index of before that can be read; another is as good as none."""
        try:
            self.catalog.entries()
        except ConfigError:
            return False
        return True

    def settle_views(self, before: Mapping[str, Entry]) -> Mapping[str, Definition]:
        """Drops views that cannot be, and gives the definitions that stay as they were installed before."""
        while True:
            kept = self.kept(before)
            wrong = check_views([*kept.values(), *self.good.values()])
            faults = {name: finding for name, finding in wrong.items() if folded(name) in self.good}
            for name, finding in faults.items():
                self.note(finding)
                self.broken.add(self.good.pop(folded(name)).file)
            if not faults:
                return kept

    def kept(self, before: Mapping[str, Entry]) -> Mapping[str, Definition]:
        """What was installed of the definitions that are wrong now."""
        kept = {}
        for name, entry in before.items():
            if name not in self.good:
                try:
                    definition = self.catalog.load(entry)
                except ConfigError:
                    continue
                if definition.file in self.broken:
                    kept[name] = definition
        return kept

    def former(self, kept: Mapping[str, Definition]) -> Mapping[str, str]:
        """The present id for each former one."""
        present: dict[str, str] = {}
        both = {**kept, **self.good}
        for definition in (both[name] for name in sorted(both)):
            for name in definition.was:
                holder = both.get(folded(name))
                other = holder.id if holder else present.get(folded(name))
                if other and other != definition.id:
                    message = f"{name!r} cannot be a former id of this source: {other} has it"
                    self.note(Finding("config.bad-value", message, self.place(definition, ("was",))))
                present.setdefault(folded(name), definition.id)
        return present

    def write(self, kept: Mapping[str, Definition]) -> Mapping[str, Entry]:
        """Writes the compiled definitions, and gives their entries of the index."""
        written: dict[str, Entry] = {}
        for name, definition in self.good.items():
            file = f"{name}.json"
            try:
                _replace(self.sources / file, to_json(_with_contact(definition, {**kept, **self.good})))
            except OSError as error:
                place = Place(str(self.sources / file))
                self.note(Finding("config.unreadable", f"this file cannot be written: {error.strerror}", place))
                continue
            written[name] = Entry(
                definition.id,
                file,
                definition.title,
                definition.label,
                definition.summary,
                str(definition.range or ""),
                definition.listed,
            )
        return written

    def publish(self, publish: Publisher, definitions: Mapping[str, Definition]) -> None:
        """Writes what is public of the sources, and removes what is of sources that are gone."""
        made = publish(definitions, self.titles)
        self.note(*made.findings)
        gone = [
            path
            for path in _published(self.public)
            if path.relative_to(self.public).as_posix() not in made.files
            and path.parent.relative_to(self.public).as_posix() not in made.stale
        ]
        for path in gone:
            self.attempt(path, "removed", partial(path.unlink, missing_ok=True))
        for name, data in made.files.items():
            path = self.public / name
            self.attempt(path, "written", partial(_publish, path, data))
        for folder in sorted({path.parent for path in gone}, reverse=True):
            _remove_empty(folder, self.public)

    def attempt(self, path: Path, what: str, do: Callable[[], None]) -> None:
        """Does something to a file, and notes where that cannot be."""
        try:
            do()
        except OSError as error:
            message = f"this file cannot be {what}: {error.strerror}"
            self.note(Finding("config.unreadable", message, Place(str(path))))


def _published(public: Path) -> Iterator[Path]:
    """The files below `public/` that an install makes: those of sources, and the nodes of directories."""
    for name, _folders, files in os.walk(public):
        here = Path(name)
        yield from (here / file for file in files if file in SOURCE_FILES or _is_node(here / file))


def _is_node(path: Path) -> bool:
    """Whether a file is the node of a directory, and no list that belongs to the whole site."""
    if path.suffix != ".json" or path.name.startswith("."):
        return False
    try:
        with path.open("rb") as file:
            return file.read(len(CATALOG_BEGIN)) == CATALOG_BEGIN
    except OSError:  # what cannot be read was not made here
        return False


def _remove_empty(folder: Path, above: Path) -> None:
    """Removes a directory, and those above it, as far as nothing is in them."""
    while folder != above:
        try:
            folder.rmdir()
        except OSError:  # something else is in it
            return
        folder = folder.parent


def _with_contact(view: Definition, known: Mapping[str, Definition]) -> Definition:
    """The definition; a view without a contact has that of what it shows."""
    shown: Definition | None = view
    for _ in known:  # no chain of views is longer
        if shown is None or shown.contacts.technical:
            break
        shown = known.get(folded(shown.viewed))
    return replace(view, contacts=shown.contacts) if shown else view


def _publish(path: Path, data: bytes) -> None:
    """Makes a file hold these bytes for everybody, whatever the process would permit to others."""
    for folder in reversed(path.parents):
        if not folder.exists():
            folder.mkdir(exist_ok=True)
            folder.chmod(0o755)
    _replace_bytes(path, data, mode=0o644)


def _replace(path: Path, text: str) -> None:
    """Makes the file hold the text, at once for whoever reads it; a file that already does is left alone."""
    _replace_bytes(path, text.encode())


def _replace_bytes(path: Path, data: bytes, mode: int | None = None) -> None:
    """The same with bytes; `mode` is who may read the file, whatever the process would give."""
    if path.is_file() and path.read_bytes() == data:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        new.write_bytes(data)
        if mode is not None:
            new.chmod(mode)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Installing: what changed below `definitions/` is compiled and published, and the catalog above it made anew.

This reads definitions, which no request does. Everything is worked out before the first file is written: the compiled
definitions and what is public of them, then the catalog, then the index that leads to all, and last what is remembered.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from dasflex_core.catalog.changing import Changes, locked
from dasflex_core.catalog.compiled import to_json
from dasflex_core.catalog.compiling import Compilation
from dasflex_core.catalog.findings import Finding
from dasflex_core.catalog.identifiers import folded
from dasflex_core.catalog.listing import list_files
from dasflex_core.catalog.openapi_paths import read_descriptions
from dasflex_core.catalog.published_names import LISTS, NODE_BEGINNINGS, OPENAPI, SOURCE_FILES, source_files
from dasflex_core.catalog.remembering import MEMORY, Memory, read_memory
from dasflex_core.catalog.tree import Catalog, Entry, TreeReport, index_text
from dasflex_core.errors import DasflexError, NotFoundError, Place

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from dasflex_core.catalog.model import Definition
    from dasflex_core.catalog.openapi_paths import Descriptions
    from dasflex_core.catalog.publishing import Publisher
    from dasflex_core.catalog.walk import Vocabulary

__all__ = ["install", "update"]


def install(
    root: Path,
    vocabulary: Vocabulary,
    publisher: Publisher | None = None,
    *,
    fresh: bool = False,
    only: AbstractSet[str] | None = None,
    changes: Changes | None = None,
    expected: Mapping[str, Definition] = MappingProxyType({}),
) -> TreeReport:
    """Installs the definitions below `root` that have changed, and gives what came of it.

    Without a `publisher` what is public stays as it is, but for the lists of sources. With `fresh` all definitions are
    read; with `only` the files of these paths are read and no others. `changes` has what was changed before as a part
    of this install, and nothing is written where they are dry; `expected` has what would have been copied, by its path.
    Only an `OSError` of the index itself is raised.
    """
    root = root.absolute()
    with locked(root):
        run = _Run(root, vocabulary, publisher, changes if changes is not None else Changes(root), expected)
        report = run.report(fresh=fresh, only=only)
        run.changes.settle(MEMORY)
        return report


def update(root: Path, vocabulary: Vocabulary, publisher: Publisher) -> TreeReport:
    """Writes anew what is public of all installed sources, and the catalog above them; no definition is read."""
    root = root.absolute()
    with locked(root):
        run = _Run(root, vocabulary, publisher, Changes(root))
        report = run.updated()
        run.changes.settle(MEMORY)
        return report


class _Run:
    """One install."""

    def __init__(
        self,
        root: Path,
        vocabulary: Vocabulary,
        publisher: Publisher | None,
        changes: Changes,
        expected: Mapping[str, Definition] = MappingProxyType({}),
    ) -> None:
        self.root = root
        self.sources = root / "sources"
        self.public = root / "public"
        self.catalog = Catalog(root)
        self.publisher = publisher
        self.changes = changes
        self.work = Compilation(root / "definitions", self.catalog, vocabulary, expected)
        self.whole = publisher.mark(vocabulary) if publisher else ""
        self.kept: Mapping[str, Definition] = {}

    def report(self, *, fresh: bool, only: AbstractSet[str] | None) -> TreeReport:
        """Does it all."""
        work = self.work
        memory = read_memory(self.root)
        everything = fresh or (memory.whole != self.whole and only is None)
        work.examine(Memory("", {}) if everything else memory, self.is_whole, only)
        self.kept = work.settle_views()
        entries = self.entries()
        former = work.former(self.kept)
        if self.publisher:
            again = memory.whole != self.whole if only is None else False
            entries |= self.publish(entries, with_kept=fresh or again)
        index = index_text(entries.values(), former, work.titles).encode()
        if everything or not self.stands(index):
            self.publish_nodes(entries, clean=everything)
        self.changes.write(self.sources / "index.json", index)
        removed = [entry for name, entry in work.before.items() if name not in entries]
        for entry in removed:
            self.changes.remove(self.sources / entry.file)
        if self.publisher:
            whole = self.whole if only is None else memory.whole
            records = {**(memory.records if only is not None else {}), **work.records}
            self.changes.write(self.root / MEMORY, Memory(whole, records).to_json())
        changed = [entries[name].id for name in work.good if name in entries and name not in work.same]
        return TreeReport(
            tuple(sorted(entry.id for name, entry in entries.items() if name not in self.kept)),
            tuple(sorted(entries[name].id for name in self.kept)),
            tuple(sorted(entry.id for entry in removed)),
            tuple(work.found.values()),
            tuple(work.warnings),
            tuple(sorted(changed)),
            tuple(sorted(self.touched())),
        )

    def updated(self) -> TreeReport:
        """Publishes what is installed, as it is."""
        work, memory = self.work, read_memory(self.root)
        self.kept = {name: self.catalog.load(entry) for name, entry in work.before.items()}
        work.titles = dict(self.catalog.directories())
        entries = dict(work.before)
        entries |= self.publish(entries, with_kept=True)
        self.publish_nodes(entries, clean=True)
        index = index_text(entries.values(), work.former(self.kept), work.titles)
        self.changes.write(self.sources / "index.json", index.encode())
        self.changes.write(self.root / MEMORY, Memory(self.whole, memory.records).to_json())
        names = tuple(sorted(entry.id for entry in entries.values()))
        return TreeReport(names, findings=tuple(work.found.values()), files=tuple(sorted(self.touched())))

    def touched(self) -> Iterator[str]:
        """The files that are other than before, without what only the next install is interested in."""
        return (name for name in (*self.changes.made, *self.changes.replaced, *self.changes.removed) if name != MEMORY)

    def stands(self, index: bytes) -> bool:
        """Whether an index is as it was, and the catalog that was made of it is there: then that is as it would be."""
        try:
            same = (self.sources / "index.json").read_bytes() == index
        except OSError:
            return False
        names = {*LISTS[1:]}
        if self.publisher and self.publisher.above:
            names |= {LISTS[0], *self.publisher.names(self.work.before.values())}
        return same and all(map(os.path.exists, (os.path.join(self.public, name) for name in names)))  # noqa: PTH118

    def is_whole(self, entry: Entry) -> bool:
        """Whether what an install made of a source is still there."""
        files = [os.path.join(self.sources, entry.file)]  # noqa: PTH118  tens of thousands of files
        if self.publisher:
            files += [
                os.path.join(self.public, name)  # noqa: PTH118  as above
                for name in source_files(entry.id, self.publisher.limited(entry.parts), alone=False)
            ]
        return all(map(os.path.exists, files))

    # -- the compiled definitions

    def entries(self) -> dict[str, Entry]:
        """The entries of all sources that there are now, by folded id; those that changed are written."""
        work = self.work
        found = {name: work.before[name] for name in (*work.same, *self.kept)}
        for name, definition in work.good.items():
            if name in work.same:
                continue
            file = f"{name}.json"
            try:
                self.changes.write(self.sources / file, to_json(self.with_contact(definition)).encode())
            except OSError as error:
                place = Place(str(self.sources / file))
                work.note(Finding("config.unreadable", f"this file cannot be written: {error.strerror}", place))
                work.records.pop(definition.file, None)
                continue
            before = work.before.get(name)
            found[name] = Entry(
                definition.id,
                file,
                definition.title,
                definition.label,
                definition.summary,
                str(definition.range or ""),
                definition.listed,
                before.parts if before else "",
                bool(definition.examples),
            )
        return found

    def find(self, identifier: str) -> Definition:
        """The definition of a source that there is now. Raises `NotFoundError`."""
        name = folded(identifier)
        if name in self.work.good and name not in self.work.same:
            return self.work.good[name]
        if name in self.work.same or name in self.kept:
            return self.catalog.load(self.work.before[name])
        holder = next((each for each in self.work.good.values() if name in map(folded, each.was)), None)
        if holder is not None:
            return self.find(holder.id)
        raise NotFoundError(f"There is no source {identifier!r}", kind="not-found.source")

    def with_contact(self, view: Definition) -> Definition:
        """The definition; a view without a contact has that of what it shows."""
        shown, seen = view, {folded(view.id)}
        while not shown.contacts.technical and shown.viewed and folded(shown.viewed) not in seen:
            seen.add(folded(shown.viewed))
            try:
                shown = self.find(shown.viewed)
            except DasflexError:  # it is told as what is wrong with the view
                break
        return replace(view, contacts=shown.contacts) if shown is not view else view

    # -- what is public

    def publish(self, entries: Mapping[str, Entry], *, with_kept: bool) -> dict[str, Entry]:
        """Writes what is public of the sources that changed, and gives their entries with what there is of them."""
        if self.publisher is None:
            return {}
        work = self.work
        making = self.publisher.opened(self.find)
        changed = {name: each for name, each in work.good.items() if name in entries and name not in work.same}
        described = read_descriptions(self.public / OPENAPI)
        found: dict[str, Entry] = {}
        again = {**self.undescribed(entries, described), **(self.kept if with_kept else {}), **changed}
        for name, definition in again.items():
            try:
                files, parts = making.source(definition)
            except DasflexError as error:
                message = f"this source cannot be published: {error.message}"
                work.note(Finding("config.bad-value", message, Place(definition.file)))
                work.records.pop(definition.file, None)
                continue
            for file, data in files.items():
                self.attempt(self.public / file, data, definition.file)
            found[name] = replace(entries[name], parts=parts)
        described.add_all(making.described)
        listed = (name for name, each in {**entries, **found}.items() if each.listed and each.parts)
        self.attempt(self.public / OPENAPI, described.limited(listed).to_bytes())
        return found

    def undescribed(self, entries: Mapping[str, Entry], described: Descriptions) -> Mapping[str, Definition]:
        """The sources that were published, and are not described: the file was lost, or could not be read."""
        found: dict[str, Definition] = {}
        for name, entry in entries.items():
            if entry.listed and entry.parts and name not in described.lines:
                with suppress(DasflexError):  # what cannot be read is told where it is read
                    found[name] = self.find(name)
        return found

    def publish_nodes(self, entries: Mapping[str, Entry], *, clean: bool) -> None:
        """Writes the catalog above the sources, and removes what is of sources and directories that are gone."""
        for file, data in list_files(entries.values(), self.work.titles).items():
            self.attempt(self.public / file, data)
        if self.publisher is None:
            return
        files = self.publisher.nodes(entries.values(), self.work.titles)
        for file, data in files.items():
            self.attempt(self.public / file, data)
        there = {*files, *(file for entry in entries.values() for file in source_files(entry.id, entry.parts))}
        before = self.work.before.values()
        gone = {file for entry in before for file in source_files(entry.id, entry.parts)} - there
        if self.publisher.above:
            gone |= self.publisher.names(before) - there
        if clean and self.publisher.above:
            gone |= {path.relative_to(self.public).as_posix() for path in _published(self.public)} - there
        for file in sorted(gone):
            self.attempt(self.public / file, None)

    def attempt(self, path: Path, data: bytes | None, definition: str = "") -> None:
        """Writes or removes a file, and notes where that cannot be."""
        try:
            if data is None:
                self.changes.remove(path)
            else:
                self.changes.write(path, data, mode=0o644)
        except OSError as error:
            message = f"this file cannot be {'removed' if data is None else 'written'}: {error.strerror}"
            self.work.note(Finding("config.unreadable", message, Place(str(path))))
            self.work.records.pop(definition, None)


def _published(public: Path) -> Iterator[Path]:
    """The files below `public/` that an install makes: those of sources, and the nodes of the catalog."""
    for name, _folders, files in os.walk(public):
        here = Path(name)
        yield from (here / file for file in files if file in SOURCE_FILES or _is_node(here / file))


def _is_node(path: Path) -> bool:
    """Whether a file is a node of the catalog."""
    if path.suffix != ".json" or path.name.startswith("."):
        return False
    try:
        with path.open("rb") as file:
            return file.read(max(map(len, NODE_BEGINNINGS))).startswith(NODE_BEGINNINGS)
    except OSError:  # what cannot be read was not made here
        return False

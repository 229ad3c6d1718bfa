# SPDX-License-Identifier: GPL-3.0-or-later
"""From the definition files of a tree to what they say together: which are right, and what is wrong with the others.

A file that has not changed since it was read is not read again: of what it says only an outline is known, which is
enough to tell whether ids and views go together.
"""

from __future__ import annotations

from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from dasflex_core.catalog.documents import Directories, Document, describes_directory, place_in
from dasflex_core.catalog.findings import Finding
from dasflex_core.catalog.identifiers import folded
from dasflex_core.catalog.importing import TOML
from dasflex_core.catalog.making import tree_files
from dasflex_core.catalog.read_toml import examine_directory, examine_file
from dasflex_core.catalog.remembering import Above, Memory, Record, mark_of
from dasflex_core.catalog.views import check_views
from dasflex_core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from collections.abc import Set as AbstractSet

    from dasflex_core.catalog.findings import KeyPath
    from dasflex_core.catalog.model import Definition
    from dasflex_core.catalog.tree import Catalog, Entry
    from dasflex_core.catalog.walk import Vocabulary
    from dasflex_core.errors import Place

__all__ = ["Compilation"]


class Compilation:
    """One run over a tree of definitions.

    `good` are the definitions that are right, by folded id; those in `same` are outlines of what was installed already.
    `broken` are the files of the others; `records` are what is to be remembered. `expected` are definitions by the path
    that they would have below `definitions`, in place of what has their ids there.
    """

    def __init__(
        self,
        definitions: Path,
        catalog: Catalog,
        vocabulary: Vocabulary,
        expected: Mapping[str, Definition] = MappingProxyType({}),
    ) -> None:
        self.definitions = definitions
        self.catalog = catalog
        self.vocabulary = vocabulary
        self.expected = expected
        self.before = self._entries()
        self.good: dict[str, Definition] = {}
        self.same: set[str] = set()
        self.broken: set[str] = set()
        self.records: dict[str, Record] = {}
        self.titles: dict[str, str] = {}
        self.warnings: list[Finding] = []
        self.found: dict[str, Finding] = {}  # by their text, since several definitions inherit the same fault
        self._included: dict[str, tuple[str, ...]] = {}
        self._partial = False
        self._directories = Directories(definitions, vocabulary.forms)
        self._above = Above(self._directories)

    def note(self, *findings: Finding) -> None:
        """Notes what is wrong."""
        self.found.update({str(finding): finding for finding in findings})

    def _entries(self) -> Mapping[str, Entry]:
        """What was installed before; an index that cannot be read is as good as none."""
        try:
            return {folded(entry.id): entry for entry in self.catalog.entries()}
        except ConfigError:
            return {}

    # -- reading

    def examine(self, memory: Memory, is_whole: Callable[[Entry], bool], only: AbstractSet[str] | None = None) -> None:
        """Reads the files that have changed; `is_whole` tells whether all of what an install made is still there.

        With `only`, no others than these files are looked at: the rest stays as it was installed.
        """
        self._partial = only is not None
        paths = [path for path in tree_files(self.definitions, self.vocabulary.forms) if not self._is_directory(path)]
        paths = [*(path for path in paths if not self._is_replaced(path, memory)), *map(Path, self.expected)]
        standing: dict[str, Record] = {}
        for path in paths:
            name = str(path)
            record = memory.records.get(name)
            if only is not None and name not in only:
                if record and folded(record.id) in self.before:
                    standing[name] = record
                continue
            entry = self.before.get(folded(record.id)) if record else None
            if record and entry and self._above.of(path.parent) == record.above and is_whole(entry):
                stands = record.stands()
                if stands:
                    standing[name] = stands
        looked = [path for path in paths if str(path) not in standing and (only is None or str(path) in only)]
        changed = [path for path in looked if str(path) not in self.expected]
        self._take(paths, changed, standing, memory)

    def _is_replaced(self, path: Path, memory: Memory) -> bool:
        """Whether one of the definitions that are expected would be in place of that file."""
        record = memory.records.get(str(path))
        held = {folded(each.id) for each in self.expected.values()}
        return str(path) in self.expected or (record is not None and folded(record.id) in held)

    def _take(
        self, paths: Iterable[Path], changed: Iterable[Path], standing: dict[str, Record], memory: Memory
    ) -> None:
        """Takes the definitions in their order: those that changed, those that show one of them, and the outlines."""
        readings = {**{str(path): self._reading(path) for path in changed}, **self.expected}
        moved = {name for path, record in memory.records.items() if path not in standing for name in _names(record)}
        moved |= {name for made in readings.values() if made for name in _names(made)}
        while again := [path for path, record in standing.items() if moved & {folded(each) for each in record.shows}]:
            for name in again:
                moved |= {*_names(standing.pop(name))}
                readings[name] = self._reading(Path(name))
        for path in paths:
            name = str(path)
            if name in standing:
                record = standing[name]
                if self.add(record.outline()):
                    self.same.add(folded(record.id))
                    self.records[name] = record
            elif name in readings:
                self._add_read(path, readings[name])

    def _add_read(self, path: Path, definition: Definition | None) -> None:
        """Takes a definition that was read, and remembers from what."""
        if definition is None:
            self.broken.add(str(path))
        elif self.add(definition):
            try:
                included = self._included.get(str(path), ())
                self.records[str(path)] = mark_of(definition, included, self._above.of(path.parent))
            except OSError:  # it has gone in this moment, and will be told the next time
                return

    def _reading(self, path: Path) -> Definition | None:
        """The definition of a file; None where it is wrong, which is noted."""
        reading = examine_file(path, self._directories, self.vocabulary)
        self.note(*reading.findings)
        self.warnings += reading.warnings
        self._included[str(path)] = reading.included
        return reading.definition

    def _is_directory(self, path: Path) -> bool:
        """Whether a file describes a directory, which is then taken."""
        if not describes_directory(path):
            return False
        document = self._directories.own(path.parent)
        if document is not None:
            reading = examine_directory(document, self.vocabulary)
            self.note(*reading.findings)
            self.warnings += reading.warnings
            title = document.tables.get("title") if isinstance(document, Document) else None
            if isinstance(title, str):
                self.titles[path.parent.relative_to(self.definitions).as_posix().removeprefix(".")] = title
        return True

    def add(self, definition: Definition) -> bool:
        """Takes a definition, unless its id is taken. Of two files, the one that is installed has it.

        A TOML file beside one of another form was made from that to take its place, so that it has the id.
        """
        name = folded(definition.id)
        other = self.good.get(name)
        converted = other is not None and other.file == str(Path(definition.file).with_suffix(TOML))
        taken = other is None or (not converted and self._installed_from(name) == definition.file)
        if taken:
            self.good[name] = definition
        if other:
            holder, loser = (definition, other) if taken else (other, definition)
            message = (
                f"the id {loser.id!r} is that of {holder.file} too, since ids match without regard to case;"
                " remove one of the two, or give it another id"
            )
            self.note(Finding("config.bad-value", message, self.place(loser, ("id",))))
            self.broken.add(loser.file)
            if taken:
                self.same.discard(name)
                self.records.pop(loser.file, None)
        return taken

    def _installed_from(self, name: str) -> str:
        """The file of the definition that is installed under an id; blank where there is none."""
        try:
            return self.catalog.load(self.before[name]).file
        except (ConfigError, KeyError):
            return ""

    def place(self, definition: Definition, key: KeyPath) -> Place:
        """Where a key of a definition stands."""
        return place_in(Path(definition.file), key, self.vocabulary.forms)

    # -- what they say together

    def settle_views(self) -> Mapping[str, Definition]:
        """Drops views that cannot be, and gives the definitions that stay as they were installed before."""
        while True:
            kept = self._kept()
            wrong = check_views([*kept.values(), *self.good.values()])
            faults = {name: finding for name, finding in wrong.items() if folded(name) in self.good}
            for name, finding in faults.items():
                self.note(finding)
                self.same.discard(folded(name))
                file = self.good.pop(folded(name)).file
                self.broken.add(file)
                self.records.pop(file, None)
            if not faults:
                return kept

    def _kept(self) -> Mapping[str, Definition]:
        """What was installed of the definitions that are wrong now, or are not looked at."""
        kept = {}
        for name, entry in self.before.items():
            if name not in self.good:
                try:
                    definition = self.catalog.load(entry)
                except ConfigError:
                    continue
                if self._partial or definition.file in self.broken:
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


def _names(held: Record | Definition) -> Iterable[str]:
    """The ids by which others may show a source."""
    return (folded(held.id), *map(folded, held.was))

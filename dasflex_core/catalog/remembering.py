# SPDX-License-Identifier: GPL-3.0-or-later
"""What an install remembers of the files that it read, so that the next one reads only those that have changed.

`sources/.made.json` has for each definition the time and size of its files with a digest of what they hold, the digest
of what the directories above pass on, and what others must know of it: its ids and what it shows. A mark of all that
is the same for every source (plugins, configuration, dasflex itself) decides whether any of that counts.
"""

from __future__ import annotations

import os
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final

import orjson

from dasflex_core.catalog.documents import Document
from dasflex_core.catalog.model import Definition, Reader
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from dasflex_core.catalog.documents import Directories

__all__ = ["MEMORY", "Memory", "Record", "digest_of", "mark_of", "read_memory"]

#: The file below a root.
MEMORY: Final = "sources/.made.json"
_FORM: Final = 1

#: A file: its path, its time of change in nanoseconds, its size, and the digest of what it holds.
_Mark = tuple[str, int, int, str]


@dataclass(frozen=True, slots=True)
class Record:
    """A definition that was right: its id and former ones, the sources that it shows, and what it was read from."""

    id: str
    was: tuple[str, ...]
    shows: tuple[str, ...]
    files: tuple[_Mark, ...]
    above: str

    def stands(self) -> Record | None:
        """The record as it is now, if no file holds something else than then; None where one does."""
        marks: list[_Mark] = []
        for name, time, size, digest in self.files:
            try:
                facts = os.stat(name)  # noqa: PTH116  tens of thousands of files: Path costs more than the call
                if (facts.st_mtime_ns, facts.st_size) != (time, size) and (
                    facts.st_size != size or _mark(name)[3] != digest
                ):
                    return None
            except OSError:
                return None
            marks.append((name, facts.st_mtime_ns, facts.st_size, digest))
        return self if tuple(marks) == self.files else Record(self.id, self.was, self.shows, tuple(marks), self.above)

    def outline(self) -> Definition:
        """What others must know of the definition: enough to tell whether ids and views go together."""
        readers = tuple(Reader(str(place), source=each) for place, each in enumerate(self.shows))
        return Definition(self.id, "", was=self.was, readers=readers, file=self.files[0][0])


@dataclass(frozen=True, slots=True)
class Memory:
    """The records by the path of the definition, and the mark of what they all depend on."""

    whole: str
    records: Mapping[str, Record]

    def to_json(self) -> bytes:
        """The memory as it is written."""
        held = {
            name: [each.id, each.was, each.shows, each.files, each.above] for name, each in sorted(self.records.items())
        }
        return orjson.dumps({"form": _FORM, "whole": self.whole, "records": held})


def read_memory(root: Path) -> Memory:
    """What the last install remembered; nothing where there was none, or it cannot be read."""
    try:
        held = orjson.loads((root / MEMORY).read_bytes())
        if held["form"] != _FORM:
            return Memory("", {})
        return Memory(held["whole"], {name: _record(each) for name, each in held["records"].items()})
    except (OSError, ValueError, KeyError, TypeError):
        return Memory("", {})


def _record(held: list[Any]) -> Record:
    name, was, shows, files, above = held
    return Record(
        name, tuple(was), tuple(shows), tuple((str(f[0]), int(f[1]), int(f[2]), str(f[3])) for f in files), above
    )


def mark_of(definition: Definition, included: Iterable[str], above: str) -> Record:
    """The record of a definition that was read from its file and from those that it includes."""
    shows = tuple(reader.source for reader in definition.readers if reader.source)
    files = tuple(_mark(name) for name in (definition.file, *included))
    return Record(definition.id, definition.was, shows, files, above)


def _mark(name: str) -> _Mark:
    """What is remembered of a file. Its time is taken before it is read: a change in between is seen the next time."""
    with open(name, "rb") as file:  # noqa: PTH123  as above
        facts = os.fstat(file.fileno())
        return (name, facts.st_mtime_ns, facts.st_size, digest_of(file.read()))


def digest_of(*parts: bytes) -> str:
    """A short digest of some bytes."""
    digest = blake2b(digest_size=16)
    for part in parts:
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return digest.hexdigest()


class Above:
    """The digests of what directories pass on to the definitions in them, each made once."""

    def __init__(self, directories: Directories) -> None:
        self._directories = directories
        self._known: dict[Path, str] = {}

    def of(self, folder: Path) -> str:
        """The digest for the definitions in a directory."""
        if folder not in self._known:
            inside = folder not in (self._directories.root, folder.parent)
            higher = self.of(folder.parent) if inside else ""
            own = self._directories.own(folder)
            files = (own.file, *(own.imported.included if own.imported else ())) if isinstance(own, Document) else ()
            held = [_bytes(each) for each in files]
            self._known[folder] = digest_of(higher.encode(), *held) if own else higher
        return self._known[folder]


def _bytes(name: str) -> bytes:
    """What a file holds; nothing where it cannot be read, which is told elsewhere."""
    try:
        with open(name, "rb") as file:  # noqa: PTH123  as above
            return file.read()
    except OSError:
        return b""

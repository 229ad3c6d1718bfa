# SPDX-License-Identifier: GPL-3.0-or-later
"""The catalog of a root: the tree of definitions, the tree of compiled ones, and the index that finds these.

Below a root, `definitions/<id>/source.toml` or `definitions/<id>.toml` defines a source. Below a directory that has a
`source.toml`, other TOML files are the source's own business. Compiled, a definition is the file
`sources/<id in lower case>.json`. These files and the index are replaced whole, so that a request sees either what was
or what is.

The index, `sources/index.json`, is a JSON object that has each source on a line of its own: one source is found by its
line, however many there are, and an id from a request is only ever compared, never made part of a path. Nothing is kept
from one call to the next, so that an install is seen at once.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

from dasflex_core.catalog.compiled import from_json
from dasflex_core.catalog.identifiers import LONGEST, folded
from dasflex_core.errors import ConfigError, NotFoundError, did_you_mean
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from dasflex_core.catalog.findings import Finding
    from dasflex_core.catalog.model import Definition
    from dasflex_core.catalog.publishing import Publisher
    from dasflex_core.catalog.walk import Vocabulary

__all__ = ["Catalog", "Entry", "Folder", "TreeReport", "compile_tree", "index_text"]

_FIRST_LINE: Final = b'{"form": 2,'
_FILE: Final = re.compile(r"[a-z0-9_+-][a-z0-9_.+-]*(?:/[a-z0-9_+-][a-z0-9_.+-]*)*\.json")
_FIELDS: Final = ("id", "file", "title", "label", "summary", "range", "parts")
_FLAGS: Final = ("listed", "exampled")
#: Of so many ids each may be meant by one that is not there; of more, those that share so many letters with it.
_MANY: Final = 300
_ALIKE: Final = 4


@dataclass(frozen=True, slots=True)
class Entry:
    """A source in the index; `file` is its compiled definition below `sources/`, and `range` is `A to B`.

    `parts` are those of its source set that are published, with blanks between them; `exampled` is whether somebody
    wrote an example of it.
    """

    id: str
    file: str
    title: str
    label: str = ""
    summary: str = ""
    range: str = ""
    listed: bool = True
    parts: str = ""
    exampled: bool = False


@dataclass(frozen=True, slots=True)
class Folder:
    """A directory with what lists show of it.

    `path` is as the first source in it writes it; `count` is how many sources are below it, `folders` and `entries` are
    the directories and the sources in it.
    """

    path: str
    title: str = ""
    count: int = 0
    folders: tuple[Folder, ...] = ()
    entries: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class TreeReport:
    """What came of compiling a tree.

    `installed` are the ids of the sources that are right, `changed` those of them that were made anew, `kept` those
    whose definition is wrong now and that stay as they were installed before, `removed` those whose definition is gone.
    `findings` are all that is wrong, `warnings` what is only worth a look; a definition that was not read again has
    none. `files` are the paths of the files that were written or removed, below the root.
    """

    installed: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    warnings: tuple[Finding, ...] = ()
    changed: tuple[str, ...] = ()
    files: tuple[str, ...] = ()


def compile_tree(root: Path, vocabulary: Vocabulary | None = None, publish: Publisher | None = None) -> TreeReport:
    """Reads the definitions below `root`, and installs those that are right.

    A definition that is wrong leaves what was installed of it as it was. All that is wrong is in the report; only an
    `OSError` of the index itself is raised. `vocabulary` is what plugins add to the words of definitions. `publish`,
    from `catalog.publishing.publisher`, makes what is written below `public/`; without it that stays as it is.

    All definitions are read, whatever an install before remembers; `catalog.installing.install` reads what changed.
    """
    from dasflex_core.catalog.installing import install
    from dasflex_core.catalog.walk import CORE

    return install(root, vocabulary or CORE, publish, fresh=True)


def index_text(entries: Iterable[Entry], former: Mapping[str, str], directories: Mapping[str, str]) -> str:
    """The text of an index.

    `former` gives the present id for each former one; `directories` gives titles, by the directory's path.
    """
    by_id = {folded(entry.id): {name: getattr(entry, name) for name in (*_FIELDS, *_FLAGS)} for entry in entries}
    names = {**{folded(name): {"now": folded(present)} for name, present in former.items()}, **by_id}
    lines = ",\n".join(f'"{name}": {json.dumps(names[name], ensure_ascii=False)}' for name in sorted(names))
    titles = json.dumps(dict(sorted(directories.items())), ensure_ascii=False)
    return f'{_FIRST_LINE.decode()} "directories": {titles}, "sources": {{\n{lines}\n}}}}\n'


#: What the line of a source has that lists show.
_LISTED: Final = b'"listed": true'


def _key_at(index: bytes, at: int) -> str:
    """The id in lower case of the line that begins behind a place."""
    return index[at + 2 : index.find(b'"', at + 2)].decode("ascii", "replace")


class Catalog:
    """The installed sources of a root; `root` holds `sources/`. A root where nothing was installed has none."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._sources = root / "sources"
        self._index = self._sources / "index.json"

    def find(self, identifier: str) -> Definition:
        """The definition of a source, by its id or a former one, without regard to case; `.dsdf` may stand behind it.

        Raises `NotFoundError` (`not-found.source`) with the nearest ids, and `ConfigError` (`config.unreadable`)
        where the index or the compiled definition cannot be read.
        """
        index = self._read_index()
        held = self._held(index, folded(identifier))
        if isinstance(held, dict) and "now" in held:
            held = self._held(index, str(held["now"]))
        if held is None:
            near = did_you_mean(folded(identifier), self._similar(index, folded(identifier)))
            message = f"There is no source {identifier[: 2 * LONGEST]!r}.{near}"
            raise NotFoundError(message, kind="not-found.source")
        return self.load(self._checked(held))

    def load(self, entry: Entry) -> Definition:
        """The definition of an entry of the index. Raises `ConfigError` where it cannot be read."""
        path = self._sources / entry.file
        return from_json(_read(path), file=str(path))

    def ids(self) -> tuple[str, ...]:
        """The ids of all sources, in order, those that lists do not show included."""
        return tuple(entry.id for entry in self.entries())

    def entries(self) -> tuple[Entry, ...]:
        """What the index says of each source, in the order of their ids."""
        return tuple(self._entries(self._read_index()))

    def search(self, words: str | Iterable[str]) -> tuple[str, ...]:
        """The ids of the listed sources whose id, label, title or summary holds all the words, case aside."""
        wanted = [word.lower() for word in (words.split() if isinstance(words, str) else words)]
        return tuple(
            entry.id
            for entry in self.entries()
            if entry.listed
            and all(word in f"{entry.id} {entry.label} {entry.title} {entry.summary}".lower() for word in wanted)
        )

    def count(self) -> int:
        """How many sources lists show."""
        return self._read_index().count(_LISTED)

    def folder(self, path: str = "") -> Folder:
        """A directory, blank for the uppermost, without regard to case. Of the index no more is parsed than it takes.

        Raises `NotFoundError` (`not-found.source`) with the nearest one.
        """
        index = self._read_index()
        wanted = path.strip("/").lower()
        start, end = self._group(index, f"{wanted}/" if wanted else "")
        count = index.count(_LISTED, start, end)
        if wanted and not count:
            near = did_you_mean(wanted, {each.rpartition("/")[0] for each in self._similar(index, wanted)})
            raise NotFoundError(f"There is no directory {path[: 2 * LONGEST]!r}.{near}", kind="not-found.source")
        titles = self._titles(index)
        depth = wanted.count("/") + 1 if wanted else 0
        folders: list[Folder] = []
        entries: list[Entry] = []
        while start < end:
            parts = _key_at(index, start).split("/")
            after = index.find(b"\n", start + 1)
            if len(parts) > depth + 1:
                inner = "/".join(parts[: depth + 1])
                _begin, after = self._group(index, f"{inner}/", start)
                if held := index.count(_LISTED, start, after):
                    folders.append(Folder(self._written(index, start, depth + 1), titles.get(inner, ""), held))
            elif index.find(_LISTED, start, after) >= 0:
                entries.append(self._entry_at(index, start))
            start = after
        own = self._written(index, self._group(index, f"{wanted}/")[0], depth) if wanted else ""
        return Folder(own, titles.get(wanted, ""), count, tuple(folders), tuple(entries))

    def __contains__(self, identifier: object) -> bool:
        """Whether there is a source of that id, or former one, without regard to case."""
        return isinstance(identifier, str) and self._held(self._read_index(), folded(identifier)) is not None

    def has_folder(self, path: str) -> bool:
        """Whether some listed source lies in a directory."""
        index = self._read_index()
        start, end = self._group(index, f"{path.strip('/').lower()}/")
        return index.find(_LISTED, start, end) >= 0

    def directories(self) -> Mapping[str, str]:
        """The titles of directories, by path, with the case in which they were written."""
        titles = self._loaded(self._read_index()).get("directories")
        if not isinstance(titles, dict) or not all(isinstance(title, str) for title in titles.values()):
            raise self._unusable("its titles of directories are no table of texts")
        return titles

    # -- the index

    def _read_index(self) -> bytes:
        """The index; a root without one has no sources."""
        if not self._index.exists():
            return index_text((), {}, {}).encode()
        index = _read(self._index)
        if not index.startswith(_FIRST_LINE):
            raise self._unusable("another version of dasflex, or something else, wrote it")
        return index

    def _loaded(self, index: bytes) -> dict[str, object]:
        try:
            loaded = json.loads(index)
        except (ValueError, RecursionError) as error:
            raise self._unusable(str(error)) from error
        if not isinstance(loaded, dict):
            raise self._unusable("it is no object")
        return loaded

    def _entries(self, index: bytes) -> Iterable[Entry]:
        sources = self._loaded(index).get("sources")
        if not isinstance(sources, dict):
            raise self._unusable("it has no sources")
        for held in sources.values():
            if not isinstance(held, dict) or "now" not in held:
                yield self._checked(held)

    def _group(self, index: bytes, start: str, after: int = 0) -> tuple[int, int]:
        """Where the lines of ids that begin so begin, and where they end. They stand one after the other."""
        first = index.find(b"\n")
        last = index.rfind(b"\n")
        if not start.isascii() or not start.isprintable() or '"' in start:
            return last, last
        begin = index.find(b'\n"%b' % start.encode(), after) if start else first
        if begin < 0 or begin >= last:
            return last, last
        low, high = begin, last  # the line at `low` begins so, the one at `high` does not
        while index.find(b"\n", low + 1) < high:
            middle = index.rfind(b"\n", low, (low + high) // 2 + 1)
            middle = middle if middle > low else index.find(b"\n", low + 1)
            if _key_at(index, middle).startswith(start):
                low = middle
            else:
                high = middle
        return begin, high

    def _similar(self, index: bytes, wanted: str) -> list[str]:
        """The listed ids that might be meant; of very many those that have something in common with what was asked."""
        if len(wanted) > 2 * LONGEST:
            return []
        start, end = index.find(b"\n"), index.rfind(b"\n")
        found: list[tuple[str, int]] = []
        while start < end:
            after = index.find(b"\n", start + 1)
            if index.find(_LISTED, start, after) >= 0:
                found.append((_key_at(index, start), start))
            start = after
        if len(found) > _MANY:
            folder, _, last = wanted.rpartition("/")
            alike = [each for each in found if each[0].rpartition("/")[2][:_ALIKE] == last[:_ALIKE]]
            found = [each for each in found if folder and each[0].startswith(f"{folder}/")][:_MANY] + alike[:_MANY]
        return [self._written(index, at, key.count("/") + 1) for key, at in found]

    def _entry_at(self, index: bytes, at: int) -> Entry:
        """The source of the line that begins behind a place."""
        line = index[at + 1 : index.find(b"\n", at + 1)]
        try:
            return self._checked(json.loads(line.partition(b": ")[2].rstrip(b",")))
        except (ValueError, RecursionError) as error:
            raise self._unusable(str(error)) from error

    def _written(self, index: bytes, at: int, depth: int) -> str:
        """The path of a directory with the case in which the first listed source from a line on writes it."""
        first = index.rfind(b"\n", at, index.find(_LISTED, at))
        return "/".join(self._entry_at(index, first).id.split("/")[:depth])

    def _titles(self, index: bytes) -> Mapping[str, str]:
        """The titles of directories by path in lower case; none where they cannot be read."""
        try:
            titles = json.loads(index[: index.find(b"\n")] + b"}}")["directories"]
            return {path.lower(): str(title) for path, title in titles.items()}
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return {}

    def _held(self, index: bytes, identifier: str) -> object:
        """What the index holds for an id, by its line; None where it has none."""
        if not identifier.isascii() or not identifier.isprintable() or '"' in identifier:
            return None
        start = b'\n"%b": ' % identifier.encode()
        at = index.find(start)
        end = index.find(b"\n", at + 1)
        try:
            return json.loads(index[at + len(start) : end].rstrip(b",")) if at >= 0 else None
        except (ValueError, RecursionError) as error:
            raise self._unusable(str(error)) from error

    def _checked(self, held: object) -> Entry:
        if not isinstance(held, dict) or set(held) != {*_FIELDS, *_FLAGS}:
            raise self._unusable("an entry does not have the fields of one")
        texts = [held[name] for name in _FIELDS]
        if not all(isinstance(text, str) for text in texts) or not all(isinstance(held[name], bool) for name in _FLAGS):
            raise self._unusable("a field of an entry has the wrong type")
        if not _FILE.fullmatch(held["file"]):
            raise self._unusable(f"an entry names the file {held['file']!r}")
        return Entry(**held)

    def _unusable(self, why: str) -> ConfigError:
        message = f"{self._index}: this index cannot be used: {why}. Make it anew with `dasflex install`."
        return ConfigError(message, kind="config.unreadable")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"{path}: this file cannot be read: {error.strerror}. Make it anew with `dasflex install`.",
            kind="config.unreadable",
        ) from error

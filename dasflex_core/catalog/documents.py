# SPDX-License-Identifier: GPL-3.0-or-later
"""Definition files as they were read: their tables, and the lines of their keys; and what a directory passes on."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Final

from dasflex_core.catalog.findings import Finding, Places
from dasflex_core.catalog.importing import TOML, Forms, Imported, imported
from dasflex_core.catalog.locate import locate_keys
from dasflex_core.errors import Place
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path, PurePath

    from dasflex_core.catalog.findings import KeyPath

__all__ = [
    "DIRECTORY_FILE",
    "Directories",
    "Document",
    "describes_directory",
    "faults_of",
    "load_document",
    "merged",
    "parse_document",
    "place_in",
]

#: The file that describes a directory of definitions, in TOML; it may have the suffix of another form.
DIRECTORY_FILE: Final = "_dirinfo_.toml"
_DIRECTORY: Final = DIRECTORY_FILE.removesuffix(TOML)
#: A definition takes a few kilobytes; what is longer than this many bytes is something else.
_LONGEST: Final = 4 << 20


@dataclass(frozen=True)  # no slots: the lines are only looked for when something is wrong
class Document:
    """A file of tables. `text` is its TOML, empty where it was none; `prefix` is where `tables` stand in it.

    Of a file in another form, `imported` is what its importer gave.
    """

    file: str
    tables: Mapping[str, object]
    text: str = ""
    prefix: KeyPath = ()
    imported: Imported | None = None

    @cached_property
    def lines(self) -> Mapping[KeyPath, int]:
        """The line of each key of TOML."""
        return locate_keys(self.text)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong with it before its tables are looked at."""
        return _of(self).findings

    @property
    def included(self) -> tuple[str, ...]:
        """The other files that it includes."""
        return _of(self).included

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What is odd about it, and not wrong."""
        return _of(self).warnings

    @property
    def called(self) -> Mapping[KeyPath, str]:
        """What keys are called in its form, where it does not have them."""
        return _of(self).called

    @property
    def may_lack(self) -> frozenset[KeyPath]:
        """The keys whose absence is only a warning."""
        return _of(self).may_lack

    def origin(self, path: KeyPath) -> Place | None:
        """Where a key stands, if it does; a blank `key` there stands for the path."""
        if self.imported is not None:
            return self.imported.origins.get(path)
        line = self.lines.get(path)
        return Place(self.file, line) if line else None


def _of(document: Document | None) -> Imported:
    """What was imported of a document; of TOML there is nothing that would be noted."""
    return (document and document.imported) or Imported({})


def faults_of(documents: Iterable[Document | Finding | None]) -> tuple[Finding, ...]:
    """What is wrong with documents before their tables are looked at."""
    return tuple(
        fault for each in documents for fault in ((each,) if isinstance(each, Finding) else _of(each).findings)
    )


def describes_directory(path: PurePath) -> bool:
    """Whether a file is the description of a directory, in whatever form."""
    return path.stem == _DIRECTORY


def parse_document(text: str, file: str) -> Document | Finding:
    """The document that is this TOML text, or what is wrong with it."""
    unified = text.replace("\r\n", "\n").removeprefix("\ufeff")
    try:
        document = Document(file, tomllib.loads(unified), unified)
    except ValueError as error:  # of TOML, or of an integer with thousands of digits
        found = re.search(r"\s*\(at (?:line (\d+), column \d+|(end of document))\)", str(error))
        last = unified.count("\n") + 1
        line = (int(found[1]) if found[1] else last) if found else 0
        return Finding("config.unreadable", f"this is no TOML: {error}", Place(file, line))
    except RecursionError:
        return Finding("config.unreadable", "this is no definition: its tables lie too deep", Place(file))
    if (path := _too_large(document.tables)) is not None:
        place = Places((document,)).of(path)
        return Finding("config.unreadable", "this is no TOML: an integer has more than 64 bits", place)
    return document


def _too_large(tables: Mapping[str, object]) -> KeyPath | None:
    """The path of an integer that TOML cannot hold, though `tomllib` can; None where there is none."""
    waiting: list[tuple[KeyPath, object]] = [((), tables)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [((*path, name), each) for name, each in value.items()]
        elif isinstance(value, list):
            waiting += [((*path, place), each) for place, each in enumerate(value)]
        elif isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
            return path
    return None


def load_document(path: Path, forms: Forms | None = None) -> Document | Finding:
    """The document that this file holds, or why there is none. Without `forms` they are those of the core."""
    try:
        with path.open("rb") as opened:
            data = opened.read(_LONGEST + 1)
        if len(data) > _LONGEST:
            return Finding("config.unreadable", "this is too long for a definition", Place(str(path)))
        return _document(path, data.decode(), forms or Forms())
    except OSError as error:
        return Finding("config.unreadable", f"this file cannot be read: {error.strerror}", Place(str(path)))
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        return Finding("config.unreadable", "this is not UTF-8 text", Place(str(path), line))


def _document(path: Path, text: str, forms: Forms) -> Document | Finding:
    """The document that a text is, in the form that the name of its file tells."""
    importer = forms.importer(path)
    if importer is None:
        return parse_document(text, str(path))
    unified = text.replace("\r\n", "\n").removeprefix("\ufeff")
    made = imported(importer, unified, str(path), forms.include)
    return Document(str(path), made.tables, imported=made)


def place_in(path: Path, key: KeyPath, forms: Forms | None = None) -> Place:
    """Where a key stands in a file, as well as that can be told."""
    document = load_document(path, forms)
    return document.place if isinstance(document, Finding) else Places((document,)).of(key)


def merged(own: Mapping[str, object], below: Mapping[str, object]) -> dict[str, object]:
    """The tables `own` with what they do not say taken from `below`. Tables are merged, all else is taken whole."""
    both = {**below, **own}
    for name, value in own.items():
        under = below.get(name)
        if isinstance(value, dict) and isinstance(under, dict):
            both[name] = merged(value, under)
    return both


class Directories:
    """The `_dirinfo_.toml` files from a root downwards, or those of another form, each read once."""

    def __init__(self, root: Path, forms: Forms | None = None) -> None:
        self.root = root.absolute()
        self.forms = forms or Forms()
        self._read: dict[Path, Document | Finding | None] = {}

    def own(self, folder: Path) -> Document | Finding | None:
        """What describes this directory; None where nothing does."""
        if folder not in self._read:
            suffixes = (TOML, *(each.suffix for each in self.forms.importers))
            paths = [path for suffix in suffixes if (path := folder / f"{_DIRECTORY}{suffix}").exists()]
            self._read[folder] = load_document(paths[0], self.forms) if paths else None
        return self._read[folder]

    def inherited(self, folder: Path) -> tuple[Document | Finding, ...]:
        """What the definitions in this directory inherit, the nearest first; or what is wrong with it."""
        found: list[Document | Finding] = []
        for each in (folder, *folder.parents):
            if not each.is_relative_to(self.root):
                break
            document = self.own(each)
            if isinstance(document, Document):
                inherit = document.tables.get("inherit", {})
                tables = inherit if isinstance(inherit, dict) else {}
                document = replace(document, tables=tables, prefix=("inherit",))
            found.extend([document] if document else [])
        return tuple(found)

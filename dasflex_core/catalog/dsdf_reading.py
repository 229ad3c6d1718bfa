# SPDX-License-Identifier: GPL-3.0-or-later
"""One reading of a DSDF file: what it says by key, and the tables that are made of that, with places and comments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dasflex_core.catalog import dsdf_keys as keys
from dasflex_core.catalog.dsdf_syntax import Entry, parse_dsdf
from dasflex_core.catalog.findings import Finding
from dasflex_core.catalog.importing import Imported
from dasflex_core.catalog.quantities import UnfitError
from dasflex_core.errors import Place, did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dasflex_core.catalog.findings import KeyPath

__all__ = ["STREAMS", "DsdfReading", "plain"]

#: The switches that say what a reader writes.
STREAMS: Final = {"das3Stream": "das/3", "das2Stream": "das/2", "qstream": "qstream"}
_UNKNOWN: Final = "config.unknown-key"
#: What keys of the tables are called in DSDF, for errors about those that are not there.
_CALLED: Final[Mapping[KeyPath, str]] = {
    ("id",): "localId",
    ("title",): "description",
    ("reader",): "reader",
    ("example",): "exampleRange_00",
    ("contacts", "technical"): "techContact",
    ("access", "allow"): "readAccess",
    ("reader", "writes"): "das2Stream",
}

_SINGLE: Final = {name.lower(): name for name in keys.SINGLE}
_LISTS: Final = {name.lower(): name for name in keys.LISTS}
_KNOWN: Final = {name.lower(): name for name in (*keys.DAS1, *keys.IGNORED, "coverageReducer")}


class DsdfReading:
    """One reading of a file: what it says by key, and what has been made of it so far."""

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self.single: dict[str, Entry] = {}
        self.lists: dict[str, dict[int, Entry]] = {name: {} for name in keys.LISTS}
        self.kept: dict[str, list[Entry]] = {}
        self.tables: dict[str, object] = {}
        self.origins: dict[KeyPath, Place] = {}
        self.comments: dict[KeyPath, tuple[str, ...]] = {}
        self.findings: list[Finding] = []
        self.warnings: list[Finding] = []
        syntax = parse_dsdf(text)
        for fault in syntax.faults:
            self.findings.append(Finding("config.unreadable", fault.message, Place(file, fault.line, fault.key)))
        for entry in syntax.entries:
            self.take(entry)
        self.comments[()] = tuple(syntax.comments)

    # -- what the file says

    def take(self, entry: Entry) -> None:
        """Puts an entry with those of its kind. Of a repeated key the last counts, and the others are kept."""
        lower = entry.key.lower()
        before: Entry | None = None
        if lower in _SINGLE:
            before = self.single.get(_SINGLE[lower])
            self.single[_SINGLE[lower]] = entry
        elif (place := _place_in_list(entry)) is not None:
            name, number = place
            before = self.lists[name].get(number)
            self.lists[name][number] = entry
        else:
            self.keep(entry, lower)
            return
        if before is not None:
            self.kept.setdefault(entry.key, []).append(before)
            self.warn(entry, f"this key is in line {before.line} already; this line counts, and the other is kept")

    def keep(self, entry: Entry, lower: str) -> None:
        """Keeps what is no key of DSDF, or means nothing here."""
        if entry.key in self.kept:
            before = self.kept[entry.key][-1].line
            self.warn(entry, f"this key is in line {before} already, and is none that means anything here; it is kept")
        elif lower not in _KNOWN:
            near = did_you_mean(entry.key, [*_SINGLE.values(), *keys.LISTS, *_KNOWN.values()])
            self.warn(
                entry,
                f"there is no key {entry.key!r} in DSDF; it is kept, and no client is told of it.{near}",
                _UNKNOWN,
            )
        self.kept.setdefault(entry.key, []).append(entry)

    def warn(self, entry: Entry, message: str, kind: str = "config.bad-value") -> None:
        """Notes what is odd about an entry."""
        self.warnings.append(Finding(kind, message, self.place(entry)))

    def fail(self, entry: Entry, message: str) -> None:
        """Notes what is wrong with an entry."""
        self.findings.append(Finding("config.bad-value", message, self.place(entry)))

    def place(self, entry: Entry) -> Place:
        """Where an entry stands."""
        return Place(self.file, entry.line, entry.key)

    def said(self, key: str) -> Entry | None:
        """The entry of a key that stands once, where it says something."""
        entry = self.single.get(key)
        return entry if entry and entry.text.strip() else None

    def on(self, key: str) -> bool:
        """Whether a switch is on."""
        entry = self.said(key)
        try:
            return entry is not None and keys.flag(entry.text)
        except UnfitError as error:
            if entry and not any(each.place == self.place(entry) for each in self.findings):
                self.fail(entry, error.message)
            return False

    def items(self, name: str) -> list[tuple[int, Entry]]:
        """The items of a list that say something, by number."""
        return sorted((number, each) for number, each in self.lists[name].items() if each.text.strip())

    @property
    def first_generation(self) -> bool:
        """Whether the reader writes das1, which is what one does of which nothing else is said."""
        return not any(self.on(key) for key in STREAMS)

    # -- what is made of it

    def put(self, path: KeyPath, value: object, *entries: Entry | None) -> None:
        """Puts a value into the tables, with the place and the comments of the entries that it comes from."""
        table: Any = self.tables
        for name in path[:-1]:
            table = table.setdefault(name, {}) if isinstance(name, str) else table[name]
        if isinstance(path[-1], int):
            table.append(value)
        else:
            table[path[-1]] = value
        for entry in entries:
            if entry is not None:
                for length in range(1, len(path) + 1):
                    self.origins.setdefault(path[:length], self.place(entry))
                self.comments[path] = (*self.comments.get(path, ()), *entry.comments)

    def named(self, table: str) -> dict[str, object]:
        """What stands in a table so far, by name."""
        held = self.tables.get(table, {})
        return held if isinstance(held, dict) else {}

    def made(self, may_lack: frozenset[KeyPath] = frozenset()) -> Imported:
        """All that was made; `may_lack` is as in `Imported`."""
        return Imported(
            self.tables,
            self.origins,
            _CALLED,
            tuple(sorted(self.findings, key=lambda each: each.place.line)),
            tuple(sorted(self.warnings, key=lambda each: each.place.line)),
            may_lack,
            comments=self.comments,
        )


def _place_in_list(entry: Entry) -> tuple[str, int] | None:
    """The list that an entry belongs to, and its number there; without a number it is the first."""
    name, number = entry.numbered or (entry.key, 0)
    known = _LISTS.get(name.lower())
    return (known, number) if known else None


def plain(entry: Entry) -> object:
    """The value of an entry as TOML has it."""
    found = keys.number(entry.text) if entry.bare else None
    return entry.text if found is None else found

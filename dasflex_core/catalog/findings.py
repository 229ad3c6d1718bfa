# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with definitions: findings, each with its place, gathered while a definition is read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from dasflex_core.errors import ConfigError, Place

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dasflex_core.catalog.documents import Document

__all__ = ["Finding", "KeyPath", "Places", "Problems", "key_text", "raise_for"]

#: Where a key is: names of tables and keys, and the places of items in arrays, counted from 0.
KeyPath: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong: its `kind` is that of the `ConfigError` that it becomes."""

    kind: str
    message: str
    place: Place

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


def raise_for(findings: Sequence[Finding]) -> None:
    """Raises one `ConfigError` that lists the findings, with the kind of the first; does nothing without any."""
    if findings:
        raise ConfigError("\n".join(str(finding) for finding in findings), kind=findings[0].kind)


def key_text(path: KeyPath) -> str:
    """A key's path for people: `hapi[1].read.time.inter`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


@dataclass(frozen=True, slots=True)
class Places:
    """Where the keys of a definition stand: `documents` are its own, then those that it inherits from."""

    documents: tuple[Document, ...]

    def of(self, path: KeyPath) -> Place:
        """The place of a key, or of the innermost table around it, with the whole path as its key."""
        own = self.documents[0]
        for length in range(len(path), 0, -1):
            for start in _readings(path[:length]):
                for document in self.documents:
                    if place := document.origin((*document.prefix, *start)):
                        whole = key_text((*document.prefix, *start, *path[length:]))
                        return Place(place.file, place.line, place.key or whole)
                if start in own.called and length == len(path):
                    return Place(own.file, 1, own.called[start])
        return Place(own.file, 1 if own.text or own.imported else 0, key_text((*own.prefix, *path)))


def _readings(path: KeyPath) -> Iterator[KeyPath]:
    """The path itself, then without its first 0: `[reader]` may stand for the first of `[[reader]]`."""
    yield path
    if 0 in path:
        at = path.index(0)
        yield path[:at] + path[at + 1 :]


@dataclass(slots=True)
class Problems:
    """The findings of one reading, gathered as it goes on."""

    places: Places
    _found: dict[Finding, KeyPath] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, path: KeyPath, message: str, kind: str = "config.bad-value") -> None:
        """Notes that something is wrong at a key."""
        self._found[Finding(kind, message, self.places.of(path))] = path

    def within(self, path: KeyPath) -> bool:
        """Whether something was found at this key, or in its table: then what depends on it cannot be judged."""
        return any(each[: len(path)] == path for each in self._found.values())

    def made(self) -> tuple[Finding, ...]:
        """The findings, each once, by file and line."""
        return self.parted(frozenset())[0]

    def parted(self, may_lack: frozenset[KeyPath]) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
        """The findings, each once, by file and line; and apart those that only miss what may be missing."""
        order = {document.file: number for number, document in reversed(list(enumerate(self.places.documents)))}
        inner = len(order)  # files that are included come behind those that include them
        each = sorted(
            self._found, key=lambda each: (order.get(each.place.file, inner), each.place.file, each.place.line)
        )
        minor = [one for one in each if one.kind == "config.missing" and self._found[one] in may_lack]
        return tuple(one for one in each if one not in minor), tuple(minor)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Definitions in JSON: the tables of a TOML definition, with `//` comments, dotted keys, and files that are included.

    {
      "$include": "juno.json",        // what this file does not say is taken from that one
      "title": "Juno survey",
      "example": [{ "time": "2016-08-27 to 2016-08-28", "bin.time.max": 60 }]
    }

`$include` names one file or a list of files in the directory `DATASRC_INC` of the configuration, and in no other. It
may stand in any object: what the object says itself wins, then what the first file says. An included file is such an
object.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_left
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dasflex_core.catalog.documents import merged
from dasflex_core.catalog.findings import Finding
from dasflex_core.catalog.importing import Imported
from dasflex_core.errors import Place

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dasflex_core.catalog.findings import KeyPath

__all__ = ["read_json"]

INCLUDE: Final = "$include"
#: A file takes a few kilobytes, and includes a few others.
_LONGEST: Final = 4 << 20
_MOST_FILES: Final = 100
_DEEPEST: Final = 60

_TOKEN: Final = re.compile(
    r'(?P<blank>(?:[ \t\r\n]|//[^\n]*)+)|(?P<string>"(?:[^"\\\x00-\x1f]|\\.)*")'
    r"|(?P<word>[A-Za-z0-9+.-]+)|(?P<sign>[{}\[\],:])"
)
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_DOTTED: Final = re.compile(r"[A-Za-z][A-Za-z0-9_-]*(?:\.[A-Za-z0-9][A-Za-z0-9_-]*)+")
#: The objects whose keys are values, names of variables and the like, so that a full stop in them means nothing.
_FREE: Final = ("values", "set_env", "dsdf", "coords", "data")


class _FaultError(Exception):
    """A file cannot be read: in which line, and why."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass
class _Object:
    """An object as it is written: its keys in order, each with its line and its value."""

    line: int
    items: dict[str, tuple[int, Any]] = field(default_factory=dict)


def read_json(text: str, file: str, include: Path | None = None) -> Imported:
    """What a JSON file says, as TOML tables, with all that it includes from the directory `include`."""
    reading = _Reading(include)
    tables = reading.file(text, file, (), ())
    return Imported(
        tables,
        reading.origins,
        findings=tuple(reading.findings),
        included=tuple(dict.fromkeys(reading.included)),
    )


class _Reading:
    """One reading of a file with all that it includes."""

    def __init__(self, include: Path | None) -> None:
        self.include = include
        self.origins: dict[KeyPath, Place] = {}
        self.findings: list[Finding] = []
        self.included: list[str] = []

    def file(self, text: str, file: str, path: KeyPath, chain: tuple[str, ...]) -> dict[str, Any]:
        """The object of a file, for the place `path` of the whole; `chain` are the files that include it."""
        try:
            parsed = _Parser(text).whole()
        except _FaultError as fault:
            self.note(f"this is no JSON: {fault}", Place(file, fault.line))
            return {}
        if not isinstance(parsed, _Object):
            self.note("must be one object, { … }, with the tables of a definition", Place(file, 1))
            return {}
        return self.tables(parsed, file, path, (*chain, file))

    def note(self, message: str, place: Place) -> None:
        self.findings.append(Finding("config.unreadable", message, place))

    def tables(self, parsed: _Object, file: str, path: KeyPath, chain: tuple[str, ...]) -> dict[str, Any]:
        """The tables of an object, over those of the files that it includes."""
        self.origins.setdefault(path, Place(file, parsed.line))
        made: dict[str, Any] = {}
        free = bool(path) and path[-1] in _FREE
        for key, (line, value) in parsed.items.items():
            if key == INCLUDE:
                continue
            parts = key.split(".") if not free and _DOTTED.fullmatch(key) else [key]
            for depth in range(1, len(parts) + 1):
                self.origins.setdefault((*path, *parts[:depth]), Place(file, line))
            held = self.value(value, file, (*path, *parts), chain)
            for part in reversed(parts[1:]):
                held = {part: held}
            if not _added(made, parts[0], held):
                self.note("is said twice, with full stops and as an object", Place(file, line, key))
        for below in self.includes(parsed, file, path, chain):
            made = merged(made, below)
        return made

    def value(self, value: object, file: str, path: KeyPath, chain: tuple[str, ...]) -> object:
        """A value as TOML has it."""
        if isinstance(value, _Object):
            return self.tables(value, file, path, chain)
        if isinstance(value, list):
            for place, (line, _each) in enumerate(value):
                self.origins.setdefault((*path, place), Place(file, line))
            return [self.value(each, file, (*path, place), chain) for place, (_line, each) in enumerate(value)]
        return value

    # -- includes

    def includes(
        self, parsed: _Object, file: str, path: KeyPath, chain: tuple[str, ...]
    ) -> Iterator[Mapping[str, Any]]:
        """What the included files of an object say, in their order."""
        line, named = parsed.items.get(INCLUDE, (0, []))
        place = Place(file, line, INCLUDE)
        for name in [each for _line, each in named] if isinstance(named, list) else [named]:
            if not isinstance(name, str) or not name.strip():
                self.note("must be the name of a file, or a list of names", place)
                continue
            found = self.inside(name, place)
            if found is not None:
                yield from self.included_file(found, path, chain, place)

    def inside(self, name: str, place: Place) -> Path | None:
        """The file of that name, if it is in the directory of files to include; else that is told."""
        if self.include is None:
            self.note("there is no directory to include files from; name one with DATASRC_INC", place)
            return None
        try:
            root = self.include.resolve()
            found = (root / name).resolve()
        except (OSError, ValueError, RuntimeError) as error:
            self.note(f"{name!r:.80} is no file: {error}", place)
            return None
        if not found.is_relative_to(root):
            self.note(
                f"{name!r:.80} is outside of {self.include}, the only directory that files are included from;"
                " put a copy there, or let DATASRC_INC name the directory around it",
                place,
            )
            return None
        return found

    def included_file(
        self, found: Path, path: KeyPath, chain: tuple[str, ...], place: Place
    ) -> Iterator[Mapping[str, Any]]:
        """What an included file says, unless it includes itself."""
        files = [str(Path(each).resolve()) for each in chain]
        if str(found) in files:
            ring = " -> ".join([*chain[files.index(str(found)) :], str(found)])
            self.note(f"the file includes itself: {ring}; take one of these out", place)
            return
        self.included.append(str(found))
        if len(self.included) > _MOST_FILES:
            self.note(f"more than {_MOST_FILES} files are included; say it in fewer", place)
            return
        try:
            with found.open("rb") as opened:
                data = opened.read(_LONGEST + 1)
            if len(data) > _LONGEST:
                self.note(f"{found} is too long for a definition", place)
                return
            text = data.decode()
        except OSError as error:
            self.note(f"{found} cannot be read: {error.strerror}", place)
        except UnicodeDecodeError:
            self.note(f"{found} is not UTF-8 text", place)
        else:
            yield self.file(text.replace("\r\n", "\n").removeprefix("\ufeff"), str(found), path, chain)


def _added(table: dict[str, Any], key: str, value: object) -> bool:
    """Adds a key to a table, or what it holds to what it held; false where both say the same key."""
    if key not in table:
        table[key] = value
        return True
    held = table[key]
    if not isinstance(held, dict) or not isinstance(value, dict):
        return False
    return all(_added(held, name, each) for name, each in value.items())


class _Parser:
    """One walk through a JSON text; `at` is the next character."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.breaks = [found.start() for found in re.finditer("\n", text)]

    def line(self, at: int) -> int:
        """The line that a character is in."""
        return bisect_left(self.breaks, at) + 1

    def fail(self, message: str, at: int | None = None) -> _FaultError:
        return _FaultError(self.line(self.at if at is None else at), message)

    def token(self) -> tuple[str, str, int]:
        """The kind of the next token, its text, and where it is; an empty kind at the end."""
        while self.at < len(self.text):
            start = self.at
            found = _TOKEN.match(self.text, start)
            if found is None or found.lastgroup is None:
                char = self.text[start]
                what = "a text that is not closed" if char == '"' else f"{char!r}, which has no meaning"
                raise self.fail(f"here stands {what}")
            self.at = found.end()
            if found.lastgroup != "blank":
                return found.lastgroup, found[0], start
        return "", "the end", self.at

    def whole(self) -> object:
        """The value that is the text."""
        value = self.value(self.token(), 0)
        kind, text, at = self.token()
        if kind:
            raise self.fail(f"{text} stands behind the object", at)
        return value

    def value(self, token: tuple[str, str, int], depth: int) -> object:
        """The value that begins with a token."""
        kind, text, at = token
        if depth > _DEEPEST:
            raise self.fail("its objects lie too deep", at)
        if kind == "string":
            return self.string(text, at)
        if kind == "word":
            return self.word(text, at)
        if text == "{":
            return self.members(at, depth)
        if text == "[":
            return self.elements(depth)
        raise self.fail(f"{text} stands where a value should", at)

    def string(self, text: str, at: int) -> str:
        try:
            found = str(json.loads(text))
            found.encode()
        except ValueError as error:
            raise self.fail("this text holds a character that is none", at) from error
        return found

    def word(self, text: str, at: int) -> object:
        words = {"true": True, "false": False}
        if text in words:
            return words[text]
        if text == "null":
            raise self.fail("null says nothing; leave the key out", at)
        if not _NUMBER.fullmatch(text) or len(text) > 400:
            raise self.fail(f"{text:.40} is neither a number nor true nor false; write texts in quotes", at)
        return json.loads(text)

    def members(self, at: int, depth: int) -> _Object:
        made = _Object(self.line(at))
        token = self.token()
        while token[1] != "}" or token[0] != "sign":
            kind, text, start = token
            if kind != "string":
                raise self.fail(f"{text} stands where a key in quotes should", start)
            key = self.string(text, start)
            if key in made.items:
                raise self.fail(f"the key {key!r} stands twice in one object; say it once", start)
            colon = self.token()
            if colon[1] != ":":
                raise self.fail(f"{colon[1]} stands behind the key {key!r}, where a : should", colon[2])
            made.items[key] = (self.line(start), self.value(self.token(), depth + 1))
            token = self.following("}")
        return made

    def elements(self, depth: int) -> list[tuple[int, object]]:
        made = []
        token = self.token()
        while token[1] != "]" or token[0] != "sign":
            made.append((self.line(token[2]), self.value(token, depth + 1)))
            token = self.following("]")
        return made

    def following(self, end: str) -> tuple[str, str, int]:
        """What follows an item: the end, or the token behind a comma."""
        token = self.token()
        if token[1] == end and token[0] == "sign":
            return token
        if token[1] != "," or token[0] != "sign":
            raise self.fail(f"{token[1]} stands where a comma or {end} should", token[2])
        after = self.token()
        if after[1] == end and after[0] == "sign":
            raise self.fail(f"a comma stands in front of {end}; leave it out", after[2])
        return after

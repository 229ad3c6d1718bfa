# SPDX-License-Identifier: GPL-3.0-or-later
"""Which line of a TOML file a key stands in: `tomllib` gives values without lines.

The text must be valid TOML: it is walked here only far enough to know where keys begin.
"""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dasflex_core.catalog.findings import KeyPath

    KeyLines: TypeAlias = Mapping[KeyPath, int]

__all__ = ["locate_keys"]

_BETWEEN = re.compile(r"(?:[ \t\r\n]|#[^\n]*)+")
_BLANK = re.compile(r"[ \t]*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_QUOTED = re.compile(r'"(?:[^"\\\n]|\\.)*"' r"|'[^'\n]*'")
_STRING = re.compile(
    r'"""(?:[^"\\]|\\.|"{1,2}(?!"))*"{3,5}'  # up to two quotes may stand before the three that close it
    r"|'''(?:[^']|'{1,2}(?!'))*'{3,5}"
    r"|" + _QUOTED.pattern,
    re.DOTALL,
)
_OTHER_VALUE = re.compile(r"[^,\]}#\n]+")


def locate_keys(text: str) -> KeyLines:
    """The line (1 is the first) where each key, table and item of an array begins, by its path.

    `text` is valid TOML. The path of `a` in the second `[[b]]` is `("b", 1, "a")`. Where a table is opened more than
    once, the first place counts.
    """
    walk = _Walk(text)
    walk.document()
    return walk.lines


class _Walk:
    """One walk through a document; `at` is the next character."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[KeyPath, int] = {}
        self._counts: dict[KeyPath, int] = {}
        self._counted = (0, 1)

    def line(self) -> int:
        """The line of the next character; the count goes on from where it was asked for last."""
        at, line = self._counted
        self._counted = (self.at, line + self.text.count("\n", at, self.at))
        return self._counted[1]

    def skip(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        self.at = found.end() if found else self.at
        return found[0] if found else ""

    def note(self, path: KeyPath, line: int) -> None:
        self.lines.setdefault(path, line)

    def document(self) -> None:
        table: KeyPath = ()
        self.skip(_BETWEEN)
        while self.at < len(self.text):
            if self.text.startswith("[", self.at):
                table = self.header()
            else:
                self.entry(table)
            self.skip(_BETWEEN)

    def header(self) -> KeyPath:
        """`[table]` or `[[table]]`."""
        line = self.line()
        several = self.text.startswith("[[", self.at)
        self.at += 2 if several else 1
        names = self.key()
        self.at += 2 if several else 1
        path: KeyPath = ()
        for name in names[:-1]:
            path = self.within((*path, name))
            self.note(path, line)
        path = (*path, names[-1])
        self.note(path, line)
        if several:
            self._counts[path] = self._counts.get(path, 0) + 1
            path = self.within(path)
            self.note(path, line)
        return path

    def within(self, path: KeyPath) -> KeyPath:
        """The path of the table that a name in a header means: of an array of tables, the last one so far."""
        return (*path, self._counts[path] - 1) if path in self._counts else path

    def key(self) -> list[str]:
        """The names of a dotted key, and the blanks behind it."""
        names = []
        while True:
            self.skip(_BLANK)
            bare = self.skip(_BARE_KEY)
            names.append(bare or str(tomllib.loads(f"key = {self.skip(_QUOTED)}")["key"]))
            self.skip(_BLANK)
            if not self.text.startswith(".", self.at):
                return names
            self.at += 1

    def entry(self, table: KeyPath) -> None:
        """`key = value`."""
        line = self.line()
        path = table
        for name in self.key():
            path = (*path, name)
            self.note(path, line)
        self.at += 1  # the sign of equality
        self.skip(_BLANK)
        self.value(path)

    def value(self, path: KeyPath) -> None:
        if self.text.startswith("[", self.at):
            self.items(path, "]")
        elif self.text.startswith("{", self.at):
            self.items(path, "}")
        else:
            self.skip(_STRING) or self.skip(_OTHER_VALUE)

    def items(self, path: KeyPath, end: str) -> None:
        """What stands in an array or in an inline table."""
        self.at += 1
        count = 0
        while True:
            self.skip(_BETWEEN)
            if self.text.startswith(",", self.at):
                self.at += 1
            elif self.text.startswith(end, self.at):
                self.at += 1
                return
            elif end == "}":
                self.entry(path)
            else:
                self.note((*path, count), self.line())
                self.value((*path, count))
                count += 1

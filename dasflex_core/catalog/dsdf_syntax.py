# SPDX-License-Identifier: GPL-3.0-or-later
"""How DSDF, the definition file of das2 servers, is written: from its text to keys, values, comments and lines.

    ; a comment, and one more behind what follows
    description = 'Electric field'          ; a `;` in quotes is text
    summary     = "It isn't new, " + $      ; `+ $` or `$` at the end: the text goes on
                  'it''s old'               ; a quote in quotes is doubled
    y_fill      = -1.0e31                   ; without quotes: a number, a word, or a list [1, 2, 3]
    item_00     = 'a | the first'           ; a list: the suffixes _00 to _99, or 00 to 99
    item_01     = 'b | the second'

The language is a part of IDL's: each line assigns a value, so that of a key which is repeated the last value counts.
Names match without regard to case. Sections (`[reader]`), which a draft of das 2.3 had, are none of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Entry", "Fault", "Syntax", "parse_dsdf"]

_KEY: Final = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_.-]*)\s*=")
_SECTION: Final = re.compile(r"\s*\[")
_QUOTED: Final = re.compile(r"'((?:[^'\n]|'')*)'|\"((?:[^\"\n]|\"\")*)\"")
_BLANK: Final = re.compile(r"[ \t]*")
_CONTINUED: Final = re.compile(r"[ \t]*\+?[ \t]*\$[ \t]*(?:;(.*))?$")
_COMMENT: Final = re.compile(r"[ \t]*;(.*)$")
_NUMBERED: Final = re.compile(r"(.*?[^_0-9])_?([0-9]{1,2})")

#: Why a file with sections is no DSDF.
_SECTIONS: Final = (
    "sections, as a draft of das 2.3 had them, are none of DSDF, and no server ever read them; write each key on a line"
    " of its own, as in reader = '…', or write the definition in TOML"
)


@dataclass(frozen=True)
class Entry:
    """One assignment: its key as it is written, its value, and the line of the key.

    `text` is a quoted value without its quotes; of an unquoted one (`bare`) it is what stands there. `comments` are the
    lines of comments above it since the entry before, and those behind it.
    """

    key: str
    text: str
    line: int
    bare: bool = False
    comments: tuple[str, ...] = ()

    @property
    def numbered(self) -> tuple[str, int] | None:
        """The list that the key belongs to, and its number in it; None for a key without a number."""
        found = _NUMBERED.fullmatch(self.key)
        return (found[1], int(found[2])) if found else None


@dataclass(frozen=True)
class Fault:
    """What is wrong with a line: the key where there is one, and what would be right."""

    line: int
    message: str
    key: str = ""


@dataclass
class Syntax:
    """What a text holds: its entries in order, what is wrong, and the comments behind the last entry."""

    entries: list[Entry] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    comments: list[str] = field(default_factory=list)


class _FaultError(Exception):
    """A line is malformed."""


def parse_dsdf(text: str) -> Syntax:
    """The entries of a text, with all that is wrong with it. The first section ends the reading."""
    found = Syntax()
    lines = text.split("\n")
    at = 0
    while at < len(lines):
        line, start = lines[at], at
        key = _KEY.match(line)
        if comment := _COMMENT.match(line):
            found.comments.append(comment[1].rstrip().removeprefix(" "))
        elif key is None and _SECTION.match(line):
            found.faults.append(Fault(at + 1, _SECTIONS))
            break
        elif key is None and line.strip():
            found.faults.append(Fault(at + 1, "this is neither key = 'value' nor a comment, which begins with ';'"))
        elif key:
            value = _Value(lines, at, key.end())
            try:
                value.read()
                comments = (*found.comments, *value.comments)
                found.entries.append(Entry(key[1], value.text, at + 1, value.bare, comments))
                found.comments = []
            except _FaultError as fault:
                found.faults.append(Fault(value.line + 1, str(fault), key[1]))
            at = value.line
        at = max(at, start) + 1
    return found


class _Value:
    """One value, read from a place of a line on, over as many lines as it takes. `line` is the last one."""

    def __init__(self, lines: Sequence[str], line: int, at: int) -> None:
        self.lines = lines
        self.line = line
        self.at = at
        self.pieces: list[str] = []
        self.comments: list[str] = []
        self.bare = False

    @property
    def text(self) -> str:
        """The value."""
        return "".join(self.pieces)

    @property
    def rest(self) -> str:
        """What follows in the line."""
        return self.lines[self.line][self.at :]

    def read(self) -> None:
        """Reads it, and the comment behind it."""
        self.skip_blanks()
        if self.rest[:1] in ("'", '"'):
            self.quoted()
        else:
            self.unquoted()

    def skip_blanks(self) -> None:
        self.at += len(_BLANK.match(self.rest)[0])  # type: ignore[index]  # it matches nothing, too

    def quoted(self) -> None:
        """Pieces in quotes, with continuations between them."""
        while True:
            piece = _QUOTED.match(self.rest)
            if piece is None:
                raise _FaultError(f"the quote {self.rest[:1]} that opens here is not closed in this line")
            quote = self.rest[0]
            self.pieces.append(piece[0][1:-1].replace(quote * 2, quote))
            self.at += piece.end()
            if not self.ended():
                continue
            return

    def ended(self) -> bool:
        """Whether the value ends here; false where a further piece in quotes follows."""
        if found := _CONTINUED.match(self.rest):
            self.note(found[1])
            before = self.line
            self.next_line()
            if self.rest[:1] not in ("'", '"'):
                self.line = before
                raise _FaultError("behind a $ at the end of a line, this one must go on with text in quotes")
            return False
        if (found := _COMMENT.match(self.rest)) or not self.rest.strip():
            self.note(found[1] if found else None)
            return True
        joined = re.match(r"[ \t]*\+[ \t]*(?=['\"])", self.rest)
        if joined:
            self.at += joined.end()
            return False
        raise _FaultError(
            f"behind the closing quote stands {self.rest.strip()[:40]!r}; write a quote that is meant as text twice,"
            " or ; in front of a comment"
        )

    def unquoted(self) -> None:
        """A number, a word or a list, which may be continued."""
        self.bare = True
        while True:
            found = re.match(r"(?P<text>[^;$]*)(?P<on>\$)?[ \t]*(?:;(?P<comment>.*))?$", self.rest)
            if found is None:  # a $ that is no continuation
                found = re.match(r"(?P<text>[^;]*)(?P<on>(?!))?(?:;(?P<comment>.*))?$", self.rest)
            if found is None:
                raise _FaultError("this value cannot be read; write it in quotes")
            text = found["text"].strip()
            self.pieces.append(text.removesuffix("+") if found["on"] else text)
            self.note(found["comment"])
            if not found["on"]:
                return
            self.next_line()

    def note(self, comment: str | None) -> None:
        if comment and comment.strip():
            self.comments.append(comment.strip())

    def next_line(self) -> None:
        """Goes to the next line that is neither empty nor a comment."""
        start = self.line
        while self.line + 1 < len(self.lines):
            self.line += 1
            self.at = 0
            comment = _COMMENT.match(self.rest)
            self.note(comment[1] if comment else None)
            if self.rest.strip() and not comment:
                self.skip_blanks()
                return
        self.line = start
        raise _FaultError("the text goes on behind the $ at the end of this line, but nothing follows")

# SPDX-License-Identifier: GPL-3.0-or-later
"""What a das3 header says of values without a fixed size: the levels of their runs, and what ends each."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from dasflex_core.arrays import VARIES
from dasflex_core.errors import SourceError
from dasflex_core.values import dataclass
from dasflex_das.das3_properties import term_byte

if TYPE_CHECKING:
    from dasflex_core.arrays import Variable

    #: How the innermost entries of runs stand in a packet.
    Form: TypeAlias = Literal["binary", "text", "blob", "base64"]

__all__ = ["LETTERS", "Level", "Runs", "levels_of", "read_terms", "runs_of"]

#: The names of the indices in count tags; the first is that of the record.
LETTERS: Final = "ijklmnop"
#: What the schema does not allow as a terminator (das 3.0 schema, `Term`).
_RESERVED: Final = '()<>[]{}\\&"'


@dataclass(frozen=True, slots=True)
class Level:
    """One level of runs: the letter of its index, its extent or `VARIES`, and the byte that ends it, if one does."""

    letter: str
    extent: int
    term: bytes = b""


@dataclass(frozen=True, slots=True)
class Runs:
    """How a variable without a fixed size stands in packets.

    `levels` are those of its column (without the bytes of blobs). The innermost runs hold entries of `count` wire
    values of `width` bytes, or of any (`VARIES`): texts that end with `term`, or at blanks where that is empty, and
    blobs behind their length. `last` says that nothing comes behind it in the packet, whose end then closes it.
    `where` names the variable in errors.
    """

    where: str
    levels: tuple[Level, ...]
    width: int
    count: int
    form: Form
    term: bytes = b""
    last: bool = False

    @property
    def terms(self) -> bool:
        """Whether terminators end the runs, rather than count tags before them."""
        return any(level.term for level in self.levels)


def runs_of(variable: Variable, width: int, index_terms: tuple[str, ...], where: str) -> Runs | None:
    """How a variable stands in packets, if it has no fixed size there; `width` is that of a value, or `VARIES`.

    Raises `SourceError` for terminators that cannot be, and for too few of them.
    """
    encoding = variable.encoding
    name = encoding.name if encoding is not None else ""
    if not variable.ragged and width != VARIES and name != "base64":
        return None
    form: Form = "blob" if name == "blob" else "base64" if name == "base64" else "text" if name == "utf8" else "binary"
    levels = levels_of(variable)
    if form != "text" and index_terms:
        raise SourceError(f"{where}: idxTerm ends runs of text; the encoding is {name}", kind="source.stream")
    term = _byte(encoding.value_term, where) if encoding is not None and form == "text" else b""
    runs = Runs(where, levels, width, prod(variable.leaf), form, term)
    return replace(runs, levels=_with_terms(runs, index_terms)) if form == "text" else runs


def levels_of(variable: Variable) -> tuple[Level, ...]:
    """The levels of runs of a variable; without the bytes of blobs."""
    inner = [
        Level(letter, extent)
        for letter, extent in zip(LETTERS, variable.index, strict=False)
        if letter != LETTERS[0] and extent is not None
    ]
    return tuple(inner if variable.semantic == "blob" else inner[: variable.depth])


def _with_terms(runs: Runs, written: tuple[str, ...]) -> tuple[Level, ...]:
    """The levels with their terminators: one for each, or one for each whose length varies (das3, ragged runs)."""
    levels = runs.levels
    ragged = [place for place, level in enumerate(levels) if level.extent == VARIES]
    if not written:
        if len(levels) > 1 and runs.width == VARIES:
            raise SourceError(
                f"{runs.where}: idxTerm is missing; text of variable width over {len(levels)} indices of which some"
                f" vary needs a terminator for each of the {len(ragged)} that vary, the outermost first",
                kind="source.stream",
            )
        return levels
    places = range(len(levels)) if len(written) == len(levels) else ragged
    if len(written) != len(places):
        raise SourceError(
            f"{runs.where}: idxTerm holds {len(written)} terminators; there is one for each index that varies,"
            f" {len(ragged)}, or one for each down to the last that does, {len(levels)}",
            kind="source.stream",
        )
    found = [_byte(text, runs.where) for text in written]
    if len({*found, runs.term}) != len(found) + 1:
        raise SourceError(
            f"{runs.where}: the terminators {', '.join(written)} and valTerm must all differ", kind="source.stream"
        )
    given = dict(zip(places, found, strict=True))
    return tuple(replace(level, term=given.get(place, b"")) for place, level in enumerate(levels))


def read_terms(text: str) -> tuple[str, ...]:
    """The terminators of an `idxTerm`: a list between commas, or between bars in release candidates.

    A comma or a bar alone is a terminator itself.
    """
    if len(text) <= 1:
        return (text,) if text else ()
    mark = "|" if "|" in text and "," not in text else ","
    return tuple(part.strip(" ") or part for part in text.split(mark))


def _byte(text: str, where: str) -> bytes:
    """The byte that a terminator of a header stands for; empty for none. Raises `SourceError` for what is none."""
    byte = term_byte(text).encode()
    if len(byte) > 1 or (byte and text in _RESERVED):
        raise SourceError(
            f"{where}: {text!r} is no terminator; one is a character but for {_RESERVED}, or one of \\n \\t \\r \\0",
            kind="source.stream",
        )
    return byte

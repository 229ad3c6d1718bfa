# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts of streams as matplotlib draws them: Granroth's marks and raised units become its mathematical text."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from dasflex_core.errors import QueryError
from dasflex_core.granroth import pieces, plain
from dasflex_core.units import canonical

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["drawn", "drawn_units", "with_units"]

#: Brackets at the end in which nothing stands, since the stream has no property of that name.
_EMPTY: Final = re.compile(r"\s*(\(\s*\)|\[\s*\])\s*$")
#: What mathematical text of matplotlib does not take as it is, and what stands for what it cannot write.
_STRANGE: Final = re.compile("[^a-zA-Z0-9 +\\-*/<>=:,.;!?&'@()\\[\\]|\u0080-\U0001ffff]")
_LIKE: Final = {"\\": "\u2216", "^": "\u02c6", "~": "\u223c", '"': "\u2033", "`": "\u2035"}


def drawn(text: str, named: Callable[[str], str] = lambda _name: "") -> str:
    """A label as mathematical text of matplotlib; `named` gives what stands in the place of `%{NAME}`."""
    return "".join(_piece(place, piece) for place, piece in pieces(text, named)).strip(" \n")


def drawn_units(units: str) -> str:
    """Units as they are drawn, with raised powers however these are spelled; as they are where they are no units."""
    try:
        return drawn(canonical(units))
    except QueryError:
        return drawn(units)


def with_units(label: str, units: str, named: Callable[[str], str] = lambda _name: "") -> str:
    """A label as it is drawn, with its units in brackets where it does not say them."""
    text, unit = drawn(label, named), drawn_units(units)
    text = _EMPTY.sub("", text)
    said = text.rstrip().endswith((")", "]")) or f" {_words(units)} " in f" {_words(plain(label, named))} "
    return text if not unit or (text and said) else f"{text} ({unit})".strip()


def _words(text: str) -> str:
    """The words of a text, without what differs between spellings of units."""
    return " ".join(re.sub(r"[*^]", "", re.sub(r"[,()\[\]]", " ", plain(text))).split())


def _piece(place: int, text: str) -> str:
    """A piece of text in its place."""
    if not place or not text.strip():
        return text.replace("\\", "\u2216").replace("$", r"\$")
    inner = _STRANGE.sub(_escaped, text.strip()).replace(" ", r"\ ")
    return f"$\\mathregular{{{'^' if place > 0 else '_'}{{{inner}}}}}$"


def _escaped(found: re.Match[str]) -> str:
    """A character that mathematical text has no other way to write: with a backslash, or one that looks like it."""
    char = found[0]
    return "\\" + char if char in "{}_#%$" else _LIKE.get(char, "?")

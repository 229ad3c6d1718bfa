# SPDX-License-Identifier: GPL-3.0-or-later
"""Texts of streams as matplotlib draws them: Granroth's marks and raised units become its mathematical text.

The marks are those of das-streams 2.11: `!A` and `!U` raise (`!E` too), `!B` and `!D` lower (`!I` too), `!N` goes back
to the line, `!C` begins a new one, `!S` and `!R` save and restore, `!K` is for small type, `!!` is a bang.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["drawn", "plain", "with_units"]

_MARK: Final = re.compile(r"(![A-Za-z!])")
_POWER: Final = re.compile(r"\*\*\s*(?:\(([^()]+)\)|([+-]?[0-9]+(?:[./][0-9]+)?))")
_NAMED: Final = re.compile(r"%\{([^}]*)\}")
_RAISING: Final = "aue"
_LOWERING: Final = "bdi"
_UNPRINTED: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_LONGEST: Final = 400


def drawn(text: str, named: Callable[[str], str] = lambda _name: "") -> str:
    """A label as mathematical text of matplotlib; `named` gives what stands in the place of `%{NAME}`."""
    return "".join(_piece(place, piece) for place, piece in _pieces(_filled(text, named))).strip(" \n")


def plain(text: str, named: Callable[[str], str] = lambda _name: "") -> str:
    """A label without its marks, for metadata."""
    words = "".join(" " if piece == "\n" else piece for _place, piece in _pieces(_filled(text, named)))
    return " ".join(words.split())


def with_units(label: str, units: str, named: Callable[[str], str] = lambda _name: "") -> str:
    """A label as it is drawn, with its units in brackets where it does not say them."""
    text, unit = drawn(label, named), drawn(units)
    said = text.rstrip().endswith((")", "]")) or _bare(units) in _bare(plain(label, named))
    return text if not unit or (text and said) else f"{text} ({unit})".strip()


def _bare(text: str) -> str:
    """A text without what differs between spellings of units."""
    return re.sub(r"[\s*^]", "", plain(text))


def _filled(text: str, named: Callable[[str], str]) -> str:
    """A text with its properties in their places, and its powers as marks; line ends and controls are blanks."""
    text = _NAMED.sub(lambda found: named(found[1]), text[:_LONGEST])
    text = _UNPRINTED.sub(" ", text)
    return _POWER.sub(lambda found: f"!U{found[1] or found[2]}!N", text)


def _pieces(text: str) -> list[tuple[int, str]]:
    """Pieces of text, each with its place: 1 is raised, -1 lowered, 0 on the line."""
    found: list[tuple[int, str]] = []
    place, saved = 0, 0
    for part in _MARK.split(text):
        mark = part[1].lower() if _MARK.fullmatch(part) else ""
        if part == "!!":
            found.append((place, "!"))
        elif mark == "c":
            found.append((0, "\n"))
            place = 0
        elif mark == "s":
            saved = place
        elif mark == "r":
            place = saved
        elif mark and mark in _RAISING + _LOWERING + "n":
            place = 1 if mark in _RAISING else -1 if mark in _LOWERING else 0
        elif mark == "k" or not part:
            continue
        else:
            found.append((place, part))
    return found


def _piece(place: int, text: str) -> str:
    """A piece of text in its place."""
    if not place or not text.strip():
        return text.replace("\\", "\u2216").replace("$", r"\$")
    inner = re.sub(r"([\\{}_^#%&~$])", _escaped, text.strip()).replace(" ", r"\ ")
    return f"$\\mathregular{{{'^' if place > 0 else '_'}{{{inner}}}}}$"


def _escaped(found: re.Match[str]) -> str:
    """A character that means something in mathematical text."""
    return {"\\": "\u2216", "^": "\u02c6", "~": "\u223c"}.get(found[1], "\\" + found[1])

# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels in Granroth notation, cut into pieces that are raised, lowered or on the line.

The marks are those of das-streams 2.11: `!A` and `!U` raise (`!E` too), `!B` and `!D` lower (`!I` too), `!N` goes back
to the line, `!C` begins a new one, `!S` and `!R` save and restore, `!K` is for small type, `!!` is a bang.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["pieces", "plain"]

_MARK: Final = re.compile(r"(![A-Za-z!])")
_POWER: Final = re.compile(r"\*\*\s*(?:\(([^()]+)\)|([+-]?[0-9]+(?:[./][0-9]+)?))")
_NAMED: Final = re.compile(r"%\{([^}]*)\}")
_RAISING: Final = "aue"
_LOWERING: Final = "bdi"
_UNPRINTED: Final = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_LONGEST: Final = 400


def pieces(text: str, named: Callable[[str], str] = lambda _name: "") -> list[tuple[int, str]]:
    """The pieces of a label, each with its place: 1 is raised, -1 lowered, 0 on the line.

    `named` gives what stands in the place of `%{NAME}`.
    """
    found: list[tuple[int, str]] = []
    place, saved = 0, 0
    for part in _MARK.split(_filled(text, named)):
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


def plain(text: str, named: Callable[[str], str] = lambda _name: "") -> str:
    """A label without its marks, for metadata.

    >>> plain("E!bx!n (V!a2!nm!a-2!n)")
    'Ex (V2m-2)'
    """
    words = "".join(" " if piece == "\n" else piece for _place, piece in pieces(text, named))
    return " ".join(words.split())


def _filled(text: str, named: Callable[[str], str]) -> str:
    """A text with its properties in their places, and its powers as marks; line ends and controls are blanks."""
    text = _NAMED.sub(lambda found: named(found[1]), text[:_LONGEST])
    text = _UNPRINTED.sub(" ", text)
    return _POWER.sub(lambda found: f"!U{found[1] or found[2]}!N", text)

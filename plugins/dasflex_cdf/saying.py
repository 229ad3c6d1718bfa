# SPDX-License-Identifier: GPL-3.0-or-later
"""What the properties of a stream say of a variable, in the words of das3, whichever generation wrote them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dasflex_core.arrays import Dataset, Dimension, Properties, Property, StreamHeader, Variable

__all__ = ["Said", "items_of", "plain_text"]

#: The axis that das2 writes into the names of properties (das 2.2 ICD, standard property names).
_AXES: Final = {"x": "x", "y": "y", "z": "z", "yscan": "z", "tags": "y"}
#: What das2 clients put something in the place of: `%{RANGE}`.
_MACRO: Final = re.compile(r"%\{[^}]*\}|%\([^)]*\)")


class Said:
    """What is said of one variable: by itself and by its dimension; in das2 by packet and stream, too."""

    def __init__(self, stream: StreamHeader, dataset: Dataset, dimension: Dimension, variable: Variable) -> None:
        self._levels: list[Properties] = [variable.properties, dimension.properties]
        self._axis = ""
        if dataset.generation == 2:
            self._levels += [dataset.properties, stream.properties]
            self._axis = _AXES.get(variable.plane, "x" if dimension.axis == "x" else "")

    def get(self, *names: str) -> Property | None:
        """The first property of one of these names, that of the variable itself before that of its dimension."""
        for name in names:
            for place, level in enumerate(self._levels):
                found = level.get(name) if place < 2 else None
                if found is None and self._axis:
                    found = level.get(f"{self._axis}{name[:1].upper()}{name[1:]}")
                if found is not None and found.text.strip():
                    return found
        return None

    def text(self, *names: str) -> str:
        """The text of such a property; blank where there is none."""
        found = self.get(*names)
        return plain_text(found.text) if found else ""

    def ends(self, name: str) -> tuple[str, str]:
        """The two ends of a range as text, behind the second its units; both blank where there is none."""
        low, to, high = self.text(name).partition(" to ")
        return (low, high) if to else ("", "")

    def lists(self, *names: str) -> Iterator[list[str]]:
        """The items of each such property that there is."""
        for name in names:
            for level in self._levels[:2]:
                found = level.get(name)
                if found is not None:
                    yield items_of(found)


def items_of(entry: Property) -> list[str]:
    """The items of a property: those of an array, one of anything else (das 3.0, properties)."""
    text = entry.text.strip()
    if not entry.type.lower().endswith("array"):
        return [text]
    term = entry.term.strip() or next((each for each in ";,\t" if each in text), "")
    parts = [part.strip() for part in (text.split(term) if term else text.split())]
    return parts[:-1] if len(parts) > 1 and not parts[-1] else parts


def plain_text(text: str) -> str:
    """A text in one line, without what das2 clients put something in the place of."""
    return " ".join(_MACRO.sub("", text).split())

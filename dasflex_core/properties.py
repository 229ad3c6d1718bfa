# SPDX-License-Identifier: GPL-3.0-or-later
"""The properties of streams, datasets, dimensions and variables, as written. Public in `dasflex_core.arrays`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Properties", "Property"]


@dataclass(frozen=True, slots=True)
class Property:
    """One property of a stream, a dataset, a dimension or a variable, as it was written.

    `type` is a das2 type (`String`, `Datum`, `DatumRange`, `double`, …: das 2.2 ICD) in a das2 stream, and a das3
    type (`string`, `real`, `datetimeRange`, …: das 3.0 schema) in a das3 stream. `term` separates the items of a das3
    array. `translations` are the texts of a das3 property in other languages, each behind its tag (`fr`).
    """

    name: str
    text: str
    type: str = "string"
    units: str = ""
    term: str = ""
    translations: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Properties:
    """Properties in their order; names are unique. A replaced property moves to the end, as classic das tools do."""

    entries: tuple[Property, ...] = ()

    def __iter__(self) -> Iterator[Property]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    def get(self, name: str) -> Property | None:
        """The property of that name, or None."""
        return next((entry for entry in self.entries if entry.name == name), None)

    def text(self, name: str, default: str = "") -> str:
        """The text of the property of that name, or the default."""
        entry = self.get(name)
        return default if entry is None else entry.text

    def put(self, *new: Property) -> Properties:
        """These properties with `new` at the end, in place of those of the same name."""
        names = {entry.name for entry in new}
        return Properties((*(entry for entry in self.entries if entry.name not in names), *new))

    def without(self, *names: str) -> Properties:
        """These properties less those names."""
        return Properties(tuple(entry for entry in self.entries if entry.name not in names))

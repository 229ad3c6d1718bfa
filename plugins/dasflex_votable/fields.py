# SPDX-License-Identifier: GPL-3.0-or-later
"""The fields of a table (VOTable 1.4, sections 2 and 4): what each variable is, and how its values are laid out."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dasflex_core.arrays import VARIES
from dasflex_core.errors import QueryError
from dasflex_core.record_times import is_time
from dasflex_core.values import dataclass
from dasflex_votable.meaning import ucd, vounit

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dasflex_core.arrays import Dataset, Variable

__all__ = ["Field", "element", "field_of", "identifiers", "quoted"]

#: The types of VOTable (section 2.1) by those of numpy. It has no signed byte and no unsigned number but the byte: the
#: next larger one is taken, and of 64 bits `long`.
_TYPES: Final = {
    "i1": ("short", ">i2"),
    "u1": ("unsignedByte", "u1"),
    "i2": ("short", ">i2"),
    "u2": ("int", ">i4"),
    "i4": ("int", ">i4"),
    "u4": ("long", ">i8"),
    "i8": ("long", ">i8"),
    "u8": ("long", ">i8"),
    "f2": ("float", ">f4"),
    "f4": ("float", ">f4"),
    "f8": ("double", ">f8"),
    "b1": ("boolean", "S1"),
}
#: The largest number of a `long`, and what stands for none where fill is larger.
_LONGEST: Final = (1 << 63) - 1
_NO_LONG: Final = -1 << 63
#: Characters of a time to the nanosecond: `2016-06-24T00:00:00.000000000`.
_TIME_LENGTH: Final = 29


@dataclass(frozen=True, slots=True)
class Field:
    """A column of the table.

    `kind` tells how its values are written: `time`, `text` (of a fixed length), `words` (texts of any), `flag`,
    `bytes`, or `number`. `wire` is the numpy type of one element in BINARY2, big-endian. `shape` is that of a value,
    `VARIES` first where its length differs from record to record. `null` is the integer that stands for none.
    """

    variable: Variable
    kind: str
    datatype: str
    wire: str
    shape: tuple[int, ...]
    null: int | None = None

    @property
    def varies(self) -> bool:
        """Whether values have a length of their own."""
        return self.kind in ("bytes", "words") or self.shape[:1] == (VARIES,)

    @property
    def count(self) -> int:
        """The elements of a value, or of one entry of its runs."""
        inner = self.shape[1:] if self.varies else self.shape
        return int(np.prod(inner, dtype=int)) * self.letters

    @property
    def letters(self) -> int:
        """The characters of a text; of all else one element is one value."""
        if self.kind == "text":
            return self.variable.dtype.itemsize
        return _TIME_LENGTH if self.kind == "time" else 1

    @property
    def arraysize(self) -> str:
        """The extents, the one that runs fastest first; the last may vary (section 2.2)."""
        extents = ["*" if extent == VARIES else str(extent) for extent in reversed(self.shape)]
        if self.kind in ("bytes", "words"):
            return "*"
        return "x".join([*([str(self.letters)] if self.kind in ("time", "text") else []), *extents])


def field_of(variable: Variable) -> Field:
    """The field of a variable. Raises `QueryError` for one whose values VOTable has no form for."""
    shape = variable.shape
    if variable.semantic == "blob":
        if variable.depth > 1 or shape:
            raise _unfit(variable, "several files in a record")
        return Field(variable, "bytes", "unsignedByte", "u1", ())
    if variable.depth > 1:
        raise _unfit(variable, "runs of varying length within others, or not in the first place,")
    if shape[:1] == (VARIES,) and len(shape) > 1:  # programs do not agree on what their number counts
        raise _unfit(variable, "runs of several values each")
    if is_time(variable):
        return _fixed(variable, "time", "char")
    if variable.dtype.kind == "S":
        if not variable.dtype.itemsize and not shape:
            return Field(variable, "words", "unicodeChar", ">u2", ())
        return _fixed(variable, "text", "unicodeChar")
    if variable.semantic == "bool":
        return Field(variable, "flag", "boolean", "S1", shape)
    datatype, wire = _TYPES[variable.dtype.str[1:]]
    null = int(variable.fill) if variable.dtype.kind in "iu" and isinstance(variable.fill, int) else None
    null = _NO_LONG if null is not None and null > _LONGEST else null
    return Field(variable, "number", datatype, wire, shape, null)


def _fixed(variable: Variable, kind: str, datatype: str) -> Field:
    """The field of texts. An array of them is an array of characters of two dimensions, which astropy cannot read."""
    if variable.shape:
        raise _unfit(variable, f"several {kind}s in a record")
    return Field(variable, kind, datatype, "S1" if datatype == "char" else ">u2", variable.shape)


def element(dataset: Dataset, field: Field, identifier: str) -> str:
    """The element FIELD with all that is known of the values. The text is XML without its tag."""
    variable = field.variable
    dimension = dataset.dimension(variable)
    about: dict[str, Any] = {"name": variable.name, "ID": identifier, "datatype": field.datatype}
    if field.arraysize:
        about["arraysize"] = field.arraysize
    if field.kind == "time":
        about |= {"xtype": "timestamp", "ucd": "time.epoch", "ref": "utc"}
    elif field.kind == "number":
        about |= {
            "unit": vounit(variable.units),
            "ucd": ucd(variable.units, coordinate=dimension.coordinate),
        }
    inside = ""
    if text := variable.label or dimension.properties.text("title"):
        inside += f"<DESCRIPTION>{escape(text, quote=False)}</DESCRIPTION>"
    if field.null is not None and field.kind == "number":
        inside += f'<VALUES null="{field.null}"/>'
    attributes = "".join(f" {name}={quoted(text)}" for name, text in about.items() if text)
    return f"{attributes}>{inside}"


def quoted(text: str) -> str:
    """A text as the value of an attribute."""
    return '"' + escape(text).replace("\n", "&#10;").replace("\t", "&#9;") + '"'


def identifiers(names: Iterable[str], taken: str) -> list[str]:
    """A name of XML for each name, none twice, and none that is taken already."""
    found: list[str] = []
    for name in names:
        plain = "".join(char if char.isascii() and (char.isalnum() or char in "-_.") else "_" for char in name)
        plain = plain if plain[:1].isalpha() or plain[:1] == "_" else f"_{plain}"
        while plain in (taken, *found):
            plain += "_"
        found.append(plain)
    return found


def _unfit(variable: Variable, what: str) -> QueryError:
    """The error for what no field holds."""
    return QueryError(
        f"{variable.name} has {what} and a VOTable has no field for that; leave it out with read.data, or choose "
        "another format",
        kind="query.unreachable-type",
    )

# SPDX-License-Identifier: GPL-3.0-or-later
"""The properties of das2 headers: read with their types, found by cascade, and written as every client reads them.

`<properties title="…" Datum:xTagWidth="8.0 s" />`: each attribute is one property, its prefix the type, and no prefix
means `String` (the das2 stream format, property elements).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dasflex_core.arrays import Properties, Property
from dasflex_core.errors import SourceError
from dasflex_das.elements import attribute_text

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from dasflex_das.elements import Element

__all__ = ["DEFAULT_FILL", "cascade", "fill_of", "number_text", "properties_lines", "properties_of", "safe_name"]

#: The fill value of das2 planes for which no property names another.
DEFAULT_FILL = -1.0e31

# The das2 types, and the names that das3 has for them, which classic tools read too. Case does not count on input.
_TYPES = {
    "string": "String",
    "boolean": "boolean",
    "bool": "boolean",
    "int": "int",
    "integer": "int",
    "double": "double",
    "real": "double",
    "doublearray": "doubleArray",
    "realarray": "doubleArray",
    "datum": "Datum",
    "datumrange": "DatumRange",
    "realrange": "DatumRange",
    "integerrange": "DatumRange",
    "integerarray": "doubleArray",
    "time": "Time",
    "datetime": "Time",
    "timerange": "TimeRange",
    "datetimerange": "TimeRange",
}
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_.]")
_LONGEST_NAME = 63


def properties_of(element: Element) -> Properties:
    """The properties of a stream, packet or plane element. A type that das2 does not know is read as `String`."""
    found = [_property(name, text) for properties in element.all("properties") for name, text in properties.attributes]
    return Properties(tuple({each.name: each for each in found}.values()))


def _property(attribute: str, text: str) -> Property:
    """One property of one attribute."""
    prefix, colon, name = attribute.partition(":")
    return Property(name, text, _TYPES.get(prefix.lower(), "String")) if colon else Property(attribute, text, "String")


def cascade(name: str, *levels: Properties) -> Property | None:
    """The property of that name at the first level that defines it: plane, then packet, then stream."""
    return next((found for level in levels if (found := level.get(name)) is not None), None)


def fill_of(plane: str, *levels: Properties) -> float:
    """The fill value of a data plane (`y`, `z`, `yscan`): `yFill` or `zFill`, then `fill`, then -1e31.

    Raises `SourceError` for a fill that is no number.
    """
    for name in ("yFill" if plane == "y" else "zFill", "fill"):
        found = cascade(name, *levels)
        if found is not None:
            try:
                return float(found.text.split()[0])  # a unit may follow
            except (ValueError, IndexError):
                raise SourceError(
                    f"The property {name}={found.text!r} is no number, as a fill value must be", kind="source.stream"
                ) from None
    return DEFAULT_FILL


def number_text(number: float) -> str:
    """The shortest text that is read as this number, in the spelling that every client reads (`NaN`, `1e-05`)."""
    return "NaN" if number != number else repr(float(number))  # noqa: PLR0124  only NaN differs from itself


def safe_name(name: str, otherwise: str = "plane") -> str:
    """The name as das2 clients can hold it: ASCII letters, digits, `_` and `.`, a letter first, at most 63."""
    clean = _NOT_IN_NAMES.sub("_", name)[:_LONGEST_NAME]
    return clean if clean[:1].isalpha() else f"{otherwise}_{clean}"[:_LONGEST_NAME] if clean else otherwise


def _written_name(name: str, taken: Container[str]) -> str:
    """The name of a property in a header: its own if das2C takes that, else one like it that is not taken."""
    clean = safe_name(name, "p").replace(".", "_")
    found, number = clean, 1
    while found != name and found in taken:
        number += 1
        found = f"{clean[: _LONGEST_NAME - 4]}_{number}"
    return found


def properties_lines(properties: Iterable[Property], indent: str) -> str:
    """The `<properties … />` element, one property per line and every type written, or nothing where there are none.

    A property without a das2 type is written as `String`: Java clients refuse any other prefix (das2java's set of
    property types), and names with other characters are refused by das2C.
    """
    every = tuple(properties)
    lines: dict[str, str] = {}
    for each in every:
        name = _written_name(each.name, {*lines, *(other.name for other in every)})
        kind = _TYPES.get(each.type.lower(), "String")
        text = each.text if not each.units or kind != "Datum" else f"{each.text} {each.units}"
        lines[name] = f'\n{indent}  {kind}:{name}="{attribute_text(text)}"'
    return f"{indent}<properties{''.join(lines.values())}\n{indent}/>\n" if lines else ""

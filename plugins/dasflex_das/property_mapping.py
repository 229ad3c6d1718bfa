# SPDX-License-Identifier: GPL-3.0-or-later
"""Properties of das2 as das3 has them, and back: their types, and the axis that das2 writes into a name.

das2 says `yLabel` of a plane or of the whole packet, das3 `label` of the dimension that is meant. Names that belong
to no axis stay as they are (the das2 stream format, property elements and names; das2 in the model of das3).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from dasflex_core.arrays import Properties, Property
from dasflex_das.das3_properties import items
from dasflex_das.das3_values import NUMBER

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["axis_properties", "das2_property", "das3_property", "other_properties", "with_axis"]

#: What das2 says of an axis, and what das3 calls it.
_AXIS: Final = {
    "Label": "label",
    "Range": "range",
    "ScaleType": "scaleType",
    "TagWidth": "tagWidth",
    "Format": "format",
    "Summary": "summary",
    "ValidMin": "validMin",
    "ValidMax": "validMax",
    "Monotonic": "monotonic",
}
_BACK: Final = {plain: name for name, plain in _AXIS.items()}
_PLAIN: Final = {"String": "string", "boolean": "bool", "int": "integer", "double": "real", "Time": "datetime"}
_PLAIN_BACK: Final = {plain: kind for kind, plain in _PLAIN.items()}
_RANGE: Final = re.compile(rf"({NUMBER.pattern})\s+to\s+({NUMBER.pattern})(?:\s+(.*))?", re.DOTALL)
_TIMES: Final = re.compile(r"([0-9]{4}\S*(?: [0-9:.]+)?)\s+to\s+([0-9]{4}\S*(?: [0-9:.]+)?)(?:\s+UTC)?")
_MOMENT: Final = re.compile(r"[0-9]{4}-[0-9]\S*")


def das3_property(entry: Property) -> Property:
    """The das2 property with its das3 type. A datum or a range that cannot be read becomes a string, as in das2C."""
    if entry.type in _PLAIN:
        return Property(entry.name, entry.text, _PLAIN[entry.type])
    if entry.type == "doubleArray":
        return Property(entry.name, entry.text, "realArray", term=",")
    if entry.type == "Datum":
        number, _, units = entry.text.strip().partition(" ")
        if NUMBER.fullmatch(number):
            return Property(entry.name, number, "real", units.strip())
        if _MOMENT.fullmatch(number) and units.strip() in ("", "UTC"):
            return Property(entry.name, number, "datetime", units.strip())
    if entry.type in ("DatumRange", "TimeRange"):
        return _range(entry)
    return Property(entry.name, entry.text)


def _range(entry: Property) -> Property:
    """A range of numbers or of times."""
    text = entry.text.strip()
    times, numbers = _TIMES.fullmatch(text), _RANGE.fullmatch(text)
    if times:
        return Property(entry.name, f"{times[1]} to {times[2]}", "datetimeRange", "UTC")
    if numbers:
        return Property(entry.name, f"{numbers[1]} to {numbers[5]}", "realRange", (numbers[9] or "").strip())
    return Property(entry.name, entry.text)


def das2_property(entry: Property) -> Property:
    """The das3 property with its das2 type; units become part of the text, as das2 writes them.

    Java clients know the types of das2 only, and want `xMonotonic` as text.
    """
    text = entry.text
    if entry.name == "xMonotonic":
        return Property(entry.name, text, "String")
    if entry.type in ("real", "integer") and entry.units:
        return Property(entry.name, f"{text} {entry.units}", "Datum")
    if entry.type in ("realRange", "integerRange"):
        return Property(entry.name, f"{text} {entry.units}".strip(), "DatumRange")
    if entry.type == "datetimeRange":
        return Property(entry.name, f"{text} UTC", "DatumRange")
    if entry.type in ("realArray", "integerArray"):
        return Property(entry.name, text if entry.term == "," else ",".join(items(entry)), "doubleArray")
    return Property(entry.name, text, _PLAIN_BACK.get(entry.type, "String"))


def _axis_name(name: str, axis: str) -> str:
    """What das3 calls a das2 property of that axis; blank where it is none."""
    return _AXIS.get(name[1:], "") if name[:1] == axis else ""


def axis_properties(properties: Iterable[Property], axis: str) -> Properties:
    """The das2 properties of an axis (`x`, `y` or `z`), as a das3 dimension has them."""
    found = ((_axis_name(entry.name, axis), das3_property(entry)) for entry in properties)
    return Properties(
        tuple(Property(name, each.text, each.type, each.units, each.term) for name, each in found if name)
    )


def other_properties(properties: Iterable[Property], axes: Iterable[str], but: Iterable[str] = ()) -> Properties:
    """The das2 properties that belong to none of the axes, and are not named in `but`, with their das3 types."""
    axes, but = tuple(axes), tuple(but)
    return Properties(
        tuple(
            das3_property(entry)
            for entry in properties
            if entry.name not in but and not any(_axis_name(entry.name, axis) for axis in axes)
        )
    )


def with_axis(properties: Iterable[Property], axis: str) -> Properties:
    """The das3 properties of a dimension as das2 says them of an axis: `label` is `yLabel`; others keep their names.

    `scaleMin` and `scaleMax` together are the range of the axis.
    """
    found = {entry.name: entry for entry in properties}
    low, high = found.get("scaleMin"), found.get("scaleMax")
    if low and high and "range" not in found:
        found["range"] = Property("range", f"{low.text} to {high.text}", "realRange", low.units)
    named = (
        Property(axis + _BACK[name] if name in _BACK else name, each.text, each.type, each.units, each.term)
        for name, each in found.items()
        if name != "fill"
    )
    return Properties(tuple(das2_property(entry) for entry in named))

# SPDX-License-Identifier: GPL-3.0-or-later
"""The header rows and property rows of the das style: the layout of classic das3_csv (das-streams 5.12).

Row 1 has `coord:DIM:ROLE` or `data:DIM:ROLE` (`center` is not written), row 2 the units, row 3 the label, each in the
first column of a variable. Two things differ from the classic program, which loses them. A variable that is the same
in every record, such as the frequencies of a spectrum, has its values in row 3, one per column. And its columns stand
in the rows of values too, empty, so that all rows are equally long.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import numpy as np

from dasflex_csv.layout import component_labels, split_items
from dasflex_csv.tags import text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dasflex_core.arrays import Dataset, Properties, Property, StreamHeader
    from dasflex_csv.layout import Field

__all__ = ["header_rows", "property_rows"]

#: The das3 types of das2 properties (the das2 stream format, property elements).
_TYPES: Final = {
    "boolean": "bool",
    "int": "integer",
    "double": "real",
    "doublearray": "realArray",
    "datum": "real",
    "datumrange": "realRange",
    "time": "datetime",
    "timerange": "datetimeRange",
}
_DATUM: Final = re.compile(r"\s*([+-]?[0-9.]+(?:[eE][+-]?[0-9]+)?)\s+(\S.*)")
_RANGE: Final = re.compile(r"(.+ to .+?)\s+([^\s0-9+-]\S*(?:\s\S+)*)\s*")


def header_rows(dataset: Dataset, fields: tuple[Field, ...], stream: StreamHeader) -> Iterator[list[str]]:
    """The three header rows of a dataset, without its id, as cells that are quoted where they need to be."""
    names, units, labels = ['"header"'], ['"header"'], ['"header"']
    for field in fields:
        rest = [""] * (field.count - 1)
        kind = "coord" if field.dimension.coordinate else "data"
        role = "" if field.variable.role == "center" else f":{field.variable.role}"
        names += [_quoted(f"{kind}:{field.dimension.name}{role}"), *rest]
        units += [_quoted(f"({field.variable.units})" if field.variable.units else ""), *rest]
        labels += _label_cells(dataset, field, stream)
    yield from (names, units, labels)


def _label_cells(dataset: Dataset, field: Field, stream: StreamHeader) -> list[str]:
    """The cells of row 3 of a field: values, labels of components, or its label."""
    variable = field.variable
    if field.kind == "fixed" and variable.values is not None:
        return [_value(text_of(value)) for value in np.asarray(variable.values).ravel()]
    parts = component_labels(field)
    if parts:
        return [_quoted(part) for part in parts] * (field.count // len(parts))
    label = variable.label or dataset.properties.text("label") or stream.properties.text("label")
    return [_quoted(label) if label else "", *[""] * (field.count - 1)]


def _value(text: str) -> str:
    """A value of row 3: numbers as they are, other text in quotes."""
    try:
        float(text)
    except ValueError:
        return _quoted(text)
    return text


def property_rows(dataset: Dataset, fields: tuple[Field, ...], stream: StreamHeader) -> Iterator[tuple[int, list[str]]]:
    """The property rows before the headers of a dataset: for each its id, 0 for the stream, and its cells."""
    yield from ((0, cells) for cells in _rows("global", stream.properties))
    yield from ((dataset.id, cells) for cells in _rows(dataset.name, dataset.properties))
    seen: set[str] = set()
    for field in fields:
        dimension = field.dimension
        scope = f"{dataset.name}:{dimension.name}"
        if dimension.name not in seen:
            seen.add(dimension.name)
            yield from ((dataset.id, cells) for cells in _rows(scope, dimension.properties))
        yield from ((dataset.id, cells) for cells in _rows(scope, field.variable.properties))


def _rows(scope: str, properties: Properties) -> Iterator[list[str]]:
    """The cells of the properties of one scope. Units that are blank are an empty cell."""
    for entry in properties:
        kind, units, items = _converted(entry)
        quoted_units = _quoted(units) if units else ""
        yield ['"property"', *map(_quoted, (scope, entry.name, kind)), quoted_units, *map(_quoted, items)]


def _converted(entry: Property) -> tuple[str, str, list[str]]:
    """The das3 type of a property, its units, and its items. Das2 has the units of a datum in its text."""
    kind, lower = entry.type, entry.type.lower()
    datum = _DATUM.fullmatch(entry.text) if lower == "datum" else None
    if datum:
        return "real", datum[2], [datum[1]]
    span = _RANGE.fullmatch(entry.text) if lower in ("datumrange", "timerange") else None
    if span:
        times = lower == "timerange" or span[2] == "UTC"
        ends = [end.strip() for end in span[1].split(" to ", 1)]
        return ("datetimeRange", "", ends) if times else ("realRange", span[2], ends)
    return _TYPES.get(lower, "string" if lower == "string" else kind), entry.units, split_items(entry)


def _quoted(text: str) -> str:
    """The text in quotes; a quote in it twice (RFC 4180)."""
    return '"' + text.replace('"', '""') + '"'

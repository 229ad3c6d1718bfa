# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes das2 headers: a `StreamHeader` to `<stream>`, a `Dataset` to `<packet>`, in one canonical form.

The form is what the parsers of all clients have in common: six digits of length, every type of property written,
every plane named, tags as a list or as interval and minimum (the das2 stream format, reference writer style).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from dasflex_core.arrays import Encoding, Properties, Property, StreamHeader
from dasflex_core.errors import QueryError, SourceError
from dasflex_core.values import dataclass
from dasflex_das.das2_encodings import type_of, units_of
from dasflex_das.das2_layout import MAX_WRITTEN
from dasflex_das.das2_properties import DEFAULT_FILL, cascade, fill_of, number_text, properties_lines, safe_name
from dasflex_das.das2_tags import numbers_of
from dasflex_das.elements import attribute_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from dasflex_core.arrays import Dataset, Dimension, Variable

__all__ = ["WrittenPlane", "kind_of", "packet_header", "stream_header"]

#: What the header says wrote the stream, where nothing else does.
_SOURCE_ID = Property("sourceId", "dasflex", "String")
#: Properties of a plane may not have the names of its attributes: das2java refuses them.
_ATTRIBUTES = ("name", "type", "units")
_OPERATIONS = {"min": "BIN_MIN", "max": "BIN_MAX", "std_dev": "BIN_STDDEV"}
_MEANS = ("center", "mean", "average")


@dataclass(frozen=True, slots=True)
class WrittenPlane:
    """A variable and how it is written: the kind of plane (`x`, `y`, `z`, `yscan`) and the encoding."""

    variable: Variable
    kind: str
    encoding: Encoding


def kind_of(dataset: Dataset, variable: Variable) -> str:
    """The kind of plane that a variable becomes. Raises `QueryError` for more than one inner index, and for ragged."""
    inner = [extent for extent in variable.index[1:] if extent is not None]
    if variable.ragged or len(variable.shape) > 1 or len(inner) != len(variable.shape):
        raise QueryError(
            f"{variable.name} of {dataset.name} has values of the shape {variable.shape} in each record; das2 streams"
            " hold single values and rows of a fixed length: ask for das3",
            kind="query.unreachable-type",
        )
    if inner:
        return "yscan"
    if variable.plane in ("x", "y", "z"):
        return variable.plane
    dimension = dataset.dimension(variable)
    return "x" if dimension.coordinate and dimension.axis in ("", "x") else "y"


def _packet(tag: str, body: str, what: str) -> bytes:
    """A header packet. Raises `SourceError` for one that das2C could not read."""
    data = body.encode("utf-8")
    if len(data) >= MAX_WRITTEN:
        raise SourceError(
            f"{what} would have {len(data):,} bytes; headers that all das2 clients read have less than {MAX_WRITTEN:,}",
            kind="source.limit",
        )
    return b"%b%06d%b" % (tag.encode("ascii"), len(data), data)


def stream_header(header: StreamHeader) -> bytes:
    """The `[00]` packet. The properties are those of a header of generation 2."""
    properties = header.properties
    if properties.get(_SOURCE_ID.name) is None:
        properties = properties.put(_SOURCE_ID)
    inside = properties_lines(properties, "  ")
    return _packet("[00]", f'<stream version="2.2">\n{inside}</stream>\n', "The stream header")


def packet_header(number: int, dataset: Dataset, planes: Sequence[WrittenPlane], header: StreamHeader) -> bytes:
    """The `[NN]` packet of a dataset of generation 2, whose planes are in the order of the wire."""
    group = f' group="{attribute_text(dataset.group)}"' if dataset.group else ""
    lines = [f"<packet{group}>\n", properties_lines(dataset.properties, "  ")]
    taken: set[str] = set()
    for plane in planes:
        name = _plane_name(dataset, plane, taken)
        lines.append(f'  <{plane.kind} name="{name}" {_attributes(dataset, plane)}>\n')
        lines.append(properties_lines(_plane_properties(dataset, plane, header), "    "))
        lines.append(f"  </{plane.kind}>\n")
    return _packet(f"[{number:02d}]", "".join([*lines, "</packet>\n"]), f"The header of {dataset.name}")


def _plane_name(dataset: Dataset, plane: WrittenPlane, taken: set[str]) -> str:
    """The name of a plane: its own, else that of its variable; unlike those of the planes before it."""
    dimension = dataset.dimension(plane.variable)
    otherwise = dimension.name if plane.kind == "x" else plane.variable.name
    wanted = safe_name(plane.variable.plane_name.strip() or otherwise, plane.kind)
    found, count = wanted, 1
    while found in taken:
        count += 1
        found = safe_name(f"{wanted[:59]}_{count}")
    taken.add(found)
    return found


def _attributes(dataset: Dataset, plane: WrittenPlane) -> str:
    """The attributes of a plane behind its name."""
    kind, units = type_of(plane.encoding), attribute_text(units_of(plane.variable, plane.encoding))
    if plane.kind != "yscan":
        return f'type="{kind}" units="{units}"'
    (count,) = plane.variable.shape
    tags = _tags(dataset, plane.variable)
    tag_units = attribute_text(tags.units) if tags else ""
    return f'type="{kind}" nitems="{count}" yUnits="{tag_units}" zUnits="{units}"\n         {_tag_text(tags)}'


def _tags(dataset: Dataset, variable: Variable) -> Variable | None:
    """The coordinate that a row of values stands over. Raises `QueryError` for one that varies by record."""
    place = next(place for place, extent in enumerate(variable.index) if place and extent is not None)
    over = [each for each in dataset.axes(variable) if each.index[place] is not None]
    fixed = next((each for each in over if not each.per_record and len(each.shape) == 1), None)
    if fixed is None and over:
        raise QueryError(
            f"{over[0].name} of {dataset.name} differs from record to record, which das2 streams cannot say of tags;"
            " ask for das3",
            kind="query.unreachable-type",
        )
    return fixed


def _tag_text(tags: Variable | None) -> str:
    """The attribute `yTags`, or interval and minimum; texts are kept as they were where they still say the values."""
    if tags is None or tags.values is None:
        return 'yTagInterval="1" yTagMin="0"'
    if tags.text and np.array_equal(numbers_of(tags.text), tags.values):
        return f'yTags="{attribute_text(tags.text)}"'
    if not tags.text and tags.sequences:
        rule = tags.sequences[0]
        interval = next((text for text in rule.intervals if text != "-"), "")
        if _follows(rule.minimum, interval, tags.values):
            return f'yTagInterval="{attribute_text(interval)}" yTagMin="{attribute_text(rule.minimum)}"'
    return f'yTags="{",".join(_tag_number(value) for value in tags.values.tolist())}"'


def _follows(minimum: str, interval: str, values: NDArray[np.float64]) -> bool:
    """Whether a rule of two texts gives the values, and its interval is one that das2 allows."""
    try:
        first, step = float(minimum), float(interval)
    except ValueError:
        return False
    return step > 0 and bool(np.allclose(first + np.arange(len(values)) * step, values, rtol=1e-12, atol=0))


def _tag_number(value: float) -> str:
    """A tag as text: whole numbers without the point."""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e15 else number_text(value)


def _plane_properties(dataset: Dataset, plane: WrittenPlane, header: StreamHeader) -> Properties:
    """The properties of a plane, with what its variable says and they do not: fill, source and operation, renderer."""
    variable, dimension = plane.variable, dataset.dimension(plane.variable)
    properties = Properties(tuple(each for each in variable.properties if each.name not in _ATTRIBUTES))
    levels = (properties, dataset.properties, header.properties)
    if not dimension.coordinate and plane.encoding.name != "time":
        said = _fill_said(plane.kind, levels)
        fill = variable.fill if isinstance(variable.fill, (int, float)) else DEFAULT_FILL if said is None else said
        if said is None or not _same(said, fill):
            name = "yFill" if plane.kind == "y" else "zFill"
            properties = properties.put(Property(name, number_text(fill), "double"))
    properties = properties.put(*_operation(dimension, variable))
    renderer = cascade("renderer", *levels)
    if plane.kind == "yscan" and (renderer is None or renderer.text != "waveform"):
        tags = _tags(dataset, variable)
        if tags is not None and tags.role == "offset" and dataset.dimension(tags).physical == "time":
            properties = properties.put(Property("renderer", "waveform", "String"))
    return properties


def _fill_said(kind: str, levels: tuple[Properties, ...]) -> float | None:
    """The fill value that the properties say; None where it is no number, as it need not be of times in text."""
    try:
        return fill_of(kind, *levels)
    except SourceError:
        return None


def _same(first: float, second: float) -> bool:
    """Whether two fill values are equal; NaN equals NaN."""
    return first == second or (first != first and second != second)  # noqa: PLR0124  the test for NaN


def _operation(dimension: Dimension, variable: Variable) -> Iterable[Property]:
    """The properties by which das2 tells mean, minimum, maximum and deviation of one quantity apart."""
    if dimension.coordinate or variable.properties.get("operation") is not None:
        return ()
    reduced = any(each.role in _OPERATIONS for each in dimension.variables)
    operation = "BIN_AVG" if variable.role in _MEANS and reduced else _OPERATIONS.get(variable.role, "")
    if not operation:
        return ()
    return (Property("source", dimension.name, "String"), Property("operation", operation, "String"))

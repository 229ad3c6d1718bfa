# SPDX-License-Identifier: GPL-3.0-or-later
"""Das3 headers written: `<stream>` and `<dataset>`, valid by the published schema.

The order of attributes is that of classic das3_text; an index that borrows its extent is `*`, never `^`.
"""

from __future__ import annotations

import re
from math import prod
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dasflex_core.arrays import VARIES, Property
from dasflex_core.errors import SourceError
from dasflex_das.das3_messages import attributes, header_packet
from dasflex_das.das3_properties import struct_name, word_name, write_properties
from dasflex_das.das3_values import NUMBER, full_rank, natural_type, storage_name
from dasflex_das.elements import attribute_text, content_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from dasflex_core.arrays import CoordinateFrame, Dataset, Dimension, Properties, Sequence, StreamHeader, Variable
    from dasflex_das.das3_wire import Wire

__all__ = ["dataset_packet", "stream_packet", "written_columns"]

_PLOT: Final = re.compile(r"(cartesian2d|cartesian3d|polar|cylindrical|spherical)(:movie)?")
_AXIS: Final = re.compile("[xyz\u03c1r\u03b8\u03c6t-](;[xyz\u03c1r\u03b8\u03c6at-])*")
_MOMENT: Final = re.compile(r"[0-9]{1,4}(-[0-9]{1,3}){0,2}([ T][0-9]{1,2}(:[0-9]{1,2}){0,2}(\.[0-9]+)?)?Z?")
_LANGUAGE: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9_\-]{1,7}")
#: Means have a role that either the schema or das2C does not know; `center` is known to both.
_MEANS: Final = ("mean", "average")


def stream_packet(header: StreamHeader) -> bytes:
    """The packet of the stream header."""
    lang = header.lang if _LANGUAGE.fullmatch(header.lang) else ""
    named = ' type="das-basic-stream" version="3.0"' + attributes(("lang", lang))
    inside = write_properties(header.properties, "  ")
    inside += "".join(_frame(frame) for frame in header.frames)
    inside += "".join(f"  {extension}\n" for extension in header.extensions)
    return header_packet("Sx", "", f"<stream{named}>\n{inside}</stream>\n" if inside else f"<stream{named} />\n")


def _frame(frame: CoordinateFrame) -> str:
    """One coordinate frame."""
    named = attributes(("name", struct_name(frame.name)), ("body", frame.body), ("fixed", frame.fixed))
    inside = write_properties(frame.properties, "    ")
    return f"  <frame{named}>\n{inside}  </frame>\n" if inside else f"  <frame{named} />\n"


def dataset_packet(dataset: Dataset, wires: Mapping[str, Wire]) -> bytes:
    """The packet of the declaration of a dataset, whose columns are written in the form that `wires` gives."""
    properties, plot = dataset.properties, dataset.plot
    if plot and not _PLOT.fullmatch(plot):
        properties, plot = properties.put(Property("plot", plot)), ""
    index = ";".join("*" if extent == VARIES else str(extent) for extent in dataset.index)
    named = attributes(("name", word_name(dataset.name)), ("rank", str(dataset.rank)), ("index", index), ("plot", plot))
    inside = write_properties(properties, "  ")
    inside += "".join(f"  {extension}\n" for extension in dataset.extensions)
    inside += "".join(_dimension(dimension, wires) for dimension in _ordered(dataset))
    inside += "".join(f"  {extra}\n" for extra in dataset.extras)
    return header_packet("Hx", f"{dataset.id:02d}", f"<dataset{named}>\n{inside}</dataset>\n")


def _ordered(dataset: Dataset) -> list[Dimension]:
    """The dimensions in the order of the header: coordinates first, as the schema wants them."""
    ordered = sorted(dataset.dimensions, key=lambda dimension: not dimension.coordinate)
    return [dimension for dimension in ordered if dimension.variables]


def written_columns(dataset: Dataset) -> tuple[Variable, ...]:
    """The variables that have a column, in the order of the header, which is that of their values in a packet."""
    every = (variable for dimension in _ordered(dataset) for variable in dimension.variables)
    return tuple(variable for variable in every if variable.name in dataset.wire)


def _dimension(dimension: Dimension, wires: Mapping[str, Wire]) -> str:
    """One `<coord>` or `<data>` element."""
    tag = "coord" if dimension.coordinate else "data"
    named = f' physDim="{word_name(dimension.physical) if dimension.physical else ""}"'
    named += attributes(("name", struct_name(dimension.name)))
    if dimension.coordinate:
        named += attributes(
            ("axis", dimension.axis if _AXIS.fullmatch(dimension.axis) else ""),
            ("annotation", dimension.annotation if _AXIS.fullmatch(dimension.annotation) else ""),
        )
    named += attributes(("frame", struct_name(dimension.frame) if dimension.frame else ""))
    inside = write_properties(_labelled(dimension), "    ")
    inside += "".join(_variable(variable, dimension, wires.get(variable.name)) for variable in dimension.variables)
    return f"  <{tag}{named}>\n{inside}  </{tag}>\n"


def _labelled(dimension: Dimension) -> Properties:
    """The properties of a dimension, with the label of its one variable where no property says it."""
    labels = {variable.label for variable in dimension.variables}
    written = dimension.properties.get("label") or any(each.properties.get("label") for each in dimension.variables)
    label = labels.pop() if len(labels) == 1 else ""
    return dimension.properties.put(Property("label", label)) if label and not written else dimension.properties


def _variable(variable: Variable, dimension: Dimension, wire: Wire | None) -> str:
    """One `<scalar>` or `<vector>` element."""
    vector = variable.vector
    tag = "vector" if vector else "scalar"
    index = ";".join("-" if own is None else "*" if own == VARIES else str(own) for own in variable.index)
    values, units, storage = (None, wire.units, wire.storage) if wire else _header_form(variable)
    named = attributes(
        ("components", str(vector.components) if vector else ""),
        ("use", _role(variable.role, dimension)),
        ("semantic", variable.semantic),
        ("storage", storage),
        ("index", index),
    )
    named += f' units="{attribute_text(units)}"'
    if vector:
        named += attributes(
            ("system", vector.system),
            ("sysorder", ";".join(str(slot) for slot in vector.order or range(vector.components))),
            ("surface", vector.surface),
            ("frame", struct_name(vector.frame) if vector.frame else ""),
        )
    inside = write_properties(variable.properties, "      ")
    inside += _packet_element(variable, wire) if wire else _values(variable, values)
    return f"    <{tag}{named}>\n{inside}    </{tag}>\n"


def _role(role: str, dimension: Dimension) -> str:
    """The role as it is written: a mean is the center of a dimension that has none."""
    if role not in _MEANS:
        return role
    return "average" if any(each.role == "center" for each in dimension.variables) else "center"


def _packet_element(variable: Variable, wire: Wire) -> str:
    """The `<packet>` element of a column."""
    varies = VARIES in variable.index[1:]
    named = attributes(
        ("numItems", "*" if varies else str(prod(variable.shape))),
        ("itemBytes", "*" if wire.width == VARIES else str(wire.width)),
        ("encoding", wire.encoding),
        ("valTerm", wire.value_term),
        ("idxTerm", ",".join(wire.index_terms)),
        ("trim", "" if wire.trim else "false"),
    )
    return f'      <packet{named} fill="{attribute_text(wire.fill)}" />\n'


def _header_form(variable: Variable) -> tuple[NDArray[Any] | None, str, str]:
    """The values of a variable that has no column, their units and storage; None for values that follow a rule."""
    values = variable.values
    if _rules(variable):
        return None, variable.units, storage_name(variable.dtype)
    if values is None:
        raise SourceError(f"{variable.name} has neither a column nor values", kind="source.stream")
    if values.dtype.kind == "M":
        from dasflex_core import epochs

        return epochs.from_datetime64(values, "TT2000"), "TT2000", "long"
    if values.dtype.kind != "S":
        values = values.astype(natural_type(values.dtype))
    return values, variable.units, storage_name(values.dtype)


def _rules(variable: Variable) -> tuple[Sequence, ...]:
    """The sequences of a variable, if the schema allows what they say."""
    texts = [text.strip() for each in variable.sequences for text in (each.minimum, *each.intervals)]
    origins = [each.minimum.strip() for each in variable.sequences]
    allowed = all(text == "-" or NUMBER.fullmatch(text) or text in origins for text in texts)
    return variable.sequences if allowed and all(map(_is_origin, origins)) else ()


def _is_origin(text: str) -> bool:
    """Whether a sequence may start with this: a number or a time."""
    return bool(NUMBER.fullmatch(text) or _MOMENT.fullmatch(text))


def _values(variable: Variable, values: NDArray[Any] | None) -> str:
    """The `<values>` or `<sequence>` elements of a variable without a column."""
    if values is None:
        return "".join(_sequence(each, variable) for each in _rules(variable))
    if values.dtype.kind == "S":
        texts = [text.decode("utf-8", errors="replace") for text in values.ravel().tolist()]
        return f'      <values valTerm=";">{content_text("".join(f"{text};" for text in texts))}</values>\n'
    return "      <values>\n" + "".join(f"        {line}\n" for line in _lines(values, variable)) + "      </values>\n"


def _lines(values: NDArray[Any], variable: Variable) -> Iterable[str]:
    """Numbers in their shortest form, eight to a line; what is not finite is written as fill."""
    fill = "-1e31" if variable.fill is None or variable.fill != variable.fill else str(variable.fill)
    flat = values.ravel()
    finite = np.isfinite(flat)
    texts = [str(flat[place]) if finite[place] else fill for place in range(flat.size)]
    return (" ".join(texts[first : first + 8]) for first in range(0, len(texts), 8))


def _sequence(sequence: Sequence, variable: Variable) -> str:
    """One `<sequence>` element."""
    intervals = ";".join(full_rank(sequence.intervals, variable.index, variable.name))
    named = attributes(("minval", sequence.minimum.strip()), ("interval", intervals))
    return f"      <sequence{named} />\n"

# SPDX-License-Identifier: GPL-3.0-or-later
"""Das2 declarations as das3 says them: properties move to dimensions, encodings get their das3 names.

The names of variables stay, so records need no change.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from dasflex_core.arrays import Encoding, Properties, StreamHeader
from dasflex_das import property_mapping

if TYPE_CHECKING:
    from dasflex_core.arrays import Dataset, Dimension, Variable

__all__ = ["dataset_to_das3", "header_to_das3"]

_ENCODINGS: Final = {"sun_real": "BEreal", "little_endian_real": "LEreal", "ascii": "utf8", "time": "utf8"}
#: The axis whose properties say something of the values of a plane. Those of a yscan are z, its tags are y.
_AXES: Final = {"x": "x", "y": "y", "z": "z", "yscan": "z", "tags": "y"}
_FILLS: Final = ("fill", "xFill", "yFill", "zFill")


def header_to_das3(header: StreamHeader) -> StreamHeader:
    """The head of a das2 stream with das3 types; the names of its properties stay. That of a das3 stream stays."""
    if header.generation == 3:
        return header
    return StreamHeader(3, Properties(tuple(property_mapping.das3_property(entry) for entry in header.properties)))


def dataset_to_das3(header: StreamHeader, dataset: Dataset) -> Dataset:
    """The declaration of a das2 packet as a das3 dataset; `header` is that of its stream, whose axis properties count.

    A das3 dataset stays as it is.
    """
    if dataset.generation == 3:
        return dataset
    axes = {_axis(dimension) for dimension in dataset.dimensions}
    return replace(
        dataset,
        generation=3,
        properties=property_mapping.other_properties(dataset.properties, axes, _FILLS),
        dimensions=tuple(_dimension(dimension, header, dataset) for dimension in dataset.dimensions),
        group="",
    )


def _axis(dimension: Dimension) -> str:
    """The das2 axis of a dimension: that of its first plane; of what was computed, by its own axis or its shape."""
    plane = next((variable.plane for variable in dimension.variables if variable.plane), "")
    if plane:
        return _AXES[plane]
    if dimension.axis in ("x", "y", "z"):
        return dimension.axis
    return "z" if any(variable.shape for variable in dimension.variables) else "y"


def _dimension(dimension: Dimension, header: StreamHeader, dataset: Dataset) -> Dimension:
    """A dimension with the properties that das2 says of its axis: of the stream, the packet, and its planes."""
    axis = _axis(dimension)
    levels = [header.properties, dataset.properties]
    if dimension.coordinate and axis == "y":
        levels += [each.properties for each in _scans(dimension.variables[0], dataset)]
    if len(dimension.variables) == 1:
        levels.append(dimension.variables[0].properties)
    properties = Properties()
    for level in levels:
        properties = properties.put(*property_mapping.axis_properties(level, axis))
    alone = len(dimension.variables) == 1
    return replace(
        dimension,
        properties=properties,
        variables=tuple(_variable(variable, axis, alone=alone) for variable in dimension.variables),
    )


def _scans(tags: Variable, dataset: Dataset) -> list[Variable]:
    """The yscan planes with these tags, which hold their properties."""
    inner = {place for place, extent in enumerate(tags.index) if extent is not None and place}
    return [
        each
        for each in dataset.columns
        if each.plane == "yscan" and any(each.index[place] is not None for place in inner)
    ]


def _variable(variable: Variable, axis: str, *, alone: bool) -> Variable:
    """A variable with das3 encoding; the properties of its axis are its own where its dimension has others too."""
    passed = {axis, "y"} if variable.plane == "yscan" else {axis}
    properties = property_mapping.other_properties(variable.properties, passed, _FILLS)
    if not alone:
        properties = properties.put(*property_mapping.axis_properties(variable.properties, axis))
    encoding = variable.encoding
    return replace(
        variable,
        properties=properties,
        encoding=Encoding(_ENCODINGS.get(encoding.name, encoding.name), encoding.width) if encoding else None,
        plane="",
        plane_name="",
        text="",
    )

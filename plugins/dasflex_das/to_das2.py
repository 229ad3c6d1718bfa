# SPDX-License-Identifier: GPL-3.0-or-later
"""Das3 declarations and records in the words of das2, which Java and IDL clients read.

`das2_planes` says which planes there are; here they get encodings, units and properties that das2 knows. Times in an
epoch that classic clients do not know become us2000: a double holds it to 0.06 ns a day from 2000.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dasflex_core import epochs
from dasflex_core.arrays import (
    VARIES,
    Dataset,
    Dimension,
    Encoding,
    Properties,
    Property,
    Ragged,
    Records,
    StreamHeader,
    Variable,
)
from dasflex_das import property_mapping
from dasflex_das.das2_planes import planes_of
from dasflex_das.das2_properties import number_text

if TYPE_CHECKING:
    from collections.abc import Container

    from numpy.typing import NDArray

    from dasflex_core.arrays import Column
    from dasflex_das.das2_planes import Plane

__all__ = ["dataset_to_das2", "header_to_das2", "records_to_das2"]

#: Epochs that every das2 client knows, as numbers.
_EPOCHS: Final = ("us2000", "t2000", "t1970", "mj1958")
#: How das2 says the role of a plane among those of one source (the das2 stream format, reduced data).
_OPERATIONS: Final = {
    "center": "BIN_AVG",
    "average": "BIN_AVG",
    "mean": "BIN_AVG",
    "min": "BIN_MIN",
    "max": "BIN_MAX",
    "std_dev": "BIN_STDDEV",
}
#: Names that a plane's properties may not have, since Java takes them for its attributes.
_RESERVED: Final = ("name", "type", "units")
_SPECTRA: Final = ("Hz", "kHz", "MHz", "GHz")
#: Widths of text in which classic tools read numbers and times (the das2 stream format, value encodings).
_ASCII, _TIME = range(9, 25), range(20, 32)


def header_to_das2(header: StreamHeader, dataset: Dataset | None) -> StreamHeader:
    """The head of a das3 stream in the words of das2; that of a das2 stream stays.

    Where it says no title, labels and renderer itself, they are those of its first dataset, if that is known: Java
    clients look for them in the stream header only.
    """
    if header.generation == 2:
        return header
    properties = Properties(tuple(property_mapping.das2_property(entry) for entry in header.properties))
    if dataset is not None:
        told = [*_titles(header, dataset), *_labels(dataset)]
        properties = Properties(
            (*properties, *(entry for entry in told if entry.text and not properties.get(entry.name)))
        )
    return StreamHeader(2, properties)


def _titles(header: StreamHeader, dataset: Dataset) -> list[Property]:
    """What a plot of the first dataset is called, and how it is drawn."""
    title = header.properties.text("label") or dataset.properties.text("title") or dataset.properties.text("label")
    planes = planes_of(dataset)
    tags = next((plane.tags for plane in planes if plane.tags is not None), None)
    renderer = ""
    if any(plane.waveform for plane in planes):
        renderer = "waveform"
    elif tags is not None and tags.units in _SPECTRA:
        renderer = "spectrogram"
    return [Property("title", title, "String"), Property("renderer", renderer, "String")]


def _labels(dataset: Dataset) -> list[Property]:
    """The labels of the axes of the first dataset, where all planes of an axis agree."""
    found: dict[str, set[str]] = {}
    for plane in planes_of(dataset):
        found.setdefault(_axis(plane), set()).add(plane.variable.label)
        if plane.tags is not None and not plane.waveform:
            found.setdefault("y", set()).add(plane.tags.label)
    return [Property(f"{axis}Label", labels.pop(), "String") for axis, labels in found.items() if len(labels) == 1]


def _axis(plane: Plane) -> str:
    """The axis that a plane's values are drawn on."""
    return "z" if plane.kind == "yscan" else plane.kind


def dataset_to_das2(header: StreamHeader, dataset: Dataset) -> Dataset:
    """The declaration of a das3 dataset as that of a das2 packet; a das2 dataset stays as it is.

    `header` is that of the das2 stream: what it says is not said again. Raises `QueryError`
    (`query.unreachable-type`) for a variable that das2 cannot hold.
    """
    if dataset.generation == 2:
        return dataset
    planes = planes_of(dataset)
    places = tuple(sorted({plane.place for plane in planes if plane.place}))
    tags = {plane.place: _tags(plane, dataset, places) for plane in planes if plane.place}
    variables = [_variable(plane, places, header, dataset) for plane in planes]
    time = planes[0].dimension
    properties = property_mapping.with_axis(time.properties.put(*planes[0].variable.properties), "x")
    properties = properties.put(*(property_mapping.das2_property(entry) for entry in dataset.properties))
    return Dataset(
        id=dataset.id,
        name=dataset.name,
        index=(VARIES, *(dataset.index[place] for place in places)),
        dimensions=_dimensions(planes, variables, tags),
        wire=tuple(variable.name for variable in variables),
        properties=_unsaid(properties, header),
        generation=2,
        group="" if dataset.name.startswith(("packet_", "dataset_")) else dataset.name,
        traits=dataset.traits,
    )


def _dimensions(
    planes: tuple[Plane, ...], variables: list[Variable], tags: dict[int, Variable]
) -> tuple[Dimension, ...]:
    """The dimensions of the planes and tags: coordinates, then data, each component of a vector by itself."""
    members: dict[str, Dimension] = {}
    for plane, variable in zip(planes, variables, strict=True):
        coordinate = plane.kind == "x" or (plane.scatter and plane.kind == "y")
        alone = plane.component is not None or (plane.kind != "x" and plane.dimension is planes[0].dimension)
        name = plane.name if alone else plane.dimension.name
        known = members.get(name)
        earlier = known.variables if known else ()
        members[name] = Dimension(
            name, plane.dimension.physical, coordinate, (*earlier, variable), plane.kind if coordinate else ""
        )
    x, *others = members.values()
    axes = []
    for place, own in tags.items():
        plane = next(each for each in planes if each.place == place)
        if plane.waveform:
            x = replace(x, variables=(*x.variables, own))
        else:
            axes.append(Dimension(own.name, own.name, coordinate=True, variables=(own,), axis="y"))
    others.sort(key=lambda dimension: not dimension.coordinate)
    return (x, *axes, *others)


def _tags(plane: Plane, dataset: Dataset, places: tuple[int, ...]) -> Variable:
    """The coordinate of an inner index as the tags of yscan planes: numbered from 0 where the dataset has none."""
    extent = dataset.index[plane.place]
    index = (None, *(extent if place == plane.place else None for place in places))
    if plane.tags is None:
        return Variable(
            f"index_{plane.place}",
            "center",
            "real",
            "",
            index,
            np.dtype("f8"),
            values=np.arange(float(extent)),
            plane="tags",
        )
    tags = plane.tags
    values, units = tags.values, tags.units
    if values is not None and values.dtype.kind == "M":
        values, units = epochs.from_datetime64(values, "us2000"), "us2000"
    rules = tuple(
        replace(each, intervals=("-", *(each.intervals[place] for place in places)))
        for each in tags.sequences
        if units == tags.units and len(each.intervals) == len(tags.index)
    )
    numbers = None if values is None else values.astype(np.float64)
    text = "" if rules or values is None else ",".join(str(value) for value in values.ravel())
    return replace(
        tags,
        units=units,
        semantic="real",
        index=index,
        dtype=np.dtype("f8"),
        values=numbers,
        sequences=rules,
        properties=Properties(),
        encoding=None,
        fill=None,
        plane="tags",
        text=text,
    )


def _variable(plane: Plane, places: tuple[int, ...], header: StreamHeader, dataset: Dataset) -> Variable:
    """The variable of a plane."""
    source = plane.variable
    units, dtype, encoding = _form(source)
    axis = plane.kind == "x" or (plane.kind == "y" and plane.scatter)
    fill = source.fill if isinstance(source.fill, (int, float)) and not axis else None
    properties = Properties() if plane.kind == "x" else _properties(plane, dataset)
    if fill is not None:
        fill = float(fill)
        properties = properties.put(Property("yFill" if plane.kind == "y" else "zFill", number_text(fill), "double"))
    if header.properties.text("renderer") == "waveform" and plane.kind == "yscan" and not properties.get("renderer"):
        properties = properties.put(Property("renderer", "spectrogram", "String"))
    told = {entry.name for entry in dataset.properties}
    return replace(
        source,
        name=plane.name,
        units=units,
        index=(VARIES, *(source.index[place] for place in places)),
        dtype=dtype,
        fill=fill,
        label=plane.caption,
        vector=None,
        properties=_unsaid(properties, header, told),
        encoding=encoding,
        plane=plane.kind,
        plane_name=plane.dimension.name if plane.kind == "x" else plane.name,
        text="",
    )


def _unsaid(properties: Properties, header: StreamHeader, told: Container[str] = ()) -> Properties:
    """The properties that the stream header does not say in the same words; those that a packet tells stay."""
    return Properties(
        tuple(entry for entry in properties if entry.name in told or header.properties.get(entry.name) != entry)
    )


def _form(source: Variable) -> tuple[str, np.dtype[Any], Encoding]:
    """The units, the type and the encoding in which das2 holds a variable."""
    dtype, encoding, units = source.dtype, source.encoding, source.units
    text = encoding is not None and encoding.name == "utf8"
    kept = encoding.width if encoding is not None else 0
    if dtype.kind == "M":
        return "UTC", dtype, Encoding("time", kept if text and kept in _TIME else 24)
    if source.semantic == "datetime" and epochs.is_epoch(units):
        units = units if units in _EPOCHS and dtype.kind == "f" else "us2000"
        width = 8
    else:
        width = 4 if dtype.itemsize <= 2 or (dtype.kind == "f" and dtype.itemsize == 4) else 8
    if text and units == source.units:
        return (
            units,
            np.dtype("f8"),
            Encoding("ascii", kept if dtype.kind == "f" and kept in _ASCII else 4 + 5 * width // 2),
        )
    order, name = (">", "sun_real") if dtype.byteorder == ">" else ("<", "little_endian_real")
    return units, np.dtype(f"{order}f{width}"), Encoding(name, width)


def _properties(plane: Plane, dataset: Dataset) -> Properties:
    """The properties of a plane: of its variable, its dimension, and for a yscan those of its tags."""
    source, axis = plane.variable, _axis(plane)
    own = plane.dimension.properties.put(*source.properties).without("compLabel")
    if plane.caption and own.text("label") != plane.caption:
        own = own.put(Property("label", plane.caption))
    found = Properties()
    if plane.tags is not None and not plane.waveform:
        tags = dataset.dimension(plane.tags)
        about = property_mapping.with_axis(tags.properties.put(*plane.tags.properties), "y")
        found = found.put(*(entry for entry in about if entry.name.startswith("y")))
    found = found.put(*property_mapping.with_axis(own, axis))
    if plane.waveform and not found.get("renderer"):
        found = found.put(Property("renderer", "waveform", "String"))
    roles = [each.role for each in plane.dimension.variables if each.role in _OPERATIONS and each.per_record]
    if len(roles) > 1 and source.role in _OPERATIONS and not found.get("source"):
        found = found.put(
            Property("source", plane.dimension.name, "String"),
            Property("operation", _OPERATIONS[source.role], "String"),
        )
    return Properties(tuple(replace(each, name=f"{each.name}_") if each.name in _RESERVED else each for each in found))


def records_to_das2(records: Records, dataset2: Dataset) -> Records:
    """The records of a das3 dataset as those of `dataset2`, which `dataset_to_das2` made of it."""
    if records.dataset.generation == 2:
        return records
    variables = dataset2.variables
    columns = {
        plane.name: _column(records[plane.variable.name], plane, variables[plane.name])
        for plane in planes_of(records.dataset)
    }
    return Records(dataset2, columns)


def _column(column: Column, plane: Plane, wanted: Variable) -> NDArray[Any]:
    """The values of a plane."""
    if isinstance(column, Ragged):  # a variable that says so was refused with the declaration
        raise TypeError(f"{plane.name} is ragged")
    source = plane.variable
    values = column if plane.component is None else column[..., plane.component]
    if values.dtype.kind == "M":
        return values
    if source.units != wanted.units:
        values = epochs.convert(values, source.units, wanted.units)
    return values if values.dtype == wanted.dtype else values.astype(wanted.dtype)

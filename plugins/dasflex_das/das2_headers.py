# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads das2 headers into the model: `<stream>` to a `StreamHeader`, `<packet>` to a `Dataset`.

Planes become variables of dimensions, as the das3 view of das2 has them, and keep what only das2 knows: the kind of
plane, its own name, the encoding, the texts of tags (the das2 stream format, packet headers and value encodings).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from dasflex_core import epochs
from dasflex_core.arrays import VARIES, Dataset, Dimension, Encoding, Properties, StreamHeader, Variable
from dasflex_core.errors import SourceError
from dasflex_core.units import convert_factor
from dasflex_core.values import dataclass
from dasflex_das.das2_layout import compression_of, planes_of
from dasflex_das.das2_properties import cascade, fill_of, properties_of
from dasflex_das.das2_tags import Tags, tags_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dasflex_das.das2_layout import Plane
    from dasflex_das.elements import Element

__all__ = ["read_packet", "read_stream"]

_ROLES = {"BIN_AVG": "center", "BIN_MIN": "min", "BIN_MAX": "max", "BIN_STDDEV": "std_dev"}
_LABELS = {"x": "xLabel", "y": "yLabel", "z": "zLabel", "yscan": "zLabel", "tags": "yLabel"}


def read_stream(root: Element, where: str) -> StreamHeader:
    """The stream header. Raises `SourceError` for another root, a QStream, and an unknown compression."""
    if root.tag != "stream":
        raise SourceError(f"{where} holds <{root.tag}>, where a <stream> should be", kind="source.stream")
    if root.has("dataset_id") and not root.has("version"):
        raise SourceError(f"{where} is that of a QStream, which is no das2 stream", kind="source.stream")
    if not root.get("version", "2.2").strip().startswith("2"):
        raise SourceError(f"{where} has version={root.get('version')!r}; 2.2 is read", kind="source.stream")
    return StreamHeader(generation=2, properties=properties_of(root), compression=compression_of(root, where))


def read_packet(root: Element, number: int, header: StreamHeader, where: str) -> Dataset:
    """The dataset that a packet header declares; `header` is that of its stream, for the cascade of properties.

    Raises `SourceError` for what is no valid packet header: see `das2_layout.planes_of` and `das2_tags.tags_of`.
    """
    packet = _Packet(where, properties_of(root), header.properties)
    entries = tuple(_entries(planes_of(root, where), packet))
    sets = tuple(dict.fromkeys(entry.tags for entry in entries if entry.tags is not None))
    names = _names(entries)
    variables = tuple(_variable(entry, name, sets, packet) for entry, name in zip(entries, names, strict=True))
    return Dataset(
        id=number,
        name=root.get("group") or f"packet_{number:02d}",
        index=(VARIES, *(tags.count for tags in sets)),
        dimensions=tuple(_dimensions(variables, _tag_variables(sets, entries, set(names), packet))),
        wire=tuple(names),
        properties=packet.properties,
        generation=2,
        group=root.get("group"),
    )


@dataclass(frozen=True, slots=True)
class _Packet:
    """What all planes of a packet header share: its name for errors, its properties, and those of the stream."""

    where: str
    properties: Properties
    stream: Properties

    def label(self, plane: str, own: Properties) -> str:
        """The label of a plane of this kind."""
        found = cascade(_LABELS[plane], own, self.properties, self.stream)
        return found.text if found else ""


@dataclass(frozen=True, slots=True)
class _Entry:
    """One plane with what was found about it."""

    plane: Plane
    kind: str
    own: Properties
    tags: Tags | None
    time: bool
    coordinate: bool


def _entries(planes: tuple[Plane, ...], packet: _Packet) -> Iterator[_Entry]:
    """The planes, with properties, tags, and whether they are times and coordinates."""
    scatter = any(plane.element.tag == "z" for plane in planes)
    timed = any(plane.element.tag == "x" and _is_time(plane) for plane in planes)
    for plane in planes:
        kind, own = plane.element.tag, properties_of(plane.element)
        tags = None
        if kind == "yscan":
            renderer = cascade("renderer", own, packet.properties, packet.stream)
            waveform = timed and renderer is not None and renderer.text.strip() == "waveform"
            tags = tags_of(plane, offset=waveform and _is_interval(plane.element.get("yUnits")), where=packet.where)
        coordinate = kind == "x" or (kind == "y" and scatter)
        if kind == "x" and plane.encoding != "time" and not plane.element.has("units"):
            raise SourceError(f"{packet.where}: <x> needs units, which were not written", kind="source.stream")
        yield _Entry(plane, kind, own, tags, _is_time(plane), coordinate)


def _is_time(plane: Plane) -> bool:
    """Whether the values of a plane are times: text, or numbers of an epoch."""
    return plane.encoding == "time" or epochs.is_epoch(plane.element.get("units").strip())


def _is_interval(units: str) -> bool:
    """Whether units are one word that can be converted to seconds."""
    return units.strip().isalpha() and convert_factor(units, "s") is not None


def _unique(name: str, taken: set[str]) -> str:
    """The name, or with `_2`, `_3`, … where it is taken; it is taken from then on."""
    found, count = name, 1
    while found in taken:
        count += 1
        found = f"{name}_{count}"
    taken.add(found)
    return found


def _names(entries: tuple[_Entry, ...]) -> list[str]:
    """The names of the variables in the order of the wire. A time x is named first: nothing else is called `time`."""
    waveform = any(entry.tags and entry.tags.offset for entry in entries)
    unnamed = [entry.kind for entry in entries if not entry.plane.element.get("name").strip()]
    counts = dict.fromkeys(unnamed, 0)
    taken: set[str] = set()
    names: dict[int, str] = {}
    for place, entry in sorted(enumerate(entries), key=lambda each: each[1].kind != "x"):
        name = entry.plane.element.get("name").strip()
        if entry.kind == "x" and entry.time:
            name = "time.reference" if waveform else "time"
        elif not name:
            counts[entry.kind] += 1
            name = entry.kind if unnamed.count(entry.kind) == 1 else f"{entry.kind}_{counts[entry.kind]}"
        names[place] = _unique(name, taken)
    return [names[place] for place in range(len(entries))]


def _variable(entry: _Entry, name: str, sets: tuple[Tags, ...], packet: _Packet) -> Variable:
    """The variable of one plane."""
    plane, written = entry.plane, entry.plane.element
    text_time = plane.encoding == "time"
    fill = None if entry.coordinate or text_time else fill_of(entry.kind, entry.own, packet.properties, packet.stream)
    role = _ROLES.get(entry.own.text("operation"), "center") if entry.own.text("source") else "center"
    return Variable(
        name=name,
        role="reference" if name == "time.reference" else role,
        semantic="datetime" if entry.time else "real",
        units="UTC" if text_time else written.get("zUnits" if entry.kind == "yscan" else "units").strip(),
        index=(VARIES, *(tags.count if tags == entry.tags else None for tags in sets)),
        dtype=_dtype(plane),
        fill=fill,
        label=packet.label(entry.kind, entry.own),
        properties=entry.own,
        encoding=Encoding(plane.encoding, plane.width),
        plane=entry.kind,
        plane_name=written.get("name"),
    )


def _dtype(plane: Plane) -> np.dtype[Any]:
    """The type of the column of a plane."""
    if plane.encoding == "time":
        return np.dtype("datetime64[ns]")
    if plane.encoding == "ascii":
        return np.dtype(np.float64)
    return np.dtype(f"{'>' if plane.encoding == 'sun_real' else '<'}f{plane.width}")


def _tag_variables(
    sets: tuple[Tags, ...], entries: tuple[_Entry, ...], taken: set[str], packet: _Packet
) -> Iterator[tuple[str, Variable]]:
    """The coordinate of each set of tags, which has an inner index of its own, after what kind of thing it is."""
    for place, tags in enumerate(sets):
        index = (None, *(each.count if other == place else None for other, each in enumerate(sets)))
        name = _unique("time.offset" if tags.offset else tags.physical, taken)
        own = next(entry.own for entry in entries if entry.tags == tags)
        yield tags.physical, tags.variable(name, index, packet.label("tags", own))


def _dimensions(variables: tuple[Variable, ...], tags: Iterable[tuple[str, Variable]]) -> Iterator[Dimension]:
    """The dimensions, coordinates first: x, the y of a scatter, the tags; then data."""
    axes, taken = list(tags), set[str]()
    planes = ("x", "y") if any(variable.plane == "z" for variable in variables) else ("x",)
    for variable in (each for each in variables if each.plane in planes):
        if variable.plane == "x" and variable.semantic == "datetime":
            offsets = tuple(axis for _physical, axis in axes if axis.name == "time.offset" and "time" not in taken)
            axes = [(physical, axis) for physical, axis in axes if not offsets or axis is not offsets[0]]
            name = _unique("time", taken)
            yield Dimension(name, "time", coordinate=True, variables=(variable, *offsets), axis="x")
        else:
            yield _own_dimension(variable, taken, variable.plane)
    for physical, axis in axes:
        yield Dimension(_unique(physical, taken), physical, coordinate=True, variables=(axis,), axis="y")
    yield from _data_dimensions((each for each in variables if each.plane not in planes), taken)


def _own_dimension(variable: Variable, taken: set[str], axis: str = "") -> Dimension:
    """A dimension for one variable, named as it is; what kind of thing it is ends at the first dot, but for x."""
    physical = variable.name if axis == "x" else variable.name.partition(".")[0] or variable.name
    return Dimension(_unique(variable.name, taken), physical, coordinate=bool(axis), variables=(variable,), axis=axis)


def _data_dimensions(variables: Iterable[Variable], taken: set[str]) -> Iterator[Dimension]:
    """The dimensions of data: planes of one `source` share one, where their roles differ."""
    groups: dict[tuple[str, str], list[Variable]] = {}
    for variable in variables:
        source = variable.properties.text("source")
        group = groups.setdefault(("source", source) if source else ("plane", variable.name), [])
        if any(other.role == variable.role for other in group):
            groups["plane", variable.name] = [variable]
        else:
            group.append(variable)
    for (kind, name), members in groups.items():
        if kind == "plane":
            yield _own_dimension(members[0], taken)
        else:
            yield Dimension(
                _unique(name, taken), name.partition(".")[0] or name, coordinate=False, variables=tuple(members)
            )

# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables of das3 headers read: `<scalar>` and `<vector>` with their type, shape, fill and encoding."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dasflex_core.arrays import VARIES, Encoding, Property, Sequence, Variable, Vector
from dasflex_core.errors import SourceError
from dasflex_das.das3_candidates import ENCODINGS, repeated_intervals, repeated_values
from dasflex_das.das3_framing import MAX_RECORD
from dasflex_das.das3_layout import Place
from dasflex_das.das3_levels import read_terms, runs_of
from dasflex_das.das3_properties import read_properties
from dasflex_das.das3_values import (
    MAX_ITEMS,
    STORAGE,
    count_of,
    evaluate,
    full_rank,
    header_texts,
    header_values,
    is_number,
    moment,
    sequence_type,
    typed_fill,
)

if TYPE_CHECKING:
    from dasflex_core.arrays import Dimension, Properties
    from dasflex_das.elements import Element

__all__ = ["binary_type", "read_variable"]

#: Encodings of whole files, or of texts that may hold anything.
_BLOBS: Final = ("blob", "base64")
_SEMANTICS: Final = ("blob", "bool", "datetime", "integer", "real", "string")
#: Kind and byte order of the binary encodings, and the widths that they may have (das 3.0 schema, `EncodingType`).
_BINARY: Final = {
    "byte": ("i", "", (1,)),
    "ubyte": ("u", "", (1,)),
    "BEint": ("i", ">", (1, 2, 4, 8)),
    "LEint": ("i", "<", (1, 2, 4, 8)),
    "BEuint": ("u", ">", (1, 2, 4, 8)),
    "LEuint": ("u", "<", (1, 2, 4, 8)),
    "BEreal": ("f", ">", (4, 8)),
    "LEreal": ("f", "<", (4, 8)),
}
#: What an index says beside extents; `^` is how das2C writes `*` for sequences.
_MARKS: Final = {"-": None, "*": VARIES, "^": VARIES}
#: Text reals up to this width are float where the header names no storage (the das3 stream format, storage).
_FLOAT_WIDTH: Final = 15
#: The most bytes of text that a number or a time may have; reading takes time for each of them.
_MAX_WIDTH: Final = 1_000


def binary_type(name: str, width: int) -> np.dtype[Any] | None:
    """The type of a binary encoding of that width, or None where there is none."""
    kind, order, widths = _BINARY.get(name, ("", "", ()))
    return np.dtype(f"{order}{kind}{width}") if width in widths else None


def read_variable(
    element: Element, dimension: Dimension, name: str, extents: tuple[int, ...], most: int, where: str
) -> tuple[Variable, Place]:
    """One variable of a dataset with these extents, and its place in data packets; at most `most` values in the header.

    A sequence that depends on the record becomes a column like any other, with a binary encoding: its values stay
    right when records are left out.
    """
    where = f"{where}, variable {name}"
    semantic = {"pixel": "integer"}.get(element.get("semantic"), element.get("semantic"))
    if semantic not in _SEMANTICS:
        known = ", ".join(_SEMANTICS)
        raise SourceError(f"{where}: the semantic {semantic!r} is none of {known}", kind="source.stream")
    properties = read_properties(element)
    variable = Variable(
        name=name,
        role=element.get("use", "center").strip().lower(),
        semantic=semantic,
        units=element.get("units").strip(),
        index=_index(element, extents, where),
        dtype=np.dtype("f8"),
        label=properties.text("label") or dimension.properties.text("label"),
        vector=_vector(element, where) if element.tag == "vector" else None,
        properties=properties,
    )
    _bounded(variable, most if element.first("packet") is None else prod(variable.shape), where)
    fill = _fill_text(element, (properties, dimension.properties))
    for child in element.children:
        if child.tag == "packet":
            return _from_packet(variable, child, element.get("storage"), fill, where)
        if child.tag == "values":
            return _from_values(variable, child, element.get("storage"), fill, where), Place(None, 0, 0)
        if child.tag == "sequence":
            return _from_sequences(variable, element, where)
    raise SourceError(f"{where} has neither <packet> nor <values> nor <sequence>", kind="source.stream")


def _index(element: Element, extents: tuple[int, ...], where: str) -> tuple[int | None, ...]:
    """The index of a variable, one entry per index of the dataset. A sequence borrows the extent of the dataset."""
    text = element.get("index")
    entries = [entry.strip() for entry in text.split(";")]
    found: list[int | None] = []
    for entry in entries:
        if not (entry in _MARKS or count_of(entry)):
            raise SourceError(f"{where} has the index {text!r}; one is written like *;-;128", kind="source.stream")
        found.append(_MARKS[entry] if entry in _MARKS else count_of(entry))
    fits = len(found) == len(extents) and all(
        own in (None, VARIES, extent) or extent == VARIES for own, extent in zip(found, extents, strict=True)
    )
    if not fits:
        whole = ";".join("*" if extent == VARIES else str(extent) for extent in extents)
        raise SourceError(f"{where} has the index {text}, and its dataset {whole}", kind="source.stream")
    borrows = element.first("sequence") is not None
    return tuple(
        VARIES if place == 0 and own else extents[place] if borrows and own == VARIES else own
        for place, own in enumerate(found)
    )


def _bounded(variable: Variable, most: int, where: str) -> None:
    """Raises `SourceError` for more values than are read, before anything of that size is made."""
    if prod(variable.shape) > most:
        raise SourceError(
            f"{where} has {prod(variable.shape):,} values in the header; those of a dataset may have {MAX_ITEMS:,}",
            kind="source.stream",
        )


def _vector(element: Element, where: str) -> Vector:
    """The geometry of a vector; `vecClass` and `refSurface` are what release candidates wrote."""
    count, order = element.get("components"), element.get("sysorder")
    slots = [slot.strip() for slot in order.split(";")] if order else []
    if count not in ("1", "2", "3") or any(slot not in ("0", "1", "2") for slot in slots):
        raise SourceError(
            f"{where} has components {count!r} and sysorder {order!r}; a vector has 1 to 3 components, and its order"
            " is written like 0;1;2",
            kind="source.stream",
        )
    return Vector(
        components=int(count),
        system=element.get("system") or element.get("vecClass") or "cartesian",
        order=tuple(int(slot) for slot in slots),
        surface=element.get("surface") or element.get("refSurface"),
        frame=element.get("frame"),
    )


def _fill_text(element: Element, properties: tuple[Properties, ...]) -> str:
    """The fill as text: that of the packet, else the property `fill` of the variable or its dimension."""
    packet = element.first("packet")
    if packet is not None and packet.has("fill"):
        return packet.get("fill")
    return next((each.text("fill") for each in properties if each.get("fill")), "")


def _from_packet(variable: Variable, packet: Element, storage: str, fill: str, where: str) -> tuple[Variable, Place]:
    """The variable whose values stand in data packets."""
    if not variable.per_record:
        raise SourceError(
            f"{where} stands in packets, and its index does not depend on the record", kind="source.stream"
        )
    encoding = _encoding(packet, variable.semantic, where)
    embedded = encoding.mime if encoding.name in _BLOBS else ""
    if embedded:
        variable, storage = _as_bytes(variable, embedded, storage), ""
    encoding = replace(encoding, mime=embedded or variable.properties.text("embeddedMime"))
    written, ragged = packet.get("numItems"), VARIES in variable.index[1:]
    count = VARIES if ragged else prod(variable.shape)
    if not embedded and (VARIES if written.strip() == "*" else count_of(written)) != count:
        wanted = "* values, since their number varies" if ragged else count
        raise SourceError(
            f"{where} has numItems {written!r}; by its index a packet holds {wanted}", kind="source.stream"
        )
    dtype = _packet_type(variable, encoding, storage, where)
    made = replace(
        variable,
        units="UTC" if dtype.kind == "M" else variable.units,
        dtype=dtype,
        fill=None if variable.semantic == "blob" else typed_fill(fill, dtype, variable.semantic, where),
        encoding=encoding,
    )
    runs = runs_of(made, encoding.width, encoding.index_terms, where)
    return made, Place(made, encoding.width, 0 if runs else count, runs=runs)


def _as_bytes(variable: Variable, mime: str, storage: str) -> Variable:
    """A variable whose values are inside files: one file per record, and properties that say what it holds.

    That is what classic tools make of it where no decoder is at hand (the das3 stream format, blobs).
    """
    index = ";".join("-" if own is None else "*" if own == VARIES else str(own) for own in variable.index)
    about = (("Mime", mime), ("Index", index), ("Semantic", variable.semantic), ("Storage", storage))
    said = variable.properties.put(*(Property(f"embedded{name}", text) for name, text in about if text))
    plain = tuple(own if place == 0 else None for place, own in enumerate(variable.index))
    return replace(variable, semantic="blob", index=plain, vector=None, properties=said)


def _encoding(packet: Element, semantic: str, where: str) -> Encoding:
    """The encoding, with the names of release candidates for it and for its attributes.

    Of strings among blobs every blank counts.
    """
    written = packet.get("itemBytes").strip()
    width = VARIES if written == "*" else count_of(written)
    name, mime = ENCODINGS.get(packet.get("encoding"), (packet.get("encoding", "utf8"), ""))
    if width not in range(1, MAX_RECORD + 1) and not (width == VARIES and name in ("utf8", *_BLOBS)):
        raise SourceError(
            f"{where} has itemBytes {written!r}; it is a number of 1 or more, or * for text and blobs",
            kind="source.stream",
        )
    return Encoding(
        name=name,
        width=width,
        value_term=_either(packet, "valTerm", "valSep", "itemsTerm"),
        index_terms=read_terms(_either(packet, "idxTerm", "idxSep")),
        mime=packet.get("mime") or mime,
        trim=packet.get("trim", "true").strip() not in ("false", "0") and not (semantic == "string" and name in _BLOBS),
    )


def _either(packet: Element, *names: str) -> str:
    """The text of the first of these attributes that was written."""
    return next((packet.get(name) for name in names if packet.get(name)), "")


def _packet_type(variable: Variable, encoding: Encoding, storage: str, where: str) -> np.dtype[Any]:
    """The type of a column, by encoding, semantic and storage (the das3 stream format, storage)."""
    if encoding.name in _BLOBS and variable.semantic in ("blob", "string"):
        fixed = encoding.name == "blob" and encoding.width != VARIES
        return np.dtype("u1" if variable.semantic == "blob" else f"S{encoding.width}" if fixed else "S")
    if encoding.name == "utf8" and variable.semantic != "blob":
        return _text_type(variable, encoding.width, storage, where)
    found = binary_type(encoding.name, encoding.width)
    if found is None or variable.semantic in ("string", "blob"):
        known = ", ".join((*_BINARY, "utf8", "and for blobs and strings blob and base64"))
        raise SourceError(
            f"{where}: {variable.semantic} values in the encoding {encoding.name!r} with {encoding.width} bytes cannot"
            f" be read; the encodings are {known}",
            kind="source.stream",
        )
    return found


def _text_type(variable: Variable, width: int, storage: str, where: str) -> np.dtype[Any]:
    """The type of a text column. An integer without storage gets a type that holds all that its width can say.

    Raises `SourceError` for texts that are longer or more than those of numbers and times can be.
    """
    if variable.semantic == "string":
        return np.dtype("S" if width == VARIES else f"S{width}")
    if width > _MAX_WIDTH or prod(variable.shape) > MAX_ITEMS:
        raise SourceError(
            f"{where} has {prod(variable.shape):,} values in texts of {width:,} bytes in each packet; at most"
            f" {MAX_ITEMS:,} of {_MAX_WIDTH:,} bytes are read",
            kind="source.stream",
        )
    if variable.semantic == "datetime" and storage not in STORAGE:
        return np.dtype("M8[ns]")
    if variable.semantic == "bool":
        kept = STORAGE.get(storage, np.dtype("i1"))
        return kept if kept.kind in "iu" else np.dtype("i1")
    if storage in STORAGE:
        return STORAGE[storage]
    if variable.semantic == "integer":
        return np.dtype("i8") if width not in range(10) else np.dtype("i2") if width < 5 else np.dtype("i4")
    return np.dtype("f4") if width in range(_FLOAT_WIDTH + 1) else np.dtype("f8")


def _from_values(variable: Variable, values: Element, storage: str, fill: str, where: str) -> Variable:
    """The variable whose values stand in the header."""
    if variable.ragged:
        raise SourceError(
            f"{where}: values in the header need an extent for each index, or a sequence", kind="source.stream"
        )
    if variable.per_record:
        raise SourceError(f"{where}: values in the header for each record are not read", kind="source.stream")
    calendar = variable.semantic == "datetime" and variable.units == "UTC"
    natural = {"integer": "i8", "bool": "i1", "string": "S1"}.get(variable.semantic, "M8[ns]" if calendar else "f8")
    dtype = STORAGE.get(storage, np.dtype(natural))
    typed = typed_fill(fill, dtype, variable.semantic, where)
    term = values.get("valTerm") or values.get("valSep")
    tokens = header_texts(values.text, term, prod(variable.shape))
    tokens = repeated_values(tokens, values, prod(variable.shape), where)
    if variable.semantic == "bool":
        tokens = [_STATES.get(token[:1].lower(), "") for token in tokens]
    found = header_values(tokens, variable.shape, dtype, typed, where)
    return replace(variable, dtype=found.dtype, fill=typed, values=found)


def _from_sequences(variable: Variable, element: Element, where: str) -> tuple[Variable, Place]:
    """The variable whose values follow a rule."""
    sequences = []
    for entry in element.all("sequence"):
        minimum = entry.get("minval").strip()
        if not is_number(minimum):
            moment(minimum, where)
        sequences.append(
            Sequence(minimum, full_rank(repeated_intervals(entry, variable.index, where), variable.index, where))
        )
    components = variable.vector.components if variable.vector else 1
    if len(sequences) != components:
        raise SourceError(
            f"{where} has {len(sequences)} sequences; it needs one per component, {components} in all",
            kind="source.stream",
        )
    rule = tuple(sequences)
    dtype = sequence_type(rule, element.get("storage"), variable.semantic)
    if variable.semantic in ("string", "blob") or (dtype.kind == "M" and variable.semantic != "datetime"):
        raise SourceError(
            f"{where}: values of the semantic {variable.semantic} cannot follow a sequence from {rule[0].minimum!r}",
            kind="source.stream",
        )
    variable = replace(variable, dtype=dtype, units="UTC" if dtype.kind == "M" else variable.units)
    if variable.ragged and not variable.per_record:
        return replace(variable, sequences=rule), Place(None, 0, 0)
    if variable.per_record:
        encoding = Encoding("utf8", 30) if dtype.kind == "M" else Encoding(f"LE{_KIND[dtype.kind]}", dtype.itemsize)
        made = replace(variable, encoding=encoding)
        return made, Place(made, 0, 0, rule)
    values = evaluate(rule, variable.index, dtype).reshape(variable.shape)
    return replace(variable, values=values, sequences=rule), Place(None, 0, 0)


#: States by their first letter; all else is fill (the das3 stream format, semantics).
_STATES: Final = {"t": "1", "y": "1", "1": "1", "f": "0", "n": "0", "0": "0"}
_KIND: Final = {"f": "real", "i": "int", "u": "uint"}

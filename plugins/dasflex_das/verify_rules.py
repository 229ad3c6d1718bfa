# SPDX-License-Identifier: GPL-3.0-or-later
r"""What headers of das streams may hold, as data: the published schemas, and the names that release candidates had.

Elements and attributes are those of the das 2.2 schema and of the das 3.0 schema of 2026-07-22 (the das2 stream
format, stream and packet headers; the das3 stream format, element reference). Patterns are regular expressions that a
whole value must match. What a schema asks for and readers do without is marked `lenient`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_core.values import dataclass
from dasflex_das.das3_properties import TYPES

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ALIASES", "ANY", "DAS2", "DAS3", "DOCUMENT", "PROPERTY_TYPES", "Attribute", "Children", "Rule"]

#: The types of das2 properties as Java clients know them: case counts, and any other is an exception there.
PROPERTY_TYPES: Final = frozenset(
    {"String", "double", "doubleArray", "boolean", "int", "Datum", "DatumRange", "Time", "TimeRange"}
)
#: What attributes of release candidates of das3 are called now, by element and old name; blank for those that are gone
#: (differences between final and rc2).
ALIASES: Final[Mapping[tuple[str, str], str]] = {
    ("p", "sep"): "term",
    ("packet", "valSep"): "valTerm",
    ("packet", "itemsTerm"): "valTerm",
    ("packet", "idxSep"): "idxTerm",
    ("values", "valSep"): "valTerm",
    ("vector", "vecClass"): "system",
    ("vector", "refSurface"): "surface",
    ("values", "repeat"): "",
    ("values", "repetitions"): "",
    ("sequence", "repeat"): "",
    ("sequence", "repetitions"): "",
}
#: The pattern of text that may be anything.
ANY: Final = r"(?s:.*)"
_UNLIMITED: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute: the pattern of its values, whether it must be there, and whether readers do without it."""

    pattern: str = ANY
    required: bool = False
    lenient: bool = False


@dataclass(frozen=True, slots=True)
class Children:
    """A group of the sequence of child elements: any of these tags, from `least` to `most` of them."""

    tags: tuple[str, ...]
    least: int = 0
    most: int = _UNLIMITED


@dataclass(frozen=True, slots=True)
class Rule:
    """An element: its attributes, its children in order, the pattern of its text, and whether any attribute goes."""

    attributes: Mapping[str, Attribute]
    children: tuple[Children, ...] = ()
    text: str = r"\s*"
    open: bool = False


def _needed(pattern: str = ANY, *, lenient: bool = False) -> Attribute:
    """An attribute that the schema requires."""
    return Attribute(pattern, required=True, lenient=lenient)


_NAME: Final = r"[a-zA-Z][a-zA-Z0-9_.]{0,62}"
_NAME_OR_NONE: Final = rf"|{_NAME}"
_STRUCT: Final = r"[a-zA-Z][a-zA-Z0-9_.\-,:]{0,62}"
_PROPERTIES: Final = Children(("properties",), 0, 1)

# ---- das 2.2 ----

_TYPE2: Final = r"sun_real[48]|little_endian_real[48]|ascii[1-9][0-9]*|time[1-9][0-9]*"
_NUMBERS2: Final = r"[0-9+\-,.eE\s]*"
_NUMBER2: Final = r"[0-9+\-.eE\s]*"
_UNITS2: Final = _needed(lenient=True)
_POINT: Final = Rule({"type": _needed(_TYPE2), "units": _UNITS2, "name": Attribute(_NAME_OR_NONE)}, (_PROPERTIES,))

DAS2: Final[Mapping[str, Rule]] = {
    "stream": Rule({"version": Attribute(r"2\.2"), "compression": Attribute("none|deflate|zlib")}, (_PROPERTIES,)),
    "packet": Rule(
        {"group": Attribute()},
        (_PROPERTIES, Children(("x",), 1), Children(("y",)), Children(("z",)), Children(("yscan",))),
    ),
    "properties": Rule({}, open=True),
    "x": _POINT,
    "y": _POINT,
    "z": Rule({"type": _needed(_TYPE2), "units": _UNITS2, "name": _needed(_NAME, lenient=True)}, (_PROPERTIES,)),
    "yscan": Rule(
        {
            "name": _needed(_NAME, lenient=True),
            "type": _needed(_TYPE2),
            "zUnits": _UNITS2,
            "yUnits": _UNITS2,
            "nitems": _needed("[1-9][0-9]*"),
            "yTags": Attribute(_NUMBERS2),
            "yTagMin": Attribute(_NUMBER2),
            "yTagInterval": Attribute(_NUMBER2),
        },
        (_PROPERTIES,),
    ),
    "comment": Rule({name: _needed(lenient=True) for name in ("type", "source", "value")}),
    "exception": Rule({name: _needed(lenient=True) for name in ("type", "message")}),
}

# ---- das 3.0 ----

_BYTE: Final = r"[ !#-%'*-;=?-Z^-z|~]"  # printable, but for ( ) < > [ ] { } \ & "
_BYTE_IN_LIST: Final = r"[ !#-%'*+\-./0-;=?-Z^-z|~]"  # the same without the comma
_TERM: Final = rf"{_BYTE}|\\[ntr0]"
_TERMS: Final = rf"(?:{_BYTE_IN_LIST}|\\[ntr0])(?:,(?:{_BYTE_IN_LIST}|\\[ntr0]))*"
_REAL: Final = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_TIME: Final = r"[0-9]{1,4}(?:-[0-9]{1,3}){0,2}(?:[ T][0-9]{1,2}(?::[0-9]{1,2}){0,2}(?:\.[0-9]+)?)?Z?"
_SLOPE: Final = rf"(?:{_REAL}|-)"
_COUNT: Final = r"\s*(?:\*|\+?0*[1-9][0-9]*)\s*"
_EXTENT: Final = r"[1-9][0-9]*"
_INDEX: Final = rf"(?:\*|-|{_EXTENT})(?:;(?:\*|-|{_EXTENT}))*"
_AXES: Final = r"[xyz\u03c1r\u03b8\u03c6t-](?:;[xyz\u03c1r\u03b8\u03c6at-])*"  # rho, theta, phi
_LANGUAGE: Final = r"[a-zA-Z][a-zA-Z0-9_\-]{1,7}"
_ROLES: Final = "center|offset|average|count|min|reference|max|width|std_dev|min_error|max_error|norm"
_VERSION: Final = r"[0-9]{1,3}\.[0-9]{1,3}"
_ENCODINGS: Final = "byte|ubyte|BEint|BEuint|BEreal|LEint|LEuint|LEreal|utf8|blob|base64"
_SEMANTICS: Final = "bool|datetime|integer|real|string"
_SYSTEMS: Final = "cartesian|cylindrical|spherical|centric|detic|graphic"
_EXTENSION: Final = Children(("extension",))

_VARIABLE: Final = {
    "use": Attribute(_ROLES),
    "semantic": _needed(f"{_SEMANTICS}|blob"),
    "units": _needed(lenient=True),
    "index": _needed(_INDEX),
    "storage": Attribute("byte|ubyte|short|ushort|int|uint|long|ulong|float|double|string|struct"),
}
_VECTOR: Final = {
    **_VARIABLE,
    "components": _needed(r"\s*[+]?0*[123]\s*"),
    "system": Attribute(_SYSTEMS),
    "sysorder": Attribute(r"[0-2](?:;[0-2]){0,2}"),
    "surface": Attribute(),
    "frame": Attribute(_STRUCT),
}
_DATA: Final = {
    "physDim": _needed(_NAME_OR_NONE, lenient=True),
    "name": Attribute(_STRUCT),
    "frame": Attribute(_STRUCT),
}
_PACKET: Final = {
    "numItems": _needed(_COUNT),
    "itemBytes": _needed(_COUNT),
    "encoding": _needed(_ENCODINGS, lenient=True),
    "mime": Attribute(),
    "fill": Attribute(),
    "valTerm": Attribute(_TERM),
    "idxTerm": Attribute(_TERMS),
    "trim": Attribute(r"\s*(?:true|false|0|1)\s*"),
}
_DATASET: Final = {
    "rank": _needed(r"\s*\+?0*[1-8]\s*", lenient=True),
    "name": _needed(_NAME, lenient=True),
    "index": _needed(rf"(?:\*|{_EXTENT})(?:;(?:\*|{_EXTENT}))*"),
    "plot": Attribute("(?:cartesian2d|cartesian3d|polar|cylindrical|spherical)(?::movie)?"),
}
_MESSAGE: Final = Rule({"type": _needed(lenient=True)}, text=ANY, open=True)

DAS3: Final[Mapping[str, Rule]] = {
    "stream": Rule(
        {
            "type": _needed("das-basic-stream", lenient=True),
            "version": _needed(_VERSION, lenient=True),
            "lang": Attribute(_LANGUAGE),
        },
        (_PROPERTIES, Children(("frame",), 0, 12), _EXTENSION),  # das2C reads 12 frames
    ),
    "properties": Rule({}, (Children(("p",)),)),
    "p": Rule(
        {
            "name": _needed(_STRUCT, lenient=True),
            "type": Attribute("|".join(sorted(TYPES))),
            "units": Attribute(),
            "term": Attribute(_TERM),
        },
        (Children(("alt",)),),
        text=ANY,
    ),
    "alt": Rule({"lang": _needed(_LANGUAGE, lenient=True)}, text=ANY),
    "frame": Rule(
        {
            "name": _needed(_STRUCT, lenient=True),
            "fixed": Attribute("[tTfF01]|true|false"),
            "body": Attribute(),
        },
        (_PROPERTIES,),
    ),
    "extension": Rule({"scheme": _needed(lenient=True), "content": _needed(lenient=True)}, text=ANY, open=True),
    "dataset": Rule(
        _DATASET, (_PROPERTIES, _EXTENSION, Children(("coord",), 1), Children(("data",)), Children(("extData",)))
    ),
    "coord": Rule(
        {**_DATA, "axis": Attribute(_AXES), "annotation": Attribute(_AXES)},
        (_PROPERTIES, Children(("scalar", "vector"), 1)),
    ),
    "data": Rule(_DATA, (_PROPERTIES, Children(("scalar", "vector"), 1))),
    "extData": Rule({"name": Attribute(_STRUCT)}, (_PROPERTIES, Children(("object",), 1))),
    "object": Rule(
        {
            "scheme": _needed(lenient=True),
            "objType": _needed(lenient=True),
            "index": _needed(_INDEX, lenient=True),
            "content": Attribute(),
        },
        (Children(("packet",), 1),),
    ),
    "scalar": Rule(_VARIABLE, (_PROPERTIES, Children(("values", "sequence", "packet"), 1, 1))),
    "vector": Rule(_VECTOR, (_PROPERTIES, Children(("values", "sequence", "packet"), 1, 3))),
    "values": Rule({"valTerm": Attribute(_TERM)}, text=r"[0-9+\-;.eE\s]*"),
    "sequence": Rule({"minval": _needed(rf"{_REAL}|{_TIME}"), "interval": _needed(rf"{_SLOPE}(?:;{_SLOPE})*")}),
    "packet": Rule(_PACKET),
    "comment": Rule({**_MESSAGE.attributes, "source": Attribute()}, text=ANY, open=True),
    "exception": _MESSAGE,
}

#: The XML document form: one root, datasets with an id, and a `<d>` for each record; all values are text.
DOCUMENT: Final[Mapping[str, Rule]] = {
    **{tag: rule for tag, rule in DAS3.items() if tag not in ("comment", "exception")},
    "stream": Rule(
        {**DAS3["stream"].attributes, "type": _needed("das-basic-doc")},
        (*DAS3["stream"].children, Children(("dataset", "d"), 1)),
    ),
    "dataset": Rule({**_DATASET, "id": _needed(r"\s*\+?0*[1-9][0-9]*\s*")}, DAS3["dataset"].children),
    "d": Rule({"id": _needed(r"\s*\+?0*[1-9][0-9]*\s*")}, text=ANY),
    "scalar": Rule({**_VARIABLE, "semantic": _needed(_SEMANTICS)}, DAS3["scalar"].children),
    "vector": Rule({**_VECTOR, "semantic": _needed(_SEMANTICS)}, DAS3["vector"].children),
    "packet": Rule(
        {
            **{name: each for name, each in _PACKET.items() if name != "fill"},
            "itemBytes": Attribute(_COUNT),
            "encoding": Attribute("utf8|base64"),
        }
    ),
}

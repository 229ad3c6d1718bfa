# SPDX-License-Identifier: GPL-3.0-or-later
"""What schemas allow, or readers forgive, and some real client refuses: rules of single elements of headers.

Each is told as a deviation. They are the facts of interoperability of the das2 and das3 stream formats: what Java
clients and das2C stop at.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from dasflex_core.epochs import is_epoch
from dasflex_das.verify_rules import PROPERTY_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["DIALECTS2", "DIALECTS3", "Slip", "of_packet"]

_TEXT_TYPE: Final = re.compile("(ascii|time)([0-9]+)")
#: Widths of text that das2C reads.
_WIDTHS: Final = {"ascii": range(9, 25), "time": range(5, 32)}
_PROPERTY: Final = re.compile("[A-Za-z0-9_:]{1,63}")
#: Properties of a stream that Java clients want as `int`.
_WHOLE: Final = ("taskSize", "packetCount")
#: Names that a property of a plane may not have: Java clients keep attributes and properties in one place.
_TAKEN: Final = ("name", "type", "units")
_MOST_ITEMS: Final = 249_999
_MOST_PLANES: Final = 100
#: Calendar text, which is no unit of numbers.
_CALENDAR: Final = "UTC"


class Slip(NamedTuple):
    """One deviation: the rule, what is to say of it, and the attribute at fault, or blank for the element."""

    rule: str
    message: str
    attribute: str = ""


def _stream2(attributes: Mapping[str, str], _parent: str) -> Iterator[Slip]:
    if "version" not in attributes:
        yield Slip("version-missing", 'the stream header names no version; clients want version="2.2"')
    if attributes.get("compression") == "zlib":
        yield Slip(
            "compression", "das2C knows this compression as deflate; zlib is its name in the schema only", "compression"
        )


def _properties2(attributes: Mapping[str, str], parent: str) -> Iterator[Slip]:
    for written in attributes:
        prefix, colon, name = written.partition(":")
        if not colon:
            prefix, name = "String", written
        elif prefix not in PROPERTY_TYPES:
            known = ", ".join(sorted(PROPERTY_TYPES, key=str.lower))
            yield Slip("property-type", f"{prefix} is no type of a property; Java clients know {known}", written)
        if not _PROPERTY.fullmatch(name):
            what = "letters, digits, _ and :, at most 63 characters"
            yield Slip("property-name", f"das2C refuses the name {name[:70]!r} of a property; it takes {what}", written)
        if name in _WHOLE and prefix != "int":
            yield Slip("property-type", f"Java clients read {name} only as int:{name}", written)
        if parent in _WIDTH_OF and name in _TAKEN:
            yield Slip(
                "property-name", f"a property of a plane may not be called {name}: it hides the attribute", written
            )


def _plane(attributes: Mapping[str, str], tag: str) -> Iterator[Slip]:
    kind = attributes.get("type", "")
    text = _TEXT_TYPE.fullmatch(kind)
    if text and int(text[2][:9]) not in _WIDTHS[text[1]]:
        known = _WIDTHS[text[1]]
        yield Slip("width", f"das2C reads {text[1]} of {known.start} to {known.stop - 1} bytes only", "type")
    if tag != "x" and not attributes.get("name", "").strip():
        yield Slip("name-missing", f"<{tag}> has no name; clients find planes by theirs", "name")
    if (
        tag == "x"
        and text
        and text[1] == "time"
        and "units" in attributes
        and not _is_numeric_epoch(attributes["units"])
    ):
        yield Slip("time-units", "Java clients know no such time; they want us2000, t2000, mj1958 or t1970", "units")


def _is_numeric_epoch(units: str) -> bool:
    """Whether the units are those of numbers that count from an epoch."""
    return is_epoch(units.strip()) and units.strip() != _CALENDAR


def _point(tag: str) -> Callable[[Mapping[str, str], str], Iterator[Slip]]:
    """The rules of `<x>`, `<y>` or `<z>`."""
    return lambda attributes, _parent: _plane(attributes, tag)


def _yscan(attributes: Mapping[str, str], _parent: str) -> Iterator[Slip]:
    yield from _plane(attributes, "yscan")
    if "yTagMax" in attributes:
        yield Slip("ytagmax", "clients disagree about yTagMax; yTagMin with yTagInterval says the same", "yTagMax")
    count = attributes.get("nitems", "").strip()
    if count.isdecimal() and len(count) < 10 and int(count) > _MOST_ITEMS:
        yield Slip("items", f"das2C reads yscans of at most {_MOST_ITEMS:,} items", "nitems")


#: The rules of single das2 elements, by tag; each is given the attributes and the tag of the parent.
DIALECTS2: Final[Mapping[str, Callable[[Mapping[str, str], str], Iterator[Slip]]]] = {
    "stream": _stream2,
    "properties": _properties2,
    "x": _point("x"),
    "y": _point("y"),
    "z": _point("z"),
    "yscan": _yscan,
}
_WIDTH_OF: Final = ("x", "y", "z", "yscan")


def of_packet(planes: list[tuple[str, str]]) -> Iterator[Slip]:
    """The rules of a whole das2 packet header, of the tags and names of its planes."""
    tags = [tag for tag, _name in planes]
    if "z" in tags and "yscan" in tags:
        yield Slip("z-and-yscan", "das2C refuses <z> and <yscan> in one packet")
    if len(planes) > _MOST_PLANES:
        yield Slip("planes", f"das2C reads at most {_MOST_PLANES} planes of a packet, and this has {len(planes):,}")
    names = [name for _tag, name in planes if name]
    twice = next((name for name in names if names.count(name) > 1), "") if len(names) <= _MOST_PLANES * 2 else ""
    if twice:
        yield Slip("name-twice", f"two planes are called {twice}; clients find planes by their names")


def _variable(attributes: Mapping[str, str], _parent: str) -> Iterator[Slip]:
    units = attributes.get("units", "").strip()
    if is_epoch(units) and attributes.get("semantic") not in ("datetime", None):
        yield Slip("calendar-units", f'das2C takes the units {units} for semantic="datetime" only', "units")


def _vector(attributes: Mapping[str, str], parent: str) -> Iterator[Slip]:
    yield from _variable(attributes, parent)
    if attributes.get("semantic") in ("string", "blob"):
        yield Slip("vector-semantic", "vectors hold numbers, and neither strings nor blobs", "semantic")


def _packet(attributes: Mapping[str, str], _parent: str) -> Iterator[Slip]:
    encoding = attributes.get("encoding", "utf8")
    for name in ("valTerm", "idxTerm"):
        if name in attributes and encoding != "utf8":
            yield Slip("terminator", f"{name} ends values or runs of text, and the encoding is {encoding}", name)


#: The rules of single das3 elements, by tag.
DIALECTS3: Final[Mapping[str, Callable[[Mapping[str, str], str], Iterator[Slip]]]] = {
    "scalar": _variable,
    "vector": _vector,
    "packet": _packet,
}

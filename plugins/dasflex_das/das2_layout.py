# SPDX-License-Identifier: GPL-3.0-or-later
"""How many bytes a das2 data packet has, from its header: encodings, item counts and the limits on both.

Data packets carry no length, so that even a framer must know this (the das2 stream format, framing). No numpy here.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from dasflex_core.errors import SourceError
from dasflex_core.values import dataclass
from dasflex_das.elements import Element

__all__ = [
    "MAX_HEADER",
    "MAX_ITEMS",
    "MAX_PACKET",
    "MAX_WRITTEN",
    "Plane",
    "compression_of",
    "header_of",
    "planes_of",
    "size_of",
]

#: The longest body that six decimal digits can announce.
MAX_HEADER: Final = 999_999
#: The largest data packet that is read, in bytes with its tag. das2C stops at 262,144; real streams stay below.
MAX_PACKET: Final = 16 << 20
#: The most values in a data packet that is read, since the tags of each take eight bytes, however short its text.
MAX_ITEMS: Final = 1 << 20
#: The most planes of a packet that are read: ten times those that classic filters stop at.
MAX_PLANES: Final = 1_000
#: Headers and data packets that are written stay below this many bytes, the buffer of das2C.
MAX_WRITTEN: Final = 262_144

_TAG = 4
_REALS = {
    "sun_real4": ("sun_real", 4),
    "sun_real8": ("sun_real", 8),
    "little_endian_real4": ("little_endian_real", 4),
    "little_endian_real8": ("little_endian_real", 8),
    "float": ("sun_real", 4),  # two old names that das2C still reads
    "double": ("sun_real", 8),
}
_TEXT = re.compile(r"(ascii|time)([0-9]{1,4})")
_COUNT = re.compile(r"[0-9]{1,18}")
_PLANES = ("x", "y", "z", "yscan")
#: What an `<xscan>` of the das 2.3 draft says, in the words of `<yscan>`.
_DRAFT: Final = {
    "yUnits": "zUnits",
    "xUnits": "yUnits",
    "xOffsets": "yTags",
    "xOffsetInterval": "yTagInterval",
    "xOffsetMin": "yTagMin",
}


@dataclass(frozen=True, slots=True)
class Plane:
    """One plane of a packet: its element, the encoding and its width in bytes, and the number of values."""

    element: Element
    encoding: str
    width: int
    items: int

    @property
    def size(self) -> int:
        """The bytes of the plane in a data packet."""
        return self.width * self.items


def encoding_of(text: str, where: str) -> tuple[str, int]:
    """The encoding and the width in bytes of a `type` attribute. Raises `SourceError` for an unknown one."""
    found = _TEXT.fullmatch(text)
    name, width = (found[1], int(found[2])) if found else _REALS.get(text, ("", 0))
    if not width:
        known = "sun_real4, sun_real8, little_endian_real4, little_endian_real8, asciiN and timeN"
        raise SourceError(f"{where} has the type {text!r}; the types of das2 are {known}", kind="source.stream")
    return name, width


def planes_of(packet: Element, where: str) -> tuple[Plane, ...]:
    """The planes of a packet header in the order of the wire; `where` names the header in errors.

    Raises `SourceError` where there is no `<x>`, for elements that are no planes, for unknown types, for item counts
    that are no positive number, and for packets of more than `MAX_PLANES` planes, `MAX_ITEMS` values or `MAX_PACKET`
    bytes. Nothing of that size is allocated.
    """
    if packet.tag != "packet":
        raise SourceError(f"{where} holds <{packet.tag}>, where a <packet> should be", kind="source.stream")
    planes = tuple(_plane(_final(child), where) for child in packet.children if child.tag != "properties")
    if not any(plane.element.tag == "x" for plane in planes):
        raise SourceError(f"{where} has no <x>, which every packet needs", kind="source.stream")
    found = (
        (len(planes), MAX_PLANES, "planes"),
        (size_of(planes), MAX_PACKET, "bytes in each packet"),
        (sum(plane.items for plane in planes), MAX_ITEMS, "values in each packet"),
    )
    for count, most, what in found:
        if count > most:
            raise SourceError(f"{where} declares {count:,} {what}; at most {most:,} are read", kind="source.stream")
    return planes


def _final(element: Element) -> Element:
    """The element of a plane as das 2.2 has it: an `<xscan>` of the das 2.3 draft is a waveform."""
    if element.tag != "xscan":
        return element
    waveform = Element("properties", (("String:renderer", "waveform"),))
    told = tuple((_DRAFT.get(name, name), text) for name, text in element.attributes)
    return replace(element, tag="yscan", attributes=told, children=(*element.children, waveform))


def _plane(element: Element, where: str) -> Plane:
    """One plane, of a child of the packet."""
    if element.tag not in _PLANES:
        raise SourceError(
            f"{where} holds <{element.tag}>; the planes of das 2.2 are <x>, <y>, <z> and <yscan>", kind="source.stream"
        )
    own = f"{where}: <{element.tag}> {element.get('name')}".rstrip()
    encoding, width = encoding_of(element.get("type"), own)
    if element.tag != "yscan":
        return Plane(element, encoding, width, 1)
    count = element.get("nitems").strip()
    if not _COUNT.fullmatch(count) or int(count) == 0:
        right = f"it must be a number of 1 or more, and at most {MAX_ITEMS:,}"
        raise SourceError(f"{own} has nitems={count[:40]!r}; {right}", kind="source.stream")
    return Plane(element, encoding, width, int(count))


def size_of(planes: tuple[Plane, ...]) -> int:
    """The bytes of a data packet with its tag."""
    return _TAG + sum(plane.size for plane in planes)


def compression_of(stream: Element, where: str) -> str:
    """`deflate`, or blank for none; the schema's spelling `zlib` means `deflate`. Raises `SourceError` for others."""
    written = stream.get("compression", "none").strip()
    if written not in ("", "none", "deflate", "zlib"):
        raise SourceError(f"{where} has compression={written!r}; none and deflate are read", kind="source.stream")
    return "deflate" if written in ("deflate", "zlib") else ""


_HEADER = re.compile(rb"\[([0-9][0-9]|[xX][xX])\]( *[0-9]+)")


def header_of(tag: bytes, offset: int) -> tuple[int, int]:
    """The id (-1 for `[xx]`) and the length of the body, of the ten bytes that start a header packet.

    `offset` says where in the stream they stand, for the `SourceError` that anything else raises. Lengths may be
    padded with zeros or blanks, and `xx` is read in either case (the das2 stream format, framing).
    """
    found = _HEADER.fullmatch(tag)
    if not found:
        raise garbage(tag, offset)
    length = int(found[2])
    if length == 0:
        raise SourceError(f"The header {tag[:4].decode()} at byte {offset:,} is empty", kind="source.stream")
    return (-1 if found[1] in (b"xx", b"xX", b"Xx", b"XX") else int(found[1])), length


def garbage(seen: bytes, offset: int) -> SourceError:
    """The error for bytes that start no packet."""
    hint = "; this may be a das3 stream" if seen[:1] == b"|" else ""
    return SourceError(
        f"At byte {offset:,} of the stream stands {bytes(seen[:12])!r}, which starts no das2 packet; packets start"
        f" with a tag such as [01] or :01:{hint}",
        kind="source.stream",
    )


def undeclared(tag: bytes, offset: int) -> SourceError:
    """The error for a data packet without a header."""
    text = bytes(tag[:4]).decode("ascii", errors="replace")
    header = f"[{text[1:3]}]"
    return SourceError(
        f"The data packet {text} at byte {offset:,} has no packet header {header} before it", kind="source.stream"
    )

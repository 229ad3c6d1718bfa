# SPDX-License-Identifier: GPL-3.0-or-later
"""Completes the stream header of a das2 stream on its way to the client, with what only the server knows. No numpy.

Clients take the range of the data that came for what the stream covers, unless its header says more: where data are
narrower than the request, they ask again and again (the das2 stream format, standard properties).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from dasflex_core.errors import SourceError
from dasflex_das.das2_layout import MAX_WRITTEN
from dasflex_das.elements import attribute_text, parse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dasflex_das.elements import Element

__all__ = ["amended"]

_TAG: Final = 10
_START: Final = re.compile(rb"""<stream(?:[^>"']|"[^"]*"|'[^']*')*>""")
_PROPERTIES: Final = b"<properties"


def amended(header: bytes, facts: Mapping[str, str]) -> bytes:
    """The `[00]` packet with the range and the resolution of the request, where it says nothing of these itself.

    `facts` are `read.time.min`, `read.time.max` and `bin.time.max` (seconds), of which any may be missing. The packet
    stays as it is where it is no stream header, is written in a way that cannot be told, or would become too long.
    """
    if header[:4] != b"[00]":
        return header
    body = header[_TAG:]
    try:
        root = parse(body, "The stream header")
    except SourceError:  # whoever checks the stream says so
        return header
    added = "".join(
        f' {name}="{attribute_text(text)}"'
        for name, text in _properties(facts)
        if not _says(root, name.partition(":")[2])
    )
    if root.tag != "stream" or not added:
        return header
    made = _with_properties(body, root, added.encode("ascii", "replace"))
    return b"[00]%06d%b" % (len(made), made) if made and len(made) + _TAG < MAX_WRITTEN else header


def _properties(facts: Mapping[str, str]) -> list[tuple[str, str]]:
    """The properties that say the facts: a `DatumRange` in UTC and a `Datum` in seconds."""
    begin, end, width = (facts.get(name, "") for name in ("read.time.min", "read.time.max", "bin.time.max"))
    found = []
    if begin and end:
        found.append(("DatumRange:xCacheRange", f"{begin} to {end} UTC"))
    if width:
        found.append(("Datum:xCacheResolution", f"{width} s"))
    return found


def _says(root: Element, name: str) -> bool:
    """Whether the header has a property, of whatever type."""
    written = (key for each in root.all("properties") for key, _text in each.attributes)
    return any(key.rpartition(":")[2] == name for key in written)


def _with_properties(body: bytes, root: Element, added: bytes) -> bytes:
    """The body with more attributes in its first `<properties>`, made if need be; nothing where that cannot be told."""
    properties = root.first("properties")
    if properties is not None:
        at = properties.span[0] + len(_PROPERTIES)
        return body[:at] + added + body[at:] if body[properties.span[0] : at] == _PROPERTIES else b""
    start = _START.match(body, root.span[0])
    if start is None:
        return b""
    at, element = start.end(), b"<properties%b />" % added
    if body[at - 2 : at] == b"/>":
        return body[: at - 2] + b">" + element + b"</stream>" + body[at:]
    return body[:at] + element + body[at:]

# SPDX-License-Identifier: GPL-3.0-or-later
"""Completes the stream header of a das3 stream on its way to the client, with what only the server knows. No numpy."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from dasflex_core.errors import SourceError
from dasflex_das.das3_messages import MAX_PACKET
from dasflex_das.elements import attribute_text, content_text, parse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dasflex_das.elements import Element

__all__ = ["amended"]

_TAG: Final = re.compile(rb"\|Sx\|([^|]*)\|(\d+)\|")
_START: Final = re.compile(rb"""<(?:stream|properties)(?:[^>"']|"[^"]*"|'[^']*')*>""")


def amended(header: bytes, facts: Mapping[str, str]) -> bytes:
    """The `|Sx|` packet with the range and the resolution of the request, where it says nothing of these itself.

    `facts` are as for das2 (`dasflex_das.das2_amending`). The packet stays as it is where it is no stream header, is
    written in a way that cannot be told, or would become too long.
    """
    tag = _TAG.match(header)
    if tag is None:
        return header
    body = header[tag.end() :]
    try:
        root = parse(body, "The stream header")
    except SourceError:  # whoever checks the stream says so
        return header
    said = {each.get("name") for holder in root.all("properties") for each in holder.all("p")}
    added = "".join(text for name, text in _properties(facts) if name not in said)
    if root.tag != "stream" or not added:
        return header
    made = _with_properties(body, root, added.encode("utf-8", "replace"))
    packet = b"|Sx|%b|%d|%b" % (tag[1], len(made), made)
    return packet if made and len(packet) <= MAX_PACKET else header


def _properties(facts: Mapping[str, str]) -> list[tuple[str, str]]:
    """The names of the properties that say the facts, each with its element: a range in UTC, a width in seconds."""
    begin, end, width = (facts.get(name, "") for name in ("read.time.min", "read.time.max", "bin.time.max"))
    found = []
    if begin and end:
        text = content_text(f"{begin} to {end}")
        found.append(("xCacheRange", f'<p type="datetimeRange" name="xCacheRange" units="UTC">{text}</p>'))
    if width:
        text = attribute_text(width)
        found.append(("xCacheResolution", f'<p type="real" name="xCacheResolution" units="s">{text}</p>'))
    return found


def _with_properties(body: bytes, root: Element, added: bytes) -> bytes:
    """The body with more in its first `<properties>`, made if need be; nothing where that cannot be told."""
    properties = root.first("properties")
    start = _START.match(body, root.span[0] if properties is None else properties.span[0])
    if start is None:
        return b""
    at, name = start.end(), b"stream" if properties is None else b"properties"
    element = added if properties is not None else b"<properties>%b</properties>" % added
    if body[at - 2 : at] == b"/>":
        return body[: at - 2] + b">" + element + b"</%b>" % name + body[at:]
    return body[:at] + element + body[at:]

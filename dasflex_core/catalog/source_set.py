# SPDX-License-Identifier: GPL-3.0-or-later
"""The two sets of a source, which lead to all the ways to get its data: a `Collection`, and a `SourceSet`.

Old clients lose a whole node where they do not know the type of one child. So a `Collection` has `HttpStreamSrc` only;
the `SourceSet` has whatever there is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dasflex_core.catalog.addresses import public_base, source_url, uris
from dasflex_core.catalog.flex_node import contact_list, json_bytes
from dasflex_core.catalog.model import Coord
from dasflex_core.catalog.published_names import PARTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dasflex_core.catalog.model import Definition
    from dasflex_core.config import Config
    from dasflex_core.plan.offering import Offer

__all__ = ["collection_json", "hapi_json", "part_stubs", "parts_of", "source_set_json"]

#: An object of JSON.
Node = dict[str, Any]
_DAS2: Final = "application/vnd.das2.das2stream"


def parts_of(definition: Definition, *, hapi: bool, live: bool = True) -> str:
    """The parts of the source set, with blanks between them.

    `hapi` and `live` say whether the site has these protocols.
    """
    has_live = live and any(reader.live for reader in definition.readers)
    there = {"flex": True, "flexrt": has_live, "das2": True, "hapi": hapi and bool(definition.hapi)}
    return " ".join(part for part in PARTS if there[part])


def part_stubs(
    config: Config, identifier: str, title: str, parts: str, media: Mapping[str, Iterable[str]] | None = None
) -> dict[str, Node]:
    """The children of a source set by their keys; `media` are the types that each provides."""
    about: dict[str, tuple[str, str, str, str]] = {
        "flex": ("HttpStreamSrc", "Flex", "primary-stream", "application/json"),
        "flexrt": ("WebSocSrc", "Flex, live", "real-time", "application/json"),
        "das2": ("Das2DSDF", "das2", "primary-stream", "text/vnd.das2.das2stream"),
        "hapi": ("HAPIInfo", "HAPI", "primary-stream", "application/json"),
    }
    found: dict[str, Node] = {}
    for part in parts.split():
        kind, name, purpose, mime = about[part]
        address = source_url(config, identifier, PARTS[part])
        if part == "das2":
            address = f"{public_base(config)}/?server=dsdf&dataset={identifier.lower()}"
        elif part == "hapi":
            address = f"{public_base(config)}/hapi/info?id={identifier}"
        stub: Node = {"type": kind, "name": name, "label": name, "title": title, "urls": [address]}
        provides = [*(media or {}).get(part, ())]
        found[part] = stub | {"purpose": purpose, "mime": mime} | ({"provides": provides} if provides else {})
    return found


def source_set_json(definition: Definition, config: Config, offer: Offer, parts: str) -> bytes:
    """The `SourceSet` of a source."""
    media = sorted({info.media_type.partition(";")[0] for info in offer.types})
    provided = {"flex": media, "flexrt": media, "das2": [_DAS2], "hapi": ["text/csv"]}
    node = _head(definition, config, "SourceSet", "0.1") | {"separator": "/"}
    if definition.summary.strip():
        node["summary"] = definition.summary.strip()
    node["contacts"] = contact_list(definition.contacts)
    node["coords"] = {name: _coord(name, definition) for name in {"time": None, **definition.coords}}
    node["data"] = {
        name: {"label": each.label or name} | ({"title": each.title} if each.title else {})
        for name, each in definition.data.items()
    }
    node["catalog"] = part_stubs(config, definition.id, definition.title, parts, provided)
    return json_bytes(node)


def collection_json(definition: Definition, config: Config, parts: str) -> bytes:
    """The `Collection` of a source."""
    node = _head(definition, config, "Collection", "0.4")
    if definition.summary.strip():
        node["description"] = definition.summary.strip()
    contacts = contact_list(definition.contacts)
    for key, kind in (("tech_contacts", "technical"), ("sci_contacts", "scientific")):
        if found := [each for each in contacts if each["type"] == kind]:
            node[key] = [{name: text for name, text in each.items() if name != "type"} for each in found]
    node["coordinates"] = {
        name: _flat(name, each.label, each.title, "UTC" if name == "time" else each.units)
        for name, each in {"time": Coord(), **definition.coords}.items()
    }
    if definition.range:
        ends = (("valid_min", definition.range.begin), ("valid_max", definition.range.end))
        node["coordinates"]["time"] |= {key: end for key, end in ends if end != "forever"}
    node["data"] = {name: _flat(name, each.label, each.title, each.units) for name, each in definition.data.items()}
    stub = part_stubs(config, definition.id, definition.title, "flex")["flex"]
    node["sources"] = {"flex": {**stub, "convention": "das2/2.3"}}
    if "hapi" in parts.split():
        hapi = {**stub, "name": "HAPI", "label": "HAPI", "convention": "hapi/2.0"}
        node["sources"]["hapi"] = hapi | {"urls": [source_url(config, definition.id, PARTS["hapi"])]}
    return json_bytes(node)


def hapi_json(definition: Definition, config: Config) -> bytes:
    """The HAPI service of a source as a node, of the old flat form: it documents the service."""
    first = definition.hapi[0].id if definition.hapi else ""
    dataset = f"{definition.id}/{first}" if first else definition.id
    node = _head(definition, config, "HttpStreamSrc", "0.3") | {
        "convention": "hapi/2.0",
        "base_urls": [f"{public_base(config)}/hapi"],
        "authentication": {"required": bool(definition.access.allow)},
        "http_params": {
            "id": {"required": True, "type": "string", "value": dataset},
            "time.min": {"required": True, "type": "isotime"},
            "time.max": {"required": True, "type": "isotime"},
        },
        "coordinates": {
            "time": {
                "name": "Time",
                "units": {"value": "UTC"},
                "minimum": {"value": "", "set": {"param": "time.min", "required": True}},
                "maximum": {"value": "", "set": {"param": "time.max", "required": True}},
            }
        },
        "data": {
            name: {"name": each.label or name} | ({"units": {"value": each.units}} if each.units else {})
            for name, each in definition.data.items()
        },
        "options": {},
    }
    return json_bytes(node)


def _head(definition: Definition, config: Config, kind: str, version: str) -> Node:
    """What a set begins with."""
    name = definition.label or definition.id.rpartition("/")[2]
    names = uris(config, definition.id.lower())
    node: Node = {"type": kind, "version": version, "name": name, "label": name, "title": definition.title}
    return node | ({"uris": names} if names else {})


def _coord(name: str, definition: Definition) -> Node:
    """A coordinate in a source set."""
    coord = definition.coords.get(name)
    about: Node = {"label": (coord and coord.label) or name.capitalize()}
    if coord and coord.title:
        about["title"] = coord.title
    if coord and coord.range:
        ends = (coord.range.begin, coord.range.end)
        about["validRange"] = [None if end == "forever" else end for end in ends]
    return about


def _flat(name: str, label: str | None, title: str | None, units: str | None) -> Node:
    """A coordinate or a variable in a collection."""
    about: Node = {"name": label or name.capitalize()}
    about |= {"title": title} if title else {}
    return about | ({"units": units} if units else {})

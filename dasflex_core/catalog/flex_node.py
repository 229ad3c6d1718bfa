# SPDX-License-Identifier: GPL-3.0-or-later
"""A source as a node of the federated catalog: `HttpStreamSrc` 0.7.

`protocol` is what the server takes, `interface` what a person sees; `set` ties a property of the second to a parameter
of the first. Every parameter that some stage can consume is there, and no other.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dasflex_core.catalog.model import Contacts, Coord, DataItem, Definition
    from dasflex_core.config import Config
    from dasflex_core.plan.offering import Offer
    from dasflex_core.stages import ParamSpec
    from dasflex_core.streamtype import StreamTypeInfo

__all__ = ["contact_list", "flex_json", "json_bytes", "source_url"]

#: An object of JSON.
Node = dict[str, Any]
_TYPES: Final = {"time": "isotime", "integer": "integer", "real": "real", "duration": "real", "boolean": "boolean"}
_LABELS: Final = {"min": "Minimum", "max": "Maximum", "inter": "Interval", "res": "Resolution"}
_CONTACT: Final = re.compile(r"\s*([^<>,]*?)\s*(?:<\s*([^<>]*?)\s*>)?\s*(?:,|$)")
_GOAL: Final = frozenset({"format.type", "format.version", "format.serial"})


def json_bytes(node: Node) -> bytes:
    """A node as it is published: UTF-8 that begins with `{`."""
    return json.dumps(node, ensure_ascii=False, indent=1).encode("utf-8", "replace") + b"\n"


def source_url(config: Config, identifier: str, file: str) -> str:
    """The public address of something of a source."""
    from urllib.parse import quote

    return f"{config.server_url.rstrip('/')}/source/{quote(identifier.lower(), safe='/+')}/{file}"


def contact_list(contacts: Contacts) -> list[Node]:
    """Each contact with its type, name and address."""
    return [
        {"type": kind, "name": found[1] or found[2]} | ({"email": found[2]} if found[2] else {})
        for kind, text in (("technical", contacts.technical), ("scientific", contacts.scientific))
        for found in _CONTACT.finditer(text)
        if found[1] or found[2]
    ]


def flex_json(definition: Definition, config: Config, offer: Offer) -> bytes:
    """The node of a source. Addresses are absolute, below the server's public one."""
    making = _Making(definition, offer, _kinds(offer), {})
    name = definition.label or definition.id.rpartition("/")[2]
    closed = bool(definition.access.allow)
    realm = {"realm": definition.access.realm or config.server_name} if closed else {}
    interface = making.interface()
    node: Node = {
        "type": "HttpStreamSrc",
        "version": "0.7",
        "name": name,
        "label": name,
        "title": definition.title,
        "summary": definition.summary.strip(),
        "contacts": contact_list(definition.contacts),
        "protocol": {
            "method": "GET",
            "convention": "HTTP/1.1",
            "baseUrls": [source_url(config, definition.id, "flex")],
            "authorization": {"required": closed, **realm},
            "httpParams": making.http_params(),
        },
        "interface": interface,
    }
    return json_bytes({key: value for key, value in node.items() if value not in ("", [])})


def _kinds(offer: Offer) -> Mapping[str, list[StreamTypeInfo]]:
    """The types that can be had, by their kind: what the reader writes first."""
    own = offer.own.kind if offer.own else ""
    kinds: dict[str, list[StreamTypeInfo]] = {}
    for info in sorted(offer.types, key=lambda info: info.type.kind != own):
        kinds.setdefault(info.type.kind, []).append(info)
    return kinds


@dataclass(frozen=True, slots=True)
class _Making:
    """One node in the making; `paths` is where in the interface each parameter is set."""

    definition: Definition
    offer: Offer
    kinds: Mapping[str, list[StreamTypeInfo]]
    paths: dict[str, str]

    # -- what the server takes

    def http_params(self) -> Node:
        """Each parameter, as the source takes it."""
        found = {param.name: self.http_param(param) for param in self.offer.params if param.name not in _GOAL}
        types = [info.type for infos in self.kinds.values() for info in infos]
        goals = {
            "format.type": [*self.kinds],
            "format.version": sorted({each.version for each in types if each.version}),
            "format.serial": sorted({each.variant for each in types if each.variant}),
        }
        return found | {
            name: {"required": False, "type": "enum", "enum": values} for name, values in goals.items() if values
        }

    def http_param(self, param: ParamSpec) -> Node:
        """One parameter: its type, and what it may be."""
        about: Node = {"required": param.name in self.offer.required, "type": _TYPES.get(param.type, "string")}
        flags = self.flags(param)
        if flags:
            about |= {"type": "FlagSet", "flagSep": " " if param.type == "arguments" else ",", "flags": flags}
        elif param.values and param.type != "arguments":
            about |= {"type": "enum", "enum": [value for value, _title in param.values]}
        if param.low is not None or param.high is not None:
            about["range"] = _range(param)
        if param.units or param.type == "duration":
            about["units"] = param.units or "s"
        if param.default is not None:
            about["default"] = param.default
        return about | ({"title": param.title} if param.title else {})

    def flags(self, param: ParamSpec) -> Node:
        """What a list may hold; blank for what is no list, or one of anything."""
        if param.name == "read.data":
            return {name: {"value": name, "title": each.title or name} for name, each in self.definition.data.items()}
        if param.type == "arguments" and len(param.values) > 1:  # what das2 says of one is its use, and no flag
            return {value: {"value": value, "title": _first_part(title) or value} for value, title in param.values}
        values = param.values if param.type == "list" else ()
        return {value: {"value": value, "title": title or value} for value, title in values}

    # -- what a person sees

    def interface(self) -> Node:
        """The coordinates, the data, the formats, the options and the examples."""
        coords = {"time": None, **self.definition.coords}
        node: Node = {
            "coords": {name: self.coord(name, each) for name, each in coords.items()},
            "data": {name: self.variable(name, each) for name, each in self.definition.data.items()},
            "formats": {kind: self.format(kind, infos) for kind, infos in self.kinds.items()},
        }
        rest = [each for each in self.offer.params if each.name not in self.paths and each.name not in _GOAL]
        if rest:
            props = {_key(each.name): self.setting(f"options/props/{_key(each.name)}", each) for each in rest}
            node["options"] = {"label": "Options", "title": "Other controls", "props": props}
        return node | {"examples": list(self.examples())}

    def coord(self, name: str, coord: Coord | None) -> Node:
        """A coordinate: its range, and what of it can be asked."""
        about: Node = {"label": (coord and coord.label) or name.capitalize()}
        if coord and coord.title:
            about["title"] = coord.title
        if coord and coord.range:
            ends = (coord.range.begin, coord.range.end)
            about["validRange"] = [None if end.lower() == "forever" else end for end in ends]
        asked = {
            "min": f"read.{name}.min",
            "max": f"read.{name}.max",
            "inter": f"read.{name}.inter",
            "res": f"bin.{name}.max",
        }
        units = "UTC" if name == "time" and not (coord and coord.units) else coord and coord.units
        props = self.settings(f"coords/{name}/props", asked) | ({"units": {"value": units}} if units else {})
        return about | {"props": props}

    def variable(self, name: str, item: DataItem) -> Node:
        """A variable of the data: its units, and whether it is sent."""
        about: Node = {"label": item.label or name} | ({"title": item.title} if item.title else {})
        props: Node = {}
        if self.offer.param("read.data"):
            change = {"value": not item.default, "param": "read.data", "flag": name}
            props["enabled"] = {"type": "boolean", "value": item.default, "set": change}
            self.paths["read.data"] = ""
        if item.units is not None:
            props["units"] = {"value": item.units}
        return about | {"props": props}

    def format(self, kind: str, infos: list[StreamTypeInfo]) -> Node:
        """A format: how it is asked for, and what more can be said of it."""
        own = self.offer.own
        first = own is not None and own.kind == kind
        change = {"value": True, "param": "format.type", "pval": kind}
        props: Node = {"enabled": {"type": "boolean", "value": first, "xorGroup": "format", "set": change}}
        versions = sorted({info.type.version for info in infos if info.type.version})
        if versions:
            texts = [{"value": f"{kind}{each}", "pval": each} for each in versions]
            value = f"{kind}{own.version if own and first and own.version in versions else versions[0]}"
            choice = {"param": "format.version", "enum": texts}
            props["version"] = {"label": "Version", "type": "enum", "value": value, "set": choice}
        serials = sorted({info.type.variant for info in infos if info.type.variant})
        if serials:
            value = own.variant if own and first and own.variant in serials else serials[0]
            choice = {"param": "format.serial", "enum": [{"value": each} for each in serials]}
            props["serial"] = {"label": "Serialization", "type": "enum", "value": value, "set": choice}
        names = {_key(name, kind): name for what, name in self.offer.formats if what == kind and name not in _GOAL}
        props |= self.settings(f"formats/{kind}/props", names)
        label = infos[0].title if len(infos) == 1 else f"{kind} stream"
        media = list(dict.fromkeys(info.media_type.partition(";")[0] for info in infos))
        return {"label": label, "mimeTypes": media, "props": props, "order": [*props]}

    def settings(self, place: str, asked: Mapping[str, str]) -> Node:
        """The properties of those parameters that the source takes."""
        found = ((key, self.offer.param(name)) for key, name in asked.items())
        return {key: self.setting(f"{place}/{key}", param, _LABELS.get(key, "")) for key, param in found if param}

    def setting(self, path: str, param: ParamSpec, label: str = "") -> Node:
        """A property that sets a parameter; `value` is what it is without being set."""
        self.paths.setdefault(param.name, path)
        several = param.type in ("list", "arguments")
        kind = "enum" if param.values and not several else _TYPES.get(param.type, "string")
        change: Node = {"param": param.name, "required": param.name in self.offer.required}
        if kind == "enum":
            change["enum"] = [{"value": value, "title": title or value} for value, title in param.values]
        elif param.low is not None or param.high is not None:
            change["range"] = _range(param)
        about: Node = {"label": label or param.title or param.name, "type": kind}
        if label and param.title:
            about["title"] = param.title
        if param.units or param.type == "duration":
            about["units"] = param.units or "s"
        return about | {"value": None if param.default is None else _typed(kind, param.default), "set": change}

    def examples(self) -> Iterator[Node]:
        """The examples as settings of the interface."""
        for example in self.definition.examples:
            settings: Node = {}
            for name, text in example.request:
                path, param = self.paths.get(name, ""), self.offer.param(name)
                if path and param:
                    settings[path] = text if param.values else _typed(_TYPES.get(param.type, "string"), text)
            yield {"label": example.title or "Example", "settings": settings}


def _first_part(text: str) -> str:
    """What a das2 text of several parts says first: the others tell how a parameter is written."""
    return text.partition("|")[0].strip()


def _key(name: str, kind: str = "") -> str:
    """The name of a property: that of its parameter, without what is said already."""
    short = name.removeprefix("read.") if not kind else name.removeprefix("format.").removeprefix(f"{kind}.")
    return short.replace(".", "_")


def _range(param: ParamSpec) -> list[float | None]:
    """The lowest and the highest value, both included; None where there is no bound."""
    bounds = [param.low, param.high]
    return [int(each) if param.type == "integer" and each is not None else each for each in bounds]


def _typed(kind: str, text: str) -> object:
    """A value as JSON has it."""
    try:
        match kind:
            case "boolean":
                return text.lower() in ("true", "yes", "on", "1", "t")
            case "integer":
                return int(text)
            case "real":
                return float(text)
    except ValueError:  # a quantity with its unit stays the text that it is
        return text
    return text

# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys of the older forms of a node (`HttpStreamSrc` 0.5 and 0.6), beside those of 0.7.

das2py reads these. What it cannot take decides how they are written: each aspect that sets something has a value, a
choice has a title and a text for each value, of several flags each is an aspect of its own, and no text of a
coordinate or an option has the letters "set" in a row, which it takes for the key. It reads das streams, so that
other formats are left to the newer keys; and a source that writes something else is asked for das.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from dasflex_core.catalog.interface import TYPES, bounds_of, key_of, typed
from dasflex_core.plan.parameters import GOAL

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dasflex_core.catalog.interface import Interface
    from dasflex_core.catalog.model import Coord
    from dasflex_core.stages import ParamSpec

__all__ = ["with_classic_keys"]

#: An object of JSON.
Node = dict[str, Any]
_DAS: Final = "das"
_NAMES: Final = {"format.version": "Stream version", "format.serial": "Serialization"}
_ASPECTS: Final = {
    "minimum": ("Start", "read.{}.min"),
    "maximum": ("Stop", "read.{}.max"),
    "resolution": ("Resolution", "bin.{}.max"),
    "interval": ("Interval", "read.{}.inter"),
}


def with_classic_keys(node: Node, making: Interface) -> Node:
    """The node of form 0.7 with the older keys under the same `protocol` and `interface`."""
    protocol, interface = node["protocol"], node["interface"]
    own = making.offer.own
    query = f"?{GOAL[0]}={_DAS}" if own and own.kind != _DAS and _DAS in making.kinds else ""
    base = f"{protocol['baseUrls'][0]}{query}"
    params = _params(making)
    older = {
        "base_urls": [base],
        "authentication": {"realm": "", **protocol["authorization"]},
        "http_params": params,
        "examples": _examples(making, params, base),
    }
    coords = {"time": None, **making.definition.coords}
    data = {name: {**shared, **_variable(name, making)} for name, shared in interface["data"].items()}
    options = {**interface.get("options", {"label": "Options", "title": "Other controls", "props": {}})}
    whole = {
        **node,
        "protocol": {**protocol, **older},
        "interface": {
            **interface,
            "coordinates": {name: _coordinate(name, each, making) for name, each in coords.items()},
            "data": data,
            "options": {**options, **_options(making, params)},
        },
        "format": {"default": {"mime": _media_type(making)}},
    }
    for key, kind in (("tech_contacts", "technical"), ("sci_contacts", "scientific")):
        if found := [_without_type(each) for each in node.get("contacts", ()) if each["type"] == kind]:
            whole[key] = found
    return whole


def _without_type(contact: Node) -> Node:
    return {key: text for key, text in contact.items() if key != "type"}


def _media_type(making: Interface) -> str:
    """The media type of an answer whose request says nothing of it."""
    infos = making.kinds.get(_DAS) or next(iter(making.kinds.values()), [])
    own = making.offer.own
    fitting = [info for info in infos if own and info.type.serves(own)] or infos
    return fitting[0].media_type.partition(";")[0] if fitting else "application/octet-stream"


# -- what the server takes


def _params(making: Interface) -> Node:
    """The parameters, without those of the formats that das2py cannot read."""
    taken = {name for kind, name in making.offer.formats if kind == _DAS}
    found = {
        each.name: _param(each, making)
        for each in making.offer.params
        if each.name not in GOAL and (each.family != "format" or each.name in taken)
    }
    types = [info.type for info in making.kinds.get(_DAS, [])]
    for name, values in zip(
        GOAL[1:], ({each.version for each in types}, {each.variant for each in types}), strict=True
    ):
        if texts := sorted(filter(None, values)):
            found[name] = {"required": False, "type": "enum", "items": texts, "name": _NAMES[name]}
    return found


def _param(param: ParamSpec, making: Interface) -> Node:
    about: Node = {"required": param.name in making.offer.required, "type": TYPES.get(param.type, "string")}
    if flags := making.flags(param):
        about |= {"type": "flag_set", "flag_sep": " "}
        about["flags"] = {name: {**flag, "name": flag["title"]} for name, flag in flags.items()}
    elif param.choices:
        about |= {"type": "enum", "items": [value for value, _title in param.choices]}
    if param.units or param.type == "duration":
        about["units"] = param.units or "s"
    return about | {"name": param.title or param.name}


def _examples(making: Interface, params: Node, base: str) -> Node:
    """The examples: their parameters as text, and their address."""
    found: Node = {}
    for title, request in making.asked():
        asked = {name: text for name, text in request if name in params}
        address = f"{base}{'&' if '?' in base else '?'}{urlencode(asked, safe=':/,')}"
        found[f"example_{len(found):02d}"] = {"name": title, "title": title, "http_params": asked, "url": address}
    return found


# -- what a person sees


def _coordinate(name: str, coord: Coord | None, making: Interface) -> Node:
    """A coordinate: its units, and its aspects that can be asked for."""
    about: Node = {"name": _spelt((coord and coord.label) or name.capitalize())}
    if coord and coord.title:
        about["title"] = _spelt(coord.title)
    units = "UTC" if name == "time" and not (coord and coord.units) else coord and coord.units
    if units:
        about["units"] = {"value": units}
    example = dict(next((request for _title, request in making.asked()), ()))
    for aspect, (label, pattern) in _ASPECTS.items():
        param = making.offer.param(pattern.format(name))
        if param:
            about[aspect] = {"name": label, **_aspect(param, making, example.get(param.name))}
            if coord and coord.range and param.type == "time" and coord.range.end[:1].isdigit():
                about[aspect]["set"]["range"] = [coord.range.begin, coord.range.end]
    return about


def _variable(name: str, making: Interface) -> Node:
    """A variable: its units, and whether it alone is asked for."""
    item = making.definition.data[name]
    about: Node = {"name": item.label or name}
    if item.units is not None:
        about["units"] = {"value": item.units}
    if making.offer.param("read.data"):
        change = {"param": "read.data", "flag": name, "value": True}
        about["only"] = {"name": "Only this", "title": "Of all variables send this", "value": False, "set": change}
    return about


def _options(making: Interface, params: Mapping[str, Node]) -> Node:
    """The aspects of all else that das2py can ask for."""
    found: Node = {}
    for param in making.offer.params:
        path = making.paths.get(param.name, "")
        if param.name not in params or not path.startswith(("options/", "formats/")):
            continue
        key = key_of(param.name)
        if flags := making.flags(param):
            found |= dict(_choices(key, param, flags))
        else:
            label = _spelt(param.title or param.name)
            found[key] = {"name": label, "title": label, **_aspect(param, making, None)}
    for name, key in (("format.version", "version"), ("format.serial", "serial")):
        if name in params:
            found[key] = _form(name, params[name]["items"], making)
    return found


def _choices(key: str, param: ParamSpec, flags: Node) -> Iterable[tuple[str, Node]]:
    """One aspect for each thing that a list may hold."""
    for name, flag in flags.items():
        title = _spelt(f"{param.title or param.name}: {flag['title']}")
        change = {"param": param.name, "flag": name, "value": True}
        yield f"{key}_{name}", {"name": title, "title": title, "type": "boolean", "value": False, "set": change}


def _form(name: str, values: list[str], making: Interface) -> Node:
    """The version or the serialisation of das streams."""
    own = making.offer.own
    fact = (own.version if name == "format.version" else own.variant) if own and own.kind == _DAS else ""
    prefix = _DAS if name == "format.version" else ""
    choice = [{"value": f"{prefix}{each}", "pval": each, "title": f"{prefix}{each} stream"} for each in values]
    value = f"{prefix}{fact if fact in values else values[0]}"
    return {"name": _NAMES[name], "type": "enum", "value": value, "set": {"param": name, "enum": choice}}


def _aspect(param: ParamSpec, making: Interface, example: str | None) -> Node:
    """The value of an aspect without being set, and what sets it."""
    change: Node = {"param": param.name}
    if param.name in making.offer.required:
        change["required"] = True
    kind = TYPES.get(param.type, "string")
    text = param.default if param.default is not None else example if change.get("required") else None
    if param.type == "boolean":
        value = typed(kind, text or "false")
        change |= {"value": not value, "pval": "false" if value else "true"}
        return {"type": "boolean", "value": value, "set": change}
    if param.choices:
        titles = [{"value": value, "title": title or value} for value, title in param.choices]
        return {"type": "enum", "value": text or "", "set": {**change, "enum": titles}}
    if param.low is not None or param.high is not None:
        change["range"] = bounds_of(param)
    nothing: object = {"integer": 0, "real": 0.0}.get(kind, "")
    about: Node = {"value": nothing if text is None else typed(kind, text)}
    if param.units or param.type == "duration":
        about["units"] = param.units or "s"
    return {**about, "set": change}


def _spelt(text: str) -> str:
    """A text without the letters that das2py takes for a key.

    >>> _spelt("Data set, offset")
    'Data Set, offSet'
    """
    return text.replace("set", "Set")

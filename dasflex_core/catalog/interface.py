# SPDX-License-Identifier: GPL-3.0-or-later
"""The parameters of a source as the server takes them, and as a person sees them: both halves of its node, form 0.7."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dasflex_core.catalog.first_look import first_look
from dasflex_core.plan.parameters import GOAL
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dasflex_core.catalog.model import Coord, DataItem, Definition, Pairs
    from dasflex_core.plan.offering import Offer
    from dasflex_core.stages import ParamSpec
    from dasflex_core.streamtype import StreamTypeInfo

__all__ = ["TYPES", "Interface", "bounds_of", "key_of", "kinds_of", "typed"]

#: An object of JSON.
Node = dict[str, Any]
#: What a parameter's type is called in nodes.
TYPES: Final = {"time": "isotime", "integer": "integer", "real": "real", "duration": "real", "boolean": "boolean"}
_LABELS: Final = {"min": "Minimum", "max": "Maximum", "inter": "Interval", "res": "Resolution"}
#: Words that mean something where properties stand, so that none can be called so.
_TAKEN: Final = frozenset({"set", "label", "title", "props", "name", "value"})


def kinds_of(offer: Offer) -> Mapping[str, list[StreamTypeInfo]]:
    """The types that can be had, by their kind: what the reader writes first."""
    own = offer.own.kind if offer.own else ""
    kinds: dict[str, list[StreamTypeInfo]] = {}
    for info in sorted(offer.types, key=lambda info: info.type.kind != own):
        kinds.setdefault(info.type.kind, []).append(info)
    return kinds


@dataclass(frozen=True, slots=True)
class Interface:
    """One node in the making; `paths` is where in the interface each parameter is set.

    The `live` node of a source leaves out the examples of its past.
    """

    definition: Definition
    offer: Offer
    kinds: Mapping[str, list[StreamTypeInfo]]
    paths: dict[str, str]
    live: bool = False

    # -- what the server takes

    def http_params(self) -> Node:
        """Each parameter, as the source takes it."""
        found = {param.name: self.http_param(param) for param in self.offer.params if param.name not in GOAL}
        goals = dict(zip(GOAL, self.goals(), strict=True))
        return found | {
            name: {"required": False, "type": "enum", "enum": values} for name, values in goals.items() if values
        }

    def goals(self) -> tuple[list[str], list[str], list[str]]:
        """The kinds, the versions and the serialisations that can be had."""
        types = [info.type for infos in self.kinds.values() for info in infos]
        return (
            [*self.kinds],
            sorted({each.version for each in types if each.version}),
            sorted({each.variant for each in types if each.variant}),
        )

    def http_param(self, param: ParamSpec) -> Node:
        """One parameter: its type, and what it may be; `needs` are those that must be given beside it."""
        about: Node = {"required": param.name in self.offer.required, "type": TYPES.get(param.type, "string")}
        flags = self.flags(param)
        if flags:
            about |= {"type": "FlagSet", "flagSep": " " if param.type == "arguments" else ",", "flags": flags}
        elif param.choices:
            about |= {"type": "enum", "enum": [value for value, _title in param.choices]}
        if param.low is not None or param.high is not None:
            about["range"] = bounds_of(param)
        if param.units or param.type == "duration":
            about["units"] = param.units or "s"
        if param.default is not None:
            about["default"] = param.default
        if needs := self.offer.companions(param.name):
            about["needs"] = [*needs]
        return about | ({"title": param.title} if param.title else {})

    def flags(self, param: ParamSpec) -> Node:
        """What a list may hold; blank for what is no list, or one of anything."""
        if param.name == "read.data":
            return {name: {"value": name, "title": each.title or name} for name, each in self.definition.data.items()}
        if param.type == "arguments" and len(param.values) > 1:  # a text for only one tells how that is used
            return {value: {"value": value, "title": _first_part(title) or value} for value, title in param.values}
        values = param.values if param.type == "list" else ()
        return {value: {"value": value, "title": title or value} for value, title in values}

    # -- what a person sees

    def interface(self) -> Node:
        """The coordinates, the data, the formats, the options and the examples."""
        coords = {"time": None, **self.definition.coords}
        own = self.offer.own.kind if self.offer.own else "data"
        node: Node = {
            "coords": {name: self.coord(name, each) for name, each in coords.items()},
            "data": {name: self.variable(name, each) for name, each in self.definition.data.items()},
            "formats": {kind: self.format(kind, infos) for kind, infos in self.kinds.items()} or {own: {"props": {}}},
        }
        rest = self.rest()
        if rest:
            props = {key_of(each.name): self.setting(f"options/props/{key_of(each.name)}", each) for each in rest}
            node["options"] = {"label": "Options", "title": "Other controls", "props": props}
        return node | {"examples": list(self.examples())}

    def rest(self) -> list[ParamSpec]:
        """The parameters that neither a coordinate nor the data nor a format has taken."""
        return [each for each in self.offer.params if each.name not in self.paths and each.name not in GOAL]

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
        names = {key_of(name, kind): name for what, name in self.offer.formats if what == kind and name not in GOAL}
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
        kind = "enum" if param.choices and param.type != "list" else TYPES.get(param.type, "string")
        change: Node = {"param": param.name, "required": param.name in self.offer.required}
        if kind == "enum":
            change["enum"] = [{"value": value, "title": title or value} for value, title in param.values]
        elif param.low is not None or param.high is not None:
            change["range"] = bounds_of(param)
        about: Node = {"label": label or param.title or param.name, "type": kind}
        if label and param.title:
            about["title"] = param.title
        if param.units or param.type == "duration":
            about["units"] = param.units or "s"
        return about | {"value": None if param.default is None else typed(kind, param.default), "set": change}

    # -- examples

    def asked(self) -> Iterator[tuple[str, Pairs]]:
        """The examples that this node can ask: their titles and requests."""
        for number, example in enumerate(self.definition.examples, 1):
            forever = dict(example.request).get("read.time.max") == "forever"
            if forever or not self.live:
                yield example.title or f"Example {number}", example.request
        if self.live:
            ends = {dict(each.request).get("read.time.max") for each in self.definition.examples}
            if "forever" not in ends:
                yield "From now on", (("read.time.min", "now"), ("read.time.max", "forever"))
        elif not self.definition.examples:
            yield first_look(self.definition, self.offer)

    def examples(self) -> Iterator[Node]:
        """The examples as settings of the interface."""
        for title, request in self.asked():
            settings: Node = {}
            for name, text in request:
                settings |= self.set_by(name, text, dict(request))
            yield {"label": title, "settings": settings}

    def set_by(self, name: str, text: str, request: Mapping[str, str]) -> Node:
        """The properties that give a parameter its value."""
        if name in GOAL:
            return self.set_goal(name, text, request)
        path, param = self.paths.get(name, ""), self.offer.param(name)
        if name == "read.data" and param:
            wanted = text.replace(",", " ").split()
            return {
                f"data/{each}/props/enabled": each in wanted
                for each, item in self.definition.data.items()
                if item.default is not (each in wanted)
            }
        if not path or not param:
            return {}
        return {path: text if param.choices else typed(TYPES.get(param.type, "string"), text)}

    def set_goal(self, name: str, text: str, request: Mapping[str, str]) -> Node:
        """The properties of a format that ask for it."""
        own = self.offer.own.kind if self.offer.own else ""
        kind = request.get("format.type", own)
        if kind not in self.kinds:
            return {}
        key, value = {
            "format.type": ("enabled", True),
            "format.version": ("version", f"{kind}{text}"),
            "format.serial": ("serial", text),
        }[name]
        facts = {each.type.version if key == "version" else each.type.variant for each in self.kinds[kind]}
        return {f"formats/{kind}/props/{key}": value} if key == "enabled" or text in facts else {}


def _first_part(text: str) -> str:
    """What a das2 text of several parts says first: the others tell how a parameter is written."""
    return text.partition("|")[0].strip()


def key_of(name: str, kind: str = "") -> str:
    """The name of a property: that of its parameter, without what is said already."""
    short = name.removeprefix("read.") if not kind else name.removeprefix("format.").removeprefix(f"{kind}.")
    short = short.replace(".", "_")
    return f"{short}_" if short in _TAKEN else short


def bounds_of(param: ParamSpec) -> list[float | None]:
    """The lowest and the highest value, both included; None where there is no bound."""
    bounds = [param.low, param.high]
    return [int(each) if param.type == "integer" and each is not None else each for each in bounds]


def typed(kind: str, text: str) -> object:
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

# SPDX-License-Identifier: GPL-3.0-or-later
"""The sources in the server's OpenAPI description: what each can be asked by its path `flex`, and what it answers.

The description is one object, and a front-end says the rest of it: what the server itself has. So that it can be sent
without being read, the part of the sources is a file of lines, each of which begins with a comma:

    ,"parameters":{…},"pathItems":{…},"responses":{…}     what stands in `components` for all sources
    ,"/source/<id in lower case>/flex":{"$ref":…}         the entry of a source in `paths`

What sources have in common stands in `components` once, under a digest of it as its name. A source that is unchanged
keeps its line, so that none has to be read because of another. Sources that lists do not show are left out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import orjson

from dasflex_core.catalog.flex_node import json_bytes
from dasflex_core.catalog.interface import Interface, bounds_of, kinds_of, typed
from dasflex_core.catalog.remembering import digest_of
from dasflex_core.plan.parameters import GOAL
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from dasflex_core.catalog.model import Definition
    from dasflex_core.plan.offering import Offer
    from dasflex_core.registry import Registry
    from dasflex_core.stages import ParamSpec

__all__ = ["TIME", "Descriptions", "answers_of", "failures", "read_descriptions"]

#: An object of JSON.
Node = dict[str, Any]
#: What stands in `components` for the sources.
_SHARED: Final = ("parameters", "pathItems", "responses")
_START: Final = b',"/source/'
_END: Final = b'/flex":'
_REFERENCE: Final = re.compile(rb"#/components/(parameters|pathItems|responses)/([0-9a-z]+)")
#: Times as programs write them. People may write others, such as 2017-015 and now-PT10M.
TIME: Final[Node] = {
    "type": "string",
    "description": "A time in UTC: ISO 8601 with a date or a day of the year, without a time zone; or now, now-PT10M",
    "pattern": r"^((19|20)\d\d-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
    r"(T([01]\d|2[0-3])(:[0-5]\d(:[0-5]\d(\.\d{1,9})?)?)?)?"
    r"|(19|20)\d\d-[0-2][0-9][1-9]|now(-P(\d{1,3}D|T\d{1,3}[HMS]))?|forever)$",
}
_TYPES: Final = {"real": "number", "duration": "number", "integer": "integer", "boolean": "boolean"}
_PAGE: Final = {"text/plain": {"schema": {"type": "string"}}, "text/html": {"schema": {"type": "string"}}}
_WHY: Final = {
    "400": "Something is wrong with the request; the text says what, and what would be right",
    "401": "A log-in is needed",
    "403": "The source is closed to this client",
    "404": "There is no such source",
    "413": "The answer would cost more than the site allows",
    "429": "This client asks for too much at once: come again later",
    "500": "The reader of the source failed before it gave any data, or the server is not set up for this",
    "503": "The server is busy: come again later",
    "504": "The reader of the source gave nothing for too long",
}
#: What is answered to `Prefer: respond-async` (RFC 7240).
_LATER: Final[Node] = {
    "description": "By the header `Prefer: respond-async`: the data will be the result of the job at `Location`",
    "headers": {
        "Location": {"schema": {"type": "string", "format": "uri"}},
        "Retry-After": {"schema": {"type": "string"}},
        "Preference-Applied": {"schema": {"type": "string"}},
    },
    "content": {
        "application/json": {"schema": {"$ref": "#/components/schemas/Job"}},
        "text/plain": _PAGE["text/plain"],
    },
}


def failures(registry: Registry, statuses: Iterable[str]) -> Node:
    """Failures by their status: text, a page, an object for who prefers JSON, or an exception in the format asked."""
    told: Node = {"application/json": {}} | {
        each.media_type.partition(";")[0]: {} for each in registry.stream_types if each.failure
    }
    line = {"text/plain": _PAGE["text/plain"]}
    return {
        status: {"description": _WHY[status], "content": line if status == "401" else {**_PAGE, **told}}
        | ({"headers": {"Retry-After": {"schema": {"type": "string"}}}} if status in ("429", "503") else {})
        | ({"headers": {"WWW-Authenticate": {"schema": {"type": "string"}}}} if status == "401" else {})
        for status in statuses
    }


def answers_of(registry: Registry, media: Iterable[str], *, closed: bool = False) -> Node:
    """All that a request for data may get, by status; `media` are the media types of the data."""
    content: Node = {each: {} for each in media}
    if any(each.startswith("text/") or each.endswith("json") for each in content):
        content["text/plain"] = {"schema": {"type": "string"}}  # what people can read is shown to browsers as that
    return {
        "200": {"description": "The data", "content": content},
        "202": _LATER,
        "304": {"description": "The data are those that the client has"},
        **failures(registry, ("400", *(("401", "403") if closed else ()), "404", "413", "429", "500", "503", "504")),
    }


class Descriptions:
    """The described sources by their ids in lower case, a line each, and what these share, by its kind and name."""

    def __init__(self, lines: Mapping[str, bytes], shared: Mapping[tuple[str, str], Node]) -> None:
        self.lines = dict(lines)
        self._shared = dict(shared)

    def add(self, definition: Definition, offer: Offer, registry: Registry) -> None:
        """Describes a source, or describes it anew."""
        item = _Making(self._shared).item(definition, offer, registry)
        name = definition.id.lower()
        node = {**item, "summary": definition.title} if definition.title else item
        self.lines[name] = b"%b%b%b%b" % (_START, name.encode(), _END, json_bytes(node).rstrip())

    def add_all(self, others: Descriptions) -> None:
        """Takes other descriptions over, which replace those of the same sources."""
        self.lines |= others.lines
        self._shared |= others._shared

    def limited(self, names: Iterable[str]) -> Descriptions:
        """Those of these sources, in order, with what they refer to."""
        lines = {name: self.lines[name] for name in sorted({*names} & self.lines.keys())}
        kept: dict[tuple[str, str], Node] = {}
        wanted = _references(b"".join(lines.values()))
        while wanted:
            found = {key: self._shared[key] for key in wanted}
            kept |= found
            wanted = _references(json_bytes({"": [*found.values()]})) - kept.keys()
        return Descriptions(lines, kept)

    def to_bytes(self) -> bytes:
        """The part of the description that is of sources."""
        held: dict[str, Node] = {kind: {} for kind in _SHARED}
        for (kind, name), node in sorted(self._shared.items(), key=lambda each: each[0]):
            held[kind][name] = node
        first = b"," + json_bytes(held).strip()[1:-1]
        return b"".join(each + b"\n" for each in (first, *self.lines.values()))


def read_descriptions(path: Path) -> Descriptions:
    """What a file holds that was written so; nothing where there is none, or it cannot be read."""
    try:
        first, *lines = path.read_bytes().splitlines()
        held = orjson.loads(b"{%b}" % first[1:])
        shared = {(kind, name): node for kind in _SHARED for name, node in held[kind].items()}
        named = {line[len(_START) : line.index(_END)].decode("ascii"): line for line in lines}
        found = Descriptions(named, shared)
        return found.limited(named)  # so that it is whole
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Descriptions({}, {})


def _references(text: bytes) -> set[tuple[str, str]]:
    """The kinds and names of what a text refers to."""
    return {(kind.decode(), name.decode()) for kind, name in _REFERENCE.findall(text)}


@dataclass(frozen=True, slots=True)
class _Making:
    """The description of a source in the making: `shared` is what it refers to."""

    shared: dict[tuple[str, str], Node]

    def refer(self, kind: str, node: Node) -> Node:
        """A reference to something that others may have as well."""
        name = digest_of(json_bytes(node))[:12]
        self.shared[kind, name] = node
        return {"$ref": f"#/components/{kind}/{name}"}

    def item(self, definition: Definition, offer: Offer, registry: Registry) -> Node:
        """The path item of a source."""
        interface = Interface(definition, offer, kinds_of(offer), {})
        asked = dict(definition.examples[0].request) if definition.examples else {}
        params = [_parameter(each, interface, asked) for each in offer.params if each.name not in GOAL]
        goals = zip(GOAL, interface.goals(), strict=True)
        params += [_query(name, {"type": "string", "enum": values}) for name, values in goals if values]
        closed = bool(definition.access.allow)
        media = sorted({each.media_type.partition(";")[0] for each in offer.types})
        answers = answers_of(registry, media, closed=closed)
        get: Node = {
            "tags": ["data"],
            "parameters": [self.refer("parameters", each) for each in params],
            "responses": {status: self.refer("responses", each) for status, each in answers.items()},
        }
        return self.refer("pathItems", {"get": get | ({"security": [{"basic": []}]} if closed else {})})


def _query(name: str, schema: Node) -> Node:
    return {"name": name, "in": "query", "schema": schema}


def _parameter(param: ParamSpec, interface: Interface, asked: Mapping[str, str]) -> Node:
    """A parameter of a source; `asked` is a request that has an answer."""
    values = [*interface.flags(param)] or [value for value, _title in param.choices]
    about = _query(param.name, _schema(param, values))
    if param.type == "list":
        about |= {"style": "form", "explode": False}
    if param.name in interface.offer.required:
        about["required"] = True
    needs = interface.offer.companions(param.name)
    told = [param.title, f"In {param.units}" if param.units else "", f"Needs {', '.join(needs)}" if needs else ""]
    if text := ". ".join(filter(None, told)):
        about["description"] = text
    if param.type == "time" and asked.get(param.name):
        about["example"] = asked[param.name]
    return about


def _schema(param: ParamSpec, values: list[str]) -> Node:
    """What the value of a parameter may be."""
    if param.type == "time":
        return {"$ref": "#/components/schemas/Time"}
    if param.type == "list":
        return {"type": "array", "items": {"type": "string", **({"enum": values} if values else {})}}
    kind = _TYPES.get(param.type, "string")
    schema: Node = {"type": kind}
    if values and param.type != "arguments":
        schema["enum"] = [typed(kind if kind == "integer" else "real" if kind == "number" else kind, e) for e in values]
    low, high = bounds_of(param)
    schema |= ({"minimum": low} if low is not None else {}) | ({"maximum": high} if high is not None else {})
    if param.default is not None:
        schema["default"] = typed({"number": "real"}.get(kind, kind), param.default)
    return schema

# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSON Schema of the definition file, made from the description of its keys.

It says what editors can check key by key. What concerns several keys (`rules.py`) and what plugins know is checked by
`dasflex check` alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dasflex_core.catalog.keys import DEFINITION, DIRECTORY, TIME
from dasflex_core.catalog.kinds import KINDS
from dasflex_core.catalog.walk import CORE, Vocabulary

if TYPE_CHECKING:
    from dasflex_core.catalog.keys import Key, Table
    from dasflex_core.hookspecs import DefinitionTable

__all__ = ["directory_schema", "source_schema"]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_ABOUT_TIME = {"type": "string", "description": 'A range of time, "A to B", where B is not in it'}
#: The dotted keys below a family.
_WISH = {
    "description": "A parameter of the request, exactly as in a URL",
    "anyOf": [
        {"type": ["string", "number", "boolean"]},
        {"type": "object", "additionalProperties": {"$ref": "#/$defs/wish"}},
    ],
}


def source_schema(vocabulary: Vocabulary = CORE) -> dict[str, object]:
    """The JSON Schema (draft 2020-12) of `source.toml`; it takes a `_dirinfo_.toml` with an `inherit` table as well."""
    return {
        "$schema": _DIALECT,
        "title": "dasflex source definition",
        "if": {"type": "object", "required": ["inherit"]},
        "then": _table(DIRECTORY, vocabulary, partial=True),
        "else": _table(DEFINITION, vocabulary),
        "$defs": {"wish": _WISH},
    }


def directory_schema(vocabulary: Vocabulary = CORE) -> dict[str, object]:
    """The JSON Schema (draft 2020-12) of `_dirinfo_.toml`."""
    schema = _table(DIRECTORY, vocabulary, partial=True)
    return {"$schema": _DIALECT, "title": "dasflex directory", **schema, "$defs": {"wish": _WISH}}


def _table(table: Table, vocabulary: Vocabulary, *, partial: bool = False) -> dict[str, Any]:
    """The schema of one table; of a partial one nothing need be there."""
    properties: dict[str, object] = {key.name: _key(key) for key in table.keys}
    for inner in table.tables:
        properties[inner.name] = _shaped(inner, vocabulary, partial=partial)
    if table.plugins:
        for each in vocabulary.tables:
            properties.setdefault(each.name, _plugin_table(each, vocabulary))
    if table.request:
        properties |= {name: wish for name, wish in _request(vocabulary).items() if name not in properties}
    schema: dict[str, Any] = {
        "description": table.title,
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }
    needed = [each.name for each in table.parts if each.needed]
    if needed and not partial:
        schema["required"] = needed
    if table.exactly and not partial:
        schema["oneOf"] = [{"required": [name]} for name in table.exactly]
    if table.implies and not partial:
        schema["dependentRequired"] = {one: [other] for one, other in table.implies}
    return schema


def _key(key: Key) -> dict[str, object]:
    schema = {**KINDS[key.kind].schema, "description": key.title}
    return {**schema, "enum": list(key.one_of)} if key.one_of else schema


def _shaped(table: Table, vocabulary: Vocabulary, *, partial: bool) -> dict[str, object]:
    """The schema of what stands under a table's name, in each shape that it may have."""
    one = _table(table, vocabulary, partial=partial)
    if table.shape == "many":
        return {"anyOf": [one, {"type": "array", "items": one, **({"minItems": 1} if table.needed else {})}]}
    if table.shape == "named":
        names = {"pattern": f"^(?:{table.naming[0]})$"}
        return {"description": table.title, "type": "object", "propertyNames": names, "additionalProperties": one}
    return one


def _plugin_table(table: DefinitionTable, vocabulary: Vocabulary) -> dict[str, object]:
    properties: dict[str, object] = {name: {} for name in table.keys if name != "*"}
    if table.request:
        properties = {**_request(vocabulary), **properties}
    free = "*" in table.keys
    one = {"description": table.title, "type": "object", "properties": properties, "additionalProperties": free}
    return {"anyOf": [one, {"type": "array", "items": one}]} if table.many else one


def _request(vocabulary: Vocabulary) -> dict[str, object]:
    """What may stand in a partial request."""
    wish = {"type": "object", "additionalProperties": {"$ref": "#/$defs/wish"}}
    families = {family.name: {**wish, "description": family.title} for family in vocabulary.families}
    return {TIME: _ABOUT_TIME, **families}

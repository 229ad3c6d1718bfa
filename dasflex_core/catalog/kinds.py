# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of values that keys of a definition take: how each is read, and its JSON Schema.

A kind reads what `tomllib` gives and returns what the model holds, or raises `UnfitError`.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from dasflex_core.catalog.identifiers import id_fault
from dasflex_core.catalog.quantities import (
    BYTES,
    RATE,
    REAL,
    UnfitError,
    bounds,
    byte_count,
    count,
    extent,
    flag,
    number,
    positive,
    rate,
    seconds,
    shortest,
    shown,
    span,
)
from dasflex_core.errors import ConfigError
from dasflex_core.plan.template_syntax import Insert, is_of_request, parse_word
from dasflex_core.plan.templates import parse_template
from dasflex_core.streamtype import StreamType
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dasflex_core.catalog.model import Pairs

__all__ = ["KINDS", "Kind", "scalar"]


_SET_ID = r"[A-Za-z0-9_.+-]+"
#: The address of a source of another server: the protocol that it is asked by, then an address of HTTP.
_ADDRESS = r"(?:[A-Za-z][A-Za-z0-9+.-]*:)?[A-Za-z][A-Za-z0-9+.-]*://[^\s/]+(?:/.*)?"
_DOI = r"10\.[0-9.]+/\S+"
_SPASE = r"spase://\S+"
_AGE = r"(?=.)(?:[0-9]+y)?(?:[0-9]+m)?(?:[0-9]+d)?"
_VARIABLE = r"[A-Za-z_][A-Za-z0-9_]*"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of value: what reads it, and the JSON Schema of how it is written."""

    read: Callable[[object], object]
    schema: Mapping[str, object]


# -- text


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise UnfitError(f"must be text in quotes, not {shown(value)}")
    if not value.strip():
        raise UnfitError("must not be empty; leave the key out, or write what it is")
    return value.strip()


def _units(value: object) -> str:
    if not isinstance(value, str):
        raise UnfitError(f'must be text in quotes, not {shown(value)}; a pure number has the units ""')
    return value.strip()


def _texts(value: object) -> tuple[str, ...]:
    texts = value if isinstance(value, list) else [value]
    found = tuple(_text(each) for each in texts)
    twice = next((each for place, each in enumerate(found) if each in found[:place]), None)
    if twice is not None:
        raise UnfitError(f"names {twice!r} twice; once is enough")
    return found


def _id(value: object) -> str:
    identifier = _text(value)
    if fault := id_fault(identifier):
        raise UnfitError(fault)
    return identifier


def _ids(value: object) -> tuple[str, ...]:
    return tuple(_id(each) for each in _texts(value))


def _set_id(value: object) -> str:
    name = _text(value)
    if not re.fullmatch(_SET_ID, name):
        raise UnfitError(f"{name!r} is no id of a data set; one is made of letters, digits and _-+.")
    return name


def _stream_type(value: object) -> str:
    try:
        return str(StreamType.parse(_text(value)))
    except ConfigError as error:
        raise UnfitError(error.message) from error


def _command(value: object) -> str:
    command = _text(value)
    try:
        parse_template(command)
    except ConfigError as error:
        raise UnfitError(error.message) from error
    return command


def _pattern(value: object) -> str:
    """Text in which variables of the server's environment may be inserted, and nothing else."""
    pattern = _text(value)
    try:
        inserts = [piece for piece in parse_word(pattern) if isinstance(piece, Insert)]
    except ConfigError as error:
        raise UnfitError(error.message) from error
    if strange := next((each.name for each in inserts if not each.variable), ""):
        raise UnfitError(f"#[{strange}] has no value here, where only #[env.NAME] can be inserted")
    return pattern


def _address(value: object) -> str:
    """An address, in which variables of the server's environment may be inserted."""
    address = _pattern(value)
    if not re.fullmatch(_ADDRESS, re.sub(r"#\[[^\]]*\]", "insert", address)):
        raise UnfitError(f'{address!r} is no address; one is written like "hapi:https://example.org/hapi?id=ID"')
    return address


def _doi(value: object) -> str:
    doi = _text(value)
    if not re.fullmatch(_DOI, doi):
        raise UnfitError(f'{doi!r} is no DOI; one is written like "10.5555/abc", without https://doi.org/ in front')
    return doi


def _spase(value: object) -> str:
    identifier = _text(value)
    if not re.fullmatch(_SPASE, identifier):
        raise UnfitError(f'{identifier!r} is no SPASE id; one is written like "spase://NASA/NumericalData/…"')
    return identifier


def _rules(value: object) -> tuple[str, ...]:
    return tuple(_rule(rule) for rule in _texts(value))


def _rule(rule: str) -> str:
    """One rule of access."""
    kind, _, what = rule.partition(":")
    if kind not in {"group", "user", "age", "bin"} or not what:
        raise UnfitError(f"{rule!r} is no rule; one is group:NAME, user:NAME, age:1y6m or bin:60s")
    if kind == "age" and not re.fullmatch(_AGE, what):
        raise UnfitError(f"{what!r} is no age; one is written like 1y6m or 30d, of years, months and days")
    if kind == "bin":
        seconds(what)
    return rule


# -- what takes more than one form


def scalar(value: object) -> str:
    """A value as it stands in a URL."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return shortest(number(value) if isinstance(value, float) else value)
    if isinstance(value, list):
        raise UnfitError('must be written as in a URL, in quotes with commas: "min,max"')
    raise UnfitError(f"must be text, a number, true or false, not {shown(value)}; write times in quotes")


def _words(value: object) -> tuple[str, ...]:
    """Values of a coordinate, numbers or text."""
    if not isinstance(value, list) or not value:
        raise UnfitError(f"must be a list of numbers or texts, not {shown(value)}")
    return tuple(scalar(each) for each in value)


def _titled(value: object) -> Pairs:
    """Values with a title each, or a list of values without."""
    if isinstance(value, dict) and value:
        return tuple((name, _text(title)) for name, title in value.items())
    if isinstance(value, list) and value:
        return tuple((scalar(each), "") for each in value)
    raise UnfitError(f'must be a table, {{ E = "Electric", B = "Magnetic" }}, or a list, not {shown(value)}')


def _variables(value: object) -> Pairs:
    """Variables of the environment with their values."""
    if not isinstance(value, dict):
        raise UnfitError(f'must be a table such as {{ TZ = "UTC" }}, not {shown(value)}')
    for name in value:
        _variable(name)
    return tuple((name, "" if held == "" else _pattern(held)) for name, held in value.items())


def _variable_names(value: object) -> tuple[str, ...]:
    names = tuple(_variable(name) for name in _texts(value))
    for name in filter(is_of_request, names):
        raise UnfitError(f"{name} is the client's, not the server's: a CGI request sets it; use another")
    return names


def _variable(name: str) -> str:
    if not re.fullmatch(_VARIABLE, name):
        raise UnfitError(f"{name!r} is no name of a variable; one is letters, digits and _")
    return name


def _default(value: object) -> object:
    """A value, or a list of them, as it is: what it means depends on the type of its option."""
    for each in value if isinstance(value, list) else [value]:
        scalar(each)
    return value


_SOME_TEXT = {"type": "string", "pattern": r"\S"}
_SCALAR = {"type": ["string", "number", "boolean"]}
_ABOVE_NOTHING = {"type": "number", "exclusiveMinimum": 0}


def _matching(pattern: str) -> dict[str, object]:
    return {"type": "string", "pattern": rf"^\s*(?:{pattern})\s*$"}


def _one_or_more(item: Mapping[str, object]) -> dict[str, object]:
    return {"anyOf": [item, {"type": "array", "items": item, "uniqueItems": True}]}


_SOME_TEXTS = _one_or_more(_SOME_TEXT)


#: The kinds, by the name that the description of the keys uses.
KINDS: Final[Mapping[str, Kind]] = MappingProxyType(
    {
        "text": Kind(_text, _SOME_TEXT),
        "texts": Kind(_texts, _SOME_TEXTS),
        "units": Kind(_units, {"type": "string"}),
        "id": Kind(_id, {**_matching(r"[A-Za-z0-9_.+/-]+"), "maxLength": 63}),
        "ids": Kind(_ids, _SOME_TEXTS),
        "set id": Kind(_set_id, _matching(_SET_ID)),
        "stream type": Kind(_stream_type, _matching(r"[^/\s]+(?:/[^/]*){0,2}")),
        "command": Kind(_command, _SOME_TEXT),
        "pattern": Kind(_pattern, _SOME_TEXT),
        "address": Kind(_address, _SOME_TEXT),
        "doi": Kind(_doi, _matching(_DOI)),
        "spase": Kind(_spase, _matching(_SPASE)),
        "rules": Kind(_rules, _one_or_more(_matching(r"(?:group|user|age|bin):.+"))),
        "flag": Kind(flag, {"type": "boolean"}),
        "positive": Kind(positive, _ABOVE_NOTHING),
        "count": Kind(count, {"type": "integer", "minimum": 1}),
        "extent": Kind(extent, {"anyOf": [{"type": "integer", "minimum": 1}, {"const": "*"}]}),
        "seconds": Kind(seconds, _matching(rf"{REAL}\s*[A-Za-zµμ]+|P[0-9DTHMSW.,]+")),
        "bytes": Kind(byte_count, _matching(BYTES)),
        "rate": Kind(rate, _matching(RATE)),
        "bounds": Kind(bounds, {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}),
        "span": Kind(span, _matching(r".+\sto\s.+|[^/]+(?:/[^/]+)+")),
        "scalar": Kind(scalar, _SCALAR),
        "words": Kind(_words, {"type": "array", "items": {"type": ["string", "number"]}, "minItems": 1}),
        "titled": Kind(
            _titled,
            {
                "anyOf": [
                    {"type": "object", "additionalProperties": _SOME_TEXT, "minProperties": 1},
                    {"type": "array", "items": _SCALAR, "minItems": 1},
                ]
            },
        ),
        "default": Kind(_default, {"type": ["string", "number", "boolean", "array"], "items": _SCALAR}),
        "variables": Kind(
            _variables,
            {
                "type": "object",
                "propertyNames": {"pattern": f"^{_VARIABLE}$"},
                "additionalProperties": {"type": "string"},
            },
        ),
        "variable names": Kind(_variable_names, _one_or_more(_matching(_VARIABLE))),
    }
)

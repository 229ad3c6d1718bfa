# SPDX-License-Identifier: GPL-3.0-or-later
"""The compiled form of a definition: plain JSON that our own install writes and that every request reads.

It is the model itself, field by field; a field that holds its default is left out. Reading is strict: a compiled file
that another version of dasflex wrote, or that somebody edited, is refused rather than understood by halves.
"""

from __future__ import annotations

import json
from dataclasses import MISSING, Field, fields
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NoReturn, get_args

from dasflex_core.catalog import model
from dasflex_core.errors import ConfigError
from dasflex_core.stages import ParamType

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["FORM", "from_json", "stages_from_plain", "stages_to_plain", "to_json"]

#: The number of the compiled form; it grows when the model changes.
FORM: Final = 1


class _MisshapenError(Exception):
    """What is wrong with a value, told to whoever knows the file."""


def to_json(definition: model.Definition) -> str:
    """The compiled form, as one line of JSON."""
    return json.dumps({"form": FORM, **_plain(definition)}, ensure_ascii=False, separators=(",", ":"))


def from_json(text: str | bytes, *, file: str = "compiled definition") -> model.Definition:
    """The definition whose compiled form is `text`; `file` is named in errors.

    Raises `ConfigError` (`config.unreadable`) for anything that `to_json` of this version does not write.
    """
    try:
        return _definition(json.loads(text, parse_constant=_no_constant))
    except (ValueError, RecursionError, _MisshapenError) as error:
        raise ConfigError(
            f"{file}: this compiled definition cannot be used: {error}. Make it anew with `dasflex install`.",
            kind="config.unreadable",
        ) from error


def stages_to_plain(stages: Iterable[model.ExternalStage]) -> list[object]:
    """The site's own filters as JSON has them."""
    return [_plain(each) for each in stages]


def stages_from_plain(raw: object) -> tuple[model.ExternalStage, ...]:
    """The site's own filters as they were. Raises `ValueError` for what `stages_to_plain` does not give."""
    try:
        read = _record(model.ExternalStage)
        return tuple(read(each) for each in _list(raw))
    except _MisshapenError as error:
        raise ValueError(str(error)) from error


def _definition(raw: object) -> model.Definition:
    if not isinstance(raw, dict):
        raise _MisshapenError("it is no object")
    if raw.pop("form", None) != FORM:
        raise _MisshapenError("another version of dasflex wrote it")
    read: Callable[[object], model.Definition] = _record(model.Definition)
    return read(raw)


def _no_constant(name: str) -> NoReturn:
    raise _MisshapenError(f"it holds {name}, which is no JSON")


def _plain(value: Any) -> Any:  # noqa: ANN401  it walks values of every type of the model
    """A value of the model as JSON has it."""
    if hasattr(type(value), "__dataclass_fields__"):
        return {each.name: _plain(held) for each in fields(value) if (held := getattr(value, each.name)) != _rest(each)}
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    return value


def _rest(field: Field[Any]) -> object:
    """What a field holds where nothing was said; `MISSING` where something must be."""
    return field.default if field.default_factory is MISSING else field.default_factory()


# -- reading

if TYPE_CHECKING:
    _Read = Callable[[object], Any]


def _scalar(kind: type, what: str) -> _Read:
    def read(value: object) -> object:
        if type(value) is not kind:  # a boolean is no integer here
            raise _MisshapenError(f"{value!r:.40} stands where {what} should")
        return value

    return read


_text = _scalar(str, "text")


def _number(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise _MisshapenError(f"{value!r:.40} stands where a number should")
    return float(value)


def _list(value: object) -> list[object]:
    if not isinstance(value, list):
        raise _MisshapenError(f"{value!r:.40} stands where a list should")
    return value


def _pairs(value: object) -> model.Pairs:
    pairs = [_list(pair) for pair in _list(value)]
    if any(len(pair) != 2 for pair in pairs):
        raise _MisshapenError("a pair has two parts")
    return tuple((_text(name), _text(held)) for name, held in pairs)


def _bounds(value: object) -> tuple[float, float]:
    numbers = [_number(each) for each in _list(value)]
    if len(numbers) != 2:
        raise _MisshapenError("a pair of bounds has two numbers")
    return numbers[0], numbers[1]


def _param_type(value: object) -> object:
    if value not in get_args(ParamType):
        raise _MisshapenError(f"{value!r:.40} is no type of an option")
    return value


_PLAIN: Final[Mapping[str, _Read]] = {
    "str": _text,
    "bool": _scalar(bool, "true or false"),
    "int": _scalar(int, "an integer"),
    "float": _number,
    "Pairs": _pairs,
    "ParamType": _param_type,
    "tuple[float, float]": _bounds,
}


def _reader(annotation: str) -> _Read:
    """What reads a field with this annotation, as `model` writes it."""
    annotation = annotation.removesuffix(" | None")
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    if annotation.startswith("tuple["):
        each = _reader(annotation[len("tuple[") : -len(", ...]")])
        return lambda value: tuple(each(item) for item in _list(value))
    if annotation.startswith("Mapping["):
        return _mapping(_reader(annotation[len("Mapping[str, ") : -1]))
    return _record(getattr(model, annotation))


def _mapping(each: _Read) -> _Read:
    def read(value: object) -> dict[str, object]:
        if not isinstance(value, dict):
            raise _MisshapenError(f"{value!r:.40} stands where a table should")
        return {name: each(held) for name, held in value.items()}

    return read


@cache
def _record(made: type) -> _Read:
    """What reads a class of the model."""
    known = {each.name: _reader(str(each.type)) for each in fields(made)}
    needed = [each.name for each in fields(made) if _rest(each) is MISSING]

    def read(value: object) -> object:
        if not isinstance(value, dict):
            raise _MisshapenError(f"{value!r:.40} stands where a table should")
        strange = next((name for name in value if name not in known), None)
        missing = next((name for name in needed if name not in value), None)
        if strange or missing:
            what = f"does not know {strange!r}" if strange else f"lacks {missing!r}"
            raise _MisshapenError(f"{made.__name__} {what}")
        return made(**{name: known[name](held) for name, held in value.items()})

    return read

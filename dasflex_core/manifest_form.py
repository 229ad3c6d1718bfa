# SPDX-License-Identifier: GPL-3.0-or-later
"""The registry as plain JSON and back. What holds its default is left out: most of a declaration does."""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any, Final, TypeVar

from dasflex_core import declarations
from dasflex_core.extras import Extra
from dasflex_core.registry import PluginInfo, Registry
from dasflex_core.stages import Cost, ParamSpec, StageSpec
from dasflex_core.streamtype import StreamType, StreamTypeInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["plain", "registry_from_plain", "registry_to_plain"]

T = TypeVar("T")
Kept = dict[str, Any]

#: What a registry holds of values whose fields are texts, numbers and lists of texts.
_LISTS: Final[Mapping[str, type]] = {
    "plugins": PluginInfo,
    "families": declarations.Family,
    "conventions": declarations.Convention,
    "importers": declarations.DefinitionImporter,
    "tables": declarations.DefinitionTable,
    "reader_kinds": declarations.ReaderKind,
    "classic_programs": declarations.ClassicProgram,
    "authenticators": declarations.Authenticator,
    "task_kinds": declarations.TaskKind,
    "summings": declarations.Summing,
    "mounted": declarations.Mount,
    "extras": Extra,
}


def registry_to_plain(registry: Registry) -> Kept:
    """The registry in parts that JSON has, or that `plain` makes such."""
    return {name: list(getattr(registry, name)) for name in ("stages", "stream_types", *_LISTS)}


def plain(value: object) -> object:
    """What `json.dumps` writes for a value that JSON does not have: its `default`."""
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, StreamType):
        return [value.kind, value.version, value.variant, *sorted(value.traits)]
    if isinstance(value, Cost):
        return [value.start, value.per_gb]
    return _lean(value)


def _lean(value: object) -> Kept:
    """The fields of a value that do not hold their default."""
    found: Kept = {}
    for each in fields(value):  # type: ignore[arg-type]  # it raises a TypeError for what has no fields
        held = getattr(value, each.name)
        if held != (each.default if each.default_factory is MISSING else each.default_factory()):
            found[each.name] = held
    return found


def registry_from_plain(kept: Kept) -> Registry:
    """The registry that was kept. Raises `KeyError`, `TypeError` or `ValueError` for what is none."""
    lists: dict[str, Any] = {name: tuple(_made(kind, each) for each in kept[name]) for name, kind in _LISTS.items()}
    return Registry(
        stages=_specs(kept["stages"]),
        stream_types=_infos(kept["stream_types"]),
        **lists,
    )


def _type(kept: list[str] | None) -> StreamType | None:
    """A stream type; None, which a reader accepts, is itself."""
    if kept is None:
        return None
    kind, version, variant, *traits = kept
    return StreamType(kind, version, variant, frozenset(traits))


def _params(kept: Iterable[Kept]) -> tuple[ParamSpec, ...]:
    return tuple(_made(ParamSpec, each) for each in kept)


def _specs(kept: Iterable[Kept]) -> tuple[StageSpec, ...]:
    return tuple(_made(StageSpec, each) for each in kept)


def _stages(kept: Iterable[Kept | str]) -> tuple[StageSpec | str, ...]:
    """Stages; those of a classic program are named."""
    return tuple(each if isinstance(each, str) else _made(StageSpec, each) for each in kept)


def _infos(kept: Iterable[Kept]) -> tuple[StreamTypeInfo, ...]:
    return tuple(_made(StreamTypeInfo, each) for each in kept)


def _pairs(kept: Iterable[Iterable[str]]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(each) for each in kept)


#: What makes the fields whose values JSON does not have; their names mean the same in every declaration.
_SHAPED: Final[Mapping[str, Callable[[Any], object]]] = {
    "type": lambda kept: kept if isinstance(kept, str) else _type(kept),  # of a parameter it is a word
    "accepts": _type,
    "produces": _type,
    "needs": frozenset,
    "refuses": frozenset,
    "adds": frozenset,
    "drops": frozenset,
    "params": _params,
    "values": _pairs,
    "reads": tuple,
    "spells": _pairs,
    "cost": lambda kept: Cost(*kept),
    "keys": tuple,
    "schemes": tuple,
    "provides": tuple,
    "arguments": tuple,
    "waits": tuple,
    "stages": _stages,
    "stream_types": _infos,
}


def _made(kind: type[T], kept: Kept) -> T:
    """A value of a kind from its fields."""
    for name in _SHAPED.keys() & kept.keys():
        kept[name] = _SHAPED[name](kept[name])
    return kind(**kept)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Which parameters a path from some readers may come by, and a value that each of them may have."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dasflex_core.streamtype import AXIS
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dasflex_core.catalog.model import Definition
    from dasflex_core.stages import ParamSpec, StageSpec
    from dasflex_core.streamtype import StreamType

__all__ = ["Candidate", "reached", "sample_text"]

#: How many combinations of type and traits are looked at; a plugin that adds ever more traits finds no end otherwise.
_MOST = 1_000


@dataclass(frozen=True, slots=True)
class Candidate:
    """A parameter that a stage on some path consumes, and the kind of stream that the stage gives.

    `beside` are those that call for this stage, and for the ones before it.
    """

    param: ParamSpec
    kind: str
    beside: tuple[ParamSpec, ...] = ()


def reached(readers: Iterable[StageSpec], others: Iterable[StageSpec]) -> Iterator[Candidate]:
    """The parameters of the stages that follow the readers, each once for each kind of stream and each company."""
    stages = list(others)
    told: set[tuple[str, str, tuple[str, ...]]] = set()
    for produced, stage, before in _walk(readers, stages):
        for each in _of_stage(stage, produced, before):
            mark = (each.param.name, each.kind, tuple(param.name for param in each.beside))
            if mark not in told:
                told.add(mark)
                yield each


def _walk(
    readers: Iterable[StageSpec], others: list[StageSpec]
) -> Iterator[tuple[StreamType, StageSpec, tuple[ParamSpec, ...]]]:
    """Each stage that a path reaches: the type and traits before it, and the parameters that led there."""
    seen: set[tuple[StreamType, str]] = set()
    waiting: list[tuple[StreamType, tuple[ParamSpec, ...]]] = [
        (reader.produces.with_traits(reader.adds), ()) for reader in readers
    ]
    while waiting and len(seen) < _MOST:
        produced, before = waiting.pop(0)
        for stage in others:
            if not stage.accepts or (produced, stage.name) in seen or not produced.serves(stage.accepts):
                continue
            if not stage.needs <= produced.traits or stage.refuses & produced.traits:
                continue
            seen.add((produced, stage.name))
            yield produced, stage, before
            traits = (produced.traits | stage.adds) - stage.drops
            calls = next((each.needed for each in _bindings(stage, produced)), ())
            waiting.append((stage.produces.with_traits(traits), _joined(before, calls)))


def _of_stage(stage: StageSpec, before: StreamType, company: tuple[ParamSpec, ...]) -> Iterator[Candidate]:
    """The parameters of a stage by their full names, for each axis where a name has a wildcard."""
    for binding in _bindings(stage, before):
        for param in binding.params:
            beside = tuple(each for each in _joined(company, binding.needed) if each.name != param.name)
            yield Candidate(param, stage.produces.kind, beside)


@dataclass(frozen=True, slots=True)
class _Binding:
    """The parameters of a stage for one axis, and those of them without which it does not run."""

    params: tuple[ParamSpec, ...]
    needed: tuple[ParamSpec, ...]


def _bindings(stage: StageSpec, before: StreamType) -> Iterator[_Binding]:
    """What a stage takes: one binding for each axis of the data where its parameters have a wildcard."""
    wild = any("{" in param.name for param in stage.params)
    axes = sorted(trait.removeprefix(AXIS) for trait in before.traits if trait.startswith(AXIS)) if wild else [""]
    for axis in axes:
        params = tuple(_named(param, axis) for param in stage.params)
        yield _Binding(params, tuple(each for each in params if each.mode == "required" and each.default is None))


def _named(param: ParamSpec, axis: str) -> ParamSpec:
    """The parameter with an axis in place of its wildcard."""
    first, wild, rest = param.name.partition("{")
    return replace(param, name=f"{first}{axis}{rest.partition('}')[2]}") if wild else param


def _joined(some: tuple[ParamSpec, ...], more: tuple[ParamSpec, ...]) -> tuple[ParamSpec, ...]:
    """Both, each name once."""
    return (*some, *(each for each in more if each.name not in {one.name for one in some}))


def sample_text(param: ParamSpec, definition: Definition) -> str:
    """A value that a parameter may have, as text: its default, the first of its values, or one within its bounds."""
    if param.default is not None:
        return param.default
    if param.name == "read.data" and definition.data:
        return next(iter(definition.data))
    if param.values:
        return param.values[0][0]
    if param.type in ("integer", "real", "duration"):
        low = param.low or 1.0
        return f"{low if param.high is None else min(low, param.high):.17g}"
    return {"boolean": "true", "time": "2000-01-01"}.get(param.type, "1")

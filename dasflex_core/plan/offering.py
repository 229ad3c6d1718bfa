# SPDX-License-Identifier: GPL-3.0-or-later
"""What a source takes and what it gives: the parameters and the stream types that some path from its readers reaches.

It is worked out from the stages, not tried: whatever a request may ask stands here, and what no stage on any path could
consume does not. A single request may still be refused, since its parts need not go together.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dasflex_core.plan.binding import bind
from dasflex_core.plan.parameters import canonical_facts
from dasflex_core.stages import ParamSpec
from dasflex_core.streamtype import AXIS
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dasflex_core.catalog.model import Definition, ExternalStage
    from dasflex_core.registry import Registry
    from dasflex_core.stages import StageSpec
    from dasflex_core.streamtype import StreamType, StreamTypeInfo

__all__ = ["Offer", "offered"]

#: How many combinations of type and traits are looked at; a plugin that adds ever more traits finds no end otherwise.
_MOST = 1_000


@dataclass(frozen=True, slots=True)
class Offer:
    """What a source takes and gives.

    `params` are the parameters by their full names, each once, those of the readers first. `required` names the ones
    that every request must give. `types` are the registered stream types that can be had; `own` is what the first
    reader writes, None without a reader. `formats` are pairs of a kind of stream and a parameter that only its writer
    takes.
    """

    params: tuple[ParamSpec, ...] = ()
    required: frozenset[str] = frozenset()
    types: tuple[StreamTypeInfo, ...] = ()
    own: StreamType | None = None
    formats: tuple[tuple[str, str], ...] = ()

    def param(self, name: str) -> ParamSpec | None:
        """The parameter of that name; None where the source does not take it."""
        return next((each for each in self.params if each.name == name), None)


def offered(
    definition: Definition,
    registry: Registry,
    find: Callable[[str], Definition],
    external: tuple[ExternalStage, ...] = (),
) -> Offer:
    """What the source of a definition takes and gives. Raises `ConfigError` for a broken definition.

    `find` looks a viewed source up; `external` are the site's own filters.
    """
    taken = {stage.name for stage in registry.stages}
    bound = [
        stage.spec
        for request in ({}, {"read.time.max": "forever"})  # a live reader answers the second only
        for stage in bind(definition, request, find=find, external=external, taken=taken).stages.values()
    ]
    readers = list({stage.name: stage for stage in bound if stage.accepts is None}.values())
    never = frozenset(definition.never)
    others = {stage.name: stage for stage in (*bound, *registry.stages) if stage.accepts is not None}
    allowed = [stage for stage in others.values() if not _forbidden(stage, never)]
    params: dict[str, ParamSpec] = {}
    types: list[StreamType] = []
    formats: dict[tuple[str, str], None] = {}
    for produced, stage in _reached(readers, allowed):
        types.append(produced)
        for param in _named(stage, produced.traits):
            params.setdefault(param.name, param)
            if param.family == "format":
                formats[produced.kind, param.name] = None
    return Offer(
        tuple(params.values()),
        _required(readers),
        tuple(info for info in registry.stream_types if any(each.serves(info.type) for each in types)),
        readers[0].produces if readers else None,
        tuple(formats),
    )


def _forbidden(stage: StageSpec, never: frozenset[str]) -> bool:
    """Whether the definition forbids the stage, by its name or by a family that it consumes."""
    return stage.name in never or bool(never & {param.family for param in stage.params})


def _reached(readers: Iterable[StageSpec], others: Iterable[StageSpec]) -> Iterator[tuple[StreamType, StageSpec]]:
    """Each stage that a path from a reader reaches, with the type and the traits behind it."""
    stages = list(others)
    seen: set[tuple[StreamType, str]] = set()
    waiting = [(reader.produces.with_traits(reader.adds), reader) for reader in readers]
    while waiting and len(seen) < _MOST:
        produced, stage = waiting.pop(0)
        if (produced, stage.name) in seen:
            continue
        seen.add((produced, stage.name))
        yield produced, stage
        for following in stages:
            if following.accepts and produced.serves(following.accepts) and following.needs <= produced.traits:
                traits = (produced.traits | following.adds) - following.drops
                waiting.append((following.produces.with_traits(traits), following))


def _named(stage: StageSpec, traits: frozenset[str]) -> Iterator[ParamSpec]:
    """The parameters of a stage by their full names: one for each axis where a name has a wildcard."""
    for param in stage.params:
        before, wild, rest = param.name.partition("{")
        if not wild:
            yield param
            continue
        for axis in sorted(trait.removeprefix(AXIS) for trait in traits if trait.startswith(AXIS)):
            yield replace(param, name=f"{before}{axis}{rest.partition('}')[2]}")
    for name in stage.reads if stage.accepts is None else ():
        facts = canonical_facts(name)
        if facts:
            yield ParamSpec(name, "required", facts.type, facts.units, facts.low, facts.high, title=facts.title)


def _required(readers: Iterable[StageSpec]) -> frozenset[str]:
    """The parameters without which no reader can run."""
    sets = [
        {each.name for each in reader.params if each.mode == "required" and each.default is None} | {*reader.reads}
        for reader in readers
    ]
    return frozenset(set.intersection(*sets)) if sets else frozenset()

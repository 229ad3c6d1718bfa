# SPDX-License-Identifier: GPL-3.0-or-later
"""What a source takes and what it gives: the parameters and the stream types for which there is a plan.

Candidates are found by a walk over the stages that a path from the source's readers reaches. Each is then put to the
solver, with a value that it may have and with what must be asked beside it: what has no plan is no offer. So whatever
stands here some request may ask. A single request may still be refused, since its parts need not go together.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dasflex_core.errors import QueryError
from dasflex_core.plan.binding import view_chain
from dasflex_core.plan.parameters import canonical_facts
from dasflex_core.plan.planner import Planner
from dasflex_core.plan.reaching import Candidate, reached, sample_text
from dasflex_core.plan.stage_index import StageIndex
from dasflex_core.stages import ParamSpec
from dasflex_core.streamtype import StreamType
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from dasflex_core.catalog.model import Definition, ExternalStage
    from dasflex_core.plan.binding import Bound
    from dasflex_core.registry import Registry
    from dasflex_core.stages import StageSpec
    from dasflex_core.streamtype import StreamTypeInfo

__all__ = ["Offer", "Offers", "offered"]

#: A range that has a plan wherever one has: what is asked of sources that name no time.
_SOME_TIME = ("2000-01-01", "2000-01-02")
_ENDS = ("read.time.min", "read.time.max")


@dataclass(frozen=True, slots=True)
class Offer:
    """What a source takes and gives.

    `params` are the parameters by their full names, each once, those of the readers first; the default of one is that
    of the definition where it has one. `required` names the ones that every request must give. `types` are the
    registered stream types that can be had; `own` is what the first reader writes, None without a reader. `formats` are
    pairs of a kind of stream and a parameter that only its writer takes. `beside` are pairs of a parameter and those
    that must be asked with it, such as `bin.stats` and `bin.time.max`.
    """

    params: tuple[ParamSpec, ...] = ()
    required: frozenset[str] = frozenset()
    types: tuple[StreamTypeInfo, ...] = ()
    own: StreamType | None = None
    formats: tuple[tuple[str, str], ...] = ()
    beside: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def param(self, name: str) -> ParamSpec | None:
        """The parameter of that name; None where the source does not take it."""
        return next((each for each in self.params if each.name == name), None)

    def companions(self, name: str) -> tuple[str, ...]:
        """The parameters that must be asked beside another."""
        return dict(self.beside).get(name, ())


def offered(
    definition: Definition,
    registry: Registry,
    find: Callable[[str], Definition],
    external: tuple[ExternalStage, ...] = (),
) -> Offer:
    """What the source of a definition takes and gives. Raises `ConfigError` for a broken definition.

    `find` looks a viewed source up; `external` are the site's own filters.
    """
    return Offers(registry, find, external).of(definition)


@dataclass(frozen=True, slots=True)
class _Found:
    """What the search over the stages behind the readers found, which is the same for all sources of one shape."""

    params: tuple[ParamSpec, ...] = ()
    types: tuple[StreamTypeInfo, ...] = ()
    formats: tuple[tuple[str, str], ...] = ()
    beside: tuple[tuple[str, tuple[str, ...]], ...] = ()


class Offers:
    """What sources take and give. Many sources are alike to the solver: what was found of one is kept for the others.

    Sources are alike where their readers write the same type with the same traits and take the same parameters, the
    definitions forbid and default the same, and their coordinates are the same; whatever else they are called.
    """

    def __init__(
        self, registry: Registry, find: Callable[[str], Definition], external: tuple[ExternalStage, ...] = ()
    ) -> None:
        self._registry = registry
        self._find = find
        self._planner = Planner(registry, self._undated, external, index=StageIndex(registry.stages), environ={})
        self._kept: dict[object, _Found] = {}

    def of(self, definition: Definition, *, live: bool | None = None) -> Offer:
        """What a source takes and gives; with `live`, by its live readers only, or by the others only.

        Raises `ConfigError` for a broken definition.
        """
        forever = {"read.time.max": "forever"}
        follows = live is not False and any(each.live for each in view_chain(definition, self._find)[-1].readers)
        asked = [*([{}] if not live else []), *([forever] if follows else [])]
        bounds = [self._bound(definition, request) for request in asked]
        bounds = [each for each in bounds if any(stage.reader for stage in each.stages.values())]
        readers = list({spec.name: spec for bound in bounds for spec in _readers(bound)}.values())
        if not readers:
            return Offer()
        own: dict[str, ParamSpec] = {}
        for reader in readers:
            for param in (*reader.params, *_read(reader)):
                own.setdefault(param.name, param)
        defaults = dict(bounds[0].defaults)
        found = self._behind(definition, bounds, own)
        params = {**{each.name: each for each in found.params}, **own}
        order = [*own, *(each.name for each in found.params if each.name not in own)]
        return Offer(
            tuple(_with_default(params[name], defaults) for name in order),
            _required(readers) - defaults.keys(),
            found.types,
            readers[0].produces,
            found.formats,
            found.beside,
        )

    def _undated(self, identifier: str) -> Definition:
        return _without_dates(self._find(identifier))

    def _bound(self, definition: Definition, request: Mapping[str, str]) -> Bound:
        """The stages of a source for a request, without a look at the date of its data."""
        return self._planner.bound(_without_dates(definition), request)

    def _behind(self, definition: Definition, bounds: list[Bound], own: Mapping[str, ParamSpec]) -> _Found:
        """What is found behind the readers, looked for once for all sources of a shape."""
        shape = self._shape(definition, bounds, own)
        if shape not in self._kept:
            self._kept[shape] = self._search(definition, bounds, own)
        return self._kept[shape]

    def _shape(self, definition: Definition, bounds: list[Bound], own: Mapping[str, ParamSpec]) -> object:
        """What decides which stages may follow."""
        base = view_chain(definition, self._find)[-1]
        canonical = {each.name for each in own.values() if canonical_facts(each.name)}
        return (
            tuple(_written(bound, canonical) for bound in bounds),
            bounds[0].defaults,
            definition.never,
            tuple(tuple(item.axes for item in each.data.values()) for each in (definition, base)),
            tuple(
                (name, each.of, each.size, each.units, each.interval is None, each.cadence is None)
                for coords in (definition.coords, base.coords)
                for name, each in coords.items()
            ),
        )

    def _search(self, definition: Definition, bounds: list[Bound], own: Mapping[str, ParamSpec]) -> _Found:
        """The candidates that have a plan."""
        trial = _Trial(self._planner, definition, bounds, own)
        candidates = list(self._candidates(definition, bounds))
        types = (*self._given(trial), *self._untold(trial, bounds))
        kinds = {info.type.kind for info in types}
        params: dict[str, ParamSpec] = {}
        formats: dict[tuple[str, str], None] = {}
        beside: dict[str, tuple[str, ...]] = {}
        for each in candidates:
            name, kind = each.param.name, each.kind if each.param.family == "format" else ""
            if (kind and kind not in kinds) or (kind, name) in formats or (not kind and name in params):
                continue
            if name in own and not kind:
                continue
            if trial.takes(each, kind):
                params.setdefault(name, each.param)
                if kind:
                    formats[kind, name] = None
                if each.beside:
                    beside.setdefault(name, tuple(param.name for param in each.beside))
        return _Found(tuple(params.values()), types, tuple(formats), tuple(beside.items()))

    def _given(self, trial: _Trial) -> list[StreamTypeInfo]:
        """The registered types that can be had."""
        return [info for info in self._registry.stream_types if trial.gives(info.type)]

    def _untold(self, trial: _Trial, bounds: list[Bound]) -> Iterable[StreamTypeInfo]:
        """What a reader writes of which no more is known than its kind, and no converter reads it."""
        for produced in dict.fromkeys(spec.produces for bound in bounds for spec in _readers(bound)):
            like = [info for info in self._registry.stream_types if info.type.serves(produced)]
            if like and not any(trial.gives(info.type) for info in like) and trial.gives(produced):
                yield replace(like[0], type=produced)

    def _candidates(self, definition: Definition, bounds: Iterable[Bound]) -> Iterable[Candidate]:
        """Each parameter of a stage that a path reaches, those with the fewest companions first."""
        never = frozenset(definition.never)
        found: list[Candidate] = []
        for bound in bounds:
            specs = [each.spec for each in bound.stages.values()]
            others = {each.name: each for each in (*specs, *self._registry.stages) if each.accepts is not None}
            allowed = [stage for stage in others.values() if not _forbidden(stage, never)]
            found += reached(_readers(bound), allowed)
        return sorted(found, key=lambda each: len(each.beside))


class _Trial:
    """Whether requests of a source have a plan; `own` are the parameters of its readers."""

    def __init__(
        self, planner: Planner, definition: Definition, bounds: list[Bound], own: Mapping[str, ParamSpec]
    ) -> None:
        self._planner = planner
        self._definition = definition
        self._bases = [(bound, base) for bound in bounds if (base := self._base(bound, own)) is not None]

    def _base(self, bound: Bound, own: Mapping[str, ParamSpec]) -> Mapping[str, str] | None:
        """A request that has a plan: an example, or one of what the readers must be told; None where there is none."""
        begin, end = _SOME_TIME
        if self._definition.range:
            begin, end = self._definition.range.begin, self._definition.range.end
        live = any(each.reader and each.reader.live for each in bound.stages.values())
        ends = dict(zip(_ENDS, (begin, "forever" if live else _SOME_TIME[1] if end == "forever" else end), strict=True))
        needed = {
            name: ends.get(name) or sample_text(each, self._definition)
            for name, each in own.items()
            if each.mode == "required" and each.default is None
        }
        bare = {**{name: ends[name] for name in _ENDS if name in own}, **needed}
        examples = [dict(each.request) for each in self._definition.examples]
        fitting = [each for each in examples if (each.get("read.time.max") == "forever") is live]
        for request in (bare, *fitting):
            plain = {name: text for name, text in request.items() if not name.startswith("format.")}
            if self._has_plan(bound, plain, None):
                return plain
        return None

    def gives(self, wanted: StreamType) -> bool:
        """Whether a stream type can be had."""
        return any(self._has_plan(bound, base, wanted) for bound, base in self._bases)

    def takes(self, candidate: Candidate, kind: str) -> bool:
        """Whether a parameter can be asked, with its companions; of a writer's, with the kind of its stream."""
        wanted = {each.name: sample_text(each, self._definition) for each in (*candidate.beside, candidate.param)}
        goal = StreamType(kind) if kind else None
        return any(self._has_plan(bound, {**base, **wanted}, goal) for bound, base in self._bases)

    def _has_plan(self, bound: Bound, request: Mapping[str, str], goal: StreamType | None) -> bool:
        try:
            return self._planner.has_path(bound, request, goal)
        except QueryError:  # a value that nothing takes
            return False


def _without_dates(definition: Definition) -> Definition:
    """The definition without the files whose date is that of the data: nobody looks for them here."""
    if not any(reader.changed for reader in definition.readers):
        return definition
    return replace(definition, readers=tuple(replace(reader, changed="") for reader in definition.readers))


def _readers(bound: Bound) -> list[StageSpec]:
    """The stages of a source that read."""
    return [each.spec for each in bound.stages.values() if each.spec.accepts is None]


def _written(bound: Bound, canonical: set[str]) -> object:
    """What the solver sees of the stages of a source, without the names of its options."""
    return tuple(
        (
            each.spec.accepts,
            each.spec.produces,
            each.spec.adds,
            each.spec.name if each.spec.accepts else "",
            tuple(
                (param.name if param.name in canonical or each.spec.accepts else "", param.mode, param.default is None)
                for param in each.spec.params
            ),
            each.spec.reads,
        )
        for each in bound.stages.values()
    )


def _read(reader: StageSpec) -> Iterable[ParamSpec]:
    """The parameters that an inexact reader is told, while the trim stage consumes them."""
    for name in reader.reads:
        facts = canonical_facts(name)
        if facts:
            yield ParamSpec(name, "required", facts.type, facts.units, facts.low, facts.high, title=facts.title)


def _forbidden(stage: StageSpec, never: frozenset[str]) -> bool:
    """Whether the definition forbids the stage, by its name or by a family that it consumes."""
    return stage.name in never or bool(never & {param.family for param in stage.params})


def _required(readers: Iterable[StageSpec]) -> frozenset[str]:
    """The parameters without which no reader can run."""
    sets = [
        {each.name for each in reader.params if each.mode == "required" and each.default is None} | {*reader.reads}
        for reader in readers
    ]
    return frozenset(set.intersection(*sets)) if sets else frozenset()


def _with_default(param: ParamSpec, defaults: Mapping[str, str]) -> ParamSpec:
    """The parameter with the default of the definition, where it has one."""
    return replace(param, default=defaults[param.name]) if param.name in defaults else param

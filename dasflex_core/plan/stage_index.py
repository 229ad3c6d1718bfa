# SPDX-License-Identifier: GPL-3.0-or-later
"""The stages of a registry, arranged for the search: which accept a type, and what must at least be paid to a goal.

An index is made once for many requests; what it works out for a type or for a goal is kept.
"""

from __future__ import annotations

from heapq import heappop, heappush
from operator import itemgetter
from typing import TYPE_CHECKING

from dasflex_core.streamtype import StreamType
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dasflex_core.stages import ParamSpec, StageSpec

__all__ = ["Entry", "Next", "StageIndex", "TypeKey", "binds", "entry_of", "following_of"]

#: Kind, version and variant.
TypeKey = tuple[str, str, str]


def binds(pattern: str, name: str) -> str | None:
    """The coordinate that makes `pattern` (with one `{coord}`) the parameter `name`; blank without a wildcard.

    >>> binds("bin.{coord}.max", "bin.frequency.max"), binds("bin.stats", "bin.stats"), binds("bin.stats", "bin")
    ('frequency', '', None)
    """
    if "{" not in pattern:
        return "" if pattern == name else None
    before, _, rest = pattern.partition("{")
    after = rest.partition("}")[2]
    inner = name[len(before) : len(name) - len(after)]
    fits = name.startswith(before) and name.endswith(after) and inner and "." not in inner
    return inner if fits else None


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """A stage, with what the search asks of it worked out beforehand."""

    spec: StageSpec
    required: frozenset[str]
    offered: frozenset[str]
    modifiers: frozenset[str]
    patterns: tuple[ParamSpec, ...]
    produces: TypeKey
    inert: bool


def entry_of(spec: StageSpec) -> Entry:
    """The stage as the search wants it. One that changes neither type nor traits is inert unless it consumes."""
    plain = [param for param in spec.params if "{" not in param.name]
    produced = spec.produces
    return Entry(
        spec=spec,
        required=frozenset(each.name for each in plain if each.mode == "required" and each.default is None),
        offered=frozenset(
            each.name
            for each in plain
            if each.mode == "offered" or (each.mode == "required" and each.default is not None)
        ),
        modifiers=frozenset(each.name for each in plain if each.mode == "modifier"),
        patterns=tuple(each for each in spec.params if "{" in each.name),
        produces=(produced.kind, produced.version, produced.variant),
        inert=spec.accepts == produced and not (spec.adds or spec.drops),
    )


#: A stage that may follow: its cost and the least that must follow it, its cost, and the stage. In nanoseconds.
Next = tuple[int, int, Entry]


def _nanoseconds(seconds: float) -> int:
    """Seconds as whole nanoseconds: a sum of them does not depend on its order."""
    return round(seconds * 1e9)


def following_of(entry: Entry, rest: int, gigabytes: float) -> Next:
    """The stage with its price for so much data, and with the least that must still be paid after it."""
    cost = _nanoseconds(entry.spec.cost.start + entry.spec.cost.per_gb * gigabytes)
    return cost + rest, cost, entry


#: For each kind of stream what makes it: nanoseconds, and the kind before it.
_Edges = dict[str, list[tuple[int, str]]]
#: For how many sizes of answers and goals the order of the stages is kept.
_KEPT = 200


class StageIndex:
    """The stages of a registry, arranged for the search: by the type that they accept."""

    def __init__(self, stages: Iterable[StageSpec]) -> None:
        self.stages = tuple(stages)
        self._declared: dict[str, list[ParamSpec]] = {}
        self._by_kind: dict[str, list[int]] = {}
        for place, stage in enumerate(self.stages):
            self._by_kind.setdefault(stage.accepts.kind if stage.accepts else "", []).append(place)
            for param in stage.params:
                self._declared.setdefault(param.name, []).append(param)
        self._patterns = tuple((name, params) for name, params in self._declared.items() if "{" in name)
        self._entries: dict[int, Entry] = {}
        self._accepting: dict[TypeKey, tuple[Entry, ...]] = {}
        self._following: dict[tuple[TypeKey, str, float], tuple[Next, ...]] = {}
        self._into: _Edges | None = None
        self._distances: dict[str, dict[str, int]] = {}

    def declared(self, name: str) -> list[ParamSpec]:
        """What the stages declare of a parameter, by its name or by a pattern that it fits."""
        by_pattern = [each for pattern, params in self._patterns if binds(pattern, name) for each in params]
        return [*self._declared.get(name, ()), *by_pattern]

    def _of_kind(self, kind: str) -> list[Entry]:
        """The stages that accept a kind of stream; the readers for a blank one. Each is worked out when first used."""
        for place in self._by_kind.get(kind, ()):
            if place not in self._entries:
                self._entries[place] = entry_of(self.stages[place])
        return [self._entries[place] for place in self._by_kind.get(kind, ())]

    def readers(self, own: Iterable[StageSpec]) -> tuple[Entry, ...]:
        """The readers: those of the registry and those of the source."""
        return (*self._of_kind(""), *(entry_of(stage) for stage in own if stage.accepts is None))

    def accepting(self, produced: StreamType) -> tuple[Entry, ...]:
        """The stages that accept a type."""
        kind = (produced.kind, produced.version, produced.variant)
        found = self._accepting.get(kind)
        if found is None:
            fitting = self._of_kind(produced.kind)
            found = tuple(each for each in fitting if each.spec.accepts and produced.serves(each.spec.accepts))
            self._accepting[kind] = found
        return found

    def following(self, kind: TypeKey, goal: str, gigabytes: float) -> tuple[Next, ...]:
        """The stages that accept a type and from which the goal's kind can be reached, the cheapest first."""
        key = (kind, goal, gigabytes)
        found = self._following.get(key)
        if found is None:
            if len(self._following) >= _KEPT:
                self._following.clear()
            rest = self.distances(goal)
            nexts = [
                following_of(each, rest[each.produces[0]], gigabytes)
                for each in self.accepting(StreamType(*kind))
                if each.produces[0] in rest
            ]
            found = self._following[key] = tuple(sorted(nexts, key=itemgetter(0)))
        return found

    def distances_with(self, own: Iterable[StageSpec], goal: str) -> dict[str, int]:
        """The same, with more stages than those of the index."""
        self.distances(goal)
        into = {kind: list(edges) for kind, edges in (self._into or {}).items()}
        for kind, edges in _edges(own).items():
            into.setdefault(kind, []).extend(edges)
        return _cheapest(into, goal)

    def distances(self, goal: str) -> dict[str, int]:
        """Nanoseconds, at least, from a kind of stream to the goal's: start-up only, parameters and traits ignored."""
        found = self._distances.get(goal)
        if found is None:
            if self._into is None:
                self._into = _edges(self.stages)
            found = self._distances[goal] = _cheapest(self._into, goal)
        return found


def _edges(stages: Iterable[StageSpec]) -> _Edges:
    """For each kind of stream what makes it: nanoseconds, and the kind before it."""
    into: _Edges = {}
    for each in stages:
        if each.accepts is not None:
            into.setdefault(each.produces.kind, []).append((_nanoseconds(each.cost.start), each.accepts.kind))
    return into


def _cheapest(into: _Edges, goal: str) -> dict[str, int]:
    """The least cost from each kind of stream to the goal's."""
    found: dict[str, int] = {}
    queue = [(0, goal)]
    while queue:
        cost, kind = heappop(queue)
        if kind in found:
            continue
        found[kind] = cost
        for start, before in into.get(kind, ()):
            if before not in found:
                heappush(queue, (cost + start, before))
    return found

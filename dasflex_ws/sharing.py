# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a plan is shared by those who watch: its reader, by all who ask the same of it, and the stages behind it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, TypeAlias

from dasflex_core.plan.parameters import canonical_pairs
from dasflex_core.times import parse_time
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Hashable

    from dasflex_core.catalog.model import Definition
    from dasflex_core.plan.binding import BoundStage
    from dasflex_core.plan.graph import Node, Nodes
    from dasflex_core.plan.solution import Solution
    from dasflex_core.solved import Plan

__all__ = ["ENDS", "ReaderKey", "Shared", "aligned", "shared_part"]

#: The parameters that every watcher has values of its own for.
ENDS: Final = ("read.time.min", "read.time.max")
_DAY: Final = 86_400_000_000_000

#: What two plans must have in common to share a reader.
ReaderKey: TypeAlias = "tuple[Hashable, ...]"


@dataclass(frozen=True, slots=True)
class Shared:
    """A live plan in two: `reader`, the nodes of the reader's command, and `stages`, those behind it.

    `key` is equal where a reader may be shared: the same source, reader, command and values, the ends of the range
    aside. `definition` is that of the source whose reader it is, a viewed one for a view, without its defaults. `asked`
    is what the reader was asked beside the range, and `on` the same for people, with defaults. `past` says that the
    command itself takes the begin of the range. `since` is that begin in ns since 1970; None for the present.
    """

    key: ReaderKey
    definition: Definition
    reader: Nodes
    stages: Nodes
    asked: tuple[tuple[str, str], ...]
    on: str
    past: bool
    since: int | None

    @property
    def source(self) -> str:
        """The id of the source whose reader it is."""
        return self.definition.id


def shared_part(plan: Plan) -> Shared:
    """What of a live plan is shared. Raises `ConfigError` where the definition cannot be read any more."""
    source, solution = plan.request.source, plan.solution
    head = solution.nodes[0]
    bound = source.site.planner.bound(source.definition, dict(solution.request))
    own = bound.stages[head.spec.name if head.spec else head.name]
    count = sum(1 for node in solution.nodes if node.spec is head.spec and node.command is not None)
    values = _asked_of(own, solution)
    request = dict(solution.request)
    begin = request.get("read.time.min")
    return Shared(
        key=(own.spec.origin.lower(), own.spec.name, own.reader, values, _surroundings(solution.nodes[:count])),
        definition=replace(own.definition, defaults=()),
        reader=solution.nodes[:count],
        stages=solution.nodes[count:],
        asked=tuple((name, request[name]) for name in solution.path.steps[0].consumes if name not in ENDS),
        on=", ".join(f"{name.removeprefix('read.')}={text}" for name, text in values),
        past=any(each.name == "read.time.min" for each in own.template.parameters),
        since=None if begin is None or _is_now(plan) else parse_time(begin).ns,
    )


def _is_now(plan: Plan) -> bool:
    """Whether the range was asked for from now on. That the plan took its time does not make it the past."""
    return canonical_pairs(plan.request.pairs).get("read.time.min", "").lower() == "now"


def _asked_of(own: BoundStage, solution: Solution) -> tuple[tuple[str, str], ...]:
    """What the reader is asked beside the range, defaults included."""
    request = dict(solution.request)
    given = {each.name: each.default for each in own.spec.params if each.default is not None}
    given |= {name: request[name] for name in solution.path.steps[0].consumes}
    return tuple(sorted((name, text) for name, text in given.items() if name not in ENDS))


def _surroundings(nodes: Nodes) -> tuple[Hashable, ...]:
    """How the programs of a reader are run, their arguments aside."""
    return tuple(replace(node.command, argvs=()) for node in nodes if node.command is not None)


def aligned(nodes: Nodes, begin: int) -> Nodes:
    """The stages with one begin of the range for all who share them: the midnight (UTC) before a time, in ns.

    Stages read where the range begins to align their bins with it. Were that each watcher's own, no two would be equal.
    """
    return tuple(_aligned(node, begin) for node in nodes)


def _aligned(node: Node, begin: int) -> Node:
    """A node with that begin in place of its own."""
    from dasflex_core.times import Time, format_time

    common = format_time(Time(begin // _DAY * _DAY))
    values = tuple((name, common if name == "read_time_min" else value) for name, value in node.values)
    return replace(node, values=values)

# SPDX-License-Identifier: GPL-3.0-or-later
"""From a request to a solution: convention, defaults, binding, search, and the nodes that the pump runs.

What is solved is the client's parameters over the definition's `[default]` request. A default of a trigger must be
consumed, a default of a modifier counts only if its stage is there; what the client asked must always be consumed.
"""

from __future__ import annotations

import os
import sys
from dataclasses import field, replace
from typing import TYPE_CHECKING, TypeAlias

from dasflex_core.loading import load
from dasflex_core.plan.aiming import fitting, goal_of, goals_of
from dasflex_core.plan.binding import Around, Bound, bind, canonical_time, gigabytes
from dasflex_core.plan.classics import Classics
from dasflex_core.plan.commanding import Server, commanded, rendered
from dasflex_core.plan.graph import Limits, Node, Nodes
from dasflex_core.plan.helping import askers, wishes
from dasflex_core.plan.identity import answer_id, plan_id
from dasflex_core.plan.own_readers import reading_node
from dasflex_core.plan.parameters import (
    GOAL,
    canonical_pairs,
    canonical_text,
    check_range,
    is_trigger,
)
from dasflex_core.plan.solution import Made, Solution
from dasflex_core.plan.solver import Path, StageIndex, Task, solve
from dasflex_core.plan.stating import facts_for, stated, told_to
from dasflex_core.plan.valuing import by_attribute, read_values, values_of
from dasflex_core.streamtype import ARRAYS
from dasflex_core.times import Time, parse_time
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from dasflex_core.cache.composing import Composed
    from dasflex_core.catalog.model import Definition, ExternalStage, Rate
    from dasflex_core.registry import Registry
    from dasflex_core.streamtype import StreamType

__all__ = ["Planner"]

#: Who may ask what: is given the request over the defaults, and the time; gives what is to be changed.
Admit: TypeAlias = "Callable[[Mapping[str, str], Time], Mapping[str, str]]"
#: Names of stages that cannot serve, each with the reason.
Reasons = tuple[tuple[str, str], ...]


def _as_asked(_request: Mapping[str, str], _now: Time) -> Mapping[str, str]:
    """Where everybody may ask everything."""
    return {}


@dataclass(frozen=True, slots=True)
class _Found:
    """What was solved: the task without the cache, before any stage declined, as it was solved, and what is kept."""

    plain: Task
    whole: Task
    task: Task
    kept: Composed | None


@dataclass(frozen=True, slots=True)
class _Circumstances:
    """What a request is solved with: what the source offers, who may ask what, and the time."""

    bound: Bound
    admit: Admit
    now: Time


@dataclass(frozen=True, slots=True)
class _Granted:
    """A task with what its last stage asked, its path, the stages that declined, and what the cache has of it."""

    task: Task
    path: Path
    declined: Reasons
    kept: Composed | None


@dataclass(frozen=True, slots=True)
class _Told:
    """What a solution says beside the path: convention, names asked for, stages declined, remarks."""

    convention: str
    asked: frozenset[str]
    declined: tuple[tuple[str, str], ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Planner:
    """Solves requests over a registry.

    `find` looks a source up by its id; `external` are the site's own filters; `prefer` its preferred stages; `limits`
    bound its processes. `environ` is the server's environment without what a request put there, `python` the
    interpreter for command templates. Blocks of the cache are below `cache_root`; where it is blank there are none.
    Readers without a program keep what they find out below `keep`, if it is not blank.
    """

    registry: Registry
    find: Callable[[str], Definition]
    external: tuple[ExternalStage, ...] = ()
    prefer: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    python: str = sys.executable
    index: StageIndex | None = None
    cache_root: str = ""
    keep: str = ""

    @property
    def server(self) -> Server:
        """What commands are rendered with."""
        return Server(self.python, self.environ, self.limits)

    def solve(
        self,
        definition: Definition,
        pairs: Iterable[tuple[str, str]],
        *,
        convention: str = "flex",
        goal: StreamType | None = None,
        now: Time | None = None,
        admit: Admit = _as_asked,
    ) -> Solution:
        """The cheapest plan for what a client asked of a source.

        `pairs` are names and values as the convention spells them; `goal` overrides the type that they ask for. `admit`
        is asked before anything is planned: it raises, or gives what stands in the place of what was asked. Raises
        `QueryError` for what cannot be, with what would be legal, and `ConfigError` for a broken definition.
        """
        how = self.registry.convention(convention)
        if how.translate:
            pairs = load(how.translate)(list(pairs), definition)
        asked = canonical_pairs(pairs)
        check_range(asked)
        bound = self.bound(definition, asked)
        now = now or parse_time("now")
        request = _resolved({**fitting(self.registry, dict(bound.defaults), asked), **asked}, now)
        check_range(request)
        changes = admit(request, now)
        asked, request = {**asked, **changes}, {**request, **changes}
        goals = [goal] if goal else goals_of(self.registry, request, bound, goal_of(how, bound))
        plain = self._task(bound, request, frozenset(asked), goals[0])
        kept = self._kept(bound, plain, admit, now)
        whole = kept.task if kept else plain
        task, declined = self._admitted(whole, definition)
        whole, task, declined, remarks = self._helped(whole, task, goals, declined, definition)
        if how.lenient:
            from dasflex_core.plan.lenience import without_extras

            task, dropped = without_extras(task, goals)
            remarks += dropped
        task, path = _cheapest(task, goals)
        if path is None:
            from dasflex_core.plan.diagnosis import explain_failure

            raise explain_failure(definition.id, task, goals, (*bound.declined, *declined), self.registry.lacking)
        found = _Found(plain, replace(task, banned=whole.banned), task, kept)
        granted = self._granted(found, path, declined, _Circumstances(bound, admit, now))
        kept = granted.kept
        declined = (*bound.declined, *(kept.declined if kept else ()), *granted.declined)
        told = _Told(how.name, frozenset(asked), declined, remarks)
        return self._solution(bound, granted.task, granted.path, told, kept)

    def has_path(self, bound: Bound, request: Mapping[str, str], goal: StreamType | None = None) -> bool:
        """Whether a request of canonical names has a path to a type, or to one that the readers write.

        It is what `solve` finds out first, without a command rendered. Raises `QueryError` for a value that is none.
        """
        whole = {**dict(bound.defaults), **request}
        goals = [goal] if goal else goals_of(self.registry, request, bound, "")
        task = self._task(bound, whole, frozenset(request), goals[0])
        task, _declined = self._admitted(task, bound.definition)
        return _cheapest(task, goals)[1] is not None

    def way(
        self, bound: Bound, request: Mapping[str, str], asked: Iterable[str], goal: StreamType
    ) -> tuple[Task, Path | None]:
        """The task of a whole request of a source, and its cheapest path to a type without the cache, if there is one.

        `asked` are the names that must be consumed. Raises `QueryError` for a value that is none.
        """
        task = self._task(bound, request, frozenset(asked), goal)
        task, _declined = self._admitted(task, bound.definition)
        return task, solve(task)

    def canonical(self, bound: Bound, request: Mapping[str, str]) -> Mapping[str, str]:
        """A request in the one spelling of its values, without what makes only its form. Raises `QueryError`."""
        return self._task(bound, request, frozenset(), ARRAYS).request

    def effective(self, path: Path, request: Mapping[str, str], bound: Bound) -> Mapping[str, str]:
        """What makes the answer of a path: what it consumes, the defaults of commands, and what is said of the data."""
        return _effective(path, request, bound)

    def _kept(self, bound: Bound, task: Task, admit: Admit, now: Time) -> Composed | None:
        """What the cache has for a task, and the task on its grid; None for sources without cache levels."""
        if not bound.definition.cache.levels:
            return None
        from dasflex_core.cache.composing import composed

        return composed(self, bound, task, admit, now)

    def bound(self, definition: Definition, asked: Mapping[str, str]) -> Bound:
        """What a source offers a request. Raises `ConfigError` for a broken definition."""
        return bind(
            definition,
            asked,
            find=self.find,
            external=self.external,
            taken={stage.name for stage in self.registry.stages},
            around=Around(self.environ, Classics(self.registry), self.registry.reader_kinds, self.keep, self.registry),
        )

    def _task(self, bound: Bound, request: Mapping[str, str], asked: frozenset[str], goal: StreamType) -> Task:
        """What is to be solved: the request without what makes the goal, and which of it must be consumed."""
        definition = bound.definition
        task = Task(
            index=self._index(),
            request={},
            must=frozenset(),
            goal=goal,
            stages=tuple(each.spec for each in bound.stages.values()),
            gigabytes=gigabytes(bound.stages.values(), request),
            places={each.name: each.place for each in self.registry.families},
            prefer=(*definition.prefer, *self.prefer),
            banned=frozenset(self._never(bound)),
        )
        declared = {name: task.declared(name) for name in request if name not in GOAL}
        kept = {name: canonical_text(params, name, request[name]) for name, params in declared.items()}
        must = frozenset(name for name, params in declared.items() if name in asked or is_trigger(name, params))
        return replace(task, request=kept, must=must)

    def _index(self) -> StageIndex:
        """The index of the registry's stages: the one given, so that a server makes it once, or a new one."""
        return self.index or StageIndex(self.registry.stages)

    def _never(self, bound: Bound) -> set[str]:
        """The stages that the definition forbids: by name, or by the family that they consume; readers by name only."""
        never = set(bound.definition.never)
        stages = (*self.registry.stages, *(each.spec for each in bound.stages.values()))
        return never | {
            stage.name
            for stage in stages
            if stage.accepts is not None and never & {param.family for param in stage.params}
        }

    def _admitted(self, task: Task, definition: Definition) -> tuple[Task, Reasons]:
        """The task without the stages whose `admits` declines, and their reasons."""
        declined: list[tuple[str, str]] = []
        for spec in (*task.index.stages, *task.stages):
            if spec.admits and spec.name not in task.banned:
                verdict = load(spec.admits)(dict(task.request), definition)
                if verdict is False or (isinstance(verdict, str) and verdict):
                    declined.append((spec.name, verdict or "it does not serve this request"))
        banned = task.banned | {name for name, _reason in declined}
        return replace(task, banned=banned), tuple(declined)

    def _helped(
        self, whole: Task, task: Task, goals: list[StreamType], declined: Reasons, definition: Definition
    ) -> tuple[Task, Task, Reasons, tuple[str, ...]]:
        """Both tasks with what a reducer asks of the stages before it, where there is no plan without; and remarks.

        `whole` is the task before any stage declined. A client is told what was asked for in its name.
        """
        able = askers(task)
        if not able or _cheapest(task, goals)[1] is not None:
            return whole, task, declined, ()
        for spec, new in ((each, wish) for each in able for wish in wishes(each, task, definition)):
            asking = replace(whole, request={**task.request, **new}, must=task.must | new.keys())
            admitted, reasons = self._admitted(asking, definition)
            path = _cheapest(admitted, goals)[1]
            if path is not None and any(step.spec.name == spec.name for step in path.steps):
                told = tuple(f"{name}={text} was not given; {spec.name} asks for it" for name, text in new.items())
                return asking, admitted, reasons, told
        return whole, task, declined, ()

    def _granted(self, found: _Found, path: Path, declined: Reasons, around: _Circumstances) -> _Granted:
        """The path with the first that the last stage asks of those before it, and which they can give; else as it is.

        A wish for bins may be served by the blocks of a level, as if the client had asked for them. Stages that cannot
        serve the request may serve it as asked.
        """
        last = path.steps[-1].spec
        bound, kept = around.bound, found.kept
        for new in wishes(last, found.task, bound.definition) if last.asks else ():
            base, own = (found.plain if "bin.time.max" in new else found.whole), kept
            request, must = {**found.task.request, **new}, found.task.must | new.keys()
            asking = replace(base, request=request, must=must, goal=found.task.goal)
            if base is found.plain:
                own = self._kept(bound, asking, around.admit, around.now)
                asking = own.task if own else asking
            asking, reasons = self._admitted(asking, bound.definition)
            granted = solve(asking)
            if granted is not None and granted.steps[-1].spec.name == last.name:
                return _Granted(asking, granted, reasons, own)
        return _Granted(found.task, path, declined, kept)

    def _solution(self, bound: Bound, task: Task, path: Path, told: _Told, kept: Composed | None) -> Solution:
        """The solution that a path makes: values typed, commands rendered, identities computed."""
        definition = bound.definition
        use = kept.used(path) if kept else None
        made = use.made(self, task, path) if use else self.made(bound, task, path)
        whole = use.whole(path, task.request) if use else path
        request = tuple(sorted(task.request.items()))
        effective = {**_effective(whole, task.request, bound), **made.stated}
        return Solution(
            source=definition.id,
            convention=told.convention,
            request=request,
            asked=told.asked,
            goal=task.goal,
            path=path,
            nodes=made.nodes,
            size=task.gigabytes,
            answer=answer_id(definition.id, effective.items(), whole, bound.changed),
            plan=plan_id(made.nodes, {each.name: each.version for each in self.registry.plugins}),
            changed=bound.changed,
            rate=_rate(bound, whole),
            declined=told.declined,
            remarks=(*told.remarks, *made.remarks),
            task=task,
            kept=kept,
            use=use,
        )

    def made(self, bound: Bound, task: Task, path: Path, before: Nodes = (), whole: Path | None = None) -> Made:
        """The nodes of a path, what the client is told about defaults that it did not give, and what commands state.

        Where it is the rest of a `whole` one, the nodes `before` give what its first step takes.
        """
        nodes: list[Node] = [*before]
        remarks: list[str] = []
        stated: dict[str, str] = {}
        for place, step in enumerate(path.steps):
            values = values_of(step, task.request)
            own = bound.stages.get(step.spec.name)
            if own is not None and own.own is not None:
                node = reading_node(own.own, step, values, task.request, own.definition, bound.definition)
                nodes.append(replace(node, facts=facts_for(bound, path, place)))
                continue
            if own is not None:
                command, defaults = rendered(own, values, bound, task.request, self.server)
                remarks += [f"{name} was not given; its default is {text}" for name, text in defaults]
                found = commanded(own, command, Classics(self.registry), len(nodes) - 1)
                nodes += found.nodes
                stated |= dict(found.stated)
                continue
            given = (
                *by_attribute(step, values),
                *read_values(step.spec, task.request),
                *told_to(step.spec, bound, whole or path),
            )
            kind = "stage" if step.spec.protocol == "process" else step.spec.protocol
            facts = facts_for(bound, path, place)
            inputs = (len(nodes) - 1,) if nodes else ()
            nodes.append(Node(step.spec.name, kind, step.spec.produces, inputs, step.spec, given, facts=facts))
        return Made(tuple(nodes), tuple(remarks), stated)


def _resolved(request: Mapping[str, str], now: Time) -> dict[str, str]:
    """The request with its times in full calendar form, so that every reader understands them."""
    return {
        name: canonical_time(text, now) if name in ("read.time.min", "read.time.max") else text
        for name, text in request.items()
    }


def _rate(bound: Bound, path: Path) -> Rate | None:
    """What the reader of a path gives."""
    reader = bound.stages.get(path.steps[0].spec.name)
    return reader.rate if reader else None


def _cheapest(task: Task, goals: Iterable[StreamType]) -> tuple[Task, Path | None]:
    """The cheapest path to any of the goals, and the task that it solves."""
    best: tuple[Task, Path] | None = None
    for goal in goals:
        aimed = replace(task, goal=goal)
        path = solve(aimed)
        if path is not None and (best is None or path.seconds < best[1].seconds):
            best = (aimed, path)
    return best or (task, None)


def _effective(path: Path, request: Mapping[str, str], bound: Bound) -> dict[str, str]:
    """What made the answer: the parameters consumed, the defaults of the source's own commands, what is said of it."""
    found: dict[str, str] = {}
    for step in path.steps:
        if step.spec.name in bound.stages:
            own = [param for param in step.spec.params if param.default is not None]
            found |= {each.name: canonical_text([each], each.name, each.default or "") for each in own}
        found |= {name: request[name] for name in step.consumes}
    return found | dict(stated(bound, path))

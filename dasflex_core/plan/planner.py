# SPDX-License-Identifier: GPL-3.0-or-later
"""From a request to a solution: convention, defaults, binding, search, and the nodes that the pump runs.

What is solved is the client's parameters over the definition's `[default]` request. A default of a trigger must be
consumed, a default of a modifier counts only if its stage is there; what the client asked must always be consumed.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from dasflex_core.errors import QueryError, did_you_mean, shown
from dasflex_core.loading import load
from dasflex_core.plan.binding import Bound, BoundStage, bind, canonical_time, gigabytes
from dasflex_core.plan.diagnosis import claimants, explain_failure
from dasflex_core.plan.graph import Command, Limits, Node, Nodes
from dasflex_core.plan.identity import answer_id, plan_id
from dasflex_core.plan.parameters import GOAL, canonical_pairs, check_range, is_trigger, typed_value
from dasflex_core.plan.solver import Path, StageIndex, Step, Task, binds, solve
from dasflex_core.streamtype import StreamType
from dasflex_core.times import Time, parse_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from dasflex_core.catalog.model import Definition, ExternalStage
    from dasflex_core.registry import Registry
    from dasflex_core.stages import StageSpec, Value

__all__ = ["Planner", "Solution"]

_LONGEST_VERSION = 16


@dataclass(frozen=True, slots=True)
class Solution:
    """A solved request: everything that running, pricing and explaining it needs.

    `request` is what was solved, the client's parameters over the defaults, times resolved; `asked` names those that
    the client gave. `seconds` is the price, `size` the gigabytes that the reader is expected to write. `declined` are
    stages that could not serve with the reason; `remarks` what the client is told. `answer` is the logical identity,
    `plan` the physical one; `changed` the date of the data.
    """

    source: str
    convention: str
    request: tuple[tuple[str, str], ...]
    asked: frozenset[str]
    goal: StreamType
    path: Path
    nodes: Nodes
    size: float
    answer: str
    plan: str
    changed: float | None = None
    declined: tuple[tuple[str, str], ...] = ()
    remarks: tuple[str, ...] = ()
    task: Task | None = field(default=None, repr=False, compare=False)

    @property
    def seconds(self) -> float:
        """The price: seconds, as the stages declare them."""
        return self.path.seconds

    @property
    def produces(self) -> StreamType:
        """The type of the answer."""
        return self.path.produces


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
    interpreter for command templates.
    """

    registry: Registry
    find: Callable[[str], Definition]
    external: tuple[ExternalStage, ...] = ()
    prefer: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    python: str = sys.executable
    index: StageIndex | None = None

    def solve(
        self,
        definition: Definition,
        pairs: Iterable[tuple[str, str]],
        *,
        convention: str = "flex",
        goal: StreamType | None = None,
        now: Time | None = None,
    ) -> Solution:
        """The cheapest plan for what a client asked of a source.

        `pairs` are names and values as the convention spells them; `goal` overrides the type that they ask for. Raises
        `QueryError` for what cannot be, with what would be legal, and `ConfigError` for a broken definition.
        """
        how = self.registry.convention(convention)
        if how.translate:
            pairs = load(how.translate)(list(pairs), definition)
        asked = canonical_pairs(pairs)
        check_range(asked)
        bound = bind(definition, asked, find=self.find, external=self.external, environ=self.environ)
        request = _resolved({**dict(bound.defaults), **asked}, now or parse_time("now"))
        goals = [goal] if goal else self._goals(request, bound, how.goal)
        task = self._task(bound, request, frozenset(asked), goals[0])
        task, declined = self._admitted(task, definition)
        remarks: tuple[str, ...] = ()
        if how.lenient:
            task, remarks = _dropped(task, goals)
        task, path = self._search(task, goals, definition)
        if path is None:
            raise explain_failure(definition.id, task, goals, (*bound.declined, *declined))
        told = _Told(how.name, frozenset(asked), (*bound.declined, *declined), remarks)
        return self._solution(bound, task, path, told)

    def _task(self, bound: Bound, request: Mapping[str, str], asked: frozenset[str], goal: StreamType) -> Task:
        """What is to be solved: the request without what makes the goal, and which of it must be consumed."""
        definition = bound.definition
        kept = {name: text for name, text in request.items() if name not in GOAL}
        return Task(
            index=self._index(),
            request=kept,
            must=frozenset(name for name in kept if name in asked or is_trigger(name)),
            goal=goal,
            stages=tuple(each.spec for each in bound.stages.values()),
            gigabytes=gigabytes(definition, request),
            places={each.name: each.place for each in self.registry.families},
            prefer=(*definition.prefer, *self.prefer),
            banned=frozenset(self._never(definition)),
        )

    def _index(self) -> StageIndex:
        """The index of the registry's stages: the one given, so that a server makes it once, or a new one."""
        return self.index or StageIndex(self.registry.stages)

    def _never(self, definition: Definition) -> set[str]:
        """The stages that the definition forbids: by name, or by the family that they consume."""
        never = set(definition.never)
        return never | {
            stage.name for stage in self.registry.stages if never & {param.family for param in stage.params}
        }

    def _goals(self, request: Mapping[str, str], bound: Bound, default: str) -> list[StreamType]:
        """The types that would do: what `format.type` and its kin ask, or the types of the source's readers."""
        kind = request.get("format.type", "")
        version, serial = request.get("format.version", ""), request.get("format.serial", "")
        known = dict.fromkeys(info.type.kind for info in self.registry.stream_types)
        if kind and kind not in known:
            hint = did_you_mean(kind, known)
            raise QueryError(
                f"format.type={shown(kind)} is unknown.{hint} There are {', '.join(known)}",
                kind="query.unreachable-type",
            )
        if version and not (version.isalnum() and len(version) <= _LONGEST_VERSION):
            raise QueryError(f"format.version={shown(version)} is no version; one is 2 or 3", kind="query.bad-value")
        if serial not in ("", "text", "binary"):
            raise QueryError(f"format.serial={shown(serial)} is neither text nor binary", kind="query.bad-value")
        if kind:
            return [StreamType(kind, version, serial)]
        if default:
            conventional = StreamType.parse(default)
            return [replace(conventional, version=version or conventional.version, variant=serial)]
        own = dict.fromkeys(each.spec.produces for each in bound.stages.values() if each.reader)
        if not own:
            return [StreamType("das", version, serial)]
        return [replace(each, version=version or each.version, variant=serial or each.variant) for each in own]

    def _admitted(self, task: Task, definition: Definition) -> tuple[Task, tuple[tuple[str, str], ...]]:
        """The task without the stages whose `admits` declines, and their reasons."""
        declined: list[tuple[str, str]] = []
        for spec in (*task.index.stages, *task.stages):
            if spec.admits and spec.name not in task.banned:
                verdict = load(spec.admits)(dict(task.request), definition)
                if verdict is False or (isinstance(verdict, str) and verdict):
                    declined.append((spec.name, verdict or "it does not serve this request"))
        banned = task.banned | {name for name, _reason in declined}
        return replace(task, banned=banned), tuple(declined)

    def _search(self, task: Task, goals: Iterable[StreamType], definition: Definition) -> tuple[Task, Path | None]:
        """The cheapest path to any of the goals, and the task that it solves, with what its last stage asks for."""
        best: tuple[Task, Path] | None = None
        for goal in goals:
            aimed = replace(task, goal=goal)
            path = solve(aimed)
            if path is not None and (best is None or path.seconds < best[1].seconds):
                best = (aimed, path)
        if best is None:
            return task, None
        task, path = best
        asks = path.steps[-1].spec.asks
        wishes = load(asks)(dict(task.request), definition) if asks else {}
        new = (
            {name: text for name, text in wishes.items() if name not in task.request}
            if isinstance(wishes, dict)
            else {}
        )
        if new:
            asking = replace(task, request={**task.request, **new}, must=task.must | new.keys())
            granted = solve(asking)
            if granted is not None and granted.steps[-1].spec.name == path.steps[-1].spec.name:
                return asking, granted
        return task, path

    def _solution(self, bound: Bound, task: Task, path: Path, told: _Told) -> Solution:
        """The solution that a path makes: values typed, commands rendered, identities computed."""
        definition = bound.definition
        nodes, defaults = self._nodes(bound, task, path)
        request = tuple(sorted(task.request.items()))
        return Solution(
            source=definition.id,
            convention=told.convention,
            request=request,
            asked=told.asked,
            goal=task.goal,
            path=path,
            nodes=nodes,
            size=task.gigabytes,
            answer=answer_id(definition.id, request, path, bound.changed),
            plan=plan_id(nodes),
            changed=bound.changed,
            declined=told.declined,
            remarks=(*told.remarks, *defaults),
            task=task,
        )

    def _nodes(self, bound: Bound, task: Task, path: Path) -> tuple[Nodes, list[str]]:
        """The nodes of a path, and what the client is told about defaults that it did not give."""
        nodes: list[Node] = []
        told: list[str] = []
        for place, step in enumerate(path.steps):
            inputs = (place - 1,) if place else ()
            values = _values(step, task.request)
            own = bound.stages.get(step.spec.name)
            if own is not None:
                command, defaults = self._command(own, values, bound, task.request)
                told += [f"{name}={text} was not given: the default" for name, text in defaults]
                nodes.append(Node(step.spec.name, "process", step.spec.produces, inputs, step.spec, command=command))
                continue
            by_attribute = tuple((_attribute(step.spec, name), value) for name, value in values.items())
            kind = "stage" if step.spec.protocol == "process" else step.spec.protocol
            nodes.append(Node(step.spec.name, kind, step.spec.produces, inputs, step.spec, by_attribute))
        return tuple(nodes), told

    def _command(
        self,
        own: BoundStage,
        values: Mapping[str, Value],
        bound: Bound,
        request: Mapping[str, str],
    ) -> tuple[Command, list[tuple[str, str]]]:
        """The rendered command of a stage of the source, and the defaults that it used of what it requires."""
        given: dict[str, Value] = {}
        used: list[tuple[str, str]] = []
        for param in own.spec.params:
            if param.name in values:
                given[param.name] = values[param.name]
            elif param.default is not None:
                given[param.name] = typed_value(param, param.name, param.default)
                if param.mode == "required" and param.name.removeprefix("read.") not in bound.options:
                    used.append((param.name, param.default))
        given |= {name: request[name] for name in own.spec.reads if name in request}
        types = {param.name: param.type for param in own.spec.params}
        texts = {name: _text(value) if not isinstance(value, bool | tuple) else value for name, value in given.items()}
        reader = own.reader
        command = Command(
            argvs=own.template.render(texts, python=self.python, environ=self.environ, typed=types),
            directory=(reader.directory if reader else "") or own.definition.directory,
            environment=reader.set_env if reader else (),
            pass_env=reader.pass_env if reader else (),
            limits=_limits(self.limits, bound.definition),
        )
        return command, used


def _resolved(request: Mapping[str, str], now: Time) -> dict[str, str]:
    """The request with its times in full calendar form, so that every reader understands them."""
    return {
        name: canonical_time(text, now) if name in ("read.time.min", "read.time.max") else text
        for name, text in request.items()
    }


def _text(value: Value) -> str:
    """A number or a text as it stands in a command: numbers by their shortest digits, whole ones without a point."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def _values(step: Step, request: Mapping[str, str]) -> dict[str, Value]:
    """The typed values of the parameters that a step consumes. Raises `QueryError` for a bad one."""
    values: dict[str, Value] = {}
    for name in step.consumes:
        param = next(each for each in step.spec.params if binds(each.name, name) is not None)
        values[name] = typed_value(param, name, request[name])
    return values


def _attribute(spec: StageSpec, name: str) -> str:
    """The keyword by which a factory gets a parameter."""
    param = next(each for each in spec.params if binds(each.name, name) is not None)
    return param.attribute or name.rpartition(".")[2]


def _limits(site: Limits, definition: Definition) -> Limits:
    """The site's limits, with those that the definition sets in their place."""
    own = definition.limits
    return Limits(
        silence=site.silence if own.silence is None else own.silence,
        cpu=site.cpu if own.cpu is None else own.cpu,
        output=site.output if own.output is None else own.output,
        memory=site.memory,
    )


def _dropped(task: Task, goals: Iterable[StreamType]) -> tuple[Task, tuple[str, ...]]:
    """The task without what no plan can consume, for clients that send extras; and what they are told of it."""
    unclaimed = [name for name in task.must if not claimants(name, task)]
    dropped = list(unclaimed)
    task = _without(task, unclaimed)
    for name in sorted(task.must):
        if any(solve(replace(task, goal=goal)) for goal in goals):
            break
        without = _without(task, [name])
        if not name.startswith("read.time.") and any(solve(replace(without, goal=goal)) for goal in goals):
            task = without
            dropped.append(name)
    return task, tuple(f"{name} was ignored: nothing in this source can use it" for name in sorted(dropped))


def _without(task: Task, names: Iterable[str]) -> Task:
    """The task less some parameters."""
    gone = set(names)
    request = {name: text for name, text in task.request.items() if name not in gone}
    return replace(task, must=task.must - gone, request=request)

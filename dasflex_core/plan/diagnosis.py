# SPDX-License-Identifier: GPL-3.0-or-later
"""Why a request has no plan: the error that names what nothing can consume, and what would be legal."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dasflex_core.errors import QueryError, did_you_mean, listing
from dasflex_core.plan.parameters import CANONICAL, GOAL, canonical_facts
from dasflex_core.plan.solver import StageIndex, Task, binds, solve
from dasflex_core.streamtype import ARRAYS, AXIS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dasflex_core.stages import StageSpec
    from dasflex_core.streamtype import StreamType

__all__ = ["claimants", "explain_failure", "legal_names"]


def _stages(task: Task) -> tuple[StageSpec, ...]:
    """All stages that the task may use."""
    return tuple(each for each in (*task.stages, *task.index.stages) if each.name not in task.banned)


def claimants(name: str, task: Task) -> tuple[StageSpec, ...]:
    """The stages that declare a parameter."""
    return tuple(stage for stage in _stages(task) if any(binds(param.name, name) is not None for param in stage.params))


def legal_names(task: Task) -> list[str]:
    """The names of the parameters that some stage of the task declares, and of those that make the goal.

    A formatter that requires a parameter which is not given is for whoever knows that: nobody else is led to it.
    """
    stages = [stage for stage in _stages(task) if stage.role != "formatter" or not _lacks(stage, task)]
    names = dict.fromkeys(param.name for stage in stages for param in stage.params)
    return [*names, "time", *GOAL]


def _lacks(stage: StageSpec, task: Task) -> bool:
    """Whether a stage requires a parameter that is not given."""
    return any(
        param.mode == "required" and param.default is None and param.name not in task.request for param in stage.params
    )


def explain_failure(
    source: str,
    task: Task,
    goals: Iterable[StreamType],
    declined: Iterable[tuple[str, str]],
    lacking: Callable[..., str] = lambda **_named: "",
) -> QueryError:
    """The error that says why the task has no path to any of the goals.

    `lacking` is what the registry says of what is not installed (`Registry.lacking`).
    """
    goal = next(iter(goals))
    return (
        _unserved(source, task, declined)
        or _uninstalled(source, task, lacking)
        or _unclaimed(source, task, declined)
        or _missing(source, task)
        or _unreachable(source, task, goal)
        or _culprit(source, task, goal)
        or _unfit(source, task, goal)
        or QueryError(
            f"{source}: no plan consumes {_listing(sorted(task.must))} together and gives {goal}", kind="query.no-plan"
        )
    )


def _unserved(source: str, task: Task, declined: Iterable[tuple[str, str]]) -> QueryError | None:
    """That all readers of the source declined, and why: then nothing else that is wrong can be told."""
    if any(stage.accepts is None for stage in _stages(task)):
        return None
    reasons = "; ".join(f"{stage}: {reason}" for stage, reason in declined)
    return QueryError(f"{source} has no reader that serves this request. {reasons}".rstrip(), kind="query.no-plan")


def _uninstalled(source: str, task: Task, lacking: Callable[..., str]) -> QueryError | None:
    """A parameter that only a stage which is not installed consumes."""
    for name in task.request:
        if name in task.must and not claimants(name, task) and (what := lacking(param=name)):
            return QueryError(f"{source}: what consumes {name} {what}", kind="query.unknown-parameter")
    return None


def _unclaimed(source: str, task: Task, declined: Iterable[tuple[str, str]]) -> QueryError | None:
    """A parameter that no stage declares."""
    for name in task.request:
        if name not in task.must or claimants(name, task):
            continue
        legal = legal_names(task)
        facts = canonical_facts(name)
        if facts is not None:
            reasons = "".join(f"; {stage}: {reason}" for stage, reason in declined)
            known = f"{source}: nothing that is installed or declared consumes {name} ({_inside(facts.title)}){reasons}"
            hint = f". There are {listing(sorted(legal))}" if _is_right(name, task) else _hint(name, legal)
            return QueryError(known + hint, kind="query.unknown-parameter")
        return QueryError(f"{source} has no parameter {name!r}{_hint(name, legal)}", kind="query.unknown-parameter")
    return None


def _is_right(name: str, task: Task) -> bool:
    """Whether a canonical name is spelt right: one of the core's own, or of an axis that the source has."""
    axes = {trait.removeprefix(AXIS) for stage in _stages(task) for trait in stage.adds if trait.startswith(AXIS)}
    return name in CANONICAL or any(name == own.replace("{coord}", axis) for own in CANONICAL for axis in axes)


def _inside(title: str) -> str:
    """A title inside a sentence."""
    return title[:1].lower() + title[1:]


def _hint(name: str, legal: list[str]) -> str:
    """What would be legal: the closest names, and the whole list."""
    return f".{did_you_mean(name, legal)} There are {listing(sorted(legal))}"


def _missing(source: str, task: Task) -> QueryError | None:
    """A parameter that every reader requires and the request does not give."""
    readers = [stage for stage in _stages(task) if stage.accepts is None]
    lacking = [
        [
            (param.name, param.title)
            for param in stage.params
            if param.mode == "required" and param.default is None and param.name not in task.request
        ]
        + _other_end(stage, task)
        for stage in readers
    ]
    if not all(lacking):
        return None
    needed = min(lacking, key=len)
    titles = _listing([f"{name} ({_inside(title)})" if title else name for name, title in needed])
    return QueryError(f"{source} needs {titles}", kind="query.missing-parameter")


def _other_end(reader: StageSpec, task: Task) -> list[tuple[str, str]]:
    """What is left out of the range that an inexact reader only reads, where a part of it is given; with titles."""
    left = [name for name in reader.reads if name not in task.request]
    if len(left) == len(reader.reads):
        return []
    return [(name, facts.title if (facts := canonical_facts(name)) else "") for name in left]


def _unreachable(source: str, task: Task, goal: StreamType) -> QueryError | None:
    """A type that no chain of stages reaches from the readers, whatever is asked."""
    bare = _bare(task, goal)
    if solve(bare) is not None:
        return None
    types = {stage.produces for stage in _stages(task)} - {ARRAYS}
    formats = sorted(str(each) for each in types if solve(_bare(task, each)))
    lacking = _lacking_traits(bare)
    if lacking is not None:
        stage, traits = lacking
        return QueryError(
            f"{source} cannot be had as {goal}: {stage} needs {_listing(sorted(traits))}. It can be had as "
            f"{_listing(formats)}",
            kind="query.unreachable-type",
        )
    return QueryError(
        f"{source} cannot be had as {goal}: no installed stage leads there. It can be had as {_listing(formats)}",
        kind="query.unreachable-type",
    )


def _bare(task: Task, goal: StreamType) -> Task:
    """The task with only what readers need, towards a type."""
    reads = {
        param.name
        for stage in _stages(task)
        if stage.accepts is None
        for param in stage.params
        if param.name in task.request
    }
    kept = {name: text for name, text in task.request.items() if name in reads}
    return replace(task, goal=goal, request=kept, must=frozenset())


def _lacking_traits(task: Task) -> tuple[str, frozenset[str]] | None:
    """The first stage which, were its needs fulfilled, would lead to the goal; and the needs."""
    relaxed = {spec.name: spec for spec in _stages(task) if spec.needs}
    for name, spec in relaxed.items():
        stages = tuple(replace(each, needs=frozenset()) if each is spec else each for each in task.index.stages)
        if solve(replace(task, index=StageIndex(stages))) is not None:
            return name, spec.needs
    return None


def _culprit(source: str, task: Task, goal: StreamType) -> QueryError | None:
    """The one parameter without which there would be a plan, and why its stages cannot serve."""
    for name in sorted(task.must, key=lambda each: (each.startswith("read.time."), each)):
        rest = {each: text for each, text in task.request.items() if each != name}
        path = solve(replace(task, goal=goal, request=rest, must=task.must - {name}))
        if path is None:
            continue
        traits = frozenset(trait for step in path.steps for trait in step.spec.adds)
        reasons = [
            _no_axis(name, stage, task, traits) or _why_not(stage, task, traits) for stage in claimants(name, task)
        ]
        return QueryError(
            f"{source}: {name} cannot be used here: {'; '.join(dict.fromkeys(reasons))}", kind="query.no-plan"
        )
    return None


def _unfit(source: str, task: Task, goal: StreamType) -> QueryError | None:
    """A stage which would consume what is asked together, were the data what it needs."""
    found = _lacking_traits(replace(task, goal=goal))
    if found is None:
        return None
    stage, traits = found
    names = [name for name in sorted(task.must) if any(each.name == stage for each in claimants(name, task))]
    given = frozenset(trait for each in _stages(task) if each.accepts is None for trait in each.adds)
    makers = "".join(_making(trait, task, given) for trait in sorted(traits))
    return QueryError(
        f"{source}: {_listing(names)} cannot be used here: {stage} needs data with the trait "
        f"{_listing(sorted(traits))}{makers}",
        kind="query.no-plan",
    )


def _no_axis(name: str, stage: StageSpec, task: Task, traits: frozenset[str]) -> str:
    """That the axis to which a parameter is bound is not there, and what makes one; blank where it is there."""
    coord = next(filter(None, (binds(param.name, name) for param in stage.params)), "")
    if not coord or AXIS + coord in traits:
        return ""
    makers = [f"{each.name} makes one{_with(each)}" for each in _makers(AXIS + coord, task, traits)]
    return "; ".join([f"the data have no axis {coord}", *makers])


def _makers(trait: str, task: Task, traits: frozenset[str]) -> list[StageSpec]:
    """The stages that give data of these traits another one."""
    return [
        each
        for each in _stages(task)
        if trait in each.adds and each.accepts is not None and each.needs <= traits and not each.refuses & traits
    ]


def _making(trait: str, task: Task, traits: frozenset[str]) -> str:
    """What makes data of these traits such that they have another, and how to call for it."""
    return "".join(f"; {each.name} makes it{_with(each)}" for each in _makers(trait, task, traits))


def _with(stage: StageSpec) -> str:
    """What a stage must be given."""
    required = [each.name for each in stage.params if each.mode == "required" and each.default is None]
    return f", with {_listing(required)}" if required else ""


def _why_not(stage: StageSpec, task: Task, traits: frozenset[str]) -> str:
    """Why a stage that declares the parameter could not consume it."""
    lacking = [
        param.name
        for param in stage.params
        if param.mode == "required"
        and param.default is None
        and not any(binds(param.name, own) is not None for own in task.request)
    ]
    if lacking:
        return f"{stage.name} also needs {_listing(lacking)}"
    if not stage.needs <= traits:
        lacks = sorted(stage.needs - traits)
        makers = "".join(_making(trait, task, traits) for trait in lacks)
        return f"{stage.name} needs data with the trait {_listing(lacks)}{makers}"
    if stage.produces.kind not in ("arrays", task.goal.kind):
        return f"{stage.name} is only for {stage.produces}"
    return f"{stage.name} cannot take it after or together with the rest"


def _listing(words: list[str]) -> str:
    """Words with commas, and `and` before the last."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else "nothing"

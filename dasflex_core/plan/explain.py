# SPDX-License-Identifier: GPL-3.0-or-later
"""A solution explained: the plan, its price, and the alternatives with the reason each lost.

As text (for people), as JSON and as a Mermaid graph. Command lines and paths are shown only to the administrator.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dasflex_core.errors import listing, shown
from dasflex_core.plan.diagnosis import claimants
from dasflex_core.plan.parameters import GOAL
from dasflex_core.plan.solver import Path, Step, binds, solve
from dasflex_core.plan.templates import shell_text
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dasflex_core.plan.graph import Node
    from dasflex_core.plan.solution import Solution
    from dasflex_core.plan.solver import Task
    from dasflex_core.stages import StageSpec

__all__ = ["Alternative", "alternatives", "as_json", "as_mermaid", "as_text", "shell_line", "why"]


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another way to the same answer: its stages, its price in seconds, and why it lost."""

    stages: tuple[str, ...]
    seconds: float
    reason: str


def alternatives(solution: Solution) -> tuple[Alternative, ...]:
    """The best ways that do without one stage of the plan, the cheapest first."""
    task = solution.task
    if task is None:
        return ()
    found: dict[tuple[str, ...], Alternative] = {}
    for step in solution.path.steps:
        other = solve(replace(task, banned=task.banned | {step.spec.name}))
        if other is not None:
            stages = tuple(each.spec.name for each in other.steps)
            found.setdefault(stages, Alternative(stages, other.seconds, _lost(solution, other)))
    return tuple(sorted(found.values(), key=lambda each: (each.seconds, each.stages)))


def _lost(solution: Solution, other: Path) -> str:
    """Why another path lost against the plan."""
    more = other.seconds - solution.seconds
    if more > 1e-9:
        return f"costs {_duration(more)} more"
    if more < -1e-9:  # what the last stage of the plan asks for makes the plan dearer
        return f"costs {_duration(-more)} less, and does not give what {solution.path.steps[-1].spec.name} asks for"
    prefer = tuple(dict.fromkeys(solution.task.prefer)) if solution.task else ()
    if _unloved(other, prefer) != _unloved(solution.path, prefer):
        return "costs the same, and another is preferred"
    if _strangers(other) > _strangers(solution.path):
        return "costs the same, and bundled stages come before third parties'"
    if len(other.steps) > len(solution.path.steps):
        return "costs the same, and has more stages"
    return "costs the same, and its name comes later"


def _unloved(path: Path, prefer: tuple[str, ...]) -> list[int]:
    """How many stages of a path are not the most preferred one, not among the two most preferred, and so on."""
    return [sum(step.spec.name not in prefer[:rank] for step in path.steps) for rank in range(1, len(prefer) + 1)]


def _strangers(path: Path) -> int:
    """How many stages of a path are not bundled."""
    return sum(not step.spec.bundled for step in path.steps)


def why(solution: Solution, name: str) -> str:
    """Why a stage is on the plan or not, or which stage consumes a parameter, in one sentence."""
    return _present(solution, name) or _not_present(solution, name)


def _present(solution: Solution, name: str) -> str:
    """What the stage or the parameter does on the plan; blank where it is not there."""
    for step in solution.path.steps:
        spec = step.spec
        if name in step.consumes:
            return f"{name} is consumed by {spec.name} ({spec.title})"
        if name == spec.name:
            took = ", ".join(step.consumes) or "no parameter: it is there to convert"
            return f"{name} is on the plan: it turns {spec.accepts or 'nothing'} into {spec.produces} and takes {took}"
    part = next((node.name for node in solution.nodes if node.program == name), "")
    return f"{name} is a program that {part} names: stages do its work in this process" if part else ""


def _not_present(solution: Solution, name: str) -> str:
    """Why a stage or a parameter has no part in the plan."""
    declined = dict(solution.declined)
    if name in declined:
        return f"{name} declined: {declined[name]}"
    if solution.task is not None:
        for spec in (*solution.task.stages, *solution.task.index.stages):
            if spec.name == name:
                return f"{name} is not on the plan: {_absent(solution, spec, solution.task)}"
    return _unused(solution, name)


def _unused(solution: Solution, name: str) -> str:
    """What becomes of a parameter that no stage on the plan consumes."""
    if name in dict(solution.request):
        return f"{name} is a default that no stage on the plan uses"
    if name in GOAL:
        return f"{name} is no stage's: it tells the type of the answer, which is {solution.produces}"
    ignored = [remark for remark in solution.remarks if remark.startswith(f"{name} was ignored")]
    if ignored:
        return ignored[0]
    able = claimants(name, solution.task) if solution.task is not None else ()
    if able:
        return f"{name} was not asked for; it could be consumed by {listing(spec.name for spec in able)}"
    return f"There is no stage and no parameter {shown(name)} here"


def _absent(solution: Solution, spec: StageSpec, task: Task) -> str:
    """Why an installed stage is not on the plan."""
    produced = [step.spec.produces for step in solution.path.steps]
    lacking = [
        each.name
        for each in spec.params
        if each.mode == "required"
        and each.default is None
        and not any(binds(each.name, name) is not None for name in task.request)
    ]
    missing = min((sorted(spec.needs - traits) for traits in _traits_met(solution.path, spec)), key=len, default=[])
    if spec.name in task.banned:
        reason = "the definition forbids it"
    elif lacking:
        reason = f"the request does not give {', '.join(lacking)}"
    elif spec.accepts is not None and not any(each.serves(spec.accepts) for each in produced):
        reason = f"it accepts {spec.accepts}, and the plan has {', '.join(sorted({str(each) for each in produced}))}"
    elif missing:
        reason = f"it needs data with the trait {', '.join(missing)}"
    else:
        others = [each.reason for each in alternatives(solution) if spec.name in each.stages]
        reason = others[0] if others else "nothing asked for it"
    return reason


def _traits_met(path: Path, spec: StageSpec) -> Iterator[frozenset[str]]:
    """The traits of the data on the path, wherever they have a type that the stage accepts."""
    traits: frozenset[str] = frozenset()
    for step in path.steps:
        traits = (traits - step.spec.drops) | step.spec.adds
        if spec.accepts is not None and step.spec.produces.serves(spec.accepts):
            yield traits


def as_text(solution: Solution, *, administrator: bool = False) -> str:
    """The explanation for people: steps, price, remarks, alternatives."""
    lines = [f"{solution.source} as {solution.produces}, about {_duration(solution.seconds)}", ""]
    request = dict(solution.request)
    rows: list[tuple[str, ...]] = []
    for place, (step, nodes) in enumerate(_steps(solution), 1):
        takes = "  ".join(f"{name}={request[name]}" for name in sorted(step.consumes, key=_reading_order))
        rows.append(
            (str(place), step.spec.name, step.spec.role, f"→ {step.spec.produces}", _duration(step.seconds), takes)
        )
        rows += [("", "", f"as {node.program}", f"→ {node.produces}", "", "") for node in nodes if node.program]
    lines += _columns(rows)
    if (kept := _cached(solution)) is not None:
        level, used, missing = kept
        lines += ["", f"  cache: {level}: {used} blocks{f', {missing} to be read' if missing else ''}"]
    if administrator:
        lines += ["", *(f"  {name}: {text}" for name, text in _commands(solution))]
    lines += [f"  note: {remark}" for remark in solution.remarks]
    others = alternatives(solution)
    if others:
        lines += ["", "Other ways"]
        lines += [f"  {' → '.join(each.stages)}: {each.reason}" for each in others]
    if solution.declined:
        lines += ["", "Declined"]
        lines += [f"  {name}: {reason}" for name, reason in solution.declined]
    lines += ["", f"answer {solution.answer}  plan {solution.plan}"]
    return "\n".join(lines) + "\n"


def _cached(solution: Solution) -> tuple[str, int, int] | None:
    """The cache level of a plan that uses blocks, how many these are, and how many are missing."""
    if solution.use is None:
        return None
    pieces = solution.use.pieces
    return (pieces.kept.level.title, *pieces.counts())


def _commands(solution: Solution) -> Iterator[tuple[str, str]]:
    """The command lines of each step; a reader that fills gaps between blocks has one for each gap."""
    for step, nodes in _steps(solution):
        if solution.use is not None and step.spec is solution.use.spec:
            yield from ((step.spec.name, shell_text(node.command.argvs)) for node in nodes if node.command)
        elif argvs := [argv for node in nodes if node.command for argv in node.command.argvs]:
            yield step.spec.name, shell_text(argvs)


def _steps(solution: Solution) -> Iterator[tuple[Step, list[Node]]]:
    """The steps of the path, each with its nodes: a command with classic programs in it has several."""
    nodes = list(solution.nodes)
    for step in solution.path.steps:
        count = next((at for at, node in enumerate(nodes) if at and not node.part), len(nodes))
        yield step, nodes[:count]
        del nodes[:count]


def _reading_order(name: str) -> tuple[str, int, str]:
    """Begin before end: `min` is read before `max`."""
    stem, _, last = name.rpartition(".")
    return stem, {"min": 0, "max": 1}.get(last, 2), last


def _columns(rows: list[tuple[str, ...]]) -> list[str]:
    """Rows with their columns aligned; the last column runs on."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]) - 1)]
    return [
        (
            "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)) + "  " + row[-1]
        ).rstrip()
        for row in rows
    ]


def _duration(seconds: float) -> str:
    """Seconds in two digits, with a unit that fits."""
    if seconds < 1:
        return f"{seconds * 1000:.2g} ms" if seconds * 1000 < 100 else f"{seconds:.2g} s"
    if seconds < 120:
        return f"{seconds:.2g} s" if seconds < 100 else f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min"


#: A value of JSON.
Json = str | float | int | bool | list["Json"] | dict[str, "Json"] | None


def as_json(solution: Solution, *, administrator: bool = False) -> dict[str, Json]:
    """The explanation as a JSON object."""
    nodes = [
        {"id": place, **_entry(step, node, administrator=administrator)}
        for place, (step, node) in enumerate((step, node) for step, nodes in _steps(solution) for node in nodes)
    ]
    others: list[Json] = [
        {"stages": list(each.stages), "seconds": round(each.seconds, 6), "reason": each.reason}
        for each in alternatives(solution)
    ]
    kept = _cached(solution)
    return {
        "source": solution.source,
        "convention": solution.convention,
        "request": _object(solution.request),
        "produces": str(solution.produces),
        "traits": list[Json](sorted(solution.produces.traits)),
        "seconds": round(solution.seconds, 6),
        "gigabytes": solution.size,
        "nodes": list[Json](nodes),
        "cache": None if kept is None else {"level": kept[0], "blocks": kept[1], "missing": kept[2]},
        "alternatives": others,
        "declined": [{"stage": name, "reason": reason} for name, reason in solution.declined],
        "remarks": list(solution.remarks),
        "answer": solution.answer,
        "plan": solution.plan,
    }


def _entry(step: Step, node: Node, *, administrator: bool) -> dict[str, Json]:
    """What is told of a node. Of several that are one stage, the first has its parameters and its price."""
    entry: dict[str, Json] = {
        "name": node.name,
        "role": step.spec.role,
        "kind": node.kind,
        "title": step.spec.title,
        "produces": str(node.produces),
        "consumes": [] if node.part else list(step.consumes),
        "inputs": list(node.inputs),
        "seconds": 0.0 if node.part else round(step.seconds, 6),
    }
    if node.program:
        entry["program"] = node.program
    if administrator and node.command:
        entry["command"] = [list(argv) for argv in node.command.argvs]
    return entry


def _object(pairs: Iterable[tuple[str, str]]) -> dict[str, Json]:
    """Pairs as a JSON object."""
    return dict(pairs)


def as_mermaid(solution: Solution) -> str:
    """The plan as a Mermaid flow chart, with the type on each arrow and the parameters in each box."""
    lines = ["flowchart LR"]
    for place, (step, node) in enumerate((step, node) for step, nodes in _steps(solution) for node in nodes):
        names = () if node.part else sorted(step.consumes, key=_reading_order)
        programs = (f"as {node.program}",) if node.program else ()
        words = "<br/>".join(_quoted(each) for each in (node.name, *programs, *names))
        lines.append(f'  n{place}["{words}"]')
    for place, node in enumerate(solution.nodes):
        lines += [f"  n{each} -->|{solution.nodes[each].produces}| n{place}" for each in node.inputs]
    lines.append(f'  n{len(solution.nodes) - 1} -->|{solution.produces}| client(["client"])')
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """Text inside a Mermaid label."""
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")


def shell_line(solution: Solution, program: str = "dasflex") -> str:
    """The equivalent shell pipeline: the reader's command, then `dasflex filter` for each stage.

    Stages are joined by pipes of bytes, so a run of in-process stages is one `dasflex filter` of several stages. A
    reader without a command runs in the process that asks: it is one `dasflex get`.
    """
    if any(node.kind == "producer" for node in solution.nodes):
        import shlex

        names = solution.asked | {name for step in solution.path.steps for name in step.consumes}
        words = [f"{name}={text}" for name, text in solution.request if name in names and name not in GOAL]
        form = zip(GOAL, (solution.produces.kind, solution.produces.version, solution.produces.variant), strict=True)
        words += [f"{name}={text}" for name, text in form if text]
        return shlex.join([program, "get", solution.source, *words])
    parts: list[str] = []
    inner: list[str] = []
    for node in solution.nodes:
        if node.command:
            parts += _filters(inner, program)
            inner = []
            parts.append(_command_line(node, program))
        else:
            inner += [*(["--then"] if inner else []), *_filter_words(node)]
    return " | ".join(parts + _filters(inner, program))


def _command_line(node: Node, program: str) -> str:
    """A node's own command, run where its definition is; what a classic program does is done by ours."""
    import shlex

    command = node.command
    if command is None:
        return ""
    if node.program:
        line = f"{program} filter {shlex.join((node.program, *command.argvs[0][1:]))}"
    else:
        settings = [f"{name}={shlex.quote(text)}" for name, text in command.environment]
        line = " ".join([*settings, shell_text(command.argvs)])
    return f"(cd {shlex.quote(command.directory)} && {line})" if command.directory else line


def _filter_words(node: Node) -> list[str]:
    """The words of one stage of `dasflex filter`."""
    facts = [f"said={node.facts.text()}"] if node.facts else []
    return [node.name, *facts, *(f"{name}={_plain(value)}" for name, value in node.values)]


def _plain(value: object) -> str:
    """A typed value as text: booleans and lists as in a URL."""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, tuple) else str(value)


def _filters(words: list[str], program: str) -> list[str]:
    """The command that runs in-process stages over a pipe, if there are any."""
    import shlex

    return [f"{program} filter {shlex.join(words)}"] if words else []

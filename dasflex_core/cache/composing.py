# SPDX-License-Identifier: GPL-3.0-or-later
"""What the cache offers a request: readers that are composed of blocks, and of the source's own reader for the gaps.

For a source with levels of bins, cached or not, bins lie on an absolute grid: their width is the largest multiple of
the level's that is not above what was asked, and the range is widened to whole bins. So an answer does not depend on
what happens to be kept. The solver then chooses a composed reader as it does any other, since that is cheaper.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal

from dasflex_core.cache.keeping import BEGIN, END, WIDTH, Kept, kept, levels_in
from dasflex_core.cache.levels import level_for
from dasflex_core.cache.periods import can_be_told
from dasflex_core.cache.pieces import Pieces
from dasflex_core.errors import AccessError
from dasflex_core.plan.parameters import value_text
from dasflex_core.plan.solver import Path, Step
from dasflex_core.plan.stage_index import binds
from dasflex_core.stages import Cost, ParamSpec, StageSpec
from dasflex_core.streamtype import ARRAYS
from dasflex_core.times import FOREVER, Time, format_time, parse_time
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dasflex_core.cache.levels import Level
    from dasflex_core.plan.binding import Bound
    from dasflex_core.plan.planner import Admit, Planner, Reasons
    from dasflex_core.plan.solution import Made
    from dasflex_core.plan.solver import Task

__all__ = ["Composed", "Use", "composed"]

#: What the composed readers are called: one gives arrays of bins, the other blocks as they are.
_BINS: Final = "blocks"
_BYTES: Final = "block-streams"
_ALIGN: Final = "bin.align"
_STATS: Final = "bin.stats"
_ENDS: Final = (BEGIN, END)
#: What blocks cost: seconds to look at them, and per gigabyte of what a reader would have written.
_COST: Final = Cost(0.002, 0.05)


@dataclass(frozen=True, slots=True)
class Use:
    """A composed reader: its declaration, the pieces that it is made of, and how many steps of its way it stands for.

    `names` are the parameters that it consumes.
    """

    spec: StageSpec
    kept: Kept
    pieces: Pieces
    stands_for: int
    names: frozenset[str]

    def whole(self, path: Path, request: Mapping[str, str]) -> Path:
        """The path that would give the same without the cache: what the answer is identified by."""
        steps = [
            Step(step.spec, self._consumed(step, request), step.seconds)
            for step in self.kept.usable().path.steps[: self.stands_for]
        ]
        return Path((*steps, *path.steps[1:]), path.seconds, path.produces)

    def made(self, planner: Planner, task: Task, path: Path) -> Made:
        """The nodes of a path that begins with this reader."""
        nodes = self.pieces.nodes(planner, self.spec, task)
        rest = Path(path.steps[1:], path.seconds, path.produces)
        return planner.made(self.kept.usable().bound, task, rest, nodes, self.whole(path, task.request))

    def _consumed(self, step: Step, request: Mapping[str, str]) -> tuple[str, ...]:
        """What a step of the way would consume of the request."""
        mine = set(step.consumes) | ({_STATS, _ALIGN} if WIDTH in step.consumes else set())
        return tuple(sorted(name for name in mine & self.names if name in request))


@dataclass(frozen=True, slots=True)
class Composed:
    """What the cache has for a task: the task on its grid with the composed readers, and why there are not more.

    `pieces` is what there is of the range.
    """

    task: Task
    level: Level | None = None
    pieces: Pieces | None = None
    uses: tuple[Use, ...] = ()
    declined: Reasons = ()

    def used(self, path: Path) -> Use | None:
        """The composed reader that a path begins with, if any."""
        return next((each for each in self.uses if each.spec is path.steps[0].spec), None)


def composed(planner: Planner, bound: Bound, task: Task, admit: Admit, now: Time) -> Composed:
    """What the cache has for a task of a source with levels. Raises `ConfigError` for levels that cannot be."""
    levels = levels_in(planner, bound)
    level = level_for(levels.every, task.request, bound.options)
    span = _span(task.request, now)
    if level is None or span is None:
        return Composed(task)
    if level.width and task.request.get(_ALIGN, "grid") != "grid":
        return Composed(task, declined=((_BINS, "bins that begin with the request are not those of blocks"),))
    if level.width:
        gridded = _gridded(level, task.request, span)
        if gridded is None:
            return Composed(task)
        if not _may(admit, task.request, gridded, now):
            return Composed(task, declined=((_BINS, "whole bins of the level are more than may be read"),))
        task = replace(task, request=gridded)
        span = _span(gridded, now) or span
    if not planner.cache_root:
        return Composed(task, level)
    found = kept(planner, bound, level, levels, (task.request[BEGIN], task.request[END]))
    return _offered(Composed(task, level), found, span, now)


def _span(request: Mapping[str, str], now: Time) -> tuple[int, int] | None:
    """The range of a request in nanoseconds; None where it has no end."""
    texts = [request.get(name, "") for name in _ENDS]
    if not all(texts):
        return None
    begin, end = (parse_time(text, now=now) for text in texts)
    return None if FOREVER in (begin, end) or begin.ns >= end.ns else (begin.ns, end.ns)


def _gridded(level: Level, request: Mapping[str, str], span: tuple[int, int]) -> dict[str, str] | None:
    """The request with whole bins of a multiple of the level's width; None where these reach beyond all times."""
    width = level.multiple(float(request[WIDTH]))
    begin, end = level.widened(*span, width)
    if not can_be_told(begin, end):
        return None
    return {
        **request,
        BEGIN: format_time(Time(begin)),
        END: format_time(Time(end)),
        WIDTH: value_text(width / 1e9),
        _ALIGN: "grid",
    }


def _may(admit: Admit, asked: Mapping[str, str], gridded: Mapping[str, str], now: Time) -> bool:
    """Whether who asks may have the request on the grid. What was granted before is granted again where not."""
    if all(asked.get(name) == text for name, text in gridded.items()):
        return True
    try:
        changes = admit(gridded, now)
    except AccessError:
        changes = {WIDTH: ""}
    if changes:
        admit(asked, now)
    return not changes


def _offered(found: Composed, level: Kept, span: tuple[int, int], now: Time) -> Composed:
    """The composed readers that a level gives a task."""
    name = _BINS if level.level.width else _BYTES
    if level.declined:
        return replace(found, declined=((name, level.declined),))
    way = level.usable()
    request = found.task.request
    if "median" in request.get(_STATS, "").split(","):
        return replace(found, declined=((name, "medians are of no level: they cannot be made of other medians"),))
    pieces = Pieces.of(level, span, now.ns, fill=way.bound.definition.cache.fill)
    found = replace(found, pieces=pieces)
    if not pieces.useful:
        return replace(found, declined=((name, f"there are no blocks of {level.level.title} in the range"),))
    uses = []
    if level.level.width:
        uses.append(_use(level, pieces, request, "items"))
        if pieces.aligned and pieces.complete and _as_kept(level, request):
            uses.append(_use(level, pieces, request, "bytes"))
    else:
        uses.append(_use(level, pieces, request, "bytes"))
    task = replace(found.task, stages=(*found.task.stages, *(each.spec for each in uses)))
    return replace(found, task=task, uses=tuple(uses))


def _as_kept(level: Kept, request: Mapping[str, str]) -> bool:
    """Whether a request asks for the very bins of a level."""
    own = level.usable().task.request
    return request.get(WIDTH) == own.get(WIDTH) and request.get(_STATS, "mean") == own.get(_STATS, "mean")


def _use(level: Kept, pieces: Pieces, request: Mapping[str, str], how: Literal["items", "bytes"]) -> Use:
    """The composed reader of a level that gives the arrays of bins, or blocks as they are."""
    way = level.usable()
    steps = way.path.steps
    stands_for = way.before + 1 if how == "items" else len(steps)
    exact = bool(level.level.width) or pieces.aligned
    kept_pieces = replace(pieces, how=how)
    names = {name for step in steps[:stands_for] for name in step.consumes if exact or name not in _ENDS}
    names = (names | ({_STATS, _ALIGN} if level.level.width else set())) & request.keys()
    traits: frozenset[str] = frozenset()
    for step in steps[:stands_for]:
        traits = (traits - step.spec.drops) | step.spec.adds
    params = [
        replace(param, name=name, mode="required", attribute="")
        for name in sorted(names)
        if (param := _declared(way.path, name))
    ]
    spec = StageSpec(
        name=_BINS if how == "items" else _BYTES,
        title=f"Cache: {level.level.title}",
        accepts=None,
        produces=ARRAYS if how == "items" else way.path.produces,
        factory="",
        protocol="process",
        adds=traits,
        params=tuple(params),
        reads=() if exact else _ENDS,
        cost=_price(steps[:stands_for], pieces.missing),
        exact=exact,
        bundled=True,
        origin=steps[0].spec.origin,
    )
    return Use(spec, level, kept_pieces, stands_for, frozenset(names))


def _declared(path: Path, name: str) -> ParamSpec | None:
    """What the first step of a path that takes a parameter declares of it; None where none does."""
    found = (param for step in path.steps for param in step.spec.params if binds(param.name, name) is not None)
    return next(found, None)


def _price(steps: tuple[Step, ...], missing: float) -> Cost:
    """What it costs to use blocks, and to read the share that is missing: always less than the steps they stand for."""
    start = sum(step.spec.cost.start for step in steps)
    per_gb = sum(step.spec.cost.per_gb for step in steps)
    look = min(_COST.start, start / 20), min(_COST.per_gb, per_gb / 20)
    return Cost(look[0] + (0.9 * start if missing else 0.0), look[1] + 0.9 * per_gb * missing)

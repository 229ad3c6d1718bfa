# SPDX-License-Identifier: GPL-3.0-or-later
"""The pieces of a range of a level: blocks, and gaps that the source's reader fills; and the nodes that join them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from itertools import groupby, islice
from typing import TYPE_CHECKING, Final, Literal

from dasflex_core.cache.filling import Filling
from dasflex_core.cache.keeping import BEGIN, END, WIDTH, Kept, Way
from dasflex_core.plan.graph import Node, Nodes
from dasflex_core.plan.identity import answer_id, digest
from dasflex_core.plan.solver import Path
from dasflex_core.plan.stating import facts_for
from dasflex_core.stages import StageSpec
from dasflex_core.streamtype import ARRAYS
from dasflex_core.times import FOREVER, Time, format_time, parse_range
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dasflex_core.cache.store import Stretch
    from dasflex_core.catalog.model import Facts
    from dasflex_core.plan.planner import Planner
    from dasflex_core.plan.solver import Task
    from dasflex_core.stages import Value

__all__ = ["Pieces", "facts_of", "told_apart"]

#: Blocks of records that one request leaves behind, at most: each is read by a reader of its own.
_MOST_RECORDS: Final = 16
_STATS: Final = "bin.stats"


@dataclass(frozen=True, slots=True)
class Pieces:
    """What there is of the range `span`, in nanoseconds: stretches with a block and without.

    `held` is from when to when the source may have periods that are over: others are never kept, since they would be
    made again, or are empty. With `fill`, gaps leave blocks behind. `how` says whether moments of bins are wanted, or
    streams as they are.
    """

    kept: Kept
    stretches: tuple[Stretch, ...]
    span: tuple[int, int]
    held: tuple[int, int]
    fill: bool = False
    how: Literal["items", "bytes"] = "items"

    @classmethod
    def of(cls, kept: Kept, span: tuple[int, int], now: int, *, fill: bool) -> Pieces:
        """The pieces of a range, as they are on the disk now."""
        found = []
        for each in kept.shelf.look(*span):
            if each.block is None:
                found.append(replace(each, begin=max(each.begin, span[0]), end=min(each.end, span[1])))
            else:
                found.append(each)
        return cls(kept, tuple(found), span, _held(kept, now), fill)

    @property
    def useful(self) -> bool:
        """Whether the cache has a part in the answer: there is a block, or one is left behind."""
        return any(each.block for each in self.stretches) or bool(self._whole())

    @property
    def aligned(self) -> bool:
        """Whether the range begins and ends with blocks."""
        period = self.kept.shelf.period
        return all(period.snap(each) == each for each in self.span)

    @property
    def complete(self) -> bool:
        """Whether all is there in blocks with data that say what the definition says, in words, too."""
        blocks = [each.block for each in self.stretches]
        if not all(blocks):
            return False
        words = told_apart(facts_of(self.kept.usable()))
        return any(each.records for each in blocks if each) and all(each.facts == words for each in blocks if each)

    @property
    def missing(self) -> float:
        """The share of the range for which there are no blocks, from 0 to 1."""
        gaps = sum(each.end - each.begin for each in self.stretches if each.block is None)
        return gaps / max(1, self.span[1] - self.span[0])

    def counts(self) -> tuple[int, int]:
        """How many blocks are used, and how many periods have none."""
        period = self.kept.shelf.period
        gaps = [each for each in self.stretches if each.block is None]
        return len(self.stretches) - len(gaps), sum(period.count(each.begin, each.end) for each in gaps)

    def wanted(self, most: int) -> list[tuple[int, int]]:
        """The periods, up to so many, that are over, have no block, and get none from this request."""
        period, filled = self.kept.shelf.period, self._whole()
        found: list[tuple[int, int]] = []
        for each in self.stretches:
            if each.block is not None:
                continue
            at, last = max(each.begin, self.held[0]), min(each.end, self.held[1])
            while at < last and len(found) < most:
                begin, end = period.snap(at), period.next(at)
                at = next((after for first, after in filled if first <= begin < after), end)
                if at == end:
                    found.append((begin, end))
        return found

    def nodes(self, planner: Planner, spec: StageSpec, task: Task) -> Nodes:
        """The nodes that give the range: files and gaps, joined; where bins are wanted, those that the task asks."""
        made: list[Node] = []
        tails: list[int] = []
        for run in self._runs():
            part = (self._file(planner, spec, run),) if run[0].block else self._gap(planner, run[0])
            made += [replace(each, inputs=tuple(place + len(made) for place in each.inputs)) for each in part]
            tails.append(len(made) - 1)
        if len(tails) > 1:
            made.append(Node(spec.name, "concat", spec.produces, tuple(tails)))
        if self.how == "items":
            made.append(_widen(planner, task, len(made) - 1))
        return tuple(replace(each, part=place) for place, each in enumerate(made))

    def leaving(self, planner: Planner) -> Nodes:
        """The nodes that read the whole range, which has no blocks, and leave these behind."""
        return self._gap(planner, self.stretches[0])

    def gap(self, planner: Planner, begin: int, end: int) -> Nodes:
        """The nodes that give a part of the range without blocks, in place of one that is broken."""
        return self._read(planner, begin, end)

    def _runs(self) -> Iterator[list[Stretch]]:
        """Blocks that follow one another together; each gap alone, and blocks of records that are filled."""
        for there, some in groupby(self.stretches, key=lambda each: each.block is not None):
            if there:
                yield list(some)
            else:
                for gap in some:
                    yield from ([each] for each in self._cut(gap))

    def _cut(self, gap: Stretch) -> Iterator[Stretch]:
        """A gap; where records are kept, cut into what is not filled and blocks that are."""
        at = gap.begin
        if self.how == "bytes":
            for begin, end in self._whole():
                if gap.begin <= begin and end <= gap.end:
                    if at < begin:
                        yield replace(gap, begin=at, end=begin)
                    yield replace(gap, begin=begin, end=end)
                    at = end
        if at < gap.end:
            yield replace(gap, begin=at)

    def _whole(self) -> list[tuple[int, int]]:
        """The ranges of whole periods that are filled: of bins as long as they come, of records each."""
        if not self.fill:
            return []
        period = self.kept.shelf.period
        found: list[tuple[int, int]] = []
        for each in self.stretches:
            first, last = max(each.begin, self.held[0]), min(each.end, self.held[1])
            begin, end = first if period.snap(first) == first else period.next(first), period.snap(last)
            if each.block is None and begin < end:
                one_by_one = islice(period.over(begin, end), _MOST_RECORDS + 1)
                found += [(begin, end)] if self.kept.level.width else one_by_one
        return found if self.kept.level.width or len(found) <= _MOST_RECORDS else []

    def _file(self, planner: Planner, spec: StageSpec, run: list[Stretch]) -> Node:
        """The node that gives blocks."""
        blocks = tuple(each.block for each in run if each.block)
        facts = facts_of(self.kept.usable())
        old = self.how == "items" and any(each.facts != told_apart(facts) for each in blocks)
        span = self.span if self.how == "items" else None
        reading = _reading(planner, spec) if self.how == "items" else None
        told = facts if old else None
        return Node(spec.name, "file", spec.produces, (), reading, blocks=blocks, span=span, facts=told)

    def _gap(self, planner: Planner, gap: Stretch) -> Nodes:
        """The nodes that read a gap, and leave blocks behind where whole ones pass."""
        nodes = self._read(planner, gap.begin, gap.end)
        filled = [each for each in self._whole() if gap.begin <= each[0] and each[1] <= gap.end]
        if not filled:
            return nodes
        filling = self.filling(planner, *filled[0])
        return (*nodes, Node("fill", "tee", nodes[-1].produces, (len(nodes) - 1,), filling=filling))

    def _read(self, planner: Planner, begin: int, end: int) -> Nodes:
        """The nodes that read a range: of bins their moments, of records the stream."""
        way = self.kept.usable()
        request = {**way.task.request, BEGIN: format_time(Time(begin)), END: format_time(Time(end))}
        steps = way.path.steps[: way.before] if self.how == "items" else way.path.steps
        path = Path(steps, way.path.seconds, steps[-1].spec.produces)
        nodes = planner.made(way.bound, replace(way.task, request=request), path, whole=way.path).nodes
        if self.how == "bytes":
            return nodes
        return (*nodes, _sums(planner, way, len(nodes) - 1))

    def filling(self, planner: Planner, begin: int, end: int) -> Filling:
        """What is left behind of whole periods."""
        way = self.kept.usable()
        produces = way.path.produces
        info = planner.registry.stream_type(produces)
        finish: Nodes = ()
        writer = ""
        if self.kept.level.width and (summing := planner.registry.summing):
            rest = Path(way.path.steps[way.before + 1 :], way.path.seconds, produces)
            first = (Node("sums", "file", ARRAYS), _widen(planner, way.task, 0))
            finish = planner.made(way.bound, way.task, rest, first, way.path).nodes
            writer = summing.write
        return Filling(
            self.kept.shelf,
            begin,
            end,
            info.suffix if info else "d2s",
            partial(planner.registry.framer, produces),
            partial(_answer, planner, way),
            told_apart(facts_of(way)),
            finish,
            writer,
        )


def _held(kept: Kept, now: int) -> tuple[int, int]:
    """From when to when a source may have periods that are over, in nanoseconds: by its range, and by now."""
    period = kept.shelf.period
    first, last = -(1 << 62), period.snap(now)
    bound = kept.usable().bound
    for definition in (*(each.definition for each in bound.stages.values() if each.reader), bound.definition):
        if definition.range is None:
            continue
        begin, end = parse_range(str(definition.range), now=Time(now))
        first = max(first, period.snap(begin.ns))
        last = min(last, period.next(end.ns - 1)) if end != FOREVER else last
    return first, last


def facts_of(way: Way) -> Facts | None:
    """What the definition says of the variables where they are decoded, before the bins."""
    found = (facts_for(way.bound, way.path, place) for place in range(way.before))
    return next((each for each in found if each), None)


def told_apart(facts: Facts | None) -> str:
    """A short text that tells what definitions say apart."""
    return digest(facts.text()) if facts else ""


def _answer(planner: Planner, way: Way, begin: int, end: int) -> str:
    """The id of the answer that the block of a period is."""
    request = {**way.task.request, BEGIN: format_time(Time(begin)), END: format_time(Time(end))}
    effective = planner.effective(way.path, request, way.bound)
    return answer_id(way.bound.definition.id, effective.items(), way.path, way.bound.changed)


def _reading(planner: Planner, spec: StageSpec) -> StageSpec:
    """What reads the moments of blocks."""
    summing = planner.registry.summing
    return replace(spec, factory=summing.read if summing else "")


def _sums(planner: Planner, way: Way, before: int) -> Node:
    """The node that makes the moments of a level's bins."""
    summing = planner.registry.summing
    factory = summing.sums if summing else ""
    spec = StageSpec("sums", "Moments of the values in bins of time", ARRAYS, ARRAYS, factory)
    return Node("sums", "stage", ARRAYS, (before,), spec, (("seconds", float(way.task.request[WIDTH])),))


def _widen(planner: Planner, task: Task, before: int) -> Node:
    """The node that makes the bins of a request of moments."""
    summing = planner.registry.summing
    spec = StageSpec("widen", "Statistics of wider bins", ARRAYS, ARRAYS, summing.widen if summing else "")
    stats = tuple(task.request.get(_STATS, "mean").split(","))
    values: tuple[tuple[str, Value], ...] = (("seconds", float(task.request[WIDTH])), ("stats", stats))
    return Node("widen", "stage", ARRAYS, (before,), spec, values)

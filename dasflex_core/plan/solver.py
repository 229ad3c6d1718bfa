# SPDX-License-Identifier: GPL-3.0-or-later
"""The solver: the cheapest path from nothing to the wanted type on which each parameter is consumed exactly once.

The search is Dijkstra's over states *(type, traits, family, consumed)*, hastened in two ways: by what must at least
still be paid from a kind of stream to the goal's (A*), and by looking at the stages that may follow a state in the
order of that sum, no further than needed. It is pure: everything that looks at the disk was bound before. What it
promises:

* **Exact.** Costs are not negative and a state holds all that decides what may follow, so the first goal state taken
  from the queue is the cheapest. `tests/dasflex_core/plan/test_solver.py` compares it with brute force.
* **Each parameter once.** A bit of `consumed` is set when a stage consumes the parameter; a stage whose parameter is
  set already cannot be taken. At the goal all bits of `must` are set.
* **Families in order.** A stage may consume only families whose place is not before that of the state. What binds to
  an axis that no reader gives, as `read.frequency.max` to the frequencies of a transform, has no place before the
  families of the stages which make that axis, and is consumed as if it were one of them.
* **Settled.** Costs are whole nanoseconds, so that equal ones are equal whatever the order of the sum. They are
  decided by preference (the fewest steps that are not the most preferred stage, then not among the two most preferred,
  and so on), then by the fewest stages of third parties, the fewest stages, and the names on the path; and of the same
  stages, those that consume the most.

>>> from dasflex_core.stages import Cost, ParamSpec, StageSpec
>>> from dasflex_core.streamtype import StreamType
>>> das, arrays = StreamType("das", "2"), StreamType("arrays")
>>> bins = ParamSpec("bin.time.max", mode="offered")
>>> reader = StageSpec("reader", "", None, das, "m:r", params=(bins,), adds=frozenset({"waveform"}))
>>> decode = StageSpec("decode", "", das, arrays, "m:d", cost=Cost(0.1))
>>> psd = StageSpec("psd", "", arrays, arrays, "m:p", needs=frozenset({"waveform"}),
...                 params=(ParamSpec("dft.length"),), cost=Cost(0.1))
>>> bin = StageSpec("bin", "", arrays, arrays, "m:b", params=(ParamSpec("bin.time.max"),), cost=Cost(0.1))
>>> stages = (reader, decode, psd, bin)
>>> request = {"dft.length": "800", "bin.time.max": "60"}
>>> path = solve(Task(StageIndex(stages), request, frozenset(request), arrays))
>>> [step.spec.name for step in path.steps]
['reader', 'decode', 'psd', 'bin']

The reader could have averaged, and more cheaply; but then no stage of the family `dft` may follow.
"""

from __future__ import annotations

from dataclasses import field
from heapq import heappop, heappush
from itertools import combinations
from operator import itemgetter
from typing import TYPE_CHECKING

from dasflex_core.plan.stage_index import Entry, Next, StageIndex, TypeKey, binds, entry_of, following_of
from dasflex_core.streamtype import AXIS, StreamType
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dasflex_core.stages import Mode, ParamSpec, StageSpec

__all__ = ["PLACES", "Path", "StageIndex", "Step", "Task", "binds", "solve"]

#: The places of the core's families in a path. Plugins register others between.
PLACES: dict[str, int] = {"read": 100, "dft": 200, "calc": 300, "bin": 400, "view": 500, "format": 600}
#: A parameter of no registered family may be consumed at any place: its place is past them all.
_LAST = 1_000_000


@dataclass(frozen=True, slots=True)
class Step:
    """A stage on the path, and the names of the parameters of the request that it consumes."""

    spec: StageSpec
    consumes: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Path:
    """A solved path: its steps from the reader on, its price in seconds, and the type and traits at its end."""

    steps: tuple[Step, ...]
    seconds: float
    produces: StreamType


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be solved.

    `request` is the client's parameters over the definition's defaults, without those that make the goal; `must` names
    those that have to be consumed. `goal` is the wanted type (blank parts: any) and `wanted` the traits it must have.
    `stages` are those of the source itself (its readers) and are looked at beside the index. `gigabytes` is the
    expected size, `places` the order of the families, `prefer` names preferred stages, the most preferred first,
    `banned` the stages that may not be used.
    """

    index: StageIndex
    request: Mapping[str, str]
    must: frozenset[str]
    goal: StreamType
    stages: tuple[StageSpec, ...] = ()
    gigabytes: float = 0.01
    places: Mapping[str, int] = field(default_factory=lambda: PLACES)
    prefer: tuple[str, ...] = ()
    banned: frozenset[str] = frozenset()
    wanted: frozenset[str] = frozenset()

    def declared(self, name: str) -> list[ParamSpec]:
        """What the stages of the index and of the source declare of a parameter."""
        own = [param for stage in self.stages for param in stage.params if binds(param.name, name) is not None]
        return own + self.index.declared(name)


#: One way to take a stage: what it consumes as a bit mask, the first and last place of the families, the axes that must
#: be there, and the names consumed.
_Choice = tuple[int, int, int, frozenset[str], tuple[str, ...]]
_State = tuple[TypeKey, frozenset[str], int, int]
#: What settles equal costs: preference, stages of third parties, stages in all, and their names.
_Ties = tuple[int, int, int, tuple[str, ...]]
#: How a state was reached: the ties on the way, the move, and the cost.
_Before = tuple[_Ties, int, int, _State]
#: The bound, whether it is a state, the ties, the parameters left, the move, the cost, the state, the place among its
#: followers.
_Queued = tuple[int, int, _Ties, int, int, int, _State, int]
#: More than the steps of any path: the base in which steps are counted for each rank of preference.
_STEPS = 1000


class _Search:
    """One search: A* over the states of a task, with the start-up cost that must still come as the lower bound."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.bits = {name: 1 << place for place, name in enumerate(task.request)}
        self.must = sum(self.bits[name] for name in task.must)
        self.own = tuple(entry_of(stage) for stage in task.stages if stage.accepts is not None)
        self.choices: dict[Entry, list[_Choice]] = {}
        # Named twice, a stage has the better of its places.
        self.preferred = {name: place for place, name in enumerate(dict.fromkeys(task.prefer))}
        self.contested = {name for name in task.request if self._claims(name) > 1}
        self.usable: dict[TypeKey, list[Next]] = {}
        self.births: dict[str, int] = {}
        self.rest = self._rest()

    def _claims(self, name: str) -> int:
        """How many stages could consume a parameter, at most."""
        return len(self.task.declared(name))

    def _ways(self, entry: Entry) -> list[_Choice]:
        """The ways to take a stage with this request; none where a required parameter is not given.

        A stage binds its wildcards to one coordinate. For another it is taken once more.
        """
        if entry in self.choices:
            return self.choices[entry]
        ways: list[_Choice] = []
        self.choices[entry] = ways
        given = self.task.request.keys()
        if entry.spec.name in self.task.banned or not entry.required <= given:
            return ways
        always, groups = entry.required | (entry.modifiers & given), self._groups(entry)
        for coord, fixed, free in self._bindings(entry) if entry.patterns else [("", frozenset(), [])]:
            axes = frozenset({AXIS + coord} if coord else ())
            choosable = groups + [each for each in free if each.isdisjoint(always)]
            for size in range(len(choosable), -1, -1):
                for some in combinations(choosable, size):
                    way = self._way(always.union(fixed, *some), axes)
                    if way[0] or not entry.inert:
                        ways.append(way)
        return ways

    def _bindings(self, entry: Entry) -> Iterator[tuple[str, frozenset[str], list[frozenset[str]]]]:
        """The coordinates to which wildcards may be bound, with what is then consumed, and what may be."""
        found: dict[str, dict[Mode, list[str]]] = {}
        required = 0
        for pattern in entry.patterns:
            required += pattern.mode == "required" and pattern.default is None
            for name in self.task.request:
                if coord := binds(pattern.name, name):
                    mode: Mode = "offered" if pattern.mode == "required" and pattern.default else pattern.mode
                    found.setdefault(coord, {}).setdefault(mode, []).append(name)
        for coord, names in found.items():
            needed, offered = names.get("required", []), names.get("offered", [])
            if len(needed) == required:
                fixed = frozenset([*needed, *names.get("modifier", [])])
                yield coord, fixed, [frozenset({name}) for name in offered]
        if not required:
            yield "", frozenset(), []

    def _groups(self, entry: Entry) -> list[frozenset[str]]:
        """The offered parameters of the request in groups that are taken or left together.

        A parameter that another stage could consume, or that need not be consumed, is a group of its own. The others
        of one family make one group: if the stage is on the path more than once, its last place may take them all. A
        reader is there once, and takes those without a choice.
        """
        groups: list[frozenset[str]] = []
        families: dict[str, set[str]] = {}
        for name in sorted(entry.offered & self.task.request.keys()):
            if name in self.contested or name not in self.task.must:
                groups.append(frozenset({name}))
            else:
                families.setdefault(name.partition(".")[0], set()).add(name)
        return groups + [frozenset(names) for names in families.values()]

    def _way(self, names: frozenset[str], axes: frozenset[str]) -> _Choice:
        """The choice that consumes these parameters."""
        places = [place for name in names if (place := self._place(name, axes)) is not None]
        return (
            sum(self.bits[name] for name in names),
            min(places, default=_LAST),
            max(places, default=0),
            axes,
            tuple(sorted(names)),
        )

    def _place(self, name: str, axes: frozenset[str]) -> int | None:
        """The place at which a parameter is consumed, bound to one of the axes or to none; None for any place."""
        family, _, rest = name.partition(".")
        place = self.task.places.get(family)
        axis = AXIS + rest.rpartition(".")[0]
        return place if place is None or axis not in axes else max(place, self._birth(axis))

    def _birth(self, axis: str) -> int:
        """The first place of the families which stages that make the axis require; 0 where a reader gives it."""
        if axis not in self.births:
            stages = (*self.task.index.stages, *self.task.stages)
            makers = [stage for stage in stages if axis in stage.adds]
            required = [[each for each in stage.params if each.mode == "required"] for stage in makers]
            places = [max((self.task.places.get(each.family, 0) for each in some), default=0) for some in required]
            given = any(stage.accepts is None for stage in makers)
            self.births[axis] = 0 if given else min(places, default=0)
        return self.births[axis]

    def _following(self, kind: TypeKey) -> list[Next]:
        """The stages that this request may use after a type, the cheapest first; those of the source among them."""
        found = self.usable.get(kind)
        if found is None:
            task, given = self.task, self.task.request.keys()
            if self.own:
                produced, rest = StreamType(*kind), self.rest
                fitting = task.index.accepting(produced) + tuple(
                    each for each in self.own if each.spec.accepts and produced.serves(each.spec.accepts)
                )
                nexts = [
                    following_of(each, rest[each.produces[0]], task.gigabytes)
                    for each in fitting
                    if each.produces[0] in rest and each.required <= given
                ]
                found = sorted(nexts, key=itemgetter(0))
            else:
                following = task.index.following(kind, task.goal.kind, task.gigabytes)
                found = [each for each in following if each[2].required <= given]
            self.usable[kind] = found
        return found

    def _rest(self) -> dict[str, int]:
        """What must at least still be paid from a kind of stream on; a stage of the source may open a way of its own.

        It is the same for a state however that was reached, and never more than a step costs beyond what is left after
        it: so the first time that a state is taken from the queue is the cheapest.
        """
        index, goal = self.task.index, self.task.goal.kind
        return index.distances_with(self.task.stages, goal) if self.own else index.distances(goal)

    def run(self) -> Path | None:
        """The best path, or None."""
        goal, wanted, must = self.task.goal, self.task.wanted, self.must
        nothing: _State = (("", "", ""), frozenset(), 0, 0)
        # Entries with 0 take up the stages that follow a state where they were left; those with 1 are states. So all
        # moves of one price are known before the first state of that price is taken, and ties are settled right.
        self.queue: list[_Queued] = []
        self.moves: list[tuple[Entry, _Choice, int]] = []
        self.done: set[_State] = set()
        for entry in self.task.index.readers(self.task.stages):
            if entry.produces[0] in self.rest:
                following = following_of(entry, self.rest[entry.produces[0]], self.task.gigabytes)
                self._take(following, ((0, 0, 0, ()), -1, 0, nothing))
        while self.queue:
            _bound, is_state, ties, _left, at, cost, state, place = heappop(self.queue)
            if not is_state:
                self._expand(place, (ties, at, cost, state))
                continue
            if state in self.done:
                continue
            self.done.add(state)
            kind, traits, _family, consumed = state
            produced = StreamType(*kind)
            if consumed & must == must and produced.serves(goal) and wanted <= traits:
                return self._path(at, cost, produced.with_traits(traits))
            self._expand(0, (ties, at, cost, state))
        return None

    def _expand(self, place: int, before: _Before) -> None:
        """Takes the stages that follow a state from a place in their order on, as long as they cost the same."""
        ties, at, cost, state = before
        following = self._following(state[0])
        if place >= len(following):
            return
        bound = following[place][0]
        while place < len(following) and following[place][0] == bound:
            self._take(following[place], before)
            place += 1
        if place < len(following):
            heappush(self.queue, (cost + following[place][0], 0, ties, 0, at, cost, state, place))

    def _take(self, following: Next, before: _Before) -> None:
        """Queues the states that follow when the stage is taken, in each of its ways."""
        with_rest, cost, entry = following
        ways = self._ways(entry)
        ties, at, paid, (_kind, traits, family, consumed) = before
        spec = entry.spec
        if not ways or not spec.needs <= traits or spec.refuses & traits:
            return
        ties = self._tied(ties, spec)
        after = (traits - spec.drops) | spec.adds
        for way in ways:
            takes, low, high, axes, _names = way
            if takes & consumed or low < family or not axes <= traits:
                continue
            state = (entry.produces, after, max(family, high), consumed | takes)
            if state not in self.done:
                self.moves.append((entry, way, at))
                move, left = len(self.moves) - 1, -state[3].bit_count()
                heappush(self.queue, (paid + with_rest, 1, ties, left, move, paid + cost, state, 0))

    def _tied(self, ties: _Ties, spec: StageSpec) -> _Ties:
        """What settles equal costs, with one stage more on the way.

        Each part grows with a stage or stays, and adding a stage keeps the order of two ways, as Dijkstra's needs.
        """
        unloved, strangers, count, names = ties
        if self.preferred:
            ranks = len(self.preferred)
            place = self.preferred.get(spec.name, ranks)
            unloved += sum(_STEPS ** (ranks - 1 - better) for better in range(place))
        return unloved, strangers + (not spec.bundled), count + 1, (*names, spec.name)

    def _path(self, at: int, paid: int, produces: StreamType) -> Path:
        """The steps that led to a move."""
        steps: list[Step] = []
        while at >= 0:
            entry, way, at = self.moves[at]
            cost = entry.spec.cost
            steps.append(Step(entry.spec, way[4], cost.start + cost.per_gb * self.task.gigabytes))
        return Path(tuple(reversed(steps)), paid / 1e9, produces)


def solve(task: Task) -> Path | None:
    """The cheapest path of the task, or None where there is none (`dasflex_core.plan.diagnosis` then says why)."""
    return _Search(task).run()

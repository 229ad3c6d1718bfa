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
* **Families in order.** A stage may consume only families whose place is not before that of the state.
* **Settled.** Equal costs are decided by preference, then bundled before third party, then the names on the path.

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

from dataclasses import dataclass, field
from heapq import heappop, heappush
from itertools import combinations
from typing import TYPE_CHECKING

from dasflex_core.streamtype import AXIS, StreamType

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dasflex_core.stages import ParamSpec, StageSpec

__all__ = ["PLACES", "Path", "StageIndex", "Step", "Task", "binds", "solve"]

#: The places of the core's families in a path. Plugins register others between.
PLACES: dict[str, int] = {"read": 100, "dft": 200, "calc": 300, "bin": 400, "view": 500, "format": 600}
#: A parameter of no registered family may be consumed at any place: its place is past them all.
_LAST = 1_000_000

_Type = tuple[str, str, str]


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


@dataclass(frozen=True, slots=True, eq=False)
class _Entry:
    """A stage, with what the search asks of it worked out beforehand."""

    spec: StageSpec
    required: frozenset[str]
    offered: frozenset[str]
    modifiers: frozenset[str]
    patterns: tuple[ParamSpec, ...]
    produces: _Type
    inert: bool


def _entry(spec: StageSpec) -> _Entry:
    """The stage as the search wants it. One that changes neither type nor traits is inert unless it consumes."""
    plain = [param for param in spec.params if "{" not in param.name]
    produced = spec.produces
    return _Entry(
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


#: A stage that may follow: its cost and the least that must follow it, its cost, and the stage.
_Next = tuple[float, float, _Entry]


def _next(entry: _Entry, rest: float, gigabytes: float) -> _Next:
    """The stage with its price for so much data, and with the least that must still be paid after it."""
    cost = entry.spec.cost.start + entry.spec.cost.per_gb * gigabytes
    return cost + rest, cost, entry


def _bound(following: _Next) -> float:
    """What a stage that may follow is sorted by."""
    return following[0]


class StageIndex:
    """The stages of a registry, arranged for the search: by the type that they accept."""

    def __init__(self, stages: Iterable[StageSpec]) -> None:
        self.stages = tuple(stages)
        self._readers = tuple(_entry(stage) for stage in self.stages if stage.accepts is None)
        self._others = tuple(_entry(stage) for stage in self.stages if stage.accepts is not None)
        self.patterns = tuple(param.name for each in self._others for param in each.patterns)
        self.claims: dict[str, int] = {}
        for each in (*self._readers, *self._others):
            for name in each.required | each.offered | each.modifiers:
                self.claims[name] = self.claims.get(name, 0) + 1
        self._following: dict[tuple[_Type, str, float], tuple[_Next, ...]] = {}
        self._distances: dict[str, dict[str, float]] = {}

    def readers(self, own: Iterable[StageSpec]) -> tuple[_Entry, ...]:
        """The readers: those of the registry and those of the source."""
        return (*self._readers, *(_entry(stage) for stage in own if stage.accepts is None))

    def accepting(self, produced: StreamType) -> tuple[_Entry, ...]:
        """The stages that accept a type."""
        return tuple(each for each in self._others if each.spec.accepts and produced.serves(each.spec.accepts))

    def following(self, kind: _Type, goal: str, gigabytes: float) -> tuple[_Next, ...]:
        """The stages that accept a type and from which the goal's kind can be reached, the cheapest first."""
        key = (kind, goal, gigabytes)
        if key not in self._following:
            if len(self._following) > 1000:
                self._following.clear()
            produced, rest = StreamType(*kind), self.distances(goal)
            found = [
                _next(each, rest[each.produces[0]], gigabytes)
                for each in self._others
                if each.spec.accepts is not None and each.produces[0] in rest and produced.serves(each.spec.accepts)
            ]
            self._following[key] = tuple(sorted(found, key=_bound))
        return self._following[key]

    def distances(self, goal: str) -> dict[str, float]:
        """Seconds, at least, from a kind of stream to the goal's kind: start-up only, parameters and traits ignored."""
        if goal not in self._distances:
            into: dict[str, list[tuple[float, str]]] = {}
            for each in self._others:
                if each.spec.accepts is not None:
                    into.setdefault(each.produces[0], []).append((each.spec.cost.start, each.spec.accepts.kind))
            found: dict[str, float] = {}
            queue = [(0.0, goal)]
            while queue:
                seconds, kind = heappop(queue)
                if kind in found:
                    continue
                found[kind] = seconds
                for start, before in into.get(kind, ()):
                    if before not in found:
                        heappush(queue, (seconds + start, before))
            self._distances[goal] = found
        return self._distances[goal]


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


#: One way to take a stage: what it consumes as a bit mask, the first and last place of the families, the axes that must
#: be there, and the names consumed.
_Choice = tuple[int, int, int, frozenset[str], tuple[str, ...]]
_State = tuple[_Type, frozenset[str], int, int]
_Rank = tuple[int, int, str]
#: How a state was reached: the ranks on the way, the move, and the seconds.
_Before = tuple[tuple[_Rank, ...], int, float, _State]
_Queued = tuple[float, int, tuple[_Rank, ...], int, float, _State, int]


class _Search:
    """One search: A* over the states of a task, with the start-up cost that must still come as the lower bound."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.bits = {name: 1 << place for place, name in enumerate(task.request)}
        self.must = sum(self.bits[name] for name in task.must)
        self.own = tuple(_entry(stage) for stage in task.stages if stage.accepts is not None)
        self.choices: dict[_Entry, list[_Choice]] = {}
        self.preferred = {name: place for place, name in enumerate(task.prefer)}
        self.contested = {name for name in task.request if self._claims(name) > 1}
        self.usable: dict[_Type, list[_Next]] = {}

    def _claims(self, name: str) -> int:
        """How many stages could consume a parameter, at most."""
        index = self.task.index
        own = sum(binds(param.name, name) is not None for stage in self.task.stages for param in stage.params)
        return index.claims.get(name, 0) + own + sum(binds(pattern, name) is not None for pattern in index.patterns)

    def _ways(self, entry: _Entry) -> list[_Choice]:
        """The ways to take a stage with this request; none where a required parameter is not given."""
        if entry in self.choices:
            return self.choices[entry]
        ways: list[_Choice] = []
        self.choices[entry] = ways
        request = self.task.request
        if entry.spec.name in self.task.banned or not entry.required <= request.keys():
            return ways
        always, groups, axes = set(entry.required), self._groups(entry), dict[str, str]()
        always |= entry.modifiers & request.keys()
        for pattern in entry.patterns:
            bound = {name: found for name in request if (found := binds(pattern.name, name)) is not None}
            if pattern.mode == "required" and not bound:
                return ways
            axes |= bound
            if pattern.mode == "offered":
                groups += [frozenset({name}) for name in bound]
            else:
                always |= bound.keys()
        for size in range(len(groups), -1, -1):
            for some in combinations(groups, size):
                way = self._way(always.union(*some), axes)
                if way[0] or not entry.inert:
                    ways.append(way)
        return ways

    def _groups(self, entry: _Entry) -> list[frozenset[str]]:
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

    def _way(self, names: set[str], axes: Mapping[str, str]) -> _Choice:
        """The choice that consumes these parameters."""
        places = [self.task.places[family] for name in names if (family := name.partition(".")[0]) in self.task.places]
        return (
            sum(self.bits[name] for name in names),
            min(places, default=_LAST),
            max(places, default=0),
            frozenset(AXIS + axes[name] for name in names if axes.get(name)),
            tuple(sorted(names)),
        )

    def _following(self, kind: _Type) -> list[_Next]:
        """The stages that this request may use after a type, the cheapest first; those of the source among them."""
        if kind not in self.usable:
            task, given = self.task, self.task.request.keys()
            goal = task.goal.kind
            found = [each for each in task.index.following(kind, goal, task.gigabytes) if each[2].required <= given]
            if self.own:
                # A stage of the source may open a way that the index does not know: nothing is known of the rest.
                produced = StreamType(*kind)
                others = task.index.accepting(produced) + tuple(
                    each for each in self.own if each.spec.accepts and produced.serves(each.spec.accepts)
                )
                found = sorted((_next(each, 0.0, task.gigabytes) for each in others), key=_bound)
            self.usable[kind] = found
        return self.usable[kind]

    def run(self) -> Path | None:
        """The best path, or None."""
        goal, wanted, must = self.task.goal, self.task.wanted, self.must
        nothing: _State = (("", "", ""), frozenset(), 0, 0)
        # Entries with 0 take up the stages that follow a state where they were left; those with 1 are states. So all
        # moves of one price are known before the first state of that price is taken, and ties are settled right.
        self.queue: list[_Queued] = []
        self.moves: list[tuple[_Entry, _Choice, int]] = []
        self.done: set[_State] = set()
        for entry in self.task.index.readers(self.task.stages):
            self._take(_next(entry, 0.0, self.task.gigabytes), ((), -1, 0.0, nothing))
        while self.queue:
            _bound, is_state, ties, at, seconds, state, place = heappop(self.queue)
            if not is_state:
                self._expand(place, (ties, at, seconds, state))
                continue
            if state in self.done:
                continue
            self.done.add(state)
            kind, traits, _family, consumed = state
            produced = StreamType(*kind)
            if consumed & must == must and produced.serves(goal) and wanted <= traits:
                return self._path(at, seconds, produced.with_traits(traits))
            self._expand(0, (ties, at, seconds, state))
        return None

    def _expand(self, place: int, before: _Before) -> None:
        """Takes the stages that follow a state from a place in their order on, as long as they cost the same."""
        ties, at, seconds, state = before
        following = self._following(state[0])
        if place >= len(following):
            return
        bound = following[place][0]
        while place < len(following) and following[place][0] == bound:
            self._take(following[place], before)
            place += 1
        if place < len(following):
            heappush(self.queue, (seconds + following[place][0], 0, ties, at, seconds, state, place))

    def _take(self, following: _Next, before: _Before) -> None:
        """Queues the states that follow when the stage is taken, in each of its ways."""
        with_rest, cost, entry = following
        ways = self._ways(entry)
        ties, at, seconds, (_kind, traits, family, consumed) = before
        spec = entry.spec
        if not ways or not spec.needs <= traits:
            return
        rank = (self.preferred.get(spec.name, len(self.preferred)), 0 if spec.bundled else 1, spec.name)
        after = (traits - spec.drops) | spec.adds
        for way in ways:
            takes, low, high, axes, _names = way
            if takes & consumed or low < family or not axes <= traits:
                continue
            state = (entry.produces, after, max(family, high), consumed | takes)
            if state not in self.done:
                self.moves.append((entry, way, at))
                move = len(self.moves) - 1
                heappush(self.queue, (seconds + with_rest, 1, (*ties, rank), move, seconds + cost, state, 0))

    def _path(self, at: int, seconds: float, produces: StreamType) -> Path:
        """The steps that led to a move."""
        steps: list[Step] = []
        while at >= 0:
            entry, way, at = self.moves[at]
            cost = entry.spec.cost
            steps.append(Step(entry.spec, way[4], cost.start + cost.per_gb * self.task.gigabytes))
        return Path(tuple(reversed(steps)), seconds, produces)


def solve(task: Task) -> Path | None:
    """The cheapest path of the task, or None where there is none (`dasflex_core.plan.diagnosis` then says why)."""
    return _Search(task).run()

# SPDX-License-Identifier: GPL-3.0-or-later
"""Puts the parts of a live plan to work: its reader, the stages behind it, and an archive for its past."""

from __future__ import annotations

from dataclasses import replace
from time import time_ns
from typing import TYPE_CHECKING

from dasflex_core.errors import DasflexError
from dasflex_core.run import new_request_id
from dasflex_core.run.fed import FedRun, can_be_fed
from dasflex_core.streamtype import ARRAYS, StreamType
from dasflex_core.times import Time, format_time
from dasflex_core.values import dataclass
from dasflex_ws.flowing import Past
from dasflex_ws.grouping import PassedOn, Worked
from dasflex_ws.messages import together
from dasflex_ws.pumping import pumping
from dasflex_ws.sharing import ENDS
from dasflex_ws.wording import Words

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    import trio

    from dasflex_core.plan.graph import Node, Nodes
    from dasflex_core.plan.solution import Solution
    from dasflex_core.registry import Registry
    from dasflex_core.run import Guardian, PumpSettings
    from dasflex_core.solved import Plan
    from dasflex_core.stages import Framer
    from dasflex_ws.grouping import Behind
    from dasflex_ws.pumping import TrioPump
    from dasflex_ws.sharing import Shared

__all__ = ["Parts", "can_be_shared"]

#: The end of a live range.
_FOREVER = "forever"


def can_be_shared(plan: Plan, shared: Shared) -> bool:
    """Whether packets of the reader can be told, and bytes can be pushed through what is behind it."""
    registry = plan.request.source.site.registry
    if registry.framer(shared.reader[-1].produces) is None:
        return False
    return not shared.stages or can_be_fed(_with_slot(shared, shared.stages))


@dataclass(frozen=True, slots=True)
class Parts:
    """A live plan, and what its parts are put to work with."""

    plan: Plan
    shared: Shared
    limiter: trio.CapacityLimiter
    guardian: Guardian

    @property
    def reads(self) -> StreamType:
        """The type that the reader writes."""
        return self.shared.reader[-1].produces

    def reader(self, *, again: bool) -> AbstractAsyncContextManager[TrioPump]:
        """The reader. One that runs `again` and takes the begin of the range begins at the present."""
        nodes = self.shared.reader
        if again and self.shared.past:
            nodes = self._solved(self._asked(time_ns(), _FOREVER), self._own).nodes[: len(nodes)]
        return self._pump(replace(self.plan, solution=replace(self.plan.solution, nodes=nodes)))

    def whole(self) -> AbstractAsyncContextManager[TrioPump]:
        """All of the plan, for one watcher alone."""
        return self._pump(self.plan)

    def behind(self, stages: Nodes) -> Behind:
        """The stages behind the reader; nothing where there are none."""
        if not stages:
            return PassedOn()
        nodes = _with_slot(self.shared, stages)
        fed = FedRun(nodes, self._quiet(), live=True)
        type_ = nodes[-1].produces
        framer = together(self._registry.framer(type_))
        return Worked(fed, framer, self.limiter, text=Words(self._registry.stream_type(type_)).text)

    def framer(self) -> Framer | None:
        """A new framer of what the reader writes."""
        return together(self._registry.framer(self.reads))

    def words(self, *, out: bool) -> Words:
        """The words of the type that the reader writes, or of the type that comes `out`."""
        nodes = self.shared.stages if out and self.shared.stages else self.shared.reader
        return Words(self._registry.stream_type(nodes[-1].produces))

    def past(self) -> Past | None:
        """The past of the reader, up to a live packet; None where no reader gives it in the type of the live one."""
        if self.shared.since is None:
            return None
        try:
            self._archive(self.shared.since, self.shared.since + 1_000_000_000)
            arrays = self._solved(self._asked(self.shared.since, _FOREVER), ARRAYS)
        except DasflexError:
            return None
        decoding = arrays.nodes[len(self.shared.reader) :]
        return Past(self.shared.since, lambda begin, end: self._pump(self._archive(begin, end)), decoding)

    @property
    def _own(self) -> StreamType:
        """The type that the reader writes, whatever its data are."""
        return StreamType(self.reads.kind, self.reads.version, self.reads.variant)

    @property
    def _registry(self) -> Registry:
        """What is registered."""
        return self.plan.request.source.site.registry

    def _archive(self, begin: int, end: int) -> Plan:
        """The plan for a range of the past, in ns since 1970. Raises `QueryError` where there is none."""
        return replace(self.plan, solution=self._solved(self._asked(begin, format_time(Time(end))), self._own))

    def _asked(self, begin: int, end: str) -> dict[str, str]:
        """What the live reader is asked, for another range."""
        return {**dict(self.shared.asked), ENDS[0]: format_time(Time(begin)), ENDS[1]: end}

    def _solved(self, request: dict[str, str], goal: StreamType) -> Solution:
        """The solution of what the reader is asked, for a type of its own."""
        planner = self.plan.request.source.site.planner
        return planner.solve(self.shared.definition, tuple(request.items()), goal=goal)

    def _pump(self, plan: Plan) -> AbstractAsyncContextManager[TrioPump]:
        """The run of a plan, with a request record of its own. What has no end is not hashed."""
        identifier = new_request_id()
        settings = replace(plan.settings(identifier, plain=True, guardian=self.guardian), digest=False)
        return pumping(plan.solution.nodes, settings, plan.about(identifier), limiter=self.limiter)

    def _quiet(self) -> PumpSettings:
        """The settings of stages that many share: nothing fills a pause, and there is no record of the run."""
        settings = self.plan.settings(new_request_id(), guardian=self.guardian)
        return replace(settings, pulse=0.0, first_byte=0.0, records="", digest=False, remarks=())


def _with_slot(shared: Shared, stages: Nodes) -> Nodes:
    """The stages with one node in front that stands for the packets of the reader."""
    slot: Node = replace(shared.reader[-1], inputs=())
    less = len(shared.reader) - 1
    return (slot, *(replace(node, inputs=tuple(place - less for place in node.inputs)) for node in stages))

# SPDX-License-Identifier: GPL-3.0-or-later
"""Drops what no plan can consume, for conventions whose clients send extras; and says so."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dasflex_core.plan.diagnosis import claimants
from dasflex_core.plan.solver import Task, solve

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dasflex_core.streamtype import StreamType

__all__ = ["without_extras"]


def without_extras(task: Task, goals: Iterable[StreamType]) -> tuple[Task, tuple[str, ...]]:
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

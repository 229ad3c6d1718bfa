# SPDX-License-Identifier: GPL-3.0-or-later
"""What reducers ask of the stages before them, where a request has no plan without it.

A band of a spectral density can be had of a waveform, if it is transformed; how long the transforms are, the request
need not say: the stage of the band asks for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dasflex_core.loading import load
from dasflex_core.plan.stage_index import binds
from dasflex_core.streamtype import ARRAYS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dasflex_core.catalog.model import Definition
    from dasflex_core.plan.solver import Task
    from dasflex_core.stages import StageSpec

__all__ = ["askers", "wishes"]


def askers(task: Task) -> list[StageSpec]:
    """The reducers that ask for something, and that could consume what the task must have consumed."""
    return [
        spec
        for spec in (*task.index.stages, *task.stages)
        if spec.asks and spec.produces == ARRAYS and spec.name not in task.banned and any(_claimed(spec, task))
    ]


def _claimed(spec: StageSpec, task: Task) -> Iterator[str]:
    """What of the task a stage could consume."""
    return (name for name in task.must if any(binds(param.name, name) is not None for param in spec.params))


def wishes(spec: StageSpec, task: Task, definition: Definition) -> list[dict[str, str]]:
    """What a stage asks of those before it, less what the request says already: several wishes, the dearest first."""
    found = load(spec.asks)(dict(task.request), definition) or ()
    every = [found] if isinstance(found, Mapping) else list(found)
    asked = [{name: str(text) for name, text in each.items() if name not in task.request} for each in every]
    return [each for each in asked if each]

# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plugin provides: the tasks that check a source, build its cache blocks and measure its coverage."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dasflex_core.hookspecs import TaskKind, hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["dasflex_task_kinds"]


@hookimpl
def dasflex_task_kinds(register: Callable[[TaskKind], None]) -> None:
    """Registers the kinds of tasks."""
    register(
        TaskKind(
            "check",
            "Run the examples of a source, as dasflex check does; without a SOURCE, of all",
            "dasflex_work.check_task:run",
            arguments=("source",),
            prepare="dasflex_work.check_task:prepare",
            waits=(600,),
        )
    )
    register(
        TaskKind(
            "cache",
            "Build the cache blocks of a source that are missing or stale, of one level and range or of all",
            "dasflex_core.upkeep.building_tasks:run",
            arguments=("source", "level", "begin", "end"),
            prepare="dasflex_core.upkeep.building_tasks:prepare",
        )
    )
    register(
        TaskKind(
            "coverage",
            "Measure when a source has data, as far as that is not known; without a SOURCE, of all",
            "dasflex_core.upkeep.coverage_task:run",
            arguments=("source",),
            prepare="dasflex_core.upkeep.coverage_task:prepare",
        )
    )

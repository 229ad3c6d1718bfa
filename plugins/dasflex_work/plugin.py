# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plugin provides: the task that checks a source."""

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

# SPDX-License-Identifier: GPL-3.0-or-later
"""What a request does for the cache beside its answer: it is counted, and asks for the blocks that it missed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_core.cache.hits import note_hits
from dasflex_core.times import Time, format_time

if TYPE_CHECKING:
    from collections.abc import Callable

    from dasflex_core.cache.pieces import Pieces
    from dasflex_core.config import Config

__all__ = ["KIND", "block_task", "used"]

#: The kind of the task that builds blocks.
KIND: Final = "cache"
#: Blocks that one request asks for: to hand more over takes longer than a client should wait.
_MOST: Final = 64


def used(config: Config, source: str, pieces: Pieces, note: Callable[[str], None]) -> None:
    """Counts the blocks that a request uses, and hands over the building of those that it misses.

    It raises nothing: `note` is told what goes wrong.
    """
    note_hits(f"{config.cache_root}/data/{source}", pieces.kept.name, *pieces.counts())
    if not config.work_queue_broker or not (missing := pieces.wanted(_MOST)):
        return
    from dasflex_core.tasks import Task, hand_over

    tasks = [Task(KIND, block_task(source, pieces.kept.name, begin, end)) for begin, end in missing]
    if failed := hand_over(config, tasks):
        note(failed)


def block_task(source: str, level: str, begin: int, end: int) -> dict[str, str]:
    """The arguments of the task that builds one block."""
    return {
        "source": source,
        "level": level,
        "begin": format_time(Time(begin)),
        "end": format_time(Time(end)),
    }

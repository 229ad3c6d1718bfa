# SPDX-License-Identifier: GPL-3.0-or-later
"""Which blocks are left behind by what passes, and how their streams are made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    from dasflex_core.cache.store import Shelf
    from dasflex_core.plan.graph import Nodes
    from dasflex_core.stages import Framer

__all__ = ["Filling"]


@dataclass(frozen=True, slots=True)
class Filling:
    """The blocks of a shelf between `begin` and `end`, whole periods, that are written as their data pass.

    `suffix` is that of their streams, `framer` makes a framer for these. `answer` gives the id of the answer that the
    stream of a period is, and `facts` tells apart what the definition says in words. Where moments pass, `finish` are
    the nodes that make the stream of them, the first taking the place of what gives them, and `writer` names the
    function that makes a file of them; else the stream passes as it is.
    """

    shelf: Shelf
    begin: int
    end: int
    suffix: str
    framer: Callable[[], Framer | None]
    answer: Callable[[int, int], str]
    facts: str = ""
    finish: Nodes = ()
    writer: str = ""

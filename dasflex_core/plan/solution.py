# SPDX-License-Identifier: GPL-3.0-or-later
"""A solved request as data: its path, its nodes, its price, its identities, and what the client is told."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dasflex_core.cache.composing import Composed, Use
    from dasflex_core.catalog.model import Rate
    from dasflex_core.plan.graph import Nodes
    from dasflex_core.plan.solver import Path, Task
    from dasflex_core.streamtype import StreamType

__all__ = ["Made", "Solution"]


@dataclass(frozen=True, slots=True)
class Solution:
    """A solved request: everything that running, pricing and explaining it needs.

    `request` is what was solved, the client's parameters over the defaults, times resolved; `asked` names those that
    the client gave. `seconds` is the price, `size` the gigabytes that the reader is expected to write. `declined` are
    stages that could not serve with the reason; `remarks` what the client is told. `answer` is the logical identity,
    `plan` the physical one; `changed` the date of the data; `rate` what the reader gives, as far as it is known.
    """

    source: str
    convention: str
    request: tuple[tuple[str, str], ...]
    asked: frozenset[str]
    goal: StreamType
    path: Path
    nodes: Nodes
    size: float
    answer: str
    plan: str
    changed: float | None = None
    rate: Rate | None = None
    declined: tuple[tuple[str, str], ...] = ()
    remarks: tuple[str, ...] = ()
    task: Task | None = field(default=None, repr=False, compare=False)
    kept: Composed | None = field(default=None, repr=False, compare=False)
    use: Use | None = field(default=None, repr=False, compare=False)

    @property
    def seconds(self) -> float:
        """The price: seconds, as the stages declare them."""
        return self.path.seconds

    @property
    def whole(self) -> Path:
        """The path that would give the same without the cache."""
        return self.path if self.use is None else self.use.whole(self.path, dict(self.request))

    @property
    def gridded(self) -> bool:
        """Whether range and bins are those of a cache level, and not the client's own."""
        return self.kept is not None and self.kept.level is not None and self.kept.level.width > 0

    @property
    def produces(self) -> StreamType:
        """The type of the answer."""
        return self.path.produces


@dataclass(frozen=True, slots=True)
class Made:
    """The nodes of a path, remarks about defaults, and what the commands of the definition say of the answer."""

    nodes: Nodes
    remarks: tuple[str, ...]
    stated: Mapping[str, str]

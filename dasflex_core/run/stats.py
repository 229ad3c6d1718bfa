# SPDX-License-Identifier: GPL-3.0-or-later
"""What each node of a plan did: bytes, records and seconds."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Final, TypeVar

from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dasflex_core.arrays import Item
    from dasflex_core.plan.graph import NodeKind, Nodes

__all__ = ["Meter", "NodeStats", "node_stats"]

_Piece = TypeVar("_Piece")
#: The kinds of nodes that pull what comes in themselves; others have a thread for it.
_SAME_THREAD: Final = ("classic", "stage", "spool", "concat", "tee")


@dataclass(frozen=True, slots=True)
class NodeStats:
    """What came out of a node, and how long the pump was in it.

    `bytes` is 0 where items flow, `records` where bytes do. `seconds` is wall time in which something was waited for
    or computed here, without that of earlier nodes in the same thread.
    """

    name: str
    kind: NodeKind
    bytes: int
    records: int
    seconds: float


class Meter:
    """Counts what an iterator gives, and the time that it takes."""

    def __init__(self) -> None:
        self.bytes = 0
        self.records = 0
        self.seconds = 0.0

    def count_bytes(self, source: Iterator[bytes]) -> Iterator[bytes]:
        """The same bytes, counted."""
        for chunk in self._timed(source):
            self.bytes += len(chunk)
            yield chunk

    def count_items(self, source: Iterator[Item]) -> Iterator[Item]:
        """The same items, their records counted."""
        from dasflex_core.arrays import Records

        for item in self._timed(source):
            if isinstance(item, Records):
                self.records += len(item)
            yield item

    def _timed(self, source: Iterator[_Piece]) -> Iterator[_Piece]:
        """The same, with the time that each took."""
        while True:
            begin = perf_counter()
            try:
                piece = next(source)
            except StopIteration:
                return
            finally:
                self.seconds += perf_counter() - begin
            yield piece


def node_stats(nodes: Nodes, meters: Sequence[Meter]) -> tuple[NodeStats, ...]:
    """The figures of all nodes, in the order of the plan."""
    made = []
    for node, meter in zip(nodes, meters, strict=True):
        before = sum(meters[place].seconds for place in node.inputs) if node.kind in _SAME_THREAD else 0.0
        own = max(0.0, meter.seconds - before)
        made.append(NodeStats(node.name, node.kind, meter.bytes, meter.records, own))
    return tuple(made)

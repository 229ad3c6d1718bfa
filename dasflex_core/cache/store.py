# SPDX-License-Identifier: GPL-3.0-or-later
"""Looks for the blocks of a level: which of a range there are, which are stale, and where nothing is."""

from __future__ import annotations

import os
from itertools import pairwise
from typing import TYPE_CHECKING, Final, Literal

from dasflex_core.cache.block import Block, read_block
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dasflex_core.cache.periods import Period

__all__ = ["Shelf", "Stretch", "is_stale"]

#: Periods of a range up to which each is looked for; of longer ranges, folders are walked.
_FEW: Final = 512
#: Seconds by which the clocks of machines that share blocks may differ.
_SKEW: Final = 60.0
_DAY_NS: Final = 86_400 * 1_000_000_000
_LONGEST_NS: Final = {"month": 28 * _DAY_NS, "year": 365 * _DAY_NS}


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part [begin, end) of a range, in nanoseconds: whole periods of a block, or what is between blocks."""

    begin: int
    end: int
    block: Block | None = None
    state: Literal["there", "stale", "missing"] = "missing"


@dataclass(frozen=True, slots=True)
class Shelf:
    """The blocks of one level of a source.

    `folder` is where they lie, `name` how their files end (`bin-60s`). `key` is what they must be of, `changed` the
    date of the data, `fresh` the seconds for which a period is young.
    """

    folder: str
    name: str
    period: Period
    key: str
    changed: int | None = None
    fresh: float | None = None

    def base(self, ns: int) -> str:
        """The path of the block of the period that holds a time, without suffix."""
        return f"{self.folder}/{self.period.path(ns)}_{self.name}"

    def look(self, begin: int, end: int) -> list[Stretch]:
        """What there is of a range that is widened to whole periods: blocks in the order of time, and what is between.

        Neighbours where nothing is are one stretch. Of an empty range there is nothing.
        """
        if begin >= end:
            return []
        first, last = self.period.snap(begin), self.period.next(end - 1)
        found = [self._stretch(each) for each in self.blocks(first, last)]
        there = [each for each in found if each.state == "there"]
        made: list[Stretch] = []
        edges = [Stretch(first, first), *there, Stretch(last, last)]
        for one, other in pairwise(edges):
            if one.end > one.begin:
                made.append(one)
            if one.end < other.begin:
                stale = any(each.state == "stale" and one.end <= each.begin < other.begin for each in found)
                made.append(Stretch(one.end, other.begin, state="stale" if stale else "missing"))
        return made

    def blocks(self, begin: int, end: int) -> Iterator[Block]:
        """The blocks of the periods of a range, valid or stale, in the order of time."""
        if begin >= end or not os.path.isdir(self.folder):  # noqa: PTH112  one that cannot be looked at is none
            return
        length = self.period.length or _LONGEST_NS[self.period.word]
        if (end - begin) // length <= _FEW:
            bases: Iterator[str] = (self.base(at) for at, _end in self.period.over(begin, end))
        else:
            bases = self._walk(begin, end)
        for base in bases:
            block = read_block(base)
            if block is not None and begin <= block.begin < block.end <= end and self.base(block.begin) == base:
                yield block

    def _stretch(self, block: Block) -> Stretch:
        state = self.state(block)
        return Stretch(block.begin, block.end, block if state == "there" else None, state)

    def state(self, block: Block) -> Literal["there", "stale"]:
        """Whether a block may be used."""
        whole = (self.period.snap(block.begin), self.period.next(block.begin)) == (block.begin, block.end)
        return "there" if whole and block.key == self.key and not is_stale(block, self.changed, self.fresh) else "stale"

    def _walk(self, begin: int, end: int) -> Iterator[str]:
        """The paths of all blocks below the folder that may be of a range, in the order of time."""
        first, last = self.period.folders(begin), self.period.folders(end - 1)
        suffix = f"_{self.name}.block"

        def within(parts: tuple[str, ...]) -> bool:
            return first[: len(parts)] <= parts <= last[: len(parts)]

        def walk(folder: str, parts: tuple[str, ...]) -> Iterator[str]:
            try:
                entries = sorted(os.listdir(folder))  # noqa: PTH208  there may be as many as a year has hours
            except OSError:  # removed while we look, or no folder
                return
            for name in entries:
                deeper = (*parts, name)
                if len(parts) == len(first):
                    if name.endswith(suffix) and not name.startswith("."):
                        yield f"{folder}/{name.removesuffix('.block')}"
                elif within(deeper):
                    yield from walk(f"{folder}/{name}", deeper)

        return walk(self.folder, ())


def is_stale(block: Block, changed: int | None, fresh: float | None) -> bool:
    """Whether a block must be made again since the data have changed.

    One that was made when its period was `fresh` seconds old or older is final, whatever the date of the data: a source
    that grows changes each day. A younger one is as good as its date. Where no date is known, a young block is made
    again once, when its period is old. One that was made in the future, by a clock that is wrong, counts as young.
    """
    import time

    now = time.time()
    matures = None if fresh is None else block.end / 1e9 + fresh
    if matures is not None and matures <= block.made <= now + _SKEW:
        return False
    if changed is None or block.changed is None:
        return matures is not None and now >= matures
    return block.changed != changed

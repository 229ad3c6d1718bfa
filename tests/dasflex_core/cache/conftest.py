# SPDX-License-Identifier: GPL-3.0-or-later
"""Shelves on which blocks can be put, written as the cache writes them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from dasflex_core.cache.block import Block, Part
from dasflex_core.cache.periods import PERIODS
from dasflex_core.cache.store import Shelf
from dasflex_core.cache.writing import BlockWriter
from dasflex_core.times import parse_time

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Room:
    """A shelf whose blocks are named by times."""

    shelf: Shelf

    def base(self, when: str) -> str:
        """The path of the block of the period that holds a time."""
        return self.shelf.base(parse_time(when).ns)

    def blank(self, when: str, **facts: object) -> Block:
        """What is said of that block before its files are written."""
        at = parse_time(when).ns
        begin, end = self.shelf.period.snap(at), self.shelf.period.next(at)
        nothing = Part("d2s", 0, 0, "")
        plain = Block(
            base="", begin=begin, end=end, key="key", answer="answer", changed=7, made=0.0, records=3, stream=nothing
        )
        return replace(plain, **facts)

    def put(self, when: str, *, stream: bytes = b"stream", sums: bytes | None = b"sums", **facts: object) -> Block:
        """Writes that block."""
        with BlockWriter(self.base(when), "d2s", None) as writer:
            writer.stream(stream)
            if sums is not None:
                writer.sums(sums)
            return writer.keep(self.blank(when, **facts))


@pytest.fixture
def room_of(tmp_path: Path):
    """Makes shelves of a period."""

    def room(word: str, **facts: object) -> Room:
        return Room(Shelf(str(tmp_path / word / "bin-1s"), "bin-1s", PERIODS[word], "key", **{"changed": 7, **facts}))

    return room


@pytest.fixture
def days(tmp_path: Path) -> Room:
    """A shelf of day blocks."""
    return Room(Shelf(str(tmp_path / "x" / "bin-60s"), "bin-60s", PERIODS["day"], "key", changed=7))

# SPDX-License-Identifier: GPL-3.0-or-later
"""Leaves remarks out of a stream, as classic filters do where that is asked (das-streams 5.1, 5.6 and 5.13)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_core.arrays import Comment, NoData, Problem
from dasflex_core.stages import Reducer, param

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dasflex_core.arrays import Item

__all__ = ["Quiet"]

_KEPT: Final = {"data": "Without how far the reader is", "none": "Without comments and exceptions"}
#: Comments that say how far a reader is (das 2.2 ICD, comments), in small letters.
_PROGRESS: Final = ("tasksize", "taskprogress")


class Quiet(Reducer, name="quiet", title="Streams without remarks", per_gb=0.01):
    """One object for the whole stream, since remarks belong to no dataset."""

    kept: str = param("format.remarks", values=_KEPT, title="Which remarks are kept in the stream")

    def feed(self, item: Item, /) -> Iterator[Item]:
        """The item, unless it is a remark that is left out."""
        if self.kept == "none":
            told = isinstance(item, Comment | Problem | NoData)
        else:
            told = isinstance(item, Comment) and item.type.strip().lower() in _PROGRESS
        if not told:
            yield item

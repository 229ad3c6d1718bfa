# SPDX-License-Identifier: GPL-3.0-or-later
"""Leaves blocks of the cache behind of what passes. What passes does not depend on that: a full disk is only noted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_core.cache.block import Block, Part, remove
from dasflex_core.cache.writing import BlockWriter
from dasflex_core.errors import DasflexError
from dasflex_core.loading import load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dasflex_core.arrays import Item, StreamHeader
    from dasflex_core.cache.filling import Filling
    from dasflex_core.moments import Moments

__all__ = ["left", "left_of_items"]

_NOTHING: Final = Part("", 0, 0, "")
#: Bytes of moments that wait for others of their period.
_HELD: Final = 64 << 20


def left(source: Iterator[bytes], filling: Filling, note: Callable[[str], None]) -> Iterator[bytes]:
    """The bytes of a stream, which is that of one block and is left behind when it has ended.

    There is no block where the stream tells of a failure, or does not come to its end.
    """
    base = filling.shelf.base(filling.begin)
    writer = None
    try:
        try:
            writer = BlockWriter(base, filling.suffix, filling.framer())
        except OSError as error:
            note(_unkept(base, error))
        for chunk in source:
            if writer is not None and chunk:
                try:
                    writer.stream(chunk)
                except (OSError, DasflexError) as error:
                    note(_unkept(base, error))
                    writer.close()
                    writer = None
            yield chunk
        if writer is not None:
            try:
                writer.keep(_block(filling, filling.begin, filling.end))
            except (OSError, DasflexError) as error:
                note(_unkept(base, error))
    finally:
        if writer is not None:
            writer.close()


def left_of_items(source: Iterator[Item], filling: Filling, note: Callable[[str], None]) -> Iterator[Item]:
    """The same moments, with headers and datasets, of which each whole period is left behind when it has passed.

    There are no more blocks where the stream tells of a failure, holds records that have no time and so no bins, or
    does not come to its end.
    """
    from dasflex_core.arrays import Dataset, Problem, Records, StreamHeader
    from dasflex_core.moments import Moments

    shelving = _Shelving(filling, note)
    for item in source:
        match item:
            case StreamHeader():
                shelving.header = item
            case Dataset():
                shelving.expect(item.id)
            case Moments():
                shelving.take(item)
            case Problem() | Records():
                shelving.abandon()
        yield item
    shelving.finish()


class _Shelving:
    """Puts moments into the blocks of their periods.

    The bins of one dataset may come later than those of another, since a bin is there when the next has begun. So a
    period waits until all datasets are past it, or too much waits; if a bin comes for one that is written, that block
    is taken away again.
    """

    def __init__(self, filling: Filling, note: Callable[[str], None]) -> None:
        self.header: StreamHeader | None = None
        self._filling = filling
        self._note = note
        self._waiting: dict[int, list[Moments]] = {}
        self._size = 0
        self._past: dict[int, int] = {}
        self._next = filling.begin
        self._over = False

    def expect(self, number: int) -> None:
        """A dataset is declared, of which bins may come."""
        self._past.setdefault(number, self._filling.begin)

    def take(self, moments: Moments) -> None:
        """Takes bins, and writes the blocks that are whole now."""
        if self._over or not len(moments):
            return
        period, filling = self._filling.shelf.period, self._filling
        first, last = int(moments.begins.min()), int(moments.begins.max())
        for begin, end in period.over(max(first, filling.begin), min(last + 1, filling.end)):
            some = moments.within(begin, end)
            if some is None:
                continue
            if begin < self._next:
                self._spoil(begin)
                continue
            self._waiting.setdefault(begin, []).append(some)
            self._size += some.nbytes
        number = moments.dataset.id
        self._past[number] = max(self._past.get(number, first), last)
        self._write(min(self._past.values()))
        while self._size > _HELD and self._waiting and not self._over:
            self._write(period.next(min(self._waiting)))

    def finish(self) -> None:
        """Writes what waits, the stream having ended well."""
        self._write(self._filling.end)

    def abandon(self) -> None:
        """Writes no more."""
        self._over = True
        self._waiting.clear()

    def _write(self, until: int) -> None:
        """Writes the blocks that end at a time or before it."""
        period = self._filling.shelf.period
        while not self._over and self._next < self._filling.end:
            begin, end = self._next, period.next(self._next)
            if end > until:
                return
            parts = self._waiting.pop(begin, [])
            self._size -= sum(each.nbytes for each in parts)
            self._next = end
            self._keep(begin, end, parts)

    def _keep(self, begin: int, end: int, parts: list[Moments]) -> None:
        """Writes the block of a period."""
        base = self._filling.shelf.base(begin)
        items = _items(self.header, parts)
        try:
            with BlockWriter(base, self._filling.suffix, self._filling.framer()) as writer:
                for chunk in _stream(items, self._filling):
                    writer.stream(chunk)
                writer.sums(load(self._filling.writer)(items))
                writer.keep(_block(self._filling, begin, end))
        except (OSError, DasflexError) as error:
            self._note(_unkept(base, error))
            self.abandon()

    def _spoil(self, begin: int) -> None:
        """Takes a block away for which more came."""
        base = self._filling.shelf.base(begin)
        self._note(_unkept(base, "its data are not in the order of time"))
        try:
            remove(base)
        except OSError as error:
            self._note(_unkept(base, error))


def _items(header: StreamHeader | None, parts: list[Moments]) -> list[Item]:
    """The moments of a period as a stream that stands alone."""
    from dasflex_core.arrays import NoData

    items: list[Item] = [] if header is None else [header]
    declared: dict[int, object] = {}
    for each in parts:
        if declared.get(each.dataset.id) is not each.dataset:
            items.append(each.dataset)
            declared[each.dataset.id] = each.dataset
        items.append(each)
    return items if parts else [*items, NoData()]


def _stream(items: list[Item], filling: Filling) -> Iterator[bytes]:
    """The stream that the last nodes make of moments."""
    from dasflex_core.run.loading import make
    from dasflex_core.run.shape import gives_items
    from dasflex_core.run.staging import formatted, transformed

    flow: Iterator[Item] = iter(items)
    made: Iterator[bytes] = iter(())
    for node in filling.finish[1:]:
        if gives_items(node):
            flow = transformed(make(node), flow)
        else:
            made = formatted(make(node), flow, lambda: None)
    return (chunk for chunk in made if chunk)


def _block(filling: Filling, begin: int, end: int) -> Block:
    """What a block says of itself before it is written."""
    shelf = filling.shelf
    answer = filling.answer(begin, end)
    return Block(shelf.base(begin), begin, end, shelf.key, answer, shelf.changed, 0.0, 0, _NOTHING, facts=filling.facts)


def _unkept(base: str, why: object) -> str:
    """The note about a block that is not kept."""
    return f"the cache block {base} is not kept: {why}"

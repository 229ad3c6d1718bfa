# SPDX-License-Identifier: GPL-3.0-or-later
"""Blocks of the cache in a plan as moments: those of all blocks as one stream, as far as they are in the range."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, cast

from dasflex_core.errors import ConfigError, SourceError
from dasflex_core.loading import load
from dasflex_core.moments import Moments, gathered
from dasflex_core.run.blocks import opened
from dasflex_core.run.joining_items import concat_items

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dasflex_core.arrays import Item
    from dasflex_core.cache.block import Block
    from dasflex_core.plan.graph import Node
    from dasflex_core.run.context import Piece

__all__ = ["block_items"]


def block_items(node: Node, instead: Callable[[Block, OSError], Iterator[Piece]]) -> Iterator[Item]:
    """The moments of the blocks of a node, with the headers and datasets that they are of.

    `instead` gives what takes the place of a block that is broken.
    """
    if node.spec is None:
        raise ConfigError(f"{node.name}: nothing is said of how blocks are read", kind="config.bad-value")
    read = load(node.spec.factory)

    def items(block: Block) -> Iterator[Item]:
        try:
            if block.sums is None:
                raise FileNotFoundError(block.base)
            return iter(read(b"".join(opened(block, block.sums))))
        except OSError as error:
            return cast("Iterator[Item]", instead(block, error))
        except SourceError as error:
            return cast("Iterator[Item]", instead(block, OSError(error.message)))

    whole = concat_items([partial(items, block) for block in node.blocks])
    return gathered(whole if node.span is None else _within(whole, *node.span))


def _within(items: Iterator[Item], begin: int, end: int) -> Iterator[Item]:
    """The items without the bins that begin outside of a range, in nanoseconds."""
    for item in items:
        if isinstance(item, Moments):
            inside = item.within(begin, end)
            if inside is not None:
                yield inside
        else:
            yield item

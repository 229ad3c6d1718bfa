# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs stages over items: what is fed to them, and how a failure before them reaches the end of the stream."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from dasflex_core.arrays import NoData, Problem, Records
from dasflex_core.errors import DasflexError, QueryError
from dasflex_core.run.silence import SILENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from dasflex_core.arrays import Item
    from dasflex_core.run.context import Run
    from dasflex_core.stages import Stage

__all__ = ["decoded", "formatted", "never_empty", "told", "transformed"]


def decoded(stage: Stage[bytes, Item], source: Iterator[bytes]) -> Iterator[Item]:
    """The items that a decoder makes of bytes. No bytes at all are no data, which is no error."""
    nothing = True
    for chunk in source:
        if chunk:
            nothing = False
            yield from stage.feed(chunk)
        else:
            yield SILENCE
    if nothing:
        yield NoData()
    else:
        yield from stage.finish()


def transformed(stage: Stage[Item, Item], source: Iterator[Item]) -> Iterator[Item]:
    """The items that a stage makes of items."""
    for item in source:
        if item is not SILENCE:
            yield from stage.feed(item)
        yield SILENCE
    yield from stage.finish()


def formatted(
    stage: Stage[Item, bytes], source: Iterator[Item], mark: Callable[[], None], *, flush: bool = False
) -> Iterator[bytes]:
    """The bytes that a formatter makes of items. `mark` is called before the bytes of the first records.

    With `flush` it is asked for all that it holds whenever nothing comes. If the source fails, the formatter has been
    given the `Problem` by then; it may still write what it holds.
    """
    try:
        for item in source:
            if isinstance(item, Records):
                mark()
            if item is not SILENCE:
                yield from stage.feed(item)
            elif flush:
                yield from _held(stage)
            yield b""
    except DasflexError:
        with contextlib.suppress(DasflexError):  # the first failure counts
            yield from stage.finish()
        raise
    yield from stage.finish()


def _held(stage: Stage[Item, bytes]) -> Iterable[bytes]:
    """What a formatter holds, if it can be asked for it: not every stage is made from our base."""
    held: Callable[[], Iterable[bytes]] | None = getattr(stage, "flush", None)
    return held() if held is not None else ()


def told(source: Iterator[Item], run: Run) -> Iterator[Item]:
    """The same items; if the source fails, a `Problem` first says so, unless another node has said it."""
    try:
        yield from source
    except DasflexError as error:
        if run.first(error):
            yield Problem("QueryError" if isinstance(error, QueryError) else "ServerError", error.message)
        raise


def never_empty(source: Iterator[Item]) -> Iterator[Item]:
    """The same items, or `NoData` where there are none at all."""
    nothing = True
    for item in source:
        nothing = nothing and item is SILENCE
        yield item
    if nothing:
        yield NoData()

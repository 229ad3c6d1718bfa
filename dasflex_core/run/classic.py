# SPDX-License-Identifier: GPL-3.0-or-later
"""Does in this process what a classic program does: its stages are chosen when the beginning of its input is there."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, cast

from dasflex_core.classic import enough
from dasflex_core.run.opening import Opener

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dasflex_core.plan.graph import Command
    from dasflex_core.run.context import Run

__all__ = ["worked"]


def worked(command: Command, source: Iterator[bytes], run: Run, mark: Callable[[], None]) -> Iterator[bytes]:
    """The bytes that the program would make of those of `source`.

    `mark` is called before the first records are written. Raises `QueryError` where the program does not take such
    input or its arguments. A failure of `source` is told in the stream, as by any stage.
    """
    head = b""
    for chunk in source:
        if not chunk:
            yield b""
            continue
        head += chunk
        if enough(head):
            break
    nodes = run.settings.classic(command, head)
    inner = Opener(nodes, run, mark, inputs={0: chain((head,), source)})  # the first node stands for the input
    yield from cast("Iterator[bytes]", inner.open(len(nodes) - 1))

# SPDX-License-Identifier: GPL-3.0-or-later
"""The answer as its consumer holds it: an iterator whose end, however it comes, is the end of the run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

__all__ = ["Delivery"]

T = TypeVar("T")


class Delivery(Iterator[T], Generic[T]):
    """The pieces of an answer.

    A generator that was never asked for a piece does nothing when it is closed; this ends the run then, too, as when
    a server closes the body of an answer to HEAD. So does forgetting it.
    """

    def __init__(self, pieces: Generator[T], end: Callable[[], None]) -> None:
        self._pieces = pieces
        self._end = end

    def __next__(self) -> T:
        return next(self._pieces)

    def close(self) -> None:
        """Ends the run. May be called twice."""
        self._pieces.close()
        self._end()

    def __del__(self) -> None:
        self.close()

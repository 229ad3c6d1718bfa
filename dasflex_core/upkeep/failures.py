# SPDX-License-Identifier: GPL-3.0-or-later
"""What could not be made of a work that goes on with the rest, so that it can be told when that is done."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dasflex_core.errors import DasflexError, SourceError
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Failure", "failure", "outcome"]


@dataclass(frozen=True, slots=True)
class Failure:
    """A part of a work that could not be made: which times, and why, with what only the administrator may see."""

    part: str
    why: str

    def __str__(self) -> str:
        return f"{self.part}: {self.why}"


def failure(part: str, error: Exception) -> Failure:
    """What failed, with the last that was said of it."""
    if not isinstance(error, DasflexError):
        return Failure(part, repr(error))
    said = error.detail.strip().splitlines()
    return Failure(part, f"{error.message}: {said[-1]}" if said else error.message)


def outcome(told: str, failures: Sequence[Failure]) -> str:
    """What is said of a work that is done. Raises `SourceError` with the same where some of it failed."""
    if not failures:
        return told
    more = f" and {len(failures) - 1} more" if len(failures) > 1 else ""
    raise SourceError(f"{failures[0]}{more}; {told}", kind="source.exit")

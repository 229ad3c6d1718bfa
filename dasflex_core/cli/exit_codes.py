# SPDX-License-Identifier: GPL-3.0-or-later
"""What the exit code of a command says: whose fault a failure was."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dasflex_core.errors import DasflexError

__all__ = ["EXIT_CODES", "FAILED", "INTERRUPTED", "exit_code"]

#: Any failure that is not in the table, and a check that found something.
FAILED: Final = 1
#: Stopped by Ctrl-C, as a shell says it of a program (128 and the number of the signal).
INTERRUPTED: Final = 130
#: The exit code of each family of errors, by the first part of its kind. click itself ends with 2 for a wrong usage.
EXIT_CODES: Final[Mapping[str, int]] = {
    "query": 2,
    "not-found": 3,
    "access": 4,
    "source": 5,
    "config": 6,
    "busy": 7,
}


def exit_code(error: DasflexError) -> int:
    """The exit code of a failure, by its kind."""
    return EXIT_CODES.get(error.kind.partition(".")[0], FAILED)

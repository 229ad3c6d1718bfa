# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments of classic programs, such as `das2_psd -d 1024 2`, for plugins that do what these do.

A plugin registers a `ClassicProgram`, whose function gets the arguments and the first bytes of the input, and gives
what one would write behind `dasflex filter` instead.

>>> options("das2_psd", ["-b", "2020-01-01", "-rs", "60"], flags="rs", valued="b")
({'b': '2020-01-01', 'r': '', 's': ''}, ['60'])
"""

from __future__ import annotations

from getopt import GetoptError, gnu_getopt
from typing import TYPE_CHECKING, Final

from dasflex_core.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["HEAD", "enough", "number", "options"]

#: What ends the first declaration of records in a das stream, and how many bytes are looked through for it.
_DECLARED: Final = (b"</packet>", b"</dataset>")
HEAD: Final = 1 << 16


def enough(head: bytes) -> bool:
    """Whether the beginning of a stream holds all that the words of a classic program may depend on."""
    return len(head) >= HEAD or any(end in head for end in _DECLARED)


def options(
    program: str,
    arguments: Sequence[str],
    *,
    flags: str = "",
    valued: str = "",
    names: Mapping[str, str] | None = None,
    count: tuple[int, int] = (0, 99),
) -> tuple[dict[str, str], list[str]]:
    """The options by their letters, and the other arguments.

    `flags` are letters alone, `valued` those with a value; `names` gives the letter of a long option (`begin` for
    `--begin`). `count` says how few and how many other arguments there may be. Raises `QueryError` (`query.bad-value`)
    for all else, as classic programs do.
    """
    names = names or {}
    short = flags + "".join(f"{letter}:" for letter in valued)
    long = [f"{name}=" if letter in valued else name for name, letter in names.items()]
    try:
        found, rest = gnu_getopt(list(arguments), short, long)
    except GetoptError as error:
        known = " ".join(f"-{letter}" for letter in sorted(flags + valued)) or "none"
        raise QueryError(f"{program}: {error.msg}; the options are {known}", kind="query.bad-value") from error
    if not count[0] <= len(rest) <= count[1]:
        wanted = str(count[0]) if count[0] == count[1] else f"{count[0]} to {count[1]}"
        raise QueryError(
            f"{program} takes {wanted} arguments beside its options, not {len(rest)}", kind="query.bad-value"
        )
    return {names.get(name[2:], "") if name.startswith("--") else name[1:]: value for name, value in found}, rest


def number(program: str, what: str, text: str) -> float:
    """The number that an argument is. Raises `QueryError`."""
    try:
        return float(text)
    except ValueError:
        raise QueryError(f"{program}: {what} is a number, not {text!r}", kind="query.bad-value") from None

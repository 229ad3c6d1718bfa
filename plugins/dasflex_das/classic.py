# SPDX-License-Identifier: GPL-3.0-or-later
"""Classic programs that write das streams as text, as words of `dasflex filter` (das utilities)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_core.classic import options
from dasflex_core.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ascii_words", "text_words"]


#: The digits of seconds that das3_text writes where none were asked.
_SECONDS: Final = "3"


def _digits(found: dict[str, str]) -> list[str]:
    """The digits of numbers and of seconds, where they were asked."""
    asked = (("r", "sigdigit"), ("s", "secfrac"))
    return [f"{name}={found[letter]}" for letter, name in asked if letter in found]


def _quiet(found: dict[str, str]) -> list[str]:
    """What leaves comments and exceptions out, where that was asked."""
    return ["--then", "quiet", "format.remarks=none"] if "c" in found else []


def ascii_words(arguments: Sequence[str], _head: bytes) -> list[str]:
    """`das2_ascii [-r DIGITS] [-s DIGITS] [-c]`, which leaves comments and exceptions out with `-c`."""
    found, _rest = options("das2_ascii", arguments, flags="c", valued="rs", count=(0, 0))
    return ["das2-decode", *_quiet(found), "--then", "das2-text", *_digits(found)]


def text_words(arguments: Sequence[str], head: bytes) -> list[str]:
    """`das3_text [-r DIGITS] [-s DIGITS] [-c] [-f] [-n] [-3]`, of standard input.

    Comments and exceptions are left out with `-c`. Blobs are written in base64, also where `-f` would keep what it
    cannot decode. Raises `QueryError` for das2 without -3, and for -n: times are written as such.
    """
    found, _rest = options("das3_text", arguments, flags="cfn3", valued="rs", count=(0, 0))
    old = head.lstrip()[:1] == b"["
    if old and "3" not in found:
        raise QueryError("das3_text: the input is a das2 stream; -3 makes das3 of it", kind="query.bad-value")
    if "n" in found:
        raise QueryError(
            "das3_text: -n, which keeps epochs as numbers, cannot be had; times are written as text",
            kind="query.bad-value",
        )
    return [
        "das2-decode" if old else "das3-decode",
        *_quiet(found),
        "--then",
        "das3-text",
        *_digits({"s": _SECONDS, **found}),
    ]

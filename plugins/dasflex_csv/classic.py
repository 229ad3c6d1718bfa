# SPDX-License-Identifier: GPL-3.0-or-later
"""The classic program das3_csv, as words of `dasflex filter` (das utilities, das3_csv)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dasflex_core.classic import number, options

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["words"]


def words(arguments: Sequence[str], head: bytes) -> list[str]:
    """`das3_csv [-p] [-n] [-i] [-d SEPARATOR] [-r DIGITS] [-s DIGITS] [-l LEVEL]`, of das2 and das3.

    `-r` counts the digits behind the point, so that one more is significant.
    """
    names = {"props": "p", "no-headers": "n", "no-ids": "i", "no-id": "i", "delim": "d"}
    found, _rest = options("das3_csv", arguments, flags="pni", valued="drsl", names=names, count=(0, 0))
    digits = int(number("das3_csv", "-r", found.get("r", "7"))) + 1
    asked = [
        "style=das",
        f"delim={found.get('d', ';')}",
        f"sigdigit={digits}",
        f"secfrac={found.get('s', '3')}",
        *(["props=true"] if "p" in found else []),
        *(["headers=false"] if "n" in found else []),
        *(["dsid=false"] if "i" in found else []),
    ]
    return ["das2-decode" if head.lstrip()[:1] == b"[" else "das3-decode", "--then", "csv", *asked]

# SPDX-License-Identifier: GPL-3.0-or-later
"""The entries of a DSDF file: `key = 'value'`, with remarks behind `;` and values that go on in the next line.

Only for the classic converters of das1, which take such a file as an argument (das-streams 5.10).
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from dasflex_core.errors import QueryError

__all__ = ["dsdf_entries"]

_MOST: Final = 1 << 20
_ENTRY: Final = re.compile(r"\s*(\w+)\s*=\s*(.*)", re.DOTALL)
#: A piece of a line: a quoted text, a remark up to the end of the line, or what is neither.
_PIECE: Final = re.compile(r"'(?:[^']|'')*'|\"[^\"]*\"|;.*|[^'\";]+|['\"]")
#: What stands at the end of a line that goes on, and between the pieces of a value.
_GOES_ON: Final = re.compile(r"\+?\s*\$\s*$")
_JOINT: Final = re.compile(r"(['\"])\s*\+\s*(['\"])")


def dsdf_entries(program: str, file: str) -> dict[str, str]:
    """The entries of a DSDF file by their keys. Raises `QueryError` where it cannot be read."""
    try:
        with Path(file).open("rb") as opened:
            raw = opened.read(_MOST + 1)
        if len(raw) > _MOST:
            raise QueryError(f"{program}: {file} is longer than {_MOST:,} bytes", kind="query.bad-value")
        lines = raw.decode().splitlines()
    except (OSError, ValueError) as error:
        raise QueryError(f"{program}: the DSDF file {file} cannot be read: {error}", kind="query.bad-value") from error
    entries: dict[str, str] = {}
    held = ""
    for line in (*lines, ""):
        held += _without_remark(line).strip()
        if _GOES_ON.search(held):
            held = _GOES_ON.sub("+", held)
            continue
        if match := _ENTRY.fullmatch(held):
            entries[match[1]] = _unquoted(match[2])
        held = ""
    return entries


def _without_remark(line: str) -> str:
    """The line up to a `;` that is not inside quotes."""
    return "".join(piece for piece in _PIECE.findall(line) if not piece.startswith(";"))


def _unquoted(text: str) -> str:
    """A value without its quotes, its pieces joined."""
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return _JOINT.sub("", text)[1:-1].replace("''", "'").strip()
    return text

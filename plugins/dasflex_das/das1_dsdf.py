# SPDX-License-Identifier: GPL-3.0-or-later
"""The entries of the DSDF file that the classic converters of das1 take as an argument (das-streams 5.10)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from dasflex_core.catalog.dsdf_syntax import parse_dsdf
from dasflex_core.errors import QueryError

__all__ = ["dsdf_entries"]

_MOST: Final = 1 << 20


def dsdf_entries(program: str, file: str) -> dict[str, str]:
    """The entries of a DSDF file by their keys. Raises `QueryError` where it cannot be read.

    Lines that are none of DSDF are passed by, as the programs did: a server says what is wrong when it installs the
    file.
    """
    try:
        with Path(file).open("rb") as opened:
            raw = opened.read(_MOST + 1)
        if len(raw) > _MOST:
            raise QueryError(f"{program}: {file} is longer than {_MOST:,} bytes", kind="query.bad-value")
        syntax = parse_dsdf(raw.decode())
    except (OSError, ValueError) as error:
        raise QueryError(f"{program}: the DSDF file {file} cannot be read: {error}", kind="query.bad-value") from error
    return {entry.key: entry.text.strip() for entry in syntax.entries}

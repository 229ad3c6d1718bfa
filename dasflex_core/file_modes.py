# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files of a root other users of the machine may read or write, though they should not."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dasflex_core.config import Config

__all__ = ["too_open"]

_OTHERS: Final = stat.S_IRWXO
_ALL_BUT_OWNER: Final = stat.S_IRWXG | stat.S_IRWXO


def too_open(config: Config) -> Iterator[str]:
    """A sentence for each file or directory that is too open, with what to do about it. What is not there is not."""
    passwords = config.user_passwd
    for path, mask, why in (
        (passwords, _OTHERS, "password hashes are guessed by whoever can read them"),
        (passwords.with_name(f"{passwords.name}.tokens"), _OTHERS, "it says who has tokens, and for what"),
        (config.runtime / "tickets.key", _ALL_BUT_OWNER, "whoever has this key can make tickets for any user"),
        (config.log_path, _OTHERS, "logs say who read what, and from where"),
        (config.user_group, stat.S_IWOTH, "whoever can write there gives access"),
        (config.runtime, stat.S_IWOTH, "whoever can write there can stand in for the server"),
        (config.file, stat.S_IWOTH, "whoever can write there decides which programs run"),
        (config.file.parent, stat.S_IWOTH, "whoever can write there decides which programs run"),
        (config.definitions, stat.S_IWOTH, "whoever can write there decides which programs run"),
        (config.root / "sources", stat.S_IWOTH, "whoever can write there decides which programs run"),
    ):
        mode = _mode(path)
        if mode & mask:
            wrong = "write" if mode & mask & (stat.S_IWGRP | stat.S_IWOTH) else "read"
            yield f"{path}: others may {wrong} it, and {why}; chmod {mode & ~mask:o} {path}"


def _mode(path: Path) -> int:
    """The permissions of a path; none where it is not there, or cannot be looked at."""
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return 0

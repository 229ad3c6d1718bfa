# SPDX-License-Identifier: GPL-3.0-or-later
"""The group file: lines `name: user1 user2`, as those of Apache (mod_authz_groupfile)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dasflex_core.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["groups_of"]


def groups_of(user: str, file: Path) -> frozenset[str]:
    """The groups of a user; none where there is no file. Raises `ConfigError` for one that cannot be read."""
    try:
        text = file.read_text("utf-8")
    except FileNotFoundError:
        return frozenset()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}", kind="config.unreadable") from error
    lines = (line.partition(":") for line in text.splitlines() if not line.lstrip().startswith("#"))
    return frozenset(name.strip() for name, colon, users in lines if colon and name.strip() and user in users.split())

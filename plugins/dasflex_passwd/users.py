# SPDX-License-Identifier: GPL-3.0-or-later
"""The password file: lines `user:hash`, as those of Apache; what stands behind another colon is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dasflex_core.authentication import one_form
from dasflex_core.errors import QueryError, shown
from dasflex_passwd import hashing
from dasflex_passwd.files import changed, lines_of

if TYPE_CHECKING:
    from dasflex_core.config import Config

__all__ = ["add_user", "delete_user", "hash_of", "is_name", "replace_hash", "users"]

_LONGEST = 255


def is_name(user: str) -> bool:
    """Whether a text can be the name of a user: it stands in lines of files between colons and blanks."""
    return (
        0 < len(user) <= _LONGEST and user.isprintable() and not set(user) & set(":, \"'\\#") and user == user.strip()
    )


def users(config: Config) -> tuple[str, ...]:
    """The users of the file, in its order."""
    return tuple(_entry(line)[0] for line in lines_of(config.user_passwd) if _entry(line)[0])


def hash_of(user: str, config: Config) -> str:
    """The hash of a user's password; blank for one that is not there."""
    entries = (_entry(line) for line in lines_of(config.user_passwd))
    return next((hashed for name, hashed, _rest in entries if name == user), "")


def add_user(config: Config, user: str, password: str) -> bool:
    """Adds a user, or gives one another password: true where there was none of that name.

    Raises `QueryError` for a name or a password that cannot be.
    """
    if not is_name(user):
        raise QueryError(
            f"{shown(user)} is no name for a user; it has no blanks, quotes, commas, colons, # or \\",
            kind="query.bad-value",
        )
    if not password:
        raise QueryError("A password cannot be empty", kind="query.bad-value")
    try:
        hashed = hashing.make(password)
    except ValueError as error:
        raise QueryError(str(error), kind="query.bad-value") from error
    user = one_form(user)
    known = user in users(config)
    _put(config, user, hashed)
    return not known


def replace_hash(config: Config, user: str, old: str, new: str) -> None:
    """Puts a new hash of the same password in the place of an old one, unless that was changed meanwhile."""

    def change(lines: list[str]) -> list[str]:
        return [
            _line(user, new, rest) if (name, hashed) == (user, old) else line
            for line, (name, hashed, rest) in ((line, _entry(line)) for line in lines)
        ]

    changed(config.user_passwd, change)


def delete_user(config: Config, user: str) -> bool:
    """Deletes a user: false where there is none."""
    user = one_form(user)
    known = user in users(config)
    if known:
        changed(config.user_passwd, lambda lines: [line for line in lines if _entry(line)[0] != user])
    return known


def _put(config: Config, user: str, hashed: str) -> None:
    """Writes the line of a user, in the place of the one that is there."""

    def change(lines: list[str]) -> list[str]:
        rest = next((rest for name, _hash, rest in map(_entry, lines) if name == user), "")
        mine = _line(user, hashed, rest)
        if any(_entry(line)[0] == user for line in lines):
            return [mine if _entry(line)[0] == user else line for line in lines]
        return [*lines, mine]

    changed(config.user_passwd, change)


def _entry(line: str) -> tuple[str, str, str]:
    """The user, the hash and the rest of a line; blanks for one that is none, such as a comment."""
    if line.lstrip().startswith("#") or ":" not in line:
        return "", "", ""
    name, _, rest = line.partition(":")
    hashed, _, more = rest.partition(":")
    return name.strip(), hashed.strip(), more


def _line(user: str, hashed: str, rest: str) -> str:
    """The line of a user."""
    return f"{user}:{hashed}:{rest}" if rest else f"{user}:{hashed}"

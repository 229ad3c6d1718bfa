# SPDX-License-Identifier: GPL-3.0-or-later
"""Changes to the group file: lines `name: user1 user2`, as those of Apache. Comments stay where they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dasflex_core.authentication import one_form
from dasflex_core.errors import QueryError, shown
from dasflex_passwd.files import changed, lines_of
from dasflex_passwd.users import is_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dasflex_core.config import Config

__all__ = ["add_members", "groups", "remove_everywhere", "remove_members"]


def groups(config: Config) -> Mapping[str, tuple[str, ...]]:
    """The users of each group."""
    found: dict[str, tuple[str, ...]] = {}
    for line in lines_of(config.user_group):
        name, members = _entry(line)
        if name:
            found[name] = (*found.get(name, ()), *members)
    return found


def add_members(config: Config, group: str, users: Iterable[str]) -> None:
    """Adds users to a group, which is made if it is not there. Raises `QueryError` for names that cannot be."""
    new = tuple(map(one_form, users))
    for name in (group, *new):
        if not is_name(name):
            raise QueryError(f"{shown(name)} is no name for a user or a group", kind="query.bad-value")

    def change(lines: list[str]) -> list[str]:
        if group not in (_entry(line)[0] for line in lines):
            return [*lines, _line(group, new)]
        return [_line(group, (*_entry(line)[1], *new)) if _entry(line)[0] == group else line for line in lines]

    changed(config.user_group, change)


def remove_members(config: Config, group: str, users: Iterable[str]) -> None:
    """Removes users from a group. Raises `QueryError` where there is no such group."""
    if group not in groups(config):
        raise QueryError(f"There is no group {shown(group)}", kind="query.bad-value")
    _without(config, frozenset(map(one_form, users)), group)


def remove_everywhere(config: Config, user: str) -> None:
    """Removes a user from all groups."""
    if any(user in members for members in groups(config).values()):
        _without(config, frozenset({user}))


def _without(config: Config, users: frozenset[str], group: str = "") -> None:
    """Removes users from one group, or from all."""

    def kept(line: str) -> str:
        name, members = _entry(line)
        if not name or group not in ("", name) or users.isdisjoint(members):
            return line
        return _line(name, tuple(each for each in members if each not in users))

    changed(config.user_group, lambda lines: [kept(line) for line in lines])


def _entry(line: str) -> tuple[str, tuple[str, ...]]:
    """The group of a line and its users; blank for a line that is none."""
    name, colon, members = line.partition(":")
    if line.lstrip().startswith("#") or not colon:
        return "", ()
    return name.strip(), tuple(members.split())


def _line(name: str, members: tuple[str, ...]) -> str:
    """The line of a group, each user once."""
    return f"{name}: {' '.join(dict.fromkeys(members))}".rstrip()

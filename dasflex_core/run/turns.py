# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests at once: how many may run for a source, a client address and the whole server, over all processes of a root.

A place is a byte of one file below the root's directory of sockets, and whoever runs has it locked. The locks belong to
an open file (open file description locks, fcntl(2)): they hold between threads as between processes, and whatever ends
a process gives its places back. Nothing is written, so that nothing is left over, and nobody has to count.

Every request of data comes through here, so that nothing is imported that a small program would not import anyway.
"""

from __future__ import annotations

import os
import struct
from time import monotonic, sleep
from typing import TYPE_CHECKING, Final

from dasflex_core.errors import BusyError
from dasflex_core.plan.identity import hashed
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dasflex_core.catalog.model import Definition
    from dasflex_core.config import Config

__all__ = ["PAUSE", "Crowd", "Group", "crowd_of"]

#: Seconds between two looks whether it is one's turn.
PAUSE: Final = 0.05
#: When a client that was refused may try again, in seconds.
_LATER: Final = 5
#: More places than anybody has: those of a group lie side by side, and groups this far apart.
_MOST: Final = 1 << 16
#: The names of sources and addresses are told apart by so many bytes of a hash.
_HASHED: Final = 5


@dataclass(frozen=True, slots=True)
class Group:
    """Those who share `most` places: `name` says who they are, and `full` and `kind` what one is told who has none."""

    name: str
    most: int
    full: str
    kind: str = "busy.limit"

    @property
    def first(self) -> int:
        """Where the places of the group begin in the file."""
        return hashed(self.name, _HASHED) * _MOST


@dataclass(frozen=True, slots=True)
class Crowd:
    """The groups that a request belongs to, in the order in which their places are taken; `file` is where they are.

    `patience` is how many seconds a request waits for its turn. `note` is told where places cannot be had for a
    fault of the disk: the request then runs, since a limit is there to protect the data server, not to stop it.
    """

    file: str
    groups: tuple[Group, ...]
    patience: float
    note: Callable[[str], None]

    def enter(self) -> Callable[[], None]:
        """Takes a place in each group; what it gives hands them back. Raises `BusyError` where a group is full."""
        if not self.groups:
            return _nothing
        try:
            places = self._open()
        except OSError as error:
            return self._unlimited(error)
        try:
            full = next((each for each in self.groups if not _taken(places, each)), None)
        except OSError as error:
            os.close(places)
            return self._unlimited(error)
        if full is None:
            return _Leaving(places)
        os.close(places)
        raise BusyError(full.full, kind=full.kind, retry_after=_LATER)

    def wait(self) -> Callable[[], None]:
        """As `enter`, when it is one's turn. Raises `BusyError` where that does not come in time."""
        last = monotonic() + self.patience
        while True:
            try:
                return self.enter()
            except BusyError:
                if monotonic() + PAUSE > last:
                    raise
            sleep(PAUSE)

    def _unlimited(self, error: OSError) -> Callable[[], None]:
        """What stands for places that cannot be had."""
        self.note(f"the limits of requests at once do not hold: {self.file}: {error.strerror}")
        return _nothing

    def _open(self) -> int:
        """The file, made if it is not there. Links are not followed, and nobody is waited for. Raises `OSError`."""
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        try:
            return os.open(self.file, flags, 0o660)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(self.file), exist_ok=True)  # noqa: PTH103, PTH120  pathlib is slow to import
            return os.open(self.file, flags, 0o660)


def crowd_of(config: Config, chain: Iterable[Definition], address: str) -> Crowd:
    """Who a run shares its places with, of a source, what that views, and so on.

    `address` is that of the client, blank for none.
    """
    groups = []
    if address and config.limit_at_once_each:
        most = config.limit_at_once_each
        full = (
            f"There are {most} requests from this address at work already, which is the most here; wait for one of them"
        )
        groups.append(Group(f"address {address}", most, full, "busy.rate"))
    for each in chain:
        if each.limits.at_once:
            most = each.limits.at_once
            full = f"{each.id} is read by as many requests at once as it may be ({most}); try again later"
            groups.append(Group(f"source {each.id.lower()}", most, full))
    if config.limit_at_once:
        full = f"The server is at work for {config.limit_at_once} requests, which is the most; try again later"
        groups.append(Group("server", config.limit_at_once, full))
    return Crowd(os.fspath(config.runtime / "turns"), tuple(groups), config.limit_wait, _noted)


class _Leaving:
    """Hands places back, once."""

    def __init__(self, places: int) -> None:
        self._places = places

    def __call__(self) -> None:
        places, self._places = self._places, -1
        if places >= 0:
            os.close(places)


def _taken(places: int, group: Group) -> bool:
    """Whether one of the places of a group could be taken. Raises `OSError` where locks cannot be had at all."""
    import fcntl

    first, most = group.first, min(group.most, _MOST)
    # They are looked through from anywhere, so that those who come together do not all meet at the first.
    begin = os.getpid() % most
    for place in range(begin, begin + most):
        lock = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, first + place % most, 1, 0)
        try:
            fcntl.fcntl(places, fcntl.F_OFD_SETLK, lock)
        except (BlockingIOError, PermissionError):  # POSIX leaves open which of the two it is
            continue
        return True
    return False


def _nothing() -> None:
    """Where no place was taken."""


def _noted(text: str) -> None:
    """Tells the administrator."""
    import logging

    logging.getLogger("dasflex").warning(text)

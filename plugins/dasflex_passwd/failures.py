# SPDX-License-Identifier: GPL-3.0-or-later
"""Wrong passwords are counted, by address and by user, and after some of them there is a pause.

A count is a small file below the runtime directory; it is forgotten after a quarter of an hour. The pause doubles with
each failure, and is never longer than some minutes, so that nobody can lock another user out for ever. Passwords that
were verified a moment ago are not held up.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from dasflex_core.errors import BusyError

if TYPE_CHECKING:
    from pathlib import Path

    from dasflex_core.config import Config

__all__ = ["check", "failed", "succeeded"]

#: Failures that cost nothing: of one address, behind which there may be many people, and of one user.
_FREE_ADDRESS: Final = 20
_FREE_USER: Final = 5
_LONGEST_PAUSE: Final = 300
_FORGOTTEN: Final = 900
#: Files of counts; a user or an address shares one with few others, and their number cannot grow.
_SLOTS: Final = 4_096
_FOLDER: Final = "failures"


def check(user: str, address: str, config: Config, now: float) -> None:
    """Raises `BusyError` (`busy.log-in`) where the user or the address has to wait."""
    pause = max(_pause(file, free, now) for file, free in _counts(user, address, config))
    if pause > 0:
        text = "There were too many wrong passwords; try again later"
        raise BusyError(text, kind="busy.log-in", retry_after=int(pause) + 1)


def failed(user: str, address: str, config: Config, now: float) -> None:
    """Counts a wrong password."""
    for file, _free in _counts(user, address, config):
        with suppress(OSError):
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                count = _read(descriptor, now) + 1
                os.pwrite(descriptor, b"%-8d" % min(count, 9_999_999), 0)
                os.utime(descriptor, (now, now))
            finally:
                os.close(descriptor)


def succeeded(user: str, config: Config) -> None:
    """Forgets the wrong passwords of a user. Those of the address stay: others may be tried from there."""
    with suppress(FileNotFoundError):
        _slot("user", user, config).unlink()


def _counts(user: str, address: str, config: Config) -> tuple[tuple[Path, int], ...]:
    """The files that count for an address and a user, if there is one, and how many failures each may have."""
    mine = ((_slot("user", user, config), _FREE_USER),) if user else ()
    return (_slot("address", _network(address), config), _FREE_ADDRESS), *mine


def _slot(kind: str, name: str, config: Config) -> Path:
    """The file of a count."""
    digest = hashlib.sha256(f"{kind}\0{name}".encode("utf-8", "surrogatepass")).digest()
    return config.runtime / _FOLDER / f"{kind}-{int.from_bytes(digest[:4]) % _SLOTS:03x}"


def _network(address: str) -> str:
    """What counts as one address: of IPv6 the first 64 bits, of which one customer has all."""
    if ":" not in address:
        return address
    from ipaddress import ip_network

    try:
        return str(ip_network(f"{address}/64", strict=False))
    except ValueError:
        return ""


def _pause(file: Path, free: int, now: float) -> float:
    """The seconds that are left of a pause."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return 0.0
    try:
        count = _read(descriptor, now)
        last = os.fstat(descriptor).st_mtime
    finally:
        os.close(descriptor)
    return last + min(2.0 ** min(count - free, 16), _LONGEST_PAUSE) - now if count >= free else 0.0


def _read(descriptor: int, now: float) -> int:
    """The count of an open file; none where it is too old."""
    if abs(now - os.fstat(descriptor).st_mtime) > _FORGOTTEN:
        return 0
    text = os.pread(descriptor, 16, 0).strip()
    return int(text) if text.isdigit() else 0

# SPDX-License-Identifier: GPL-3.0-or-later
"""Wrong passwords are counted, and after some of them there is a pause, for where they came from.

What counts is an address, and a user at an address. So nobody is held up by what somebody else does elsewhere: whoever
tries the passwords of another user cannot lock that user out. A user who is tried from many addresses at once is let
try once from each, no more.

A count is a small file below the runtime directory; it is forgotten after a quarter of an hour. The pause doubles with
each failure, and is never longer than some minutes. Passwords that were verified a moment ago are not held up.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import logging
import os
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from dasflex_core.errors import BusyError, ConfigError, shown
from dasflex_core.tickets import site_key

if TYPE_CHECKING:
    from pathlib import Path

    from dasflex_core.config import Config

__all__ = ["check", "failed", "succeeded"]

#: Failures that cost nothing: of one address, behind which there may be many people; of a network of IPv6, which may
#: be one customer's; and of one user at an address, which are fewer where many were tried for that user elsewhere.
_FREE_ADDRESS: Final = 20
_FREE_NETWORK: Final = 60
_FREE_USER: Final = 5
_FREE_TRIED: Final = 1
_TRIED: Final = 50
_LONGEST_PAUSE: Final = 300
_FORGOTTEN: Final = 900
#: Files of counts; two that share one are rare, none can be found without the key of the site, and there are no more.
_SLOTS: Final = 1 << 16
#: Of so many counts that begin, one looks for those that are forgotten, and removes their files.
_LOOKED: Final = 256
_FOLDER: Final = "failures"
_LOGGER: Final = logging.getLogger("dasflex")


def check(user: str, address: str, config: Config, now: float) -> None:
    """Raises `BusyError` (`busy.log-in`) where the address, or the user there, has to wait."""
    pause = max(_pause(file, free, now) for file, free in _counts(user, address, config, now))
    if pause > 0:
        text = "There were too many wrong passwords; try again later"
        raise BusyError(text, kind="busy.log-in", retry_after=int(pause) + 1)


def failed(user: str, address: str, config: Config, now: float) -> None:
    """Counts a wrong password. The administrator is told of a user whose password is tried from many places."""
    for file, _free in _counts(user, address, config, now):
        _count(file, now)
    if user and _count(_slot("user", user, config), now) == _TRIED:
        _LOGGER.warning("%d wrong passwords were tried for the user %s", _TRIED, shown(user))


def succeeded(user: str, address: str, config: Config) -> None:
    """Forgets the wrong passwords of a user at an address; those of others who are tried from there stay."""
    with suppress(FileNotFoundError):
        _mine(user, address, config).unlink()


def _counts(user: str, address: str, config: Config, now: float) -> list[tuple[Path, int]]:
    """The files that count for an address and a user, if there is one, and how many failures each may have."""
    counts = [(_slot("address", name, config), free) for name, free in _networks(address)]
    if user:
        tried = _held(_slot("user", user, config), now)[0] >= _TRIED
        counts.append((_mine(user, address, config), _FREE_TRIED if tried else _FREE_USER))
    return counts


def _mine(user: str, address: str, config: Config) -> Path:
    """The file that counts for a user at an address."""
    return _slot("user-at", f"{_networks(address)[0][0]}\0{user}", config)


def _slot(kind: str, name: str, config: Config) -> Path:
    """The file of a count. Without the key of the site, nobody can tell which others would share it."""
    try:
        key = site_key(config.runtime)
    except ConfigError:  # where nothing can be written, nothing is counted
        key = b""
    digest = hmac.new(key, f"{kind}\0{name}".encode("utf-8", "surrogatepass"), hashlib.sha256).digest()
    return config.runtime / _FOLDER / f"{kind}-{int.from_bytes(digest[:4]) % _SLOTS:04x}"


def _networks(address: str) -> list[tuple[str, int]]:
    """What counts as one address, and the failures that it may have: of IPv6 the first 64 bits, and the first 48."""
    if ":" not in address:
        return [(address, _FREE_ADDRESS)]
    from ipaddress import ip_network

    try:
        found = [(str(ip_network(f"{address}/{bits}", strict=False)), bits) for bits in (64, 48)]
    except ValueError:
        return [("", _FREE_ADDRESS)]
    return [(name, _FREE_ADDRESS if bits == 64 else _FREE_NETWORK) for name, bits in found]


def _count(file: Path, now: float) -> int:
    """Adds one to a count, and gives it; 0 where it cannot be written."""
    count = 0
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
        if count == 1 and not secrets.randbelow(_LOOKED):
            _remove_forgotten(file.parent, now)
    return count


def _remove_forgotten(folder: Path, now: float) -> None:
    """Removes the files of counts that are too old, so that many addresses fill no disk for long. Raises `OSError`."""
    with os.scandir(folder) as found:
        for each in found:
            if abs(now - each.stat(follow_symlinks=False).st_mtime) > _FORGOTTEN:
                (folder / each.name).unlink(missing_ok=True)


def _pause(file: Path, free: int, now: float) -> float:
    """The seconds that are left of a pause."""
    count, last = _held(file, now)
    return last + min(2.0 ** min(count - free, 16), _LONGEST_PAUSE) - now if count >= free else 0.0


def _held(file: Path, now: float) -> tuple[int, float]:
    """A count, and when it last grew; nothing where there is none."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return 0, 0.0
    try:
        return _read(descriptor, now), os.fstat(descriptor).st_mtime
    finally:
        os.close(descriptor)


def _read(descriptor: int, now: float) -> int:
    """The count of an open file; none where it is too old."""
    if abs(now - os.fstat(descriptor).st_mtime) > _FORGOTTEN:
        return 0
    text = os.pread(descriptor, 16, 0).strip()
    return int(text) if text.isdigit() else 0

# SPDX-License-Identifier: GPL-3.0-or-later
"""Passwords that were verified a moment ago, remembered by a file each, so that a request of CGI need not do it again.

A file is named by the HMAC-SHA256 of the user and the password under a key of the site and the hash in the password
file. So neither can be read from it, nobody makes one without the key, and another password makes the old one useless.
Its time of change is when the password was verified.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from dasflex_core.tickets import site_key

if TYPE_CHECKING:
    from pathlib import Path

    from dasflex_core.config import Config

__all__ = ["LASTS", "is_remembered", "remember"]

#: Seconds for which a password need not be verified again.
LASTS: Final = 600
_FOLDER: Final = "passed"
#: How many files there may be before old ones are looked for.
_MOST: Final = 256


def is_remembered(user: str, password: str, hashed: str, config: Config, now: float) -> bool:
    """Whether this password of a user with this hash was verified a moment ago. Raises `ConfigError` without a key."""
    try:
        facts = _file(user, password, hashed, config).lstat()
    except FileNotFoundError:
        return False
    return 0 <= now - facts.st_mtime + 1 <= LASTS + 1 and facts.st_uid == os.geteuid() and not facts.st_mode & 0o077


def remember(user: str, password: str, hashed: str, config: Config, now: float) -> None:
    """Notes that a password was verified now. What cannot be written is verified again."""
    file = _file(user, password, hashed, config)
    with suppress(OSError):
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _prune(file.parent, now)
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600))
        os.utime(file, (now, now))


def _file(user: str, password: str, hashed: str, config: Config) -> Path:
    """The file that says that a password was verified."""
    key = hmac.new(site_key(config.runtime), b"password\0" + hashed.encode(), hashlib.sha256).digest()
    said = f"{len(user)}:{user}:{password}".encode("utf-8", "surrogatepass")
    return config.runtime / _FOLDER / hmac.new(key, said, hashlib.sha256).hexdigest()


def _prune(folder: Path, now: float) -> None:
    """Removes what is not good any more, where there is much. Raises `OSError`."""
    with os.scandir(folder) as found:
        files = [(each.name, each.stat(follow_symlinks=False).st_mtime) for each in found]
    if len(files) >= _MOST:
        for name, made in files:
            if not 0 <= now - made <= LASTS:
                (folder / name).unlink(missing_ok=True)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Tickets: who has logged in over HTTP may open one WebSocket address with one for a minute.

A script of a page cannot set the header by which programs log in to a WebSocket, so the page gets a ticket over HTTP
and puts it into the address. A ticket is `TIME.USER.MAC`: the second at which it ends, the user, and the HMAC-SHA256 of
both and of the source, under a key that the programs of a site share by a file.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
import secrets
from typing import TYPE_CHECKING, Final

from dasflex_core.errors import AccessError, ConfigError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["LASTS", "check", "issue", "site_key"]

#: Seconds for which a ticket is good.
LASTS: Final = 60
_KEY_FILE: Final = "tickets.key"
_KEY: Final = 32
_MODE: Final = 0o600
_WRONG: Final = "This ticket is not good, or not any more; get another one"


def site_key(runtime: Path) -> bytes:
    """The key of a site, made when it is first asked for. Raises `ConfigError` where it cannot be kept or read."""
    file = runtime / _KEY_FILE
    try:
        key = _read(file)
        if key is None:
            runtime.mkdir(parents=True, exist_ok=True)
            _make(file)
            key = _read(file)
    except OSError as error:
        raise ConfigError(f"{file} cannot be read or made: {error.strerror}", kind="config.unreadable") from error
    if key is None or len(key) != _KEY:
        raise ConfigError(f"{file} holds no key of {_KEY} bytes; remove it", kind="config.bad-value")
    return key


def _read(file: Path) -> bytes | None:
    """The key in a file, None where there is none.

    Raises `OSError`, and `ConfigError` for one that others may read, or that somebody else may have put there.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    try:
        facts = os.fstat(descriptor)
        if facts.st_uid not in (0, os.geteuid(), file.parent.stat().st_uid):
            raise ConfigError(f"{file} is somebody else's; remove it", kind="config.bad-value")
        if facts.st_mode & 0o077:
            raise ConfigError(f"{file} may be read by others; remove it", kind="config.bad-value")
        return os.read(descriptor, _KEY + 1)
    finally:
        os.close(descriptor)


def _make(file: Path) -> None:
    """Makes the file with a new key, whole from its first moment on; that of another process is left."""
    new = file.with_name(f".{_KEY_FILE}.{secrets.token_hex(8)}")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, _MODE)
    try:
        os.write(descriptor, secrets.token_bytes(_KEY))
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        os.link(new, file)
    except FileExistsError:
        pass
    finally:
        new.unlink()


def issue(key: bytes, source: str, user: str, now: float) -> str:
    """A ticket for a user to one source, good for a minute from `now` (seconds since 1970)."""
    ends = int(now) + LASTS
    name = base64.urlsafe_b64encode(user.encode()).decode("ascii").rstrip("=")
    return f"{ends}.{name}.{_mac(key, source, str(ends), name)}"


def check(key: bytes, ticket: str, source: str, now: float) -> str:
    """The user of a ticket. Raises `AccessError` for one that is wrong, of another source, or too old."""
    ends, _, rest = ticket.partition(".")
    name, _, mac = rest.partition(".")
    if not (ends.isascii() and ends.isdigit() and len(ends) <= 12 and mac.isascii()):
        raise AccessError(_WRONG, kind="access.denied")
    try:
        user = base64.b64decode(name + "=" * (-len(name) % 4), b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise AccessError(_WRONG, kind="access.denied") from error
    sound = hmac.compare_digest(mac, _mac(key, source, ends, name))
    if not sound or not now < int(ends) <= now + LASTS + 1:
        raise AccessError(_WRONG, kind="access.denied")
    return user


def _mac(key: bytes, source: str, ends: str, name: str) -> str:
    """What nobody can make without the key; ids have no case. The user is named as in the ticket, which has no dots."""
    said = f"{ends}.{name}.{source.lower()}".encode()
    return hmac.new(key, said, hashlib.sha256).hexdigest()

# SPDX-License-Identifier: GPL-3.0-or-later
"""Credentials against the files: a password, or a token, gives an identity or nothing.

An unknown user takes as long as a known one, and gets the same answer.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from dasflex_core.access import Identity
from dasflex_core.errors import ConfigError, shown
from dasflex_passwd import failures, passed
from dasflex_passwd.users import hash_of

if TYPE_CHECKING:
    from dasflex_core.authentication import Credentials
    from dasflex_core.config import Config

__all__ = ["password", "token"]

_LOGGER = logging.getLogger("dasflex")


def password(credentials: Credentials, config: Config) -> Identity | None:
    """The user, if the password is theirs. Raises `BusyError` after too many that were not."""
    user, secret, now = credentials.user, credentials.secret, time.time()
    hashed = hash_of(user, config)
    if passed.is_remembered(user, secret, hashed, config, now) and hashed:  # in this order for unknown users, too
        return Identity(user)
    failures.check(user, credentials.address, config, now)
    if not _is_right(user, secret, hashed):
        failures.failed(user, credentials.address, config, now)
        return None
    failures.succeeded(user, credentials.address, config)
    passed.remember(user, secret, _upgraded(user, secret, hashed, config), config, now)
    return Identity(user)


def token(credentials: Credentials, config: Config) -> Identity | None:
    """Who was given a token, and what it is good for. Raises `BusyError` after too many that were not given."""
    from dasflex_passwd.tokens import holder

    now = time.time()
    found = holder(credentials.secret, config, now)
    if found is None:
        failures.check("", credentials.address, config, now)
        failures.failed("", credentials.address, config, now)
    return found


def _is_right(user: str, secret: str, hashed: str) -> bool:
    """Whether a password is that of a hash; the administrator is told of hashes that are of no use."""
    from dasflex_passwd import hashing

    if not hashed:
        hashing.waste()
        return False
    try:
        return hashing.verify(secret, hashed)
    except ConfigError as error:
        _LOGGER.warning("the user %s: %s", shown(user), error.message)
        hashing.waste()
        return False


def _upgraded(user: str, secret: str, hashed: str, config: Config) -> str:
    """The hash of a password that was right, made anew where it is of an old kind."""
    from dasflex_passwd import hashing
    from dasflex_passwd.users import replace_hash

    if hashing.is_current(hashed) or not hashing.is_known_whole(secret, hashed):
        return hashed
    new = hashing.make(secret)
    try:
        replace_hash(config, user, hashed, new)
    except ConfigError as error:  # a server may not be allowed to write it
        _LOGGER.warning("the hash of %s is of an old kind and cannot be replaced: %s", shown(user), error.message)
        return hashed
    return new

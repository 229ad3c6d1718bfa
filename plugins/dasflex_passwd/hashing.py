# SPDX-License-Identifier: GPL-3.0-or-later
"""Hashes of passwords: argon2id for new ones; those of old files are understood, except for what is not safe any more.

Argon2id (RFC 9106) with 46 MiB, one pass and one lane, a salt of 16 bytes and a hash of 32, as OWASP recommends at
least: 51 ms on a machine of two cores. A check is remembered for ten minutes, so that this is not paid for each
request, and one lane lets as many users log in at once as there are cores.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from dasflex_core.errors import ConfigError

if TYPE_CHECKING:
    from argon2 import PasswordHasher

__all__ = ["LONGEST", "is_current", "is_known_whole", "make", "prepared", "understood", "verify", "waste"]

#: Bytes of the longest password: a longer one only costs time.
LONGEST: Final = 1_024
#: Bytes of the longest way to write one: more are not even looked at.
_LONGEST_TYPED: Final = 4 * LONGEST
_MEMORY: Final = 47_104  # KiB
#: The beginnings of hashes of old files, each with the name of the algorithm in the library that verifies it.
_OLD: Final = {
    "$2a$": "bcrypt",
    "$2b$": "bcrypt",
    "$2y$": "bcrypt",
    "$5$": "sha256_crypt",
    "$6$": "sha512_crypt",
    "$apr1$": "apr_md5_crypt",
}


#: Bytes of a password that bcrypt looks at.
_BCRYPT: Final = 72


def make(password: str) -> str:
    """The hash of a password, with a new salt. Raises `ValueError` for one that is too long or that nobody types."""
    if any(ord(char) < 32 or 127 <= ord(char) < 160 or 0xD800 <= ord(char) < 0xE000 for char in password):
        raise ValueError("A password has no control characters, and is text in UTF-8")
    if len(prepared(password).encode()) > LONGEST:
        raise ValueError(f"A password has at most {LONGEST} bytes")
    return _hasher().hash(prepared(password))


def prepared(password: str) -> str:
    r"""A password in the one form in which keyboards and systems may write it differently (RFC 8265, 4.2.2).

    Letters with their accents are one character each (NFC), and any blank is a plain one. Nothing else is changed:
    letters that only look alike stay different.

    >>> prepared("e\u0301\u00a0A") == "\u00e9 A"
    True
    """
    if password.isascii():
        return password
    from unicodedata import category, normalize

    return normalize("NFC", "".join(" " if category(char) == "Zs" else char for char in password))


def verify(password: str, hashed: str) -> bool:
    """Whether a password is that of a hash. Raises `ConfigError` for a hash that is not safe, or none at all."""
    if len(password.encode("utf-8", "replace")) > _LONGEST_TYPED or len(prepared(password).encode()) > LONGEST:
        waste()
        return False
    if hashed.startswith("$argon2"):
        from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

        try:
            return _hasher().verify(hashed, prepared(password))
        except VerifyMismatchError:
            return False
        except (InvalidHashError, VerificationError) as error:
            raise _unfit("is damaged") from error
    if not understood(hashed):
        raise _unfit("is of a kind that is not safe any more, such as that of DES")
    forms = dict.fromkeys((password, prepared(password)))  # what made an old hash took bytes as they were typed
    return any(_verify_old(each, hashed) for each in forms)


def understood(hashed: str) -> bool:
    """Whether hashes of this kind are verified."""
    return hashed.startswith(("$argon2", *_OLD))


def is_current(hashed: str) -> bool:
    """Whether a hash was made as new ones are; else it is replaced when its password is next known."""
    return hashed.startswith("$argon2id$") and not _hasher().check_needs_rehash(hashed)


def is_known_whole(password: str, hashed: str) -> bool:
    """Whether a password that fits a hash is right to its end: bcrypt has seen the beginning of a long one only."""
    return _OLD.get(hashed[:4]) != "bcrypt" or len(password.encode()) <= _BCRYPT


def waste() -> None:
    """Takes as long as a check does, for users that there are not."""
    verify("", _nobody())


def _verify_old(password: str, hashed: str) -> bool:
    """Whether a password is that of a hash of an old file. Raises `ConfigError` for one that is damaged."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the library itself, about what it is used for here
        from passlib import hash as algorithms

        handler = getattr(algorithms, next(name for start, name in _OLD.items() if hashed.startswith(start)))
        known = password if is_known_whole(password, hashed) else password.encode()[:_BCRYPT]
        try:
            return bool(handler.verify(known, hashed))
        except ValueError as error:
            if "\0" in password:  # which no password of these has
                return False
            raise _unfit("is damaged") from error


def _unfit(how: str) -> ConfigError:
    """What the administrator is told of a hash."""
    return ConfigError(
        f"A hash of the password file {how}; give the user a new password: dasflex_passwd USER", kind="config.bad-value"
    )


@cache
def _hasher() -> PasswordHasher:
    """What makes and verifies the hashes of new passwords."""
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=1, memory_cost=_MEMORY, parallelism=1, hash_len=32, salt_len=16)


@cache
def _nobody() -> str:
    """A hash of these costs that is nobody's. It is no secret: its password is never accepted."""
    return "$argon2id$v=19$m=47104,t=1,p=1$bm9ib2R5IG5vYm9keSBubw$R/Mn0jX31PMm6gDmCG3UKWl25NhVLHRCfM8pV1X6rDQ"

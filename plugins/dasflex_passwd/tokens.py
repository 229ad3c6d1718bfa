# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens: what a program logs in with in the place of a user, for some sources and some time.

A token is `dfx_ID_SECRET`. The secret has 256 random bits, so that a plain SHA-256 of it can be kept: nobody can try
them all, and a slow hash is for what people make up. The file beside the password file has a line of JSON for each.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from typing import TYPE_CHECKING, Final

from dasflex_core.access import Identity
from dasflex_core.values import dataclass
from dasflex_passwd.files import changed, lines_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from dasflex_core.config import Config

__all__ = ["Token", "holder", "issue", "revoke", "revoke_all", "tokens"]

_PREFIX: Final = "dfx"
_LONGEST: Final = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """What is kept of a token. `expires` and `made` are seconds since 1970; 0 is never. `digest` is of its secret."""

    id: str
    user: str
    digest: str
    name: str = ""
    scope: tuple[str, ...] = ()
    made: float = 0.0
    expires: float = 0.0


def issue(config: Config, user: str, *, scope: tuple[str, ...], expires: float, name: str, now: float) -> str:
    """Makes a token for a user and keeps its hash. It is never shown again."""
    secret = secrets.token_urlsafe(32)
    made = Token(
        id=secrets.token_hex(6), user=user, digest=_digest(secret), name=name, scope=scope, made=now, expires=expires
    )
    changed(_file(config), lambda lines: [*lines, _line(made)])
    return f"{_PREFIX}_{made.id}_{secret}"


def holder(token: str, config: Config, now: float) -> Identity | None:
    """Whose a token is; None for one that is wrong, too old, or was taken back."""
    prefix, _, rest = token.partition("_")
    identifier, _, secret = rest.partition("_")
    if prefix != _PREFIX or len(token) > _LONGEST or not secret:
        return None
    given = _digest(secret)
    for each in tokens(config):
        if each.id == identifier and hmac.compare_digest(each.digest, given):
            return Identity(each.user, scope=each.scope) if not each.expires or now < each.expires else None
    return None


def tokens(config: Config, user: str = "") -> Iterator[Token]:
    """The tokens that are kept, of one user or of all. Lines that are none are passed over."""
    for line in lines_of(_file(config)):
        found = _token(line)
        if found is not None and user in ("", found.user):
            yield found


def revoke(config: Config, identifier: str) -> bool:
    """Takes a token back: false where there is none of that id."""
    known = any(each.id == identifier for each in tokens(config))
    if known:
        _keep(config, lambda each: each.id != identifier)
    return known


def revoke_all(config: Config, user: str) -> None:
    """Takes all tokens of a user back."""
    if any(tokens(config, user)):
        _keep(config, lambda each: each.user != user)


def _keep(config: Config, wanted: Callable[[Token], bool]) -> None:
    """Keeps the tokens that are wanted, and lines that are none."""

    def change(lines: list[str]) -> list[str]:
        return [line for line in lines if (found := _token(line)) is None or wanted(found)]

    changed(_file(config), change)


def _file(config: Config) -> Path:
    """The file of tokens, beside that of passwords."""
    return config.user_passwd.with_name(f"{config.user_passwd.name}.tokens")


def _digest(secret: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _line(token: Token) -> str:
    """A token as a line."""
    names = ("id", "user", "digest", "name", "scope", "made", "expires")
    return json.dumps({name: getattr(token, name) for name in names})


def _token(line: str) -> Token | None:
    """The token of a line; None for one that has none."""
    try:
        kept = json.loads(line)
        return Token(**{**kept, "scope": tuple(map(str, kept["scope"])), "expires": float(kept["expires"])})
    except (ValueError, TypeError, KeyError):
        return None

# SPDX-License-Identifier: GPL-3.0-or-later
"""Who asks: what somebody claims is given to the authenticators of plugins, and becomes an identity or an error."""

from __future__ import annotations

import base64
import binascii
from contextlib import suppress
from dataclasses import field, replace
from typing import TYPE_CHECKING, Final

from dasflex_core.access import NOBODY, Identity
from dasflex_core.errors import AccessError
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable

    from dasflex_core.claims import Claim
    from dasflex_core.config import Config
    from dasflex_core.registry import Registry

__all__ = ["Credentials", "credentials_of", "identify", "one_form"]

#: A longer header is none that anybody was given.
_LONGEST: Final = 4_096
_WRONG: Final = "This log-in is not good: the name, the password or the token is wrong, or not valid any more"


@dataclass(frozen=True, slots=True)
class Credentials:
    """What is to be proven.

    `scheme` is `basic`, `bearer`, or `remote-user`, where the web server has proven it. `user` is blank where the
    scheme has none; `secret` is the password or the token, which is never shown. `address` is that of the client.
    """

    scheme: str
    user: str = ""
    secret: str = field(default="", repr=False)
    address: str = ""


def identify(claim: Claim, registry: Registry, config: Config) -> Identity:
    """Who asks, with the groups of the group file.

    Raises `AccessError` (`access.log-in`) for credentials that are wrong, and whatever an authenticator raises, such as
    `BusyError` where somebody has tried too often.
    """
    if claim.ticket_user:
        return _with_groups(Identity(claim.ticket_user), config)
    given = credentials_of(claim)
    if given is None:
        return NOBODY
    _leave_no_dump()
    from dasflex_core.loading import load

    for each in registry.authenticators:
        if given.scheme in each.schemes:
            check: Callable[[Credentials, Config], Identity | None] = load(each.check)
            found = check(given, config)
            if found is not None and found.user:
                return _with_groups(found, config)
    raise AccessError(_WRONG, kind="access.log-in")


def credentials_of(claim: Claim) -> Credentials | None:
    """What a claim would prove; None without anything. Raises `AccessError` for a header that nobody understands."""
    if claim.remote_user:
        return Credentials("remote-user", one_form(claim.remote_user), address=claim.address)
    if not claim.authorization.strip():
        return None
    scheme, _, rest = claim.authorization.strip().partition(" ")
    scheme, rest = scheme.lower(), rest.strip()
    if len(claim.authorization) > _LONGEST:
        raise AccessError(_WRONG, kind="access.log-in")
    if scheme != "basic":
        return Credentials(scheme, secret=rest, address=claim.address)
    try:
        user, colon, password = base64.b64decode(rest, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, ValueError) as error:
        raise AccessError(_WRONG, kind="access.log-in") from error
    if not colon:
        raise AccessError(_WRONG, kind="access.log-in")
    return Credentials("basic", one_form(user), password, claim.address)


def one_form(user: str) -> str:
    r"""The name of a user in one form, however a keyboard or a system writes its accents (NFC; RFC 8265, 3.4.1).

    >>> one_form("Zoe\u0308") == "Zo\u00eb"
    True
    """
    if user.isascii():
        return user
    from unicodedata import normalize

    return normalize("NFC", user)


def _leave_no_dump() -> None:
    """A process that was given a secret writes no file of its memory where it crashes (core(5))."""
    import resource

    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def _with_groups(found: Identity, config: Config) -> Identity:
    """An identity with the groups that the group file lists for the user."""
    from dasflex_core.groups import groups_of

    return replace(found, groups=found.groups | groups_of(found.user, config.user_group))

# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plugin provides: the authenticators of passwords and of tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dasflex_core.hookspecs import Authenticator, hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["dasflex_authenticators"]


@hookimpl
def dasflex_authenticators(register: Callable[[Authenticator], None]) -> None:
    """Registers the authenticators."""
    register(Authenticator("password", "Users of the password file", ("basic",), "dasflex_passwd.checking:password"))
    register(Authenticator("token", "Tokens that users were given", ("bearer",), "dasflex_passwd.checking:token"))

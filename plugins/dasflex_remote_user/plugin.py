# SPDX-License-Identifier: GPL-3.0-or-later
"""What the plugin provides: the authenticator that believes the web server."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dasflex_core.hookspecs import Authenticator, hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["dasflex_authenticators"]


@hookimpl
def dasflex_authenticators(register: Callable[[Authenticator], None]) -> None:
    """Registers the authenticator."""
    register(
        Authenticator(
            "remote-user",
            "Users who have logged in at the web server",
            ("remote-user",),
            "dasflex_remote_user.believing:believe",
        )
    )

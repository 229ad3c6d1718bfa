# SPDX-License-Identifier: GPL-3.0-or-later
"""What the WebSocket front-end adds to the `dasflex` command, by the hook that a stranger would use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dasflex_core.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable

    import click


@hookimpl
def dasflex_commands(register: Callable[[click.Command], None]) -> None:
    """Registers `dasflex watch`."""
    from dasflex_ws.watch import watch

    register(watch)

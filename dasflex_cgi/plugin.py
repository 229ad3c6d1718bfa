# SPDX-License-Identifier: GPL-3.0-or-later
"""What the HTTP front-end adds to the `dasflex` command, by the hook that a stranger would use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dasflex_core.hookspecs import hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable

    import click


@hookimpl
def dasflex_commands(register: Callable[[click.Command], None]) -> None:
    """Registers `dasflex serve`."""
    from dasflex_cgi.serve import serve

    register(serve)

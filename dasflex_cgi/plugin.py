# SPDX-License-Identifier: GPL-3.0-or-later
"""What the HTTP front-end adds to the `dasflex` command, by the hook that a stranger would use."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dasflex_core.hookspecs import Extra, hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable

    import click

#: What draws on the page of a source (`dasflex_cgi.plot_library`): it needs JSON to draw from.
PAGES = Extra("pages", "The live plot on the page of the source", "dasflex[pages]", "plotly", shows="json")


@hookimpl
def dasflex_extras(register: Callable[[Extra], None]) -> None:
    """Registers what the plot library adds."""
    register(PAGES)


@hookimpl
def dasflex_commands(register: Callable[[click.Command], None]) -> None:
    """Registers `dasflex serve`."""
    from dasflex_cgi.serve import serve

    register(serve)

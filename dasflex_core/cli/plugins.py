# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex plugins`: what is installed, what each provides, and what failed."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import click

from dasflex_core.cli.verbs import Verb

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dasflex_core.registry import PluginInfo

__all__ = ["plugins"]


@click.command("plugins", cls=Verb)
def plugins() -> None:
    """List the plugins, what each provides, and why one failed.

    A plugin that fails is left out, and everything else works.
    """
    from dasflex_core.hookspecs import API_VERSION
    from dasflex_core.registry import discover

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the list says of each what is wrong with it
        registry = discover()
        verbs = [verb.name for verb in registry.commands()]
    for info in registry.plugins:
        click.echo("\n".join(_lines(info)))
    if verbs:
        click.echo(f"verbs of plugins: {', '.join(sorted(str(verb) for verb in verbs))}")
    click.echo(f"plugin API: {API_VERSION}")


def _lines(info: PluginInfo) -> Iterator[str]:
    """What is said of one plugin."""
    origin = f"{info.distribution or 'no distribution'} {info.version}".strip()
    written = f", for plugin API {info.api}" if info.api else ""
    yield f"{info.name} ({origin}, {info.module}{written})"
    if info.error:
        yield f"  failed: {info.error}"
    yield from (f"  {each}" for each in info.provides)

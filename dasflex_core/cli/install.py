# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex install`: makes the definitions of a root its sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dasflex_core.cli.exit_codes import FAILED
from dasflex_core.cli.verbs import Verb, root_option

if TYPE_CHECKING:
    from dasflex_core.catalog.tree import TreeReport

__all__ = ["install"]


@click.command("install", cls=Verb)
@click.option("--examples", is_flag=True, help="First put the examples that dasflex brings in place of those there.")
@root_option
@click.pass_context
def install(context: click.Context, examples: bool, root: str | None) -> None:  # noqa: FBT001  click
    """Make what is in `definitions/` of the root its sources.

    A definition that is wrong is told, and its source stays as it was.
    """
    import dasflex_core
    from dasflex_core.catalog.publishing import publisher
    from dasflex_core.catalog.tree import compile_tree
    from dasflex_core.catalog.walk import Vocabulary
    from dasflex_core.roots import install_examples

    site = dasflex_core.open(root)
    if examples and (kept := install_examples(site.config)) is not None:
        click.echo(f"The examples that were there are in {kept}")
    publish = publisher(site.config, site.registry, site.external)
    report = compile_tree(site.config.root, Vocabulary.of(site.registry, site.config.datasrc_inc), publish)
    _tell(report)
    if report.findings:
        context.exit(FAILED)


def _tell(report: TreeReport) -> None:
    """What became of each source, and what is wrong."""
    for warning in report.warnings:
        click.echo(f"{warning.place}: warning: {warning.message}", err=True)
    for finding in report.findings:
        click.echo(str(finding), err=True)
    for name in report.removed:
        click.echo(f"removed {name}")
    for name in report.kept:
        click.echo(f"kept {name} as it was")
    click.echo(f"{len(report.installed)} sources")

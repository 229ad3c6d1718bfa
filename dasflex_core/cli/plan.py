# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex plan`: what a request would run, at what price, and why nothing else."""

from __future__ import annotations

from typing import Literal

import click

from dasflex_core.cli.completion import complete_parameter, complete_source
from dasflex_core.cli.verbs import Verb, root_option

__all__ = ["plan"]


@click.command("plan", cls=Verb)
@click.argument("source", shell_complete=complete_source)
@click.argument("words", nargs=-1, metavar="[A/B] [KEY=VALUE]...", shell_complete=complete_parameter)
@click.option("--json", "how", flag_value="json", help="As JSON, for programs.")
@click.option("--mermaid", "how", flag_value="mermaid", help="As a graph that Mermaid draws.")
@click.option("--sh", "how", flag_value="sh", help="As the pipeline of a shell that gives the same bytes.")
@click.option("--every", metavar="STEP", help="The bin width, or the interval of a model, such as 1s or '10 min'.")
@root_option
def plan(
    source: str,
    words: tuple[str, ...],
    how: Literal["json", "mermaid", "sh"] | None,
    every: str | None,
    root: str | None,
) -> None:
    """Show what `get` would run, its price, and why nothing else.

    Nothing is run.
    """
    from dasflex_core.cli.words import request_of
    from dasflex_core.site import open_site

    request = request_of(open_site(root), source, words, every)
    click.echo(request.plan().explain(how or "text", administrator=True), nl=False)

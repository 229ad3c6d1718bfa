# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex find`: the sources that have some words in them."""

from __future__ import annotations

import click

from dasflex_core.cli.verbs import Verb, root_option

__all__ = ["find"]


@click.command("find", cls=Verb)
@click.argument("words", nargs=-1, metavar="[WORD]...")
@root_option
def find(words: tuple[str, ...], root: str | None) -> None:
    """List the sources whose id, title or summary has all the words.

    Without a word, all sources are listed. The exit code is 3 where there is none.
    """
    import dasflex_core
    from dasflex_core.errors import NotFoundError

    found = dasflex_core.open(root).search(list(words))
    if not found:
        wanted = f" with {' '.join(words)!r}" if words else " at all"
        raise NotFoundError(f"There is no source{wanted}", kind="not-found.source")
    width = max(len(each.id) for each in found)
    for each in found:
        click.echo(f"{each.id:<{width}}  {each.title}")

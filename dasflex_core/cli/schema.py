# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex schema`: the JSON Schema of a file that people write."""

from __future__ import annotations

import json

import click

from dasflex_core.cli.verbs import Verb

__all__ = ["schema"]


@click.command("schema", cls=Verb)
@click.argument("what", type=click.Choice(["source"]))
def schema(what: str) -> None:  # noqa: ARG001  there is one so far
    """Print the JSON Schema of the definition file, for editors.

    With `dasflex schema source > source.schema.json`, the first line of a definition may be
    `#:schema source.schema.json`.
    """
    from dasflex_core.catalog.schema import source_schema
    from dasflex_core.catalog.walk import Vocabulary
    from dasflex_core.registry import discover

    registry = discover()
    vocabulary = Vocabulary.of(registry)
    click.echo(json.dumps(source_schema(vocabulary), indent=2, ensure_ascii=False))

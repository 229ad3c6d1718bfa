# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing the source sets of definitions to a directory, without a root: what `-o` asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dasflex_core.catalog.bringing import named, read_as
from dasflex_core.catalog.changing import Changes
from dasflex_core.catalog.documents import Directories
from dasflex_core.catalog.identifiers import folded
from dasflex_core.catalog.making import definition_files
from dasflex_core.catalog.tree import Entry
from dasflex_core.catalog.walk import Vocabulary
from dasflex_core.errors import DasflexError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from dasflex_core.catalog.model import Definition
    from dasflex_core.catalog.publishing import Publisher
    from dasflex_core.site import Site

__all__ = ["write_source_sets"]


def write_source_sets(  # the options of the verb, and of the older program
    site: Site,
    publish: Publisher,
    files: Sequence[Path],
    output: Path,
    *,
    identifier: str = "",
    below: Path | None = None,
) -> bool:
    """Writes the source sets of definitions below a directory, all of the root's where none is named.

    The nodes of the directories above them are written too, unless the publisher leaves them out. Gives whether
    something was wrong, which is told.
    """
    vocabulary = Vocabulary.of(site.registry, site.config.datasrc_inc)
    definitions = site.config.root.absolute() / "definitions"
    found: dict[str, Definition] = {}
    failed = False
    for file in files or definition_files(definitions, vocabulary.forms):
        place = file.absolute()
        base = definitions if place.is_relative_to(definitions) else below or place.parent
        name = named(place, vocabulary, identifier=identifier, below=definitions if base == definitions else below)
        reading = read_as(place, name, place.parent, Directories(base, vocabulary.forms), vocabulary)
        for finding in reading.findings:
            click.echo(str(finding), err=True)
        failed = failed or reading.definition is None
        if reading.definition:
            found[folded(reading.definition.id)] = reading.definition
    return not _write(site, publish, found, output) or failed


def _write(site: Site, publish: Publisher, found: dict[str, Definition], output: Path) -> bool:
    """Writes the files; false where something cannot be, which is told."""

    def find(name: str) -> Definition:
        return found.get(folded(name)) or site.catalog.find(name)

    output = output.absolute()
    making, changes = publish.opened(find), Changes(output.parent, keep=False)
    entries: list[Entry] = []
    files: dict[str, bytes] = {}
    good = True
    for definition in found.values():
        try:
            made, parts = making.source(definition)
        except DasflexError as error:
            click.echo(f"{definition.file}: this source cannot be published: {error.message}", err=True)
            good = False
            continue
        files |= made
        entries.append(
            Entry(
                definition.id,
                "",
                definition.title,
                definition.label,
                range=str(definition.range or ""),
                listed=definition.listed,
                parts=parts,
            )
        )
    titles = site.catalog.directories()
    for name, data in {**publish.nodes(entries, titles), **files}.items():
        changes.write(output / name, data, mode=0o644)
    click.echo(f"{len(entries)} source sets in {output}")
    return good

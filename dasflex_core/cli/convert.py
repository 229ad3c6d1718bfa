# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex convert`: a definition of another form as TOML, which a person goes on editing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from dasflex_core.cli.exit_codes import FAILED
from dasflex_core.cli.verbs import OutputError, Verb

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dasflex_core.catalog.importing import Imported

__all__ = ["convert", "converted"]

#: What a TOML definition must have and other forms may lack, as a pattern to fill in.
_MISSING: Final[Mapping[str, tuple[str, ...]]] = {
    "contacts": (
        "[contacts]    write who answers for the source, here or in a _dirinfo_.toml above",
        'technical = "Name <address>"',
    ),
    "example": (
        "[[example]]    write a range for which there are data; it should be answered within seconds",
        'title = "What is to be seen"',
        'time  = "2020-01-01 to 2020-01-02"',
    ),
}


@click.command("convert", cls=Verb)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.toml",
              help="Write the TOML here; the default is standard output.")  # fmt: skip
@click.option("--include", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
              help="The directory whose files a JSON definition may include.")  # fmt: skip
@click.option("--force", is_flag=True, help="Replace a file that is there already.")
@click.pass_context
def convert(context: click.Context, file: Path, output: Path | None, include: Path | None, force: bool) -> None:  # noqa: FBT001  click
    """Print a definition in DSDF or JSON as TOML.

    The TOML means what the FILE means; comments are kept. What the FILE lacks and TOML needs stands in it as comments,
    and is told. A FILE that is wrong is told with line and key, and nothing is written.
    """
    from dasflex_core.catalog.documents import Document, describes_directory, faults_of, load_document
    from dasflex_core.catalog.importing import Forms
    from dasflex_core.catalog.read_toml import examine, examine_directory
    from dasflex_core.catalog.walk import Vocabulary
    from dasflex_core.registry import discover

    registry = discover()
    vocabulary = Vocabulary.of(registry, include.absolute() if include else None)
    forms = Forms(registry.importers, vocabulary.forms.include)
    if forms.importer(file) is None:
        known = ", ".join(f"FILE{each.suffix}" for each in forms.importers)
        raise click.UsageError(f"{file} is of no form that can be converted; these are {known}")
    document = load_document(file, forms)
    findings = faults_of((document,))
    made = document.imported if isinstance(document, Document) else None
    directory = False
    if isinstance(document, Document) and not findings:
        directory = describes_directory(file)
        reading = (
            examine_directory(document, vocabulary) if directory else examine(document, id="x", vocabulary=vocabulary)
        )
        for warning in reading.warnings:
            click.echo(f"{warning.place}: warning: {warning.message}", err=True)
        findings = reading.findings
    for finding in findings:
        click.echo(str(finding), err=True)
    if findings or made is None:
        context.exit(FAILED)
    _write(converted(made, file.name, directory=directory), output, force=force)


def converted(made: Imported, name: str, *, directory: bool = False) -> str:
    """The TOML of what was imported from a file of that name."""
    from dasflex_core.catalog.toml_text import toml_text

    lacks = {path[0] for path in made.may_lack if not _said(made.tables, path)}
    missing = {name: lines for name, lines in _MISSING.items() if name in lacks}
    return toml_text(made.tables, made.comments, head=[f"Converted from {name}"], missing=missing, directory=directory)


def _said(tables: Mapping[str, object], path: tuple[str | int, ...]) -> bool:
    """Whether tables have a key."""
    held: object = tables
    for name in path:
        held = held.get(str(name)) if isinstance(held, dict) else None
    return held is not None


def _write(text: str, output: Path | None, *, force: bool) -> None:
    """Writes the TOML, to standard output or to a file that is not there yet."""
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        with output.open("w" if force else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise OutputError(f"{output} is there already; --force replaces it") from error
    except OSError as error:
        raise OutputError(f"{output} cannot be written: {error.strerror}") from error

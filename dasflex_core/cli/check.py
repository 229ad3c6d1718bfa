# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex check`: a linter for definitions that also asks and runs what they promise."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dasflex_core.cli.completion import complete_source
from dasflex_core.cli.exit_codes import FAILED
from dasflex_core.cli.verbs import Verb, root_option
from dasflex_core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dasflex_core.cli.checking import Checker
    from dasflex_core.site import Site

__all__ = ["check"]


@click.command("check", cls=Verb)
@click.argument("what", nargs=-1, metavar="[SOURCE|FILE]...", shell_complete=complete_source)
@click.option("--no-run", is_flag=True, help="Do not run the examples.")
@click.option("--learn", is_flag=True, help="Print the tables of coordinates and data that the stream implies.")
@click.option("--can", is_flag=True, help="List what can be had of each source, and what an extra would add.")
@root_option
@click.pass_context
def check(
    context: click.Context,
    what: tuple[str, ...],
    no_run: bool,  # noqa: FBT001  click
    learn: bool,  # noqa: FBT001  click
    can: bool,  # noqa: FBT001  click
    root: str | None,
) -> None:
    """Validate definitions, solve their requests, run their examples.

    Without an argument, all definitions of the site are checked, and whether its files are too open. What is wrong is
    told with file and line, and the exit code is then 1. A warning is worth a look and changes no exit code: so is what
    the stream of an example is other than declared. Examples run for 30 seconds at most.

    With --learn or --can nothing is checked: they print what there is to know.
    """
    from dasflex_core.catalog.documents import describes_directory
    from dasflex_core.cli.checking import Checker
    from dasflex_core.file_modes import too_open
    from dasflex_core.site import open_site

    site = open_site(root)
    checker = Checker(site, run=not no_run)
    paths = list(_paths(site, what))
    if learn or can:
        for path in paths:
            if not describes_directory(path):
                (_learn if learn else _list)(site, checker, path)
        return
    wrong = warned = 0
    for odd in site.config.remarks:
        click.echo(odd)
    for odd in () if what else too_open(site.config):
        click.echo(odd.replace(": ", ": warning: ", 1))
        warned += 1
    for path in paths:
        for remark in checker.check(path):
            click.echo(str(remark))
            wrong += remark.wrong
            warned += not remark.wrong
    click.echo(f"{_count(len(paths), 'file')}, {_count(wrong, 'error')}, {_count(warned, 'warning')}", err=True)
    if wrong:
        context.exit(FAILED)


def _paths(site: Site, what: Sequence[str]) -> Iterator[Path]:
    """The files that are to be checked."""
    from dasflex_core.catalog.documents import describes_directory
    from dasflex_core.catalog.importing import Forms
    from dasflex_core.catalog.making import definition_files
    from dasflex_core.catalog.read_toml import DEFINITION_FILE

    forms = Forms(site.registry.importers, site.config.datasrc_inc)
    if not what:
        yield from (
            path
            for path in sorted(site.config.definitions.rglob("_dirinfo_.*"))
            if describes_directory(path) and forms.are_form_of(path)
        )
        yield from definition_files(site.config.definitions, forms)
    for each in what:
        path = Path(each)
        if path.is_dir() and (path / DEFINITION_FILE).is_file():
            yield path / DEFINITION_FILE
        elif forms.are_form_of(path) or path.is_file():
            yield path
        else:
            yield Path(site[each].definition.file)


def _list(site: Site, checker: Checker, path: Path) -> None:
    """Prints what can be had of a source."""
    from dasflex_core.cli.abilities import abilities

    for line in abilities(site, checker.definition(path), checker.find):
        click.echo(line)


def _learn(_site: Site, checker: Checker, path: Path) -> None:
    """Prints what the stream of the first example says of itself."""
    from dasflex_core.cli.learning import learned_tables

    definition = checker.definition(path)
    if not definition.examples:
        raise ConfigError(f"{path}: without an example there is nothing to learn from", kind="config.missing")
    trial = checker.try_example(definition)
    click.echo(learned_tables(trial.datasets.values()))


def _count(number: int, noun: str) -> str:
    """A number of things."""
    return f"{number} {noun}{'' if number == 1 else 's'}"

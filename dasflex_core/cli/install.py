# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex install`: makes the definitions of a root its sources."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from dasflex_core.cli.exit_codes import FAILED
from dasflex_core.cli.verbs import Verb, root_option

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dasflex_core.catalog.findings import Finding
    from dasflex_core.catalog.model import Definition
    from dasflex_core.catalog.publishing import Publisher
    from dasflex_core.catalog.tree import TreeReport
    from dasflex_core.site import Site

__all__ = ["install", "install_files", "install_tree", "tell", "warn_of_port"]

#: So many sources are named; of more only the number is told.
_NAMED: Final = 50


@click.command("install", cls=Verb)
@click.argument("files", nargs=-1, metavar="[FILE]...", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--id", "identifier", metavar="ID", help="The id of the source; with one FILE only.")
@click.option("--check", is_flag=True, help="Say what would change, and change nothing.")
@click.option("--undo", is_flag=True, help="Put back what the last install replaced.")
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write the source sets there, and leave the root as it is.",
)
@click.option("--examples", is_flag=True, help="First put the examples that dasflex brings in place of those there.")
@root_option
@click.pass_context
def install(  # noqa: PLR0917  click gives them by name
    context: click.Context,
    files: tuple[Path, ...],
    identifier: str | None,
    check: bool,  # noqa: FBT001  click
    undo: bool,  # noqa: FBT001  click
    output: Path | None,
    examples: bool,  # noqa: FBT001  click
    root: str | None,
) -> None:
    """Make what is in `definitions/` of the root its sources.

    Without a FILE, what has changed since the last time is made anew. With some, only these are, and those that are
    elsewhere are copied into `definitions/`. A definition that is wrong is told, and its source stays as it was.
    """
    from dasflex_core.catalog.publishing import publisher
    from dasflex_core.site import open_site

    if identifier and len(files) != 1:
        raise click.UsageError("--id is that of one FILE; name one", context)
    site = open_site(root)
    publish = publisher(site.config, site.registry, site.external)
    if undo:
        from dasflex_core.catalog.changing import undo as put_back

        click.echo(f"{len(put_back(site.config.root))} files are as they were before")
        return
    if examples:
        from dasflex_core.roots import install_examples

        if (kept := install_examples(site.config)) is not None:
            click.echo(f"The examples that were there are in {kept}")
    if output is not None:
        from dasflex_core.cli.source_sets import write_source_sets

        failed = write_source_sets(site, publish, files, output, identifier=identifier or "")
        context.exit(FAILED if failed else 0)
    warn_of_port(site)
    if files:
        report = install_files(site, publish, files, identifier=identifier or "", dry=check)
    else:
        report = install_tree(site, publish, dry=check)
    tell(report, dry=check)
    if report.findings:
        context.exit(FAILED)


def install_tree(site: Site, publish: Publisher, *, dry: bool = False) -> TreeReport:
    """Installs what has changed below `definitions/`."""
    from dasflex_core.catalog.changing import Changes
    from dasflex_core.catalog.installing import install as run
    from dasflex_core.catalog.walk import Vocabulary

    vocabulary = Vocabulary.of(site.registry, site.config.datasrc_inc)
    report = run(site.config.root, vocabulary, publish, changes=Changes(site.config.root.absolute(), dry=dry))
    if not dry:
        _hand_over(site, report.changed)
    return report


def _hand_over(site: Site, changed: Iterable[str]) -> None:
    """Hands over the tasks that follow an install of sources, where there is background work."""
    from dasflex_core.errors import DasflexError
    from dasflex_core.loading import load
    from dasflex_core.tasks import Task, hand_over

    if not site.config.work_queue_broker:
        return
    tasks: list[Task] = []
    for kind in site.registry.task_kinds:
        for each in changed if kind.installed else ():
            with suppress(DasflexError):
                tasks += [Task(kind.name, arguments) for arguments in load(kind.prepare)(site, {"source": each})]
    hand_over(site.config, tasks)


def install_files(  # the options of the verb, and of the older program
    site: Site,
    publish: Publisher,
    files: Sequence[Path],
    *,
    identifier: str = "",
    below: Path | None = None,
    dry: bool = False,
) -> TreeReport:
    """Installs these definitions and no others; those that are elsewhere are copied into `definitions/`."""
    from dataclasses import replace

    from dasflex_core.catalog.bringing import bring, copy, named
    from dasflex_core.catalog.changing import Changes
    from dasflex_core.catalog.documents import place_in
    from dasflex_core.catalog.findings import Finding
    from dasflex_core.catalog.identifiers import folded
    from dasflex_core.catalog.installing import install as run
    from dasflex_core.catalog.walk import Vocabulary

    root = site.config.root.absolute()
    vocabulary = Vocabulary.of(site.registry, site.config.datasrc_inc)
    changes = Changes(root, dry=dry)
    found: list[Finding] = []
    places: set[str] = set()
    expected: dict[str, Definition] = {}
    warnings: list[Finding] = []
    taken: dict[str, Path] = {}
    for file in files:
        name = named(file, vocabulary, identifier=identifier, below=below)
        brought = bring(file, name, root / "definitions", site.catalog, vocabulary)
        wrong = [*brought.reading.findings]
        if not wrong and taken.setdefault(folded(name), brought.file) != brought.file:
            message = (
                f"the id {name!r} is that of {taken[folded(name)]} too; give it another, or leave one of the two out"
            )
            wrong.append(Finding("config.bad-value", message, place_in(file, ("id",), vocabulary.forms)))
        if not wrong:
            wrong += copy(brought, site.catalog, changes)
        found += wrong
        if wrong:
            continue
        if dry and not brought.is_there and brought.reading.definition:
            expected[str(brought.target)] = replace(brought.reading.definition, file=str(brought.target))
            warnings += brought.reading.warnings
        else:
            places.add(str(brought.target))
    report = run(root, vocabulary, publish, only=places, changes=changes, expected=expected)
    if not dry:
        _hand_over(site, report.changed)
    return replace(report, findings=(*found, *report.findings), warnings=(*warnings, *report.warnings))


def tell(report: TreeReport, *, dry: bool = False) -> None:
    """What became of each source, and what is wrong."""
    for warning in report.warnings:
        click.echo(f"{warning.place}: warning: {warning.message}", err=True)
    for finding in report.findings:
        click.echo(str(finding), err=True)
    would = "would be " if dry else ""
    _tell_names(f"{would}made", report.changed)
    _tell_names(f"{would}removed", report.removed)
    for name in report.kept:
        if report.findings:
            click.echo(f"kept {name} as it was")
    if dry:
        click.echo(f"{len(report.files)} files would change")
    click.echo(f"{len(report.installed)} sources")


def _tell_names(what: str, names: Iterable[str]) -> None:
    """What became of some sources: each by its id, or how many they are."""
    listed = sorted(names)
    if len(listed) > _NAMED:
        click.echo(f"{what} {len(listed)} sources")
        return
    for name in listed:
        click.echo(f"{what} {name}")


def warn_of_port(site: Site) -> None:
    """Tells that many clients take no address with a port, where others than this machine are to use it."""
    from urllib.parse import urlsplit

    from dasflex_core.catalog.addresses import has_port, public_base

    base = public_base(site.config)
    if has_port(base) and urlsplit(base).hostname not in ("localhost", "127.0.0.1", "::1"):
        click.echo(
            f"warning: SERVER_URL is {base}: das2C, das2py and IDL clients refuse addresses with a port;"
            " put the server behind one at the usual port",
            err=True,
        )

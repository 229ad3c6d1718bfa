# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs that older servers had, under their old names and with their old options."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from dasflex_core.cli.exit_codes import FAILED
from dasflex_core.cli.verbs import Verb

__all__ = ["cupdate", "sdef", "sitecat"]

_config = click.option(
    "-c",
    "--config",
    type=click.Path(exists=True),
    metavar="CONF",
    help="The dasflex.conf of the root, or the root. Default: DASFLEX_CONFIG.",
)


@click.command("dasflex_sdef", cls=Verb)
@click.argument("files", nargs=-1, metavar="[FILE]...", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-i", "--install", "installs", is_flag=True, help="Install below the server's catalog.")
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write the source sets there. Default: the current directory.",
)
@click.option("-l", "--local-id", metavar="ID", help="The id of the source; with one FILE only.")
@click.option(
    "-d",
    "--directory",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="Ids are the paths of the files below this directory.",
)
@_config
@click.option("-n", "--no-parents", is_flag=True, help="Leave the nodes of the directories above alone.")
@click.option("-W", "--no-websocket", is_flag=True, help="Write no WebSocket source.")
@click.option("-H", "--no-hapi", is_flag=True, help="Write no HAPI source.")
@click.pass_context
def sdef(  # noqa: PLR0917  click gives them by name
    context: click.Context,
    files: tuple[Path, ...],
    installs: bool,  # noqa: FBT001  click
    output: Path | None,
    local_id: str | None,
    directory: Path | None,
    config: str | None,
    no_parents: bool,  # noqa: FBT001  click
    no_websocket: bool,  # noqa: FBT001  click
    no_hapi: bool,  # noqa: FBT001  click
) -> None:
    """Turn definitions into source sets: `dasflex install` under its old name.

    With -i and without a FILE, what has changed below `definitions/` is made anew.
    """
    from dasflex_core.catalog.publishing import publisher
    from dasflex_core.cli.install import install_files, install_tree, tell, warn_of_port
    from dasflex_core.cli.source_sets import write_source_sets
    from dasflex_core.site import open_site

    if local_id and len(files) != 1:
        raise click.UsageError("-l is the id of one FILE; name one", context)
    if installs and output is not None:
        raise click.UsageError("-i installs and -o writes elsewhere; give one of them", context)
    site = open_site(config)
    whole = publisher(site.config, site.registry, site.external)
    publish = replace(whole, live=not no_websocket, hapi=not no_hapi, above=not no_parents)
    if not installs:
        if not files:
            raise click.UsageError("name definitions, or install all that changed with -i", context)
        place = output or Path()
        failed = write_source_sets(site, publish, files, place, identifier=local_id or "", below=directory)
        context.exit(FAILED if failed else 0)
    warn_of_port(site)
    if files:
        report = install_files(site, publish, files, identifier=local_id or "", below=directory)
    else:
        report = install_tree(site, publish)
    tell(report)
    context.exit(FAILED if report.findings else 0)


@click.command("dasflex_cupdate", cls=Verb)
@click.option("-d", "--directory", type=click.Path(exists=True), metavar="DIR", help="The root of the catalog.")
@_config
@click.pass_context
def cupdate(context: click.Context, directory: str | None, config: str | None) -> None:
    """Write all nodes of the catalog anew: `dasflex catalog update` under its old name."""
    from dasflex_core.cli.catalog import update_catalog
    from dasflex_core.site import open_site

    context.exit(update_catalog(open_site(directory or config)))


@click.command("dasflex_sitecat", cls=Verb)
@click.argument("servers", nargs=-1, required=True, metavar="URL|FILE...")
@click.option(
    "-o",
    "--output",
    default=".",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="The directory of the static files. Default: the current directory.",
)
@click.option("-u", "--url", metavar="URL", help="The address at which DIR will be served. Default: SITE_URL.")
@_config
@click.pass_context
def sitecat(
    context: click.Context, servers: tuple[str, ...], output: Path, url: str | None, config: str | None
) -> None:
    """Make one catalog of those of several servers: `dasflex catalog merge` under its old name."""
    from dasflex_core.cli.catalog import merge_catalogs
    from dasflex_core.site import open_site

    context.exit(merge_catalogs(open_site(config), servers, output, url=url or ""))

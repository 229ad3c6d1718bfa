# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex catalog`: the nodes of the catalog written anew, and the catalogs of several servers made one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from dasflex_core.cli.exit_codes import FAILED
from dasflex_core.cli.verbs import Verb, VerbGroup, root_option
from dasflex_core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dasflex_core.site import Site

__all__ = ["catalog", "merge_catalogs", "update_catalog"]

_LONGEST: Final = 256_000_000
_PATIENCE: Final = 60.0


@click.group("catalog", cls=VerbGroup)
def catalog() -> None:
    """Write the catalog's nodes anew, or make one of several."""


@catalog.command("update", cls=Verb)
@root_option
@click.pass_context
def update(context: click.Context, root: str | None) -> None:
    """Write all nodes and lists of the installed sources anew.

    This is to be done after SERVER_URL has changed. No definition is read.
    """
    from dasflex_core.site import open_site

    context.exit(update_catalog(open_site(root)))


@catalog.command("merge", cls=Verb)
@click.argument("servers", nargs=-1, required=True, metavar="URL|FILE...")
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="The directory of the static files.",
)
@click.option("--url", metavar="URL", help="The address at which DIR will be served. Default: SITE_URL.")
@click.option("--title", metavar="TEXT", help="The title of the whole. Default: SITE_TITLE.")
@root_option
@click.pass_context
def merge(
    context: click.Context, servers: tuple[str, ...], output: Path, url: str | None, title: str | None, root: str | None
) -> None:
    """Make one catalog of those of several servers, as static files.

    URL is the address of a server, or of its catalog.json; FILE is a catalog.json. What is a directory of several
    servers has the children of all, and a source of several has the addresses of all.
    """
    from dasflex_core.site import open_site

    site = open_site(root)
    context.exit(merge_catalogs(site, servers, output, url=url or "", title=title or ""))


def update_catalog(site: Site) -> int:
    """Writes all nodes anew, and gives the exit code."""
    from dasflex_core.catalog.installing import update as run
    from dasflex_core.catalog.publishing import publisher
    from dasflex_core.catalog.walk import Vocabulary
    from dasflex_core.cli.install import tell, warn_of_port

    warn_of_port(site)
    vocabulary = Vocabulary.of(site.registry, site.config.datasrc_inc)
    report = run(site.config.root, vocabulary, publisher(site.config, site.registry, site.external))
    click.echo(f"{len(report.files)} files are other than before")
    tell(report)
    return FAILED if report.findings else 0


def merge_catalogs(site: Site, servers: Sequence[str], output: Path, *, url: str = "", title: str = "") -> int:
    """Writes the merged catalog, and gives the exit code: a server that does not answer is told and left out."""
    from dasflex_core.catalog.addresses import uris
    from dasflex_core.catalog.changing import Changes
    from dasflex_core.catalog.merging import ENDINGS, Naming, merged_files, read_catalog

    config = site.config
    base = url or config.site_url
    if not base.startswith(("http://", "https://")):
        raise ConfigError("Say with --url, or by SITE_URL, where the catalog will be served", kind="config.missing")
    name = config.site_title or config.server_name
    naming = Naming(base, name, title or name, lambda path: uris(config, path))
    changes, count = Changes(output.absolute().parent, keep=False), 0
    failed: dict[str, None] = {}
    for ending in ENDINGS:
        nodes = []
        for server in servers:
            try:
                data, where = _fetched(server, ending)
                nodes.append(read_catalog(data, where))
            except (ConfigError, OSError) as error:
                if ending == ENDINGS[0]:
                    failed[server] = None
                    click.echo(f"{server}: {getattr(error, 'message', '') or error}", err=True)
        files = merged_files(nodes, naming, ending)
        count += len(files)
        for file, data in files.items():
            changes.write(output.absolute() / file, data, mode=0o644)
    click.echo(f"{count} files in {output}")
    return FAILED if failed or not count else 0


def _fetched(server: str, ending: str) -> tuple[bytes, str]:
    """One tree of a server, and where it was found. Raises `OSError`."""
    plain, flex = "catalog.json", "catalog.flex.json"
    wanted = plain if ending == ".json" else flex
    if "://" not in server:
        path = Path(server)
        path = path / wanted if path.is_dir() else path if wanted == plain else path.with_name(flex)
        return path.read_bytes(), str(path)
    if not server.lower().startswith(("http://", "https://")):
        raise ConfigError("a catalog is fetched by http or https only", kind="config.bad-value")
    base = server.partition("?")[0].removesuffix(plain).rstrip("/")
    address = f"{base}/{wanted}"
    from dasflex_core.fetching import fetch

    with fetch(address, _PATIENCE) as answer:
        data = answer.read(_LONGEST + 1)
    if len(data) > _LONGEST:
        raise ConfigError(f"{address} is too long for a catalog", kind="config.unreadable")
    return data, address

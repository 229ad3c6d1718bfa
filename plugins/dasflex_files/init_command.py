# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex init`: looks at a directory of files, and writes the definition of the source that they are."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dasflex_core.cli.exit_codes import FAILED
from dasflex_core.cli.verbs import OutputError, Verb, root_option

if TYPE_CHECKING:
    from dasflex_core.site import Site
    from dasflex_files.drafting import Draft

__all__ = ["init"]


@click.command("init", cls=Verb, section="Definitions")
@click.argument("folder", metavar="DIR", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE.toml",
              help="Write the definition here, and install nothing.")  # fmt: skip
@click.option("--id", "identifier", metavar="ID", help="The id of the source; the default is the directory's name.")
@click.option("--contact", metavar="'NAME <ADDRESS>'", help="Who answers for the source.")
@click.option("--force", is_flag=True, help="Replace a definition that is there already.")
@root_option
@click.pass_context
def init(
    context: click.Context,
    folder: Path,
    output: Path | None,
    identifier: str | None,
    contact: str | None,
    force: bool,  # noqa: FBT001  click
    root: str | None,
) -> None:
    """Make a source of a directory of CDF, CSV, NetCDF or Parquet files.

    It looks at the names and into some of the files, and writes the definition to `definitions/` of the root, or to the
    FILE. What was found is told, and what nobody but you can know. The definition is checked; in the root it is
    installed, and `dasflex serve` shows it.
    """
    from dasflex_core.catalog.toml_text import toml_text
    from dasflex_core.cli.checking import Checker
    from dasflex_core.site import open_site
    from dasflex_files.drafting import drafted

    site = open_site(root)
    draft = drafted(folder.absolute(), contact or _contact(site))
    name = identifier or (output.stem if output else _name(folder.absolute()))
    target = output or site.config.definitions / f"{name}.toml"
    if target.exists() and not force:
        raise OutputError(f"{target} is there already; --force replaces it, --id gives another id")
    text = toml_text(draft.tables, head=[name])
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{target} cannot be written: {error.strerror}") from error
    _tell(draft, contact)
    wrong = 0
    for remark in Checker(site).check(target):
        click.echo(str(remark))
        wrong += remark.wrong
    click.echo(f"wrote {target}")
    if output is None and not wrong:
        _install(site)
    if wrong:
        context.exit(FAILED)


def _install(site: Site) -> None:
    """Installs what is new in the root."""
    from dasflex_core.catalog.publishing import publisher
    from dasflex_core.cli.install import install_tree, tell

    tell(install_tree(site, publisher(site.config, site.registry, site.external)))
    click.echo("See it with: dasflex serve")


def _tell(draft: Draft, contact: str | None) -> None:
    """Tells what was found, and what was not."""
    for line in draft.found:
        click.echo(f"found: {line}")
    for line in (*(() if contact else ("who answers for the source (contacts.technical)",)), *draft.unknown):
        click.echo(f"not known: {line}")


def _contact(site: Site) -> str:
    """Somebody to ask: the contact of the site, else whoever runs the command."""
    import getpass
    import socket

    address = site.config.contact_email
    user = getpass.getuser()
    return f"{user} <{address or f'{user}@{socket.gethostname()}'}>"


def _name(folder: Path) -> str:
    """The id that a directory's name makes. Raises `ConfigError` where that cannot be one."""
    from dasflex_core.catalog.identifiers import LONGEST, RESERVED, id_fault
    from dasflex_core.errors import ConfigError

    name = re.sub(r"[^A-Za-z0-9_+.-]+", "_", folder.name).strip("_.")
    if name.lower() in (each.lower() for each in RESERVED):  # as of a directory called data
        name = f"{re.sub(r'[^A-Za-z0-9_+-]+', '_', folder.parent.name)}_{name}"
    name = name[:LONGEST]
    if id_fault(name):
        raise ConfigError(f"{folder}: {id_fault(name)}. Give one with --id", kind="config.bad-value")
    return name

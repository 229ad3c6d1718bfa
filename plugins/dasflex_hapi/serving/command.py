# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex hapi`: describes the HAPI data sets of sources now, and says what was found."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dasflex_core.cli.exit_codes import FAILED
from dasflex_core.cli.verbs import Verb, root_option

if TYPE_CHECKING:
    from dasflex_core.site import Site
    from dasflex_hapi.serving.data_sets import DataSet

__all__ = ["hapi"]


@click.command("hapi", cls=Verb, section="Servers")
@click.argument("sources", metavar="[SOURCE…]", nargs=-1)
@click.option("--again", is_flag=True, help="Describe anew what was described before.")
@root_option
@click.pass_context
def hapi(context: click.Context, sources: tuple[str, ...], again: bool, root: str | None) -> None:  # noqa: FBT001  click
    """Describe the HAPI data sets of sources from their examples.

    A server describes a data set when it is asked for it first, which takes as long as a reader takes for an example.
    This does it now, for the SOURCEs or for all. A line tells what each data set holds, or why it cannot be served.
    """
    from dasflex_core.errors import DasflexError
    from dasflex_core.site import open_site
    from dasflex_hapi.serving.catalog import catalog_json

    site = open_site(root)
    failed = False
    for each in _named(site, sources):
        try:
            click.echo(_line(each, again=again))
        except DasflexError as error:
            failed = True
            click.echo(f"{each.id}: {error.message}", err=True)
    if not sources:
        catalog_json(site, "all")
    if failed:
        context.exit(FAILED)


def _named(site: Site, sources: tuple[str, ...]) -> list[DataSet]:
    """The data sets of the sources, or of all. Raises `NotFoundError`."""
    from dasflex_hapi.serving.register import find, listed, sets_of

    if not sources:
        return [find(site, each.id) for each in listed(site)]
    return [each for name in sources for each in sets_of(site, site[name])]


def _line(data_set: DataSet, *, again: bool) -> str:
    """What a data set holds, in a line."""
    from dasflex_hapi.serving.headers import capture, header_of
    from dasflex_hapi.serving.info import info_of

    header = capture(data_set) if again else header_of(data_set)
    said = info_of(data_set, header)
    names = ", ".join(each["name"] for each in said["parameters"])
    return f"{data_set.id}: {said['startDate']} to {said['stopDate']}: {names}"

# SPDX-License-Identifier: GPL-3.0-or-later
"""The program `dasflex_d2check`: tries the examples of all sources, and writes to the contacts of those that fail."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dasflex_core.cli.exit_codes import FAILED
from dasflex_core.cli.mailing import Failure, Letters, send, write
from dasflex_core.cli.verbs import OutputError, Verb
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from email.message import EmailMessage

    from dasflex_core.cli.trying import Candidate, Sources
    from dasflex_core.site import Site

__all__ = ["d2check"]


@click.command("dasflex_d2check", cls=Verb)
@click.option("-N", "--no-run", is_flag=True, help="List the sources and their contacts; run nothing and write nobody.")
@click.option("-s", "--source", "only", multiple=True, metavar="WORD", help="Only the sources with this in their id.")
@click.option("-D", "--not-source", "without", multiple=True, metavar="WORD", help="No source with this in its id.")
@click.option("-t", "--contact", "only_of", multiple=True, metavar="WORD", help="Only those with this in the contact.")
@click.option("-T", "--not-contact", "without_of", multiple=True, metavar="WORD", help="None with this in the contact.")
@click.option("-n", "--number", type=click.IntRange(min=1), metavar="N", help="So many sources at most.")
@click.option("-u", "--url", metavar="URL", help="The sources of the server at this address, instead of one's own.")
@click.option(
    "-M",
    "--mail-dir",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write the mails to this directory; send none.",
)
@click.option(
    "-c",
    "--config",
    type=click.Path(exists=True),
    metavar="CONF",
    help="The dasflex.conf of the root, or the root. Default: DASFLEX_CONFIG.",
)
@click.pass_context
def d2check(  # noqa: PLR0917  click gives them by name
    context: click.Context,
    no_run: bool,  # noqa: FBT001  click
    only: tuple[str, ...],
    without: tuple[str, ...],
    only_of: tuple[str, ...],
    without_of: tuple[str, ...],
    number: int | None,
    url: str | None,
    mail_dir: Path | None,
    config: str | None,
) -> None:
    """Run the examples of all sources, and mail the technical contacts of those that fail.

    It is `dasflex check` for cron: where all is well it prints nothing. Each contact gets one mail with all sources of
    his that fail; without a contact it goes to CONTACT_EMAIL. WORD is any part of an id or a contact, or a pattern such
    as 'Juno/*', without regard to case; each option may be given several times.
    """
    from dasflex_core.site import open_site

    site = open_site(config)
    sources = _sources(site, url)
    chosen = _Choice(only, without, only_of, without_of).of(sources, number)
    if no_run:
        for each in chosen:
            click.echo(f"{each.id}  {each.contact}".rstrip())
        return
    letters = Letters.of(site.config, url or "")
    failures = []
    for each in chosen:
        if lines := tuple(sources.faults(each)):
            failures.append(Failure(each.id, each.title, each.contact, lines))
            for line in lines:
                click.echo(f"{each.id}: {line}")
    if not failures:
        return
    messages, alone = letters.to_all(failures)
    for failure in alone:
        click.echo(f"dasflex: nobody can be told of {failure.id}: set its contact, or CONTACT_EMAIL", err=True)
    _deliver(messages, site.config.mail_host, mail_dir)
    context.exit(FAILED)


def _sources(site: Site, url: str | None) -> Sources:
    """What is tried."""
    if url:
        from dasflex_core.cli.trying import OtherSources
        from dasflex_core.remote.das2_server import Das2Server

        return OtherSources(Das2Server.at(url), site.registry)
    from dasflex_core.cli.checking import Checker
    from dasflex_core.cli.trying import OwnSources

    return OwnSources(site, Checker(site))


def _deliver(messages: Sequence[EmailMessage], host: str, folder: Path | None) -> None:
    """Sends the mails, or writes them; what cannot be done is told."""
    if folder is None:
        for line in send(messages, host) if messages else ():
            click.echo(f"dasflex: {line}", err=True)
        return
    try:
        for path in write(messages, folder):
            click.echo(f"{path}", err=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be written: {error.strerror}") from error


@dataclass(frozen=True, slots=True)
class _Choice:
    """Which sources are tried: words that ids and contacts must have, and must not."""

    only: tuple[str, ...]
    without: tuple[str, ...]
    only_of: tuple[str, ...]
    without_of: tuple[str, ...]

    def of(self, sources: Sources, number: int | None) -> Iterator[Candidate]:
        """The chosen ones, `number` at most; a source is described only where its id may count."""
        left = number
        for identifier in sources.ids():
            if left == 0:
                return
            if not _chosen(identifier, self.only, self.without):
                continue
            candidate = sources.candidate(identifier)
            if _chosen(candidate.contact, self.only_of, self.without_of):
                left = None if left is None else left - 1
                yield candidate


def _chosen(text: str, only: tuple[str, ...], without: tuple[str, ...]) -> bool:
    """Whether a text has one of the words that it must have, if there are any, and none that it must not."""
    return (not only or any(_has(text, each) for each in only)) and not any(_has(text, each) for each in without)


def _has(text: str, word: str) -> bool:
    """Whether a text has a word in it, or is what a pattern says."""
    pattern = word.lower() if any(char in word for char in "*?[") else f"*{word.lower()}*"
    return fnmatchcase(text.lower(), pattern)

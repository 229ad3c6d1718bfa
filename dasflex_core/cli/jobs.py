# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex jobs`: the jobs of a site for its administrator: list them, show one, end one, and remove what is old."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from dasflex_core.cli.verbs import Verb, VerbGroup, root_option

if TYPE_CHECKING:
    from dasflex_core.config import Config
    from dasflex_core.jobs.model import Job, Status
    from dasflex_core.jobs.store import Jobs

__all__ = ["jobs"]


@click.group("jobs", cls=VerbGroup)
def jobs() -> None:
    """List, show, cancel and remove requests that are answered later."""


@jobs.command("list", cls=Verb)
@click.option("--all", "everything", is_flag=True, help="Those that have ended, too.")
@root_option
def list_jobs(everything: bool, root: str | None) -> None:  # noqa: FBT001  click
    """List the jobs that wait or run, a line each: id, state, what is done, bytes, whose it is, source."""
    from dasflex_core.errors import NotFoundError

    _config, kept = _opened(root)
    for each in kept.ids() if everything else kept.active():
        try:
            click.echo(_line(kept.find(each), kept.status(each)))
        except NotFoundError:
            continue  # it was removed


@jobs.command("show", cls=Verb)
@click.argument("identifier", metavar="ID")
@root_option
def show(identifier: str, root: str | None) -> None:
    """Show all that is known of a job, as JSON, and what its program has said.

    The exit code is 3 where there is no such job.
    """
    from dasflex_core.jobs.model import to_plain

    _config, kept = _opened(root)
    job = kept.find(identifier)
    told = {**to_plain(job), "request": dict(job.request), "status": to_plain(kept.status(job.id))}
    click.echo(json.dumps(told, indent=1, ensure_ascii=False))
    log = kept.folder(job.id) / "log"
    if log.exists():
        click.echo(log.read_text("utf-8", "replace"), nl=False, err=True)


@jobs.command("cancel", cls=Verb)
@click.argument("identifiers", nargs=-1, required=True, metavar="ID...")
@click.option("--remove", is_flag=True, help="Remove the result and the request, too.")
@root_option
def cancel(identifiers: tuple[str, ...], remove: bool, root: str | None) -> None:  # noqa: FBT001  click
    """End jobs, with all that runs for them. The next ones that wait are started."""
    from dasflex_core.jobs import tending

    config, kept = _opened(root)
    for each in identifiers:
        status = tending.cancel(kept, each, remove=remove)
        click.echo(f"{each.lower()} {status.state}")
    tending.tend(config, kept)


@jobs.command("prune", cls=Verb)
@root_option
def prune(root: str | None) -> None:
    """Remove the results that are older than JOBS_KEEP_DAYS, and start what waits.

    A server does this by itself whenever it is asked for a job.
    """
    from dasflex_core.jobs import tending

    config, kept = _opened(root)
    if not kept.directory.is_dir():
        return
    with kept.gate():
        for each in tending.prune(config, kept):
            click.echo(f"{each} removed")
        tending.tend_within(config, kept)


def _opened(root: str | None) -> tuple[Config, Jobs]:
    """The configuration of a site, and its jobs."""
    from dasflex_core.jobs.store import Jobs
    from dasflex_core.site import open_site

    config = open_site(root).config
    return config, Jobs(config.jobs_path)


def _line(job: Job, status: Status) -> str:
    """A job on a line."""
    done = "-" if status.fraction is None else f"{status.fraction:.0%}"
    whose = job.user or job.address or "-"
    return f"{job.id}  {status.state:<9}  {done:>4}  {status.bytes:>15,}  {whose:<15}  {job.source}"

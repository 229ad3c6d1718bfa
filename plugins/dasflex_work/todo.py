# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex_todo`: the work-list as its administrator sees and changes it."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import click

from dasflex_core.cli.exit_codes import FAILED
from dasflex_core.cli.verbs import Verb, VerbGroup, root_option
from dasflex_core.errors import BusyError, NotFoundError, QueryError, did_you_mean, shown
from dasflex_work.listing import STATES, Counts, Entry, Listing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from redis import Redis

    from dasflex_core.declarations import TaskKind
    from dasflex_core.site import Site
    from dasflex_work.listing import State
    from dasflex_work.worklist import WorkList

__all__ = ["main", "todo"]

#: The options of older programs, and the lists that they show.
_CLASSIC: Final = {"-t": "waiting", "-w": "working", "-d": "finished"}


class _Words(VerbGroup):
    """The verbs, and the words of older programs, which had none: `dasflex_todo -w`, `TASK ARG…`, `help TASK`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Puts the verb in front that was meant."""
        if not args:
            args = ["list"]
        elif args[0] in _CLASSIC:
            args = ["list", *(_CLASSIC.get(each, each) for each in args)]
        elif args[0] == "help":
            args = ["kinds", *args[1:]]
        elif not args[0].startswith("-") and args[0] not in self.commands:
            args = ["add", *args]
        return super().parse_args(ctx, args)


@click.group("dasflex_todo", cls=_Words)
def todo() -> None:
    """List, add, cancel and retry what is done in the background, or wait for it."""


@todo.command("list", cls=Verb)
@click.argument("states", nargs=-1, type=click.Choice(STATES), metavar="[waiting|working|finished|failed]...")
@click.option("--json", "as_json", is_flag=True, help="All that is known of each, one JSON object a line.")
@root_option
def list_tasks(states: tuple[State, ...], as_json: bool, root: str | None) -> None:  # noqa: FBT001  click
    """List what waits, what is worked on, and what failed or was finished lately.

    Without a state it is how many there are in each, and those that are worked on or failed.
    """
    site = _site(root)
    listing = Listing(site.config, _server(site))
    if not states:
        _tell(listing.counts())
    for state in states or ("working", "failed"):
        identifiers = listing.ids(state)
        if as_json:
            lines = [json.dumps(asdict(each), ensure_ascii=False) for each in listing.entries(identifiers)]
        elif state == "waiting":
            lines = [f"waiting   {each}" for each in identifiers]
        else:
            lines = [_line(each) for each in listing.entries(identifiers)]
        if lines:
            click.echo("\n".join(lines))


@todo.command("show", cls=Verb)
@click.argument("identifier", metavar="ID")
@root_option
def show(identifier: str, root: str | None) -> None:
    """Show all that is known of a task, as JSON. ID is its id, or how that begins or ends."""
    site = _site(root)
    listing = Listing(site.config, _server(site))
    for each in listing.entries(_named(listing, (identifier,))):
        click.echo(json.dumps(asdict(each), indent=1, ensure_ascii=False))


@todo.command("kinds", cls=Verb)
@click.argument("task", required=False, metavar="[TASK]")
@root_option
def kinds(task: str | None, root: str | None) -> None:
    """List the tasks that there are, with their arguments."""
    site = _site(root)
    for each in site.registry.task_kinds if task is None else (_kind(site, task),):
        words = " ".join(f"[{name.upper()}]" if each.prepare else name.upper() for name in each.arguments)
        click.echo(f"{each.name} {words}".rstrip() + f"\n    {each.title}")


@todo.command("add", cls=Verb)
@click.argument("task")
@click.argument("words", nargs=-1, metavar="[ARG|NAME=ARG]...")
@click.option("--front", is_flag=True, help="Before all that waits.")
@click.option("--wait", "waits", is_flag=True, help="Wait until it is done.")
@root_option
@click.pass_context
def add(
    context: click.Context,
    task: str,
    words: tuple[str, ...],
    front: bool,  # noqa: FBT001  click
    waits: bool,  # noqa: FBT001  click
    root: str | None,
) -> None:
    """Add a task, and print its id. One that is on the list already is left where it is.

    Where Redis does not answer, the task is handed over as requests do it, and begun when Redis is there again.
    """
    from dasflex_core.tasks import Spool, Task

    site = _site(root)
    kind = _kind(site, task)
    tasks = [Task(kind.name, each, front) for each in _prepared(site, kind, words)]
    identifiers = [each.id(site.config.server_id) for each in tasks]
    try:
        server = _server(site)
        new = set(_worklist(site, server).add(tasks, again=True))
    except BusyError as error:
        for missed in tasks:
            Spool(site.config).put(missed)
        click.echo(f"dasflex: note: {error.message}; handed over, and begun when it does", err=True)
        return
    for each in identifiers:
        click.echo(each)
    if len(new) < len(identifiers):
        click.echo(f"dasflex: note: {len(identifiers) - len(new)} of them were on the list already", err=True)
    if waits and identifiers:
        context.exit(_wait(Listing(site.config, server), identifiers, None))


@todo.command("cancel", cls=Verb)
@click.argument("identifiers", nargs=-1, metavar="[ID]...")
@click.option("--all", "everything", is_flag=True, help="All that wait.")
@root_option
def cancel(identifiers: tuple[str, ...], everything: bool, root: str | None) -> None:  # noqa: FBT001  click
    """Take tasks off the list, and end those that are worked on. ID is an id, or how it begins or ends."""
    if everything == bool(identifiers):
        raise QueryError("Name tasks, or take all with --all", kind="query.missing-parameter")
    site = _site(root)
    server = _server(site)
    worklist = _worklist(site, server)
    if everything:
        click.echo(f"{worklist.cancel_all():,} cancelled", err=True)
        return
    for each in _named(Listing(site.config, server), identifiers):
        was = worklist.cancel(each)
        click.echo(f"{each} {'cancelled' if was else 'is not on the list any more'}")


@todo.command("retry", cls=Verb)
@click.argument("identifiers", nargs=-1, metavar="[ID]...")
@click.option("--all", "everything", is_flag=True, help="All that failed.")
@root_option
def retry(identifiers: tuple[str, ...], everything: bool, root: str | None) -> None:  # noqa: FBT001  click
    """Do tasks again that failed, or were finished. ID is an id, or how it begins or ends."""
    if everything == bool(identifiers):
        raise QueryError("Name tasks, or take all that failed with --all", kind="query.missing-parameter")
    site = _site(root)
    server = _server(site)
    listing = Listing(site.config, server)
    named = listing.ids("failed") if everything else _named(listing, identifiers)
    for each in _worklist(site, server).retry(named):
        click.echo(f"{each} waiting")


@todo.command("wait", cls=Verb)
@click.argument("identifiers", nargs=-1, metavar="[ID]...")
@click.option("--seconds", type=click.FloatRange(0), metavar="S", help="For so long at most.")
@root_option
@click.pass_context
def wait(context: click.Context, identifiers: tuple[str, ...], seconds: float | None, root: str | None) -> None:
    """Wait until tasks are done, or until nothing waits, with a progress bar on a terminal.

    The exit code is 1 where one of them failed, and 7 where the time was over before.
    """
    site = _site(root)
    listing = Listing(site.config, _server(site))
    named = _named(listing, identifiers) if identifiers else []
    context.exit(_wait(listing, named, seconds))


def main() -> None:
    """The program `dasflex_todo`."""
    todo.main(prog_name="dasflex_todo")


# -- what the verbs share


def _site(root: str | None) -> Site:
    """The site."""
    from dasflex_core.site import open_site

    return open_site(root)


def _server(site: Site) -> Redis:
    """A connection to the server. Raises `BusyError` and `ConfigError`."""
    from dasflex_work.broker import connected

    return connected(site.config)


def _worklist(site: Site, server: Redis) -> WorkList:
    """The list, to be changed. Raises `ConfigError` where the queue's library is missing."""
    from dasflex_work.broker import needs

    needs("rq")
    from dasflex_work.worklist import WorkList

    return WorkList(site, server)


def _tell(counts: Counts) -> None:
    """Says how many tasks there are, and what is missing if nothing is done."""
    click.echo(counts)
    if counts.waiting and not counts.workers:
        click.echo("dasflex: note: nobody works; start dasflex_workd", err=True)


def _line(entry: Entry) -> str:
    """A task on a line."""
    done = "" if entry.fraction is None or entry.state != "working" else f"{entry.fraction:4.0%}"
    took = f"{entry.ended - entry.begun:.1f} s" if entry.ended and entry.begun else ""
    text = "".join(each if each.isprintable() else "?" for each in entry.text.partition("\n")[0])
    return "  ".join(filter(None, (f"{entry.state:<8}", entry.id, done, took, text)))


def _kind(site: Site, name: str) -> TaskKind:
    """A kind of task. Raises `QueryError`."""
    known = {each.name: each for each in site.registry.task_kinds}
    if name not in known:
        hint = did_you_mean(name, known) or f" There are {', '.join(sorted(known))}."
        raise QueryError(f"There is no task {shown(name)}.{hint}", kind="query.bad-value")
    return known[name]


def _prepared(site: Site, kind: TaskKind, words: Sequence[str]) -> Iterator[dict[str, str]]:
    """The arguments of the tasks that words mean. Raises `QueryError`."""
    from dasflex_core.loading import load

    found: dict[str, str] = {}
    names = list(kind.arguments)
    for word in words:
        name, sign, value = word.partition("=")
        if not sign:
            name, value = next((each for each in names if each not in found), ""), word
        if name not in names or name in found:
            takes = " ".join(each.upper() for each in names) or "nothing"
            raise QueryError(f"{kind.name} does not take {shown(word)}; it takes {takes}", kind="query.bad-value")
        found[name] = value
    if missing := [] if kind.prepare else [each.upper() for each in names if each not in found]:
        raise QueryError(f"{kind.name} needs {' '.join(missing)}", kind="query.missing-parameter")
    yield from load(kind.prepare)(site, found) if kind.prepare else (found,)


def _named(listing: Listing, words: Sequence[str]) -> list[str]:
    """The ids that words mean, one each. Raises `NotFoundError` and `QueryError`."""
    found = []
    for word in words:
        ids = listing.find(word)
        if not ids:
            raise NotFoundError(f"There is no task {shown(word)}", kind="not-found.job")
        if len(ids) > 1:
            some = ", ".join(ids[:5])
            raise QueryError(f"{shown(word)} may be {len(ids)} tasks: {some}", kind="query.bad-value")
        found += ids
    return found


def _wait(listing: Listing, identifiers: Sequence[str], seconds: float | None) -> int:
    """Waits, and gives the exit code."""
    from dasflex_work.waiting import wait_for

    failed = wait_for(listing, identifiers, seconds, sys.stderr)
    for each in failed:
        click.echo(_line(each))
    return FAILED if failed else 0

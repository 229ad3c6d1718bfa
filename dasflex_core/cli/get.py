# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex get`: runs the plan of a request and writes what comes."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from dasflex_core.cli.completion import complete_parameter, complete_source
from dasflex_core.cli.progress import Progress
from dasflex_core.cli.verbs import OutputError, Verb, root_option
from dasflex_core.errors import DasflexError, QueryError
from dasflex_core.prices import amount

if TYPE_CHECKING:
    from dasflex_core.config import Config
    from dasflex_core.remote.run import RemoteRun
    from dasflex_core.run import Pump
    from dasflex_core.solved import Plan

__all__ = ["get", "save", "show"]

#: Seconds that removing old records may take behind an answer.
_AGEING: Final = 0.5


@click.command("get", cls=Verb)
@click.argument("source", shell_complete=complete_source)
@click.argument("words", nargs=-1, metavar="[A/B] [KEY=VALUE]...", shell_complete=complete_parameter)
@click.option("-o", "--output", metavar="FILE", help="Write to this file. Its suffix gives the format.")
@click.option("--every", metavar="STEP", help="The bin width, or the interval of a model, such as 1s or '10 min'.")
@click.option("--user", metavar="NAME", default="", help="In whose name a protected source is read.")
@click.option("--stats", is_flag=True, help="Show afterwards what the run cost.")
@root_option
def get(
    source: str,
    words: tuple[str, ...],
    output: str | None,
    every: str | None,
    user: str,
    stats: bool,  # noqa: FBT001  click
    root: str | None,
) -> None:
    """Write the data of a source to a file or to standard output.

    A/B is the range of time; B does not belong to it. Other parameters are written KEY=VALUE. Without a format the
    answer is what the reader of the source writes.

    SOURCE may be the address of data of another server, such as https://host/source/a/b/data.csv?time=A/B, or of a
    source there, https://host/source/a/b, or of a server, behind which the id of the source then stands:
    https://host/das/server a/b A/B. It may be a dasflex or a das2 server.
    """
    from dasflex_core.cli.words import request_of
    from dasflex_core.opening import is_address
    from dasflex_core.site import open_site

    if is_address(source):
        from dasflex_core.cli.get_remote import get_remote

        get_remote(source, words, output, every, stats=stats)
        return
    request = request_of(open_site(root, user=user), source, words, every)
    target = None if output in (None, "-") else Path(str(output))
    plan = (request.as_suffix(target.suffix) if target else request).plan()
    if target is None and sys.stdout.isatty() and not (plan.type and plan.type.text):
        raise _not_for_a_terminal(plan, source, words, every)
    for remark in plan.solution.remarks:
        click.echo(f"dasflex: note: {remark}", err=True)
    with plan.open() as run:
        run.start()
        if target is None:
            show(run)
        else:
            save(run, target)
        if not (run.record.bytes if run.record.records is None else run.record.records):
            click.echo("dasflex: note: nothing was found in the range", err=True)
        if stats:
            click.echo(_account(run, plan), err=True)
    _age_records(request.source.site.config)


def _age_records(config: Config) -> None:
    """Removes old records of runs, if it is time to: where nothing is served, nobody else does."""
    from dasflex_core.logs import ageing_due

    if ageing_due(str(config.log_path)):
        from dasflex_core.log_ageing import LogKeeper

        LogKeeper.of(config, _unsaid).age(_AGEING)


def _unsaid(_text: str) -> None:
    """Whoever may not remove records of this root need not be told."""


def _not_for_a_terminal(plan: Plan, source: str, words: tuple[str, ...], every: str | None) -> QueryError:
    """The refusal to write binary data to a terminal, with a line that would do."""
    step = ["--every", every] if every else []
    line = shlex.join(["dasflex", "get", source, *words, *step, "-o", plan.file_name()])
    return QueryError(f"{plan.solution.produces} is not for a terminal; write it to a file: {line}")


def show(run: Pump | RemoteRun) -> None:
    """The answer on standard output. Progress is shown where the output goes elsewhere than to the terminal."""
    output = sys.stdout.buffer
    if sys.stdout.isatty():
        for chunk in run.chunks():
            output.write(chunk)
            output.flush()
        return
    with Progress(sys.stderr) as progress:
        for chunk in progress.watch(run.chunks()):
            output.write(chunk)
        output.flush()


def save(run: Pump | RemoteRun, target: Path) -> None:
    """The answer in a file, which appears when it is whole; what came of a broken answer stays in `FILE.part`.

    What is no plain file, such as a pipe or a device, is written to and not replaced; of a link, what it leads to is.
    """
    if target.is_dir():
        raise OutputError(f"{target} is a directory; name a file in it")
    if not target.parent.is_dir():
        raise OutputError(f"{target} cannot be written: there is no directory {target.parent}")
    plain = not target.exists() or target.is_file()
    final = target.resolve() if plain else target
    partial = final.with_name(final.name + ".part") if plain else target
    progress = Progress(sys.stderr)
    try:
        with progress, partial.open("wb") as file:
            for chunk in progress.watch(run.chunks()):
                file.write(chunk)
        if plain:
            partial.replace(final)
    except DasflexError as error:
        if not plain:
            raise
        kept = f"What came before that ({amount(progress.bytes)}) is in {partial}"
        raise type(error)(f"{error.message}. {kept}", kind=error.kind, detail=error.detail) from error
    except KeyboardInterrupt as stop:
        raise KeyboardInterrupt(f"what came so far ({amount(progress.bytes)}) is in {partial}") from stop
    except OSError as error:
        raise OutputError(f"{target} cannot be written: {error.strerror}") from error


def _account(run: Pump, plan: Plan) -> str:
    """What the run cost, and what each stage did."""
    record = run.record
    records = "" if record.records is None else f", {record.records:,} records"
    lines = [f"{record.bytes:,} bytes{records} in {record.seconds:.3g} s; the plan said {plan.seconds:.2g} s"]
    width = max(len(each.name) for each in run.stats)
    for each in run.stats:
        did = amount(each.bytes) if each.bytes else f"{each.records:,} records"
        lines.append(f"  {each.name:<{width}}  {each.kind:<8}  {each.seconds:8.3f} s  {did}")
    lines.append(f"request {record.id}" + (f"  sha256 {record.sha256}" if record.sha256 else ""))
    return "\n".join(lines)

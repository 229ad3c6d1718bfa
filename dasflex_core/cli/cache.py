# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex cache`: the blocks that are kept of a source: what there is, whether it is whole, and what can go."""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from dasflex_core.cli.completion import complete_source
from dasflex_core.cli.exit_codes import FAILED
from dasflex_core.cli.verbs import OutputError, Verb, VerbGroup, root_option

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dasflex_core.cli.cache_stock import Stock

__all__ = ["cache"]

_source = click.argument("source", shell_complete=complete_source)
_span = click.argument("span", metavar="[A/B]", required=False)
_level = click.option("--level", default="", metavar="N", help="Only the level of this number, from 1.")


@click.group("cache", cls=VerbGroup)
def cache() -> None:
    """Show, build, verify and remove the blocks that are kept of a source."""


@cache.command("status", cls=Verb)
@_source
@_span
@_level
@click.option("--json", "as_json", is_flag=True, help="Write JSON.")
@root_option
def status(source: str, span: str | None, level: str, as_json: bool, root: str | None) -> None:  # noqa: FBT001  click
    """Show what is kept of a source: for each level blocks, bytes, coverage and hits.

    The bar is the range A/B, or that of the definition, from left to right: # is there, + in part, ! stale, . missing.
    """
    from dasflex_core.cli import cache_status

    stock = _stock(root, source, span, level)
    found = [cache_status.standing(stock, each) for each in stock.levels]
    if as_json:
        told = {"source": stock.source, "folder": stock.folder, "levels": [cache_status.plain(each) for each in found]}
        click.echo(json.dumps(told, indent=1, ensure_ascii=False))
        return
    count = f"{len(found)} cache level{'' if len(found) == 1 else 's'}" if found else "no cache levels"
    click.echo(f"{stock.source}: {count}, in {stock.folder}")
    fine = sys.stdout.isatty() and (sys.stdout.encoding or "").lower().startswith("utf")
    for each in found:
        click.echo("\n".join(["", *cache_status.lines(each, fine=fine)]))


@cache.command("build", cls=Verb)
@_source
@_span
@_level
@click.option("--workers", type=click.IntRange(1, 256), default=1, metavar="N", help="Blocks that are made at once.")
@root_option
@click.pass_context
def build(context: click.Context, source: str, span: str | None, level: str, workers: int, root: str | None) -> None:
    """Make the blocks that are missing or stale, of A/B or of all times that the source has.

    Every block that overlaps the range is made, for its whole period, unless that is not over yet. What is there is
    left as it is, so that a build that was stopped goes on where it was. Where a block fails, that is told and the
    others are made; the exit code is 1 then.
    """
    stock = _stock(root, source, span, level)
    begin, end = stock.wanted()
    levels = stock.buildable()
    from dasflex_core.upkeep.building import build as build_blocks

    failed = 0
    for each in levels:
        with _progress(f"level {each.name}") as tell:
            built = build_blocks(stock.site, each, begin, end, tell, workers)
        failed += built.failed
        for fault in built.failures:
            click.echo(f"dasflex: level {each.name}, {fault}", err=True)
        click.echo(
            f"level {each.name}: {built.built} blocks built, {built.skipped} were there, {built.failed} failed"
            f"  ({each.level.title})"
        )
    for each in stock.levels:
        if each.declined:
            click.echo(f"level {each.name}: no blocks: {each.declined}")
    context.exit(FAILED if failed else 0)


@cache.command("verify", cls=Verb)
@_source
@_span
@_level
@click.option("--remove", is_flag=True, help="Remove the blocks that are broken, so that they are made again.")
@root_option
@click.pass_context
def verify(
    context: click.Context,
    source: str,
    span: str | None,
    level: str,
    remove: bool,  # noqa: FBT001  click
    root: str | None,
) -> None:
    """Compare every block with the checksums (SHA-256) that it had when it was made.

    The exit code is 1 where a block is broken, removed or not. A broken block is never served either way.
    """
    from dasflex_core.cli import cache_stock

    stock = _stock(root, source, span, level)
    whole = 0
    broken = []
    with _progress("verified") as tell:
        for each, found in stock.blocks():
            why = cache_stock.fault(found)
            if why:
                broken.append(found)
                click.echo(f"level {each.name}, {found.period}: {why}")
            else:
                whole += 1
                tell(None, f"{whole} blocks")
    freed = ""
    if remove and broken:
        with _disk_told():
            freed = f", removed: {cache_stock.freed(stock, broken)}"
    click.echo(f"{whole} blocks are whole, {len(broken)} broken{freed}")
    context.exit(FAILED if broken else 0)


@cache.command("coverage", cls=Verb)
@_source
@_span
@root_option
@click.pass_context
def coverage(context: click.Context, source: str, span: str | None, root: str | None) -> None:
    """Measure when a source has data, as far as that is not known, of A/B or of all times that it has.

    Its page then shows it, and so does `coverage.json` of the source. A measurement that was stopped goes on. Where the
    reader fails, that is told and other times are measured; the exit code is 1 then.
    """
    from dasflex_core.site import open_site
    from dasflex_core.upkeep.coverage import measure

    with _progress("measured") as tell:
        measured = measure(open_site(root)[source], tell, span or "")
    found = measured.coverage
    for fault in measured.failures:
        click.echo(f"dasflex: {fault}", err=True)
    there = sum(1 for each in found.records if each)
    unknown = sum(1 for each in found.records if each is None)
    left = f", {unknown:,} not known" if unknown else ""
    click.echo(f"{found.source}: {there:,} of {len(found.records):,} bins of {found.width:,} s have data{left}")
    context.exit(FAILED if measured.failures else 0)


@cache.command("prune", cls=Verb)
@_source
@_span
@click.option("--all", "everything", is_flag=True, help="Remove all blocks of the range, however good.")
@click.option("--dry-run", is_flag=True, help="Remove nothing; say what would be.")
@root_option
def prune(
    source: str,
    span: str | None,
    everything: bool,  # noqa: FBT001  click
    dry_run: bool,  # noqa: FBT001  click
    root: str | None,
) -> None:
    """Remove blocks that are of no use any more.

    These are the blocks that are stale or damaged, those of levels that the definition does not have any more, and what
    writers have left that were killed more than a day ago. Nothing outside of the source's own folder below CACHE_ROOT
    is touched, and nothing in it that has not the name of a block.
    """
    from dasflex_core.cli import cache_stock

    stock = _stock(root, source, span, "")
    with _disk_told():
        for line in cache_stock.pruned(stock, everything=everything, dry_run=dry_run):
            click.echo(line)


def _stock(root: str | None, source: str, span: str | None, level: str) -> Stock:
    """What is kept of a source. Raises the errors of a source that is not there, and of a range that is none."""
    from dasflex_core.cli.cache_stock import Stock
    from dasflex_core.site import open_site

    return Stock.of(open_site(root), source, span or "", level)


@contextmanager
def _disk_told() -> Iterator[None]:
    """Says which file cannot be removed."""
    try:
        yield
    except OSError as error:
        raise OutputError(f"{error.filename}: {error.strerror}") from error


@contextmanager
def _progress(about: str) -> Iterator[Callable[[float | None, str], None]]:
    """What says how far something is, on a line of the terminal; nothing where there is none."""
    from time import monotonic

    stream = sys.stderr
    shown = 0.0

    def tell(fraction: float | None, text: str) -> None:
        nonlocal shown
        if stream.isatty() and monotonic() - shown > 0.1:
            shown = monotonic()
            done = "" if fraction is None else f" {fraction:4.0%}"
            stream.write(f"\r{about}{done}  {text[:60]}\x1b[K")
            stream.flush()

    try:
        yield tell
    finally:
        if shown:
            stream.write("\r\x1b[K")
            stream.flush()

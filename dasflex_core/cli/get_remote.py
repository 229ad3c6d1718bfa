# SPDX-License-Identifier: GPL-3.0-or-later
"""What `dasflex get` does with the address of another server: writes what that gives, if it is whole."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dasflex_core.cli.get import save, show
from dasflex_core.cli.words import pairs_of
from dasflex_core.errors import QueryError
from dasflex_core.remote.data_address import request_at
from dasflex_core.wording import pairs_with

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["get_remote"]


def get_remote(url: str, words: Sequence[str], output: str | None, every: str | None, *, stats: bool) -> None:
    """Writes the data of an address to a file or to standard output. The first word may be the id of a source."""
    from dataclasses import replace

    named = bool(words) and "=" not in words[0] and not _is_range(words[0])
    request = request_at(url, words[0] if named else "")
    request = replace(request, pairs=pairs_with(request.pairs, dict(pairs_of(words[named:]))))
    if every is not None:
        request = request.ask(every=request.source[::every].pairs[0][1])
    target = None if output in (None, "-") else Path(str(output))
    if target is not None and not request.suffix:
        request = request.as_suffix(target.suffix)
    with request.open() as run:
        run.start()
        if target is not None:
            save(run, target)
        elif sys.stdout.isatty() and not _is_text(run.media_type):
            raise QueryError(f"{run.media_type} is not for a terminal; write it to a file with -o FILE")
        else:
            show(run)
        record = run.record
        if not (record.bytes if record.records is None else record.records):
            click.echo("dasflex: note: nothing was found in the range", err=True)
        if not record.confirmed:
            click.echo("dasflex: note: the server keeps no record that this is all", err=True)
        if stats:
            records = "" if record.records is None else f", {record.records:,} records"
            click.echo(f"{record.bytes:,} bytes{records}\nrequest {record.id}  sha256 {record.sha256}", err=True)


def _is_range(word: str) -> bool:
    """Whether a word is a range of time rather than an id, which begins with no digit."""
    return " to " in word or word[:1].isdigit() or word.startswith("now")


def _is_text(media_type: str) -> bool:
    """Whether people can read it."""
    return media_type.startswith("text/") or media_type == "application/json"

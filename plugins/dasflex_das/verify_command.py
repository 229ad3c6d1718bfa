# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex verify`, also called `dasflex_verify`: the verdict on streams in files, at addresses, or piped."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click

from dasflex_core.cli.verbs import Verb

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

    from dasflex_das.verifying import Finding, Report

__all__ = ["main", "verify"]

_CHUNK: Final = 1 << 16
#: Seconds that a server may be silent.
_SILENCE: Final = 60
#: How gzip files begin (RFC 1952).
_GZIP: Final = b"\x1f\x8b"
_ADDRESSES: Final = ("http://", "https://")
_FORMS: Final = {"das2": "das2 stream", "das3": "das3 stream", "document": "das3 document"}
#: Findings that are shown of one stream; --json gives all.
_SHOWN: Final = 100


@click.command("verify", cls=Verb, section="Data")
@click.argument("streams", nargs=-1, required=True, metavar="FILE|URL|-...")
@click.option("--json", "as_json", is_flag=True, help="One JSON object for each stream, on a line of its own.")
@click.option("--strict", is_flag=True, help="Deviations count as faults do: the exit code is 1.")
def verify(streams: tuple[str, ...], as_json: bool, strict: bool) -> None:  # noqa: FBT001  flags of click
    """Verify das2 and das3 streams and documents.

    Each header is held against its schema, and all data are decoded. A fault cannot be read; a deviation can, and the
    schema or some real client refuses it. The exit code is 1 where there is a fault. Files compressed by gzip are
    verified as what they hold.
    """
    worst = "ok"
    for stream in streams:
        from dasflex_das.verifying import verify as report_on

        with _opened(stream) as file:
            report = report_on(_plain(stream, _chunks(file)))
        if as_json:
            click.echo(_as_json(stream, report))
        else:
            for line in _lines(stream, report):
                click.echo(line)
        worst = max(worst, report.verdict, key=("ok", "deviation", "fault").index)
    if worst == "fault" or (strict and worst == "deviation"):
        click.get_current_context().exit(1)


@contextmanager
def _opened(stream: str) -> Iterator[IO[bytes]]:
    """What stands behind an argument, opened. Raises `SourceError` where it cannot be."""
    from dasflex_core.errors import SourceError

    try:
        if stream == "-":
            yield sys.stdin.buffer
        elif stream.lower().startswith(_ADDRESSES):
            from dasflex_core.fetching import fetch

            with fetch(stream, _SILENCE) as answer:
                yield answer
        else:
            with open(stream, "rb") as file:  # noqa: PTH123  a word of the command line, such as /dev/fd/3
                yield file
    except OSError as error:
        raise SourceError(f"{stream} cannot be read: {error.strerror or error}", kind="source.start") from error
    except ValueError as error:
        raise SourceError(f"{stream} is no address: {error}", kind="source.start") from error


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    """The bytes of a file as they come."""
    while chunk := file.read(_CHUNK):
        yield chunk


def _plain(stream: str, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The bytes of a file that may be compressed by gzip. Raises `SourceError` for one that is damaged."""
    import zlib

    from dasflex_core.errors import SourceError

    gzip = None
    for number, chunk in enumerate(chunks):
        if not number and chunk.startswith(_GZIP):
            gzip = zlib.decompressobj(wbits=31)
        if gzip is None:
            yield chunk
            continue
        rest = chunk
        try:
            while rest:
                if gzip.eof:
                    gzip = zlib.decompressobj(wbits=31)
                plain = gzip.decompress(rest, _CHUNK << 4)
                rest = gzip.unconsumed_tail or gzip.unused_data
                if plain:
                    yield plain
        except zlib.error as error:
            raise SourceError(f"{stream} is no whole gzip file: {error}", kind="source.stream") from None
    if gzip is not None and not gzip.eof:
        raise SourceError(f"{stream} is no whole gzip file: it ends too early", kind="source.truncated")


def _as_json(stream: str, report: Report) -> str:
    """The report as one line of JSON."""
    import json
    from dataclasses import asdict

    return json.dumps({"stream": stream, **asdict(report), "messages": dict(report.messages)}, ensure_ascii=False)


def _lines(stream: str, report: Report) -> Iterator[str]:
    """The report for people: the verdict, the headers, what is wrong, and the counts."""
    yield f"{stream}: {report.verdict} ({_FORMS.get(report.form, report.form)}, {report.size:,} bytes)"
    for header in report.headers:
        name = " ".join(filter(None, (f"<{header.root}>" if header.root else "no element", header.name)))
        yield f"  {header.packet:<9} at byte {header.offset:>9,}  {header.verdict:<9}  {name}".rstrip()
    for finding in report.findings[:_SHOWN]:
        yield from _told(finding)
    left_out = report.left_out + max(0, len(report.findings) - _SHOWN)
    if left_out:
        yield f"  and {left_out:,} more"
    for each in report.tallies:
        name = f" {each.name}" if each.name else ""
        yield f"  id {each.id}{name}: {_number(each.packets, 'packet')}, {_number(each.records, 'record')}"
    for name, count in report.messages:
        yield f"  {name or 'others'}: {count:,}"


def _number(count: int, thing: str) -> str:
    """A count with its noun."""
    return f"{count:,} {thing}{'s' * (count != 1)}"


def _told(finding: Finding) -> Iterator[str]:
    """A finding: where it is and what, and below it what was written there."""
    often = f" ({finding.count:,} times)" if finding.count > 1 else ""
    yield f"  {finding.verdict} {finding.rule}, {finding.place}: {finding.message}{often}"
    if finding.text:
        yield f"    {finding.text}"


def main() -> None:
    """The program `dasflex_verify`: the verb under its old name."""
    verify.main(prog_name="dasflex_verify")

# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex usage`: who asks how much of a server, by its logs."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import TYPE_CHECKING, Final

import click

from dasflex_core.cli.verbs import Verb, root_option
from dasflex_core.usage import GROUPINGS, Usage, usage_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["usage"]

_NUMBERS: Final = tuple(each.name for each in fields(Usage) if each.name != "key")
_DAY: Final = re.compile(r"\d{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?)?")


def _a_day(context: click.Context, parameter: click.Parameter, value: str | None) -> str:
    """A day, a month or a year."""
    if value and not _DAY.fullmatch(value):
        raise click.BadParameter(
            f"{value!r} is no day, month or year, such as 2026-11-22 or 2026-11", context, parameter
        )
    return value or ""


@click.command("usage", cls=Verb)
@click.option(
    "--by",
    "by",
    multiple=True,
    type=click.Choice([*GROUPINGS]),
    metavar="WHAT",
    help=f"What is told apart: {', '.join(GROUPINGS)}; may be given several times. Default: month and source.",
)
@click.option("--since", callback=_a_day, metavar="DAY", help="The first day or month, such as 2026-11.")
@click.option("--until", callback=_a_day, metavar="DAY", help="The last one; all of it counts.")
@click.option("--json", "form", flag_value="json", help="Write JSON.")
@click.option("--csv", "form", flag_value="csv", help="Write CSV.")
@root_option
def usage(by: tuple[str, ...], since: str, until: str, form: str | None, root: str | None) -> None:
    """Report requests, bytes, errors and distinct addresses, as the logs of a root have them.

    Robots are counted apart: who says so in the user agent (bot, crawl, spider, monitor and the like), and who asked
    for /robots.txt on the same day. Errors are answers of status 400 and above, and those that broke off.
    """
    from dasflex_core.site import open_site

    wanted = tuple(dict.fromkeys(by)) or ("month", "source")
    found, total = usage_of(open_site(root).config.log_path, wanted, since=since, until=until)
    if form == "json":
        import json

        told = {"by": wanted, "rows": [_plain(wanted, each) for each in found], "total": _plain((), total)}
        click.echo(json.dumps(told, indent=1, ensure_ascii=False))
    elif form == "csv":
        import csv
        import sys

        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow((*wanted, *_NUMBERS))
        writer.writerows((*map(_harmless, each.key), *_numbers(each)) for each in found)
    else:
        _table(wanted, (*found, total))


def _plain(by: Sequence[str], usage: Usage) -> dict[str, str | int]:
    """A row as JSON has it."""
    return {**dict(zip(by, usage.key, strict=False)), **dict(zip(_NUMBERS, _numbers(usage), strict=True))}


def _numbers(usage: Usage) -> tuple[int, ...]:
    """The figures of a row."""
    return tuple(getattr(usage, name) for name in _NUMBERS)


def _harmless(text: str) -> str:
    """A word of a client in a table: spreadsheets take what begins so for a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _table(by: Sequence[str], rows: Iterable[Usage]) -> None:
    """Writes aligned columns; the last row is the total."""
    lines = [(*by, *(name.replace("_", " ") for name in _NUMBERS))]
    for each in rows:
        words = (_shown(word) for word in each.key)
        lines.append((*words, *(f"{number:,}" for number in _numbers(each))))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = [
            f"{cell:<{width}}" if place < len(by) else f"{cell:>{width}}"
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        click.echo("  ".join(cells).rstrip())


def _shown(word: str) -> str:
    """A word of a client as a terminal may show it."""
    kept = "".join(each if each.isprintable() else "?" for each in word[:80])
    return kept or "-"

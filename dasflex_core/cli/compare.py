# SPDX-License-Identifier: GPL-3.0-or-later
"""`dasflex compare`: the examples of this site and of another server, number by number."""

from __future__ import annotations

from dataclasses import field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import click

from dasflex_core.catalog.identifiers import folded
from dasflex_core.cli.exit_codes import FAILED
from dasflex_core.cli.verbs import Verb, root_option
from dasflex_core.errors import AccessError, DasflexError
from dasflex_core.remote.das2_server import Das2Server, read_description
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dasflex_core.answers import Answer
    from dasflex_core.catalog.model import Definition
    from dasflex_core.remote.das2_server import Das2Example, Description
    from dasflex_core.site import Site

__all__ = ["compare"]


@click.command("compare", cls=Verb)
@click.argument("url")
@click.argument("sources", nargs=-1, metavar="[SOURCE]...")
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0.0),
    default=0.0,
    metavar="X",
    help="The relative difference that numbers may have. Default: what their encodings tell apart.",
)
@click.option(
    "--examples", type=click.IntRange(min=1), metavar="N", help="Compare so many examples of each source at most."
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0.1),
    default=60.0,
    metavar="SECONDS",
    help="How long the other server may be silent. Default: 60.",
)
@root_option
@click.pass_context
def compare(
    context: click.Context,
    url: str,
    sources: tuple[str, ...],
    tolerance: float,
    examples: int | None,
    timeout: float,
    root: str | None,
) -> None:
    """Compare the examples of this site with another server.

    URL is the base address of a server that answers das2 clients. Each source that both have is asked for its examples,
    here and there; datasets, variables, units, times, numbers and fill must be the same. SOURCE is an id, or a pattern
    such as 'Juno/*'; without one, all are compared. The exit code is 1 where something differs.
    """
    from dasflex_core.site import open_site

    site = open_site(root)
    comparison = Comparison(site, Das2Server.at(url, timeout), tolerance, examples)
    wrong = warned = number = 0
    for identifier, other in _common(site, comparison.server, sources):
        number += 1
        found = [Remark("is not there")] if not other else comparison.remarks(identifier, other)
        for remark in found:
            click.echo(f"{identifier}: {remark}")
            wrong += remark.wrong
            warned += not remark.wrong
    click.echo(f"{number} compared, {wrong} different, {warned} not comparable", err=True)
    if not number:
        click.echo("dasflex: note: the two have no source in common", err=True)
    if wrong:
        context.exit(FAILED)


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing to say of a source, and whether it is a difference or only could not be compared."""

    message: str
    wrong: bool = True

    def __str__(self) -> str:
        return self.message if self.wrong else f"warning: {self.message}"


def _common(site: Site, server: Das2Server, wanted: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The ids of the sources that both have, here and there; of one that was named and is not there, a blank."""
    there = server.sources()
    patterns = [folded(each) for each in wanted]
    named = {folded(site[each].id) for each in wanted if not _is_pattern(each)}  # what is not here is told
    for identifier in sorted(site, key=str.lower):
        name = folded(identifier)
        if (name in there or name in named) and (
            not patterns or name in named or any(_is_pattern(each) and fnmatchcase(name, each) for each in patterns)
        ):
            yield identifier, there.get(name, "")


def _is_pattern(text: str) -> bool:
    """Whether a text has wildcards."""
    return any(char in text for char in "*?[")


@dataclass(frozen=True, slots=True)
class _Got:
    """What one side gave: an answer, or why there is none."""

    answer: Answer | None = None
    error: DasflexError | None = field(default=None, hash=False)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A site and another server, and how they are compared."""

    site: Site
    server: Das2Server
    tolerance: float = 0.0
    most: int | None = None

    def remarks(self, identifier: str, other: str) -> Iterator[Remark]:
        """What is to be said of a source that both have."""
        try:
            theirs = self.server.description(other)
            examples = self._examples(self.site[identifier].definition, theirs)
        except DasflexError as error:
            yield Remark(f"it has no description: {error.message}")
            return
        if theirs.qstream:
            yield Remark("its data are QStreams, which nothing decodes", wrong=False)
            return
        if not examples:
            yield Remark("it has no example with a range of time", wrong=False)
        for number, example in enumerate(examples[: self.most], 1):
            title = f" ({example.title})" if example.title else ""
            for remark in self._example(identifier, other, example):
                yield Remark(f"example {number}{title}: {remark.message}", wrong=remark.wrong)

    def _examples(self, definition: Definition, theirs: Description) -> list[Das2Example]:
        """The examples of both, each request once."""
        from dasflex_core.catalog.das2_header import das2_header
        from dasflex_core.plan.offering import offered

        site = self.site
        offer = offered(definition, site.registry, site.catalog.find, site.external)
        own = read_description(das2_header(definition, offer).decode("ascii"), definition.id)
        return list({each.pairs: each for each in (*theirs.examples, *own.examples)}.values())

    def _example(self, identifier: str, other: str, example: Das2Example) -> Iterator[Remark]:
        """What is to be said of one example."""
        from dasflex_core.cli.differences import differences

        here, there = self._here(identifier, example), self._there(other, example)
        for side, got in (("here", here), ("there", there)):
            if isinstance(got.error, AccessError):
                yield Remark(f"{side} it is protected", wrong=False)
                return
        if here.error and there.error:
            yield Remark(f"it fails on both: {here.error.message} | {there.error.message}", wrong=False)
        elif here.error or there.error:
            side, error = ("here", here.error) if here.error else ("there", there.error)
            yield Remark(f"it fails {side} only: {getattr(error, 'message', '')}")
        elif here.answer is not None and there.answer is not None:
            for each in differences(here.answer, there.answer, self.tolerance):
                yield Remark(each)

    def _here(self, identifier: str, example: Das2Example) -> _Got:
        """What this site gives, as a das2 client gets it."""
        from dasflex_core.cli.stream_files import decoded

        try:
            with self.site.request(identifier, example.pairs, "das2").plan().open() as pump:
                return _Got(decoded(pump.chunks(), self.site.registry))
        except DasflexError as error:
            return _Got(error=error)

    def _there(self, identifier: str, example: Das2Example) -> _Got:
        """What the other server gives."""
        from dasflex_core.cli.stream_files import decoded

        try:
            with self.server.data(identifier, example.pairs) as chunks:
                return _Got(decoded(chunks, self.site.registry))
        except DasflexError as error:
            return _Got(error=error)

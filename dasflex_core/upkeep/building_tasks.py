# SPDX-License-Identifier: GPL-3.0-or-later
"""The task that builds blocks in the background: one for each, so that a block which many ask for is built once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dasflex_core.missed import block_task
from dasflex_core.times import parse_time

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dasflex_core.site import Site
    from dasflex_core.tasks import Work
    from dasflex_core.upkeep.failures import Failure

__all__ = ["prepare", "run"]


def prepare(site: Site, arguments: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """The task to build blocks as one task for each block that is not there.

    `source` is an id, `level` a number from 1 (blank: all), `begin` and `end` a range (blank: that of the source).
    Raises `QueryError`, `NotFoundError` or `ConfigError`.
    """
    from dasflex_core.cache.keeping import chosen, kept_levels
    from dasflex_core.upkeep.building import span_of, wanted

    source = site[arguments.get("source", "")]
    written = [arguments.get(name, "") for name in ("begin", "end")]
    span = span_of(source, "/".join(written) if all(written) else "")
    for kept in chosen(kept_levels(site.planner, source.definition), arguments.get("level", "")):
        if kept.declined:
            continue
        for begin, end in wanted(kept.shelf, *span):
            yield block_task(source.id, kept.name, begin, end)


def run(work: Work) -> str:
    """Builds the blocks of a task that are not there. Raises `SourceError` at its end where one could not be built."""
    from dasflex_core.cache.keeping import chosen, kept_levels
    from dasflex_core.upkeep.building import build
    from dasflex_core.upkeep.failures import outcome

    source = work.site[work.arguments["source"]]
    span = parse_time(work.arguments["begin"]).ns, parse_time(work.arguments["end"]).ns
    told: list[str] = []
    failures: list[Failure] = []
    for kept in chosen(kept_levels(work.site.planner, source.definition), work.arguments.get("level", "")):
        built = build(work.site, kept, *span, work.tell)
        told.append(f"{built.built} blocks built, {built.skipped} were there")
        failures += built.failures
    return outcome("; ".join(told), failures)

# SPDX-License-Identifier: GPL-3.0-or-later
"""The task that measures when a source has data, for its coverage."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dasflex_core.site import Site
    from dasflex_core.tasks import Work

__all__ = ["prepare", "run"]


def prepare(site: Site, arguments: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """The one source that is named, under its own name, or all that say their range. Raises `NotFoundError`."""
    if named := arguments.get("source"):
        yield {"source": site[named].id}
        return
    for each in site:
        if site[each].definition.range:
            yield {"source": each}


def run(work: Work) -> str:
    """Measures what is not known of the source. Raises `QueryError` where it cannot be, `SourceError` for a part."""
    from dasflex_core.upkeep.coverage import measure
    from dasflex_core.upkeep.failures import outcome

    measured = measure(work.site[work.arguments["source"]], work.tell)
    records = measured.coverage.records
    return outcome(f"{sum(1 for each in records if each):,} of {len(records):,} bins have data", measured.failures)

# SPDX-License-Identifier: GPL-3.0-or-later
"""The task that describes the HAPI data sets of a source from its examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dasflex_core.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dasflex_core.site import Site
    from dasflex_core.tasks import Work

__all__ = ["prepare", "run"]


def prepare(site: Site, arguments: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """The one source that is named, under its own name, or all that have data sets.

    Raises `NotFoundError`, and `QueryError` for a source without data sets.
    """
    if named := arguments.get("source"):
        asked = site[named]
        if not asked.definition.hapi:
            raise QueryError(f"{asked.id} has no data set of HAPI: its definition has no [hapi]")
        yield {"source": asked.id}
        return
    from dasflex_hapi.serving.register import listed

    for source in dict.fromkeys(each.source for each in listed(site)):
        yield {"source": source}


def run(work: Work) -> str:
    """Describes each data set of the source. Raises what the first failure was, after all have been tried."""
    from dasflex_core.errors import DasflexError
    from dasflex_hapi.serving.headers import capture
    from dasflex_hapi.serving.register import sets_of

    sets = sets_of(work.site, work.site[work.arguments["source"]])
    failed: list[DasflexError] = []
    for place, each in enumerate(sets):
        work.tell(place / len(sets), each.id)
        try:
            capture(each)
        except DasflexError as error:
            failed.append(error)
    if failed:
        raise failed[0]
    return f"{len(sets)} data sets described"

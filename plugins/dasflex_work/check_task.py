# SPDX-License-Identifier: GPL-3.0-or-later
"""The task `check`: a source is checked, and fails where `dasflex check` would say that something is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dasflex_core.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dasflex_core.site import Site
    from dasflex_core.tasks import Work

__all__ = ["prepare", "run"]


def prepare(site: Site, arguments: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """The one source that is named, under its own name, or all. Raises `NotFoundError`."""
    if source := arguments.get("source"):
        yield {"source": site[source].id}
        return
    for each in site:
        yield {"source": each}


def run(work: Work) -> str:
    """Checks the source. Raises `SourceError` with all that is wrong."""
    from dasflex_core.cli.checking import Checker

    source = work.site[work.arguments["source"]]
    work.tell(None, "running the examples")
    remarks = list(Checker(work.site).check(Path(source.definition.file)))
    wrong = [str(each) for each in remarks if each.wrong]
    if wrong:
        raise SourceError("\n".join(wrong), kind="source.stream")
    return f"nothing is wrong, {len(remarks)} warnings"

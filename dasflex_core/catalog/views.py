# SPDX-License-Identifier: GPL-3.0-or-later
"""Views among definitions: each shows a source that there is, and none shows itself, however far round."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dasflex_core.catalog.documents import place_in
from dasflex_core.catalog.findings import Finding
from dasflex_core.catalog.identifiers import folded
from dasflex_core.errors import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dasflex_core.catalog.model import Definition

__all__ = ["check_views"]


def check_views(definitions: Iterable[Definition]) -> Mapping[str, Finding]:
    """What is wrong with the views among these definitions, by the id of the view.

    A view shows a source that is not among them, or it is part of a ring of views. A view of a wrong view is not
    wrong by itself.
    """
    by_id = {folded(name): each for each in definitions for name in (*each.was, each.id)}
    found: dict[str, Finding] = {}
    for definition in by_id.values():
        for place, reader in enumerate(definition.readers):
            if reader.source and (message := _fault(definition, reader.source, by_id)):
                at = place_in(Path(definition.file), ("reader", place, "source"))
                found[definition.id] = Finding("config.bad-value", message, at)
    return found


def _fault(view: Definition, source: str, by_id: Mapping[str, Definition]) -> str:
    """Why the view cannot show that source; empty where it can."""
    if folded(source) not in by_id:
        near = did_you_mean(source, [each.id for each in by_id.values()])
        return f"there is no source {source!r} to be shown.{near}"
    chain = _chain_back(view, by_id[folded(source)], by_id)
    return f"a view cannot show itself: {' -> '.join(chain)}" if chain else ""


def _chain_back(view: Definition, shown: Definition, by_id: Mapping[str, Definition]) -> tuple[str, ...]:
    """The ids by which a view comes back to itself, starting with what it shows; empty where it does not."""
    paths: list[tuple[str, ...]] = [(view.id, shown.id)]
    seen: set[str] = set()
    while paths:
        path = paths.pop()
        here = folded(path[-1])
        if here == folded(view.id):
            return path
        if here in seen or here not in by_id:
            continue
        seen.add(here)
        following = (by_id.get(folded(reader.source)) for reader in by_id[here].readers if reader.source)
        paths.extend((*path, each.id) for each in following if each)
    return ()

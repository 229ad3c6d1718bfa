# SPDX-License-Identifier: GPL-3.0-or-later
"""What can be had of a source, as `dasflex check --can` lists it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dasflex_core.plan.capabilities import additions, capabilities
from dasflex_core.plan.offering import offered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dasflex_core.catalog.model import Definition
    from dasflex_core.plan.capabilities import Way
    from dasflex_core.site import Site

__all__ = ["abilities"]


def abilities(site: Site, definition: Definition, find: Callable[[str], Definition]) -> Iterator[str]:
    """The lines of the list. `find` looks a viewed source up. Raises `ConfigError` for a broken definition."""
    offer = offered(definition, site.registry, find, site.external)
    can = capabilities(offer, site.registry)
    yield definition.id
    yield from _part("formats", can.formats)
    yield from _part("reductions and calculations", can.reductions)
    yield from _part("kinds of clients", can.conventions)
    more = additions(offer, definition, site.registry, find, site.external)
    if more:
        yield "  what can be installed"
    for each in more:
        yield f"    pip install '{each.requirement}'  {each.title}"
        yield from _table(each.ways, "      ")


def _part(title: str, ways: Sequence[Way]) -> Iterator[str]:
    """One part of the list, with its title."""
    yield f"  {title}" if ways else f"  {title}: none"
    yield from _table(ways, "    ")


def _table(ways: Sequence[Way], margin: str) -> Iterator[str]:
    """Lines of columns: the name, what it is, and what asks for it."""
    if not ways:
        return
    names, titles = (
        max(len(text) for text in column) for column in zip(*((w.name, w.title) for w in ways), strict=True)
    )
    for each in ways:
        yield f"{margin}{each.name:<{names}}  {each.title:<{titles}}  {' '.join(each.asks)}".rstrip()

# SPDX-License-Identifier: GPL-3.0-or-later
"""All that can be had of a source: formats, ways to reduce it, and kinds of clients; and what an extra would add.

It is what the solver finds plans for, so that a plugin that is installed is here at once, and one that is not is not.
What an extra would add is found in the same way: the difference that its stages make to the solver.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from dasflex_core.plan.offering import offered
from dasflex_core.streamtype import StreamType
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dasflex_core.catalog.model import Definition, ExternalStage
    from dasflex_core.declarations import Convention
    from dasflex_core.extras import Extra
    from dasflex_core.plan.offering import Offer
    from dasflex_core.registry import Registry

__all__ = ["Addition", "Capabilities", "Way", "additions", "capabilities"]

#: The families of parameters that ask for something else than what the reader gives, or for its form.
_AS_READ: Final = ("read", "format")


@dataclass(frozen=True, slots=True)
class Way:
    """One thing that can be had: its name, what it is, and the parameters that ask for it."""

    name: str
    title: str
    asks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What can be had of a source."""

    formats: tuple[Way, ...] = ()
    reductions: tuple[Way, ...] = ()
    conventions: tuple[Way, ...] = ()

    @property
    def ways(self) -> tuple[Way, ...]:
        """All of them."""
        return (*self.formats, *self.reductions, *self.conventions)


@dataclass(frozen=True, slots=True)
class Addition:
    """What an extra that is not installed would add to a source. `requirement` is what pip installs."""

    requirement: str
    title: str
    ways: tuple[Way, ...] = ()


def capabilities(offer: Offer, registry: Registry) -> Capabilities:
    """What can be had of a source that offers this."""
    titles = {each.name: each.title for each in registry.families}
    return Capabilities(
        formats=tuple(Way(f".{info.suffix}", info.title, _goal(info.type)) for info in offer.types),
        reductions=tuple(
            Way(titles.get(each.family, each.family), each.title, (each.name,))
            for each in offer.params
            if each.family not in _AS_READ and each.mode != "modifier"
        ),
        conventions=tuple(Way(each.name, each.title) for each in registry.conventions if _served(each, offer)),
    )


def additions(
    offer: Offer,
    definition: Definition,
    registry: Registry,
    find: Callable[[str], Definition],
    external: tuple[ExternalStage, ...] = (),
) -> tuple[Addition, ...]:
    """What the extras that are not installed would add to a source that offers this, each by itself.

    None that adds nothing is among them. Raises `ConfigError` for a broken definition.
    """
    now = frozenset(capabilities(offer, registry).ways)
    found = []
    for extra in registry.extras:
        ways: tuple[Way, ...] = ()
        if extra.stages:
            more = grown(registry, extra)
            ways = tuple(_new(now, capabilities(offered(definition, more, find, external), more)))
        if ways or any(info.type.kind == extra.shows for info in offer.types):
            found.append(Addition(extra.requirement, extra.title, ways))
    return tuple(found)


def grown(registry: Registry, extra: Extra) -> Registry:
    """The registry as it would be with an extra."""
    types = (*registry.stream_types, *extra.stream_types)
    return replace(registry, stages=(*registry.stages, *extra.stages), stream_types=types)


def _new(known: frozenset[Way], more: Capabilities) -> Iterator[Way]:
    """What was not there before."""
    return (each for each in more.ways if each not in known)


def _goal(kind: StreamType) -> tuple[str, ...]:
    """The parameters that ask for a stream type."""
    pairs = (("type", kind.kind), ("version", kind.version), ("serial", kind.variant))
    return tuple(f"format.{name}={value}" for name, value in pairs if value)


def _served(convention: Convention, offer: Offer) -> bool:
    """Whether clients of a convention can be given what they understand."""
    if not convention.goal:
        return bool(offer.types)
    goal = StreamType.parse(convention.goal)
    return any(info.type.serves(goal) for info in offer.types)

# SPDX-License-Identifier: GPL-3.0-or-later
"""All that can be had of a source with what is installed: formats, ways to reduce it, and kinds of clients.

It is what the solver finds plans for, so that a plugin that is installed is here at once, and one that is not is not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_core.streamtype import StreamType
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from dasflex_core.declarations import Convention
    from dasflex_core.plan.offering import Offer
    from dasflex_core.registry import Registry

__all__ = ["Capabilities", "Way", "capabilities"]

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

    formats: tuple[Way, ...]
    reductions: tuple[Way, ...]
    conventions: tuple[Way, ...]


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

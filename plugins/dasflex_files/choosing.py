# SPDX-License-Identifier: GPL-3.0-or-later
"""Which variables of a file are given, under which names, and which of them stand in one dataset.

A definition with `[data]` gives what stands there, a file without it all that it has; `data.N.default = false` is given
only when a request asks for it. Variables over the same axes are one dataset; those with one value in each record go
with the others where all others are over the same axes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_core.errors import ConfigError, QueryError, did_you_mean, listing, shown
from dasflex_core.streamtype import AXIS
from dasflex_core.values import dataclass
from dasflex_files.describing import taken

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dasflex_files.describing import Described, Held

__all__ = ["Given", "Item", "chosen", "grouped", "traits_of", "wished"]

#: Units in which an axis makes the values over it spectra.
_FREQUENCIES: Final = ("Hz", "kHz", "MHz", "GHz")
#: How many values without an axis are the components of a vector.
_COMPONENTS: Final = 3


@dataclass(frozen=True, slots=True)
class Item:
    """What a definition says of a variable: where it is from, over which coordinates, and whether nobody need ask."""

    source: str = ""
    axes: tuple[str, ...] = ()
    default: bool = True


@dataclass(frozen=True, slots=True)
class Given:
    """A variable of a file as it is given: its name, itself, and the places of its inner indices that are taken."""

    name: str
    held: Held
    places: tuple[int | None, ...] = ()
    stated: tuple[str, ...] = ()

    @property
    def left(self) -> tuple[int, ...]:
        """The inner indices that are left."""
        return tuple(at for at in range(len(self.held.shape)) if at >= len(self.places) or self.places[at] is None)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one record."""
        return tuple(self.held.shape[at] for at in self.left)

    @property
    def axes(self) -> tuple[str, ...]:
        """The variable that each inner index runs over; blank where there is none. What the definition says wins."""
        if len(self.stated) == len(self.left):
            return self.stated
        own = self.held.axes or ("",) * len(self.held.shape)
        return tuple(own[at] for at in self.left)

    @property
    def is_vector(self) -> bool:
        """Whether the values of a record are the components of a vector."""
        return self.shape == (_COMPONENTS,) and not any(self.axes)

    @property
    def signature(self) -> tuple[str, ...]:
        """What the inner indices run over; variables with the same stand in one dataset."""
        if self.is_vector:
            return ()
        return tuple(axis or f"#{extent}" for axis, extent in zip(self.axes, self.shape, strict=True))


def wished(described: Described, items: Mapping[str, Item], names: Sequence[str] | None) -> tuple[Given, ...]:
    """What is given of a file: the variables that are named, or those that nobody need ask for.

    What the definition names and a file lacks is left out. Raises `QueryError` for a name that there is not.
    """
    known = {name.lower(): name for name in items or [each.name for each in described.data]}
    if names is None:
        return chosen(described, items, [name for name in known.values() if not items or items[name].default])
    for name in names:
        if name.lower() not in known and not (not items and described.variable(name)):
            near = did_you_mean(name, known.values())
            raise QueryError(
                f"read.data={shown(name)}: there is no such variable.{near} There are {listing(known.values())}",
                kind="query.bad-value",
            )
    wanted = {name.lower() for name in names}
    every = [*known.values(), *(name for name in names if name.lower() not in known)]
    return chosen(described, items, [name for name in every if name.lower() in wanted])


def chosen(described: Described, items: Mapping[str, Item], names: Iterable[str]) -> tuple[Given, ...]:
    """The variables of these names. Raises `ConfigError` for a `from` that cannot be."""
    found: list[Given] = []
    for name in names:
        item = items.get(name, Item())
        try:
            source, places = taken(item.source or name)
        except ValueError as error:
            raise ConfigError(
                f"data.{name}.from: {error}; write one like B[0] or matrix[0,1,:]", kind="config.bad-value"
            ) from error
        held = described.variable(source)
        if held is None or not held.varies:
            continue
        if len(places) > len(held.shape) or any(
            place is not None and not 0 <= place < extent for place, extent in zip(places, held.shape, strict=False)
        ):
            raise ConfigError(f"data.{name}.from: {source} has the shape {list(held.shape)}", kind="config.bad-value")
        found.append(Given(name, held, places, _stated(described, item)))
    return tuple(found)


def _stated(described: Described, item: Item) -> tuple[str, ...]:
    """The variables of a file that the definition says a variable runs over, behind time; none where it is silent."""
    found = [described.variable(axis) for axis in item.axes if axis.lower() not in ("time", described.time.lower())]
    return tuple(each.name for each in found if each is not None) if all(found) else ()


def grouped(given: Iterable[Given]) -> list[tuple[Given, ...]]:
    """The variables of each dataset."""
    groups: dict[tuple[str, ...], list[Given]] = {}
    for each in given:
        groups.setdefault(each.signature, []).append(each)
    if len(groups) == 2 and () in groups:
        (over,) = (signature for signature in groups if signature)
        groups = {over: [each for group in groups.values() for each in group]}
    return [tuple(group) for group in groups.values()]


def traits_of(described: Described, given: Sequence[Given]) -> frozenset[str]:
    """The traits of a stream of these variables."""
    found = {AXIS + "time"}
    if len(grouped(given)) == 1:
        found.add("one")
    if described.cadence:
        found.add("sampled")
    for each in given:
        if each.held.dtype.startswith("S"):
            found.add("strings")
        for name in each.axes:
            axis = described.variable(name) if name else None
            if axis is not None:
                found.add(AXIS + axis.name)
                found |= {"spectra"} if axis.units in _FREQUENCIES else set()
    return frozenset(found)

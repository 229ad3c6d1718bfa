# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are streams already: decoded by the decoder of their type, cut to a range, and joined to one stream."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dasflex_core import epochs
from dasflex_core.arrays import Comment, Dataset, NoData, Ragged, Records, StreamHeader
from dasflex_core.errors import QueryError, did_you_mean, listing, shown
from dasflex_core.record_times import time_of
from dasflex_files.kinds import BATCH
from dasflex_files.picking import rows_within, runs_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from dasflex_core.arrays import Item
    from dasflex_core.stages import Decoder
    from dasflex_files.choosing import Item as Wish

__all__ = ["Joined"]

#: Comments that are true of one file, and not of the answer.
_OWN: Final = ("tasksize", "taskprogress")


class Joined:
    """One stream of the streams in several files.

    The first header counts. A dataset is declared again where it differs from what was declared under its number.
    `wishes` are what the definition says of variables, `names` those that a request asks for, None for the usual.
    """

    def __init__(self, decoder: Callable[[], Decoder], wishes: Mapping[str, Wish], names: Sequence[str] | None) -> None:
        self._decoder = decoder
        self._wanted = None if names is None else {name.lower() for name in names}
        self._left_out = {
            (item.source or name).lower() for name, item in wishes.items() if not item.default and names is None
        }
        if names is not None:
            for name, item in wishes.items():
                if name.lower() in (self._wanted or ()) and item.source:
                    self._wanted = (self._wanted or set()) | {item.source.lower()}
        self._missing = {name.lower(): name for name in names or ()}
        self._there: dict[str, None] = {}
        self._begun = False
        self._names_of = {item.source.lower(): name for name, item in wishes.items() if item.source}
        self._spelt: dict[int, dict[str, str]] = {}
        self._declared: dict[int, Dataset | None] = {}
        self._sent: dict[int, Dataset] = {}

    def items(self, path: str, begin: int, end: int, cancelled: Callable[[], bool]) -> Iterator[Item]:
        """The items of a file, of records those in [begin, end), in nanoseconds since 1970."""
        decoder = self._decoder()
        self._declared.clear()
        with Path(path).open("rb") as file:
            while not cancelled():
                chunk = file.read(BATCH)
                for item in decoder.feed(chunk) if chunk else decoder.finish():
                    yield from self._passed(item, begin, end)
                if not chunk:
                    return

    def _passed(self, item: Item, begin: int, end: int) -> Iterator[Item]:
        """What goes on of an item."""
        if isinstance(item, StreamHeader):
            if not self._begun:
                self._begun = True
                yield item
        elif isinstance(item, Dataset):
            made = self._declared[item.id] = self._selected(item)
            if made is not None and self._sent.get(made.id) != made:
                self._sent[made.id] = made
                yield made
        elif isinstance(item, Records):
            self._check()
            made = self._declared.get(item.dataset.id)
            if made is not None:
                own, spelt = self._sent[made.id], self._spelt[item.dataset.id]
                columns = {name: item[spelt.get(name, name)] for name in own.wire}
                yield from _within(Records(own, columns, item.extras), begin, end)
        elif not isinstance(item, NoData) and not (isinstance(item, Comment) and item.type.lower() in _OWN):
            yield item

    def _selected(self, dataset: Dataset) -> Dataset | None:
        """The dataset with the variables that are given; None where it has none of them."""
        kept: set[str] = set()
        for each in dataset.data():
            names = {each.name.lower(), each.plane_name.strip().lower(), dataset.dimension(each).name.lower()} - {""}
            self._there[each.name] = None
            for name in names | {self._names_of.get(name, "").lower() for name in names}:
                self._missing.pop(name, None)
            if not names & self._left_out and (self._wanted is None or names & self._wanted):
                kept.add(each.name)
        made = dataset if len(kept) == len(dataset.data()) else _only(dataset, kept)
        self._spelt[dataset.id] = {}
        return self._renamed(made) if kept or not dataset.data() else None

    def _renamed(self, dataset: Dataset) -> Dataset:
        """The dataset with the names that the definition has for its variables of data."""
        spelt: dict[str, str] = {}
        dimensions = []
        for each in dataset.dimensions:
            own = each.variables[0]
            names = (own.name.lower(), own.plane_name.strip().lower(), each.name.lower())
            new = next((self._names_of[name] for name in names if name and name in self._names_of), None)
            if each.coordinate or len(each.variables) > 1 or new is None or new in dataset.variables:
                dimensions.append(each)
                continue
            spelt[new] = own.name
            plane = new if own.plane_name else ""
            dimensions.append(replace(each, name=new, variables=(replace(own, name=new, plane_name=plane),)))
        back = {old: new for new, old in spelt.items()}
        self._spelt[dataset.id] = spelt
        wire = tuple(back.get(name, name) for name in dataset.wire)
        return replace(dataset, dimensions=tuple(dimensions), wire=wire) if spelt else dataset

    def _check(self) -> None:
        """Raises `QueryError` where a name is that of nothing."""
        for name in self._missing.values():
            raise QueryError(
                f"read.data={shown(name)}: there is no such variable.{did_you_mean(name, self._there)} There are"
                f" {listing(self._there)}",
                kind="query.bad-value",
            )


def _only(dataset: Dataset, kept: set[str]) -> Dataset:
    """The dataset without the other variables of data; its coordinates and indices stay as they are."""
    dimensions = [
        each if each.coordinate else replace(each, variables=tuple(own for own in each.variables if own.name in kept))
        for each in dataset.dimensions
    ]
    left = tuple(each for each in dimensions if each.variables)
    names = {own.name for each in left for own in each.variables}
    return replace(dataset, dimensions=left, wire=tuple(name for name in dataset.wire if name in names))


def _within(batch: Records, begin: int, end: int) -> Iterator[Records]:
    """The records in the range; where no record has a time, all of them."""
    time = time_of(batch.dataset)
    times: Any = None if time is None else batch[time.name]
    if time is None or isinstance(times, Ragged):
        yield batch
        return
    units = "UTC" if time.dtype.kind == "M" else time.units
    if time.dtype.kind == "f":
        known = epochs.to_datetime64(np.asarray(times), units)
        wanted = rows_within(known, "UTC", begin, end)
    else:
        wanted = rows_within(np.asarray(times), units, begin, end)
    if wanted.all():
        yield batch
        return
    yield from (batch.slice(slice(first, last)) for first, last in runs_of(wanted))

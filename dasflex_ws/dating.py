# SPDX-License-Identifier: GPL-3.0-or-later
"""The times of records, and of live packets that are decoded for it: where the past must end that is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_core.run.loading import make

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from dasflex_core.arrays import Dataset, Item, Records, Variable
    from dasflex_core.plan.graph import Node, Nodes
    from dasflex_ws.ring import Entry

__all__ = ["earliest", "instants", "times_of"]

#: The roles of a time by which records are chosen, the likeliest first.
_ROLES: Final = ("center", "reference", "mean", "average", "min", "max")


def earliest(decoding: Nodes, packets: Iterable[Entry]) -> int | None:
    """The earliest time of the records in some packets, declarations in front, in ns since 1970; None for no time.

    `decoding` are the stages that make arrays of such packets. Raises `DasflexError` for what cannot be decoded.
    """
    items: Iterable[Item] = make(decoding[0]).feed(b"".join([packet.data for packet in packets]))
    for node in decoding[1:]:
        items = _through(node, items)
    times = [time for item in items if (time := _begin(item)) is not None]
    return min(times, default=None)


def _through(node: Node, items: Iterable[Item]) -> Iterator[Item]:
    """What a stage makes of items."""
    stage = make(node)
    for item in items:
        yield from stage.feed(item)


def _begin(item: Item) -> int | None:
    """The earliest time of an item that is records."""
    from dasflex_core.arrays import Records

    times = times_of(item) if isinstance(item, Records) else None
    return int(times.min()) if times is not None and times.size else None


def instants(records: Records) -> list[float]:
    """The time of each record in seconds since 1970, fill left out; none where the records have no time."""
    seconds: list[float] = (times_of(records) / 1e9).tolist()
    return seconds


def times_of(records: Records) -> NDArray[np.int64]:
    """The time of each record in ns since 1970, fill left out: one axis, empty where the records have no time."""
    import numpy as np

    from dasflex_core.epochs import to_datetime64

    clock = _clock(records.dataset)
    if clock is None or clock.name not in records.columns:
        return np.empty(0, np.int64)
    column = np.asarray(records[clock.name])
    times = column if column.dtype.kind == "M" else to_datetime64(column, clock.units)
    return times[~np.isnat(times)].astype("datetime64[ns]").astype(np.int64)


def _clock(dataset: Dataset) -> Variable | None:
    """The time of each record, if a dataset has one."""
    from dasflex_core.epochs import is_epoch

    found = [
        variable
        for dimension in dataset.dimensions
        if dimension.coordinate
        for variable in dimension.variables
        if variable.per_record and not variable.shape and variable.role in _ROLES
        if variable.dtype.kind == "M" or is_epoch(variable.units)
    ]
    return min(found, key=lambda each: _ROLES.index(each.role), default=None)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Statistics in bins of any coordinate that is no time: along records (das-streams 5.3), or inside each record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dasflex_core import epochs
from dasflex_core.errors import QueryError
from dasflex_core.stages import Reducer, param
from dasflex_reduce.bands import bands_of
from dasflex_reduce.binned import bin_along
from dasflex_reduce.grid import Line
from dasflex_reduce.outputs import STATISTICS, is_number
from dasflex_reduce.record_bins import RecordBins

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dasflex_core.arrays import Dataset, Item, Records, Variable
    from dasflex_core.stages import Value
    from dasflex_reduce.bands import Bands

__all__ = ["BinCoordinate", "coordinate_of"]

_ROLES: Final = ("center", "offset", "reference")


class BinCoordinate(
    Reducer,
    name="bin-coordinate",
    admits="dasflex_reduce.admitting_bins:has_coordinate",
    per_gb=2.0,
):
    """Statistics of the values in bins of a coordinate."""

    width: float = param(
        "bin.{coord}.max", low=0.0, title="Width of the bins", help="In the units of the coordinate itself"
    )
    stats: tuple[str, ...] = param(
        "bin.stats", mode="offered", values=STATISTICS, default="mean", title="What is told of the values of a bin"
    )

    def __init__(self, **values: Value | None) -> None:
        super().__init__(**values)
        self._bands: Bands | None = None
        self._bins: RecordBins | None = None

    def dataset(self, dataset: Dataset) -> Dataset:
        """The dataset of bins; one without the coordinate stays as it is.

        Raises `QueryError` for times, which have bins of their own, and for a coordinate that changes along records
        and inside them.
        """
        found = coordinate_of(dataset, str(self.coord))
        if found is None:
            return dataset
        if epochs.is_epoch(found.units) or found.dtype.kind == "M":
            raise QueryError(
                f"{found.name} of {dataset.name} are times, whose bins are bin.time.max, in seconds",
                kind="query.bad-value",
            )
        if not found.per_record:
            self._bands = bands_of(dataset, found, self.stats, self.width)
            return self._bands.dataset
        if found.shape or not is_number(found):
            raise QueryError(
                f"{found.name} of {dataset.name} has no single number for each record, and no value that all records"
                " share, so that there are no bins of it",
                kind="query.unreachable-type",
            )
        binned = bin_along(dataset, found, self.stats)
        self._bins = RecordBins(binned, Line(self.width))
        return binned.dataset

    def records(self, batch: Records) -> Iterable[Records]:
        """The records in bands, or the bins that these records close."""
        if self._bands is not None:
            return (self._bands.reduced(batch),)
        return (batch,) if self._bins is None else self._bins.take(batch)

    def finish(self) -> Iterable[Item]:
        """The bin that is still open."""
        return () if self._bins is None else self._bins.rest()


def coordinate_of(dataset: Dataset, name: str) -> Variable | None:
    """The coordinate of that name: of a dimension, of what it is, or of the variable. Values of all records first."""
    wanted = name.lower()
    found = [
        variable
        for dimension in dataset.dimensions
        if dimension.coordinate
        for variable in dimension.variables
        if wanted in (dimension.name.lower(), dimension.physical.lower(), *_names(variable))
    ]
    return min(
        (each for each in found if each.role in _ROLES),
        key=lambda each: (each.name.lower() != wanted, each.per_record, _ROLES.index(each.role)),
        default=None,
    )


def _names(variable: Variable) -> tuple[str, str]:
    """What a variable may be called: its name, and the last part of that, such as `offset`."""
    return variable.name.lower(), variable.name.lower().rpartition(".")[2]

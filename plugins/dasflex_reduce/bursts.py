# SPDX-License-Identifier: GPL-3.0-or-later
"""Waveforms whose records have different lengths: where their samples lie in time, and which rows bins are made of.

A row is a sample, or a record that has none. What a record has once counts once in each bin that it has samples in.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from dasflex_core import epochs
from dasflex_core.arrays import VARIES, Ragged, Records, is_fill
from dasflex_core.errors import SourceError
from dasflex_core.units import convert_factor
from dasflex_reduce.picking import used_places

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dasflex_core.arrays import Dataset, Fill, Variable

    Integers = NDArray[np.int64]

__all__ = ["Bursts", "Rows", "bursts_of"]

_SECOND = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Bursts:
    """Samples along the inner index at `place`: sample k of a record is `first + k * step` after its time, in seconds.

    Where `column` names one, the offsets are there instead, in units that `factor` turns into seconds.
    """

    place: int
    first: float = 0.0
    step: float = 0.0
    column: str = ""
    factor: float = 1.0

    def holds(self, variable: Variable) -> bool:
        """Whether a variable lies along the samples, with one level of runs."""
        outer = any(extent is not None for extent in variable.index[1 : self.place])
        return variable.index[self.place] == VARIES and variable.depth == 1 and not outer

    def offsets(self, batch: Records, counts: Integers) -> Integers:
        """The offset of each sample of each record, in nanoseconds."""
        held = batch.columns.get(self.column)
        if isinstance(held, Ragged):
            read: Integers = np.rint(held.leaves.astype(np.float64) * (self.factor * _SECOND)).astype(np.int64)
            return read
        number = np.arange(int(counts.sum())) - np.repeat(np.cumsum(counts) - counts, counts)
        made: Integers = np.rint((self.first + number * self.step) * _SECOND).astype(np.int64)
        return made


def bursts_of(dataset: Dataset, clock: Variable) -> Bursts | None:
    """How the samples of a ragged waveform lie in time; None for a dataset that has none."""
    for offset in dataset.dimension(clock).variables:
        places = used_places(offset)
        factor = convert_factor(offset.units, "s") if offset.role == "offset" else None
        if factor is None or len(places) != 1:
            continue
        (place,) = places
        if offset.index[place] != VARIES:
            continue
        if offset.per_record:
            return Bursts(place, column=offset.name, factor=factor)
        rule = offset.sequences[0] if offset.sequences else None
        if rule is not None and len(rule.intervals) == len(offset.index):
            return Bursts(place, float(rule.minimum) * factor, float(rule.intervals[place]) * factor)
    return None


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a batch: the record and the time of each, and whether it is a sample.

    `begins` are the times of the records, `spans` how far their samples are apart, in nanoseconds.
    """

    record: NDArray[np.intp]
    times: NDArray[np.datetime64]
    sampled: NDArray[np.bool_]
    begins: NDArray[np.datetime64]
    spans: Integers

    @classmethod
    def of(cls, batch: Records, clock: Variable, bursts: Bursts, seconds: float) -> Rows:
        """The rows of a batch. Samples that span no more than `seconds` have the time of their record."""
        along = [variable.name for variable in batch.dataset.columns if bursts.holds(variable)]
        ends = _ends(batch, along)
        counts = np.diff(ends)
        lengths = np.maximum(counts, 1)
        record = np.repeat(np.arange(len(counts)), lengths)
        sampled = np.ones(len(record), dtype=np.bool_)
        sampled[(np.cumsum(lengths) - lengths)[counts == 0]] = False
        shifts = np.zeros(len(record), dtype=np.int64)
        spans = np.zeros(len(counts), dtype=np.int64)
        offsets = bursts.offsets(batch, counts)
        if len(offsets):
            some = ends[:-1][counts > 0]
            spans[counts > 0] = np.maximum.reduceat(offsets, some) - np.minimum.reduceat(offsets, some)
            wide = spans > seconds * _SECOND
            shifts[sampled] = np.where(np.repeat(wide, counts), offsets, 0)
        held = batch.columns[clock.name]
        if isinstance(held, Ragged):
            raise TypeError("a clock has one time for each record")
        begins = epochs.to_datetime64(held, clock.units)
        begins = np.where(is_fill(held, clock.fill), np.datetime64("NaT"), begins)
        return cls(record, begins[record] + shifts.view("m8[ns]"), sampled, begins, spans)

    def values(self, variable: Variable, column: Ragged) -> NDArray[Any]:
        """The values of a variable along the samples, one for each row; fill for a record without samples."""
        dtype = variable.dtype.newbyteorder("=")
        found = np.empty((len(self.record), *column.leaves.shape[1:]), dtype=dtype)
        found[self.sampled] = column.leaves
        if not self.sampled.all():
            found[~self.sampled] = _nothing(variable)
        return found


def _nothing(variable: Variable) -> Fill:
    """What stands for no value of a variable."""
    if variable.dtype.kind == "f":
        return np.nan
    if variable.fill is not None:
        return variable.fill
    return np.datetime64("NaT") if variable.dtype.kind == "M" else b""


def _ends(batch: Records, names: list[str]) -> Integers:
    """Where the runs of the records end, which are the same of all variables along the samples."""
    found: Integers | None = None
    for name in names:
        column = batch.columns[name]
        if isinstance(column, Ragged):
            if found is not None and not np.array_equal(found, column.offsets):
                raise SourceError(
                    f"{names[0]} and {name} of dataset {batch.dataset.name} share an index, and have different numbers"
                    " of values in one record",
                    kind="source.stream",
                )
            found = column.offsets
    return np.zeros(len(batch) + 1, dtype=np.int64) if found is None else found

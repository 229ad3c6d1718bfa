# SPDX-License-Identifier: GPL-3.0-or-later
"""Bins of an inner coordinate: the values of each record over, say, frequency become fewer, over bands of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from dasflex_core.arrays import Ragged, Records
from dasflex_core.errors import QueryError
from dasflex_reduce.accumulating import Accumulator
from dasflex_reduce.binned import with_outputs
from dasflex_reduce.binning import Runs
from dasflex_reduce.grid import Line
from dasflex_reduce.outputs import is_number, job_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from dasflex_core.arrays import Dataset, Variable
    from dasflex_reduce.outputs import Job

__all__ = ["Bands", "bands_of"]


@dataclass(frozen=True, slots=True)
class Bands:
    """How a dataset is reduced along the inner index at `place`: what it becomes, by which jobs, over which runs.

    `order` sorts the values along the index by their coordinate, and leaves out those that have none; None where they
    are as they should be.
    """

    dataset: Dataset
    place: int
    jobs: tuple[Job, ...]
    runs: Runs
    order: NDArray[np.intp] | None = None

    def reduced(self, batch: Records) -> Records:
        """The records with bands in place of single values."""
        found: dict[str, NDArray[Any] | Ragged] = dict(batch.columns)
        for job in self.jobs:
            names = {job.source.name, job.weights or job.source.name}
            given = {name: column for name in names if not isinstance(column := batch[name], Ragged)}
            found |= _over_axis(job, given, self._axis(job.source), self)
        return Records(self.dataset, {name: found[name] for name in self.dataset.wire})

    def _axis(self, variable: Variable) -> int:
        """The axis of a column that belongs to the index."""
        return sum(extent is not None for extent in variable.index[: self.place])


def bands_of(dataset: Dataset, tags: Variable, statistics: tuple[str, ...], width: float) -> Bands:
    """How a dataset is reduced over bands of the coordinate `tags`, each `width` wide in its units.

    Bands begin at the lowest value, and a coordinate becomes the middle of its band (das-streams 5.3, for x). Other
    coordinates along the index are averaged. Raises `QueryError` where a coordinate differs from record to record.
    """
    place = next(at for at, extent in enumerate(tags.index) if extent is not None)
    values = np.zeros(0) if tags.values is None else tags.values.astype(np.float64)
    order = np.argsort(values, kind="stable")[: np.count_nonzero(~np.isnan(values))]
    if not len(order):
        raise QueryError(f"{tags.name} of {dataset.name} has no values to make bands of", kind="query.unreachable-type")
    line = Line(width)
    numbers, _kept = line.numbers(values[order], tags.units)
    runs = Runs.of(numbers)
    middles = line.centres(numbers[runs.starts], tags.units, np.dtype("f8"))
    jobs: list[Job] = []
    outputs: dict[str, tuple[Variable, ...]] = {}
    for variable in dataset.variables.values():
        if variable.index[place] is None:
            continue
        if variable.name == tags.name:
            outputs[tags.name] = (_short(replace(tags, dtype=np.dtype("f8"), semantic="real"), place, middles),)
        elif variable.per_record:
            jobs.append(_job(dataset, variable, statistics))
            outputs[variable.name] = tuple(_short(each.variable, place, None, len(runs)) for each in jobs[-1].outputs)
        else:
            outputs[variable.name] = _fixed(variable, place, order, runs)
    made = with_outputs(dataset, outputs)
    index = (*dataset.index[:place], len(runs), *dataset.index[place + 1 :])
    straight = len(order) == len(values) and bool((order[1:] > order[:-1]).all())
    return Bands(replace(made, index=index), place, tuple(jobs), runs, None if straight else order)


def _job(dataset: Dataset, variable: Variable, statistics: tuple[str, ...]) -> Job:
    """The job of a variable; a coordinate that changes along records has no bands that all records share."""
    dimension = dataset.dimension(variable)
    if variable.ragged:
        raise QueryError(
            f"{variable.name} of dataset {dataset.name} has rows of different lengths, which have no bands in common;"
            " leave it out with read.data",
            kind="query.unreachable-type",
        )
    return job_of(dataset, dimension, variable, statistics)


def _short(variable: Variable, place: int, values: NDArray[Any] | None, count: int = 0) -> Variable:
    """The variable with another extent of an index, and other values where it has some."""
    extent = count if values is None else len(values)
    index = (*variable.index[:place], extent, *variable.index[place + 1 :])
    return replace(variable, index=index, values=values, sequences=(), text="")


def _fixed(variable: Variable, place: int, order: NDArray[np.intp], runs: Runs) -> tuple[Variable, ...]:
    """A coordinate beside that of the bands: numbers are averaged, what has no mean is left out."""
    if variable.values is None or not is_number(variable) or variable.role == "width":
        return ()
    axis = sum(extent is not None for extent in variable.index[:place])
    values = np.take(variable.values.astype(np.float64), order, axis=axis)
    reduce = {"min": np.minimum, "max": np.maximum}.get(variable.role, np.add)
    found = reduce.reduceat(values, runs.starts, axis=axis)
    if reduce is np.add:
        found /= runs.lengths.reshape(-1, *(1 for _ in range(values.ndim - axis - 1)))
    made = _short(variable, place, None, len(runs))
    return (replace(made, values=found, dtype=found.dtype, semantic="real"),)


def _over_axis(job: Job, given: Mapping[str, NDArray[Any]], axis: int, bands: Bands) -> Mapping[str, NDArray[Any]]:
    """The columns that come of one, whose values along an axis are reduced; its weights are given too."""
    if bands.order is not None:
        given = {name: np.take(column, bands.order, axis=axis) for name, column in given.items()}
    columns = {name: np.moveaxis(column, axis, 0) for name, column in given.items()}
    rows = columns[job.source.name]
    accumulator = Accumulator((job,), shape=rows.shape[1:])
    made = accumulator.take(columns, bands.runs, joined=False)
    last = accumulator.rest()
    return {name: np.moveaxis(np.concatenate([values, last[name]]), 0, axis) for name, values in made.items()}

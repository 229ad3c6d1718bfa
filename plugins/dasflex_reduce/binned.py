# SPDX-License-Identifier: GPL-3.0-or-later
"""The dataset that comes out of bins of time: its clock, what stays as it is, and what is reduced how.

A waveform becomes a line, without the inner index of its offsets. Where the samples of a record span no more than a
bin, all belong to the bin of the record (das-streams 5.1, item 9). Where they span more, each belongs to that of its
own time: classic programs average rows there, and move them to the middle of a bin, which is the time of none of them.
So it is with waveforms whose records have different lengths, each record for itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from dasflex_core import epochs
from dasflex_core.arrays import Dataset, Encoding, Properties, Property
from dasflex_core.errors import QueryError
from dasflex_core.run.joining_items import same
from dasflex_core.units import convert_factor
from dasflex_reduce.bursts import bursts_of
from dasflex_reduce.outputs import is_number, job_of, real

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

    from numpy.typing import NDArray

    from dasflex_core.arrays import Item, Sequence, Variable
    from dasflex_reduce.bursts import Bursts
    from dasflex_reduce.outputs import Job

__all__ = ["Binned", "bin_along", "bin_dataset", "clock_of", "refuse_ragged", "repeats", "with_outputs"]

#: The roles that a time of one value per record may have, the best first.
_CLOCKS: Final = ("center", "reference", "mean", "average", "min")
#: A double of text needs so many bytes to hold microseconds since 2000.
_ASCII_TIME: Final = 24


@dataclass(frozen=True, slots=True)
class Binned:
    """How a dataset is binned: what it becomes, its time before and after, and the variables that are reduced.

    `offsets` are those of the samples of a record, in nanoseconds, where each sample has a bin of its own; else None.
    `bursts` says how the samples of records of different lengths lie in time, where there are such.
    """

    dataset: Dataset
    clock: Variable
    time: Variable
    jobs: tuple[Job, ...]
    offsets: NDArray[np.int64] | None = None
    bursts: Bursts | None = None


def clock_of(dataset: Dataset) -> Variable | None:
    """The time of each record; None where a dataset has no times along its records.

    Raises `QueryError` (`query.unreachable-type`) where it has times, and none with one value per record.
    """
    found = [
        (dimension, variable)
        for dimension in dataset.dimensions
        if dimension.coordinate
        for variable in dimension.variables
        if variable.per_record and (variable.dtype.kind == "M" or epochs.is_epoch(variable.units))
    ]
    single = [(dimension, each) for dimension, each in found if not each.shape and each.role in _CLOCKS]
    if single:
        return min(single, key=lambda pair: (pair[0].axis != "x", _CLOCKS.index(pair[1].role)))[1]
    if found:
        raise QueryError(
            f"Dataset {dataset.name} has no time with one value per record, which bins of time need",
            kind="query.unreachable-type",
        )
    return None


def repeats(item: Item, declared: MutableMapping[int, Dataset]) -> bool:
    """Whether an item declares a dataset as it is `declared`, by id, already; what is new is noted there.

    Readers declare their data anew for each file, and blocks do. Bins of the absolute grid go on then, so that they
    do not depend on how data are cut.
    """
    if not isinstance(item, Dataset):
        return False
    earlier = declared.get(item.id)
    declared[item.id] = item
    return earlier is item or same(earlier, item)


def bin_dataset(dataset: Dataset, clock: Variable, statistics: tuple[str, ...], seconds: float) -> Binned:
    """How a dataset with this clock is binned.

    Raises `QueryError` (`query.unreachable-type`) that names the first ragged variable that is no waveform.
    """
    bursts = bursts_of(dataset, clock)
    refuse_ragged(dataset, bursts)
    dropped, offsets = ((bursts.place,), None) if bursts else _samples(dataset, clock)
    if offsets is not None and np.ptp(offsets) <= seconds * 1e9:
        offsets = None
    time = _time(dataset, clock, collapsed=bool(dropped))
    jobs = tuple(
        _collapsed(job_of(dataset, dimension, _with_nothing(variable), statistics), dropped)
        for variable in dataset.columns
        for dimension in [dataset.dimension(variable)]
        if variable.name != clock.name and not _is_extent(dataset, clock, variable)
    )
    made = with_outputs(dataset, _outputs(dataset, clock, time, jobs))
    made = _without_places(made, dropped) if dropped else made
    return Binned(made, clock, time, jobs, offsets, bursts)


def bin_along(dataset: Dataset, along: Variable, statistics: tuple[str, ...]) -> Binned:
    """How a dataset is binned along a coordinate of its records that is no time, which keeps its units and encoding.

    Raises `QueryError` as `bin_dataset` does.
    """
    refuse_ragged(dataset)
    jobs = tuple(
        job_of(dataset, dataset.dimension(variable), variable, statistics)
        for variable in dataset.columns
        if variable.name != along.name and not _is_extent(dataset, along, variable)
    )
    centre = replace(real(along), role="center")
    return Binned(with_outputs(dataset, _outputs(dataset, along, centre, jobs)), along, centre, jobs)


def refuse_ragged(dataset: Dataset, bursts: Bursts | None = None) -> None:
    """Raises `QueryError` (`query.unreachable-type`) that names the first ragged variable outside of bursts."""
    for variable in dataset.columns:
        if variable.ragged and not (bursts and bursts.holds(variable)):
            raise QueryError(
                f"{variable.name} of dataset {dataset.name} has rows of different lengths, which cannot be averaged in"
                " bins; leave it out with read.data",
                kind="query.unreachable-type",
            )


def _with_nothing(variable: Variable) -> Variable:
    """A ragged variable with a value for a bin without samples: integers without fill become real numbers."""
    return real(variable) if variable.ragged and variable.fill is None and is_number(variable) else variable


def _is_extent(dataset: Dataset, clock: Variable, variable: Variable) -> bool:
    """Whether a column is another time of the clock's own dimension, which says nothing of a bin."""
    return dataset.dimension(variable) is dataset.dimension(clock)


def _samples(dataset: Dataset, clock: Variable) -> tuple[tuple[int, ...], NDArray[np.int64] | None]:
    """The place of the inner index of a waveform, and the offsets of its samples in nanoseconds; else () and None."""
    for offset in dataset.dimension(clock).variables:
        places = [place for place, extent in enumerate(offset.index) if extent is not None]
        factor = convert_factor(offset.units, "s") if offset.role == "offset" else None
        if factor is None or len(places) != 1 or places[0] == 0 or offset.values is None:
            continue
        return (places[0],), np.rint(offset.values * (factor * 1e9)).astype(np.int64)
    return (), None


def _time(dataset: Dataset, clock: Variable, *, collapsed: bool) -> Variable:
    """The time of the bins. Numbers of das2 become us2000, in the encoding that they had."""
    waveform = any(each.role == "offset" for each in dataset.dimension(clock).variables) and not collapsed
    role = "reference" if waveform else "center"
    name = clock.name
    if collapsed and name == "time.reference" and "time" not in dataset.variables:
        name = "time"
    made = replace(clock, role=role, name=name)
    if clock.dtype.kind == "M":
        return made
    encoding, dtype = clock.encoding, clock.dtype
    if dtype.kind == "f" and dtype.itemsize < 8:
        dtype = np.dtype(f"{'>' if dtype.byteorder == '>' else '<'}f8")
        if encoding is not None and encoding.name not in ("ascii", "utf8"):
            encoding = replace(encoding, width=8)
    if dataset.generation == 2 and clock.units != "us2000":
        if encoding is not None and encoding.name == "ascii":
            encoding = Encoding("ascii", _ASCII_TIME)
        return replace(made, units="us2000", dtype=dtype, encoding=encoding)
    return replace(made, dtype=dtype, encoding=encoding)


def _collapsed(job: Job, dropped: tuple[int, ...]) -> Job:
    """The job, which averages a dropped index too where its variable depends on that."""
    source = job.source
    if not any(source.index[place] is not None for place in dropped):
        return job
    axis = sum(extent is not None for extent in source.index[1 : dropped[0]])
    outputs = tuple(replace(each, variable=_single(each.variable)) for each in job.outputs)
    return replace(job, outputs=outputs, axis=None if source.ragged else axis)


def _single(variable: Variable) -> Variable:
    """What was a row of values, as one: a yscan plane of das2 becomes a y plane, whose properties are those of y."""
    if variable.encoding is not None and variable.encoding.index_terms:
        variable = replace(variable, encoding=replace(variable.encoding, index_terms=()))
    if variable.plane != "yscan":
        return variable
    kept = [
        replace(each, name=f"y{each.name[1:]}") if _of_axis(each, "z") else each
        for each in variable.properties
        if each.name != "renderer" and not _of_axis(each, "y")
    ]
    return replace(variable, plane="y", properties=Properties(tuple(kept)))


def _of_axis(entry: Property, axis: str) -> bool:
    """Whether a das2 property says something of an axis, such as `zLabel`."""
    return entry.name[:1] == axis and entry.name[1:2].isupper()


def with_outputs(dataset: Dataset, outputs: Mapping[str, tuple[Variable, ...]]) -> Dataset:
    """The dataset with variables in place of its own: none, one, or several of which new ones go behind all others."""
    dimensions = tuple(
        replace(each, variables=tuple(new for old in each.variables for new in outputs.get(old.name, (old,))))
        for each in dataset.dimensions
    )
    made = [(name, each.name) for name in dataset.wire for each in outputs.get(name, (dataset.variables[name],))]
    beside = {each.name for old, news in outputs.items() if len(news) > 1 for each in news if each.name != old}
    return replace(
        dataset,
        dimensions=tuple(each for each in dimensions if each.variables),
        wire=tuple(sorted((name for _old, name in made), key=lambda name: name in beside)),
    )


def _outputs(
    dataset: Dataset, clock: Variable, time: Variable, jobs: tuple[Job, ...]
) -> dict[str, tuple[Variable, ...]]:
    """What each column becomes: what nobody reduces is left out."""
    found: dict[str, tuple[Variable, ...]] = dict.fromkeys(dataset.wire, ())
    found |= {job.source.name: tuple(each.variable for each in job.outputs) for job in jobs}
    return found | {clock.name: (time,)}


def _without_places(dataset: Dataset, dropped: tuple[int, ...]) -> Dataset:
    """The dataset without some indices, and without the coordinates that depend on nothing else."""
    columns = set(dataset.wire)

    def shorter(variable: Variable) -> Variable:
        return replace(
            variable,
            index=_less(variable.index, dropped),
            sequences=tuple(_shorter_rule(each, dropped, len(dataset.index)) for each in variable.sequences),
        )

    dimensions = []
    for dimension in dataset.dimensions:
        kept = tuple(
            shorter(each)
            for each in dimension.variables
            if each.name in columns or all(each.index[place] is None for place in dropped)
        )
        if kept:
            dimensions.append(replace(dimension, variables=kept))
    index = _less(dataset.index, dropped)
    traits = dataset.traits - {"waveform", "ragged"}
    return replace(dataset, index=tuple(each or 0 for each in index), dimensions=tuple(dimensions), traits=traits)


def _less(index: tuple[int | None, ...], dropped: tuple[int, ...]) -> tuple[int | None, ...]:
    """An index without some places."""
    return tuple(extent for place, extent in enumerate(index) if place not in dropped)


def _shorter_rule(rule: Sequence, dropped: tuple[int, ...], rank: int) -> Sequence:
    """The rule of a coordinate without some indices; a compact one has no entry for them."""
    if len(rule.intervals) != rank:
        return rule
    return replace(rule, intervals=tuple(each for place, each in enumerate(rule.intervals) if place not in dropped))

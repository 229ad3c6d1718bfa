# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a dataset becomes what in a NetCDF file: dimensions, types, and the attributes of the CF conventions 1.11.

The record dimension has the name of the time that is one for each record, so that this is a coordinate variable
(section 5). Runs of varying length are contiguous ragged arrays (section 9.3.3): all runs one behind another along a
sample dimension, and how many samples each record has.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from dasflex_core.errors import QueryError
from dasflex_core.record_times import is_time
from dasflex_core.values import dataclass
from dasflex_netcdf.udunits import udunits

if TYPE_CHECKING:
    from dasflex_core.arrays import Dataset, Variable

__all__ = ["Layout", "Part", "layout_of"]

#: The origin of times; 64-bit integers of nanoseconds are exact, and what xarray has.
_TIME_UNITS: Final = "nanoseconds since 1970-01-01T00:00:00"
#: What statistics are called (CF, appendix E).
_METHODS: Final = {
    "mean": "mean",
    "min": "minimum",
    "max": "maximum",
    "stddev": "standard_deviation",
    "median": "median",
}


@dataclass(frozen=True, slots=True)
class Part:
    """A variable of the file.

    `kind` is `time`, `text`, `flag` or `number`. `dimensions` are in order; of runs the first is the sample dimension,
    `runs` the name of the variable that says how many samples each record has; it is blank for others.
    """

    variable: Variable
    kind: str
    dimensions: tuple[str, ...]
    attributes: tuple[tuple[str, str], ...]
    runs: str = ""

    @property
    def per_record(self) -> bool:
        """Whether it grows with the records."""
        return self.variable.per_record


@dataclass(frozen=True, slots=True)
class Layout:
    """What a dataset is in a file: the record dimension, the extents of others (0 for those of samples), and parts.

    `counts` are variables of lengths of runs with their sample dimension.
    """

    record: str
    extents: tuple[tuple[str, int], ...]
    parts: tuple[Part, ...]
    counts: tuple[tuple[str, str], ...]


def layout_of(dataset: Dataset) -> Layout:
    """The layout of a dataset. Raises `QueryError` for a variable that CF has no form for."""
    record = _record(dataset)
    names = _inner(dataset, record)
    extents: dict[str, int] = {name: dataset.index[place] for place, name in names.items()}
    counts: dict[str, str] = {}
    parts: list[Part] = []
    for variable in dataset.variables.values():
        if variable.name not in dataset.wire and variable.values is None:
            continue
        dimensions = [names[place] for place, extent in enumerate(variable.index) if place and extent is not None]
        runs = ""
        if variable.ragged:
            sample, runs = _sampled(variable, dimensions)
            dimensions = [sample, *dimensions[1:]] if variable.semantic != "blob" else [sample]
            counts[runs], extents[sample] = sample, 0
        elif variable.per_record:
            dimensions = [record, *dimensions]
        if variable.vector:
            dimensions.append(f"{variable.name}_component")
            extents[dimensions[-1]] = variable.vector.components
        told = _told(dataset, variable, record, names)
        parts.append(Part(variable, _kind(variable), tuple(dimensions), told, runs))
    used = {name for part in parts for name in part.dimensions}
    sizes = tuple((name, size) for name, size in extents.items() if name in used)
    return Layout(record, sizes, tuple(parts), tuple(counts.items()))


def _record(dataset: Dataset) -> str:
    """The name of the record dimension: that of the first time that each record has one of."""
    times = (each.name for each in dataset.columns if _kind(each) == "time" and not each.shape and not each.ragged)
    return next(times, "record")


def _inner(dataset: Dataset, record: str) -> dict[int, str]:
    """The names of the inner dimensions by their place: of the coordinate along it, if there is one of one index."""
    found: dict[int, str] = {}
    for place in range(1, dataset.rank):
        alone = [
            each.name
            for dimension in dataset.dimensions
            if dimension.coordinate
            for each in dimension.variables
            if [at for at, extent in enumerate(each.index) if extent is not None] == [place] and not each.vector
        ]
        name = next(iter(alone), f"index{place}")
        found[place] = name if name != record and name not in found.values() else f"index{place}"
    return found


def _sampled(variable: Variable, dimensions: list[str]) -> tuple[str, str]:
    """The sample dimension of runs, and the name of their counts. Raises `QueryError` for what is not one run each."""
    if variable.depth != 1 or _kind(variable) == "text":
        raise QueryError(
            f"{variable.name} has runs within runs, or texts whose number varies, and CF has no ragged array of these; "
            "leave it out with read.data, or choose another format",
            kind="query.unreachable-type",
        )
    own = variable.name if variable.semantic == "blob" else dimensions[0]
    return f"{own}_sample", f"{own}_size"


def _kind(variable: Variable) -> str:
    """How values are written."""
    if is_time(variable):
        return "time"
    if variable.dtype.kind == "S":
        return "text"
    return "flag" if variable.semantic == "bool" else "number"


def _told(dataset: Dataset, variable: Variable, record: str, names: dict[int, str]) -> tuple[tuple[str, str], ...]:
    """The attributes of a variable that are texts."""
    dimension = dataset.dimension(variable)
    kind = _kind(variable)
    about: dict[str, Any] = {"long_name": variable.label or dimension.properties.text("title") or variable.name}
    if kind == "time":
        about |= {"standard_name": "time", "units": _TIME_UNITS, "calendar": "standard"}
    elif kind == "number":
        about["units"] = udunits(variable.units)
    elif kind == "flag" and variable.fill is None:
        about["dtype"] = "bool"
    if dimension.axis in ("x", "y", "z") and dimension.coordinate and kind == "time" and variable.name == record:
        about["axis"] = "T"
    if not dimension.coordinate:
        own = {record, *names.values()}
        others = [each.name for each in dataset.axes(variable) if each.name not in own]
        if others:
            about["coordinates"] = " ".join(dict.fromkeys(others))
        if variable.role in _METHODS and any(each.role in ("min", "max") for each in dimension.variables):
            about["cell_methods"] = f"{record}: {_METHODS[variable.role]}"
    if variable.vector and variable.vector.frame:
        about["frame"] = variable.vector.frame
    return tuple((name, str(text)) for name, text in about.items() if text)

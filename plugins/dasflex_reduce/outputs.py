# SPDX-License-Identifier: GPL-3.0-or-later
"""What comes out of a variable that is binned: which statistics, as variables of which names, types and properties.

Planes of das2 are named and told apart as classic programs do (das-streams 2.12 and 5.1, item 7): `NAME.min` with the
properties `source` and `operation`. In das3 a role says it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from dasflex_core import epochs
from dasflex_core.arrays import Encoding, Properties, Property

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dasflex_core.arrays import Dataset, Dimension, Fill, Variable

__all__ = ["STATISTICS", "Job", "Output", "circle_of", "is_number", "job_of", "real"]

#: The statistics that a request may name, with their titles, in the order in which their planes stand.
STATISTICS: Final = {
    "mean": "Mean of the values",
    "min": "Smallest value",
    "max": "Largest value",
    "stddev": "Sample standard deviation",
    "count": "How many values were not fill",
    "median": "Middle value",
}
_ROLES: Final = {"min": "min", "max": "max", "stddev": "std_dev", "count": "count", "median": "median"}
_OPERATIONS: Final = {
    "mean": "BIN_AVG",
    "min": "BIN_MIN",
    "max": "BIN_MAX",
    "stddev": "BIN_STDDEV",
    "count": "BIN_COUNT",
    "median": "BIN_MEDIAN",
}
#: Roles of values that are measured, not told of others: they get the statistics.
_MEASURED: Final = ("center", "mean", "average", "reference", "median")
_MEANS: Final = ("center", "mean", "average")
#: What is right for values that are extremes or counts already.
_TOLD: Final = {"min": "min", "max": "max", "count": "sum"}
#: Where classic programs say that the plane of the source holds averages.
_RANGES: Final = ("min", "max", "count", "median")
#: Widths of text that are too short for counts and middles: as wide as nine digits need.
_WIDE_TEXT: Final = 16


@dataclass(frozen=True, slots=True)
class Output:
    """One statistic of a variable, and the variable that holds it."""

    statistic: str
    variable: Variable


@dataclass(frozen=True, slots=True)
class Job:
    """A variable that is reduced, and what comes out.

    `axis` is the place in a record's value of an inner index that is averaged too; None where there is none. `period`
    is that of values round a circle, and `lowest` where their range begins, None where it follows from the data.
    `weights` names the variable that says of how many values each of these is the mean; blank where none does.
    """

    source: Variable
    outputs: tuple[Output, ...]
    axis: int | None = None
    period: float | None = None
    lowest: float | None = None
    weights: str = ""

    @property
    def statistics(self) -> frozenset[str]:
        """What has to be computed."""
        return frozenset(each.statistic for each in self.outputs)


def job_of(dataset: Dataset, dimension: Dimension, source: Variable, statistics: Iterable[str]) -> Job:
    """How a variable is reduced: by all statistics where it holds measured numbers, else by the one that is right.

    Text, states and times are the first of their bin; coordinates are averaged.
    """
    chosen = tuple(_chosen(dimension, source, frozenset(statistics)))
    reduced = any(each in chosen for each in _RANGES) or "mean" not in chosen
    taken = {*dataset.variables}
    outputs = []
    for each in chosen:
        if each in ("mean", "first", "sum") or source.role == each:
            outputs.append(Output(each, _in_place(dataset, source, each, tell=reduced)))
        else:
            made = _beside(dataset, source, each, taken)
            taken.add(made.name)
            outputs.append(Output(each, made))
    period, lowest = circle_of(dimension, source)
    weights = "" if period or chosen != ("mean",) else _weights(dimension, source)
    return Job(source, tuple(outputs), period=period, lowest=lowest, weights=weights)


def circle_of(dimension: Dimension, source: Variable) -> tuple[float | None, float | None]:
    """The period of values round a circle, and the least of them that is valid; None where that is not said.

    Deviations and counts of such values do not lie on the circle.
    """
    lies = source.dtype.kind in "iuf" and source.role not in ("std_dev", "count", "width", "uncertainty")
    period = _number(dimension, source, "period") if lies else None
    if period is None or not 0 < period < np.inf:
        return None, None
    return period, _number(dimension, source, "validMin")


def _weights(dimension: Dimension, source: Variable) -> str:
    """The name of the counts beside means; blank where there are none of the same shape."""
    if source.role not in _MEANS:
        return ""
    counts = (each.name for each in dimension.variables if each.role == "count" and each.index == source.index)
    return next(counts, "")


def _chosen(dimension: Dimension, source: Variable, statistics: frozenset[str]) -> Iterator[str]:
    """The statistics of a variable, in order."""
    if not is_number(source):
        yield "first"
    elif dimension.coordinate:
        yield "mean"
    elif source.role in _TOLD:
        yield _TOLD[source.role]
    elif source.role not in _MEASURED:
        yield "mean"
    else:
        there = {each.role for each in dimension.variables}
        yield from (each for each in STATISTICS if each in statistics and _ROLES.get(each, "") not in there)
        if statistics and all(_ROLES.get(each, "") in there for each in statistics):
            yield "mean"


def is_number(variable: Variable) -> bool:
    """Whether values are numbers of which a mean says something: no text, no state, no time."""
    if variable.semantic in ("datetime", "string", "bool", "blob") or epochs.is_epoch(variable.units):
        return False
    return variable.dtype.kind in "iuf"


def _number(dimension: Dimension, source: Variable, name: str) -> float | None:
    """A property of a variable or its dimension as a number; das2 may write the axis in front of its name."""
    for properties in (source.properties, dimension.properties):
        for spelt in (name, f"y{name[0].upper()}{name[1:]}", f"z{name[0].upper()}{name[1:]}"):
            first = properties.text(spelt).partition(" ")[0]
            try:
                return float(first)
            except ValueError:  # not there, or no number
                continue
    return None


def _in_place(dataset: Dataset, source: Variable, statistic: str, *, tell: bool) -> Variable:
    """The variable with its own values reduced. Means of integers are real numbers."""
    if statistic == "first":
        return source
    made = real(source) if statistic == "mean" else source
    if tell and statistic == "mean" and dataset.generation == 2 and source.plane in ("y", "yscan", "z"):
        coordinate = dataset.dimension(source).coordinate
        return made if coordinate else replace(made, properties=_operation(source, statistic))
    return made


def _operation(source: Variable, statistic: str) -> Properties:
    """The properties of a das2 plane that holds a statistic."""
    if statistic == "mean" and source.properties.get("operation"):
        return source.properties
    return source.properties.put(
        Property("source", source.plane_name or source.name, "String"),
        Property("operation", _OPERATIONS[statistic], "String"),
    )


def _beside(dataset: Dataset, source: Variable, statistic: str, taken: Iterable[str]) -> Variable:
    """A new variable for a statistic of the source."""
    old = dataset.generation == 2
    ending = f".{statistic if old else _ROLES[statistic]}"
    made = source if statistic in ("min", "max") else _count(source, old=old) if statistic == "count" else real(source)
    return replace(
        made,
        name=_unused(source.name + ending, taken),
        role=_ROLES[statistic],
        properties=_operation(source, statistic) if old else Properties(),
        plane_name=(source.plane_name or source.name) + ending if old else "",
    )


def _unused(name: str, taken: Iterable[str]) -> str:
    """The name, with a number where it is taken."""
    found, count, known = name, 1, {*taken}
    while found in known:
        count += 1
        found = f"{name}_{count}"
    return found


def real(source: Variable) -> Variable:
    """The variable with real values: a mean of integers is none. One of two bytes fits in a real of four."""
    if source.dtype.kind == "f":
        return source
    fill: Fill = float(source.fill) if isinstance(source.fill, (int, float)) else None
    dtype = np.dtype("f4" if source.dtype.itemsize <= 2 else "f8")
    return replace(source, dtype=dtype, semantic="real", encoding=None, fill=fill)


def _count(source: Variable, *, old: bool) -> Variable:
    """A variable for counts, which have no units: as wide as the source in das2, else an integer."""
    if old:
        encoding = source.encoding
        if encoding is not None and encoding.name == "ascii":
            encoding = Encoding("ascii", max(encoding.width, _WIDE_TEXT))
        return replace(source, units="", encoding=encoding)
    return replace(source, units="", dtype=np.dtype("i4"), semantic="integer", encoding=None, fill=None)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the stream of an example is not what the definition says of it: variables, axes, units, sizes and ranges."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dasflex_core.cli.learning import axis_names, coord_name
from dasflex_core.errors import DasflexError
from dasflex_core.plan.binding import source_traits
from dasflex_core.times import FOREVER, Time, format_time, parse_range
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dasflex_core.arrays import Dataset, Variable
    from dasflex_core.catalog.findings import KeyPath
    from dasflex_core.catalog.model import Coord, DataItem, Definition, Pairs
    from dasflex_core.cli.trial import Extent, Trial

__all__ = ["Breach", "breaches", "declared_bounds"]


@dataclass(frozen=True, slots=True)
class Breach:
    """What a stream does not keep: the key that promises it, in words, and whether requests go wrong by it."""

    key: KeyPath
    message: str
    wrong: bool = False


def declared_bounds(definition: Definition) -> dict[str, tuple[float, float]]:
    """The valid values of variables, by their names in the stream."""
    data = {_sent_as(definition, name): item.valid for name, item in definition.data.items()}
    coords = {name: item.valid for name, item in definition.coords.items()}
    return {name: valid for name, valid in {**coords, **data}.items() if valid}


def breaches(definition: Definition, request: Pairs, trial: Trial) -> Iterator[Breach]:
    """What the stream of an example does not keep."""
    datasets = list(trial.datasets.values())
    for name, item in definition.data.items():
        if not item.default and "read.data" not in dict(request):
            continue
        for message in _differences(_sent_as(definition, name), item, datasets):
            yield Breach(("data", name), message)
        yield from _invalid(("data", name), item, trial.extents.get(_sent_as(definition, name)))
    yield from _undeclared(definition, datasets)
    for name, coord in definition.coords.items():
        yield from _coordinate(name, coord, datasets, trial)
    yield from _times(definition, request, trial)
    for trait in sorted(source_traits(definition) & {"ragged", "spectra", "waveform"}):
        if not any(_has(dataset, trait) for dataset in datasets):
            message = f"coords and data say that these are {trait}, and the stream holds none"
            yield Breach(("coords",), message, wrong=True)


def _sent_as(definition: Definition, name: str) -> str:
    """What a variable is called in the stream: of files as the definition says, of others as `from` says."""
    if any(reader.files for reader in definition.readers):
        return name
    return definition.data[name].source or name


def _differences(name: str, item: DataItem, datasets: list[Dataset]) -> Iterator[str]:
    """Where a variable of the stream is not what its table says."""
    holders = [dataset for dataset in datasets if name in dataset.variables]
    if not holders:
        yield f"the stream has no {name}; it has {', '.join(each.name for one in datasets for each in one.data())}"
        return
    held = holders[-1].variables[name]
    axes = axis_names(holders[-1], held)
    if item.axes and item.axes != axes:
        yield f"the stream has {name} over {', '.join(axes)}, and not over {', '.join(item.axes)}"
    if item.units is not None and held.units != item.units:
        yield f"the stream has the units {held.units!r}, not {item.units!r}"


def _undeclared(definition: Definition, datasets: list[Dataset]) -> Iterator[Breach]:
    """Variables that `[data]` leaves out, where it tells of others."""
    if not definition.data:
        return
    told = {_sent_as(definition, name) for name in definition.data}
    names = dict.fromkeys(each.name for dataset in datasets for each in dataset.data() if each.name not in told)
    if names:
        yield Breach(("data",), f"the stream also has {', '.join(names)}; no client is told of that")


def _invalid(key: KeyPath, item: DataItem | Coord, extent: Extent | None) -> Iterator[Breach]:
    """Values that are not valid by the definition."""
    if item.valid and extent and extent.outside:
        low, high = item.valid
        yield Breach(
            key,
            f"{extent.outside:,} of {extent.count:,} values are not valid, that is from {low:g} to {high:g}; they go"
            f" from {extent.low:g} to {extent.high:g}",
        )


def _coordinate(name: str, coord: Coord, datasets: list[Dataset], trial: Trial) -> Iterator[Breach]:
    """Where a coordinate of the stream is not what its table says."""
    found = [each for dataset in datasets for each in _held(dataset, name)]
    if not found:
        if name != "time" or not any(extent.time for extent in trial.extents.values()):
            yield Breach(("coords", name), f"the stream has no coordinate {name}")
        return
    for variable in found:
        if coord.units is not None and variable.units != coord.units and not _is_time(variable, trial):
            yield Breach(("coords", name), f"the stream has the units {variable.units!r}, not {coord.units!r}")
        sizes = [extent for extent in variable.index[1:] if extent is not None]
        if coord.size is not None and len(sizes) == 1 and sizes[0] != coord.size and not coord.ragged:
            here = str(sizes[0]) if sizes[0] > 0 else "a varying number of"
            yield Breach(("coords", name), f"the stream has {here} values in a record, not {coord.size}")
        yield from _invalid(("coords", name), coord, trial.extents.get(variable.name))


def _held(dataset: Dataset, name: str) -> Iterator[Variable]:
    """The coordinates of a dataset that a definition calls by that name."""
    for dimension in dataset.dimensions:
        if dimension.coordinate:
            yield from (each for each in dimension.variables if name in (each.name, coord_name(each, dimension.name)))


def _is_time(variable: Variable, trial: Trial) -> bool:
    """Whether a variable holds times."""
    extent = trial.extents.get(variable.name)
    return variable.semantic == "datetime" or bool(extent and extent.time)


def _times(definition: Definition, request: Pairs, trial: Trial) -> Iterator[Breach]:
    """Times outside of what was asked for, or of what the definition says that there is."""
    extents = [trial.extents[name] for name in _centers(trial) if name in trial.extents]
    if not extents:
        return
    low, high = min(each.low for each in extents), max(each.high for each in extents)
    came = f"the times go from {format_time(Time(int(low)))} to {format_time(Time(int(high)))}"
    asked = dict(request)
    spans: list[tuple[KeyPath, str, str]] = []
    if definition.range:
        spans.append((("coords", "time", "range"), str(definition.range), "which is not within this range"))
    if {"read.time.min", "read.time.max"} <= asked.keys() and all(each.exact for each in definition.readers):
        span = f"{asked['read.time.min']} to {asked['read.time.max']}"
        spans.append((("reader", 0), span, f"and {span} was asked; a reader that gives more has exact = false"))
    for key, text, words in spans:
        try:
            first, last = parse_range(text)
        except DasflexError:  # it was told where the definition was read
            continue
        if low < first.ns or (last != FOREVER and high > last.ns):
            yield Breach(key, f"{came}, {words}")


def _centers(trial: Trial) -> Iterator[str]:
    """The variables that say when a record is: what offsets count from may lie before it."""
    for dataset in trial.datasets.values():
        for dimension in dataset.dimensions:
            if dimension.coordinate and not any(each.role == "offset" for each in dimension.variables):
                for each in dimension.variables:
                    extent = trial.extents.get(each.name)
                    if each.role == "center" and extent and extent.time:
                        yield each.name


def _has(dataset: Dataset, trait: str) -> bool:
    """Whether a dataset has the trait."""
    try:
        dataset.first(trait)
    except DasflexError:
        return False
    return True

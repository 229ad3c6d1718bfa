# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables of a dataset with all their values, in arrays of one shape: runs padded, rules applied.

What varies in length is padded with its fill to the longest run of the answer, of all variables that have that index,
so that they fit their coordinates; how long each run is stands in a variable of its own beside it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dasflex_cdf.columns import Intake, times_of
from dasflex_cdf.kinds import TYPES, kind_of
from dasflex_core import epochs
from dasflex_core.arrays import VARIES
from dasflex_core.times import parse_time
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from dasflex_cdf.holding import Room
    from dasflex_cdf.kinds import CdfType, Number
    from dasflex_core.arrays import Dataset, Dimension, Sequence, Variable

__all__ = ["Part", "parts_of"]

#: Runs that are padded at once.
_RUNS: Final = 4096
#: Values of which such runs hold no more, where they are long.
_VALUES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Part:
    """A variable of a dataset and all its values.

    `places` has for each axis of a value the place of its index in the dataset; -1 for the bytes of a file and for the
    components of a vector. `type` is None for text. `lengths` are those of the runs, by the axis that is padded.
    `first` and `rising` tell of times, `wide` that values lie beyond what is valid by default. `made` says that it was
    computed of others.
    """

    variable: Variable
    dimension: Dimension
    values: NDArray[Any]
    type: CdfType | None
    fill: Number | None
    places: tuple[int, ...]
    records: bool
    lengths: tuple[tuple[int, NDArray[np.int32]], ...] = ()
    wide: bool = False
    rising: bool = False
    made: bool = False

    @property
    def inner(self) -> frozenset[int]:
        """The places of its inner indices."""
        return frozenset(self.places) - {-1}


def parts_of(dataset: Dataset, columns: Mapping[str, Intake], room: Room) -> Iterator[Part]:
    """The variables of a dataset, in the order of the stream, and behind each dimension what is made of it."""
    extents = _extents(dataset, columns)
    for dimension in dataset.dimensions:
        found: list[Part] = []
        for variable in dimension.variables:
            intake = columns.get(variable.name)
            if intake is not None:
                found.append(_column(dataset, dimension, intake, extents, room))
            elif variable.values is not None or variable.sequences:
                found.append(_constant(dimension, variable, extents, room))
        yield from found
        yield from _centers(dimension, found)


def _extents(dataset: Dataset, columns: Mapping[str, Intake]) -> tuple[int, ...]:
    """The extent of each index of the dataset: the records, fixed ones, and the longest runs."""
    records = max((each.records for each in columns.values()), default=0)
    found = [max(1, extent) if extent != VARIES else 1 for extent in dataset.index]
    for intake in columns.values():
        inner = [place for place, extent in enumerate(intake.variable.index) if place and extent is not None]
        for place, held in zip(inner, intake.lengths, strict=False):
            if intake.variable.index[place] == VARIES:
                found[place] = max(found[place], _longest(held.values()))
    return (records, *found[1:])


def _longest(lengths: NDArray[np.int64]) -> int:
    """The longest run; 1 where there are none, as an axis of CDF has one place at least."""
    return max(1, int(lengths.max())) if lengths.size else 1


def _places(variable: Variable) -> tuple[int, ...]:
    """The places of the inner indices in the dataset, -1 for other axes of a value."""
    inner = tuple(place for place, extent in enumerate(variable.index) if place and extent is not None)
    return (*inner, *((-1,) if variable.semantic == "blob" else ()), *((-1,) if variable.vector else ()))


def _column(dataset: Dataset, dimension: Dimension, intake: Intake, extents: tuple[int, ...], room: Room) -> Part:
    """A variable with a column."""
    variable = intake.variable
    kind: CdfType | None = None
    if intake.kind == "text":
        values, fill = intake.texts(), intake.fill
        pad: object = b""
    else:
        values, kind = intake.settled()
        fill = intake.fill
        pad = 0 if fill is None else fill
    places = _places(variable)
    lengths: list[tuple[int, NDArray[np.int32]]] = []
    runs = [held.values() for held in intake.lengths]
    for level in range(len(runs), 0, -1):
        place = places[level - 1]
        extent = extents[place] if place > 0 else _longest(runs[level - 1])
        values = _padded(values, runs[level - 1], extent, pad, room)
        lengths = [(axis, _padded(own, runs[level - 1], extent, 0, room)) for axis, own in lengths]
        if place < 0 or dataset.index[place] == VARIES:
            lengths.insert(0, (level, runs[level - 1].astype(np.int32)))
    return Part(
        variable=variable,
        dimension=dimension,
        values=values,
        type=kind,
        fill=fill,
        places=places,
        records=True,
        lengths=tuple(lengths),
        wide=intake.wide,
        rising=intake.rising,
    )


def _padded(values: NDArray[Any], lengths: NDArray[np.int64], extent: int, pad: object, room: Room) -> NDArray[Any]:
    """Runs of the values, one after the other, as rows of `extent` places."""
    shape = (len(lengths), extent, *values.shape[1:])
    if bool((lengths == extent).all()):
        return values.reshape(shape)
    out = room.array(values.dtype, shape, pad)
    room.give(values.nbytes)
    ends = np.concatenate([[0], np.cumsum(lengths)])
    size = max(1, min(_RUNS, _VALUES // extent))
    for begin in range(0, len(lengths), size):
        end = min(begin + size, len(lengths))
        within = np.arange(extent) < lengths[begin:end, None]
        out[begin:end][within] = values[ends[begin] : ends[end]]
    return out


def _constant(dimension: Dimension, variable: Variable, extents: tuple[int, ...], room: Room) -> Part:
    """A variable that is the same for all records, or that a rule gives."""
    kind = kind_of(variable)
    raw = _by_rule(variable, extents) if variable.values is None else np.asarray(variable.values)
    records = variable.per_record
    if kind == "text":
        return Part(variable, dimension, raw, None, None, _places(variable), records)
    if kind == "time" and variable.values is None:
        return Part(variable, dimension, raw, TYPES["time"], TYPES["time"].fill, _places(variable), records)
    inner = (None if extent is None else extents[place] for place, extent in enumerate(variable.index) if place)
    intake = Intake(replace(variable, index=(VARIES, *inner)), room)
    intake.add(raw if records else raw[None])
    values, made = intake.settled()
    values = values if records else values[0]
    return Part(
        variable, dimension, values, made, intake.fill, _places(variable), records, (), intake.wide, intake.rising
    )


def _by_rule(variable: Variable, extents: tuple[int, ...]) -> NDArray[Any]:
    """Values that a rule gives: minimum + Σ interval · i (das 3.0, sequences); times as TT2000."""
    made = [_sequence(variable, each, extents) for each in variable.sequences]
    return np.stack(made, axis=-1) if variable.vector else made[0]


def _sequence(variable: Variable, rule: Sequence, extents: tuple[int, ...]) -> NDArray[Any]:
    """The values of one rule. Times count in seconds of the calendar."""
    used = [place for place, extent in enumerate(variable.index) if extent is not None]
    steps: NDArray[Any] = np.zeros([extents[place] for place in used])
    for axis, place in enumerate(used):
        text = rule.intervals[place] if place < len(rule.intervals) else "-"
        if text != "-":
            ticks = np.arange(extents[place]) * float(text)
            steps = steps + ticks.reshape([-1 if other == axis else 1 for other in range(len(used))])
    if kind_of(variable) != "time":
        made: NDArray[Any] = (float(rule.minimum) + steps).astype(variable.dtype)
        return made
    if variable.units != "UTC":
        return times_of(float(rule.minimum) + steps, variable.units)
    begin = np.datetime64(parse_time(rule.minimum).ns, "ns")
    times = begin + np.rint(steps * 1e9).astype("i8").astype("m8[ns]")
    return epochs.from_datetime64(times, "TT2000").astype(np.int64)


def _centers(dimension: Dimension, found: list[Part]) -> Iterator[Part]:
    """The sum of reference and offset of a coordinate, where it has no centre: what programs plot against.

    Of times there is none: ISTP wants epochs of one value a record, with the offsets as DEPEND_1.
    """
    by_role = {each.variable.role: each for each in found}
    base, offset = by_role.get("reference"), by_role.get("offset")
    if base is None or offset is None or "center" in by_role or not dimension.coordinate:
        return
    plain = all(
        each.type is not None and each.type.dtype[0] == "f" and not each.variable.vector for each in (base, offset)
    )
    if not plain or base.variable.units != offset.variable.units:
        return
    places = tuple(sorted(base.inner | offset.inner))
    records = base.records or offset.records
    with np.errstate(over="ignore"):
        values = _spread(base, places, records) + _spread(offset, places, records)
    for each in (base, offset):
        if each.fill is not None:
            missing = np.broadcast_to(_spread(each, places, records) == each.values.dtype.type(each.fill), values.shape)
            values[missing] = each.fill
    kind = TYPES[f"f{values.dtype.itemsize}"]
    made = replace(base.variable, name=dimension.name, role="center", index=_index(base, offset), dtype=values.dtype)
    yield Part(made, dimension, values, kind, kind.fill, places, records, wide=base.wide or offset.wide, made=True)


def _index(base: Part, offset: Part) -> tuple[int | None, ...]:
    """The index of a sum."""
    pairs = zip(base.variable.index, offset.variable.index, strict=True)
    return tuple(own if own is not None else other for own, other in pairs)


def _spread(part: Part, places: tuple[int, ...], records: bool) -> NDArray[Any]:  # noqa: FBT001  a fact
    """The values with an axis of one place for each index that they do not depend on."""
    shape = iter(part.values.shape[1:] if part.records else part.values.shape)
    inner = [next(shape) if place in part.inner else 1 for place in places]
    lead = [part.values.shape[0] if part.records else 1] if records else []
    return part.values.reshape([*lead, *inner])

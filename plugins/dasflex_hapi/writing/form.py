# SPDX-License-Identifier: GPL-3.0-or-later
"""What the records of a dataset are in HAPI: its parameters, and the variable that each one shows.

HAPI knows doubles, integers of 32 bits, texts and times of a fixed length (HAPI 3.3, 3.6.5). The first parameter is the
time, in as many digits of a second as the stream's own times need, in steps of three. All that is decided here follows
from the declaration of the dataset, and from `Wishes`, so that a description that was kept once is that of every later
stream with the same declaration.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import numpy as np
import orjson

from dasflex_core.digits import FILL_TIME, iso_width
from dasflex_core.errors import QueryError
from dasflex_core.granroth import plain
from dasflex_core.record_times import is_time, time_of
from dasflex_core.second_digits import own_secfrac
from dasflex_core.values import dataclass
from dasflex_hapi.info import Bins, Parameter

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dasflex_core.arrays import Dataset, Dimension, Variable

__all__ = ["Form", "Shown", "Wishes", "form_of", "time_shown"]

#: What a parameter is in HAPI.
Kind: TypeAlias = Literal["isotime", "double", "integer", "string"]

_TIME: Final = "Time"
#: The components that HAPI knows, by the coordinate systems of das (HAPI 3.3, 3.6.10; das 3.0, vectors).
_COMPONENTS: Final[Mapping[str, tuple[str, ...]]] = {
    "cartesian": ("x", "y", "z"),
    "cylindrical": ("rho", "longitude", "z"),
    "spherical": ("r", "colatitude", "longitude"),
    "centric": ("r", "longitude", "latitude"),
    "detic": ("longitude", "latitude", "altitude"),
    "graphic": ("longitude", "latitude", "altitude"),
}
#: Where in its interval a record's time is, by the role of that time (HAPI 3.3, timeStampLocation).
_STAMPS: Final[Mapping[str, str]] = {"reference": "begin", "min": "begin", "max": "end"}
#: The roles of a coordinate that say where on its axis a value is, the best first.
_CENTERS: Final = ("center", "offset", "reference", "mean")
_OUTSIDE: Final = re.compile(r"\W+", re.ASCII)
#: Bytes of the longest integer that HAPI holds; unsigned ones must be shorter.
_INTEGER: Final = 4
#: Digits of a second come in steps of so many.
_STEP: Final = 3
#: What stands for a missing integer where a record has fewer values than there is room for.
_NO_INTEGER: Final = "-2147483648"


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the declaration of one dataset does not say.

    `sizes` says how many values there is room for, by the name of the variable, where records have different numbers of
    them; what is missing is fill. Behind the name of a variable whose texts have no fixed width stands a `#`, with the
    bytes that there is room for. `varying` names the coordinates of an inner index that are given with each record
    although this dataset declares them once, since other parts of the source have others.
    """

    sizes: tuple[tuple[str, int], ...] = ()
    varying: tuple[str, ...] = ()

    def size(self, name: str) -> int | None:
        """How many values there is room for; None where nobody said."""
        return dict(self.sizes).get(name)


@dataclass(frozen=True, slots=True)
class Shown:
    """A parameter, and the name of the variable whose values it shows. `digits` are those of the second of times."""

    parameter: Parameter
    variable: str
    digits: int = 0


@dataclass(frozen=True, slots=True)
class Form:
    """What a data set holds: the time, and behind it what else a record has.

    `stamp` is where in its interval the time is: `begin`, `center` or `end`.
    """

    shown: tuple[Shown, ...]
    stamp: str = "center"
    wishes: Wishes = Wishes()

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """What `info` lists."""
        return tuple(each.parameter for each in self.shown)

    @property
    def digest(self) -> str:
        """A short text that differs for records of another form. What only people read does not count."""
        from hashlib import blake2b

        return blake2b(orjson.dumps((_told(self), self.wishes)), digest_size=9).hexdigest()


def _told(form: Form) -> list[object]:
    """What decides how records are read: all but labels, descriptions and frames."""
    return [
        (shown.variable, shown.digits, each.name, each.type, each.length, each.size, each.units, each.fill, bins)
        for shown in form.shown
        for each in (shown.parameter,)
        for bins in ([(own.units, own.centers, own.ranges) for own in each.bins],)
    ]


def form_of(dataset: Dataset, wishes: Wishes | None = None) -> Form:
    """The form of a dataset. Raises `QueryError` for what HAPI cannot hold, by name."""
    wishes = wishes or Wishes()
    first, time = time_shown(dataset), _time(dataset)
    others = tuple(_Describing(dataset, time, wishes).shown())
    if not others:
        raise _misfit(f"Dataset {dataset.name} has nothing but times")
    return Form((first, *others), _STAMPS.get(time.role, "center"), wishes)


def time_shown(dataset: Dataset) -> Shown:
    """The first parameter, which is the time. Raises `QueryError` where records have none."""
    time = _time(dataset)
    digits = _digits(time)
    return Shown(Parameter(_TIME, "isotime", iso_width(digits) + 1, units=("UTC",)), time.name, digits)


def _time(dataset: Dataset) -> Variable:
    """The variable that says when a record is."""
    time = time_of(dataset)
    if time is None:
        raise _misfit(f"Dataset {dataset.name} has no time for each record, by which HAPI orders all data")
    return time


class _Describing:
    """Describes the variables of one dataset."""

    def __init__(self, dataset: Dataset, time: Variable, wishes: Wishes) -> None:
        self._dataset = dataset
        self._time = time
        self._wishes = wishes
        self._names = _names(dataset, time)

    def shown(self) -> Iterator[Shown]:
        """The coordinates that records have beside the time, and the data."""
        for dimension in sorted(self._dataset.dimensions, key=lambda each: not each.coordinate):
            for variable in dimension.variables:
                shown = variable.per_record or variable.name in self._wishes.varying
                if shown and variable.name != self._time.name:
                    yield self._one(dimension, variable)

    def _one(self, dimension: Dimension, variable: Variable) -> Shown:
        """One variable."""
        kind, size = _kind(self._dataset, variable), self._size(variable)
        digits = _digits(variable) if kind == "isotime" else 0
        length = iso_width(digits) + 1 if kind == "isotime" else self._width(variable) if kind == "string" else 0
        vector = variable.vector
        label = plain(variable.label or dimension.properties.text("label"))
        parameter = Parameter(
            self._names[variable.name],
            kind,
            length,
            size,
            ("UTC" if kind == "isotime" else "" if kind == "string" else variable.units,),
            (label,) if label else (),
            _fill_text(variable, kind, length, room=self._wishes.size(variable.name) is not None),
            plain(variable.properties.text("title") or dimension.properties.text("title")),
            self._bins(variable) if size and not dimension.coordinate else (),
            _components(variable),
            (vector.frame or dimension.frame) if vector else "",
        )
        return Shown(parameter, variable.name, digits)

    def _width(self, variable: Variable) -> int:
        """The bytes of a text. Raises `QueryError` where that is not known."""
        width = variable.dtype.itemsize or self._wishes.size(f"{variable.name}#")
        if not width:
            raise _misfit(f"{variable.name} of dataset {self._dataset.name} has texts of a length that nobody knows")
        return width

    def _size(self, variable: Variable) -> tuple[int, ...]:
        """The extent of each inner index of a value. Raises `QueryError` where that is not known."""
        wished = self._wishes.size(variable.name)
        shape = variable.shape if wished is None else (wished, *variable.shape[1:])
        if min(shape, default=1) >= 0:
            return shape if math.prod(shape) > 1 else ()  # one value is one value (HAPI 3.3, size)
        why = "another number of values in each record, and HAPI must know how many there are at most"
        if len(shape) > 1:
            why = "runs of values along several indices, whose lengths HAPI cannot say"
        raise _misfit(f"{variable.name} of dataset {self._dataset.name} has {why}")

    def _bins(self, variable: Variable) -> tuple[Bins, ...]:
        """What each inner index of a variable runs over. Where nothing says that, no bins are listed at all."""
        inner = [place for place, extent in enumerate(variable.index) if place and extent is not None]
        found = [self._axis(variable, place) for place in inner]
        if variable.vector and inner:
            found.append(Bins("component"))
        return tuple(found) if any(each.said for each in found) else ()

    def _axis(self, variable: Variable, place: int) -> Bins:
        """What one inner index runs over: the centers, and the ranges where both ends are declared."""
        roles: dict[str, Variable] = {}
        for each in self._dataset.axes(variable):
            if [at for at, extent in enumerate(each.index) if at and extent is not None] == [place]:
                roles.setdefault(each.role, each)
        center = next((roles[role] for role in _CENTERS if role in roles), None)
        if center is None:
            return Bins(f"index_{place}")
        dimension = self._dataset.dimension(center)
        room = self._wishes.size(variable.name) or 0
        values = self._tags(center, room)
        low, high = (self._tags(roles[role], room) if role in roles else () for role in ("min", "max"))
        ranges = () if isinstance(low, str) or isinstance(high, str) else tuple(zip(low, high, strict=False))
        label = plain(center.label or dimension.properties.text("label"))
        name = f"{dimension.name}_offset" if center.role == "offset" else dimension.name
        return Bins(name, center.units, label, values, ranges)

    def _tags(self, axis: Variable, room: int) -> tuple[float, ...] | str:
        """The values of a coordinate, or the parameter that has those of each record. Nothing where one is missing.

        A rule gives as many as there is room for.
        """
        if axis.per_record or axis.name in self._wishes.varying:
            return self._names[axis.name]
        if axis.values is None:
            return _by_rule(axis, room)
        if axis.dtype.kind not in "iuf":
            return ()
        values = np.asarray(axis.values, dtype=np.float64).reshape(-1)
        return tuple(values.tolist()) if np.isfinite(values).all() else ()


def _by_rule(axis: Variable, room: int) -> tuple[float, ...]:
    """The first values of a coordinate that a rule gives (das 3.0, sequences); none where that gives no numbers."""
    if len(axis.sequences) != 1 or axis.dtype.kind not in "iuf":
        return ()
    rule = axis.sequences[0]
    steps = [each for each in rule.intervals if each.strip() not in ("", "-")]
    try:
        start, step = float(rule.minimum), float(steps[0]) if len(steps) == 1 else math.nan
    except ValueError:
        return ()
    return tuple(start + step * place for place in range(room)) if math.isfinite(start + step * room) else ()


def _names(dataset: Dataset, time: Variable) -> Mapping[str, str]:
    """The name of each variable's parameter: letters, digits and `_`, and no two the same whatever their case."""
    taken = {_TIME.lower()}
    found = {time.name: _TIME}
    for variable in dataset.variables.values():
        if variable.name == time.name:
            continue
        plain_name = _OUTSIDE.sub("_", variable.name).strip("_") or "value"
        plain_name = f"_{plain_name}" if plain_name[0].isdigit() else plain_name
        name, count = plain_name, 1
        while name.lower() in taken:
            count += 1
            name = f"{plain_name}_{count}"
        taken.add(name.lower())
        found[variable.name] = name
    return found


def _digits(variable: Variable) -> int:
    """The digits of a second that are written: milli-, micro- or nanoseconds, as the times of the stream need."""
    return max(_STEP, -(-own_secfrac(variable) // _STEP) * _STEP)


def _kind(dataset: Dataset, variable: Variable) -> Kind:
    """What the values of a variable are in HAPI: numbers that are no integers of 32 bits are doubles."""
    letter, size = variable.dtype.kind, variable.dtype.itemsize
    if variable.semantic == "blob":
        raise _misfit(f"{variable.name} of dataset {dataset.name} holds whole files")
    if is_time(variable):
        return "isotime"
    if letter == "S":
        return "string"
    if letter == "b" or (letter == "i" and size <= _INTEGER) or (letter == "u" and size < _INTEGER):
        return "integer"
    if letter in "iuf":
        return "double"
    raise _misfit(f"{variable.name} of dataset {dataset.name} has values ({variable.dtype}) that HAPI has not")


def _components(variable: Variable) -> tuple[str, ...]:
    """The components of a vector in the order of its slots; none where a value has other indices too."""
    vector = variable.vector
    if vector is None or vector.system not in _COMPONENTS or len(variable.shape) > 1:
        return ()
    known = _COMPONENTS[vector.system]
    return tuple(known[slot % len(known)] for slot in (vector.order or range(vector.components))[: vector.components])


def _fill_text(variable: Variable, kind: Kind, length: int, *, room: bool) -> str | None:
    """What stands for a missing value (HAPI 3.3, fill), in the very text in which it is written.

    A double without a fill may be NaN all the same. A missing time is that of das, at the beginning of year 1. With
    `room` for more values than a record has, there is always one.
    """
    fill = variable.fill
    if kind == "isotime":
        return f"{FILL_TIME}.{'0' * (length - 21)}Z"
    if kind == "double":
        known = isinstance(fill, (int, float)) and np.isfinite(fill)
        return orjson.dumps(_meant(float(fill))).decode() if known and isinstance(fill, (int, float)) else "NaN"
    if kind == "string":
        text = fill.decode("utf-8", "replace") if isinstance(fill, bytes) else fill
        return text.strip(" \0")[:length] if isinstance(text, str) else "" if room else None
    if isinstance(fill, (int, float)) and np.isfinite(fill) and abs(fill) < 2**31:
        return str(int(fill))
    return _NO_INTEGER if room else None


def _meant(number: float) -> float:
    """The number that was meant by one of 32 bits: -9.999999848243207e+30 is -1e31.

    >>> _meant(-9.999999848243207e30), _meant(0.1)
    (-1e+31, 0.1)
    """
    with np.errstate(over="ignore"):
        single = np.float32(number)
    return float(str(single)) if float(single) == number else number


def _misfit(what: str) -> QueryError:
    """The error for what HAPI cannot hold."""
    return QueryError(
        f"{what}. Choose other variables in the [[hapi]] table of the definition, by read.data",
        kind="query.unreachable-type",
    )

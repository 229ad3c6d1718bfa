# SPDX-License-Identifier: GPL-3.0-or-later
"""What a HAPI server says of a data set, read from the JSON of `info` (HAPI 2.0 to 3.3, 3.6)."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from dasflex_core.errors import QueryError, SourceError
from dasflex_core.times import parse_duration
from dasflex_core.values import dataclass
from dasflex_hapi.spelling import spelt

__all__ = ["Bins", "Info", "Parameter", "read_info"]

_TYPES: Final = ("isotime", "double", "integer", "string")
#: No record is longer: a number in a header must not fill the memory.
_LONGEST: Final = 1 << 26
_NO_UNITS: Final = ("dimensionless", "none", "null")
_FREQUENCIES: Final = ("Hz", "kHz", "MHz", "GHz")


@dataclass(frozen=True, slots=True)
class Bins:
    """What one dimension of a parameter runs over: a name, units, and values, or the parameter that has them.

    `ranges` are [low, high] pairs, or the name of the parameter that has these.
    """

    name: str
    units: str = ""
    label: str = ""
    centers: tuple[float, ...] | str = ()
    ranges: tuple[tuple[float, float], ...] | str = ()

    @property
    def said(self) -> bool:
        """Whether the dimension has values at all: of the components of a vector, none are said."""
        return bool(self.centers or self.ranges)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter. `length` is in bytes, of texts and times; `size` has an extent for each dimension.

    `fill` is text, None where there is none. `units` and `labels` are one, or one for each value.
    """

    name: str
    type: str
    length: int = 0
    size: tuple[int, ...] = ()
    units: tuple[str, ...] = ("",)
    labels: tuple[str, ...] = ()
    fill: str | None = None
    description: str = ""
    bins: tuple[Bins, ...] = ()
    components: tuple[str, ...] = ()
    frame: str = ""

    @property
    def count(self) -> int:
        """How many values a record has."""
        found = 1
        for extent in self.size:
            found *= extent
        return found

    @property
    def bytes(self) -> int:
        """The bytes of a record in the binary form (HAPI 3.7)."""
        return self.count * {"double": 8, "integer": 4}.get(self.type, self.length)

    @property
    def named(self) -> frozenset[str]:
        """The other parameters that have the values of its bins."""
        return frozenset(each for own in self.bins for each in (own.centers, own.ranges) if isinstance(each, str))


@dataclass(frozen=True, slots=True)
class Info:
    """A data set: its parameters, of which the first is the time, and its range; blank where that was not said.

    `longest` is how long a request may be, and `cadence` the time between records, both in seconds.
    """

    parameters: tuple[Parameter, ...]
    start: str = ""
    stop: str = ""
    description: str = ""
    cadence: float | None = None
    longest: float | None = None
    citation: str = ""
    stamp: str = ""

    @property
    def bytes(self) -> int:
        """The bytes of a record in the binary form."""
        return sum(each.bytes for each in self.parameters)

    @property
    def axes(self) -> frozenset[str]:
        """The parameters that have values of the bins of others: they are no data."""
        return frozenset(name for each in self.parameters for name in each.named)

    @property
    def traits(self) -> frozenset[str]:
        """What is known of the stream."""
        found = {f"axis:{spelt(bins.name)}" for each in self.parameters for bins in each.bins if bins.said}
        if any(bins.said and bins.units in _FREQUENCIES for each in self.parameters for bins in each.bins):
            found.add("spectra")
        if any(each.type == "string" for each in self.parameters):
            found.add("strings")
        if self.cadence:
            found.add("sampled")
        return frozenset(found)


def read_info(said: dict[str, Any]) -> Info:
    """The description of a data set. Raises `SourceError` for what cannot be read."""
    try:
        parameters = tuple(_parameter(each) for each in said["parameters"])
        info = Info(
            parameters,
            _text(said.get("startDate")),
            _text(said.get("stopDate")),
            _text(said.get("description")),
            _seconds(said.get("cadence")),
            _seconds(said.get("maxRequestDuration")),
            _text(said.get("datasetCitation") or said.get("citation")),
            _text(said.get("timeStampLocation")).lower(),
        )
        _check(info)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        what = f"missing {error}" if isinstance(error, KeyError) else str(error)
        raise SourceError(f"The HAPI server describes the data in a way that cannot be read: {what}") from error
    return info


def _check(info: Info) -> None:
    """Raises `ValueError` for what no data set can be."""
    first = info.parameters[0]
    if first.type != "isotime" or first.size:
        raise ValueError(f"the first parameter, {first.name}, is no time")
    if len({each.name for each in info.parameters}) != len(info.parameters):
        raise ValueError("two parameters have the same name")
    if not 0 < info.bytes <= _LONGEST:
        raise ValueError("its records are too long")


def _parameter(said: dict[str, Any]) -> Parameter:
    """One parameter."""
    name, kind = str(said["name"]), str(said["type"]).lower()
    if kind not in _TYPES:
        raise ValueError(f"{name} has the type {kind}, which there is not")
    length = int(said.get("length") or 0) if kind in ("isotime", "string") else 0
    if kind in ("isotime", "string") and length < 1:
        raise ValueError(f"{name} has no length")
    size = tuple(int(each) for each in said.get("size") or ())
    if any(each < 1 for each in size):
        raise ValueError(f"{name} has the size {list(size)}")
    fill = said.get("fill")
    vector = said.get("vectorComponents")
    return Parameter(
        name,
        kind,
        length,
        size,
        tuple(map(_units, _flat(said.get("units")))),
        tuple(map(_text, _flat(said.get("label")))) if said.get("label") else (),
        None if fill is None else str(fill),
        _text(said.get("description")),
        tuple(_bins(each, place, name) for place, each in enumerate(said.get("bins") or ())),
        tuple(map(str, vector)) if isinstance(vector, list) else (),
        _text(said.get("coordinateSystemName")),
    )


def _bins(said: dict[str, Any], place: int, owner: str) -> Bins:
    """What one dimension runs over."""
    centers, ranges = said.get("centers"), said.get("ranges")
    units = _flat(said.get("units"))
    return Bins(
        _text(said.get("name")) or f"{owner}_{place}",
        _units(units[0]),
        _text(_flat(said.get("label"))[0]),
        centers if isinstance(centers, str) else tuple(_number(each) for each in centers or ()),
        ranges if isinstance(ranges, str) else tuple((_number(low), _number(high)) for low, high in ranges or ()),
    )


def _number(value: object) -> float:
    """A number; what is not there is NaN (bins of HAPI 2.0 may have nulls)."""
    return float("nan") if value is None else float(str(value))


def _flat(value: object) -> list[object]:
    """One value, or those of an array of any depth."""
    if not isinstance(value, list):
        return [value]
    return [one for each in value for one in _flat(each)] or [None]


def _text(value: object) -> str:
    """A text on one line; blank for anything else."""
    return " ".join(value.split()) if isinstance(value, str) else ""


def _units(value: object) -> str:
    """Units; blank for a pure number."""
    text = _text(value)
    return "" if text.lower() in _NO_UNITS else text


def _seconds(value: object) -> float | None:
    """A duration of ISO 8601 in seconds; None for what is none."""
    with suppress(QueryError, ValueError, OverflowError):
        found = parse_duration(_text(value)) / 1e9 if _text(value) else 0.0
        return found if found > 0 else None
    return None

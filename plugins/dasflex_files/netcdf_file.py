# SPDX-License-Identifier: GPL-3.0-or-later
"""NetCDF 4 files: their variables by the CF conventions, read some records at a time."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Final

import h5netcdf
import numpy as np

from dasflex_core.errors import DasflexError, SourceError
from dasflex_core.times import parse_time
from dasflex_files.describing import Described, Held
from dasflex_files.kinds import BATCH
from dasflex_files.picking import MANY, cadence_of
from dasflex_files.table_file import records_within

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

__all__ = ["NetcdfFile"]

#: Nanoseconds of the units of time that CF takes from UDUNITS; months and years have no fixed length.
_UNITS: Final = {
    **dict.fromkeys(("nanoseconds", "nanosecond", "ns"), 1),
    **dict.fromkeys(("microseconds", "microsecond", "us", "microsec"), 1000),
    **dict.fromkeys(("milliseconds", "millisecond", "msec", "msecs", "ms"), 1_000_000),
    **dict.fromkeys(("seconds", "second", "secs", "sec", "s"), 1_000_000_000),
    **dict.fromkeys(("minutes", "minute", "mins", "min"), 60_000_000_000),
    **dict.fromkeys(("hours", "hour", "hrs", "hr", "h"), 3_600_000_000_000),
    **dict.fromkeys(("days", "day", "d"), 86_400_000_000_000),
}
_SINCE: Final = re.compile(r"\s*([A-Za-z]+)\s+since\s+(.+?)\s*")
#: Calendars that are that of UTC where there are data of spacecraft (CF 4.4.1).
_CALENDARS: Final = ("", "standard", "gregorian", "proleptic_gregorian", "utc")


class NetcdfFile:
    """A NetCDF 4 file."""

    def __init__(self, path: str, time: str, _told: str = "") -> None:
        self._file = h5netcdf.File(path, "r", decode_vlen_strings=True)
        try:
            self._time = self._timed(time)
            self._record = self._file.variables[self._time].dimensions[0]
            self._unit, self._origin = self._epoch()
            self.described = self._described()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Lets the file go."""
        self._file.close()

    def constant(self, name: str) -> NDArray[Any]:
        """The values of a variable that does not depend on the record."""
        return np.asarray(self._file.variables[name][...])

    def batches(self, names: tuple[str, ...], begin: int, end: int) -> Iterator[Mapping[str, NDArray[Any]]]:
        """The records in the range."""
        held = {each.name: each for each in self.described.variables}
        size = 8 + sum(np.dtype(held[name].dtype).itemsize * math.prod(held[name].shape) for name in names)
        yield from records_within(self._pieces(), (self._time, "UTC"), names, self._rows, size, (begin, end))

    def _pieces(self) -> Iterator[tuple[int, NDArray[Any]]]:
        """The times, some at a time."""
        total = self._file.variables[self._time].shape[0]
        for start in range(0, total, BATCH):
            yield start, self._times(start, min(start + BATCH, total))

    def _times(self, start: int, stop: int) -> NDArray[np.datetime64]:
        """Some of the times: integers exactly, others in whole units and their rest."""
        variable = self._file.variables[self._time]
        values = np.asarray(variable[start:stop])
        missing = np.zeros(len(values), np.bool_)
        for key in ("_FillValue", "missing_value"):
            if key in variable.attrs:
                missing |= values == np.asarray(variable.attrs[key]).reshape(-1)[0]
        if values.dtype.kind == "f":
            missing |= ~np.isfinite(values)
            values = np.where(missing, 0, values).astype(np.float64)
            whole = np.floor(values)
            ns = whole.astype(np.int64) * self._unit + np.rint((values - whole) * self._unit).astype(np.int64)
            ns = _settled(ns, float(np.spacing(np.abs(values).max(initial=1.0))) * self._unit)
        else:
            ns = np.where(missing, 0, values).astype(np.int64) * self._unit
        return np.where(missing, np.datetime64("NaT"), (ns + self._origin).view("M8[ns]"))

    def _rows(self, name: str, start: int, stop: int) -> NDArray[Any]:
        """Some records of a variable, unpacked (CF 8.1: scale_factor, add_offset)."""
        variable = self._file.variables[name]
        values = np.asarray(variable[start:stop])
        if values.dtype.kind == "O":
            return np.array([str(each).encode() for each in values.reshape(-1)], "S64").reshape(values.shape)
        return self._unpacked(variable, values)

    def _unpacked(self, variable: Any, values: NDArray[Any]) -> NDArray[Any]:  # noqa: ANN401  the library has no types
        """Values by their scale and offset, fill as NaN, where they have such."""
        scale, offset = (_number(variable.attrs, key) for key in ("scale_factor", "add_offset"))
        if scale is None and offset is None:
            return values
        made = values.astype(np.float64) * (1.0 if scale is None else scale) + (offset or 0.0)
        fill = _number(variable.attrs, "_FillValue")
        return np.where(values == fill, np.nan, made) if fill is not None else made

    def _timed(self, time: str) -> str:
        """The variable of the times: the one that is named, else one of units `… since …`. Raises `SourceError`."""
        if time:
            if time not in self._file.variables:
                raise SourceError(f"There is no variable {time} in a file", kind="source.stream")
            return time
        found = [
            name
            for name, each in self._file.variables.items()
            if len(each.shape) == 1 and _SINCE.fullmatch(_text(each.attrs, "units"))
        ]
        own = [name for name in found if self._file.variables[name].dimensions == (name,)]
        if not found:
            raise SourceError("There is no variable of times in a file", kind="source.stream")
        return str((own + found)[0])

    def _epoch(self) -> tuple[int, int]:
        """The nanoseconds of the unit of the times, and those from 1970 to their zero. Raises `SourceError`."""
        attributes = self._file.variables[self._time].attrs
        units, calendar = _text(attributes, "units"), _text(attributes, "calendar").lower()
        match = _SINCE.fullmatch(units)
        unit = _UNITS.get(match[1].lower()) if match else None
        if match is None or unit is None or calendar not in _CALENDARS:
            raise SourceError(f"Times in {units!r} of the calendar {calendar!r} cannot be read", kind="source.stream")
        text = re.sub(r"\s*(?:Z|UTC|GMT|\+00:?00|-00:00|\s0?0:00)$", "", match[2])
        try:
            return unit, parse_time(text.replace(" ", "T", 1)).ns
        except DasflexError as error:
            raise SourceError(f"Times in {units!r} cannot be read", kind="source.stream") from error

    def _described(self) -> Described:
        """What the attributes say (CF conventions; ACDD for what is said of the file)."""
        records = int(self._file.variables[self._time].shape[0])
        variables = tuple(
            self._held(name)
            for name, each in self._file.variables.items()
            if name != self._time and np.dtype(each.dtype).kind in "iufSO" and 0 not in each.shape[1:]
            and self._record not in each.dimensions[1:]
        )  # fmt: skip
        title = _text(self._file.attrs, "title")
        pairs = (("PI_name", "creator_name"), ("PI_affiliation", "institution"), ("Acknowledgement", "acknowledgement"))
        about = tuple(
            (ours, _text(self._file.attrs, theirs)) for ours, theirs in pairs if _text(self._file.attrs, theirs)
        )
        if not records:
            return Described(self._time, "UTC", variables, title, about=about)
        ends = np.concatenate([self._times(0, 1), self._times(records - 1, records)]).astype(np.int64)
        cadence = cadence_of(self._times(0, min(records, MANY)), "UTC")
        known = (ends > -(2**63)).all()
        begin, end = (int(ends[0]), int(ends[1])) if known else (0, 0)
        return Described(self._time, "UTC", variables, title, records, begin, end, cadence, about)

    def _held(self, name: str) -> Held:
        """What is said of a variable."""
        variable = self._file.variables[name]
        varies = bool(variable.dimensions) and variable.dimensions[0] == self._record
        dimensions = variable.dimensions[1:] if varies else variable.dimensions
        shape = tuple(int(extent) for extent in (variable.shape[1:] if varies else variable.shape))
        kind = np.dtype(variable.dtype)
        packed = "scale_factor" in variable.attrs or "add_offset" in variable.attrs
        dtype = "f8" if packed else "S64" if kind.kind == "O" else kind.str.lstrip("<>|=")
        bounds = [_number(variable.attrs, key) for key in ("valid_min", "valid_max")]
        low, high = bounds
        fill = "nan" if packed else _text(variable.attrs, "_FillValue") or _text(variable.attrs, "missing_value")
        axes = tuple(each if each in self._file.variables and each != name else "" for each in dimensions)
        return Held(
            name, dtype, shape, _text(variable.attrs, "units"), _text(variable.attrs, "long_name"), "", fill,
            (low, high) if low is not None and high is not None and low < high else None,
            axes=axes if any(axes) else (), varies=varies,
        )  # fmt: skip


def _settled(ns: NDArray[np.int64], step: float) -> NDArray[np.int64]:
    """Times that doubles of that step hold: where all are multiples of a power of ten within it, these multiples.

    A double of days since 1950 is exact to a third of a microsecond, so that 00:30 is 00:29:59.999999895 in it.
    """
    power = 10 ** math.ceil(math.log10(max(step, 1.0)))
    rounded = (ns + power // 2) // power * power
    return rounded if np.abs(rounded - ns).max(initial=0) <= step else ns


def _text(attributes: Any, key: str) -> str:  # noqa: ANN401  the library has no types
    """An attribute as text; blank where it is not there."""
    if key not in attributes:
        return ""
    value = attributes[key]
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace").strip()
    if isinstance(value, str):
        return value.strip()
    first = np.asarray(value).reshape(-1)
    return str(first[0]).strip() if len(first) else ""


def _number(attributes: Any, key: str) -> float | None:  # noqa: ANN401  the same
    """An attribute as a number; None where it is none."""
    try:
        return float(_text(attributes, key))
    except ValueError:
        return None

# SPDX-License-Identifier: GPL-3.0-or-later
"""CDF files: what their ISTP attributes say, and their records (ISTP/IACG guidelines for CDF; CDF User's Guide)."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pycdfpp

from dasflex_core import epochs
from dasflex_core.errors import SourceError
from dasflex_files.cdf_slices import Slices
from dasflex_files.describing import Described, Held
from dasflex_files.kinds import BATCH
from dasflex_files.picking import MANY, cadence_of
from dasflex_files.table_file import records_within

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

__all__ = ["CdfFile"]

#: numpy's names of the types of CDF, by their numbers (CDF User's Guide, data types).
_TYPES: Final = {
    1: "i1", 2: "i2", 4: "i4", 8: "i8", 11: "u1", 12: "u2", 14: "u4", 21: "f4", 22: "f8", 31: "M8[ns]", 32: "M8[ns]",
    33: "i8", 41: "i1", 44: "f4", 45: "f8", 51: "S", 52: "S",
}  # fmt: skip
_EPOCH, _EPOCH16, _TT2000 = 31, 32, 33
_TIMES: Final = (_EPOCH, _EPOCH16, _TT2000)
_TEXTS: Final = (51, 52)
#: What is no bound, but the end of a type: ISTP's VALIDMIN and VALIDMAX of variables that have none.
_UNBOUND: Final = 1e30
#: A variable that takes more bytes is not read whole.
_LARGE: Final = 16 * BATCH
#: Picoseconds of a nanosecond, and milliseconds of a second, for EPOCH16: seconds since the year 0, and picoseconds.
_PICO, _MILLI = 1000, 1000


class CdfFile:
    """A CDF file, of any version that the library reads."""

    def __init__(self, path: str, time: str, _told: str = "") -> None:
        self._slices = Slices(path)  # it refuses a file that is cut short, for which the library ends the process
        try:
            self._cdf = pycdfpp.load(path if Path(path).stat().st_size > _LARGE else Path(path).read_bytes())
            self._variables = dict(self._cdf.items())
            self._told = {name: _attributes(variable) for name, variable in self._variables.items()}
            self._time = self._timed(time)
            self.described = self._described()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Lets the file go."""
        self._slices.close()

    def constant(self, name: str) -> NDArray[Any]:
        """The values of a variable that does not depend on the record."""
        values = self._values(name)
        return values[0] if len(values) else np.empty(self._shape(name), values.dtype)

    def batches(self, names: tuple[str, ...], begin: int, end: int) -> Iterator[Mapping[str, NDArray[Any]]]:
        """The records in the range."""
        size = 8 + sum(self._size(name) for name in names)
        time = self._time, self.described.units
        yield from records_within(self._times(), time, names, self._rows, size, (begin, end))

    def _times(self) -> Iterator[tuple[int, NDArray[Any]]]:
        """The times of all records, some at a time, each with the place of the first."""
        total, step = self._variables[self._time].shape[0], _LARGE // 8
        for start in range(0, total, step):
            yield start, self._rows(self._time, start, min(start + step, total))

    def _rows(self, name: str, start: int, stop: int) -> NDArray[Any]:
        """Some records of a variable; of a large one only these are read."""
        variable = self._variables[name]
        large = self._size(name) * variable.shape[0] > _LARGE
        if large and self._slices.has(name):
            return _meant(self._slices.read(name, start, stop), variable.type)
        return self._values(name)[start:stop]

    def _values(self, name: str) -> NDArray[Any]:
        """All values of a variable, times as they are given on."""
        variable = self._variables[name]
        values = np.asarray(variable.values)
        if values.dtype.fields and len(values.dtype.fields) == 1:
            values = values.view(values.dtype[0])
        return _meant(values, variable.type)

    def _size(self, name: str) -> int:
        """The bytes of a record of a variable."""
        variable = self._variables[name]
        found = (
            16 if variable.type.value == _EPOCH16 else max(1, np.dtype(_TYPES.get(variable.type.value, "f8")).itemsize)
        )
        for extent in variable.shape[1:]:
            found *= extent
        return int(found)

    def _shape(self, name: str) -> tuple[int, ...]:
        """The shape of one record. The last extent of texts is their length."""
        variable = self._variables[name]
        inner = tuple(int(extent) for extent in variable.shape[1:])
        return inner[:-1] if variable.type.value in _TEXTS else inner

    def _timed(self, time: str) -> str:
        """The variable that holds the times: the one that is named, else that on which most data depend.

        Raises `SourceError` for a file without one.
        """
        if time:
            if time not in self._variables:
                raise SourceError(f"There is no variable {time} in a file", kind="source.stream")
            return time
        named = Counter(told.get("DEPEND_0", "") for told in self._told.values())
        epoch = [name for name, each in self._variables.items() if each.type.value in _TIMES and not each.is_nrv]
        best = [name for name, _count in named.most_common() if name in epoch]
        if not best + epoch:
            raise SourceError("There is no variable of times in a file", kind="source.stream")
        return str((best + epoch)[0])

    def _described(self) -> Described:
        """What the attributes say."""
        time = self._variables[self._time]
        units = "TT2000" if time.type.value == _TT2000 else "UTC"
        records = int(time.shape[0])
        variables = tuple(
            self._held(name)
            for name, each in self._variables.items()
            if name != self._time and self._fits(name, records)
        )
        begin, end = self._ends(records, units)
        told = {name: _texts(each) for name, each in self._cdf.attributes.items()}
        title = told.get("TITLE") or told.get("LINK_TITLE") or told.get("Logical_source_description") or ""
        about = tuple((key, told[key]) for key in ("PI_name", "PI_affiliation", "Acknowledgement", "Acknowledgment",
            "Rules_of_use", "Logical_source", "Source_name", "Descriptor", "TEXT", "DOI", "spase_DatasetResourceID",
        ) if told.get(key))  # fmt: skip
        cadence = cadence_of(self._rows(self._time, 0, min(records, MANY)), units)
        return Described(self._time, units, variables, title, records, begin, end, cadence, about)

    def _ends(self, records: int, units: str) -> tuple[int, int]:
        """The first and the last time."""
        if not records:
            return 0, 0
        ends = np.concatenate([self._rows(self._time, 0, 1), self._rows(self._time, records - 1, records)])
        times = epochs.to_datetime64(ends, units)
        if np.isnat(times).any():
            return 0, 0
        return int(times[0].astype(np.int64)), int(times[1].astype(np.int64))

    def _fits(self, name: str, records: int) -> bool:
        """Whether a variable can be given: stored, of a known type, and constant or with a value for each time."""
        variable, told = self._variables[name], self._told[name]
        if told.get("VIRTUAL", "").lower() == "true" or variable.type.value not in _TYPES or 0 in variable.shape[1:]:
            return False
        if variable.is_nrv:
            return True
        return told.get("DEPEND_0", self._time) == self._time and variable.shape[0] == records

    def _held(self, name: str) -> Held:
        """What is said of a variable (ISTP guidelines, variable attributes)."""
        variable, told = self._variables[name], self._told[name]
        shape = self._shape(name)
        dtype = _TYPES[variable.type.value]
        if dtype == "S":
            dtype = f"S{int(variable.shape[-1])}"
        return Held(
            name,
            dtype,
            shape,
            "UTC"
            if variable.type.value in (_EPOCH, _EPOCH16)
            else "TT2000"
            if variable.type.value == _TT2000
            else self._units(told),
            told.get("CATDESC") or told.get("FIELDNAM", ""),
            told.get("LABLAXIS", ""),
            "" if variable.type.value in _TIMES else told.get("FILLVAL", ""),
            _bounds(told),
            told.get("SCALETYP", "").lower() if told.get("SCALETYP", "").lower() in ("log", "linear") else "",
            self._axes(told, shape),
            self._parts(told, shape),
            supports=told.get("VAR_TYPE", "data").lower() != "data",
            varies=not variable.is_nrv,
        )

    def _units(self, told: Mapping[str, str]) -> str:
        """The units, which may stand in a variable of their own (UNIT_PTR)."""
        pointed = told.get("UNIT_PTR", "")
        if told.get("UNITS") or pointed not in self._variables:
            return told.get("UNITS", "")
        texts = np.asarray(self._variables[pointed].values).reshape(-1)
        return bytes(texts[0]).decode("utf-8", "replace").strip() if len(texts) and texts.dtype.kind == "S" else ""

    def _axes(self, told: Mapping[str, str], shape: tuple[int, ...]) -> tuple[str, ...]:
        """The variable of numbers that each inner index runs over (DEPEND_n).

        One that has another length, as in files that count the indices from the other end, is taken for the one index
        that it fits.
        """
        axes = ["" for _extent in shape]
        left: list[tuple[str, int]] = []
        for place in range(len(shape)):
            name = told.get(f"DEPEND_{place + 1}", "")
            if name not in self._variables or self._variables[name].type.value in _TEXTS:
                continue
            own = self._shape(name)
            if own and own[-1] == shape[place]:
                axes[place] = name
            elif own:
                left.append((name, own[-1]))
        for name, size in left:
            fitting = [place for place, extent in enumerate(shape) if extent == size and not axes[place]]
            if len(fitting) == 1:
                axes[fitting[0]] = name
        return tuple(axes) if any(axes) else ()

    def _parts(self, told: Mapping[str, str], shape: tuple[int, ...]) -> tuple[str, ...]:
        """The names of the components of a vector (LABL_PTR_1, or a DEPEND_1 of texts)."""
        for key in ("LABL_PTR_1", "DEPEND_1"):
            name = told.get(key, "")
            if len(shape) == 1 and name in self._variables and self._variables[name].type.value in _TEXTS:
                texts = np.asarray(self._variables[name].values).reshape(-1)
                if len(texts) == shape[0]:
                    return tuple(bytes(text).decode("utf-8", "replace").strip() for text in texts)
        return ()


def _meant(values: NDArray[Any], kind: Any) -> NDArray[Any]:  # noqa: ANN401  a type of the library
    """Values as they are given on: CDF_EPOCH and EPOCH16 as datetime64, TT2000 as it is."""
    number = kind.value
    if number == _EPOCH:
        return epochs.to_datetime64(values, "cdfEpoch")
    if number == _EPOCH16:
        return np.asarray(pycdfpp.to_datetime64(values))
    return values


def _attributes(variable: Any) -> dict[str, str]:  # noqa: ANN401  the library has no types
    """The attributes of a variable as texts."""
    return {name: _texts(each) for name, each in variable.attributes.items()}


def _texts(attribute: Any) -> str:  # noqa: ANN401  the same
    """An attribute as text; of several numbers the first, of several texts all, in lines."""
    value = attribute.value if hasattr(attribute, "value") else [attribute[place] for place in range(len(attribute))]
    if isinstance(value, str):
        return value.strip()
    every = list(value)
    if every and all(isinstance(each, str) for each in every):
        return "\n".join(each.strip() for each in every)
    first = every[0] if every else ""
    while isinstance(first, (list, tuple)):
        first = first[0] if first else ""
    return str(first).strip()


def _bounds(told: Mapping[str, str]) -> tuple[float, float] | None:
    """The values that are valid (VALIDMIN, VALIDMAX), where they are bounds and not the ends of a type."""
    try:
        low, high = float(told["VALIDMIN"]), float(told["VALIDMAX"])
    except (KeyError, ValueError):
        return None
    return (low, high) if low < high and low > -_UNBOUND / 10 and high < _UNBOUND / 10 else None

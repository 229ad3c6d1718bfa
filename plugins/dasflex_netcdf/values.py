# SPDX-License-Identifier: GPL-3.0-or-later
"""Values as they stand in a NetCDF file: times as nanoseconds, reals with NaN for fill, texts, flags as 0 and 1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import h5py
import numpy as np

from dasflex_core import epochs
from dasflex_core.arrays import is_fill

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dasflex_netcdf.layout import Part

__all__ = ["fill_of", "type_of", "values_of"]

#: What stands for no flag.
_NO_FLAG: Final = 255


def type_of(part: Part) -> Any:  # noqa: ANN401  h5py's type of texts is an object of its own
    """The type of the values in the file."""
    if part.kind == "time":
        return np.dtype("<i8")
    if part.kind == "flag":
        return np.dtype("u1")
    if part.kind == "text":
        return h5py.string_dtype("utf-8")
    return part.variable.dtype.newbyteorder("<")


def fill_of(part: Part) -> np.generic | None:
    """The value that stands for none: `_FillValue`; texts are empty. A coordinate variable has none (CF 2.5.1)."""
    if part.kind == "time" and part.dimensions != (part.variable.name,):
        return np.int64(np.iinfo(np.int64).min)
    if part.kind == "flag":
        return None if part.variable.fill is None else np.uint8(_NO_FLAG)
    if part.kind != "number":
        return None
    dtype = type_of(part)
    if dtype.kind == "f":
        return dtype.type(np.nan)  # type: ignore[no-any-return]
    return None if part.variable.fill is None else dtype.type(part.variable.fill)


def values_of(part: Part, values: NDArray[Any]) -> NDArray[Any]:
    """The values of a part, of the shape in which they came."""
    missing = is_fill(values, part.variable.fill)
    if part.kind == "time":
        times = epochs.to_datetime64(values, part.variable.units)
        return np.where(missing, np.datetime64("NaT", "ns"), times).view("<i8")
    if part.kind == "text":
        decoded = np.strings.decode(np.strings.rstrip(values, b" \0"), "utf-8", "replace")
        return np.where(missing, "", decoded).astype(object)
    if part.kind == "flag":
        return np.where(missing, _NO_FLAG, values != 0).astype("u1")
    with np.errstate(invalid="ignore"):  # a signalling NaN
        numbers = values.astype(type_of(part))
    if numbers.dtype.kind == "f":
        numbers[missing] = np.nan
    return numbers

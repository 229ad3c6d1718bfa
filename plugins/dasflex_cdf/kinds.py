# SPDX-License-Identifier: GPL-3.0-or-later
"""The types of CDF variables: which one holds a variable, and the fill and the range that ISTP has for each.

ISTP guidelines, FILLVAL and VALIDMIN: reals have -1e31, signed integers and times the smallest value that they hold,
unsigned ones the largest, text a blank. Valid is what is not fill; for reals -1e30 to 1e30, and for times 1900 to 2200,
unless values lie beyond.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import numpy as np

from dasflex_core import epochs
from dasflex_core.record_times import is_time
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from dasflex_core.arrays import Variable

__all__ = ["FILL_TIME", "TYPES", "CdfType", "Kind", "Number", "kind_of", "type_of"]

Number: TypeAlias = int | float
#: What the values of a variable are.
Kind: TypeAlias = Literal["time", "number", "bool", "text", "bytes"]

#: CDF_TIME_TT2000 that is no time.
FILL_TIME: Final = -(2**63)
_REAL: Final = -1e31
_VALID: Final = 1e30


@dataclass(frozen=True, slots=True)
class CdfType:
    """A type of CDF: its name, the numpy type of its values, its fill, and what is valid: `low` to `high`, included.

    `lowest` and `highest` are what it holds beside fill; `format` is how a value is written (ISTP, FORMAT: a format of
    Fortran).
    """

    name: str
    dtype: str
    fill: Number
    low: Number
    high: Number
    lowest: Number
    highest: Number
    format: str


def _integer(name: str, dtype: str) -> CdfType:
    """A type of integers."""
    limits = np.iinfo(dtype)
    low, high = int(limits.min), int(limits.max)
    signed = low < 0
    fill = low if signed else high
    low, high = (low + 1, high) if signed else (low, high - 1)
    return CdfType(name, dtype, fill, low, high, low, high, f"I{len(str(low if signed else high))}")


def _real(name: str, dtype: str, form: str) -> CdfType:
    """A type of reals."""
    most = float(np.finfo(dtype).max)
    return CdfType(name, dtype, _REAL, -_VALID, _VALID, -most, most, form)


def _tt2000(text: str) -> int:
    """The TT2000 of a time."""
    return int(epochs.from_datetime64(np.array([text], "M8[ns]"), "TT2000")[0])


_TIME: Final = CdfType(
    "CDF_TIME_TT2000",
    "i8",
    FILL_TIME,
    _tt2000("1900-01-01"),
    _tt2000("2200-01-01"),
    FILL_TIME + 1,
    2**63 - 1,
    "I20",
)

#: The types by the numpy types of their values, and `time`.
TYPES: Final = {
    "time": _TIME,
    "f4": _real("CDF_REAL4", "f4", "E14.7"),
    "f8": _real("CDF_REAL8", "f8", "E23.15"),
    **{f"i{size}": _integer(f"CDF_INT{size}", f"i{size}") for size in (1, 2, 4, 8)},
    **{f"u{size}": _integer(f"CDF_UINT{size}", f"u{size}") for size in (1, 2, 4)},
}


def kind_of(variable: Variable) -> Kind:
    """What the values of a variable are."""
    letter = variable.dtype.kind
    if is_time(variable):
        return "time"
    if variable.semantic == "blob":
        return "bytes"
    if letter == "S":
        return "text"
    return "bool" if variable.semantic == "bool" or letter == "b" else "number"


def type_of(kind: Kind, dtype: np.dtype[np.generic]) -> CdfType:
    """The type that holds values of a kind; text has none here.

    CDF has no unsigned integers of eight bytes: they become signed ones where all fit, else reals of eight bytes.
    """
    if kind == "time":
        return TYPES["time"]
    if kind in ("bool", "bytes"):
        return TYPES["u1"]
    return TYPES.get(f"{dtype.kind}{dtype.itemsize}", TYPES["f8"])

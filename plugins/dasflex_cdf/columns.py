# SPDX-License-Identifier: GPL-3.0-or-later
"""The values of one variable as they come, made into those that CDF has: times to TT2000, fill to that of ISTP."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dasflex_cdf.kinds import FILL_TIME, kind_of, type_of
from dasflex_core import epochs
from dasflex_core.arrays import Ragged, is_fill

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dasflex_cdf.holding import Held, Room
    from dasflex_cdf.kinds import CdfType, Number
    from dasflex_core.arrays import Column, Fill, Variable

__all__ = ["Intake", "times_of"]

#: Values that are looked at at once.
_PIECE: Final = 1 << 20
#: The same of reals: so few that what is said of each fits into the cache, and into memory that need not be asked for.
_BLOCK: Final = 1 << 16


class Intake:
    """The column of a variable, batch by batch.

    `lengths` has, for each level of runs, how long they are; `leaves` are the values of the innermost ones. What is
    unsigned and of eight bytes, and integers that are fill, are settled in `settled`, when all values are known.
    """

    def __init__(self, variable: Variable, room: Room) -> None:
        self.variable = variable
        self.kind = kind_of(variable)
        self.lengths: list[Held] = [room.column(np.dtype("i8"), ()) for _level in range(variable.depth)]
        self.fill: Number | None = None
        self.wide = False
        self.first: int | None = None
        self.records = 0
        self._last: int | None = None
        self._rising = True
        self._clash = False
        self._native = variable.dtype.newbyteorder("=")
        self._type = type_of(self.kind, self._native)
        self._fill = _Fill(variable.fill, self._type)
        shape = variable.leaf if variable.ragged else variable.shape
        whole = np.dtype(self._type.dtype if self.kind != "number" else self._native)
        self._texts: list[NDArray[np.bytes_]] = []
        self._room = room
        self._shape = shape
        self.leaves = room.column(whole, shape)

    @property
    def rising(self) -> bool:
        """Whether each time is later than the one before."""
        return self._rising and self.kind == "time" and self.records > 0

    def add(self, column: Column) -> None:
        """Takes the column of a batch."""
        self.records += len(column)
        level = 0
        while isinstance(column, Ragged):
            self.lengths[level].add(np.diff(column.offsets))
            begin, end = int(column.offsets[0]), int(column.offsets[-1])
            values = column.values
            whole = begin == 0 and end == len(values)
            column = values if whole else _part(values, begin, end)
            level += 1
        if self.kind == "text":
            self._room.take(column.nbytes)
            self._texts.append(column)
        elif self.kind == "number":
            self._numbers(column)
        elif self.kind == "bool":
            self.leaves.add(np.where(is_fill(column, self.variable.fill), 255, column != 0))
        elif self.kind == "time":
            self._times(column)
        else:
            self.leaves.add(column)

    def _times(self, values: NDArray[Any]) -> None:
        """Keeps TT2000; says which was the first, and whether they rise."""
        plain = _is_tt2000(values, self.variable.units)
        made = self.leaves.add(values if plain else times_of(values, self.variable.units))
        fill = self.variable.fill
        if fill is not None and not (plain and fill == FILL_TIME):
            np.copyto(made, FILL_TIME, where=is_fill(values, fill))
        flat = made.reshape(-1)
        if not flat.size:
            return
        low, high = int(flat[0]), int(flat[-1])
        rising = low != FILL_TIME and bool((flat[1:] > flat[:-1]).all())
        self._rising = self._rising and rising and (self._last is None or low > self._last)
        self._last = high
        if not rising:
            good = flat[flat != FILL_TIME]
            if not good.size:
                return
            low, high = int(good.min()), int(good.max())
        self.first = low if self.first is None else min(self.first, low)
        self.wide = self.wide or low < self._type.low or high > self._type.high

    def _numbers(self, values: NDArray[Any]) -> None:
        """Keeps numbers; of reals the fill is that of CDF, of integers it is not yet known."""
        own = self.leaves.add(values)
        fill = self.variable.fill
        if self._native.kind == "f":
            flat = own.reshape(-1)
            for begin in range(0, flat.size, _BLOCK):
                self._reals(flat[begin : begin + _BLOCK])
        elif (own == self._type.fill).any():
            self._clash = self._clash or bool((is_fill(own, fill) < (own == self._type.fill)).any())

    def _reals(self, block: NDArray[Any]) -> None:
        """Puts the fill of CDF, and says whether values lie beyond what is valid by default.

        Most blocks are seen to have neither from their extremes alone.
        """
        least, most = self._type.low, self._type.high
        with np.errstate(invalid="ignore"):  # a signalling NaN
            low, high = np.fmin.reduce(block, axis=None), np.fmax.reduce(block, axis=None)
            if self._fill.outside and low >= least and high <= most:
                return
            missing = self._fill.found(block)
            block[np.flatnonzero(missing)] = self._type.fill
            if not self.wide:  # fill is now among what is too low
                below = np.count_nonzero(np.less(block, least, out=self._fill.other[: block.size]))
                self.wide = bool(below > np.count_nonzero(missing) or (high > most and (block > most).any()))

    def settled(self) -> tuple[NDArray[Any], CdfType]:
        """All values, and the type that holds them; `fill` is known from then on, None where nothing is fill."""
        values, kind = self.leaves.values(), self._type
        self.fill = None if self.kind == "bytes" else kind.fill
        if self._native.kind not in "iu" or self.kind != "number":
            return (values if kind.dtype == values.dtype else values.astype(kind.dtype)), kind
        own = self.variable.fill if isinstance(self.variable.fill, int) else None
        if values.dtype == np.dtype("u8"):
            return self._unsigned(values, own)
        if self._clash:
            self.fill = own if own != kind.fill else None
        elif own is not None and own != kind.fill:
            for begin in range(0, len(values), _PIECE):
                piece = values[begin : begin + _PIECE]
                piece[piece == own] = kind.fill
        return values, kind

    def _unsigned(self, values: NDArray[np.uint64], own: int | None) -> tuple[NDArray[Any], CdfType]:
        """Unsigned integers of eight bytes as signed ones where they fit, else as reals."""
        missing = np.zeros(values.shape, np.bool_) if own is None else values == own
        kind = type_of("number", np.dtype("i8"))
        if (values[~missing] > kind.highest).any():
            kind = type_of("number", np.dtype("f8"))
        made = values.astype(kind.dtype)
        made[missing] = kind.fill
        self.fill = kind.fill
        return made, kind

    def texts(self) -> NDArray[np.bytes_]:
        """Text of one width, with blanks behind it."""
        width = max((each.dtype.itemsize for each in self._texts), default=self.variable.dtype.itemsize)
        if not self._texts:
            return np.empty((0, *self._shape), f"S{max(1, width)}")
        return np.concatenate([each.astype(f"S{max(1, width)}") for each in self._texts])


class _Fill:
    """Finds fill among reals as `is_fill` does, without asking for memory each time.

    `outside` says that what lies within the valid range of CDF is no fill.
    """

    def __init__(self, fill: Fill, kind: CdfType) -> None:
        self._fill = fill
        self._ends: tuple[Any, Any] | None = None
        dtype = np.dtype(kind.dtype)
        self.outside = fill is None
        self.other = np.empty(_BLOCK, np.bool_)
        self._found = np.empty(_BLOCK, np.bool_)
        if isinstance(fill, (int, float)) and kind.high < abs(fill) < kind.highest / 2:
            self.outside = True
            low, high = sorted((fill * (1 - 1e-5), fill * (1 + 1e-5)))
            self._ends = dtype.type(low), dtype.type(high)

    def found(self, block: NDArray[Any]) -> NDArray[np.bool_]:
        """Where values are fill; the array is used again for the next ones."""
        if self._ends is None:
            return is_fill(block, self._fill)
        found, other = self._found[: block.size], self.other[: block.size]
        np.greater(block, self._ends[0], out=found)
        np.less(block, self._ends[1], out=other)
        return np.logical_and(found, other, out=found)


def times_of(values: NDArray[Any], units: str) -> NDArray[np.int64]:
    """Times in some units as TT2000 with its fill; the array is a new one."""
    if _is_tt2000(values, units):
        return values.astype(np.int64)
    made = epochs.from_datetime64(epochs.to_datetime64(values, units), "TT2000").astype(np.int64)
    made[made == epochs.FILL_INTEGER] = FILL_TIME
    return made


def _is_tt2000(values: NDArray[Any], units: str) -> bool:
    """Whether times are what CDF has."""
    return units in ("TT2000", "cdfTT2000") and values.dtype.kind == "i" and values.dtype.itemsize == 8


def _part(values: Column, begin: int, end: int) -> Column:
    """Some entries of a column."""
    if not isinstance(values, Ragged):
        part: NDArray[Any] = values[begin:end]
        return part
    offsets = values.offsets[begin : end + 1]
    inner = _part(values.values, int(offsets[0]), int(offsets[-1]))
    return Ragged(inner, offsets - offsets[0])

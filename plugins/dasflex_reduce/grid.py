# SPDX-License-Identifier: GPL-3.0-or-later
"""Which bin a time or a number is in, and where the middle of a bin is (das-streams 5.1, items 1, 2 and 4; 5.3).

Bins are counted from an origin. As classic programs count them, toward zero, a time up to one bin before the origin is
in bin 0 too; a grid that no request begins is counted downward.

>>> grid = Grid(Origin(0), 10.0)
>>> numbers, _kept = grid.numbers(np.array([5.0, 25.0, -5.0, -13.0]), "t1970")
>>> numbers.tolist(), grid.centres(numbers, "t1970", np.dtype("f8")).tolist()
([0, 2, 0, -1], [5.0, 25.0, 5.0, -5.0])
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dasflex_core import epochs
from dasflex_core.arrays import is_fill

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dasflex_core.arrays import Fill

    Integers = NDArray[np.int64]

__all__ = ["WIDEST", "Grid", "Line", "Origin"]

#: Seconds of the widest bin of time: its middle must be a time that 64 bits of nanoseconds reach.
WIDEST: Final = 4e9

_SECOND: Final = 1_000_000_000
#: Nanoseconds from 1970 to 2000, and what us2000 counts.
_TO_2000: Final = 946_684_800 * _SECOND
_MICRO: Final = 1000
#: How much of a product is no more than its rounding.
_ROUNDING: Final = 2.0**-50
#: Microseconds from 2000 that nanoseconds in 64 bits reach.
_REACH: Final = 8.2e15


def _whole(width: float) -> int | None:
    """A width as a whole number, if it is one but for the rounding of its product; else None.

    >>> _whole(0.07 * 1e9), _whole(1e-4)
    (70000000, None)
    """
    nearest = round(width)
    return nearest if nearest and abs(width - nearest) <= _ROUNDING * width else None


@dataclass(slots=True)
class Origin:
    """Where bin 0 begins, in nanoseconds of UTC since 1970; None until the first time of the stream is seen."""

    ns: int | None = None


@dataclass(frozen=True, slots=True)
class Grid:
    """Bins of `seconds` from an origin, which the datasets of a stream share. `downward` floors, else toward zero."""

    origin: Origin
    seconds: float
    downward: bool = False

    def numbers(self, times: NDArray[Any], units: str, fill: Fill = None) -> tuple[Integers, NDArray[np.bool_] | None]:
        """The bins of times in these units, and which of the times are any; None where all are.

        The first time sets the origin, where nothing has. There is one number for each time that is one.
        """
        width = _whole(self.seconds * 1e6)
        if units == "us2000" and times.dtype.kind == "f" and width is not None:
            return self._of_microseconds(times.astype(np.float64), float(width), fill)
        moments = epochs.to_datetime64(times, units)
        missing = np.isnat(moments) | is_fill(times, fill)
        kept = ~missing if missing.any() else None
        ns = moments.view(np.int64) if kept is None else moments[kept].view(np.int64)
        if len(ns) and self.origin.ns is None:
            self.origin.ns = int(ns[0])
        return self._of_nanoseconds(ns - (self.origin.ns or 0)), kept

    def _of_microseconds(
        self, times: NDArray[np.float64], width: float, fill: Fill
    ) -> tuple[Integers, NDArray[np.bool_] | None]:
        """The bins of times in us2000, without a detour by integers."""
        kept = None
        if fill is not None or not (
            len(times) and times.min() > -_REACH and times.max() < _REACH
        ):  # NaN passes neither
            kept = (np.abs(times) < _REACH) & ~is_fill(times, fill)
        times = times if kept is None else times[kept]
        if len(times) and self.origin.ns is None:
            first: np.datetime64 = epochs.to_datetime64(times[:1], "us2000")[0]
            self.origin.ns = int(first.astype(np.int64))
        since = times - ((self.origin.ns or 0) - _TO_2000) / _MICRO
        bins = since / width
        if not self.downward:
            return bins.astype(np.int64), kept
        np.floor(bins, out=bins)
        bins -= bins * width > since  # the quotient of a time just before a bin is rounded up to that bin
        return bins.astype(np.int64), kept

    def _of_nanoseconds(self, since: Integers) -> Integers:
        """The bins of nanoseconds since the origin."""
        width = self.seconds * _SECOND
        whole = _whole(width)
        if whole is None:
            bins = since / width
            return (np.floor(bins) if self.downward else bins).astype(np.int64)
        if self.downward or not len(since) or since.min() >= 0:
            return since // whole
        counted: Integers = np.sign(since) * (np.abs(since) // whole)
        return counted

    def centres(self, numbers: Integers, units: str, dtype: np.dtype[Any]) -> NDArray[Any]:
        """The middles of bins as times in these units."""
        origin = self.origin.ns or 0
        if units == "us2000" and dtype.kind == "f":
            first = (origin - _TO_2000) / _MICRO
            return (first + self.seconds * 1e6 * (numbers + 0.5)).astype(dtype)
        width = self.seconds * _SECOND
        whole = _whole(width)
        since = np.rint(width * (numbers + 0.5)) if whole is None else numbers * whole + whole // 2
        middles = (origin + since.astype(np.int64)).view("M8[ns]")
        if dtype.kind == "M":
            return middles
        return epochs.from_datetime64(middles, units, dtype)


@dataclass(slots=True)
class Line:
    """Bins of a number, in its own units, from the first that is seen (das-streams 5.3).

    >>> line = Line(4.0)
    >>> numbers, _kept = line.numbers(np.array([10.0, 13.0, 14.5]), "Hz")
    >>> numbers.tolist(), line.centres(numbers, "Hz", np.dtype("f8")).tolist()
    ([0, 0, 1], [12.0, 12.0, 16.0])
    """

    width: float
    first: float | None = None

    def numbers(
        self,
        values: NDArray[Any],
        units: str,  # noqa: ARG002  what a ruler is asked with; numbers are in the units of the width
        fill: Fill = None,
    ) -> tuple[Integers, NDArray[np.bool_] | None]:
        """The bins of numbers, and which of them have one; None where all have."""
        numbers = values.astype(np.float64)
        good = np.isfinite(numbers) & ~is_fill(values, fill)
        kept = None if good.all() else good
        numbers = numbers if kept is None else numbers[kept]
        if len(numbers) and self.first is None:
            self.first = float(numbers[0])
        return ((numbers - (self.first or 0.0)) / self.width).astype(np.int64), kept

    def centres(self, numbers: Integers, units: str, dtype: np.dtype[Any]) -> NDArray[Any]:  # noqa: ARG002  as above
        """The middles of bins."""
        return ((self.first or 0.0) + (numbers + 0.5) * self.width).astype(dtype)

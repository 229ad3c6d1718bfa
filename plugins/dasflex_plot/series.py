# SPDX-License-Identifier: GPL-3.0-or-later
"""The points of lines, of which never more are kept than a picture shows.

Of many points, each bucket of the x axis keeps the first, the last, the least and the greatest: lines drawn through
these cover the same pixels as lines drawn through all, if a bucket is no wider than a pixel (U. Jugel et al., "M4: A
Visualization-Oriented Time Series Data Aggregation", VLDB 2014). To do so again with what was kept changes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Points", "Series", "cadence_of"]

#: Buckets for each pixel of the width, and values that are held before there are fewer.
_FINER: Final = 2
_HELD: Final = 1 << 19
#: How many steps are looked at to know the cadence.
_STEPS: Final = 1 << 16


def cadence_of(steps: NDArray[Any]) -> float:
    """How far apart records may be that belong together, by the steps between them; 0 where none is known.

    Steps that are alike have no gap between up to 1.9 of them. Of steps that differ, only what is ten times the median
    and three times the widest of nearly all (95 %) is a gap.
    """
    steps = steps[steps > 0]
    if not len(steps):
        return 0.0
    middle, wide = np.percentile(steps.astype(np.float64), (50, 90))
    if wide <= 1.1 * middle:
        return float(1.9 * middle)
    return float(max(10 * middle, 3 * np.percentile(steps.astype(np.float64), 95)))


class Series:
    """Lines over one x: `x` has a number (nanoseconds of a time) for each point, `y` a column for each line.

    `width` is that of the picture in pixels. `cadence` is how far apart points may be that a line joins, as told by the
    first records; 0 where it is not known.
    """

    def __init__(self, width: int, cadence: float = 0.0) -> None:
        self._width = width
        self._xs: list[NDArray[Any]] = []
        self._ys: list[NDArray[np.float64]] = []
        self._held = 0
        self._told = cadence
        self._seen = 0.0
        self._looked = 0

    @property
    def cadence(self) -> float:
        """How far apart points may be that a line joins."""
        return self._told or self._seen

    def add(self, x: NDArray[Any], y: NDArray[np.float64]) -> None:
        """Takes points whose x is known; where that makes too many, fewer are kept."""
        known = ~np.isnan(x) if x.dtype.kind == "f" else x != np.iinfo(np.int64).min
        if not known.all():
            x, y = x[known], y[known]
        if not len(x):
            return
        if self._looked < _STEPS:
            self._look(x)
        self._xs.append(x)
        self._ys.append(y)
        self._held += y.size
        if self._held > _HELD:
            self._lessen()

    def _look(self, x: NDArray[Any]) -> None:
        """Learns the cadence of the first records, in whichever batches they come."""
        begin = [*self._xs, x] if self._looked else [x]
        steps = np.diff(np.concatenate(begin)[-_STEPS:])
        self._looked += len(x)
        self._seen = cadence_of(steps)

    def _lessen(self) -> None:
        """Keeps the points that a picture shows."""
        x, y = self.points()
        span = float(x[-1] - x[0])
        exact = span / (_FINER * self._width) or 1.0
        step = 2.0 ** np.ceil(np.log2(exact))  # so that buckets are halved and doubled, and their edges stay edges
        bucket = np.floor(x / step).astype(np.int64) if x.dtype.kind == "f" else x // max(1, int(step))
        kept = _kept(bucket, y)
        self._xs, self._ys = [x[kept]], [y[kept]]
        self._held = y[kept].size

    def points(self) -> tuple[NDArray[Any], NDArray[np.float64]]:
        """All that is held, in the order of x."""
        if not self._xs:
            return np.zeros(0), np.zeros((0, 1))
        x, y = np.concatenate(self._xs), np.concatenate(self._ys)
        if (np.diff(x) < 0).any():
            order = np.argsort(x, kind="stable")
            x, y = x[order], y[order]
        self._xs, self._ys = [x], [y]
        return x, y


def _kept(bucket: NDArray[np.int64], y: NDArray[np.float64]) -> NDArray[np.intp]:
    """The points that are kept: of each bucket the first and the last, and of each line the least and the greatest."""
    starts = np.flatnonzero(np.concatenate([[True], bucket[1:] != bucket[:-1]]))
    ends = np.append(starts[1:], len(bucket))
    run = np.repeat(np.arange(len(starts)), ends - starts)
    kept = np.zeros(len(bucket), dtype=np.bool_)
    kept[starts] = kept[ends - 1] = True
    for line in y.T:
        for sign in (1.0, -1.0):
            signed = np.where(np.isnan(line), np.inf, sign * line)
            places = np.flatnonzero((signed == np.minimum.reduceat(signed, starts)[run]) & (signed < np.inf))
            kept[places[np.unique(run[places], return_index=True)[1]]] = True
    return np.flatnonzero(kept)


class Points:
    """Points with a value each, which gives their colour; of those that fall on one pixel the last is kept."""

    def __init__(self, width: int, height: int) -> None:
        self._cells = (2 * width, 2 * height)
        self._parts: list[tuple[NDArray[Any], NDArray[np.float64], NDArray[np.float64]]] = []
        self._held = 0

    def add(self, x: NDArray[Any], y: NDArray[np.float64], z: NDArray[np.float64]) -> None:
        """Takes points; those without a place or a value are left out."""
        known = ~(np.isnan(y) | np.isnan(z))
        known &= ~np.isnan(x) if x.dtype.kind == "f" else x != np.iinfo(np.int64).min
        if not known.any():
            return
        self._parts.append((x[known], y[known], z[known]))
        self._held += int(known.sum())
        if self._held > _HELD:
            self._lessen()

    def _lessen(self) -> None:
        """Keeps a point of each pixel."""
        x, y, z = self.points()
        places = [
            np.minimum((each - low) * (count / (float(each.max() - low) or 1.0)), count - 1).astype(np.int64)
            for each, low, count in ((x, x.min(), self._cells[0]), (y, y.min(), self._cells[1]))
        ]
        cell = places[0] * self._cells[1] + places[1]
        last = len(cell) - 1 - np.unique(cell[::-1], return_index=True)[1]
        kept = np.sort(last)[-_HELD // 2 :]
        self._parts = [(x[kept], y[kept], z[kept])]
        self._held = len(kept)

    def points(self) -> tuple[NDArray[Any], NDArray[np.float64], NDArray[np.float64]]:
        """All that is held."""
        if not self._parts:
            return np.zeros(0), np.zeros(0), np.zeros(0)
        x, y, z = (np.concatenate(each) for each in zip(*self._parts, strict=True))
        self._parts = [(x, y, z)]
        return x, y, z

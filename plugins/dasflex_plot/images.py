# SPDX-License-Identifier: GPL-3.0-or-later
"""Values over time and a second coordinate, of which never more are kept than a picture shows, painted on its pixels.

Of many records, those of one bucket of time become their mean. A record is painted half way to its neighbours, and no
further than half a cadence where one is missing; of several on one column of pixels the mean is painted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dasflex_plot.series import cadence_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["Band", "edges_of"]

#: Buckets for each pixel of the width, and values that are held before there are fewer.
_FINER: Final = 2
_HELD: Final = 1 << 21


def edges_of(tags: Floats, log: bool) -> Floats:  # noqa: FBT001  the scale of the axis
    """The edges between ascending tags: the middles on the scale of the axis; the outermost are as far as the next."""
    places = np.log(tags) if log else tags
    if len(places) == 1:
        around = np.array([places[0] - 0.5, places[0] + 0.5])
        return np.exp(around) if log else around
    middles = (places[1:] + places[:-1]) / 2
    around = np.concatenate([[places[0] - (middles[0] - places[0])], middles, [2 * places[-1] - middles[-1]]])
    return np.exp(around) if log else around


class Band:
    """Records of values over tags: the same tags for all records, or a row of them for each.

    `width` is that of the picture in pixels; `cadence` how far apart records may be that belong together, where told.
    """

    def __init__(self, width: int, tags: Floats | None, cadence: float = 0.0) -> None:
        self._width = width
        self.tags = tags
        self._told = cadence
        self._seen = 0.0
        self._parts: list[tuple[NDArray[Any], Floats, Floats, NDArray[Any] | None]] = []
        self._held = 0

    @property
    def cadence(self) -> float:
        """How far apart records may be that belong together; 0 where it is not known."""
        return self._told or self._seen

    def add(self, x: NDArray[Any], values: Floats, tags: Floats | None = None) -> None:
        """Takes records; `tags` are their own, where they differ. Fill is NaN."""
        known = ~np.isnan(x) if x.dtype.kind == "f" else x != np.iinfo(np.int64).min
        x, values = x[known], values[known].astype(np.float32)
        if not len(x):
            return
        self._parts.append((x, values, np.ones(len(x), dtype=np.float32), None if tags is None else tags[known]))
        if not self._seen:
            self._seen = cadence_of(np.diff(self.records()[0]))
        self._held += values.size
        if self._held > _HELD and len(self.records()[0]) > 4 * _FINER * self._width:
            self._lessen()

    def records(self) -> tuple[NDArray[Any], Floats, Floats, NDArray[Any] | None]:
        """All that is held, in the order of x: x, values, how many records each is of, and tags of their own."""
        if len(self._parts) > 1:
            widest = max(values.shape[1] for _x, values, _weight, _tags in self._parts)
            parts = [(x, _wide(values, widest), weight, _wide(tags, widest)) for x, values, weight, tags in self._parts]
            xs, rows, weights, tags = zip(*parts, strict=True)
            own = None if tags[0] is None else np.concatenate(tags)
            self._parts = [(np.concatenate(xs), np.concatenate(rows), np.concatenate(weights), own)]
        x, values, weight, own = self._parts[0]
        if (np.diff(x) < 0).any():
            order = np.argsort(x, kind="stable")
            x, values, weight, own = x[order], values[order], weight[order], None if own is None else own[order]
            self._parts = [(x, values, weight, own)]
        return x, values, weight, own

    @property
    def empty(self) -> bool:
        """Whether there are no records."""
        return not self._parts

    def _lessen(self) -> None:
        """Makes one record of those of a bucket: their mean, or the first where tags differ."""
        x, values, weight, own = self.records()
        step = 2.0 ** np.ceil(np.log2(float(x[-1] - x[0]) / (_FINER * self._width) or 1.0))
        bucket = np.floor(x / step)
        starts = np.flatnonzero(np.concatenate([[True], bucket[1:] != bucket[:-1]]))
        if own is None:
            mean, total = _means(values, weight, starts)
            middle = x[(starts + np.append(starts[1:], len(x)) - 1) // 2]
            self._parts = [(middle, mean, total, None)]
        else:
            self._parts = [(x[starts], values[starts], weight[starts], own[starts])]
        self._held = self._parts[0][1].size

    def painted(self, columns: Floats, rows: Floats, log: bool) -> Floats:  # noqa: FBT001  the scale of the axis
        """The values at the middles of pixels, `columns` in x and `rows` in tags; NaN where there is nothing."""
        found = np.full((len(rows), len(columns)), np.nan, dtype=np.float32)
        if not self._parts or not len(columns):
            return found
        x, values, weight, own = self.records()
        places = x.astype(np.float64)
        record, covered = self._covering(places, columns)
        shown = values[record].copy()
        half = (columns[1] - columns[0]) / 2 if len(columns) > 1 else 1.0
        at = np.floor((places - columns[0] + half) / (2 * half)).astype(np.int64)
        starts = np.flatnonzero(np.concatenate([[True], at[1:] != at[:-1]]))
        if own is None and len(starts) < len(at):
            mean, _total = _means(values, weight, starts)
            inside = (at[starts] >= 0) & (at[starts] < len(columns))
            shown[at[starts][inside]] = mean[inside]
            covered[at[starts][inside]] = True
        for column in np.flatnonzero(covered) if own is not None else ():
            found[:, column] = _at_rows(own[record[column]], shown[column][:, None], rows, log)[:, 0]
        if own is None and self.tags is not None:
            found[:, covered] = _at_rows(self.tags, shown[covered].T, rows, log)
        return found

    def _covering(self, places: Floats, columns: Floats) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """For each column of pixels the nearest record, and whether that reaches it."""
        gaps = np.diff(places)
        half = self.cadence / 2 if self.cadence else np.inf
        typical = float(np.median(gaps)) / 2 if len(gaps) else (self.cadence / 2 or (columns[-1] - columns[0]) / 2)
        reach = np.where(gaps / 2 <= half, gaps / 2, min(typical, half))
        before = np.concatenate([[typical], reach])
        after = np.concatenate([reach, [typical]])
        middles = (places[1:] + places[:-1]) / 2
        record = np.searchsorted(middles, columns)
        distance = columns - places[record]
        return record, np.where(distance < 0, -distance <= before[record], distance <= after[record])


def _wide(values: NDArray[Any] | None, width: int) -> Any:  # noqa: ANN401  None stays None
    """Rows with NaN at their ends, so that all are as wide."""
    if values is None or values.shape[1] == width:
        return values
    return np.pad(values, ((0, 0), (0, width - values.shape[1])), constant_values=np.nan)


def _means(values: Floats, weight: Floats, starts: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """The mean of what is not NaN in runs of records, and how many records they are of."""
    known = ~np.isnan(values)
    sums = np.add.reduceat(np.where(known, values * weight[:, None], 0), starts, axis=0)
    counts = np.add.reduceat(np.where(known, weight[:, None], 0), starts, axis=0)
    with np.errstate(invalid="ignore", divide="ignore"):
        return sums / np.where(counts > 0, counts, np.nan), np.add.reduceat(weight, starts)


def _at_rows(tags: Floats, values: Floats, rows: Floats, log: bool) -> Floats:  # noqa: FBT001  the scale of the axis
    """The values (one row for each tag) at the middles of rows of pixels; NaN beyond the tags."""
    usable = np.flatnonzero(~np.isnan(tags) & ((tags > 0) if log else True))
    found = np.full((len(rows), values.shape[1]), np.nan, dtype=np.float32)
    if not len(usable):
        return found
    order = usable[np.argsort(tags[usable], kind="stable")]
    edges = edges_of(tags[order], log)
    place = np.searchsorted(edges, rows) - 1
    inside = (place >= 0) & (place < len(order))
    found[inside] = values[order[place[inside]]]
    return found

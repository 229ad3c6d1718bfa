# SPDX-License-Identifier: GPL-3.0-or-later
"""What the values of panels span, and where lines are broken; nothing here is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dasflex_plot.images import Band
    from dasflex_plot.panels import Panel

    Floats = NDArray[np.floating[Any]]

__all__ = ["breaks_of", "broken", "ends_of", "extent_of", "is_geometric", "tags_of"]


def extent_of(panel: Panel) -> list[Any]:
    """The least and the greatest x of a panel."""
    every: list[NDArray[Any]] = [each.series.points()[0] for each in panel.lines]
    every += [each.records()[0] for each in panel.bands if not each.empty]
    every += [panel.points.points()[0]] if panel.points is not None else []
    return [end for each in every if len(each) for end in (each.min(), each.max())]


def ends_of(panel: Panel) -> tuple[float, float]:
    """The range of x of a picture that is not over time."""
    found = extent_of(panel)
    return (float(min(found)), float(max(found))) if found and min(found) < max(found) else (0.0, 1.0)


def tags_of(band: Band) -> Floats | None:
    """The tags of a band, of all its records."""
    own = band.tags if band.tags is not None or band.empty else band.records()[3]
    return None if own is None else own[~np.isnan(own)]


def is_geometric(tags: Floats) -> bool:
    """Whether tags stand at steps of a ratio rather than of a difference."""
    if len(tags) < 4 or tags[0] <= 0 or tags[-1] < 20 * tags[0]:
        return False
    ratios, steps = np.diff(np.log(tags)), np.diff(tags)
    return bool(np.std(ratios) / np.mean(ratios) < np.std(steps) / np.mean(steps))


def breaks_of(moments: NDArray[Any], cadence: float) -> NDArray[np.intp]:
    """Where a line is broken: before the points at these places."""
    return np.flatnonzero(np.diff(moments) > cadence) + 1 if cadence else np.zeros(0, dtype=np.intp)


def broken(x: Floats, breaks: NDArray[np.intp], *lines: Floats) -> list[Floats]:
    """Lines with NaN where they are broken."""
    return [
        np.insert(x, breaks, x[breaks] if len(breaks) else []),
        *(np.insert(each, breaks, np.nan) for each in lines),
    ]

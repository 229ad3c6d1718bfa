# SPDX-License-Identifier: GPL-3.0-or-later
"""How far the samples of a waveform are apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from dasflex_core import units
from dasflex_core.errors import QueryError

if TYPE_CHECKING:
    from dasflex_core.arrays import Dataset, Variable

__all__ = ["cadence_along", "cadence_of"]

#: Two samples are as far apart as the next two within this part of the distance, with so many exceptions.
_REGULAR: Final = 0.01
_EXCEPTIONS: Final = 2


def cadence_of(dataset: Dataset, waveform: Variable) -> tuple[float, float]:
    """The offset of the first sample of each record and the distance of two, in seconds, of a plain waveform.

    It has one number for each record and sample. Raises `QueryError` for one that has more, or fewer in some records,
    and where the distance varies.
    """
    offset = next((each for each in dataset.axes(waveform) if each.role == "offset"), None)
    places = [place for place, extent in enumerate(waveform.index) if place and extent is not None]
    if offset is None or len(places) != 1 or waveform.ragged or waveform.vector or offset.index[places[0]] is None:
        raise QueryError(
            f"{waveform.name} of {dataset.name} is not one row of samples in each record", kind="query.unreachable-type"
        )
    return cadence_along(dataset, offset, places[0])


def cadence_along(dataset: Dataset, offset: Variable, place: int) -> tuple[float, float]:
    """The offset of the first sample and the distance of two along an index of a dataset, in seconds.

    Raises `QueryError` where that varies.
    """
    scale = units.convert_factor(offset.units, "s")
    if scale is None or offset.per_record:
        why = "differs from record to record" if scale else f"has units {offset.units!r}, which are no time"
        raise QueryError(f"{offset.name} of {dataset.name} {why}; one rate is needed", kind="query.unreachable-type")
    rule = offset.sequences[0] if offset.sequences else None
    text = rule.intervals[place] if rule and len(rule.intervals) == len(offset.index) else "-"
    if rule is not None and text not in ("", "-") and float(text) > 0:
        return float(rule.minimum) * scale, float(text) * scale
    values = offset.values
    if values is None or values.size < 2:
        raise QueryError(f"{offset.name} of {dataset.name} says no distance of samples", kind="query.unreachable-type")
    steps = np.diff(values.astype(np.float64))
    usual = float(np.median(steps))
    odd = int((np.abs(steps - usual) > _REGULAR * abs(usual)).sum())
    if odd > _EXCEPTIONS or usual <= 0:
        raise QueryError(
            f"The samples of {dataset.name} are not equally far apart in time ({odd:,} of {len(steps):,} steps of"
            f" {offset.name} differ); one rate is needed",
            kind="query.unreachable-type",
        )
    mean = float(steps.mean()) if odd == 0 else usual
    return float(values.flat[0]) * scale, mean * scale

# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of its frequencies that a stream asks of its spectral densities, and what it calls them (das-streams 5.5).

A receiver that mixes its signal down says with `DFT_freqTagMin` which frequency the lowest stands for;
`DFT_freqTrimMin` and `DFT_freqTrimMax` say which of them, as they are then called, mean something. Both ends are kept.

>>> from dasflex_core.arrays import Properties, Property
>>> said = Properties((Property("DFT_freqTagMin", "1 kHz", "Datum"), Property("DFT_freqTrimMax", "1020", "double")))
>>> band = band_of([said], 5, 10.0)
>>> band.first, band.count, band.kept
(1000.0, 3, slice(0, 3, None))
"""

from __future__ import annotations

from math import ceil, floor
from typing import TYPE_CHECKING

from dasflex_core.errors import SourceError
from dasflex_core.units import convert_factor
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dasflex_core.arrays import Properties, Property

__all__ = ["Band", "band_of"]

#: A frequency is that of a trim where they differ by no more than this part of a step.
_NEAR = 1e-6


@dataclass(frozen=True, slots=True)
class Band:
    """The frequencies that are kept of a density: which places, the first of them and their step in Hz."""

    kept: slice
    first: float
    step: float

    @property
    def count(self) -> int:
        """How many there are."""
        return int(self.kept.stop - self.kept.start)


def band_of(said: Sequence[Properties], count: int, step: float) -> Band:
    """The band of `count` frequencies `step` apart; the first of the properties that says something counts.

    Raises `SourceError` where a property is no frequency, or nothing is left.
    """
    lowest = _frequency(said, "DFT_freqTagMin") or 0.0
    low, high = _frequency(said, "DFT_freqTrimMin"), _frequency(said, "DFT_freqTrimMax")
    begin = 0 if low is None else max(0, ceil((low - lowest) / step - _NEAR))
    end = count if high is None else min(count, floor((high - lowest) / step + _NEAR) + 1)
    if begin >= end:
        raise SourceError(
            f"DFT_freqTrimMin and DFT_freqTrimMax leave nothing of {lowest:g} to {lowest + (count - 1) * step:g} Hz",
            kind="source.stream",
        )
    return Band(slice(begin, end), lowest + begin * step, step)


def _frequency(said: Sequence[Properties], name: str) -> float | None:
    """A property as a frequency in Hz; None where none has it."""
    entry: Property | None = next((found for each in said if (found := each.get(name)) is not None), None)
    if entry is None:
        return None
    number, _, units = entry.text.strip().partition(" ")
    try:
        factor = convert_factor(entry.units or units.strip() or "Hz", "Hz")
        if factor is not None:
            return float(number) * factor
    except ValueError:  # no number
        pass
    raise SourceError(f"The property {name}={entry.text!r} is no frequency, such as 100 Hz", kind="source.stream")

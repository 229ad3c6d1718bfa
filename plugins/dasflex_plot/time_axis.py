# SPDX-License-Identifier: GPL-3.0-or-later
"""The axis of time: UTC, concise ticks, and a label that says the whole range.

Ranges below a second are drawn as seconds (or a fraction of one) after their begin, for the dates of matplotlib are
days in a float, which does not hold more than a microsecond.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

__all__ = ["TimeScale"]

_DAY: Final = 86400 * 10**9
_SECOND: Final = 10**9
_FRACTIONS: Final = ((10**6, 10**6, "ms"), (10**3, 10**3, "μs"), (0, 1, "ns"))
#: Steps of ticks of days, hours, minutes and seconds, by the numbers of `dateutil.rrule`.
_STEPS: Final = {
    3: [1, 2, 4, 7, 14, 21],
    4: [1, 2, 3, 4, 6, 12],
    5: [1, 2, 3, 5, 10, 15, 20, 30],
    6: [1, 2, 3, 5, 10, 15, 20, 30],
}


class TimeScale:
    """Nanoseconds since 1970 as places on an axis, over a range of them."""

    def __init__(self, begin: int, end: int) -> None:
        self.begin, self.end = begin, end
        self._fine = end - begin < _SECOND
        self._unit, self._word = next((unit, word) for least, unit, word in _FRACTIONS if end - begin >= least)

    def places(self, moments: NDArray[np.int64]) -> NDArray[np.float64]:
        """Where moments stand."""
        if self._fine:
            return (moments - self.begin) / self._unit
        whole, rest = np.divmod(moments, _DAY)
        return whole + rest / _DAY

    @property
    def limits(self) -> tuple[float, float]:
        """Where the ends of the range stand."""
        low, high = self.places(np.array([self.begin, self.end], dtype=np.int64))
        return float(low), float(high)

    def label(self, word: str) -> str:
        """What the axis is called: the word of the stream, or UTC, and the range."""
        begin, end = (_written(each, self.end - self.begin) for each in (self.begin, self.end))
        same = begin[:10] == end[:10]
        told = f"{begin} to {end[11:] if same and len(end) > 11 else end}"
        word = word or "UTC"
        return f"{self._word} after {_exactly(self.begin)} {word}" if self._fine else f"{word}   {told}"

    def dress(self, axes: Axes, ticks: int) -> None:
        """Gives an axis about so many ticks."""
        from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
        from matplotlib.ticker import MaxNLocator

        if self._fine:
            axes.xaxis.set_major_locator(MaxNLocator(ticks))
            return
        locator = AutoDateLocator(minticks=min(3, ticks), maxticks=max(3, ticks))
        locator.intervald = {**locator.intervald, **_STEPS}
        formatter = ConciseDateFormatter(locator, show_offset=False)
        formatter.formats[5] = "%H:%M:%S.%f"
        formatter.zero_formats[5] = "%H:%M"
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(formatter)


def _exactly(moment: int) -> str:
    """A moment with as many digits as it has."""
    return str(np.datetime64(moment, "ns")).replace("T", " ").rstrip("0").rstrip(".")


def _written(moment: int, span: int) -> str:
    """A moment, as exactly as the span needs."""
    unit = "D" if span >= 400 * _DAY else "s" if span >= 60 * _SECOND else "ms" if span >= _SECOND else "ns"
    time = np.datetime64(moment, "ns")
    if unit == "s" and moment % (60 * _SECOND) == 0:
        unit = "D" if moment % _DAY == 0 else "m"
    return str(time.astype(f"M8[{unit}]")).replace("T", " ")

# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers as characters: one line for a record, and a screen of bars for what is watched in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from dasflex_core.times import Time, format_time
from dasflex_ws.measuring import seconds_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dasflex_ws.latest import Latest, Measured

__all__ = ["bars", "line", "screen"]

_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_RED: Final = "\x1b[31m"
_DIM: Final = "\x1b[2m"
_BOLD: Final = "\x1b[1m"
_PLAIN: Final = "\x1b[0m"


def bars(values: Sequence[float] | NDArray[np.float64], width: int, *, log: bool = False) -> str:
    """Numbers as a row of blocks, at most `width`; of those that share a block the greatest, a blank where none is.

    >>> bars([0, 1, 2, 3, 4, 5, 6, 7], 8), bars([1, 10, 100], 8, log=True), bars([1, 2, 9, 2], 2)
    ('▁▂▃▄▅▆▇█', '▁▄█', '▁█')
    """
    numbers = np.asarray(values, "f8").reshape(-1)
    if log:
        with np.errstate(divide="ignore", invalid="ignore"):
            numbers = np.where(numbers > 0, np.log10(numbers), np.nan)
    numbers = np.where(np.isfinite(numbers), numbers, np.nan)
    if numbers.size > width:
        edges = np.linspace(0, numbers.size, width + 1).astype(int)[:-1]
        numbers = np.fmax.reduceat(numbers, edges)
    known = numbers[~np.isnan(numbers)]
    if not known.size:
        return " " * numbers.size
    low, high = known.min(), known.max()
    share = (numbers - low) / (high - low) if high > low else np.where(np.isnan(numbers), np.nan, 0.5)
    return "".join(" " if np.isnan(each) else _BLOCKS[round(each * 7 - 1e-9)] for each in share.tolist())


def line(moment: float | None, found: Sequence[Measured]) -> str:
    """One record on one line: its time and its values, those to be warned of with an exclamation mark."""
    return "  ".join([_time(moment), *(f"{each.name}={_short(each)}{'!' if each.outside else ''}" for each in found)])


def screen(title: str, latest: Latest, age: float | None, width: int, height: int) -> list[str]:
    """The lines of a screen: what is watched, how late it is, each variable, and what was remarked last."""
    lag = "no data yet" if latest.lag is None else f"lag {seconds_text(latest.lag)}"
    quiet = f"   nothing for {age:.0f} s" if age is not None and age > 3 else ""
    told = f"   {latest.warnings} warning{'' if latest.warnings == 1 else 's'}" if latest.warnings else ""
    lines = [
        f"{_BOLD}{title[:width]}{_PLAIN}",
        f"{_time(latest.moment)}   {lag}   {latest.records:,} records{told}{quiet}"[:width],
    ]
    for each in latest.readings.values():
        lines += ["", *_drawn(each, latest, width)]
    if latest.remarks:
        lines += ["", *(f"{_DIM}{each[:width]}{_PLAIN}" for each in latest.remarks)]
    return lines[:height]


def _drawn(reading: Measured, latest: Latest, width: int) -> list[str]:
    """A variable: its name and value, in red where that is to be warned of, and its bars."""
    words = f"{reading.name}  {_long(reading)}"[:width]
    head = f"{_RED}{words}{_PLAIN}" if reading.outside else words
    if isinstance(reading.values, str):
        return [head]
    if isinstance(reading.values, float):
        return [head, bars([*latest.history.get(reading.name, ())][-width:], width)]
    return [head, bars(reading.values, width, log=reading.log)]


def _short(reading: Measured) -> str:
    """A value in a few characters."""
    if isinstance(reading.values, str):
        return reading.values
    units = f" {reading.units}" if reading.units else ""
    if isinstance(reading.values, float):
        return f"{reading.values:.5g}{units}"
    known = reading.values[np.isfinite(reading.values)]
    if not known.size:
        return "fill"
    return f"{known.min():.3g}…{known.max():.3g}{units} ({reading.values.size})"


def _long(reading: Measured) -> str:
    """A value, and where it is greatest."""
    text = _short(reading)
    if isinstance(reading.values, str | float) or reading.axis is None or reading.axis.size != reading.values.size:
        return text
    known = np.where(np.isfinite(reading.values), reading.values, -np.inf)
    place = int(known.argmax())
    low, high = f"{reading.axis[0]:.3g}", f"{reading.axis[-1]:.3g} {reading.axis_units}".strip()
    return f"{text}   greatest at {reading.axis[place]:.3g} {reading.axis_units}, from {low} to {high}"


def _time(moment: float | None) -> str:
    """A time of the data to the millisecond."""
    if moment is None:
        return "no time"
    return format_time(Time(round(moment * 1000) * 1_000_000), digits=3)

# SPDX-License-Identifier: GPL-3.0-or-later
"""What the header of a binned stream says of its resolution (das-streams 5.1, item 10).

>>> cached_as(300.0, ("mean",)), cached_as(0.5, ("min", "max"))
('(5.0 minute Averages)', '(500 ms Extremes)')
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from dasflex_core.arrays import Properties, Property, StreamHeader
from dasflex_core.units import convert_factor

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["binned_header", "cached_as", "put_in_place", "seconds_of"]

_KEY_PARAMETER: Final = "K0>Key Parameter"
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def binned_header(header: StreamHeader, seconds: float, statistics: Iterable[str]) -> StreamHeader:
    """The header of a stream whose records are bins of so many seconds.

    `xTagWidth` is at least a bin, `xCacheResolution` a datum of that same width, and `xCacheResInfo` says it in words
    for titles. `Data_type` is that of key parameters where there is one. A stream without `sourceId` gets ours.
    """
    properties = header.properties
    width = max(seconds, seconds_of(properties.get("xTagWidth")) or 0.0)
    tag = properties.get("xTagWidth")
    if tag is None or (seconds_of(tag) or 0.0) < seconds:
        properties = put_in_place(properties, _datum(header, "xTagWidth", seconds))
    told = Property("xCacheResInfo", cached_as(width, statistics), _text(header))
    properties = properties.put(_datum(header, "xCacheResolution", width), told)
    if (kind := properties.get("Data_type")) is not None:
        properties = properties.put(replace(kind, text=_KEY_PARAMETER))
    if properties.get("sourceId") is None:
        properties = properties.put(Property("sourceId", "dasflex", _text(header)))
    return replace(header, properties=properties)


def cached_as(seconds: float, statistics: Iterable[str]) -> str:
    """The resolution in words, as classic programs write it."""
    chosen = set(statistics)
    what = "Averages" if "mean" in chosen or not chosen & {"min", "max", "median"} else "Extremes"
    what = "Medians" if what == "Extremes" and "median" in chosen else what
    if seconds < 1:
        text = f"{seconds * 1000:.0f} ms"
    elif seconds < _MINUTE:
        text = f"{seconds:.1f} s"
    elif seconds < _HOUR:
        text = f"{seconds / _MINUTE:.1f} minute"
    elif seconds < _DAY:
        text = f"{seconds / _HOUR:.1f} hour"
    else:
        text = f"{seconds / _DAY:.3g} day"
    return f"({text} {what})"


def seconds_of(entry: Property | None) -> float | None:
    """The seconds that a property says: a datum of das2, or a real number of das3 with its units. None of another."""
    if entry is None:
        return None
    number, _, units = entry.text.strip().partition(" ")
    try:
        factor = convert_factor(entry.units or units.strip() or "s", "s")
        return None if factor is None else float(number) * factor
    except ValueError:  # no number, or no units
        return None


def _datum(header: StreamHeader, name: str, seconds: float) -> Property:
    """A width in seconds, in the words of the stream's generation."""
    if header.generation == 2:
        return Property(name, f"{seconds:f} s", "Datum")
    return Property(name, f"{seconds:f}", "real", "s")


def _text(header: StreamHeader) -> str:
    """The type of text properties."""
    return "String" if header.generation == 2 else "string"


def put_in_place(properties: Properties, entry: Property) -> Properties:
    """The properties with a new value where one of that name stands, else behind them."""
    if properties.get(entry.name) is None:
        return properties.put(entry)
    return Properties(tuple(entry if each.name == entry.name else each for each in properties))

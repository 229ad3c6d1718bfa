# SPDX-License-Identifier: GPL-3.0-or-later
"""Moments and steps of the calendar, as the fields in names of files count them: nanoseconds of UTC since 1970."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final

from dasflex_core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ALWAYS", "DAY", "SECOND", "UNITS", "moment_of", "smallest", "stepped"]

SECOND: Final = 1_000_000_000
DAY: Final = 86_400 * SECOND
#: The range of a file whose name says nothing of time: all that 64 bits hold.
ALWAYS: Final = (-(2**63) + 1, 2**63 - 1)
#: Fields from the widest to the narrowest, with the nanoseconds of one; months and years have none.
UNITS: Final = {"Y": 0, "m": 0, "d": DAY, "H": 3600 * SECOND, "M": 60 * SECOND, "S": SECOND}
#: The unit that a field counts in, where it is not its own name.
SAME: Final = {"y": "Y", "b": "m", "j": "d"}
_EPOCH: Final = date(1970, 1, 1).toordinal()


def moment_of(fields: Mapping[str, int]) -> int:
    """The moment that fields name: `Y`, then `m` and `d` or `j`, `H`, `M`, `S`, `ns`; what is not there is the least.

    Raises `ValueError` for a date that is none, such as that of a month 13.
    """
    year = fields["Y"]
    if "j" in fields:
        ordinal = date(year, 1, 1).toordinal() + fields["j"] - 1
        if not 1 <= fields["j"] <= 366:
            raise ValueError(f"there is no day {fields['j']} of a year")
    else:
        ordinal = date(year, fields.get("m", 1), fields.get("d", 1)).toordinal()
    seconds = fields.get("H", 0) * 3600 + fields.get("M", 0) * 60 + fields.get("S", 0)
    found = (ordinal - _EPOCH) * DAY + seconds * SECOND + fields.get("ns", 0)
    return min(max(found, ALWAYS[0]), ALWAYS[1])


def stepped(moment: int, count: float, unit: str) -> int:
    """The moment so many units later: `Y` and `m` go by the calendar, the others by the clock."""
    if unit not in UNITS:
        raise ConfigError(f"{unit!r} is no unit of time; they are {', '.join(UNITS)}", kind="config.bad-value")
    if UNITS[unit]:
        return moment + int(count * UNITS[unit])
    days, rest = divmod(moment, DAY)
    day = date.fromordinal(days + _EPOCH)
    months = day.year * 12 + day.month - 1 + int(count * (12 if unit == "Y" else 1))
    year, month = divmod(months, 12)
    last = date(year + (month == 11), (month + 1) % 12 + 1, 1).toordinal() - date(year, month + 1, 1).toordinal()
    return (date(year, month + 1, min(day.day, last)).toordinal() - _EPOCH) * DAY + rest


def smallest(names: set[str]) -> str:
    """The unit of the narrowest field among these, by which names of files differ; blank where there is none."""
    own = {SAME.get(name, name) for name in names}
    return next((unit for unit in reversed(UNITS) if unit in own), "")

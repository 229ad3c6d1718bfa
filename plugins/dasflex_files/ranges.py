# SPDX-License-Identifier: GPL-3.0-or-later
"""The range of time that the fields in the name of a file say.

It begins at what the fields name, and lasts one unit of the narrowest of them, or `delta`; or it ends at what fields
with `end` name. `shift` moves the end to which its field belongs (URI templates, Common modifiers).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from dasflex_core.errors import ConfigError, DasflexError
from dasflex_core.times import parse_duration, parse_time
from dasflex_files.calendar_fields import ALWAYS, DAY, SAME, UNITS, moment_of, smallest, stepped

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dasflex_files.pattern import Field

__all__ = ["Orbits", "range_of", "read_orbits"]

#: The begin and the end of each orbit, by its number, for each file of orbits.
Orbits = dict[str, dict[int, tuple[int, int]]]

_MONTHS: Final = {
    "jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6,
    "jul": 7, "aug": 8, "sep": 9, "oct": 10, "nov": 11, "dec": 12,
}  # fmt: skip
_DATE: Final = ("Y", "m", "d", "j")


def range_of(pairs: Sequence[tuple[Field, str]], orbits: Orbits | None = None) -> tuple[int, int, int]:
    """Begin and end in nanoseconds since 1970, and up to where records are looked for.

    Raises `ValueError` for digits that are no date.
    """
    first = [pair for pair in pairs if not pair[0].ends]
    last = [pair for pair in pairs if pair[0].ends and pair[0].code not in ("v", "x", "enum")]
    counted = [pair for pair in first if pair[0].code in ("periodic", "o")]
    if counted:
        begin, end = _counted(*counted[0], orbits or {})
    else:
        own = _numbers(first)
        if "Y" not in own:
            return (*ALWAYS, ALWAYS[1])
        begin, end = _from_fields(first, own)
    begin, end = (_shifted(each, first) for each in (begin, end))
    if not last:
        return begin, end, end
    given = _numbers(last)
    date = {} if given.keys() & {"Y"} else {name: own for name, own in _numbers(first).items() if name in _DATE}
    if "j" in given:
        date = {name: number for name, number in date.items() if name == "Y"}
    stated = _shifted(moment_of({**date, **given}), last)
    if stated <= begin and not given.keys() & set(_DATE):
        stated += DAY  # 23 h to 01 h
    unit = smallest(set(given))
    reach = stepped(max(stated, begin), 1, unit)
    return begin, (stated if stated > begin else reach), reach


def _numbers(pairs: Sequence[tuple[Field, str]]) -> dict[str, int]:
    """What fields, and the constants among their modifiers, say of a date."""
    found: dict[str, int] = {}
    for field, text in pairs:
        found |= {key: int(value) for key, value in field.modifiers.items() if key in UNITS and value.isdigit()}
        if field.code == "y":
            start = int(field.modifiers.get("start", "1950"))
            found["Y"] = start + (int(text) - start) % 100
        elif field.code == "b":
            found["m"] = _MONTHS[text[:3].lower()]
        elif field.code == "subsec":
            found["ns"] = int(text.strip(" _").ljust(9, "0")[:9])
        elif field.code == "hrinterval":
            hours = _interval(field)
            found["ns"] = found.get("ns", 0) + _names(field).index(text) * hours
        elif field.code in UNITS or field.code == "j":
            found[field.code] = int(text.strip(" _"))
    return found


def _names(field: Field) -> list[str]:
    """The names of the parts of a day."""
    return (field.modifiers.get("values") or field.modifiers.get("names", "")).split(",")


def _interval(field: Field) -> int:
    """The nanoseconds of a part of a day."""
    hours = field.modifiers.get("duration", "").rstrip("H")
    return int(hours) * UNITS["H"] if hours else DAY // len(_names(field))


def _from_fields(pairs: Sequence[tuple[Field, str]], own: Mapping[str, int]) -> tuple[int, int]:
    """The range that the fields of the begin say by themselves."""
    begin = moment_of(own)
    for field, _text in pairs:
        if field.modifiers.get("delta"):
            return begin, stepped(begin, *_count(field, "delta"))
    parts = [field for field, _text in pairs if field.code == "hrinterval"]
    if parts:
        return begin, begin + _interval(parts[0])
    digits = [field for field, _text in pairs if field.code == "subsec"]
    if digits:
        return begin, begin + 10 ** (9 - int(digits[0].modifiers["places"]))
    return begin, stepped(begin, 1, smallest({field.code for field, _text in pairs} | own.keys() - {"ns"}))


def _count(field: Field, key: str) -> tuple[int, str]:
    """The number and the unit of a modifier."""
    match = re.fullmatch(r"([+-]?\d+)([A-Za-z]?)", field.modifiers[key])
    if match is None:
        raise ConfigError(f"{key}={field.modifiers[key]} is no number with a unit", kind="config.bad-value")
    unit = match[2] or (field.unit if field.unit in UNITS else "S")
    return int(match[1]), SAME.get(unit, unit)


def _shifted(moment: int, pairs: Sequence[tuple[Field, str]]) -> int:
    """The moment moved by what fields say."""
    for field, _text in pairs:
        if field.modifiers.get("shift"):
            moment = stepped(moment, *_count(field, "shift"))
    return moment


def _counted(field: Field, text: str, orbits: Orbits) -> tuple[int, int]:
    """The range of a period or of an orbit with a number."""
    number = int(text)
    if field.code == "o":
        found = orbits.get(field.modifiers.get("id", ""), {}).get(number)
        if found is None:
            raise ValueError(f"there is no orbit {number}")
        return found
    try:
        start = parse_time(field.modifiers["start"]).ns
        offset, period = int(field.modifiers["offset"]), field.modifiers["period"]
    except (KeyError, ValueError) as error:
        raise ConfigError("$(periodic) needs offset, start and period", kind="config.bad-value") from error
    if period[:1] == "P":
        length = parse_duration(period)
        return start + (number - offset) * length, start + (number - offset + 1) * length
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([A-Za-z])", period)
    if match is None:
        raise ConfigError(f"period={period} is no number with a unit, such as 27d", kind="config.bad-value")
    each, unit = float(match[1]), SAME.get(match[2], match[2])
    return stepped(start, (number - offset) * each, unit), stepped(start, (number - offset + 1) * each, unit)


def read_orbits(text: str, file: str) -> dict[int, tuple[int, int]]:
    """The orbits of a file with one a line: its number, its begin and its end, or the two and then its number.

    Raises `ConfigError` that names the line.
    """
    found: dict[int, tuple[int, int]] = {}
    for number, line in enumerate(text.splitlines(), 1):
        words = re.split(r"[\s,]+", line.partition("#")[0].strip())
        if words == [""]:
            continue
        try:
            first = words[0].lstrip("-").isdigit() and len(words[0]) < 8 and "T" in words[1]
            orbit, begin, end = words[:3] if first else (words[2], words[0], words[1])
            found[int(orbit)] = parse_time(begin).ns, parse_time(end).ns
        except (IndexError, ValueError, DasflexError) as error:
            raise ConfigError(f"{file}:{number}: no orbit, its begin and its end", kind="config.bad-value") from error
    return found

# SPDX-License-Identifier: GPL-3.0-or-later
"""How a table of text is laid out: what parts its columns, what they are called, and which of them tell the time.

What the definition's table `[files]` says counts: `delimiter`, `comment` (what lines that are none begin with), `skip`
(lines before the table), `columns` (their names, in order), `missing` (a text that is no value). The rest is seen in
the first lines: a header is a line in which nothing is a number while the lines behind have numbers or times. Columns
without names are `field0`, `field1`, …, as in Autoplot. Units stand in brackets behind a name.
"""

from __future__ import annotations

import csv
import json
import re
from collections import Counter
from dataclasses import field
from typing import TYPE_CHECKING, Final

from dasflex_core.errors import ConfigError, DasflexError, SourceError
from dasflex_core.times import parse_time
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["PARTS", "TextLayout", "laid_out", "options"]

#: The parts of a time that may have a column each, with the names that such columns have.
PARTS: Final = {
    "year": ("year", "yr", "yyyy"),
    "month": ("month", "mo", "mon"),
    "day": ("day", "dom", "dd"),
    "doy": ("doy", "dayofyear", "day_of_year", "dayofyr", "decday"),
    "hour": ("hour", "hr", "hh"),
    "minute": ("minute", "min", "mn"),
    "second": ("second", "sec", "ss"),
    "ms": ("ms", "msec", "millisecond", "milliseconds"),
}
_KEYS: Final = ("delimiter", "comment", "skip", "columns", "missing")
_DELIMITERS: Final = (",", "\t", ";", "|")
_NAMED: Final = re.compile(r"(.+?)\s*[\[(]([^\[\]()]*)[\])]\s*")
#: Lines that are looked at.
_LINES: Final = 200


@dataclass(frozen=True, slots=True)
class TextLayout:
    """The layout of a file.

    `delimiter` is blank where any number of blanks parts the columns. `names` and `units` are those of all columns,
    `numeric` says which hold numbers. `times` are the columns that tell the time, by the part that each tells; one that
    tells all of it is `iso`. `begin` is the place of the first byte of the records.
    """

    delimiter: str
    comment: str
    names: tuple[str, ...]
    units: tuple[str, ...]
    numeric: tuple[bool, ...]
    widths: tuple[int, ...]
    times: tuple[tuple[str, int], ...]
    begin: int
    missing: str = ""
    samples: tuple[str, ...] = field(default=())


def options(text: str) -> dict[str, str]:
    """What `[files]` says, as texts. Raises `ConfigError`."""
    held = json.loads(text or "{}")
    return {key: ",".join(map(str, value)) if isinstance(value, list) else str(value) for key, value in held.items()}


def laid_out(head: bytes, told: dict[str, str], time: str) -> TextLayout:
    """The layout that the beginning of a file shows. Raises `SourceError` for what is no table with times."""
    comment = told.get("comment", "#")
    place, headers, rows = _first_lines(head, told, comment)
    if len(rows) > 1 and not head.endswith(b"\n"):
        rows.pop()
    if not rows:
        raise SourceError("A file holds no lines of values", kind="source.stream")
    delimiter = _delimiter(told, rows)
    fields = [split(row, delimiter) for row in rows]
    count = len(fields[0])
    fields = [row for row in fields if len(row) == count]
    names, units = _names(told, headers, delimiter, count)
    times = _times(time, names, fields)
    missing = told.get("missing", "")
    numeric = tuple(all(_is_number(row[at], missing) for row in fields) for at in range(count))
    widths = tuple(max(len(row[at].encode()) for row in fields) for at in range(count))
    return TextLayout(delimiter, comment, names, units, numeric, widths, times, place, missing)


def _first_lines(head: bytes, told: dict[str, str], comment: str) -> tuple[int, tuple[str, str], list[str]]:
    """Where the records begin, the header and the last remark before them, and the first lines of records."""
    skip = told.get("skip", "0")
    if not skip.isdigit():
        raise ConfigError(f"files.skip={skip} is no number of lines", kind="config.bad-value")
    place, header, remark = 0, "", ""
    rows: list[str] = []
    for count, raw in enumerate(head.splitlines(keepends=True)):
        line = raw.decode("utf-8", "replace").strip("\ufeff\r\n")
        is_remark = bool(comment) and line.lstrip().startswith(comment)
        if count < int(skip) or not line.strip() or is_remark:
            if not rows:
                place += len(raw)
                remark = line.lstrip()[len(comment) :] if is_remark else remark
        elif not rows and not header and not _has_values(line) and not told.get("columns"):
            header = line
            place += len(raw)
        else:
            rows.append(line)
        if len(rows) >= _LINES:
            break
    return place, (header, remark), rows


def split(line: str, delimiter: str) -> list[str]:
    """The fields of a line, without quotes."""
    if not delimiter:
        return line.split()
    return [each.strip() for each in next(csv.reader([line], delimiter=delimiter))]


def _has_values(line: str) -> bool:
    """Whether something in a line is a number or a time."""
    return any(_is_value(each) for each in re.split(r"[,;|\t]|\s+", line) if each.strip())


def _is_value(text: str) -> bool:
    """Whether a text is a number or a time."""
    return _is_number(text.strip().strip('"'), "") or bool(re.match(r"\d{4}-\d\d", text.strip().strip('"')))


def _is_number(text: str, missing: str) -> bool:
    """Whether a text is a number, or none by the definition."""
    if not text or text == missing:
        return True
    try:
        float(text)
    except ValueError:
        return False
    return True


def _delimiter(told: dict[str, str], rows: Sequence[str]) -> str:
    """What parts the columns: the sign that stands as often in most lines, else blanks."""
    given = told.get("delimiter", "")
    if given:
        return {"\\t": "\t", "tab": "\t", " ": "", "blanks": ""}.get(given, given)
    for each in _DELIMITERS:
        ((count, lines),) = Counter(len(split(row, each)) for row in rows).most_common(1)
        if count > 1 and lines > 0.7 * len(rows):
            return each
    return ""


def _names(
    told: dict[str, str], headers: tuple[str, str], delimiter: str, count: int
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The names and the units of the columns."""
    given = [each.strip() for each in told.get("columns", "").split(",") if each.strip()]
    if given and len(given) != count:
        raise ConfigError(f"files.columns names {len(given)} columns, and there are {count}", kind="config.bad-value")
    for line in headers:
        words = split(line, delimiter) if line else []
        if not given and len(words) == count:
            given = words
    found = given or [f"field{at}" for at in range(count)]
    parts = [_NAMED.fullmatch(each) for each in found]
    names = [match[1] if match else each for match, each in zip(parts, found, strict=True)]
    unique = [name if name and names.count(name) == 1 else f"{name or 'field'}_{at}" for at, name in enumerate(names)]
    return tuple(unique), tuple(match[2].strip() if match else "" for match in parts)


def _times(time: str, names: Sequence[str], fields: Sequence[Sequence[str]]) -> tuple[tuple[str, int], ...]:
    """The columns that tell the time. Raises `SourceError` where there are none."""
    found = _named_times(time, names) if time else ()
    if not time:
        iso = [at for at in range(len(names)) if all(_is_time(row[at]) for row in fields[:20])]
        found = (("iso", iso[0]),) if iso else _by_names(names)
    if not found:
        told = f"no column {time}" if time else "no column of times"
        raise SourceError(f"There is {told} in a file; say in reader.time which columns are", kind="source.stream")
    return found


def _named_times(time: str, names: Sequence[str]) -> tuple[tuple[str, int], ...]:
    """The columns that `reader.time` names: one, or several as `year=field0, doy=field1`, or by their own names."""
    lower = [name.lower() for name in names]
    pairs = [each.strip().partition("=") for each in time.split(",")]
    if len(pairs) == 1 and not pairs[0][1]:
        return (("iso", lower.index(time.strip().lower())),) if time.strip().lower() in lower else ()
    found = []
    for first, equals, second in pairs:
        name = (second if equals else first).strip().lower()
        part = first.strip().lower() if equals else _part(name)
        if part not in PARTS or name not in lower:
            return ()
        found.append((part, lower.index(name)))
    return tuple(found)


def _part(name: str) -> str:
    """The part of a time that a column of that name tells; blank for others."""
    plain = name.lower().replace(" ", "").replace("-", "")
    return next((part for part, names in PARTS.items() if plain in names), "")


def _by_names(names: Sequence[str]) -> tuple[tuple[str, int], ...]:
    """The columns whose names are parts of a time, where a year and a day are among them."""
    found: dict[str, int] = {}
    for at, name in enumerate(names):
        found.setdefault(_part(name), at)
    found.pop("", None)
    return tuple(found.items()) if "year" in found and ("doy" in found or "month" in found) else ()


def _is_time(text: str) -> bool:
    """Whether a text is a time that says its day."""
    if not re.match(r"\d{4}-\d\d|\d{4}/\d", text):
        return False
    try:
        parse_time(text)
    except DasflexError:
        return False
    return True

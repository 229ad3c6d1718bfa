# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the pattern that names of files follow: dates, versions, and what else differs from file to file."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

from dasflex_core.values import dataclass
from dasflex_files.pattern import parse_pattern

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Guess", "guessed"]

_YEAR: Final = r"(?:19[5-9]\d|20\d\d)"
_MONTH, _DAY, _DOY = r"(?:0[1-9]|1[0-2])", r"(?:0[1-9]|[12]\d|3[01])", r"(?:00[1-9]|0[1-9]\d|[12]\d\d|3[0-5]\d|36[0-6])"
_HOUR, _MINUTE = r"(?:[01]\d|2[0-3])", r"[0-5]\d"
#: Dates, and times that may stand behind one, from the most to the least that they say; each with its fields.
_DATES: Final = (
    (re.compile(rf"({_YEAR})([-_.]?)({_MONTH})\2({_DAY})"), "$Y{}$m{}$d"),
    (re.compile(rf"({_YEAR})([-_.]?)({_DOY})(?!\d)"), "$Y{}$j"),
    (re.compile(rf"({_YEAR})([-_.]?)({_MONTH})(?!\d)"), "$Y{}$m"),
    (re.compile(rf"({_YEAR})()(?!\d)"), "$Y"),
)
_TIMES: Final = (
    (re.compile(rf"([T_-]?)({_HOUR})([-:_.]?)({_MINUTE})\3({_MINUTE}|60)(?!\d)"), "$H{}$M{}$S"),
    (re.compile(rf"([T_-]?)({_HOUR})([-:_.]?)({_MINUTE})(?!\d)"), "$H{}$M"),
    (re.compile(rf"([T_]?)({_HOUR})()(?![\d.])"), "$H"),
)
_VERSION: Final = re.compile(r"(?<![A-Za-z])([vV])(\d+(?:\.\d+)*)(?=[-_.][A-Za-z]|$)")
_MONTH_FOLDER, _DAY_FOLDER, _DOY_FOLDER = (re.compile(each) for each in (_MONTH, _DAY, _DOY))
_TOKENS: Final = re.compile(r"\$\([^)]*\)|\$[A-Za-z$]|[A-Za-z0-9]+|.")


@dataclass(frozen=True, slots=True)
class Guess:
    """A pattern below a directory, and the names that fit it."""

    pattern: str
    fitting: tuple[str, ...]

    @property
    def timed(self) -> bool:
        """Whether the names say a time."""
        return any(each.code not in ("x", "v") for each in parse_pattern(f"/{self.pattern}").fields)


def guessed(names: Sequence[str]) -> Guess:
    """The pattern that most of the names, relative to their directory, follow."""
    ((best, _count),) = Counter(map(_one, names)).most_common(1)
    alike = [name for name in names if _skeleton(_one(name)) == _skeleton(best)]
    made = _one(alike[0])
    for name in alike[1:]:
        made = _both(made, _one(name))
    pattern = parse_pattern(f"/{made}")
    fitting = [name for name in names if _fits(pattern.levels, name)]
    return Guess(made, tuple(fitting))


def _fits(levels: Sequence[object], name: str) -> bool:
    """Whether a name is one of a pattern."""
    parts = name.split("/")[-len(levels) :]
    return len(parts) == len(levels) and all(
        level.match(part) is not None  # type: ignore[attr-defined]
        for level, part in zip(levels, parts, strict=True)
    )


def _one(name: str) -> str:
    """The pattern of one path."""
    *folders, file = name.split("/")
    made: list[str] = []
    for folder in folders:
        before = "".join(made)
        plain = re.fullmatch(_YEAR, folder)
        if not plain and "$Y" in before and "$m" not in before and "$j" not in before:
            if _DOY_FOLDER.fullmatch(folder):
                made.append("$j")
                continue
            if _MONTH_FOLDER.fullmatch(folder):
                made.append("$m")
                continue
        if "$m" in before and "$d" not in before and _DAY_FOLDER.fullmatch(folder):
            made.append("$d")
            continue
        made.append(_named(folder))
    return "/".join([*made, _named(file)])


def _named(name: str) -> str:
    """The pattern of one name: its dates, the second as an end, and its version."""
    stem, dot, suffix = name.rpartition(".")
    stem, tail = (stem, dot + suffix) if dot else (name, "")
    made, place, dates = "", 0, 0
    while place < len(stem):
        found = None if place and stem[place - 1].isdigit() else _dated(stem, place)
        version = _VERSION.match(stem, place) if found is None else None
        if found is not None and dates < 2:
            fields, place = found
            if dates:
                fields = fields.replace("$Y", "$(Y,end)", 1)
            made += fields
            dates += 1
        elif version is not None:
            made += version[1] + ("$(v,sep)" if "." in version[2] else "$v")
            place = version.end()
        else:
            made += "$$" if stem[place] == "$" else stem[place]
            place += 1
    return made + tail


def _dated(stem: str, place: int) -> tuple[str, int] | None:
    """The fields of a date, with a time behind it, that begins at a place, and where it ends; None where none does."""
    for expression, form in _DATES:
        date = expression.match(stem, place)
        if date is None:
            continue
        fields, end = form.format(*[date[2]] * form.count("{}")), date.end()
        if "$d" in fields or "$j" in fields:
            for clock, shape in _TIMES:
                time = clock.match(stem, end)
                if time is not None and (time[1] or not stem[end - 1 : end].isalpha()):
                    return fields + time[1] + shape.format(*[time[3]] * shape.count("{}")), time.end()
        return fields, end
    return None


def _skeleton(pattern: str) -> str:
    """A pattern without its words, by which names of one kind are told from others."""
    return re.sub(r"(?<![$(,;A-Za-z])[A-Za-z0-9]+|(?<=\$[A-Za-z])[A-Za-z0-9]+", "w", _plain(pattern))


def _plain(pattern: str) -> str:
    """A pattern in which versions of all kinds look the same."""
    return pattern.replace("$(v,sep)", "$v")


def _both(first: str, second: str) -> str:
    """The pattern of both: a word that differs is `$x`, a version with full stops stays one."""
    if first == second:
        return first
    mine, theirs = _TOKENS.findall(first), _TOKENS.findall(second)
    if len(mine) != len(theirs):
        return first
    made = []
    for one, other in zip(mine, theirs, strict=True):
        if one == other:
            made.append(one)
        elif {one, other} <= {"$v", "$(v,sep)"}:
            made.append("$(v,sep)")
        elif one.startswith("$") and one != "$x":
            return first
        else:
            made.append("$x")
    return "".join(made)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Drafts the definition of a collection from its files: what they say of themselves, and what a person must look at."""

from __future__ import annotations

import math
import re
import time
from contextlib import closing
from itertools import product
from typing import TYPE_CHECKING, Final

from dasflex_core.errors import ConfigError, DasflexError
from dasflex_core.times import Time, format_time
from dasflex_core.values import dataclass
from dasflex_files.calendar_fields import DAY, SECOND
from dasflex_files.choosing import Given
from dasflex_files.kinds import KINDS, kind_of, opened
from dasflex_files.naming import guessed
from dasflex_files.pattern import parse_pattern

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from dasflex_files.describing import Described, Held
    from dasflex_files.naming import Guess

__all__ = ["Draft", "drafted"]

#: How many files are opened, to see whether their names say the range of their times.
_OPENED: Final = 12
#: Of so many inner indices the parts are variables of their own, so that they can be drawn.
_MOST_PARTS: Final = 24
#: A collection whose last record is so many seconds old goes on.
_RECENT: Final = 30 * 86400
#: About how many records an example has.
_EXAMPLE: Final = 5000
_LONGER: Final = (("d", DAY), ("H", 3600 * SECOND), ("M", 60 * SECOND), ("S", SECOND))


@dataclass(frozen=True, slots=True)
class Draft:
    """The tables of a definition, what was found, and what could not be known."""

    tables: dict[str, object]
    found: tuple[str, ...]
    unknown: tuple[str, ...]


def drafted(folder: Path, contact: str) -> Draft:
    """The definition of the files below a directory. Raises `ConfigError` where there are none that can be read."""
    names, suffix = _names(folder)
    guess = guessed(names)
    fitting = _in_time(guess)
    found = [f"{len(fitting)} of {len(names)} .{suffix} files follow {guess.pattern}"]
    unknown = (
        [f"{len(names) - len(fitting)} files do not follow it, such as {_other(names, fitting)}"]
        if len(fitting) < len(names)
        else []
    )
    kind = kind_of(suffix, str(folder))
    if not kind.opens:
        raise ConfigError(
            f"{folder}: files that are streams tell of themselves as they are read; write their definition as"
            f' files = "{folder}/{guess.pattern}", and see dasflex check --learn',
            kind="config.bad-value",
        )
    seen: list[tuple[str, Described]] = []
    for name in _spread(fitting):
        try:
            with closing(opened(kind, str(folder / name), "")) as data:
                seen.append((name, data.described))
        except DasflexError as error:
            unknown.append(f"{name} cannot be read: {error.message}")
    if not seen:
        raise ConfigError(f"{folder}: none of its files can be read. {' '.join(unknown)}", kind="config.unreadable")
    described = next((each for _name, each in reversed(seen) if each.records), seen[-1][1])
    pattern = _widened(folder, guess, seen, found, unknown)
    if not guess.timed and len(fitting) > 1:
        unknown.append("the names say no time, so that every request opens every file")
    tables = _tables(folder, pattern, described, seen, contact, found, unknown)
    return Draft(tables, tuple(found), tuple(unknown))


def _names(folder: Path) -> tuple[list[str], str]:
    """The files below a directory that can be read, of the commonest suffix. Raises `ConfigError`."""
    suffixes = {each for kind in KINDS for each in kind.suffixes}
    by_suffix: dict[str, list[str]] = {}
    for path in sorted(folder.rglob("*")):
        suffix = path.suffix[1:].lower()
        if suffix in suffixes and path.is_file() and not path.name.startswith("."):
            by_suffix.setdefault(suffix, []).append(path.relative_to(folder).as_posix())
    if not by_suffix:
        known = " ".join(f".{each}" for each in sorted(suffixes))
        raise ConfigError(f"{folder} has no files that can be read; they end with {known}", kind="config.missing")
    suffix = max(by_suffix, key=lambda each: len(by_suffix[each]))
    return by_suffix[suffix], suffix


def _in_time(guess: Guess) -> list[str]:
    """The names that fit, in the order of their times and versions."""
    pattern = parse_pattern(f"/{guess.pattern}")
    depth = len(pattern.levels)
    said = [(pattern.named(name.split("/")[-depth:]), name) for name in guess.fitting]
    return [name for _begin, _version, name in sorted((each.begin, each.version, name) for each, name in said if each)]


def _other(names: Sequence[str], fitting: Sequence[str]) -> str:
    """A name that does not fit."""
    known = set(fitting)
    return next(name for name in names if name not in known)


def _spread(names: Sequence[str]) -> list[str]:
    """Some of the names: the first, the last, and others between them."""
    if len(names) <= _OPENED:
        return list(names)
    return [names[round(place * (len(names) - 1) / (_OPENED - 1))] for place in range(_OPENED)]


def _widened(
    folder: Path, guess: Guess, seen: Sequence[tuple[str, Described]], found: list[str], unknown: list[str]
) -> str:
    """The pattern of absolute paths, with `delta` where files last longer than their names say."""
    whole = f"{str(folder).replace('$', '$$')}/{guess.pattern}"
    pattern = parse_pattern(f"/{guess.pattern}")
    early = 0
    for name, described in seen if guess.timed else ():
        said = pattern.named(name.split("/")[-len(pattern.levels) :])
        if said is None or not described.records:
            continue
        early = max(early, said.begin - described.begin)
        if described.end >= said.reach:
            found.append(f"{name} lasts until {format_time(Time(described.end), 0)}, longer than its name says")
            whole = _with_delta(whole, described.end + 1 - said.begin)
    if early > 0:
        unknown.append(
            f"records up to {early / 1e9:g} s before the time in the name of their file are found only with it"
        )
    return whole


def _with_delta(pattern: str, length: int) -> str:
    """The pattern whose last field of the begin says that a file lasts so many nanoseconds, or more if it says more."""
    unit, size = next(((unit, size) for unit, size in _LONGER if length >= 2 * size or unit == "S"))
    count = math.ceil(length / size)
    fields = list(re.finditer(r"\$\(?([YymbdjHMS])(?:[,;]delta=(\d+)([a-zA-Z]))?\)?", pattern.partition("$(Y,end)")[0]))
    last = fields[-1]
    if last[2]:
        old = int(last[2]) * dict(_LONGER)[last[3]]
        if old >= length:
            return pattern
    return f"{pattern[: last.start()]}$({last[1]};delta={count}{unit}){pattern[last.end() :]}"


def _tables(
    folder: Path,
    pattern: str,
    described: Described,
    seen: Sequence[tuple[str, Described]],
    contact: str,
    found: list[str],
    unknown: list[str],
) -> dict[str, object]:
    """The tables of the definition."""
    about = dict(described.about)
    title = described.title or folder.name
    tables: dict[str, object] = {"title": " ".join(title.split())}
    persons = ", ".join(filter(None, (about.get("PI_name"), about.get("PI_affiliation"))))
    if persons:
        tables["summary"] = f"Principal investigator: {' '.join(persons.split())}"
        unknown.append(f"how to reach the scientific contact, {' '.join(persons.split())}")
    tables["contacts"] = {"technical": contact}
    cite = _cite(about)
    if cite:
        tables["cite"] = cite
    else:
        unknown.append("how the data are cited, and under which licence")
    tables["reader"] = {"files": pattern, "time": described.time}
    times = [each for _name, each in seen if each.records]
    coords: dict[str, object] = {"time": _time(described, times, unknown)}
    found.append(
        f"times are in {described.time}" + (f", one each {described.cadence:g} s" if described.cadence else "")
    )
    if not described.cadence:
        unknown.append("the cadence, if there is one: without coords.time.cadence no averages are offered")
    data = dict(_data(described, unknown))
    for axis in _axes(described, data):
        coords[_key(axis.name)] = _coord(axis)
    tables["coords"], tables["data"] = coords, data
    if not data:
        raise ConfigError(f"{folder}: nothing in its files depends on {described.time}", kind="config.missing")
    shown = [name for name, each in data.items() if each.get("default", True)]
    found.append(f"{len(data)} variables; sent when none is named: {', '.join(shown)}")
    tables["example"] = [_example(described)]
    tables["hapi"] = [{}]
    return tables


def _cite(about: dict[str, str]) -> dict[str, str]:
    """How the data are cited."""
    found = {
        "doi": about.get("DOI", "").removeprefix("https://doi.org/"),
        "spase": about.get("spase_DatasetResourceID", ""),
    }
    text = about.get("Acknowledgement") or about.get("Acknowledgment") or about.get("Rules_of_use") or ""
    return {key: value for key, value in {**found, "text": " ".join(text.split())}.items() if value.strip()}


def _time(described: Described, seen: Sequence[Described], unknown: list[str]) -> dict[str, object]:
    """The table of the times."""
    made: dict[str, object] = {}
    if seen:
        begin, end = min(each.begin for each in seen), max(each.end for each in seen)
        recent = time.time() - end / 1e9 < _RECENT
        made["range"] = f"{_floor(begin)} to {'now' if recent else _ceiling(end)}"
        if not recent:
            unknown.append('whether more files will come: coords.time.range ends with the last one; write "… to now"')
    if described.cadence:
        made["cadence"] = _quantity(described.cadence)
    return made


def _quantity(seconds: float) -> str:
    """Seconds as people write them."""
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60), ("s", 1), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{float(f'{seconds / size:.6g}'):g} {unit.replace('us', 'μs')}"
    return f"{seconds * 1e9:g} ns"


def _floor(moment: int) -> str:
    """The second that a moment lies in."""
    return format_time(Time(moment // SECOND * SECOND))


def _ceiling(moment: int) -> str:
    """The first second behind a moment."""
    return format_time(Time((moment // SECOND + 1) * SECOND))


def _example(described: Described) -> dict[str, object]:
    """A range that holds data: the last that the described file has, some thousands of records."""
    begin, end = described.begin, described.end
    step = described.cadence or (end - begin) / 1e9 / max(1, described.records - 1)
    begin = max(begin, end - int(_EXAMPLE * max(step, 1e-9) * SECOND))
    return {"title": "The last of the data", "time": f"{_floor(begin)} to {_ceiling(end)}"}


def _data(described: Described, unknown: list[str]) -> Iterator[tuple[str, dict[str, object]]]:
    """The variables, each with what is known of it. Those of several inner indices come in parts that can be drawn."""
    for held in described.data:
        given = Given(held.name, held)
        axes = _axes_of(described, held, unknown)
        if len(held.shape) < 2 or given.is_vector:
            yield _key(held.name), _item(held, held.name, axes, title="", default=True)
            continue
        if math.prod(held.shape[:-1]) > _MOST_PARTS:
            whole = [axis for axis in axes if axis]
            yield _key(held.name), _item(held, held.name, tuple(whole), title="", default=False)
            unknown.append(f"which parts of {held.name}, of the shape {list(held.shape)}, are worth drawing")
            continue
        for places in product(*(range(extent) for extent in held.shape[:-1])):
            inside = ",".join(map(str, places))
            name = f"{held.name}_{'_'.join(map(str, places))}"
            item = _item(held, f"{held.name}[{inside},:]", axes[-1:], title=f" [{inside}]", default=not any(places))
            yield _key(name), item


def _axes_of(described: Described, held: Held, unknown: list[str]) -> tuple[str, ...]:
    """The axis of each inner index. Where a variable names none, the one axis of that length is taken."""
    axes = list(held.axes or ("",) * len(held.shape))
    known = {axis for each in described.data for axis in each.axes if axis}
    for place, extent in enumerate(held.shape):
        fitting = [axis for axis in known if (own := described.variable(axis)) and own.shape == (extent,)]
        if not axes[place] and extent > 4 and len(fitting) == 1:
            axes[place] = fitting[0]
            unknown.append(f"whether {held.name} runs over {fitting[0]}, which has as many values; it says none")
    return tuple(axes)


def _axes(described: Described, data: dict[str, dict[str, object]]) -> Iterator[Held]:
    """The variables that data run over, each once."""
    names: dict[str, None] = {}
    for item in data.values():
        axes = item.get("axes")
        names |= dict.fromkeys(str(axis) for axis in axes[1:]) if isinstance(axes, list) else {}
    for held in described.variables:
        if _key(held.name) in names:
            yield held


def _coord(axis: Held) -> dict[str, object]:
    """The table of a coordinate."""
    made: dict[str, object] = {"title": _line(axis.title or axis.label)} if axis.title or axis.label else {}
    made["units"] = axis.units
    if axis.shape:
        made["size"] = axis.shape[0]
    if axis.scale:
        made["scale"] = axis.scale
    return made


def _item(held: Held, source: str, axes: tuple[str, ...], *, title: str, default: bool) -> dict[str, object]:
    """The table of a variable."""
    made: dict[str, object] = {}
    if _key(held.name) != source:
        made["from"] = source
    made["title"] = _line(f"{held.title or held.label or held.name}{title}")
    made["axes"] = ["time", *(_key(axis) for axis in axes if axis)]
    if held.units not in ("UTC", "TT2000"):
        made["units"] = held.units
    if held.scale:
        made["scale"] = held.scale
    if held.valid and abs(held.valid[0]) < 1e9 and abs(held.valid[1]) < 1e9:
        made["valid"] = [_number(each) for each in held.valid]
    if not default:
        made["default"] = False
    return made


def _number(value: float) -> float | int:
    """A number without a point that says nothing."""
    return int(value) if value == int(value) else value


def _line(text: str) -> str:
    """A text on one line."""
    return " ".join(text.split())


def _key(name: str) -> str:
    """A name that a parameter of a request can hold."""
    return re.sub(r"[^A-Za-z0-9_]+", "_", name).strip("_") or "x"

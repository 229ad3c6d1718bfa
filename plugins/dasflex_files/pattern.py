# SPDX-License-Identifier: GPL-3.0-or-later
"""Patterns of paths: which files belong to a collection, and which time and version each name says.

They are the URI templates of HAPI and Autoplot (github.com/hapi-server/uri-templates, Specification): `$Y $y $m $b $d
$j $H $M $S $(subsec)`, `$v`, `$x`, `$(enum)`, `$(hrinterval)`, `$(periodic)`, Autoplot's `$(o)`, and `*` for `$x`.
Modifiers stand behind `;`, or behind `,` as in Autoplot: `pad`, `start`, `delta`, `shift`, `end`, `begin`, `places`,
`values`, `names`, `regex`, `len`, `sep`, `ge`, `lt`. A modifier that is the name of a field (`Y=1999`) sets it.

>>> collection = parse_pattern("/data/$Y/mag_$Y$m$d_v$(v,sep).cdf")
>>> collection.root
'/data'
>>> named = collection.named(("2015", "mag_20151016_v1.10.cdf"))
>>> (named.end - named.begin) // 10**9, named.version > collection.named(("2015", "mag_20151016_v1.9.cdf")).version
(86400, True)
"""

from __future__ import annotations

import re
from dataclasses import field
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from dasflex_core.errors import ConfigError
from dasflex_core.values import dataclass
from dasflex_files.calendar_fields import ALWAYS, SAME
from dasflex_files.ranges import Orbits, range_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Field", "Named", "Pattern", "parse_pattern"]

#: How many digits a field has.
DIGITS: Final = {"Y": 4, "y": 2, "m": 2, "d": 2, "j": 3, "H": 2, "M": 2, "S": 2}
_MONTHS: Final = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_OTHERS: Final = ("b", "subsec", "v", "x", "enum", "hrinterval", "periodic", "o")
_LISTS: Final = ("values", "names", "enum")
_FLAGS: Final = ("end", "begin", "sparse", "sep", "alpha", "int", "float")
_KNOWN: Final = {
    *_FLAGS, *_LISTS, *DIGITS, "pad", "start", "delta", "shift", "phasestart", "fmt", "case", "places", "type", "id",
    "separator", "ge", "gt", "lt", "le", "name", "regex", "regexp", "len", "duration", "offset", "period", "cadence",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its code, its modifiers, and whether it belongs to the end of the range."""

    code: str
    modifiers: Mapping[str, str] = field(default_factory=dict, hash=False)
    ends: bool = False

    @property
    def unit(self) -> str:
        """The unit in which a number of a modifier counts, where it names none."""
        return "H" if self.code == "hrinterval" else SAME.get(self.code, self.code)


@dataclass(frozen=True, slots=True)
class Named:
    """What the name of a file says: its range of time in nanoseconds since 1970, [begin, end), and its version.

    Versions compare as texts. Of files with the same `key` and range, the highest version counts. Where the name says
    its own end, that is cut to the unit in which it is written, so that records are looked for up to `reach`.
    """

    begin: int
    end: int
    reach: int
    version: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Level:
    """One level of a path: its expression, and the fields in the order of its groups."""

    expression: str
    fields: tuple[Field, ...]

    def match(self, name: str) -> tuple[str, ...] | None:
        """The texts of the fields in a name; None for another name."""
        found = _compiled(self.expression).fullmatch(name)
        return None if found is None else found.groups()


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern as it was understood: the directory that all files are below, and the levels of names under it."""

    text: str
    root: str
    levels: tuple[Level, ...]

    @property
    def fields(self) -> tuple[Field, ...]:
        """All fields, in order."""
        return tuple(each for level in self.levels for each in level.fields)

    @property
    def suffix(self) -> str:
        """What the names of the files end with, in lower case and without its full stop."""
        return self.text.rpartition("/")[2].rpartition(".")[2].lower()

    def named(self, names: Sequence[str], orbits: Orbits | None = None) -> Named | None:
        """What the names of the directories below the root, and of the file, say; None for what does not belong."""
        texts: list[str] = []
        for level, name in zip(self.levels, names, strict=True):
            found = level.match(name)
            if found is None:
                return None
            texts += found
        return self._meant(texts, orbits)

    def _meant(self, texts: Sequence[str], orbits: Orbits | None) -> Named | None:
        """What the texts of the fields mean."""
        fields = self.fields
        try:
            begin, end, reach = range_of(list(zip(fields, texts, strict=True)), orbits)
        except ValueError:  # digits that are no date
            return None
        versions = [(each, text) for each, text in zip(fields, texts, strict=True) if each.code == "v"]
        if not all(_within(each, text) for each, text in versions):
            return None
        version = " ".join(_version(each, text) for each, text in versions)
        named = [text for each, text in zip(fields, texts, strict=True) if _tells_apart(each)]
        return Named(begin, end, reach, version, "/".join(named))

    def part(self, names: Sequence[str], orbits: Orbits | None = None) -> tuple[int, int]:
        """The range of a directory, from the fields in its path so far; all times where they name no year."""
        texts = [text for level, name in zip(self.levels, names, strict=False) for text in level.match(name) or ()]
        fields = self.fields[: len(texts)]
        if not any(each.code in ("Y", "y") for each in fields):
            return ALWAYS
        try:
            begin, end, _reach = range_of(list(zip(fields, texts, strict=True)), orbits)
        except ValueError:
            return ALWAYS
        return begin, end


def _tells_apart(each: Field) -> bool:
    """Whether files that differ in a field are different ones, and not versions of one."""
    return each.code == "enum" or (each.code == "x" and "name" in each.modifiers)


@lru_cache(maxsize=256)
def _compiled(expression: str) -> re.Pattern[str]:
    """A regular expression, compiled once."""
    return re.compile(expression)


@lru_cache(maxsize=256)
def parse_pattern(text: str) -> Pattern:
    """The pattern that an absolute path writes. Raises `ConfigError` for a field or a modifier that there is not."""
    levels: list[Level] = []
    ends = False
    for name in _split(text):
        pieces, fields = [], []
        for literal, body in _pieces(name, text):
            pieces.append(re.escape(literal))
            if body is None:
                continue
            made = _field(body, text, ends=ends)
            ends = made.ends
            fields.append(made)
            pieces.append(f"({_expression(made, text)})")
        levels.append(Level("".join(pieces), tuple(fields)))
    fixed = next((place for place, level in enumerate(levels) if level.fields), len(levels) - 1)
    names = _split(text)
    root = "/".join(name.replace("$$", "$") for name in names[:fixed]) or "/"
    return Pattern(text, root, tuple(levels[fixed:]))


def _split(text: str) -> list[str]:
    """The levels of a path; a slash within a field is part of it."""
    names, depth = [""], 0
    for char in text:
        depth += (char == "(") - (char == ")")
        if char == "/" and depth <= 0:
            names.append("")
        else:
            names[-1] += char
    return names


def _pieces(name: str, text: str) -> list[tuple[str, str | None]]:
    """Literal text, each piece with the body of the field behind it; the last piece has none."""
    found: list[tuple[str, str | None]] = []
    literal, place = "", 0
    while place < len(name):
        char = name[place]
        if char == "*":
            found.append((literal, "x"))
            literal, place = "", place + 1
        elif char != "$":
            literal, place = literal + char, place + 1
        elif name[place + 1 : place + 2] == "$":
            literal, place = literal + "$", place + 2
        elif name[place + 1 : place + 2] == "(":
            close = _closing(name, place + 1, text)
            found.append((literal, name[place + 2 : close]))
            literal, place = "", close + 1
        else:
            found.append((literal, name[place + 1 : place + 2]))
            literal, place = "", place + 2
    return [*found, (literal, None)]


def _closing(name: str, place: int, text: str) -> int:
    """Where the parenthesis that opens at a place closes, past quotes and those inside."""
    depth, quoted = 0, False
    for at in range(place, len(name)):
        char = name[at]
        quoted ^= char == "'"
        if not quoted:
            depth += (char == "(") - (char == ")")
        if depth == 0:
            return at
    raise ConfigError(f"{text}: a parenthesis is not closed", kind="config.bad-value")


def _field(body: str, text: str, *, ends: bool) -> Field:
    """The field that stands between the parentheses."""
    separator = ";" if ";" in body else ","
    code, *words = (each.strip() for each in re.split(rf"{separator}(?=(?:[^']*'[^']*')*[^']*$)", body))
    modifiers: dict[str, str] = {}
    last = ""
    for word in words:
        key, equals, value = word.partition("=")
        if not equals and last in _LISTS:
            modifiers[last] += "," + word
            continue
        last = key.strip()
        modifiers[last] = value.strip().strip("'")
    if code not in DIGITS and code not in _OTHERS:
        known = " ".join(f"${each}" if len(each) == 1 else f"$({each})" for each in (*DIGITS, *_OTHERS))
        raise ConfigError(f"{text}: there is no field {code!r}; there are {known}", kind="config.bad-value")
    unknown = next((key for key in modifiers if key not in _KNOWN), None)
    if unknown is not None:
        raise ConfigError(f"{text}: $({code}) has no modifier {unknown!r}", kind="config.bad-value")
    for key in ("delta", "shift"):
        if not re.fullmatch(r"[+-]?\d+[YmjdHMS]?|", modifiers.get(key, "")):
            raise ConfigError(
                f"{text}: {key}={modifiers[key]} is no number with a unit such as 7d", kind="config.bad-value"
            )
    return Field(code, modifiers, (ends or "end" in modifiers) and "begin" not in modifiers)


def _expression(each: Field, text: str) -> str:  # noqa: PLR0911  one for each kind of field
    """The regular expression of what a field may be."""
    if each.code in DIGITS or each.code == "subsec":
        return _digits(each, text)
    if each.code == "b":
        full = each.modifiers.get("fmt") == "full"
        return f"(?i:{'|'.join(name if full else name[:3] for name in _MONTHS)})"
    if each.code == "v":
        return _VERSIONS.get(_kind_of(each), _VERSIONS["sep"]).replace("SEP", re.escape(_separator(each)))
    if each.code in ("periodic", "o"):
        return r"-?\d+"
    listed = each.modifiers.get("values") or each.modifiers.get("names") or each.modifiers.get("enum", "")
    if listed:
        return "|".join(re.escape(name) for name in re.split(r"[,|]", listed))
    if each.code in ("enum", "hrinterval"):
        raise ConfigError(f"{text}: $({each.code}) needs its values", kind="config.bad-value")
    expression = each.modifiers.get("regex") or each.modifiers.get("regexp")
    if expression:
        return _checked(expression, text)
    return f"[^/]{{{each.modifiers['len']}}}" if each.modifiers.get("len", "").isdigit() else "[^/]+?"


def _checked(expression: str, text: str) -> str:
    """An expression of the definition, whose groups are not counted. Raises `ConfigError`."""
    try:
        groups = re.compile(expression).groups
    except re.error as error:
        raise ConfigError(f"{text}: {expression!r} is no expression: {error}", kind="config.bad-value") from error
    if groups:
        raise ConfigError(f"{text}: write (?:…) for the groups of {expression!r}", kind="config.bad-value")
    return expression


def _digits(each: Field, text: str) -> str:
    """The expression of a number."""
    count = each.modifiers.get("places", "") if each.code == "subsec" else str(DIGITS[each.code])
    if not count.isdigit():
        raise ConfigError(f"{text}: $(subsec) needs places=, the number of its digits", kind="config.bad-value")
    pad = each.modifiers.get("pad", "zero")
    if pad == "none":
        return rf"\d{{1,{count}}}"
    return rf"\d{{{count}}}" if pad == "zero" else rf"[ _\d]{{{count}}}"


_VERSIONS: Final = {
    "sep": r"\d+(?:SEP\d+)*", "int": r"\d+", "float": r"\d+(?:\.\d+)?", "alpha": r"[0-9A-Za-z][-.0-9A-Za-z]*?"
}  # fmt: skip


def _kind_of(each: Field) -> str:
    """How versions are compared."""
    named = next((name for name in _VERSIONS if name in each.modifiers), "sep")
    return each.modifiers.get("type") or named


def _separator(each: Field) -> str:
    """What parts the numbers of a version."""
    return each.modifiers.get("separator") or each.modifiers.get("sep") or "."


def _version(each: Field, text: str) -> str:
    """A version as a text that compares as it should: 1.10 is above 1.9, and as a float it is not."""
    kind = _kind_of(each)
    if kind == "alpha":
        return text
    if kind == "float":
        return f"{float(text):030.12f}"
    return ".".join(number.zfill(12) for number in text.split(_separator(each)))


def _within(each: Field, text: str) -> bool:
    """Whether a version is among those that are wanted: from `ge` on, below `lt`."""
    own = _version(each, text)
    least, above = each.modifiers.get("ge"), each.modifiers.get("lt")
    return (least is None or own >= _version(each, least)) and (above is None or own < _version(each, above))

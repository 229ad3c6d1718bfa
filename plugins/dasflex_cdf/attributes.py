# SPDX-License-Identifier: GPL-3.0-or-later
"""The attributes of a variable, as the ISTP guidelines want them and das-streams 5.14 maps the properties of das3.

Which variables it depends on, and how they are called, is told by who asks. What the guidelines require and nobody says
is filled in: the name for a label, the limits of the type for what is valid.
"""

from __future__ import annotations

import re
from math import isfinite
from typing import TYPE_CHECKING, Final, TypeAlias

from dasflex_cdf.saying import Said, plain_text
from dasflex_core.times import parse_time, to_tt2000
from dasflex_core.units import convert_factor
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dasflex_cdf.kinds import CdfType, Number
    from dasflex_cdf.parts import Part
    from dasflex_core.arrays import Dataset, StreamHeader

__all__ = ["LIMITS", "Attributes", "Entry", "Own", "Place", "attributes_of", "plain_units", "written_number"]

#: Attributes that are numbers of the type of their variable.
LIMITS: Final = (
    *("VALIDMIN", "VALIDMAX", "SCALEMIN", "SCALEMAX"),
    *("LIMITS_NOMINAL_MIN", "LIMITS_NOMINAL_MAX", "LIMITS_WARN_MIN", "LIMITS_WARN_MAX"),
)

#: The longest CATDESC that the guidelines know.
_SHORT: Final = 80
#: Properties of das3 that become attributes as they are (das-streams 5.14).
_COPIED: Final = (
    ("VAR_NOTES", ("notes", "info")),
    ("CAL_METHOD", ("calType",)),
    ("CAL_DESCIPTION", ("calInfo",)),  # so spelt there
    ("CAL_REFERENCE", ("calSource",)),
    ("CAL_REF_DATE", ("calSrcDate",)),
)
#: A format of C: `%9.3e`, and what Fortran calls it.
_FORMAT: Final = re.compile(r"%[-+ 0#]*(\d*)(?:\.(\d+))?(?:l|ll)?([defgiuEFG])")
_LETTERS: Final = {"d": "I", "i": "I", "u": "I", "e": "E", "f": "F", "g": "E"}
#: What every TT2000 is (ISTP, TIME_BASE and its kin).
_TIME_FACTS: Final = (
    ("TIME_BASE", "J2000"),
    ("TIME_SCALE", "Terrestrial Time"),
    ("REFERENCE_POSITION", "Rotating Earth Geoid"),
)


@dataclass(frozen=True, slots=True)
class Own:
    """Numbers of the type of the variable itself."""

    value: Number


Entry: TypeAlias = str | Own
Attributes: TypeAlias = dict[str, Entry]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a variable stands in the file: its name, what it depends on, and the variables of its labels.

    `depends` and `labels` are names by the number of the axis, 0 for the records; `pointers` are other attributes that
    name variables, such as DELTA_PLUS_VAR. `timed` says that what it depends on are offsets of time only.
    """

    name: str
    depends: dict[int, str]
    labels: dict[int, str]
    pointers: dict[str, str]
    lengths: dict[int, str]
    timed: bool = False


def attributes_of(stream: StreamHeader, dataset: Dataset, part: Part, place: Place) -> Attributes:
    """The attributes of a variable, in the order in which the guidelines list them."""
    said = Said(stream, dataset, part.dimension, part.variable)
    made: Attributes = {
        "CATDESC": _sentence(part, said, place.name),
        "FIELDNAM": said.text("title", "description") or place.name,
        "VAR_TYPE": _type(part),
    }
    made |= {f"DEPEND_{axis}": name for axis, name in sorted(place.depends.items())}
    if part.type is not None:
        made |= {"DISPLAY_TYPE": _display(part, place)} if made["VAR_TYPE"] == "data" else {}
    made |= {f"LABL_PTR_{axis}": name for axis, name in sorted(place.labels.items())}
    if not place.labels:
        made["LABLAXIS"] = _label(part, said, place.name)
    made["FORMAT"] = _format(part, said)
    made |= dict(_numbers(part, said))
    made["UNITS"] = _units(part)
    made["SCALETYP"] = said.text("scaleType").lower() or "linear"
    made |= {name: text for name, keys in _COPIED if (text := said.text(*keys))}
    frame = (part.variable.vector.frame if part.variable.vector else "") or part.dimension.frame
    made |= {"COORD_FRAME": frame} if frame else {}
    made |= dict(_of_times(part))
    made |= {name: target for name, target in place.pointers.items() if target}
    if place.lengths:
        made |= _of_runs(part, made, place)
    return made


def _type(part: Part) -> str:
    """VAR_TYPE: text is metadata, what is plotted against and files are support, the rest is data."""
    if part.type is None:
        return "metadata"
    coordinate = part.dimension.coordinate or part.variable.semantic == "blob"
    return "support_data" if coordinate or not part.records else "data"


def _display(part: Part, place: Place) -> str:
    """DISPLAY_TYPE: lines for numbers, vectors and waveforms, spectrograms for what has another axis beside time."""
    return "spectrogram" if part.inner and not place.timed else "time_series"


def _sentence(part: Part, said: Said, name: str) -> str:
    """CATDESC: what it is in a sentence."""
    text = said.text("summary", "description", "title", "info")
    if not text or len(text) > _SHORT:
        text = said.text("title", "label") or text
    if not text:
        label = plain_text(part.variable.label) or name
        text = label if part.variable.role == "center" else f"{part.dimension.name}, {part.variable.role}"
    role = part.variable.role
    return text if role in ("center", "reference") or part.made or role in text else f"{text}, {role}"


def _label(part: Part, said: Said, name: str) -> str:
    """LABLAXIS: the label without its units, which a program adds from UNITS."""
    text = said.text("label") or plain_text(part.variable.label)
    if not text:
        return name
    units = part.variable.units
    return re.sub(rf"\s*\({re.escape(units)}\)$", "", text) or name if units else text


def _units(part: Part) -> str:
    """UNITS: of times nanoseconds, a blank for pure numbers."""
    if part.type is not None and part.type.name == "CDF_TIME_TT2000":
        return "ns"
    return plain_units(part.variable.units)


def plain_units(units: str) -> str:
    """Units as CDF programs read them: `**` is `^` (das-streams 5.14), and the Greek letter of micro is u.

    >>> plain_units("V**2 m**-2 Hz**-1"), plain_units("μs"), plain_units("")
    ('V^2 m^-2 Hz^-1', 'us', ' ')
    """
    return units.replace("**", "^").replace("\N{GREEK SMALL LETTER MU}", "u").replace("\N{MICRO SIGN}", "u") or " "


def _format(part: Part, said: Said) -> str:
    """FORMAT: the format of Fortran that shows a value."""
    if part.type is None:
        return f"A{max(1, part.values.dtype.itemsize)}"
    match = _FORMAT.fullmatch(said.text("format"))
    if match is None or part.type.name == "CDF_TIME_TT2000":
        return part.type.format
    width, digits, letter = match.groups()
    fortran = _LETTERS[letter.lower()]
    if fortran == "I":
        return f"I{width or part.type.format[1:]}"
    size = int(width) if width else int(digits or 6) + 8
    return f"{fortran}{size}.{digits or 6}"


def _numbers(part: Part, said: Said) -> Iterator[tuple[str, Entry]]:
    """FILLVAL, VALIDMIN and VALIDMAX, and the limits of scale, of nominal and of warned values, where they are said."""
    kind = part.type
    if kind is None:
        yield "FILLVAL", " "
        return
    if part.fill is not None:
        yield "FILLVAL", Own(part.fill)
    low, high = (_value(part, kind, said.text(name)) for name in ("validMin", "validMax"))
    if part.variable.semantic == "bool":
        low, high = 0, 1
    least, most = (kind.lowest, kind.highest) if part.wide else (kind.low, kind.high)
    if kind.dtype[0] in "iu" and part.fill != kind.fill and kind.name != "CDF_TIME_TT2000":
        least, most = min(least, kind.fill), max(most, kind.fill)
    yield "VALIDMIN", Own(least if low is None else low)
    yield "VALIDMAX", Own(most if high is None else high)
    shown = said.ends("range")
    for name, key, other in (("SCALEMIN", "scaleMin", shown[0]), ("SCALEMAX", "scaleMax", shown[1])):
        number = _value(part, kind, said.text(key) or other)
        if number is not None:
            yield name, Own(number)
    for name, key in (
        ("LIMITS_NOMINAL_MIN", "nominalMin"),
        ("LIMITS_NOMINAL_MAX", "nominalMax"),
        ("LIMITS_WARN_MIN", "warnMin"),
        ("LIMITS_WARN_MAX", "warnMax"),
    ):
        number = _value(part, kind, said.text(key))
        if number is not None:
            yield name, Own(number)


def _value(part: Part, kind: CdfType, text: str) -> Number | None:
    """The same of a variable; a boolean has none."""
    return None if part.variable.semantic == "bool" else written_number(kind, text)


def written_number(kind: CdfType, text: str) -> Number | None:
    """What is written as a value of the type, as near as that comes; units may follow. None for what is none."""
    if not text.strip():
        return None
    try:
        if kind.name == "CDF_TIME_TT2000":
            return to_tt2000(parse_time(text))
        number = float(text.split(maxsplit=1)[0])
    except ValueError:  # a time that is none is one, too
        return None
    if not isfinite(number):
        return None
    if kind.dtype[0] == "f":
        return min(max(number, kind.lowest), kind.highest)
    return int(min(max(round(number), kind.lowest), kind.highest))


def _of_times(part: Part) -> Iterator[tuple[str, Entry]]:
    """What only times have, and offsets in units of time: their length in seconds (ISTP, SI_CONVERSION)."""
    if part.type is not None and part.type.name == "CDF_TIME_TT2000":
        yield from _TIME_FACTS
        yield "SI_CONVERSION", "1.0e-9>s"
        if part.rising:
            yield "MONOTON", "INCREASE"
        return
    factor = convert_factor(part.variable.units, "s") if part.variable.role == "offset" else None
    if factor:
        yield "SI_CONVERSION", f"{factor:.6g}>s"


def _of_runs(part: Part, made: Attributes, place: Place) -> Attributes:
    """What says that runs are padded, and where their lengths are."""
    extents = " by ".join(str(part.values.shape[axis]) for axis in place.lengths)
    text = f"Its length varies; it is padded to {extents}, and {', '.join(place.lengths.values())} has the lengths"
    notes = made.get("VAR_NOTES")
    found: Attributes = {"VAR_NOTES": f"{notes}. {text}" if isinstance(notes, str) else text}
    return found | {f"LENGTH_VAR_{axis}": name for axis, name in place.lengths.items()}

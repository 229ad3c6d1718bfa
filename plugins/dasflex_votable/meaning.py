# SPDX-License-Identifier: GPL-3.0-or-later
"""What a field means, in the words of the Virtual Observatory: its unit (VOUnits 1.0) and, where it is certain, a UCD.

>>> vounit("V**2 m**-2 Hz**-1")
'V**2.m**-2.Hz**-1'
>>> vounit("RJ")
"'RJ'"
>>> ucd("nT")
'phys.magField'
"""

from __future__ import annotations

import re
from typing import Final

from dasflex_core.errors import QueryError
from dasflex_core.units import canonical, convert_factor

__all__ = ["ucd", "vounit"]

#: The words of VOUnits 1.0, tables 1 to 3, that may have a prefix of the SI, and those that may not.
_PREFIXED: Final = frozenset({
    "s", "m", "g", "A", "K", "rad", "cd", "mol", "Hz", "sr", "N", "Pa", "J", "W", "C", "V", "S", "F", "Wb", "T", "H",
    "Ohm", "lm", "lx", "eV", "yr", "a", "pc", "G", "Jy", "Ry", "bit", "byte", "mag", "erg", "barn", "u", "R", "lyr",
})  # fmt: skip
_PLAIN: Final = frozenset({
    "min", "h", "d", "deg", "arcmin", "arcsec", "mas", "AU", "au", "count", "ct", "photon", "ph", "pixel", "pix", "%",
    "dB", "chan", "bin", "voxel", "beam", "solLum", "solMass", "solRad", "Angstrom", "angstrom", "D", "Sun", "adu",
})  # fmt: skip
_PREFIXES: Final = ("da", *"yzafpnumcdhkMGTPEZY")
#: What das streams call otherwise.
_SPELLED: Final = {
    "degree": "deg",
    "degrees": "deg",
    "Deg": "deg",
    "hour": "h",
    "hours": "h",
    "hr": "h",
    "minute": "min",
    "minutes": "min",
    "day": "d",
    "days": "d",
    "ohm": "Ohm",
    "counts": "count",
    "#": "count",
}
_FACTOR: Final = re.compile(r"(?P<word>[^*]+)(?:\*\*(?P<exponent>.+))?")

#: Quantities that a unit alone makes certain (UCD1+ controlled vocabulary 1.5), as a unit that others convert to.
_UCDS: Final = (
    ("nT", "phys.magField"),
    ("V m**-1", "phys.electField"),
    ("K", "phys.temperature"),
    ("Pa", "phys.pressure"),
    ("km/s", "phys.veloc"),
    ("Hz", "em.freq"),
)


def vounit(units: str) -> str:
    """A unit string of das streams as VOUnits has it: words that these do not know in quotes; blank without units."""
    try:
        factors = canonical(units).split()
    except QueryError:
        return _quoted(units)
    return ".".join(_factor(each) for each in factors)


def ucd(units: str, *, coordinate: bool = False) -> str:
    """The Unified Content Descriptor of values in these units; blank where the units do not tell what they are.

    A frequency is one of waves only as a coordinate: a value in Hz may count anything.
    """
    for each, word in _UCDS:
        if word == "em.freq" and not coordinate:
            continue
        if units and _converts(units, each):
            return word
    return ""


def _converts(units: str, other: str) -> bool:
    """Whether values in the one unit are of the same kind as those in the other."""
    try:
        return convert_factor(units, other) is not None
    except QueryError:
        return False


def _factor(text: str) -> str:
    """One factor, such as `m**-2`. A fraction as exponent has brackets."""
    found = _FACTOR.fullmatch(text)
    word, exponent = (found["word"], found["exponent"]) if found else (text, None)
    spelled = _word(word)
    if not exponent:
        return spelled
    return f"{spelled}**({exponent})" if "/" in exponent else f"{spelled}**{exponent}"


def _word(word: str) -> str:
    """A word of a unit in the spelling of VOUnits; one that it does not know in quotes."""
    plain = _SPELLED.get(word, word).replace("μ", "u")
    if plain in _PREFIXED | _PLAIN:
        return plain
    stem = next((plain[len(each) :] for each in _PREFIXES if plain.startswith(each) and plain != each), "")
    return plain if stem in _PREFIXED else _quoted(plain)


def _quoted(text: str) -> str:
    """A word that VOUnits does not know. It may hold letters only, so that others are left out."""
    letters = "".join(char for char in text if char.isascii() and char.isalpha())
    return f"'{letters}'" if letters else ""

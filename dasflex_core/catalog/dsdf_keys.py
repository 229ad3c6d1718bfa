# SPDX-License-Identifier: GPL-3.0-or-later
"""The keys of DSDF: which there are, which are lists, and how the parts of their values are read."""

from __future__ import annotations

import re
from typing import Final

from dasflex_core.catalog.quantities import UnfitError

__all__ = ["DAS1", "IGNORED", "LISTS", "SINGLE", "flag", "interval_of", "number", "parts", "rules", "variable_name"]

#: The keys that stand once, other than those of das1.
SINGLE: Final = (
    "localId", "description", "summary", "label", "reader", "reducer", "das2Stream", "das3Stream", "qstream",
    "requiresInterval", "dropParams", "validRange", "techContact", "sciContact", "securityRealm", "readAccess",
    "groupAccess", "realTime", "hapi", "rename", "server",
)  # fmt: skip
#: The lists: one item of each may be written without a number.
LISTS: Final = (
    "param", "item", "data", "coord", "exampleRange", "exampleParams", "exampleInterval", "cacheLevel", "subSource",
)  # fmt: skip
#: What readers of the first generation need to be understood: the form of the records, and the quantities in them.
DAS1: Final = (
    "form", "ny", "items", "x_parameter", "x_unit", "x_sample_width", "y_parameter", "y_unit", "y_fill",
    "y_coordinate", "z_parameter", "z_unit", "z_fill", "spacecraft", "spacecraft_id", "instrument", "instrument_id",
)  # fmt: skip
#: Known keys with no part in anything here: they are kept, and nothing is said of them.
IGNORED: Final = (
    "compressor", "hasCoverage", "legacy", "nitems", "x_range", "y_range", "z_range", "x_label", "y_label", "z_label",
)  # fmt: skip

_TRUE: Final = ("1", "true", "yes", "on")
_FALSE: Final = ("0", "false", "no", "off", "")
_RULES: Final = {"GROUP": "group", "USER": "user", "AGE": "age"}
_INTERVAL: Final = re.compile(r"[0-9]+(?:\.[0-9]*)?|\.[0-9]+")
_NUMBER: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eEdD][+-]?[0-9]+)?")


def flag(text: str) -> bool:
    """Whether a switch is on. Raises `UnfitError` for what is neither on nor off."""
    word = text.strip().lower()
    if word not in (*_TRUE, *_FALSE):
        raise UnfitError(f"must be 1 or 0, not {text!r}")
    return word in _TRUE


def number(text: str) -> int | float | None:
    """The number that a text is; None where it is none, or one of more than ordinary size."""
    if not _NUMBER.fullmatch(text.strip()):
        return None
    plain = text.strip().lower().replace("d", "e")
    if plain.lstrip("+-").isdecimal() and len(plain) < 18:
        return int(plain)
    found = float(plain)
    return found if abs(found) < float("inf") else None


def parts(text: str, most: int) -> list[str]:
    """The parts of a value between `|`, without blanks around; the last of `most` holds all that follows."""
    return [part.strip() for part in text.split("|", most - 1)]


def rules(text: str) -> list[str]:
    """The rules of `readAccess`, `GROUP:g | USER:u | AGE:1y6m`. Raises `UnfitError`."""
    found = []
    for rule in text.split("|"):
        kind, mark, what = rule.partition(":")
        known = _RULES.get(kind.strip().upper())
        if not known or not mark or not what.strip():
            raise UnfitError(
                f"{rule.strip()!r} is no rule; one is GROUP:NAME, USER:NAME or AGE:1y6m, with | between them"
            )
        found.append(f"{known}:{what.strip().lower() if known == 'age' else what.strip()}")
    return found


def interval_of(text: str) -> int | float:
    """Seconds of an interval. Raises `UnfitError`."""
    word = text.strip().removesuffix("s").strip()
    found = number(word) if _INTERVAL.fullmatch(word) else None
    if not found:
        raise UnfitError(f"must be a number of seconds above 0, not {text!r}")
    return found


def variable_name(text: str) -> str:
    """A name of a variable as TOML has it: without blanks."""
    return "_".join(text.split())

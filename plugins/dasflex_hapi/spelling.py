# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of HAPI parameters: as variables have them, as a definition calls them, and which of them are asked for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["picked", "spelt"]


def spelt(name: str) -> str:
    """A name as variables have it: letters, digits and underscores.

    >>> spelt("B-field"), spelt("1st")
    ('B_field', 'v_1st')
    """
    found = re.sub(r"\W", "_", name, flags=re.ASCII)
    return found if found[:1].isalpha() else f"v_{found}"


def picked(wanted: Iterable[str], there: Sequence[str], names: Mapping[str, str]) -> list[str] | None:
    """The parameters that names mean, in the order of the server; None where a name means none.

    A name is that of a parameter, of its variable, or what the definition calls it: `names` has the parameter by that.
    """
    by_lower = {each.lower(): each for each in there}
    by_lower |= {spelt(each).lower(): each for each in there}
    by_lower |= {name.lower(): own for name, own in names.items() if own in there}
    found = [by_lower.get(each.strip().lower()) for each in wanted if each.strip()]
    return None if None in found else [each for each in there if each in found]

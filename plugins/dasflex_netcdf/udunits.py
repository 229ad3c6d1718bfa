# SPDX-License-Identifier: GPL-3.0-or-later
"""Unit strings of das streams as UDUNITS, and so the CF conventions (section 3.1), spell them.

>>> udunits("V**2 m**-2 Hz**-1")
'V2 m-2 Hz-1'
>>> udunits("μs")
'us'
"""

from __future__ import annotations

import re
from typing import Final

from dasflex_core.errors import QueryError
from dasflex_core.units import canonical

__all__ = ["udunits"]

_WHOLE: Final = re.compile(r"\*\*(-?\d+)(?![\d/.])")
#: Words that UDUNITS has another spelling for, or none but a number's.
_SPELLED: Final = {"degrees": "degree", "deg": "degree", "hours": "hour", "hr": "hour", "counts": "count"}


def udunits(units: str) -> str:
    """The units as UDUNITS has them; a pure number is `1`.

    A word that it does not know stays as it is, and so does an exponent that is a fraction, which it has not.
    """
    if not units.strip():
        return "1"
    try:
        text = canonical(units)
    except QueryError:
        return units
    words = (_WHOLE.sub(r"\1", each) for each in text.replace("μ", "u").split())
    return " ".join(_SPELLED.get(each, each) for each in words) or "1"

# SPDX-License-Identifier: GPL-3.0-or-later
"""How many digits of a second the times of a variable need, so that text formats neither lose nor invent any."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from dasflex_core.arrays import Variable

__all__ = ["own_secfrac"]

#: Digits of the fraction of a second in a das2 text time, by width; others fall back to the next shorter form
#: (the das2 stream format, value encodings).
_TEXT_DIGITS: Final = ((30, 9), (27, 6), (24, 3), (23, 2), (22, 1))


def own_secfrac(variable: Variable) -> int:
    """The digits of a second's fraction that the times of a variable need.

    Text times keep the digits that their width has room for: in das2 as that format defines, in das3 the next of 0,
    3, 6 and 9, as a field there may or may not end in a separator. Integers that count nanoseconds, and text of any
    width, need 9; other epochs 6, which is what a double holds (the das2 stream format, units).
    """
    encoding = variable.encoding
    if variable.dtype.kind != "M":
        return 9 if variable.units.lower() in ("tt2000", "cdftt2000", "ns1970") else 6
    if encoding is None or encoding.width < 0:
        return 9
    if encoding.name == "time":
        return next((digits for width, digits in _TEXT_DIGITS if encoding.width >= width), 0)
    if encoding.name == "utf8":
        return min(9, -(-max(0, encoding.width - 21) // 3) * 3)
    return 9

# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers and times to fixed-notation text and back, vectorised: the digit kernel of every text format."""

from __future__ import annotations

from dasflex_core.digits.fixed import DROP, compact, compact_e, fixed_e, integers, natural_width
from dasflex_core.digits.numerals import blank_mask, parse_numbers
from dasflex_core.digits.timetext import FILL_TIME, iso_times, iso_width, parse_iso

__all__ = [
    "DROP",
    "FILL_TIME",
    "blank_mask",
    "compact",
    "compact_e",
    "fixed_e",
    "integers",
    "iso_times",
    "iso_width",
    "natural_width",
    "parse_iso",
    "parse_numbers",
]

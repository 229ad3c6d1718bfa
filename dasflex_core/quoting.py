# SPDX-License-Identifier: GPL-3.0-or-later
"""Cells of comma-separated values in quotes, a column at a time (RFC 4180)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    #: One cell per value, of any shape: text on the left, NUL behind it.
    Cells: TypeAlias = NDArray[np.bytes_]

__all__ = ["quoted"]

_QUOTE: Final = b'"'


def quoted(text: Cells, delimiter: bytes) -> Cells:
    """Cells in quotes where they hold a delimiter, a quote or the end of a line; quotes in them twice (RFC 4180)."""
    found = np.zeros(text.shape, dtype=np.bool_)
    for mark in (delimiter, _QUOTE, b"\n", b"\r"):
        found |= np.strings.find(text, mark) >= 0
    if not found.any():
        return text
    inside = np.strings.replace(text, _QUOTE, _QUOTE * 2)
    return np.where(found, np.strings.add(np.strings.add(_QUOTE, inside), _QUOTE), text)

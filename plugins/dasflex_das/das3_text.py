# SPDX-License-Identifier: GPL-3.0-or-later
"""Columns of das3 from bytes: matrices of values of one width, and values that end where a terminator stands."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dasflex_core.digits import blank_mask, parse_iso, parse_numbers
from dasflex_core.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dasflex_core.arrays import Variable

    Bytes = NDArray[np.uint8]

__all__ = ["TooWideError", "values_of_tokens", "values_of_width"]

#: Text of at most this many bytes is a number that a double holds exactly, if it is whole.
_EXACT: Final = 15
#: The most bytes of text that a number or a time may have; reading takes time for each of them.
_MAX_WIDTH: Final = 1_000
#: Texts of numbers that are read at a time.
_BLOCK: Final = 1 << 14
#: Bytes of the strings of one batch, each as long as the longest.
_MAX_TABLE: Final = 1 << 25


class TooWideError(SourceError):
    """Strings whose table would be too large for the memory; fewer records may do."""


def values_of_width(own: Bytes, width: int, variable: Variable) -> NDArray[Any]:
    """The values of one variable from rows of its bytes, of shape (rows, values in a row).

    Binary values are a view. Raises `SourceError` for text that cannot be read.
    """
    if variable.encoding is None or variable.encoding.name != "utf8":
        return own.view(variable.dtype)
    try:
        return _text_values(own.reshape(len(own), own.shape[1] // width, width), variable)
    except (SourceError, ValueError, OverflowError) as error:
        raise _unreadable(variable, error) from None


def _unreadable(variable: Variable, error: Exception) -> SourceError:
    """The error for text that is no value of the variable."""
    return SourceError(f"A value of {variable.name} cannot be read: {error}", kind="source.stream")


def values_of_tokens(tokens: Sequence[bytes], variable: Variable) -> NDArray[Any]:
    """The values of texts of any width, of shape (texts,). Raises `SourceError` for what cannot be read.

    Strings have the width of the longest; where they would take too much memory so, that is a `TooWideError`.
    """
    widest = max(map(len, tokens), default=0)
    if variable.semantic == "string":
        if widest * len(tokens) > _MAX_TABLE:
            raise TooWideError(
                f"{len(tokens):,} strings of {variable.name} are up to {widest:,} bytes long; a table of them may take"
                f" {_MAX_TABLE:,} bytes",
                kind="source.stream",
            )
        strings = np.array(tokens, dtype=f"S{max(1, widest)}")
        trim = variable.encoding is None or variable.encoding.trim
        return np.asarray(np.strings.strip(strings)) if trim else strings
    if widest > _MAX_WIDTH:
        raise _unreadable(variable, ValueError(f"it has {widest:,} bytes, at most {_MAX_WIDTH:,} are read"))
    found = np.empty(len(tokens), dtype=variable.dtype.newbyteorder("="))
    try:
        for first in range(0, len(tokens), _BLOCK):
            block = tokens[first : first + _BLOCK]
            found[first : first + len(block)] = _text_values(_matrix(block), variable)
    except (SourceError, ValueError, OverflowError) as error:
        raise _unreadable(variable, error) from None
    return found


def _matrix(tokens: Sequence[bytes]) -> Bytes:
    """Texts as rows of bytes, with blanks behind them."""
    width = max(1, max(map(len, tokens), default=0))
    padded = b"".join([token.ljust(width) for token in tokens])
    return np.frombuffer(padded, dtype=np.uint8).reshape(len(tokens), width)


def _text_values(text: Bytes, variable: Variable) -> NDArray[Any]:
    """The values of a text column."""
    if variable.semantic == "string":
        return _strings(text, trim=variable.encoding is None or variable.encoding.trim)
    if variable.dtype.kind == "M":
        return _times(text, variable)
    if variable.semantic == "bool":
        return _states(text, variable)
    return _numbers(text, variable)


def _joined(text: Bytes) -> NDArray[Any]:
    """Each text as one value of type `S`."""
    joined: NDArray[Any] = np.ascontiguousarray(text).view(f"S{text.shape[-1]}")[..., 0]
    return joined


def _strings(text: Bytes, *, trim: bool) -> NDArray[Any]:
    """Fixed-width strings without the blanks around them, or without those behind them."""
    joined = _joined(text)
    return np.asarray(np.strings.strip(joined) if trim else np.strings.rstrip(joined))


def _times(text: Bytes, variable: Variable) -> NDArray[Any]:
    """Calendar times; the fill of the variable, and blanks, become NaT."""
    found = parse_iso(text)
    if variable.fill is not None:
        found[found == variable.fill] = np.datetime64("NaT")
    return found


def _states(text: Bytes, variable: Variable) -> NDArray[Any]:
    """States by their first letter: t, y, 1 and f, n, 0; anything else is fill (the das3 stream format, semantics)."""
    letters = np.strings.lower(np.strings.strip(_joined(text))).astype("S1")
    true, false = np.isin(letters, [b"t", b"y", b"1"]), np.isin(letters, [b"f", b"n", b"0"])
    found = np.full(letters.shape, variable.fill, dtype=variable.dtype)
    found[false] = 0
    found[true] = 1
    return found


def _numbers(text: Bytes, variable: Variable) -> NDArray[Any]:
    """Numbers; blank is fill."""
    blank, fill = blank_mask(text), variable.fill
    if variable.dtype.kind == "f":
        found = parse_numbers(text)
        found[blank] = fill
        with np.errstate(over="ignore"):  # a number beyond the range of a float is infinite
            return found.astype(variable.dtype)
    whole = _whole(text, blank, "u8" if variable.dtype.kind == "u" else "i8")
    limits = np.iinfo(variable.dtype)
    if whole.size and (whole.min() < limits.min or whole.max() > limits.max):
        raise SourceError(f"it does not fit into {variable.dtype.itemsize} bytes", kind="source.stream")
    found = whole.astype(variable.dtype)
    found[blank] = fill
    return found


def _whole(text: Bytes, blank: NDArray[np.bool_], kind: str) -> NDArray[Any]:
    """Whole numbers of eight bytes; 0 where it is blank. Raises `SourceError` for others, and beyond the range."""
    if text.shape[-1] > _EXACT:
        return np.where(blank, b"0", _joined(text)).astype(kind)
    numbers = parse_numbers(text)
    numbers[blank] = 0
    if not np.array_equal(numbers, np.rint(numbers)):
        raise SourceError("it is no whole number", kind="source.stream")
    limits = np.iinfo(kind)
    if numbers.size and not limits.min <= numbers.min() <= numbers.max() < limits.max:
        raise SourceError("it does not fit into 8 bytes", kind="source.stream")
    return numbers.astype(kind)

# SPDX-License-Identifier: GPL-3.0-or-later
"""The layout of das3 data packets: where each variable stands, and how its bytes become a column.

The bodies of many packets of one size are a matrix of bytes, one row per packet; a column is a view of some of its
bytes, or what a text parser makes of them.
"""

from __future__ import annotations

from itertools import accumulate
from math import prod
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dasflex_core.digits import blank_mask, parse_iso, parse_numbers
from dasflex_core.errors import SourceError
from dasflex_core.values import dataclass
from dasflex_das.das3_framing import MAX_RECORD
from dasflex_das.das3_values import evaluate

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from dasflex_core.arrays import Sequence, Variable

    Bytes = NDArray[np.uint8]

__all__ = ["Layout", "Place"]

#: Text of at most this many bytes is a number that a double holds exactly, if it is whole.
_EXACT: Final = 15
#: Bytes of columns that are made at a time. Text and rules can make much of a short packet.
_MOST_HELD: Final = 1 << 23


@dataclass(frozen=True, slots=True)
class Place:
    """What a variable has in each packet: `count` values of `width` bytes.

    No variable: bytes that are passed over. No bytes, and `sequences`: a column that follows a rule.
    """

    variable: Variable | None
    width: int
    count: int
    sequences: tuple[Sequence, ...] = ()

    @property
    def size(self) -> int:
        """The bytes in each packet."""
        return self.width * self.count

    @property
    def held(self) -> int:
        """The bytes of a record in the column: more than in the packet for short text, and for what follows a rule."""
        return prod(self.variable.shape) * self.variable.dtype.itemsize if self.variable else 0


@dataclass(frozen=True, slots=True)
class Layout:
    """The places of the variables in a packet, in the order of the wire, the offset of each, and the whole size.

    `most` is the number of records whose columns take about as many bytes as a batch may.
    """

    places: tuple[Place, ...]
    offsets: tuple[int, ...]
    size: int
    most: int

    @classmethod
    def of(cls, places: tuple[Place, ...], where: str) -> Layout:
        """The layout of these places, one behind the other. Raises `SourceError` beyond `MAX_RECORD` bytes."""
        used = tuple(place for place in places if place.size or place.sequences)
        ends = tuple(accumulate((place.size for place in used), initial=0))
        if ends[-1] > MAX_RECORD:
            raise SourceError(
                f"{where} declares data packets of {ends[-1]:,} bytes; at most {MAX_RECORD:,} are read",
                kind="source.stream",
            )
        held = sum(place.held for place in used)
        return cls(used, ends[:-1], ends[-1], max(1, _MOST_HELD // max(1, held)))

    def columns(self, bodies: Bytes, first: int) -> dict[str, NDArray[Any]]:
        """The columns of packets with these bodies, of shape (packets, size); `first` is the number of the first.

        Binary columns are views of the bodies. Raises `SourceError` for text that cannot be read.
        """
        columns = {}
        for place, offset in zip(self.places, self.offsets, strict=True):
            variable = place.variable
            if variable is None:
                continue
            if place.sequences:
                extents = (len(bodies), *variable.index[1:])
                values = evaluate(place.sequences, extents, variable.dtype, first)
                columns[variable.name] = values.reshape(len(bodies), *variable.shape)
                continue
            values = _values(bodies[:, offset : offset + place.size], place, variable)
            columns[variable.name] = values.reshape(len(bodies), *variable.shape)
        return columns


def _values(own: Bytes, place: Place, variable: Variable) -> NDArray[Any]:
    """The values of one variable from its bytes, of shape (packets, count)."""
    if variable.encoding is None or variable.encoding.name != "utf8":
        return own.view(variable.dtype)
    text = own.reshape(len(own), place.count, place.width)
    try:
        return _text_values(text, variable)
    except (SourceError, ValueError, OverflowError) as error:
        raise SourceError(f"A value of {variable.name} cannot be read: {error}", kind="source.stream") from None


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

# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows with a fixed number of significant digits: one matrix of bytes per block of records, squeezed.

A row is cut into *slots* of one width, that of the commonest cell with its separator. A cell takes as many slots as
it needs and stands on their right. The digit kernel writes reals into their slots in place; separators and other
constant bytes are written once, as the matrix is used again. `squeeze` then leaves out what is not text.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from dasflex_core.arrays import is_fill
from dasflex_core.digits import DROP, fixed_e, integers, natural_width
from dasflex_core.values import dataclass
from dasflex_csv import cells
from dasflex_csv.layout import values_of
from dasflex_csv.squeeze import padding, squeeze

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from dasflex_core.arrays import Records
    from dasflex_csv.layout import Field

    Bytes: TypeAlias = NDArray[np.uint8]

__all__ = ["FixedRows", "RowStyle"]

_VALUES: Final = 65_536  # values of a block, as the digit kernel has them: a batch of 256 kB is one block
_SPAN: Final = 4096  # rows whose times and text are made at once, as each call has its price
_WIDEST: Final = 64  # bytes of a slot: longer text takes several
#: From here on an exponent may have three digits, after rounding too.
_LOW: Final = 1e-99
_HIGH: Final = 9e99


@dataclass(frozen=True, slots=True)
class RowStyle:
    """What the cells of a row stand between, and how some are written.

    `prefix` starts each row. With `empties`, fill and NaN are empty cells and states are words; without, fill is
    written as it is and states are numbers.
    """

    delimiter: bytes
    newline: bytes
    prefix: bytes = b""
    empties: bool = True


class FixedRows:
    """Writes the records of one layout as rows in which every real has the same number of digits."""

    def __init__(self, fields: tuple[Field, ...], style: RowStyle, significant: int | None) -> None:
        """`significant` digits of every real; without it 9 of a float32 and 17 of a float64, which lose nothing."""
        self._fields = fields
        self._written = tuple(field for field in fields if field.kind != "fixed")
        self._style = style
        self._significant = significant
        self._frame: _Frame | None = None

    def rows(self, batch: Records) -> Iterator[bytes]:
        """The text of a batch in blocks of rows."""
        columns = sum(field.count for field in self._written)
        step = max(1, _VALUES // columns)
        span = step * max(1, _SPAN // step)
        for first in range(0, len(batch), span):
            yield from self._blocks(batch.slice(slice(first, first + span)), step)

    def _blocks(self, batch: Records, step: int) -> Iterator[bytes]:
        """The text of some blocks, whose cells of other kinds than reals are made at once."""
        texts = [None if field.kind == "real" else self._text(field, batch) for field in self._written]
        widths = tuple(
            natural_width(field.variable.dtype, self._digits(field)) if text is None else text.rows.shape[-1]
            for field, text in zip(self._written, texts, strict=True)
        )
        if self._frame is None or self._frame.widths != widths:
            self._frame = _Frame(widths, self._fields, self._style, step)
        for first in range(0, len(batch), step):
            block = batch.slice(slice(first, first + step))
            for place, (field, text) in enumerate(zip(self._written, texts, strict=True)):
                target = self._frame.cells[place][: len(block)]
                if text is None:
                    lengths = self._reals(field, block, target)
                else:
                    target[...] = text.rows[first : first + step]
                    lengths = text.lengths[first : first + step]
                self._frame.measure(place, lengths)
            yield self._frame.text(len(block))

    def _text(self, field: Field, batch: Records) -> _Text:
        """The cells of a field that holds no reals."""
        variable, values = field.variable, values_of(field, batch)
        words = self._style.empties
        if field.kind == "integer" or (field.kind == "boolean" and not words):
            rows = integers(values.astype(np.uint8) if values.dtype.kind == "b" else values, pad=DROP)
            if words:
                rows[is_fill(values, variable.fill)] = DROP
            return _Text(rows, rows.shape[-1] - padding(rows, DROP))
        if field.kind == "time":
            text = cells.times(variable, values, field.secfrac, empties=words)
        elif field.kind == "boolean":
            text = cells.states(variable, values)
        else:
            text = cells.strings(variable, values, self._style.delimiter, empties=words)
        return _Text(*cells.right_aligned(text))

    def _reals(self, field: Field, block: Records, target: Bytes) -> Bytes:
        """Writes the reals of a field into their cells; the lengths of their texts."""
        digits = self._digits(field)
        values = values_of(field, block)
        values = values.astype(values.dtype.newbyteorder("="), order="C")
        missing = np.empty(0, dtype=np.intp)
        if self._style.empties:
            missing = np.flatnonzero(is_fill(values, field.variable.fill) | np.isnan(values))
            values.reshape(-1)[missing] = 0.0  # the kernel is slow for NaN
        fixed_e(values, digits, pad=DROP, out=target)
        lengths: Bytes = np.signbit(values).view(np.uint8)
        lengths += np.uint8(digits + 6)  # d.ddde+00
        odd = _odd(values)
        if odd.size:
            place = np.unravel_index(odd, values.shape)
            lengths[place] = target.shape[-1] - padding(target[place], DROP)
        lengths.reshape(-1)[missing] = 0
        return lengths

    def _digits(self, field: Field) -> int:
        """Digits behind the point of the reals of a field."""
        if self._significant is not None:
            return self._significant - 1
        return 8 if field.variable.dtype.itemsize <= 4 else 16


def _odd(values: NDArray[Any]) -> NDArray[np.intp]:
    """The places, in the flattened values, where text may have another form than `-d.ddde+00`."""
    if values.dtype.itemsize <= 4:
        return np.flatnonzero(~np.isfinite(values))
    size = np.abs(values)
    return np.flatnonzero(~((size < _HIGH) & ((size >= _LOW) | (size == 0))))


@dataclass(frozen=True, slots=True)
class _Text:
    """Texts on the right of their cells, bytes of shape (records, count, width), and their lengths."""

    rows: Bytes
    lengths: NDArray[Any]


@dataclass(frozen=True, slots=True)
class _Section:
    """Neighbouring cells of one form: up to `width` bytes of text, which may be 0, and constant bytes behind it."""

    count: int
    width: int
    ending: bytes

    @property
    def size(self) -> int:
        """The bytes of the longest cell with what is behind it."""
        return self.width + len(self.ending)


class _Frame:
    """A matrix of slots for up to `capacity` records, with everything in place that is the same in each row.

    `cells` is where the texts of each field are written: bytes of shape (capacity, count, width).
    """

    def __init__(self, widths: tuple[int, ...], fields: tuple[Field, ...], style: RowStyle, capacity: int) -> None:
        sections = _sections(widths, fields, style)
        self.widths = widths
        self._slot = slot = _slot_width(sections)
        total = sum(section.count * -(-section.size // slot) for section in sections)
        self._rows: Bytes = np.zeros((capacity, total * slot), dtype=np.uint8)
        self._sizes: Bytes = np.zeros((capacity, total), dtype=np.uint8)
        self.cells: list[Bytes] = []
        self._lengths: list[tuple[_Section, Bytes]] = []
        at = last = 0
        for section in sections:
            each = -(-section.size // slot)
            end = at + section.count * each
            region = self._rows[:, at * slot : end * slot].reshape(capacity, section.count, each * slot)
            start = each * slot - section.size
            region[..., start + section.width :] = np.frombuffer(section.ending, dtype=np.uint8)
            sizes = self._sizes[:, at:end].reshape(capacity, section.count, each)
            sizes[...] = _spread(len(section.ending), each, slot)
            if section.width:
                self.cells.append(region[..., start : start + section.width])
                self._lengths.append((section, sizes))
                last = end
            at = end
        if fields[-1].kind != "fixed":
            self._rows[:, last * slot - 1] = style.newline[0]

    def measure(self, place: int, lengths: NDArray[Any]) -> None:
        """Takes the lengths of the texts of a field, of shape (records, count)."""
        section, sizes = self._lengths[place]
        if sizes.shape[-1] == 1:
            np.add(lengths, len(section.ending), out=sizes[: len(lengths), :, 0], casting="unsafe")
        else:
            sizes[: len(lengths)] = _spread(lengths + len(section.ending), sizes.shape[-1], self._slot)

    def text(self, count: int) -> bytes:
        """The text of the first rows."""
        return squeeze(self._rows[:count].reshape(-1, self._slot), self._sizes[:count].reshape(-1))


def _spread(lengths: NDArray[Any] | int, each: int, slot: int) -> NDArray[Any]:
    """What of texts of these lengths stands in each of the slots of a cell, the last of which is full first."""
    sizes: NDArray[Any] = np.clip(np.asarray(lengths)[..., np.newaxis] - slot * np.arange(each)[::-1], 0, slot)
    return sizes


def _sections(widths: tuple[int, ...], fields: tuple[Field, ...], style: RowStyle) -> list[_Section]:
    """The sections of a row. Separators stand behind cells, and the last one is the end of the line."""
    found: list[_Section] = []
    constant, width = style.prefix, iter(widths)
    for field in fields:
        if field.kind == "fixed":
            constant += style.delimiter * field.count
            continue
        if constant:
            found.append(_Section(1, 0, constant))
            constant = b""
        found.append(_Section(field.count, next(width), style.delimiter))
    rest = constant[:-1] + style.newline if constant else style.newline[1:]  # the last separator becomes a newline
    return [*found, _Section(1, 0, rest)] if rest else found


def _slot_width(sections: list[_Section]) -> int:
    """The width of a slot: the size that most cells of text have."""
    sizes: Counter[int] = Counter()
    for section in sections:
        if section.width:
            sizes[section.size] += section.count
    return min(sizes.most_common(1)[0][0], _WIDEST)

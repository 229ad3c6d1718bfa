# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows in which every number has the shortest digits that read back as the same number.

A block of neighbouring columns of one type is written at a time. Most records are one column of times before one block
of numbers, for which there is a fast way; others are put together from the cells of each part.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np
import orjson

from dasflex_core.arrays import is_fill
from dasflex_core.digits.shortest import row_texts, spliced, stand_ins
from dasflex_core.values import dataclass
from dasflex_csv import cells
from dasflex_csv.layout import Field, values_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from dasflex_core.arrays import Records

    #: Texts in the output of orjson, and what is written in their place.
    Swaps: TypeAlias = list[tuple[bytes, bytes]]
    #: Cells by the name of their variable, each of shape (records, count).
    Texts: TypeAlias = Mapping[str, cells.Cells]

__all__ = ["ShortRows"]

_VALUES: Final = 16_384  # values of a block: they, and their text, stay in a second-level cache
_SPAN: Final = 4096  # rows whose times and text are made at once, as each call has its price


@dataclass(frozen=True, slots=True)
class _Block:
    """Neighbouring fields of numbers that are written as one type."""

    dtype: np.dtype[Any]
    fields: tuple[Field, ...]

    @property
    def count(self) -> int:
        """The number of columns."""
        return sum(field.count for field in self.fields)


class ShortRows:
    """Writes the records of one layout as rows of shortest numbers; fill and NaN are empty cells."""

    def __init__(self, fields: tuple[Field, ...], delimiter: bytes, *, splice: bool = True) -> None:
        """`splice` allows the fast way for times before numbers; both ways give the same bytes."""
        self._delimiter = delimiter
        self._parts = tuple(_parts(fields))
        self._columns = sum(field.count for field in fields)
        self._splice = splice

    def rows(self, batch: Records) -> Iterator[bytes]:
        """The text of a batch in blocks of rows."""
        step = max(1, _VALUES // self._columns)
        span = step * max(1, _SPAN // step)
        for first in range(0, len(batch), span):
            yield from self._blocks(batch.slice(slice(first, first + span)), step)

    def _blocks(self, batch: Records, step: int) -> Iterator[bytes]:
        """The text of some blocks, whose cells of other kinds than numbers are made at once."""
        texts = {part.variable.name: self._cells(part, batch) for part in self._parts if isinstance(part, Field)}
        for first in range(0, len(batch), step):
            rows = slice(first, first + step)
            yield self._rows(batch.slice(rows), {name: text[rows] for name, text in texts.items()})

    def _rows(self, block: Records, texts: Texts) -> bytes:
        """The text of a few records; `texts` are the cells of each field that holds no numbers."""
        match self._parts:
            case (Field(kind="time", count=1) as lead, _Block() as numbers) if self._splice:
                times = texts[lead.variable.name]
                if times.view(np.uint8).all():  # none is missing
                    return self._spliced(times[:, 0], numbers, block)
        return self._joined(block, texts)

    def _spliced(self, times: cells.Cells, block: _Block, batch: Records) -> bytes:
        """Rows of a time and a block of numbers."""
        room = len(stand_ins(times.dtype.itemsize, block.dtype))
        numbers, swaps = _numbers(block, batch, room)
        return _swapped(spliced(times, numbers, delimiter=self._delimiter), swaps)

    def _joined(self, block: Records, texts: Texts) -> bytes:
        """Rows of any parts, put together from their cells."""
        columns: list[list[bytes]] = []
        for part in self._parts:
            if isinstance(part, _Block):
                numbers, swaps = _numbers(part, block, 0)
                rows = b"\n".join(row_texts(numbers, delimiter=self._delimiter))
                columns.append(_swapped(rows, swaps).split(b"\n"))
            else:
                columns += [column.tolist() for column in texts[part.variable.name].T]
        return b"\n".join([*map(self._delimiter.join, zip(*columns, strict=True)), b""])

    def _cells(self, field: Field, batch: Records) -> cells.Cells:
        """The cells of a field that holds no numbers, of shape (records, count)."""
        values = values_of(field, batch)
        if field.kind == "time":
            return cells.times(field.variable, values, field.secfrac, empties=True)
        if field.kind == "boolean":
            return cells.states(field.variable, values)
        return cells.strings(field.variable, values, self._delimiter, empties=True)


def _parts(fields: tuple[Field, ...]) -> Iterator[Field | _Block]:
    """The fields in their order, those of numbers that share a type together."""
    for dtype, group in groupby(fields, _number_type):
        if dtype:
            yield _Block(np.dtype(dtype), tuple(group))
        else:
            yield from group


def _number_type(field: Field) -> str:
    """The native type that the numbers of a field are written as; blank for what is no number."""
    dtype = field.variable.dtype
    if field.kind == "real":
        return "f4" if dtype.itemsize <= 4 else "f8"
    if field.kind == "integer":
        return "u8" if dtype.kind == "u" and dtype.itemsize == 8 else "i8"
    return ""


def _numbers(block: _Block, batch: Records, spare: int) -> tuple[NDArray[Any], Swaps]:
    """The numbers of a block behind some spare columns, and what must be swapped in their text.

    Missing reals are NaN, which orjson writes as `null`. Integers have no NaN, and infinities are `null` too, so that
    for them a number stands in that the block does not hold, and whose text is no part of another number's.
    """
    numbers = np.empty((len(batch), spare + block.count), dtype=block.dtype)
    missing = np.zeros((len(batch), block.count), dtype=np.bool_)
    at = 0
    for field in block.fields:
        values = values_of(field, batch)
        numbers[:, spare + at : spare + at + field.count] = values
        missing[:, at : at + field.count] = is_fill(values, field.variable.fill)
        at += field.count
    body = numbers[:, spare:]
    swaps: Swaps = []
    if block.dtype.kind == "f":
        infinite = np.isinf(body)
        if infinite.any():
            limit = _unused(body, np.finfo(block.dtype).max)
            body[infinite] = np.copysign(limit, body[infinite])
            swaps.append((_number_text(limit), b"inf"))
        body[missing] = np.nan
    elif missing.any():
        info = np.iinfo(block.dtype)
        limit = _unused(body, block.dtype.type(info.min or info.max))
        body[missing] = limit
        swaps.append((_number_text(limit), b""))
    return numbers, swaps


def _unused(values: NDArray[Any], limit: Any) -> Any:  # noqa: ANN401  a number of the block's type
    """The number nearest to the limit of the type that none of the values is; of reals, with neither sign."""
    if values.dtype.kind == "f":
        while bool((np.abs(values) == limit).any()):
            limit = np.nextafter(limit, values.dtype.type(0))
    else:
        while bool((values == limit).any()):
            limit -= np.sign(limit)
    return limit


def _number_text(number: Any) -> bytes:  # noqa: ANN401  a number of the block's type
    """The text that orjson gives a number."""
    return orjson.dumps(number, option=orjson.OPT_SERIALIZE_NUMPY)


def _swapped(text: bytes, swaps: Swaps) -> bytes:
    """The text after all swaps."""
    for old, new in swaps:
        text = text.replace(old, new)
    return text

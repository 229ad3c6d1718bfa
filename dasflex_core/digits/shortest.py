# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of numbers with the shortest digits that read back as the same number, which orjson finds a block at a time.

orjson gives `[[1.0,2.5],[…]]`. Where a row begins with a cell of its own, such as a time, the block has columns of
stand-ins in its place, whose text is as long as the cell, and the cells are copied over them: no row is touched by
itself. NaN has no text in JSON, and infinities have none either, so that whoever has some swaps them before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson
from numpy.lib.stride_tricks import as_strided

from dasflex_core.digits.fixed import DROP, compact

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["row_texts", "spliced", "stand_ins"]

_OPEN: Final = ord("[")
_NULL: Final = b"null"  # what orjson writes for NaN
_LONGEST: Final = 15  # characters of a power of ten that orjson writes without an exponent, such as 10.0


def stand_ins(width: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The numbers that keep the place of a cell of `width` bytes, which is what `spliced` copies over them.

    They are powers of ten; integers must have 64 bits. Beside them the cell covers the bracket that opens the row, and
    the byte before it.
    """
    length = width - 2
    first = length if length <= _LONGEST else min(_LONGEST, length - 4)
    lengths = [first] if first == length else [first, length - first - 1]
    point = 2 if dtype.kind == "f" else 0  # 10.0 or 10
    return np.array([10.0 ** (each - 1 - point) for each in lengths]).astype(dtype)


def spliced(
    cells: NDArray[Any], numbers: NDArray[Any], *, delimiter: bytes = b",", close: bytes = b"\n", missing: bytes = b""
) -> bytes:
    r"""Rows of a cell and numbers; `cells` has one text of full width for each row, which no NUL ends.

    `numbers` has room for the `stand_ins` in its first columns, which are overwritten. Each row ends with the byte
    `close`. `missing`, of at most four bytes, stands for NaN.

    >>> spliced(np.array([b"12:00", b"12:01"]), np.array([[0, 1.5, 2.0], [0, np.nan, 3.25]]))
    b'12:00,1.5,2.0\n12:01,,3.25\n'
    """
    width = cells.dtype.itemsize
    spare = stand_ins(width, numbers.dtype)
    numbers[:, : len(spare)] = spare
    line = _line(numbers, delimiter, missing)
    starts = np.flatnonzero(line == _OPEN)[1:]  # the first opens the list of rows
    line[starts[1:] - 2] = close[0]
    line[-2] = close[0]
    places = as_strided(line[:width].view(f"V{width}"), (len(line) - width + 1,), (1,))
    places[starts - 1] = cells.view(f"V{width}")
    return compact(line[:-1])


def row_texts(numbers: NDArray[Any], *, delimiter: bytes = b",", missing: bytes = b"") -> list[bytes]:
    """The text of each row of a matrix, without an end; `missing`, of at most four bytes, stands for NaN.

    >>> row_texts(np.array([[1.0, np.nan], [0.1, 2.0]]), missing=b"NaN")
    [b'1.0,NaN', b'0.1,2.0']
    """
    text = compact(_line(numbers, delimiter, missing))
    return text[2:-2].split(b"]%b[" % delimiter) if len(numbers) else []


def _line(numbers: NDArray[Any], delimiter: bytes, missing: bytes) -> NDArray[np.uint8]:
    """The numbers as a list of lists, in bytes, `DROP` behind what stands for NaN."""
    text = orjson.dumps(numbers, option=orjson.OPT_SERIALIZE_NUMPY)
    if delimiter != b",":
        text = text.translate(bytes.maketrans(b",", delimiter))
    line = np.frombuffer(bytearray(text), dtype=np.uint8)
    if missing != _NULL and numbers.dtype.kind == "f" and bool(np.isnan(numbers).any()):
        nulls = np.flatnonzero(line == _NULL[0])  # no number has an n
        for place, char in enumerate(missing.ljust(len(_NULL), bytes([DROP]))):
            line[nulls + place] = char
    return line

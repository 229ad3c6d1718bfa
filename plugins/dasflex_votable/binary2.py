# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows as BINARY2 (VOTable 1.4, section 5.4): flags of what is missing, then big-endian fields; base64 around all."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any

import numpy as np

from dasflex_votable.elements import elements

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dasflex_core.arrays import Records
    from dasflex_votable.fields import Field

__all__ = ["Base64", "rows"]


def rows(fields: Sequence[Field], batch: Records) -> bytes:
    """The bytes of the rows of a batch.

    Each row begins with a bit for each field, the first the highest, set where its value is missing. A field of varying
    length has the number of its elements in four bytes before it.
    """
    made = [elements(each, batch[each.variable.name]) for each in fields]
    lacking = np.stack([missing for _values, _offsets, missing in made], axis=1)
    parts = [np.packbits(lacking, axis=1)]
    if not any(each.varies for each in fields):
        parts += [_octets(values) for values, _offsets, _missing in made]
        return np.concatenate(parts, axis=1).tobytes()
    columns = [
        _varying(values, offsets) if field.varies else _fixed(values)
        for field, (values, offsets, _missing) in zip(fields, made, strict=True)
    ]
    return _joined(parts[0], columns)


def _octets(values: NDArray[Any]) -> NDArray[np.uint8]:
    """The bytes of entries, a row for each."""
    packed = np.ascontiguousarray(values)
    return packed.view(np.uint8).reshape(len(packed), packed.shape[1] * packed.dtype.itemsize)


def _fixed(values: NDArray[Any]) -> list[bytes]:
    """The bytes of each record's value."""
    packed = _octets(values)
    data, width = packed.tobytes(), packed.shape[1]
    return [data[place : place + width] for place in range(0, len(data), width)] if width else [b""] * len(packed)


def _varying(values: NDArray[Any], offsets: NDArray[np.int64]) -> list[bytes]:
    """The bytes of each record's value, with the number of elements before them."""
    packed = _octets(values)
    data, width, count = packed.tobytes(), packed.shape[1], values.shape[1]
    ends = (offsets * width).tolist()
    numbers = (np.diff(offsets) * count).astype(">i4").view("S4").tolist()
    return [
        number.ljust(4, b"\0") + data[first:last]
        for number, first, last in zip(numbers, ends[:-1], ends[1:], strict=True)
    ]


def _joined(flags: NDArray[np.uint8], columns: Sequence[Sequence[bytes]]) -> bytes:
    """The rows of columns of bytes."""
    return b"".join(part for row in zip(_fixed(flags), *columns, strict=True) for part in row)


class Base64:
    """Bytes as lines of base64 text (RFC 2045), however they come."""

    #: A multiple of three, so that lines join to one text.
    _LINE = 57

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """The lines that are whole."""
        data = self._rest + data
        whole = len(data) - len(data) % self._LINE
        self._rest = data[whole:]
        return self._lines(data[:whole])

    def finish(self) -> bytes:
        """The last line."""
        data, self._rest = self._rest, b""
        return self._lines(data)

    def _lines(self, data: bytes) -> bytes:
        """The text of bytes."""
        text, width = b64encode(data), self._LINE // 3 * 4
        return b"".join(text[place : place + width] + b"\n" for place in range(0, len(text), width))

# SPDX-License-Identifier: GPL-3.0-or-later
"""Records of HAPI as text and as bytes: lines of csv, records of the binary form, rows of JSON.

The csv has no names and no blanks, `NaN` as it is, and quotes where a text needs them (HAPI 3.3, 3.7.3; RFC 4180).
Binary records stand one after another, little-endian, texts padded by NUL (3.7.4). In JSON values are nested as the
`size` of their parameter says, and NaN is null (3.7.5, and RFC 8259, which has no NaN).
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import orjson

from dasflex_core.digits.shortest import row_texts, spliced, stand_ins
from dasflex_core.quoting import quoted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from dasflex_hapi.info import Parameter

    #: The values of each parameter, of shape (records, *size), the times first.
    Columns = Sequence[NDArray[Any]]

__all__ = ["binary_records", "csv_rows", "json_rows"]

_NAN: Final = b"NaN"
_NULL: Final = b"null"


def csv_rows(parameters: Sequence[Parameter], columns: Columns) -> bytes:
    """Lines of csv."""
    parts = _parts(parameters, columns)
    if len(parts) == 2 and parts[0].dtype.kind == "S" and parts[1].dtype.kind != "S":
        return _spliced(parts[0][:, 0], parts[1], b"\n", _NAN)
    cells: list[list[bytes]] = []
    for part in parts:
        if part.dtype.kind == "S":
            cells += [column.tolist() for column in part.T]
        else:
            cells.append(row_texts(part, missing=_NAN))
    return b"\n".join([*map(b",".join, zip(*cells, strict=True)), b""])


def _parts(parameters: Sequence[Parameter], columns: Columns) -> list[NDArray[Any]]:
    """The columns as matrices, neighbours that hold numbers of one type as one; texts are quoted where they must be."""
    parts: list[NDArray[Any]] = []
    flat = [column.reshape(len(column), -1) for column in columns]
    for letter, group in groupby(zip(parameters, flat, strict=True), lambda each: each[1].dtype.kind):
        if letter == "S":
            parts += [quoted(each, b",") if parameter.type == "string" else each for parameter, each in group]
        else:
            numbers = np.concatenate([each for _, each in group], axis=1)
            parts.append(numbers.astype(np.int64) if letter == "i" else numbers)  # stand-ins are long numbers
    return parts


def _spliced(cells: NDArray[Any], numbers: NDArray[Any], close: bytes, missing: bytes) -> bytes:
    """Rows of a cell and numbers, whose stand-ins get room before them."""
    room = len(stand_ins(cells.dtype.itemsize, numbers.dtype))
    wide = np.empty((len(numbers), room + numbers.shape[1]), dtype=numbers.dtype)
    wide[:, room:] = numbers
    return spliced(cells, wide, close=close, missing=missing)


def binary_records(columns: Columns) -> bytes:
    """Records one after another."""
    fields = [(f"p{place}", each.dtype, each.shape[1:]) for place, each in enumerate(columns)]
    rows = np.empty(len(columns[0]), dtype=fields)
    for (name, _, _), column in zip(fields, columns, strict=True):
        rows[name] = column
    return rows.tobytes()


def json_rows(columns: Columns) -> bytes:
    """Rows of JSON, each with `,` and a line end before it, so that the first two bytes of all may be left out."""
    times, *others = columns
    if others and all(each.ndim == 1 and each.dtype == others[0].dtype and each.dtype.kind != "S" for each in others):
        cells = np.strings.add(np.strings.add(b',\n["', times), b'"')
        numbers = np.stack(others, axis=1)
        return _spliced(cells, numbers.astype(np.int64) if numbers.dtype.kind == "i" else numbers, b"]", _NULL)
    rows = zip(*map(_value_texts, columns), strict=True)
    return b"".join(b",\n[%b]" % b",".join(row) for row in rows)


def _value_texts(values: NDArray[Any]) -> list[bytes]:
    """The text of each record's value, which is a list where the parameter has a size."""
    if values.dtype.kind == "S":
        texts = np.strings.decode(values, "utf-8", "replace").tolist()
        return [orjson.dumps(each) for each in texts]
    text = orjson.dumps(np.ascontiguousarray(values), option=orjson.OPT_SERIALIZE_NUMPY)
    depth = values.ndim - 1
    if not len(values):
        return []
    opening, closing = b"[" * depth, b"]" * depth
    inner = text[1 + depth : len(text) - 1 - depth].split(closing + b"," + opening)
    return [opening + each + closing for each in inner] if depth else inner

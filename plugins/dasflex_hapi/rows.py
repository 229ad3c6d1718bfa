# SPDX-License-Identifier: GPL-3.0-or-later
"""Records of HAPI as columns, from chunks that are cut anywhere: csv and binary (HAPI 3.3, 3.7).

A column is what stands in the stream, by the name of its parameter, in the shape (records, *size): texts as bytes,
times as texts. Whole blocks of about a megabyte are taken apart at once.
"""

from __future__ import annotations

import csv
from io import StringIO
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dasflex_core.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from dasflex_hapi.info import Parameter

    Columns = Mapping[str, NDArray[Any]]

__all__ = ["binary_rows", "csv_rows"]

_BLOCK: Final = 1 << 20
_CUT: Final = "The HAPI server broke off within a record"


def binary_rows(chunks: Iterable[bytes], parameters: Sequence[Parameter]) -> Iterator[Columns]:
    """The records of the binary form: little-endian, without separators. Raises `SourceError` where it is cut."""
    fields = [(f"f{place}", _binary_type(each), each.size) for place, each in enumerate(parameters)]
    layout = np.dtype(fields)
    for block in _blocks(chunks, max(1, _BLOCK // layout.itemsize) * layout.itemsize):
        whole = len(block) // layout.itemsize * layout.itemsize
        if whole != len(block):
            raise SourceError(_CUT, kind="source.truncated")
        rows = np.frombuffer(block, layout)
        yield {each.name: rows[f"f{place}"] for place, each in enumerate(parameters)}


def _binary_type(parameter: Parameter) -> str:
    """The type of a value as it stands in the stream."""
    return {"double": "<f8", "integer": "<i4"}.get(parameter.type, f"S{parameter.length}")


def _blocks(chunks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """The same bytes in blocks of one size; the last is what is left."""
    held = bytearray()
    for chunk in chunks:
        held += chunk
        while len(held) >= size:
            yield bytes(held[:size])
            del held[:size]
    if held:
        yield bytes(held)


def csv_rows(chunks: Iterable[bytes], parameters: Sequence[Parameter]) -> Iterator[Columns]:
    """The records of the csv form: RFC 4180, arrays unrolled. Raises `SourceError` for rows of other lengths."""
    counts = [each.count for each in parameters]
    for text in _lines(chunks):
        cells = _plain(text, sum(counts)) if b'"' not in text else _quoted(text, sum(counts))
        first, found = 0, {}
        for each, count in zip(parameters, counts, strict=True):
            found[each.name] = _column(cells[:, first : first + count], each).reshape(len(cells), *each.size)
            first += count
        yield found


def _lines(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Whole lines in blocks. A line ends where the quotes before its end are even: cells may hold line ends."""
    held = bytearray()
    for chunk in chunks:
        held += chunk
        if len(held) < _BLOCK:
            continue
        end = held.rfind(b"\n") + 1
        while end and held.count(b'"', 0, end) % 2:
            end = held.rfind(b"\n", 0, end - 1) + 1
        if not end:
            if len(held) > 64 * _BLOCK:
                raise SourceError("The HAPI server sends a line without an end", kind="source.stream")
            continue
        yield bytes(held[:end])
        del held[:end]
    if held.strip():
        if not held.endswith(b"\n"):  # a record ends with a newline (HAPI 3.3, 3.7.2)
            raise SourceError(_CUT, kind="source.truncated")
        yield bytes(held)


def _plain(text: bytes, count: int) -> NDArray[Any]:
    """The cells of lines without quotes."""
    bare = text.replace(b"\r", b"").rstrip(b"\n")
    rows = bare.count(b"\n") + 1
    if bare.count(b",") != rows * (count - 1) or b"\n\n" in bare:
        raise _uneven(count)
    cells = np.array(bare.replace(b"\n", b",").split(b","))
    if count > 1:
        _check_rows(bare, rows, count)
    return cells.reshape(rows, count)


def _check_rows(bare: bytes, rows: int, count: int) -> None:
    """Raises `SourceError` where the separators of one line are not as many as those of another."""
    marks = np.frombuffer(bare, np.uint8)
    ends = np.flatnonzero(np.append(marks, 10) == ord("\n"))
    commas = np.searchsorted(np.flatnonzero(marks == ord(",")), ends)
    if (commas != np.arange(1, rows + 1) * (count - 1)).any():
        raise _uneven(count)


def _quoted(text: bytes, count: int) -> NDArray[Any]:
    """The cells of lines with quotes."""
    rows = [row for row in csv.reader(StringIO(text.decode("utf-8", "replace"), newline="")) if row]
    if any(len(row) != count for row in rows):
        raise _uneven(count)
    return np.array([[cell.encode() for cell in row] for row in rows])


def _uneven(count: int) -> SourceError:
    """What is said of rows that have more or fewer cells than the description says."""
    return SourceError(f"The HAPI server sends rows that have not {count} cells", kind="source.stream")


def _column(cells: NDArray[Any], parameter: Parameter) -> NDArray[Any]:
    """The cells of a parameter in its type."""
    if parameter.type in ("string", "isotime"):
        return cells.astype(f"S{max(parameter.length, 1)}")
    empty = b"NaN" if parameter.fill is None or parameter.type == "double" else parameter.fill.encode()
    bare = np.where(np.char.strip(cells) == b"", empty, cells)
    try:
        if parameter.type == "integer":
            try:
                return bare.astype(np.int64).astype("<i4")
            except ValueError:  # 12.0
                return bare.astype(np.float64).astype("<i4")
        return bare.astype("<f8")
    except (ValueError, OverflowError) as error:
        what = f"The HAPI server sends what is no number as {parameter.name}: {error}"
        raise SourceError(what, kind="source.stream") from error

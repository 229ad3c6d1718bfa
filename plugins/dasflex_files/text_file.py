# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of text: CSV, TSV and columns between blanks, read a mebibyte at a time.

Lines without quotes are cut into columns by the places of what parts them, and only the columns that are wanted are
turned into numbers, of the records that are wanted. Where quotes, or lines of another number of fields, make that
impossible, the csv module of Python cuts them: slower, and the same.
"""

from __future__ import annotations

import csv
import io
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dasflex_core.digits import blank_mask, parse_iso, parse_numbers
from dasflex_core.errors import SourceError
from dasflex_files.describing import Described, Held
from dasflex_files.kinds import BATCH
from dasflex_files.picking import cadence_of, rows_within
from dasflex_files.text_layout import laid_out, options

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

__all__ = ["TextFile"]

_HEAD: Final = 1 << 16
#: Nanoseconds of the parts of a time.
_NS: Final = {"hour": 3_600_000_000_000, "minute": 60_000_000_000, "second": 1_000_000_000, "ms": 1_000_000}
_DAY: Final = 86_400_000_000_000
_TIME: Final = "time"


class TextFile:
    """A table of text. Numbers are float64, missing ones NaN; other columns are text of twice the width seen first."""

    def __init__(self, path: str, time: str, told: str = "") -> None:
        self._file = Path(path).open("rb")  # noqa: SIM115  it is open until `close`
        try:
            self._size = os.fstat(self._file.fileno()).st_size
            self._head = self._file.read(_HEAD)
            self._layout = laid_out(self._head, options(told), time)
            self.described = self._described()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Lets the file go."""
        self._file.close()

    def constant(self, name: str) -> NDArray[Any]:
        """There is nothing in a table that does not depend on the record."""
        raise SourceError(f"{name} is not the same for all records of a table", kind="source.stream")

    def batches(self, names: tuple[str, ...], begin: int, end: int) -> Iterator[Mapping[str, NDArray[Any]]]:
        """The records in the range."""
        wanted = [self._layout.names.index(name) for name in names]
        for lines in self._chunks():
            table = _Cut.of(lines, self._layout.delimiter, self._layout.comment, len(self._layout.names))
            times = self._times(table)
            rows = np.flatnonzero(rows_within(times, "UTC", begin, end))
            if len(rows):
                columns = {self._layout.names[at]: self._values(table.column(at, rows), at) for at in wanted}
                yield {_TIME: times[rows], **columns}

    def _chunks(self) -> Iterator[bytes]:
        """The lines of records, about a mebibyte of them at a time."""
        self._file.seek(self._layout.begin)
        left = b""
        while chunk := self._file.read(BATCH):
            whole, newline, rest = chunk.rpartition(b"\n")
            if not newline:
                left += chunk
                continue
            yield left + whole + newline
            left = rest
        if left.strip():
            yield left + b"\n"

    def _values(self, text: NDArray[np.bytes_], at: int) -> NDArray[Any]:
        """The values of a column."""
        if not self._layout.numeric[at]:
            return text.astype(self._dtype(at))
        return self._numbers(text)

    def _numbers(self, text: NDArray[np.bytes_]) -> NDArray[np.float64]:
        """Numbers of texts; NaN for those that are missing."""
        missing = blank_mask(text) | (text == self._layout.missing.encode())
        filled = np.where(missing, b"nan", text)
        with suppress(ValueError):
            return filled.astype(np.float64)
        return parse_numbers(filled)

    def _times(self, table: _Cut) -> NDArray[np.datetime64]:
        """The times of all records."""
        parts = dict(self._layout.times)
        if "iso" in parts:
            return parse_iso(table.column(parts["iso"], None))
        numbers = {part: self._numbers(table.column(at, None)) for part, at in parts.items()}
        missing = np.any([np.isnan(each) for each in numbers.values()], axis=0)
        years = np.where(missing, 1970, numbers["year"]).astype(np.int64) - 1970
        whole = {part: np.where(missing, 1, numbers[part]) for part in ("month", "day", "doy") if part in numbers}
        months = whole.get("month", np.ones(len(years))).astype(np.int64) - 1
        first = (years.astype("M8[Y]").astype("M8[M]") + months).astype("M8[D]").astype("M8[ns]").astype(np.int64)
        days = whole.get("doy", whole.get("day", np.ones(len(years)))) - 1  # with a fraction, where hours are none
        ns = first + np.rint(days * _DAY).astype(np.int64)
        for part, length in _NS.items():
            if part in numbers:
                ns += np.rint(np.where(missing, 0, numbers[part]) * length).astype(np.int64)
        return np.where(missing, np.datetime64("NaT"), ns.view("M8[ns]"))

    def _dtype(self, at: int) -> str:
        """The type of the values of a column."""
        return "f8" if self._layout.numeric[at] else f"S{max(8, 2 * self._layout.widths[at])}"

    def _described(self) -> Described:
        """What the first and the last lines say."""
        layout = self._layout
        told = {at for _part, at in layout.times}
        variables = tuple(
            Held(name, self._dtype(at), units=layout.units[at], fill="nan" if layout.numeric[at] else "")
            for at, name in enumerate(layout.names)
            if at not in told
        )
        first, lines = self._ends(self._head[layout.begin :].rpartition(b"\n")[0] or self._head[layout.begin :])
        self._file.seek(max(self._size - _HEAD, layout.begin))
        tail = self._file.read(_HEAD)
        last, _lines = self._ends(tail.partition(b"\n")[2] if self._size > _HEAD else tail)
        seen = first[~np.isnat(first)]
        end = last[~np.isnat(last)]
        size = max(1, len(self._head) - layout.begin) / max(1, lines)
        count = lines if self._size <= _HEAD else round((self._size - layout.begin) / size)
        if not len(seen) or not len(end):
            return Described(_TIME, "UTC", variables)
        ends = int(seen[0].astype(np.int64)), int(end[-1].astype(np.int64))
        return Described(_TIME, "UTC", variables, "", count, *ends, cadence_of(first, "UTC"))

    def _ends(self, lines: bytes) -> tuple[NDArray[np.datetime64], int]:
        """The times of some lines, and how many there are."""
        layout = self._layout
        times = self._times(_Cut.of(lines.rstrip(b"\n") + b"\n", layout.delimiter, layout.comment, len(layout.names)))
        return times, len(times)


class _Cut:
    """Lines cut into columns: where each field begins and ends among their bytes; or the fields, one by one."""

    def __init__(self, data: NDArray[np.uint8], starts: NDArray[np.int64], ends: NDArray[np.int64]) -> None:
        self._data = data
        self._starts = starts
        self._ends = ends

    @classmethod
    def of(cls, lines: bytes, delimiter: str, comment: str, count: int) -> _Cut:
        """The lines, which end with a newline. Raises `SourceError` for one of another number of fields."""
        plain = lines.replace(b"\r\n", b"\n") if b"\r" in lines else lines
        simple = b'"' not in plain and b"\n\n" not in plain and not plain.startswith(b"\n")
        if simple and not (comment and comment.encode() in plain):
            found = cls._quickly(plain, delimiter, count)
            if found is not None:
                return found
        return cls._plainly(plain, delimiter, comment, count)

    @classmethod
    def _quickly(cls, lines: bytes, delimiter: str, count: int) -> _Cut | None:
        """By the places of what parts the fields; None where lines have different numbers of them."""
        data = np.frombuffer(lines, np.uint8)
        if delimiter:
            marks = np.flatnonzero((data == ord(delimiter)) | (data == 10))
            if len(marks) % count or not (data[marks[count - 1 :: count]] == 10).all():
                return None
            if count > 1 and (data[marks.reshape(-1, count)[:, :-1]] == 10).any():
                return None
            ends = marks.reshape(-1, count)
            starts = np.concatenate([[0], marks[:-1] + 1]).reshape(-1, count)
            return cls(data, starts, ends)
        blank = (data == 32) | (data == 9) | (data == 10)
        edges = np.flatnonzero(np.diff(np.concatenate([[True], blank, [True]]).astype(np.int8)))
        starts, ends = edges[::2], edges[1::2]
        newlines = np.flatnonzero(data == 10)
        before = np.searchsorted(starts, newlines)
        if len(starts) != len(newlines) * count or not (before == np.arange(1, len(newlines) + 1) * count).all():
            return None
        return cls(data, starts.reshape(-1, count), ends.reshape(-1, count))

    @classmethod
    def _plainly(cls, lines: bytes, delimiter: str, comment: str, count: int) -> _Cut:
        """Field by field, with quotes and without empty lines and comments."""
        text = io.StringIO(lines.decode("utf-8", "replace"))
        kept = (line for line in text if line.strip(" \r\n") and not (comment and line.lstrip().startswith(comment)))
        rows = list(csv.reader(kept, delimiter=delimiter)) if delimiter else [line.split() for line in kept]
        wrong = next((row for row in rows if len(row) != count), None)
        if wrong is not None:
            raise SourceError(f"A line of a table has {len(wrong)} fields, and not {count}", kind="source.stream")
        fields = [each.strip().encode() for row in rows for each in row]
        sizes = np.array([len(each) for each in fields], dtype=np.int64)
        ends = np.cumsum(sizes)
        data = np.frombuffer(b"".join(fields) or b" ", np.uint8)
        return cls(data, (ends - sizes).reshape(-1, count), ends.reshape(-1, count))

    def column(self, at: int, rows: NDArray[np.intp] | None) -> NDArray[np.bytes_]:
        """The texts of a column, of some rows or of all, without blanks around them."""
        starts, ends = self._starts[:, at], self._ends[:, at]
        if rows is not None:
            starts, ends = starts[rows], ends[rows]
        if not len(starts):
            return np.empty(0, "S1")
        width = max(1, int((ends - starts).max()))
        places = starts[:, None] + np.arange(width)
        inside = places < ends[:, None]
        letters = np.where(inside, self._data[np.minimum(places, len(self._data) - 1)], 0).astype(np.uint8)
        texts: NDArray[np.bytes_] = np.ascontiguousarray(letters).view(f"S{width}").reshape(-1)
        if (letters[:, 0] == 32).any() or (self._data[np.maximum(ends - 1, 0)] == 32).any():
            texts = np.strings.strip(texts)
        return texts

# SPDX-License-Identifier: GPL-3.0-or-later
"""Parquet files: a row group at a time, and only those groups whose times may be in the range."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dasflex_core.errors import SourceError
from dasflex_files.describing import Described, Held
from dasflex_files.picking import MANY, cadence_of, rows_within, runs_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

__all__ = ["ParquetFile"]

#: About how many rows are turned into arrays at once.
_ROWS = 1 << 15
_TEXT = "S64"


class ParquetFile:
    """A Parquet file. Numbers that may be missing are floats; lists of one length are inner indices."""

    def __init__(self, path: str, time: str, _told: str = "") -> None:
        self._file = pq.ParquetFile(path)
        try:
            self._schema = self._file.schema_arrow
            self._time = self._timed(time)
            self.described = self._described()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Lets the file go."""
        self._file.close()

    def constant(self, name: str) -> NDArray[Any]:
        """The values of a variable that the schema says of all records, as dasflex writes them."""
        return np.asarray(self._constants()[name]["values"], dtype=np.float64)

    def batches(self, names: tuple[str, ...], begin: int, end: int) -> Iterator[Mapping[str, NDArray[Any]]]:
        """The records in the range."""
        for group in self._groups(begin, end):
            columns = [self._time, *(name for name in names if name != self._time)]
            for batch in self._file.iter_batches(batch_size=_ROWS, row_groups=[group], columns=columns):
                times = _times(batch.column(self._time))
                for first, last in runs_of(rows_within(times, "UTC", begin, end)):
                    some = batch.slice(first, last - first)
                    values = {name: self._values(name, some.column(name)) for name in columns[1:]}
                    yield {self._time: times[first:last], **values}

    def _groups(self, begin: int, end: int) -> Iterator[int]:
        """The row groups that may hold records of the range, by the statistics of their times."""
        place = self._file.schema_arrow.get_field_index(self._time)
        for group in range(self._file.metadata.num_row_groups):
            told = self._file.metadata.row_group(group).column(place).statistics
            if told is not None and told.has_min_max:
                least, most = (_ns(each) for each in (told.min, told.max))
                if most < begin or least >= end:
                    continue
            yield group

    def _timed(self, time: str) -> str:
        """The column of the times: the one that is named, else the first of timestamps. Raises `SourceError`."""
        found = [each.name for each in self._schema if pa.types.is_timestamp(each.type) or pa.types.is_date(each.type)]
        if time and time not in found:
            raise SourceError(f"There is no column {time} of timestamps in a file", kind="source.stream")
        if not found:
            raise SourceError("There is no column of timestamps in a file", kind="source.stream")
        return time or str(found[0])

    def _values(self, name: str, column: Any) -> NDArray[Any]:  # noqa: ANN401  the library has no types
        """The values of a column: lists as inner indices, what is missing as NaN or as nothing."""
        held = self.described.variable(name)
        shape = held.shape if held else ()
        rows = len(column)
        while pa.types.is_list(column.type) or pa.types.is_fixed_size_list(column.type):
            column = column.flatten()
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            texts = np.array([(each or "").encode() for each in column.to_pylist()], _TEXT)
            return texts.reshape(rows, *shape)
        numbers = np.asarray(column.to_numpy(zero_copy_only=False))
        kind = np.dtype(held.dtype) if held else numbers.dtype
        return numbers.astype(kind).reshape(rows, *shape)

    def _described(self) -> Described:
        """What the schema says, and the first and the last times."""
        variables = [each for field in self._schema if field.name != self._time and (each := self._held(field))]
        constants = [
            Held(name, "f8", (len(told["values"]),), told.get("units", ""), told.get("label", ""), varies=False)
            for name, told in self._constants().items()
            if isinstance(told.get("values"), list) and all(isinstance(each, int | float) for each in told["values"])
        ]
        records = int(self._file.metadata.num_rows)
        title = self._about("title")
        every = (*variables, *constants)
        if not records:
            return Described(self._time, "UTC", every, title)
        first = _times(next(self._file.iter_batches(batch_size=MANY, columns=[self._time])).column(0))
        group = self._file.metadata.num_row_groups - 1
        last = _times(self._file.read_row_group(group, columns=[self._time]).column(0).combine_chunks())
        known = not (np.isnat(first[0]) or np.isnat(last[-1]))
        ends = (int(first[0].astype(np.int64)), int(last[-1].astype(np.int64))) if known else (0, 0)
        return Described(self._time, "UTC", every, title, records, *ends, cadence_of(first, "UTC"))

    def _held(self, field: Any) -> Held | None:  # noqa: ANN401  the library has no types
        """What is said of a column; None for one that is no number and no text."""
        kind, shape = field.type, []
        while pa.types.is_fixed_size_list(kind):
            shape.append(kind.list_size)
            kind = kind.value_type
        told = {key.decode(): value.decode() for key, value in (field.metadata or {}).items()}
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            dtype, fill = _TEXT, ""
        elif pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_boolean(kind):
            holes = pa.types.is_floating(kind) or self._has_nulls(field.name)
            exact = kind.to_pandas_dtype() if pa.types.is_floating(kind) or not holes else np.float64
            dtype = "u1" if pa.types.is_boolean(kind) and not holes else np.dtype(exact).str.lstrip("<>|=")
            fill = "nan" if holes else ""
        else:
            return None
        axes = tuple(each for each in told.get("axes", "").split(",") if each in self._constants())
        fitting = axes if len(axes) == len(shape) else ()
        return Held(
            field.name, dtype, tuple(shape), told.get("units", ""), "", told.get("label", ""), fill, axes=fitting
        )

    def _has_nulls(self, name: str) -> bool:
        """Whether values of a column may be missing, as far as the statistics say."""
        place = self._schema.get_field_index(name)
        for group in range(self._file.metadata.num_row_groups):
            row = self._file.metadata.row_group(group)
            told = row.column(place).statistics if place < row.num_columns else None
            if told is None or not told.has_null_count or told.null_count:
                return True
        return False

    def _about(self, key: str) -> str:
        """What the schema says of the table."""
        return str((self._schema.metadata or {}).get(key.encode(), b"").decode("utf-8", "replace"))

    def _constants(self) -> dict[str, Any]:
        """The variables that are the same for all records, where dasflex wrote the file."""
        try:
            found = json.loads(self._about("constants") or "{}")
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


def _times(column: Any) -> NDArray[np.datetime64]:  # noqa: ANN401  the library has no types
    """Timestamps as nanoseconds of UTC."""
    plain = column.cast(pa.timestamp("ns", tz=getattr(column.type, "tz", None)))
    return np.asarray(plain.to_numpy(zero_copy_only=False)).astype("M8[ns]")


def _ns(value: Any) -> int:  # noqa: ANN401  a date of whatever kind
    """A date of the statistics in nanoseconds since 1970."""
    plain = value.replace(tzinfo=None) if getattr(value, "tzinfo", None) else value
    return int(np.datetime64(plain, "ns").astype(np.int64))

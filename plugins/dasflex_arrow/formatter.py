# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes arrays as an Arrow IPC stream, a batch at a time, or as a Parquet file, a row group at a time.

Neither needs a file that can be searched: what the library writes is given on as it comes (the Arrow columnar format,
IPC streaming; the Parquet format, whose footer stands behind all).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from dasflex_arrow.columns import batch_of, schema_of
from dasflex_core.arrays import Records, StreamHeader
from dasflex_core.batching import Gathering, one_kind_only
from dasflex_core.errors import SourceError
from dasflex_core.stages import Formatter, param

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dasflex_core.arrays import Dataset, Item
    from dasflex_core.stages import Value

__all__ = ["ArrowFormatter", "ParquetFormatter"]

#: About how many values a batch of an Arrow stream, or a row group of a Parquet file, has: what is held in memory.
_BATCH: Final = 1 << 18
_GROUP: Final = 1 << 20
#: A piece of so many bytes is given on by itself, rather than copied behind others.
_PIECE: Final = 1 << 16


class _Sink:
    """What a library writes to, and what is taken from there."""

    closed = False

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: Any) -> int:  # noqa: ANN401  whatever holds bytes
        """Takes what is written."""
        piece = bytes(data)
        self._pieces.append(piece)
        return len(piece)

    def flush(self) -> None:
        """All is there."""

    def taken(self) -> bytes:
        """What came since the last time."""
        return b"".join(self.pieces())

    def pieces(self) -> Iterator[bytes]:
        """The same in pieces: large ones as they were written, the small ones between them as one."""
        pieces, self._pieces = self._pieces, []
        small: list[bytes] = []
        for each in pieces:
            if len(each) < _PIECE:
                small.append(each)
                continue
            if small:
                yield b"".join(small)
                small = []
            yield each
        if small:
            yield b"".join(small)


class _Table(Formatter, accepts="arrays"):
    """What both formats share: one kind of record, whose schema begins the answer."""

    codec: str = "none"
    #: About how many values are written at once.
    values: int = _BATCH

    def __init__(self, **values: Value | None) -> None:
        super().__init__(**values)
        self._stream = StreamHeader()
        self._sink = _Sink()
        self._file = pa.PythonFile(self._sink, mode="w")
        self._schema: pa.Schema | None = None
        self._first = ""
        self._writer: Any = None
        self._gathering: Gathering | None = None

    def feed(self, item: Item, /) -> Iterable[bytes]:
        """The bytes of one item. Records wait until there are enough, however they come."""
        if not isinstance(item, Records):
            yield from super().feed(item)
            return
        if self._gathering is None:
            self._gathering = Gathering.of_values(self.values, item.dataset)
        yield from self._batches(self._gathering.add(item))

    def flush(self) -> Iterable[bytes]:
        """The records that wait for others."""
        return () if self._gathering is None else self._batches(self._gathering.rest())

    def header(self, header: StreamHeader) -> bytes:
        """No bytes: what is said of the stream stands in the schema."""
        self._stream = header
        return b""

    def dataset(self, dataset: Dataset) -> bytes:
        """The schema, for the first dataset. Raises `QueryError` for another that has other columns."""
        schema = schema_of(self._stream, dataset)
        if self._schema is None:
            self._schema, self._first = schema, dataset.name
            self._writer = self._begun(schema)
        elif not _alike(self._schema, schema):
            raise one_kind_only(self._first, dataset.name)
        return self._sink.taken()

    def finish(self) -> Iterable[bytes]:
        """What waits, and the end; an answer without data is a table without columns."""
        yield from self.flush()
        if self._writer is None:
            self._writer = self._begun(pa.schema([]))
        self._writer.close()
        yield self._sink.taken()

    def _begun(self, schema: pa.Schema) -> Any:  # noqa: ANN401  a writer of the library
        """What writes tables of this schema."""
        raise NotImplementedError

    def _batches(self, batches: Iterable[Records]) -> Iterator[bytes]:
        """Batches or row groups. Raises `SourceError` for records that nothing has declared."""
        for batch in batches:
            if self._schema is None:
                raise SourceError(f"Records of {batch.dataset.name} come before its declaration", kind="source.stream")
            self._writer.write_batch(batch_of(self._schema, batch))
            yield from self._sink.pieces()


def _alike(one: pa.Schema, other: pa.Schema) -> bool:
    """Whether records of both stand in one table: columns with the same facts, and the same constants."""
    told = [(each.metadata or {}).get(b"constants") for each in (one, other)]
    return (
        told[0] == told[1]
        and all(mine.equals(theirs, check_metadata=True) for mine, theirs in zip(one, other, strict=False))
        and len(one) == len(other)
    )


class ArrowFormatter(_Table, name="arrow", accepts="arrays", produces="arrow", start=0.2, per_gb=1.5):
    """Arrow IPC stream, batch by batch."""

    codec: str = param(
        "format.arrow.codec",
        mode="offered",
        values={"none": "As they are", "lz4": "LZ4, quick", "zstd": "Zstandard, small"},
        default="none",
        title="How batches are compressed",
    )

    def _begun(self, schema: pa.Schema) -> Any:  # noqa: ANN401  as above
        compression = None if self.codec == "none" else self.codec
        return pa.ipc.new_stream(self._file, schema, options=pa.ipc.IpcWriteOptions(compression=compression))


class ParquetFormatter(_Table, name="parquet", accepts="arrays", produces="parquet", start=0.3, per_gb=8.0):
    """Parquet file, row group by row group."""

    codec: str = param(
        "format.parquet.codec",
        mode="offered",
        values={"none": "As they are", "snappy": "Snappy, which all readers have", "zstd": "Zstandard, small"},
        default="zstd",
        title="How columns are compressed",
    )
    values = _GROUP

    def _begun(self, schema: pa.Schema) -> Any:  # noqa: ANN401  as above
        from pyarrow.parquet import ParquetWriter

        return ParquetWriter(self._file, schema, compression=self.codec)

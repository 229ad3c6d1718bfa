# SPDX-License-Identifier: GPL-3.0-or-later
"""Das1 data to items: big-endian floats without any header, whose meaning stands in the definition of their source.

A record is a time since the begin of the request, and its values. The items are those of the das2 stream that classic
das2_from_das1 makes (das-streams 5.10): forms x_multi_y, x_tagged_y_scan and x_y_z. What the data are is told by the
definition (`das1_facts`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from dasflex_core.arrays import Properties, Property, Records, StreamHeader
from dasflex_core.epochs import from_datetime64, interval_units
from dasflex_core.errors import QueryError, SourceError
from dasflex_core.stages import Decoder
from dasflex_core.times import parse_time
from dasflex_core.units import convert_factor
from dasflex_das.das1_facts import Das1Facts
from dasflex_das.das2_headers import read_packet
from dasflex_das.elements import Element

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dasflex_core.arrays import Item

__all__ = ["Das1Decoder"]

#: Bytes of records in a batch.
_BATCH: Final = 1 << 20
_TAG: Final = b":b0:"


class Das1Decoder(
    Decoder,
    name="das1-decode",
    accepts="das/1",
    produces="arrays",
    reads=("read.time.min", "read.time.max"),
    tells="dasflex_das.das1_facts:told",
):
    """Das1 data, as their definition describes them, to arrays."""

    def __init__(
        self, facts: str = "", words: str = "", read_time_min: str | None = None, read_time_max: str | None = None
    ) -> None:
        """Raises `ConfigError` for facts that say too little, and `QueryError` without a begin."""
        super().__init__(facts=facts, words=words, read_time_min=read_time_min, read_time_max=read_time_max)
        if not read_time_min:
            raise QueryError(
                "The times of das1 data count from read.time.min, which is missing", kind="query.missing-parameter"
            )
        known = Das1Facts.parse(facts, words)
        ends = (("start", read_time_min), ("end", read_time_max))
        told = [Property(name, text, "Time") for name, text in ends if text]
        properties = Properties((*told, *(Property(*each) for each in known.properties)))
        self._header = StreamHeader(generation=2, properties=properties)
        x = Element("x", (("name", ""), ("type", "sun_real8"), ("units", known.epoch)))
        planes = (
            Element(each.kind, (("name", each.name), ("type", "sun_real4"), *each.attributes)) for each in known.planes
        )
        self._dataset = read_packet(Element("packet", (), (x, *planes)), 1, self._header, "The definition")
        moment = np.array([parse_time(read_time_min).ns], dtype="M8[ns]")
        self._origin = float(from_datetime64(moment, known.epoch)[0])
        self._unit = known.seconds * (convert_factor("s", interval_units(known.epoch)) or 1.0)
        self._tag = _TAG if known.tagged else b""
        self._size = len(self._tag) + 4 * (1 + known.values)
        self._held = bytearray()
        self._count = 0
        self._started = False

    def feed(self, chunk: bytes, /) -> Iterator[Item]:
        """The items that this chunk completes. Raises `SourceError` for a record without its tag."""
        yield from self._start()
        self._held += chunk
        step = max(1, _BATCH // self._size) * self._size
        whole = len(self._held) - len(self._held) % self._size
        for first in range(0, whole, step):
            yield self._records(bytes(self._held[first : min(whole, first + step)]))
        del self._held[:whole]

    def finish(self) -> Iterator[Item]:
        """The header, if nothing came. Raises `SourceError` where the data end inside a record."""
        yield from self._start()
        if self._held:
            raise SourceError(
                f"The das1 data end inside record {self._count + 1:,}: {len(self._held)} of its {self._size} bytes are"
                " there",
                kind="source.truncated",
            )

    def _start(self) -> Iterator[Item]:
        """The header and the declaration, once."""
        if not self._started:
            self._started = True
            yield self._header
            yield self._dataset

    def _records(self, data: bytes) -> Records:
        """The records in some bytes."""
        rows = np.frombuffer(data, dtype=np.uint8).reshape(-1, self._size)
        if self._tag:
            good = (rows[:, : len(_TAG)] == np.frombuffer(_TAG, dtype=np.uint8)).all(axis=1)
            if not good.all():
                bad = self._count + int(np.argmin(good)) + 1
                raise SourceError(f"Record {bad:,} of the das1 data does not start with :b0:", kind="source.stream")
            rows = rows[:, len(_TAG) :]
        self._count += len(rows)
        numbers = np.ascontiguousarray(rows).view(">f4")
        x, *others = self._dataset.columns
        columns = {x.name: (self._origin + numbers[:, 0].astype(np.float64) * self._unit).astype(x.dtype)}
        at = 1
        for variable in others:
            stop = at + int(np.prod(variable.shape, dtype=np.int64))
            columns[variable.name] = numbers[:, at:stop].reshape(len(numbers), *variable.shape)
            at = stop
        return Records(self._dataset, columns)

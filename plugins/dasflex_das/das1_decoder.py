# SPDX-License-Identifier: GPL-3.0-or-later
"""Das1 data to items: big-endian floats without any header, whose meaning stands in the definition of their source.

A record is the seconds from the begin of the request, and its values. The items are those of the das2 stream that
classic das2_from_das1 makes (the das1 helpers of the das2 utilities): forms x_multi_y, x_tagged_y_scan and x_y_z.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from dasflex_core.arrays import Properties, Property, Records, StreamHeader
from dasflex_core.epochs import from_datetime64
from dasflex_core.errors import ConfigError, SourceError
from dasflex_core.times import parse_time
from dasflex_core.values import dataclass
from dasflex_das.das2_headers import read_packet
from dasflex_das.elements import Element

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dasflex_core.arrays import Item

__all__ = ["Das1Decoder", "Das1Facts"]

#: Bytes of records in a batch.
_BATCH: Final = 1 << 20
#: Values of a record that are read.
_MAX_VALUES: Final = 250_000
_TAG: Final = b":b0:"
#: What a definition says that becomes a property of the stream as it is.
_KEPT: Final = ("spacecraft", "spacecraft_id", "instrument", "instrument_id")


@dataclass(frozen=True, slots=True)
class Das1Facts:
    """What a definition says of das1 data: the planes behind the time, how many values each record has, properties."""

    planes: tuple[Element, ...]
    values: int
    properties: tuple[Property, ...]

    @classmethod
    def of(cls, entries: Mapping[str, str]) -> Das1Facts:
        """The facts in the entries of a DSDF, by its keys. Raises `ConfigError` that names what is missing."""
        form = entries.get("form", "")
        y_unit, z_unit = entries.get("y_unit", ""), entries.get("z_unit", "")
        if form == "x_multi_y":
            count = _number("ny", entries.get("ny", "1"))
            planes = tuple(_plane("y", f"plane_{place}", units=y_unit) for place in range(count))
        elif form == "x_tagged_y_scan":
            tags = [each for each in entries.get("y_coordinate", "").strip("[] ").replace(",", " ").split() if each]
            count = _number("y_coordinate", str(len(tags)))
            facts = {"yUnits": y_unit, "zUnits": z_unit, "nitems": str(count), "yTags": ",".join(tags)}
            planes = (_plane("yscan", "plane_0", **facts),)
        elif form == "x_y_z":
            count = 2
            planes = (_plane("y", "plane_0", units=y_unit), _plane("z", "plane_1", units=z_unit))
        else:
            raise ConfigError(
                f"The form of das1 data is {form!r}; there are x_multi_y, x_tagged_y_scan and x_y_z",
                kind="config.bad-value",
            )
        return cls(planes, count, tuple(_properties(entries)))


def _number(key: str, text: str) -> int:
    """A count from a definition. Raises `ConfigError` for what is none."""
    if not text.strip().isdigit() or not 1 <= int(text) <= _MAX_VALUES:
        raise ConfigError(
            f"{key} of das1 data is {text!r}; it gives a number of values from 1 to {_MAX_VALUES:,}",
            kind="config.bad-value",
        )
    return int(text)


def _plane(tag: str, name: str, **facts: str) -> Element:
    """A plane of a das2 packet header."""
    return Element(tag, (("name", name), ("type", "sun_real4"), *facts.items()))


def _properties(entries: Mapping[str, str]) -> Iterator[Property]:
    """The properties of the stream, in the order and the words of the classic program."""
    yield Property("xLabel", _label(entries, "x", "time"), "String")
    for axis in ("y", "z"):
        if f"{axis}_parameter" in entries:
            yield Property(f"{axis}Label", _label(entries, axis, ""), "String")
    if "description" in entries:
        yield Property("title", entries["description"], "String")
    for key in _KEPT:
        if key in entries:
            yield Property(key, entries[key], "String")
    if "x_sample_width" in entries:
        try:
            width = float(entries["x_sample_width"])
        except ValueError:
            raise ConfigError(
                f"x_sample_width of das1 data is {entries['x_sample_width']!r}, which is no number",
                kind="config.bad-value",
            ) from None
        yield Property("xTagWidth", f"{width:f} {entries.get('x_unit', 's')}", "Datum")
    for axis in ("y", "z"):
        if f"{axis}_fill" in entries:
            yield Property(f"{axis}Fill", entries[f"{axis}_fill"], "double")


def _label(entries: Mapping[str, str], axis: str, default: str) -> str:
    """The label of an axis: what is measured, with its units unless it is time."""
    word = entries.get(f"{axis}_parameter", default)
    units = entries.get(f"{axis}_unit", "")
    named = word[:1].upper() + word[1:]
    return f"{named} ({units})" if units and word.lower() != "time" else named


class Das1Decoder:
    """Das1 bytes in, the items of a das2 stream out; `begin` is that of the request. A `Stage`.

    Where the data are `tagged`, each record has `:b0:` before it.
    """

    def __init__(
        self, facts: Das1Facts, begin: str, end: str, *, source: str = "dasflex", tagged: bool = False
    ) -> None:
        self._facts = facts
        told = (Property("start", begin, "Time"), Property("end", end, "Time"))
        properties = Properties((*told, *facts.properties, Property("sourceId", source, "String")))
        self._header = StreamHeader(generation=2, properties=properties)
        x = Element("x", (("name", ""), ("type", "sun_real8"), ("units", "us2000")))
        self._dataset = read_packet(Element("packet", (), (x, *facts.planes)), 1, self._header, "The definition")
        moment = np.array([parse_time(begin).ns], dtype="M8[ns]")
        self._origin = float(from_datetime64(moment, "us2000")[0])
        self._tagged = tagged
        self._size = 4 * (1 + facts.values) + (len(_TAG) if tagged else 0)
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
        if self._tagged:
            good = (rows[:, : len(_TAG)] == np.frombuffer(_TAG, dtype=np.uint8)).all(axis=1)
            if not good.all():
                bad = self._count + int(np.argmin(good)) + 1
                raise SourceError(f"Record {bad:,} of the das1 data does not start with :b0:", kind="source.stream")
            rows = rows[:, len(_TAG) :]
        self._count += len(rows)
        numbers = np.ascontiguousarray(rows).view(">f4")
        x, *others = self._dataset.columns
        columns = {x.name: (self._origin + numbers[:, 0].astype(np.float64) * 1e6).astype(x.dtype)}
        at = 1
        for variable in others:
            stop = at + int(np.prod(variable.shape, dtype=np.int64))
            columns[variable.name] = numbers[:, at:stop].reshape(len(numbers), *variable.shape)
            at = stop
        return Records(self._dataset, columns)

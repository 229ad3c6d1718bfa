# SPDX-License-Identifier: GPL-3.0-or-later
"""Finds the data packets of das2 streams in bytes, many at once, and views them as columns.

Packets whose ids repeat with a period (one id alone has a period of one) are seen as one strided array over the bytes.
Where ids follow no period, a walk of about 0.5 µs per packet finds the packets, and they are gathered by id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dasflex_core import digits
from dasflex_core.arrays import Records
from dasflex_core.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from dasflex_core.arrays import Dataset, Variable

__all__ = ["BATCH", "Batch", "Layout"]

#: Bytes of packets in one batch of records, at most: the packet that passes it is still taken.
BATCH: Final = 1 << 20
#: Packets that are walked before a period is looked for; it doubles while none lasts.
_WALK: Final = 64
#: The longest period of ids that is looked for.
_LONGEST_PERIOD: Final = 32
_TAG: Final = 4


class Layout:
    """How the packets of one id are laid out: their size, and where the values of each variable stand."""

    def __init__(self, dataset: Dataset, body: bytes) -> None:
        self.dataset = dataset
        self.body = body
        fields: list[tuple[Any, ...]] = [("tag", f"V{_TAG}")]
        fields += [(f"plane{place}", *_field(variable)) for place, variable in enumerate(dataset.columns)]
        self.dtype = np.dtype(fields)
        self.size = self.dtype.itemsize
        self.tag = b":%02d:" % dataset.id
        self.word = int.from_bytes(self.tag, "little")
        self.columns = [(f"plane{place}", variable) for place, variable in enumerate(dataset.columns)]
        self.tags = sum(each.values.size for each in dataset.variables.values() if each.values is not None)

    def records(self, parts: list[NDArray[Any]]) -> Records:
        """The records of packets, given as arrays of whole packets in order."""
        packets = (parts[0] if len(parts) == 1 else np.concatenate(parts)).view(self.dtype)
        return Records(
            self.dataset, {variable.name: _column(packets[field], variable) for field, variable in self.columns}
        )


def _field(variable: Variable) -> tuple[Any, ...]:
    """The type and shape of a variable in a packet; texts are rows of bytes."""
    encoding = variable.encoding
    if encoding is None:
        raise SourceError(f"{variable.name} has no encoding", kind="source.stream")
    if encoding.name in ("ascii", "time"):
        return np.uint8, (*variable.shape, encoding.width)
    return variable.dtype, variable.shape


def _column(values: NDArray[Any], variable: Variable) -> NDArray[Any]:
    """The column of a variable: numbers as they stand, texts as what they say."""
    if variable.dtype.kind == "M":
        return digits.parse_iso(values)
    return digits.parse_numbers(values) if values.dtype == np.uint8 else values


class Pattern:
    """Packets that follow one another with a period: which layouts, and at which bytes of the period."""

    def __init__(self, layouts: list[Layout]) -> None:
        self.layouts = layouts
        sizes = [layout.size for layout in layouts]
        self.period = sum(sizes)
        self.largest = max(sizes)
        self.starts = [sum(sizes[:place]) for place in range(len(sizes))]

    def starting_with(self, first: Layout) -> Pattern:
        """The same period begun at this layout, if it is in it."""
        place = self.layouts.index(first) if first in self.layouts else 0
        return Pattern(self.layouts[place:] + self.layouts[:place]) if place else self

    def count(self, data: bytes, at: int, limit: int) -> int:
        """How many packets from `at` on, which end by `limit`, have the tags of the pattern."""
        length = len(self.layouts)
        whole = (limit - at) // self.period
        rest = limit - at - whole * self.period
        ends = zip(self.starts, self.layouts, strict=True)
        found = whole * length + sum(start + layout.size <= rest for start, layout in ends)
        for place, layout in enumerate(self.layouts):
            rows = self.rows(found, place)
            if rows == 0:
                break
            wrong = np.ndarray((rows,), "<u4", data, at + self.starts[place], (self.period,)) != layout.word
            first = int(wrong.argmax())
            if wrong[first]:
                found = first * length + place
        return found

    def rows(self, packets: int, place: int) -> int:
        """How many of so many packets stand at a place of the period."""
        return (packets - place + len(self.layouts) - 1) // len(self.layouts)

    def parts(self, data: bytes, at: int, packets: int) -> Iterator[tuple[Layout, NDArray[Any]]]:
        """The packets of each layout, in order, as views of the data where a layout stands once in the period."""
        views: dict[bytes, list[NDArray[Any]]] = {}
        for place, layout in enumerate(self.layouts):
            rows = self.rows(packets, place)
            if rows:
                view = np.ndarray((rows,), f"V{layout.size}", data, at + self.starts[place], (self.period,))
                views.setdefault(layout.tag, []).append(view)
        by_tag = {layout.tag: layout for layout in self.layouts}
        for tag, own in views.items():
            yield by_tag[tag], own[0] if len(own) == 1 else _interleaved(own)

    def end(self, at: int, packets: int) -> int:
        """The byte behind so many packets."""
        whole, rest = divmod(packets, len(self.layouts))
        return at + whole * self.period + (self.starts[rest] if rest else 0)


def _interleaved(views: list[NDArray[Any]]) -> NDArray[Any]:
    """The packets of several places of a period, in their order."""
    merged = np.empty(sum(len(view) for view in views), dtype=views[0].dtype)
    for place, view in enumerate(views):
        merged[place :: len(views)] = view
    return merged


class Batch:
    """Data packets on their way to records, gathered by id."""

    def __init__(self) -> None:
        self._parts: dict[bytes, tuple[Layout, list[NDArray[Any]]]] = {}
        self._pattern: Pattern | None = None
        self._walk_next = _WALK

    def gather(self, data: bytes, at: int, layouts: Mapping[bytes, Layout]) -> int:
        """Take whole packets from `at` on, about 1 MiB at most; where the first byte that was not taken stands."""
        stop = at + BATCH
        while at < min(stop, len(data)):
            first = layouts.get(data[at : at + _TAG])
            if first is None or at + first.size > len(data):
                if data[at : at + 1] != b"\n":  # das2java allows a newline between packets
                    break
                at += 1
                continue
            if self._pattern is not None:
                at = self._run(data, at, stop, first)
            if at < stop:
                at = self._walk(data, at, stop, layouts)
        return at

    def _run(self, data: bytes, at: int, stop: int, first: Layout) -> int:
        """Take what follows the last pattern that was found: packets that start before `stop`."""
        pattern = self._pattern = self._pattern.starting_with(first) if self._pattern else Pattern([first])
        limit = min(len(data), stop + pattern.largest - 1)
        packets = pattern.count(data, at, limit)
        for layout, part in pattern.parts(data, at, packets):
            self._add(layout, part)
        end = pattern.end(at, packets)
        if packets >= _WALK:
            self._walk_next = _WALK
        elif end + pattern.largest <= limit:
            self._walk_next = min(2 * self._walk_next, BATCH)
        return end

    def _walk(self, data: bytes, at: int, stop: int, layouts: Mapping[bytes, Layout]) -> int:
        """Take packets one by one, and look for a pattern in them."""
        found: list[Layout] = []
        starts: dict[bytes, list[int]] = {}
        while at < stop and len(found) < self._walk_next:
            tag = data[at : at + _TAG]
            layout = layouts.get(tag)
            if layout is None or at + layout.size > len(data):
                if tag[:1] != b"\n":  # das2java allows a newline between packets
                    break
                at += 1
                continue
            found.append(layout)
            starts.setdefault(tag, []).append(at)
            at += layout.size
        for tag, own in starts.items():
            layout = layouts[tag]
            size = layout.size
            joined = b"".join([data[start : start + size] for start in own])
            self._add(layout, np.frombuffer(joined, f"V{size}"))
        self._pattern = _pattern_of(found) or self._pattern
        return at

    def _add(self, layout: Layout, part: NDArray[Any]) -> None:
        """Put packets of a layout behind those that are there."""
        self._parts.setdefault(layout.tag, (layout, []))[1].append(part)

    def take(self) -> Iterator[Records]:
        """The records gathered so far, one batch per dataset."""
        parts, self._parts = self._parts, {}
        for layout, own in parts.values():
            yield layout.records(own)

    def forget(self) -> None:
        """Drop the pattern, since a layout has changed."""
        self._pattern = None


def _pattern_of(found: list[Layout]) -> Pattern | None:
    """The shortest pattern that the last packets of a walk repeat at least twice, or None."""
    last = found[-2 * _LONGEST_PERIOD :]
    for period in range(1, len(last) // 2 + 1):
        if last[period:] == last[:-period]:
            return Pattern(last[-period:])
    return None

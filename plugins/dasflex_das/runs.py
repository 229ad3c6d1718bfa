# SPDX-License-Identifier: GPL-3.0-or-later
"""Follows data packets that carry their own tag, and finds where a pattern of them repeats, many at a time.

Packets of one layout have one size and start with the same bytes. Where one follows another, or several take turns,
the rows of each are a matrix over the bytes that were received, found by comparing all tags at once. What fits no
pattern is walked, packet by packet; so are packets of layouts without a fixed size, which announce their own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import numpy as np

from dasflex_das.das3_framing import MAX_RECORD

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Bytes: TypeAlias = NDArray[np.uint8]

__all__ = ["Packet", "Run", "Walker", "gather", "repeats"]

#: Packets that are walked before a pattern is looked for; it doubles while none lasts.
_WALK: Final = 64
_LONGEST_WALK: Final = 512
#: The longest pattern that is looked for, in packets.
_LONGEST: Final = 32
#: Spellings of tags that are remembered.
_MAX_TAGS: Final = 4096
#: The longest tag, in bytes.
_TAG: Final = 26
#: The longest length in a tag, in digits.
_LENGTH: Final = 9


class Packet(NamedTuple):
    """A kind of packet: the bytes it starts with, its size in bytes with them, and whose records it holds."""

    tag: bytes
    size: int
    id: int


class Run(NamedTuple):
    """Rows of bytes in a buffer: `times` rows at each of `starts`, each `stride` bytes after the last."""

    starts: tuple[int, ...]
    stride: int
    times: int


def repeats(data: bytes, at: int, pattern: Sequence[Packet], most: int) -> int:
    """How often the pattern stands in the data from `at` on, one after the other, whole, and at most `most` times.

    The blocks that are compared grow, so that the work is in proportion to the answer.
    """
    stride = sum(packet.size for packet in pattern)
    most = min(most, (len(data) - at) // stride)
    found, block = 0, _WALK
    while found < most:
        block = min(block, most - found)
        start = at + found * stride
        for packet in pattern:
            tags: NDArray[Any] = np.ndarray((block,), f"S{len(packet.tag)}", data, start, (stride,))
            same = tags == packet.tag
            if not same.all():
                block = int(same.argmin())
                if not block:
                    return found
                most = found + block
            start += packet.size
        found += block
        block *= 8
    return found


class Walker:
    """Follows packets whose tags are known, and notes where their bodies are."""

    def __init__(self) -> None:
        self.found: dict[int, list[Run | int]] = {}
        self.spans: dict[int, list[tuple[int, int]]] = {}
        self._kinds: dict[bytes, Packet] = {}
        self._varying: dict[bytes, int] = {}
        self._pattern: list[Packet] = []
        self._walk = _WALK

    def know(self, packet: Packet) -> None:
        """Lets packets with this tag be followed."""
        if len(self._kinds) >= _MAX_TAGS:
            self.forget()
        self._kinds[packet.tag] = packet

    def know_varying(self, head: bytes, number: int) -> None:
        """Lets packets be followed whose tags start so (`|Pd|2|`), whatever length they announce."""
        if len(self._varying) >= _MAX_TAGS:
            self.forget()
        self._varying[head] = number

    def forget(self) -> None:
        """Forgets all tags: an id has been declared anew."""
        self._kinds.clear()
        self._varying.clear()
        self._pattern = []

    def take(self) -> dict[int, list[Run | int]]:
        """What has been found, by id: runs of bodies, and the places of single ones. It is then forgotten."""
        found, self.found = self.found, {}
        return found

    def take_spans(self) -> dict[int, list[tuple[int, int]]]:
        """Where the bodies of varying size are that have been found, by id. It is then forgotten."""
        spans, self.spans = self.spans, {}
        return spans

    def follow(self, data: bytes, at: int, most: int) -> int:
        """Where the packets that start at `at` end; the places of their bodies are added to `found`.

        They end before a tag that is not known, before a packet that is not whole, or after about `most` bytes.
        """
        stop = at + most
        while at < stop:
            repeated = self._repeat(data, at, stop - at)
            if repeated > at:
                at = repeated
                continue
            walked, end = self._step(data, at, stop)
            if end == at or len(walked) < self._walk:
                return end
            at = end
            self._learn(walked)
        return at

    def _repeat(self, data: bytes, at: int, most: int) -> int:
        """Where the pattern ends that repeats from `at` on."""
        for pattern in _rotations(self._pattern, data, at):
            stride = sum(packet.size for packet in pattern)
            times = repeats(data, at, pattern, max(1, most // stride))
            if times:
                self._walk = _WALK
                self._note(pattern, at, stride, times)
                return at + times * stride
        return at

    def _note(self, pattern: list[Packet], at: int, stride: int, times: int) -> None:
        """Notes one run for each id of a pattern. One that comes more than once in it keeps its order."""
        starts: dict[int, list[int]] = {}
        for packet in pattern:
            starts.setdefault(packet.id, []).append(at + len(packet.tag))
            at += packet.size
        for number, own in starts.items():
            self.found.setdefault(number, []).append(Run(tuple(own), stride, times))

    def _step(self, data: bytes, at: int, stop: int) -> tuple[list[Packet], int]:
        """Walks over some packets: those of a fixed size, and where they end."""
        walked: list[Packet] = []
        kinds, found, size = self._kinds, self.found, len(data)
        while at < stop and len(walked) < self._walk:
            bar = data.find(b"|", at + 4, at + _TAG)
            body = data.find(b"|", bar + 1, at + _TAG) + 1
            packet = kinds.get(data[at:body])
            if packet is None:
                end = self._varied(data, at, bar, body)
                if not end:
                    break
                at = end
                continue
            if at + packet.size > size:
                break
            found.setdefault(packet.id, []).append(body)
            walked.append(packet)
            at += packet.size
        return walked, at

    def _varied(self, data: bytes, at: int, bar: int, body: int) -> int:
        """Where the packet at `at` ends, if it announces its size and is whole; else 0. Its place is noted."""
        if bar < 0 or not body:  # the tag is not whole
            return 0
        number = self._varying.get(data[at : bar + 1])
        length = data[bar + 1 : body - 1]
        if number is None or len(length) > _LENGTH or not length.isdigit():
            return 0
        end = body + int(length)
        if end > len(data) or end - body > MAX_RECORD:
            return 0
        self.spans.setdefault(number, []).append((body, end))
        return end

    def _learn(self, walked: list[Packet]) -> None:
        """Takes the shortest pattern that the last packets follow; without one, the next walk is longer."""
        self._walk = min(2 * self._walk, _LONGEST_WALK)
        for length in range(1, _LONGEST + 1):
            if walked[-length:] == walked[-2 * length : -length]:
                self._pattern = walked[-length:]
                return


def _rotations(pattern: list[Packet], data: bytes, at: int) -> Iterator[list[Packet]]:
    """The pattern begun at each of its packets that the data start with."""
    for place, packet in enumerate(pattern):
        if data.startswith(packet.tag, at):
            yield pattern[place:] + pattern[:place]


def gather(data: bytes, runs: Sequence[Run | int], size: int) -> Bytes:
    """The rows of `size` bytes of all runs, and those at single places, in order as a matrix (rows, size).

    It is a view of the data where one run has all.
    """
    if len(runs) == 1 and isinstance(runs[0], Run):
        return _rows(data, runs[0], size)
    pieces = [data[each : each + size] if isinstance(each, int) else _rows(data, each, size).tobytes() for each in runs]
    rows = sum(1 if isinstance(each, int) else each.times * len(each.starts) for each in runs)
    return np.frombuffer(b"".join(pieces), dtype=np.uint8).reshape(rows, size)


def _rows(data: bytes, run: Run, size: int) -> Bytes:
    """The rows of one run. Where a kind stands more than once in a pattern, its rows keep their order."""
    views: list[Bytes] = [np.ndarray((run.times, size), np.uint8, data, start, (run.stride, 1)) for start in run.starts]
    return views[0] if len(views) == 1 else np.stack(views, axis=1).reshape(run.times * len(views), size)

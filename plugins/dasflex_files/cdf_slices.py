# SPDX-License-Identifier: GPL-3.0-or-later
"""Records of one variable of a CDF file, some at a time.

The library gives a variable whole, which for a large one is more memory than an answer may have. This finds the blocks
in which the values of a variable are stored, and reads those that hold the records that are wanted (CDF Internal Format
Description, version 3: CDR, GDR, zVDR and rVDR, VXR, VVR, CVVR, CPR). It knows the common case, and says so of others:
files of version 3 that are not compressed as a whole, numbers of IEEE 754, no sparse records, blocks that are stored as
they are or by gzip.
"""

from __future__ import annotations

import os
import struct
import zlib
from bisect import bisect_right
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dasflex_core.errors import SourceError
from dasflex_core.values import dataclass
from dasflex_files.cdf_soundness import check

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Slices"]

_MAGIC: Final = bytes.fromhex("cdf300010000ffff")
_RVDR, _VXR, _VVR, _ZVDR, _CPR, _CVVR, _GZIP = 3, 6, 7, 8, 11, 13, 5
#: Encodings of numbers (CDR, Encoding) that are IEEE 754: most significant byte first, or last.
_BIG: Final = frozenset({1, 2, 5, 7, 9, 11, 12, 18})
_LITTLE: Final = frozenset({4, 6, 13, 17})
#: Types of values: the letter and the size that numpy has for them (CDF types, without the byte order).
_TYPES: Final = {
    1: "i1", 2: "i2", 4: "i4", 8: "i8", 11: "u1", 12: "u2", 14: "u4", 21: "f4", 22: "f8", 31: "f8", 33: "i8",
    41: "i1", 44: "f4", 45: "f8", 51: "S", 52: "S",
}  # fmt: skip
_MOST_LEVELS: Final = 8


@dataclass(frozen=True, slots=True)
class _Block:
    """Records `first` to `last`, both included, whose bytes begin at `offset`; where compressed, `size` of them."""

    first: int
    last: int
    offset: int
    size: int


@dataclass(frozen=True, slots=True)
class _Stored:
    """How a variable is stored: the type of its values, the shape of a record, and the blocks in order."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    blocks: tuple[_Block, ...]
    records: int


class Slices:
    """The variables of a file whose records can be read by themselves, until `close`."""

    def __init__(self, path: str) -> None:
        self._file = Path(path).open("rb")  # noqa: SIM115  it is open until `close`
        self._size = os.fstat(self._file.fileno()).st_size
        self._order = ""
        self._by_column = False
        self._places: dict[str, tuple[int, int]] = {}
        self._stored: dict[str, _Stored | None] = {}
        self._unpacked: tuple[int, bytes] = (-1, b"")
        try:
            check(self._bytes, self._size)
            if self._bytes(0, 8) == _MAGIC:
                self._find()
        except SourceError:
            self.close()
            raise

    def close(self) -> None:
        """Lets the file go."""
        self._file.close()

    def has(self, name: str) -> bool:
        """Whether the records of a variable can be read by themselves."""
        if name not in self._stored:
            self._stored[name] = self._described(name)
        return self._stored[name] is not None

    def read(self, name: str, start: int, stop: int) -> NDArray[Any]:
        """Records [start, stop), in the byte order of the file and by rows. Raises `KeyError` where `has` is false."""
        stored = self._stored.get(name)
        if stored is None:
            raise KeyError(name)
        size = stored.dtype.itemsize * prod(stored.shape)
        pieces: list[NDArray[Any]] = []
        place = max(bisect_right([each.first for each in stored.blocks], start) - 1, 0)
        for block in stored.blocks[place:]:
            if block.first >= stop:
                break
            first, last = max(start, block.first), min(stop, block.last + 1)
            data = self._held(block, (first - block.first) * size, (last - first) * size)
            pieces.append(np.frombuffer(data, stored.dtype))
        flat = pieces[0] if len(pieces) == 1 else np.concatenate([np.empty(0, stored.dtype), *pieces])
        if not self._by_column:
            return flat.reshape(-1, *stored.shape)
        turned = flat.reshape(-1, *reversed(stored.shape))
        return np.ascontiguousarray(turned.transpose(0, *range(len(stored.shape), 0, -1)))

    def _bytes(self, place: int, count: int) -> bytes:
        """Bytes of the file. They are read and not mapped: who maps a file that is cut short meanwhile is killed.

        Raises `SourceError` where the file ends before.
        """
        fits = place + count <= self._size
        found = os.pread(self._file.fileno(), count, place) if fits else b""
        if len(found) < count:
            raise SourceError("A CDF file ends before its records do", kind="source.truncated")
        return found

    def _numbers(self, form: str, place: int) -> tuple[int, ...]:
        """Numbers of the file, most significant byte first."""
        return struct.unpack(f">{form}", self._bytes(place, struct.calcsize(f">{form}")))

    def _held(self, block: _Block, offset: int, size: int) -> bytes:
        """Bytes of a block; the last compressed one is kept, since the next records are most likely in it.

        Raises `SourceError` for a block that ends before them, or that cannot be unpacked.
        """
        if not block.size:
            return self._bytes(block.offset + offset, size)
        if self._unpacked[0] != block.offset:
            try:
                self._unpacked = block.offset, zlib.decompress(self._bytes(block.offset, block.size), wbits=47)
            except zlib.error as error:
                raise SourceError("A block of a CDF file cannot be unpacked", kind="source.stream") from error
        found = self._unpacked[1][offset : offset + size]
        if len(found) < size:
            raise SourceError("A CDF file ends before its records do", kind="source.truncated")
        return found

    def _find(self) -> None:
        """Finds the descriptions of the variables."""
        _size, _type, gdr, _version, _release, encoding, flags = self._numbers("QIQIIII", 8)
        if encoding not in _BIG | _LITTLE or not flags & 2:  # of a file in several, the values are elsewhere
            return
        self._order = ">" if encoding in _BIG else "<"
        self._by_column = not flags & 1
        _size, _type, first_r, first_z = self._numbers("QIQQ", gdr)
        (self._rank,) = self._numbers("I", gdr + 56)
        self._sizes = self._numbers(f"{self._rank}I", gdr + 84)
        for place in (first_r, first_z):
            at = place
            while at:
                _size, kind, following = self._numbers("QIQ", at)
                name = self._bytes(at + 84, 256).split(b"\0")[0].decode("utf-8", "replace").rstrip()
                if name in self._places:
                    break
                self._places[name] = at, kind
                at = following

    def _described(self, name: str) -> _Stored | None:
        """How a variable is stored; None where only the library can read it."""
        if name not in self._places:
            return None
        place, kind = self._places[name]
        number, last, head = self._numbers("IiQ", place + 20)
        flags, sparse = self._numbers("II", place + 44)
        elements, _number, pressed = self._numbers("IIQ", place + 64)
        letter = _TYPES.get(number)
        if letter is None or sparse or not flags & 1:
            return None
        if flags & 4 and self._numbers("I", pressed + 12)[0] != _GZIP:
            return None
        if kind == _ZVDR:
            (rank,) = self._numbers("I", place + 340)
            sizes = self._numbers(f"{rank}I", place + 344)
            varies = self._numbers(f"{rank}i", place + 344 + 4 * rank)
        else:
            sizes, varies = self._sizes, self._numbers(f"{self._rank}i", place + 340)
        shape = tuple(size for size, varied in zip(sizes, varies, strict=True) if varied)
        dtype = np.dtype(f"S{elements}" if letter == "S" else f"{self._order}{letter}")
        if letter != "S" and elements != 1:
            return None
        blocks: list[_Block] = []
        self._walk(head, blocks, 0)
        blocks.sort(key=lambda each: each.first)
        whole = all(own.last + 1 == following.first for own, following in pairwise(blocks))
        if not whole or not blocks or blocks[0].first or blocks[-1].last < last:
            return None
        return _Stored(dtype, shape, tuple(blocks), last + 1)

    def _walk(self, place: int, blocks: list[_Block], depth: int) -> None:
        """Gathers the blocks that an index record, those after it, and those below it name."""
        if depth > _MOST_LEVELS:
            raise SourceError("The index of a CDF file leads back to itself", kind="source.stream")
        seen: set[int] = set()
        while place and place not in seen:
            seen.add(place)
            _size, _type, following, count, used = self._numbers("QIQII", place)
            firsts = self._numbers(f"{count}i", place + 28)
            lasts = self._numbers(f"{count}i", place + 28 + 4 * count)
            offsets = self._numbers(f"{count}Q", place + 28 + 8 * count)
            for first, last, offset in zip(firsts[:used], lasts, offsets, strict=False):
                _size, kind = self._numbers("QI", offset)
                if kind == _VXR:
                    self._walk(offset, blocks, depth + 1)
                elif kind == _VVR:
                    blocks.append(_Block(first, last, offset + 12, 0))
                elif kind == _CVVR:
                    (size,) = self._numbers("Q", offset + 16)
                    blocks.append(_Block(first, last, offset + 24, size))
            place = following

# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a CDF file is sound, before the library sees it: at a damaged or half copied one it ends the process.

All internal records are walked as they are linked: each must lie within the file, be of the kind that is due, and hold
as much as it says (CDF Internal Format Description, version 3). Of files of before version 3, and of those that are
compressed as a whole, only the length is looked at.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from dasflex_core.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["check"]

#: The first number of files of version 3, and of those before; the second of one that is compressed as a whole.
_NEW, _OLD, _PLAIN, _PACKED = 0xCDF30001, (0xCDF26002, 0x0000FFFF), 0x0000FFFF, 0xCCCC0001
_CDR, _GDR, _RVDR, _ADR, _AGREDR, _VXR, _VVR, _ZVDR, _AZEDR, _CPR, _SPR, _CVVR = 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13
#: Bytes of a value of each type (CDF types).
_SIZES: Final = {
    1: 1, 2: 2, 4: 4, 8: 8, 11: 1, 12: 2, 14: 4, 21: 4, 22: 8, 31: 8, 32: 16, 33: 8, 41: 1, 44: 4, 45: 8, 51: 1, 52: 1,
}  # fmt: skip
#: Fixed parts of records: what they have at least.
_LEAST: Final = {
    _CDR: 56, _GDR: 84, _RVDR: 340, _ZVDR: 344, _ADR: 68, _AGREDR: 56, _AZEDR: 56, _VXR: 28, _VVR: 12, _CVVR: 24,
    _CPR: 24, _SPR: 24,
}  # fmt: skip
_MOST_DIMENSIONS: Final = 64
_MOST_LEVELS: Final = 8
_PRESSED: Final = (1, 2, 3, 5)


def check(read: Callable[[int, int], bytes], size: int) -> None:
    """Raises `SourceError` for a file that is not sound. `read(place, count)` gives bytes, or raises that itself."""
    version, kind = struct.unpack(">II", read(0, 8))
    if (version != _NEW and version not in _OLD) or kind not in (_PLAIN, _PACKED):
        raise SourceError("A file has the suffix of a CDF, and is none", kind="source.stream")
    new = version == _NEW
    if kind == _PACKED:
        (length,) = struct.unpack(">Q" if new else ">I", read(8, 8 if new else 4))
        whole = 8 + length
    else:
        gdr = struct.unpack(">QIQ" if new else ">III", read(8, 20 if new else 12))[2]
        whole = struct.unpack(">QIQQQQ" if new else ">IIIIII", read(gdr, 44 if new else 24))[5]
    if whole > size:
        raise SourceError("A CDF file ends before its records do", kind="source.truncated")
    if new and kind == _PLAIN:
        _Walk(read, size).file()


class _Walk:
    """One walk through the records of a file. No place is visited twice."""

    def __init__(self, read: Callable[[int, int], bytes], size: int) -> None:
        self._read = read
        self._size = size
        self._seen: set[int] = set()

    def file(self) -> None:
        """All records that can be reached."""
        self._record(8, _CDR)
        (gdr,) = self._numbers("Q", 8 + 12)
        length = self._record(gdr, _GDR)
        first_r, first_z, first_a = self._numbers("QQQ", gdr + 12)
        count_r, count_a, _most, rank, count_z = self._numbers("IIiII", gdr + 44)
        if rank > _MOST_DIMENSIONS or length < _LEAST[_GDR] + 4 * rank:
            self._fail()
        self._sizes = self._numbers(f"{rank}I", gdr + 84)
        for kind, place, count in ((_RVDR, first_r, count_r), (_ZVDR, first_z, count_z)):
            self._variables(kind, place, count)
        self._attributes(first_a, count_a, (count_r, count_z))

    def _fail(self) -> None:
        """Says that the file is damaged."""
        raise SourceError("A CDF file is damaged", kind="source.stream")

    def _numbers(self, form: str, place: int) -> tuple[int, ...]:
        """Numbers, most significant byte first."""
        return struct.unpack(f">{form}", self._read(place, struct.calcsize(f">{form}")))

    def _record(self, place: int, *kinds: int) -> int:
        """The length of a record at a place, which must be of one of the kinds and lie within the file."""
        length, kind = self._numbers("QI", place)
        if kind not in kinds or length < _LEAST[kind] or place + length > self._size or place in self._seen:
            self._fail()
        self._seen.add(place)
        return length

    def _variables(self, kind: int, place: int, count: int) -> None:
        """A list of variables, of which there are so many."""
        found = 0
        while place:
            length = self._record(place, kind)
            self._variable(kind, place, length, count)
            found += 1
            (place,) = self._numbers("Q", place + 12)
        if found != count:
            self._fail()

    def _variable(self, kind: int, place: int, length: int, count: int) -> None:
        """A variable, one of so many, and the blocks of its values."""
        number, last, head = self._numbers("IiQ", place + 20)
        flags, sparse, _b, _c, _f, elements, own, pressed, _block = self._numbers("IIiiiIIQI", place + 44)
        rank = self._numbers("I", place + 340)[0] if kind == _ZVDR else len(self._sizes)
        least = _LEAST[kind] + (8 if kind == _ZVDR else 4) * rank
        known = number in _SIZES and sparse <= 2 and rank <= _MOST_DIMENSIONS and last >= -1
        if not known or not 0 < elements < self._size or own >= count or length < least:
            self._fail()
        sizes = self._numbers(f"{rank}I", place + 344) if kind == _ZVDR else self._sizes
        varies = self._numbers(f"{rank}i", place + 344 + 4 * rank if kind == _ZVDR else place + 340)
        if not set(varies) <= {0, -1} or (last > 0 and not flags & 1):
            self._fail()
        if flags & 4:
            self._compression(pressed)
        size = _SIZES[number] * elements
        for extent, varied in zip(sizes, varies, strict=True):
            size *= extent if varied else 1
        self._index(head, size, last, 0, compressed=bool(flags & 4))

    def _compression(self, place: int) -> None:
        """How values are compressed; several variables may name one record."""
        if place not in self._seen:
            self._record(place, _CPR, _SPR)
        how, _unused, parameters = self._numbers("III", place + 12)
        if how not in _PRESSED or parameters > 1:
            self._fail()

    def _index(self, place: int, size: int, most: int, depth: int, *, compressed: bool) -> None:
        """The blocks that an index record, and those behind and below it, name; a record has so many bytes."""
        while place:
            length = self._record(place, _VXR)
            following, count, used = self._numbers("QII", place + 12)
            if used > count or length < _LEAST[_VXR] + 16 * count or depth > _MOST_LEVELS:
                self._fail()
            firsts = self._numbers(f"{count}i", place + 28)
            lasts = self._numbers(f"{count}i", place + 28 + 4 * count)
            offsets = self._numbers(f"{count}Q", place + 28 + 8 * count)
            for first, last, offset in zip(firsts[:used], lasts, offsets, strict=False):
                if not 0 <= first <= last or first > most:
                    self._fail()
                (kind,) = self._numbers("I", offset + 8)
                if kind == _VXR:
                    self._index(offset, size, most, depth + 1, compressed=compressed)
                elif kind == _CVVR and compressed:
                    whole = self._record(offset, _CVVR)
                    if self._numbers("Q", offset + 16)[0] > whole - _LEAST[_CVVR]:
                        self._fail()
                elif self._record(offset, _VVR) < _LEAST[_VVR] + (last - first + 1) * size:
                    self._fail()
            place = following

    def _attributes(self, place: int, count: int, variables: tuple[int, int]) -> None:
        """The list of attributes, and the entries of each; `variables` is how many of both kinds there are."""
        found = 0
        while place:
            self._record(place, _ADR)
            found += 1
            following, first = self._numbers("QQ", place + 12)
            (scope, own, _entries, most), (second,) = self._numbers("IIIi", place + 28), self._numbers("Q", place + 48)
            if own >= count or scope not in (1, 2, 3, 4):
                self._fail()
            self._entries(first, _AGREDR, most + 1 if scope in (1, 3) else variables[0], own)
            self._entries(second, _AZEDR, variables[1], own)
            place = following
        if found != count:
            self._fail()

    def _entries(self, place: int, kind: int, count: int, attribute: int) -> None:
        """The entries of an attribute, whose numbers are below a count."""
        while place:
            length = self._record(place, kind)
            following, whose, number, own, elements = self._numbers("QIIII", place + 12)
            if (
                own >= count
                or whose != attribute
                or number not in _SIZES
                or length < _LEAST[kind] + _SIZES[number] * elements
            ):
                self._fail()
            place = following

# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps values until all are there: in memory as long as they are few, then in files of the scratch directory.

A CDF variable is written as a whole, and how many records there are is known at the end only. In memory, values stand
one behind the other in a mapping that grows without being copied. What is kept in files is mapped when it is written,
which the library does piece by piece, so that a large answer needs no memory of its own size.
"""

from __future__ import annotations

import math
import mmap
from typing import IO, TYPE_CHECKING, Any, Final, Literal

import numpy as np

from dasflex_core.errors import QueryError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["MEMORY", "Held", "Room"]

#: The bytes that all values of an answer take in memory; beyond it they go to files.
MEMORY: Final = 512_000_000
#: Addresses of a small column, and of others at first: they take memory where something is written only. These have
#: large pages, as half the time went into faults of small ones.
_FEW: Final = 1 << 18
_MANY: Final = 64 << 20


class Room:
    """Where the values of one answer are kept, at most `most` bytes of them; `memory` bytes outside of files."""

    def __init__(self, scratch: Path, most: int, memory: int = MEMORY) -> None:
        self.most = most
        self._scratch = scratch
        self._memory = memory
        self._held: list[Held] = []
        self._bytes = 0
        self._files = 0

    def column(self, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Held:
        """A place for values of a type, each of that shape."""
        held = Held(self, dtype, shape)
        self._held.append(held)
        return held

    def take(self, size: int) -> None:
        """Counts bytes that come. Raises `QueryError` where they are too many; what is there goes to files."""
        before, self._bytes = self._bytes, self._bytes + size
        if self._bytes > self.most:
            raise QueryError(
                f"The answer is larger than the {self.most:,} bytes that a CDF may have; "
                "ask for a shorter time range, fewer variables or averages",
                kind="query.too-large",
            )
        if before <= self._memory < self._bytes:
            for held in self._held:
                held.to_file()

    def give(self, size: int) -> None:
        """Counts bytes that are needed no more."""
        self._bytes -= size

    @property
    def full(self) -> bool:
        """Whether what comes goes to files."""
        return self._bytes > self._memory

    def file(self) -> Path:
        """The path of a new file."""
        self._files += 1
        return self._scratch / f"{self._files}.column"

    def array(self, dtype: np.dtype[Any], shape: tuple[int, ...], fill: object) -> NDArray[Any]:
        """An array that is filled with a value, in memory or in a file. Raises `QueryError` where it is too large."""
        size = math.prod(shape) * dtype.itemsize
        self.take(size)
        made: NDArray[Any]
        if self.full and size:
            made = _mapped(self.file(), dtype, shape, "w+")
            made[...] = fill
        else:
            made = np.full(shape, fill, dtype)
        return made


def _mapped(path: Path, dtype: np.dtype[Any], shape: tuple[int, ...], mode: Literal["r+", "w+"]) -> NDArray[Any]:
    """A file as an array. Its name is gone at once: the directory is for the answer, and nothing is left behind."""
    made = np.memmap(path, dtype, mode, shape=shape)
    path.unlink()
    return made


class Held:
    """Values of one type and shape, in the order in which they came."""

    def __init__(self, room: Room, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
        self.dtype = dtype
        self.shape = shape
        self.count = 0
        self._room = room
        self._size = dtype.itemsize * math.prod(shape)
        self._memory = _Growing()
        self._path: Path | None = None
        self._file: IO[bytes] | None = None
        self._all: NDArray[Any] | None = None

    def add(self, values: NDArray[Any]) -> NDArray[Any]:
        """Copies values of the shape (count, *shape), cast to the type.

        What comes back are these copies. They may be changed, until more are added.
        """
        if self._file is not None:
            self.to_file()
        self._room.take(len(values) * self._size)
        self.count += len(values)
        own = self._memory.more(len(values) * self._size).view(self.dtype).reshape(len(values), *self.shape)
        own[...] = values
        return own

    def to_file(self) -> None:
        """Writes what is in memory behind what is in the file."""
        if self._all is not None or not self._memory.size:
            return
        if self._file is None:
            self._path = self._room.file()
            self._file = self._path.open("wb", buffering=0)
        rest = self._memory.all().data
        while rest:
            rest = rest[self._file.write(rest) :]
        self._memory.clear(keep=True)

    def values(self) -> NDArray[Any]:
        """All values; an array that may be changed. Nothing can be added any more."""
        if self._all is None:
            shape = (self.count, *self.shape)
            if self._file is not None and self._path is not None:
                self.to_file()
                self._file.close()
                self._memory.clear()
                self._all = _mapped(self._path, self.dtype, shape, "r+")
            else:
                self._all = self._memory.all().view(self.dtype).reshape(shape)
        return self._all


class _Growing:
    """Bytes that become more, and stay where they are in physical memory: the kernel moves pages, not bytes."""

    def __init__(self) -> None:
        self.size = 0
        self._map: mmap.mmap | None = None

    def more(self, size: int) -> NDArray[np.uint8]:
        """So many bytes behind those that are there."""
        begin, self.size = self.size, self.size + size
        if not size:
            return np.empty(0, np.uint8)
        if self._map is None or len(self._map) < self.size:
            self._grow(_FEW if self.size <= _FEW else max(4 * self.size // _MANY * _MANY, _MANY))
        return self._view(begin, size)

    def all(self) -> NDArray[np.uint8]:
        """The bytes that are there."""
        return self._view(0, self.size) if self.size else np.empty(0, np.uint8)

    def clear(self, *, keep: bool = False) -> None:
        """Forgets the bytes; keeps their room for others, where these will come."""
        self.size = 0
        if not keep or (self._map is not None and len(self._map) > _MANY):
            self._map = None

    def _view(self, begin: int, size: int) -> NDArray[np.uint8]:
        """A part of the mapping."""
        if self._map is None:
            raise ValueError("there is no mapping of no bytes")
        return np.frombuffer(self._map, np.uint8, size, begin)

    def _grow(self, size: int) -> None:
        """Makes the mapping larger, or makes a new one where somebody still looks at it."""
        if self._map is not None:
            try:
                self._map.resize(size)
            except (BufferError, SystemError):
                before = self._map
                self._map = _anonymous(size)
                self._map[: len(before)] = before[:]
        else:
            self._map = _anonymous(size)
        if size > _FEW:
            self._map.madvise(mmap.MADV_HUGEPAGE)


def _anonymous(size: int) -> mmap.mmap:
    """A mapping of memory that is this process's own, and may grow."""
    return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)

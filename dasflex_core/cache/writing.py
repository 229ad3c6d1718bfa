# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes the files of a block: under other names first, then renamed, and the one that vouches for them last."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final
from zlib import crc32

from dasflex_core.cache.block import Block, Declared, Part, read_block
from dasflex_core.errors import SourceError

if TYPE_CHECKING:
    import hashlib
    from collections.abc import Iterable
    from io import FileIO
    from typing import Self

    from dasflex_core.stages import Frame, Framer

__all__ = ["BlockWriter"]

#: What the group may do, whatever the umask of who writes: servers, daemons and administrators share blocks.
_FOLDER: Final = 0o070
_FILE: Final = 0o060
_HEADER: Final = -1
#: What a stream says that is no failure, in the words of either generation.
_NO_DATA: Final = (b"NoDataInInterval", b"NoMatchingData")


class BlockWriter:
    """The files of one block while they are written. Everything here raises `OSError`.

        with BlockWriter(base, "d2s", framer) as writer:
            writer.stream(chunk)
            writer.sums(data)
            block = writer.keep(block)

    Nothing is left of it where that is not reached.
    """

    def __init__(self, base: str, suffix: str, framer: Framer | None) -> None:
        self._base = Path(base)
        self._mark = f"{os.getpid():x}-{os.urandom(4).hex()}"
        self._files: dict[str, _File] = {}
        self._suffix = suffix
        self._index = _Index(framer)
        _make_folder(self._base.parent)
        self._files[suffix] = _File(self._partial(suffix))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_reason: object) -> None:
        self.close()

    def stream(self, chunk: bytes) -> None:
        """Writes more of the stream, as its framer gives it: uncompressed. Raises `SourceError` for what is none."""
        self._files[self._suffix].write(self._index.see(chunk))

    def sums(self, data: bytes) -> None:
        """Writes the moments."""
        self._files["sums"] = _File(self._partial("sums"))
        self._files["sums"].write(data)

    def keep(self, block: Block) -> Block:
        """Makes the block valid: what is given, with the files that were written and the time of the file server.

        Its records and headers are those that were written, where there is a framer. Raises `SourceError` where the
        stream ends inside a packet, or tells of a failure.
        """
        self._index.finish()
        parts = {suffix: file.part(suffix) for suffix, file in self._files.items()}
        stamp = self._files[self._suffix].path.stat().st_mtime
        made = replace(
            block,
            base=str(self._base),
            made=min(stamp, time.time()),
            stream=parts[self._suffix],
            sums=parts.get("sums"),
            declared=tuple(self._index.declared),
            records=block.records if self._index.blind else self._index.records,
        )
        there = read_block(made.base)
        if there is None or there.parts != made.parts:  # else the files are the same, whoever's are there at a time
            Path(f"{made.base}.block").unlink(missing_ok=True)
        for suffix, file in self._files.items():
            _renamed(file.path, Path(f"{self._base}.{suffix}"), parts[suffix].size)
        self._files = {}
        vouching = _File(self._partial("block"))
        self._files["block"] = vouching
        vouching.write(made.plain())
        size = vouching.part("block").size
        _renamed(vouching.path, Path(f"{self._base}.block"), size)
        self._files = {}
        return made

    def close(self) -> None:
        """Removes what was written and not kept. May be called twice."""
        files, self._files = self._files, {}
        for file in files.values():
            file.discard()

    def _partial(self, suffix: str) -> Path:
        """The name of a file that is being written; none of the classic ones looks like it."""
        return self._base.with_name(f".{self._base.name}.{suffix}.{self._mark}")


class _File:
    """A file under its first name, and what is known of its bytes."""

    def __init__(self, path: Path) -> None:
        from hashlib import sha256

        self.path = path
        self._size = 0
        self._crc = 0
        self._sha: hashlib._Hash = sha256()
        self._file: FileIO | None = path.open("xb", buffering=0)
        _share(path, _FILE)

    def write(self, chunk: bytes) -> None:
        rest = memoryview(chunk)
        while rest and self._file is not None:
            rest = rest[self._file.write(rest) :]
        self._size += len(chunk)
        self._crc = crc32(chunk, self._crc)
        self._sha.update(chunk)

    def part(self, suffix: str) -> Part:
        """Ends the file: what was written is on the disk."""
        if self._file is not None:
            os.fsync(self._file.fileno())
            self._file.close()
            self._file = None
        return Part(suffix, self._size, self._crc, self._sha.hexdigest())

    def discard(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        with suppress(OSError):
            self.path.unlink()


class _Index:
    """The places of the headers of a stream, and how many records it has. Without a framer nothing is known of them."""

    def __init__(self, framer: Framer | None) -> None:
        self.declared: list[Declared] = []
        self.records = 0
        self._framer = framer
        self._at = 0

    @property
    def blind(self) -> bool:
        """Whether nothing is known."""
        return self._framer is None

    def see(self, chunk: bytes) -> bytes:
        """The same packets, looked at. Raises `SourceError` for one that tells of a failure."""
        return chunk if self._framer is None else self._noted(self._framer.feed(chunk))

    def finish(self) -> None:
        """The end of the stream."""
        if self._framer is not None:
            self._noted(self._framer.finish())

    def _noted(self, frames: Iterable[Frame]) -> bytes:
        found: list[bytes] = []
        for frame in frames:
            if frame.kind in ("header", "dataset"):
                number = _HEADER if frame.kind == "header" else frame.id
                self.declared.append(Declared(self._at, len(frame.data), number))
            elif frame.kind == "data":
                self.records += 1
            elif frame.kind == "problem" and not any(each in frame.data for each in _NO_DATA):
                raise SourceError("The stream tells of a failure", kind="source.stream", detail=str(frame.data[:500]))
            self._at += len(frame.data)
            found.append(frame.data)
        return b"".join(found)


def _make_folder(folder: Path) -> None:
    """Makes a folder with those around it."""
    if folder.is_dir():
        return
    _make_folder(folder.parent)
    with suppress(FileExistsError):
        folder.mkdir()
        _share(folder, _FOLDER)


def _share(path: Path, bits: int) -> None:
    """Lets the group have a file or folder, where the file server knows groups."""
    with suppress(PermissionError):
        mode = path.stat().st_mode & 0o7777
        if mode & bits != bits:
            path.chmod(mode | bits)


def _renamed(partial: Path, target: Path, size: int) -> None:
    """Renames a file. Over NFS that may be done and yet fail, where the answer was lost and the call is sent again."""
    try:
        partial.replace(target)
    except FileNotFoundError:
        if partial.exists() or target.stat().st_size != size:
            raise

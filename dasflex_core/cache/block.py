# SPDX-License-Identifier: GPL-3.0-or-later
"""A block: what one cache level keeps of one period, in files of which a small one is written last and vouches for all.

    2031-04-02_bin-60s.d2s     the answer of the level's request for that period, a stream that stands alone
    2031-04-02_bin-60s.sums    the moments of its bins, from which wider ones are made; not where records are kept
    2031-04-02_bin-60s.block   JSON: what it is of, sizes and checksums

Without the last there is no block. Each is written under another name and renamed, so that none is ever there in part;
where two programs write one block at once, checksums tell whether the files that stand there belong together.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["VERSION", "Block", "Declared", "Part", "checked", "intact", "read_block", "remove"]

#: Of the form of these files. Blocks of another are made again.
VERSION: Final = 1
_CHUNK: Final = 1 << 20
#: Files up to this size are checked in memory, larger ones are read twice.
_HELD: Final = 8 << 20
_SMALL: Final = 1 << 16
#: What the file that vouches begins with: the checksum of all behind it, so that it can be read as JSON, too.
_HEAD: Final = b'{"crc":"%08x",'
_HEAD_SIZE: Final = len(_HEAD % 0)


@dataclass(frozen=True, slots=True)
class Part:
    """A file of a block: its name's suffix, its bytes, and their checksums."""

    suffix: str
    size: int
    crc: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Declared:
    """Where in the stream a packet stands that declares a dataset, the stream header being that of -1."""

    offset: int
    size: int
    id: int


@dataclass(frozen=True, slots=True)
class Block:
    """A block that was found.

    `base` is the path of its files without their suffixes; `begin` and `end` are those of its period in nanoseconds;
    `key` says what it is of (`dasflex_core.cache.keeping`), `answer` is the id of the answer that its stream is.
    `changed` is the date of the data (seconds since 1970, None where that is not known), `made` when it was made.
    `facts` tells apart what definitions say in words. `records` counts those of the stream, and `declared` has the
    places of its headers.
    """

    base: str
    begin: int
    end: int
    key: str
    answer: str
    changed: int | None
    made: float
    records: int
    stream: Part
    sums: Part | None = None
    facts: str = ""
    declared: tuple[Declared, ...] = ()

    @property
    def parts(self) -> tuple[Part, ...]:
        """Its files beside the one that vouches for them."""
        return (self.stream,) if self.sums is None else (self.stream, self.sums)

    @property
    def size(self) -> int:
        """The bytes of these."""
        return sum(each.size for each in self.parts)

    def path(self, part: Part) -> str:
        """Where a part lies."""
        return f"{self.base}.{part.suffix}"

    def plain(self) -> bytes:
        """The file that vouches for the block. It begins with its own checksum."""
        from zlib import crc32

        facts = {
            "version": VERSION,
            "begin": self.begin,
            "end": self.end,
            "key": self.key,
            "answer": self.answer,
            "changed": self.changed,
            "made": self.made,
            "records": self.records,
            "facts": self.facts,
            "stream": _plain(self.stream),
            "sums": _plain(self.sums) if self.sums else None,
            "declared": [[each.offset, each.size, each.id] for each in self.declared],
        }
        told = json.dumps(facts, separators=(",", ":")).encode()[1:]
        return _HEAD % crc32(told) + told


def read_block(base: str) -> Block | None:
    """The block at a path without suffix; None where there is none, or its files are not of the size that it says."""
    try:
        found = _block(base, _told(_bytes(f"{base}.block")))
        for part in found.parts:
            if os.stat(found.path(part)).st_size != part.size:  # noqa: PTH116  a year of blocks is looked at for a request
                return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return None
    return found


def checked(path: str, part: Part) -> Iterator[bytes]:
    """The bytes of a part, of which none comes before all were compared with their checksum.

    Raises `OSError` where they are not what they were, too.
    """
    from zlib import crc32

    with open(path, "rb", buffering=0) as file:  # noqa: PTH123  the path is a text
        if part.size <= _HELD:
            data = file.read(part.size + 1)
            if len(data) != part.size or crc32(data) != part.crc:
                raise _changed(path)
            yield data
            return
        crc = 0
        while chunk := file.read(_CHUNK):
            crc = crc32(chunk, crc)
        if crc != part.crc:
            raise _changed(path)
        file.seek(0)
        while chunk := file.read(_CHUNK):
            yield chunk


def intact(block: Block) -> bool:
    """Whether each part has the sha256 that it had when it was written."""
    from hashlib import file_digest

    try:
        for part in block.parts:
            with open(block.path(part), "rb") as file:  # noqa: PTH123  the path is a text
                if file_digest(file, "sha256").hexdigest() != part.sha256:
                    return False
    except OSError:
        return False
    return True


def remove(base: str) -> int:
    """Removes the files of a block, that which vouches for them first; gives their bytes. Raises `OSError`."""
    place = Path(base)
    size = 0
    for path in sorted(place.parent.glob(f"{place.name}.*"), key=lambda each: each.suffix != ".block"):
        with suppress(FileNotFoundError):
            size += path.stat().st_size
            path.unlink()
    return size


def _changed(path: str) -> OSError:
    """The error for a file that is not what was written."""
    import errno

    return OSError(errno.EIO, "its checksum is another", path)


def _bytes(path: str) -> bytes:
    """A small file, read by as few calls as can be. Raises `OSError`."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = os.read(file, _SMALL)
        while len(data) % _SMALL == 0 and (more := os.read(file, _SMALL)):
            data += more
        return data
    finally:
        os.close(file)


def _told(data: bytes) -> dict[str, Any]:
    """What a file that vouches says. Raises `ValueError` where it is not as it was written."""
    from zlib import crc32

    if data[:_HEAD_SIZE] != _HEAD % crc32(data[_HEAD_SIZE:]):
        raise ValueError("its checksum is another")
    plain: dict[str, Any] = json.loads(data)
    return plain


def _plain(part: Part) -> list[object]:
    return [part.suffix, part.size, part.crc, part.sha256]


def _part(plain: list[Any]) -> Part:
    suffix, size, crc, sha256 = plain
    if not str(suffix).isalnum():
        raise ValueError(suffix)
    return Part(str(suffix), int(size), int(crc), str(sha256))


def _block(base: str, plain: dict[str, Any]) -> Block:
    """The block that was written. Raises `ValueError` and its kin for what is none, or is of another version."""
    if plain["version"] != VERSION:
        raise ValueError(plain["version"])
    return Block(
        base=base,
        begin=int(plain["begin"]),
        end=int(plain["end"]),
        key=str(plain["key"]),
        answer=str(plain["answer"]),
        changed=None if plain["changed"] is None else int(plain["changed"]),
        made=float(plain["made"]),
        records=int(plain["records"]),
        stream=_part(plain["stream"]),
        sums=None if plain["sums"] is None else _part(plain["sums"]),
        facts=str(plain["facts"]),
        declared=tuple(Declared(int(at), int(size), int(number)) for at, size, number in plain["declared"]),
    )

# SPDX-License-Identifier: GPL-3.0-or-later
"""Files in a plan: blocks that are read, copies that are left behind, and files that a spool makes."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path
from typing import TYPE_CHECKING

from dasflex_core.errors import BusyError, QueryError, SourceError
from dasflex_core.run.settings import CHUNK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dasflex_core.arrays import Item
    from dasflex_core.stages import Spool

__all__ = ["BlockFile", "replaced", "spooled", "tee"]


class BlockFile:
    """The bytes of a file, opened now, so that it may be replaced while it is read.

    Raises `SourceError` (`source.start`) if it is not there.
    """

    def __init__(self, name: str, path: str) -> None:
        try:
            self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise SourceError(f"The block {name} cannot be read", kind="source.start", detail=str(error)) from error
        self._name = name

    def chunks(self) -> Iterator[bytes]:
        """The bytes, in chunks of up to 256 KiB. Raises `SourceError` (`source.exit`) where the disk fails."""
        try:
            while chunk := os.read(self._descriptor, CHUNK):
                yield chunk
        except OSError as error:
            raise SourceError(
                f"The block {self._name} cannot be read to its end", kind="source.exit", detail=str(error)
            ) from error
        finally:
            self.close()

    def close(self) -> None:
        """Closes the file. May be called twice."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def tee(source: Iterator[bytes], path: str, note: Callable[[str], None]) -> Iterator[bytes]:
    """Passes bytes on and copies them to a file, which appears at `path` only when all of them are in it.

    A file that cannot be written does not disturb the stream: there is none then, and `note` is told.
    """
    target = Path(path)
    partial = target.with_name(f".{target.name}.{os.urandom(6).hex()}.partial")
    with contextlib.ExitStack() as stack:
        stack.callback(_remove, partial)
        copy = None
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            copy = stack.enter_context(partial.open("wb", buffering=0))
        except OSError as error:
            note(f"{path} cannot be written: {error}")
        for chunk in source:
            if copy is not None and not _copied(chunk, copy.fileno(), path, note):
                copy = None
            yield chunk
        if copy is not None:
            try:
                os.fsync(copy.fileno())
                partial.replace(target)
            except OSError as error:
                note(f"{path} cannot be written: {error}")


def replaced(path: Path, data: bytes) -> None:
    """Writes a small file so that it is there whole or not at all. Raises `OSError`."""
    partial = path.with_name(f".{path.name}.{os.urandom(6).hex()}.partial")
    try:
        partial.write_bytes(data)
        partial.replace(path)
    finally:
        _remove(partial)


def spooled(
    source: Iterator[Item], create: Callable[[Path], Spool], scratch: str, quota: int, ready: Callable[[], None]
) -> Iterator[bytes]:
    """Fills a file in a directory of its own below `scratch`, then gives its bytes; nothing is left of either.

    While it is filled, empty chunks come.

    `ready` is called when the file is whole. Raises `QueryError` (`query.bad-range`) where the directory grows beyond
    `quota` bytes, and `BusyError` where the disk is full.
    """
    import shutil
    import tempfile

    from dasflex_core.run.silence import SILENCE

    with _room_on_disk():
        directory = Path(tempfile.mkdtemp(prefix="dasflex-", dir=scratch or None))
    try:
        with _room_on_disk():
            spool = create(directory)
            if hasattr(spool, "quota"):
                spool.quota = quota
        for item in source:
            if item is not SILENCE:
                with _room_on_disk():
                    spool.feed(item)
                _check_quota(directory, quota)
            yield b""
        with _room_on_disk():
            path = spool.finish()
        _check_quota(directory, quota)
        ready()
        yield from BlockFile(path.name, str(path)).chunks()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextlib.contextmanager
def _room_on_disk() -> Iterator[None]:
    """Turns a full disk into a `BusyError`."""
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise BusyError(
            "The server has no room for a file of this size now; try again later", kind="busy.limit", detail=str(error)
        ) from error


def _check_quota(directory: Path, quota: int) -> None:
    """Raises `QueryError` where the files in the directory hold more than `quota` bytes."""
    held = sum(each.stat().st_size for each in directory.rglob("*") if each.is_file())
    if held > quota:
        raise QueryError(
            f"The answer is larger than the {quota:,} bytes that a file of this format may have;"
            " ask for a shorter time range, fewer variables or averages",
            kind="query.bad-range",
        )


def _copied(chunk: bytes, descriptor: int, path: str, note: Callable[[str], None]) -> bool:
    """Writes a chunk to the copy; false where that failed."""
    rest = memoryview(chunk)
    try:
        while rest:
            rest = rest[os.write(descriptor, rest) :]
    except OSError as error:
        note(f"{path} cannot be written: {error}")
        return False
    return True


def _remove(path: Path) -> None:
    """Removes a file, if it is there and can be."""
    with contextlib.suppress(OSError):
        path.unlink()

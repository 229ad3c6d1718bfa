# SPDX-License-Identifier: GPL-3.0-or-later
"""The sha256 of a stream, made beside it: as far as the hash can keep up with the stream."""

from __future__ import annotations

from queue import Full, Queue
from threading import Thread
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import hashlib

__all__ = ["Digest"]

#: Bytes that are hashed at once; a stream that is longer gets a thread.
_AT_ONCE: Final = 1 << 22
#: Chunks of 256 kB that may wait for the hash: 1 MiB, since a server has many streams at once. A stream that is further
#: ahead than that does not wait for it.
_WAITING: Final = 4


class Digest:
    """A running sha256, which gives up rather than hold up a stream that is faster than it.

    hashlib releases the interpreter while it works, so that reading goes on on another core. With the SHA instructions
    of a processor it does about 1.7 GB/s, which no network reaches, but a pipe does. The first chunk does not wait for
    it to be imported, which takes longer than to hash that.
    """

    def __init__(self) -> None:
        self._hash: hashlib._Hash | None = None
        self._first = b""
        self._seen = 0
        self._chunks: Queue[bytes | None] = Queue(_WAITING)
        self._thread: Thread | None = None
        self._behind = False

    def update(self, chunk: bytes) -> None:
        """Adds a chunk; never waits."""
        self._seen += len(chunk)
        if self._behind:
            return
        if not self._first:
            self._first = chunk
            return
        if self._thread is None and self._seen <= _AT_ONCE:
            self._running().update(chunk)
            return
        if self._thread is None:
            self._thread = Thread(target=self._run, name="dasflex-digest", daemon=True)
            self._thread.start()
        try:
            self._chunks.put_nowait(chunk)
        except Full:
            self._behind = True

    def finish(self) -> str:
        """The hash of all chunks, in hexadecimal; blank where the hash could not keep up."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._chunks.put(None)
            thread.join()
        return "" if self._behind else self._running().hexdigest()

    def _running(self) -> hashlib._Hash:
        """The hash of what came, the first chunk included."""
        if self._hash is None:
            from hashlib import sha256

            self._hash = sha256(self._first)
        return self._hash

    def _run(self) -> None:
        """Hashes chunks until there are no more."""
        while (chunk := self._chunks.get()) is not None:
            if not self._behind:
                self._running().update(chunk)

# SPDX-License-Identifier: GPL-3.0-or-later
"""How often blocks were there when they were asked for: a line for each request, appended to a file of the source.

There is no lock and no database: a line is written in one write, which is whole by itself, and a file that has grown is
renamed in place of the one before it. So what is kept of it is bounded, and a request waits for nothing.

    1795459560 1 12 2       seconds since 1970, the level, blocks that were used, and periods that had none
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["HITS", "Hits", "hits_of", "note_hits"]

#: The file, in the folder of a source.
HITS: Final = "hits.log"
#: What a file may hold, in bytes: about 10,000 requests.
_MOST: Final = 256 << 10
_FLAGS: Final = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
#: Whoever of the group answers requests may write.
_MODE: Final = 0o664
_FOLDER: Final = 0o775
_FIELDS: Final = 4


@dataclass(frozen=True, slots=True)
class Hits:
    """What was noted of a level `since` some time (seconds since 1970): requests, and the blocks that they wanted."""

    requests: int
    used: int
    missing: int
    since: int

    @property
    def rate(self) -> float:
        """The share of the blocks that were there."""
        return self.used / max(1, self.used + self.missing)


def note_hits(folder: str, level_name: str, used: int, missing: int) -> None:
    """Notes that a request used blocks of a level, and that others were missing. Never raises.

    `folder` is that of the source, below CACHE_ROOT/data; `level_name` is `Kept.name`.
    """
    line = f"{int(time.time())} {level_name} {used} {missing}\n".encode()
    with suppress(OSError, ValueError):
        file = _opened(folder)
        try:
            os.write(file, line)
            if os.fstat(file).st_size > _MOST:
                _renew(file, f"{folder}/{HITS}")
        finally:
            os.close(file)


def hits_of(folder: str) -> Mapping[str, Hits]:
    """What was noted, by level. A line that is none does not count; where nothing was noted there is nothing."""
    found: dict[str, Hits] = {}
    for name in (f"{HITS}.1", HITS):
        with suppress(OSError), open(f"{folder}/{name}", "rb") as file:  # noqa: PTH123  the path is a text
            for line in file.read(2 * _MOST).splitlines():
                with suppress(ValueError):
                    _add(found, line.decode("ascii").split(" "))
    return found


def _add(found: dict[str, Hits], words: list[str]) -> None:
    """Counts a line. Raises `ValueError` for what is none."""
    if len(words) != _FIELDS:
        raise ValueError(words)
    when, used, missing = int(words[0]), int(words[2]), int(words[3])
    before = found.get(words[1], Hits(0, 0, 0, when))
    found[words[1]] = Hits(before.requests + 1, before.used + used, before.missing + missing, min(before.since, when))


def _opened(folder: str) -> int:
    """The file, made with the folder where it is not there. Raises `OSError`."""
    path = f"{folder}/{HITS}"
    try:
        return os.open(path, _FLAGS)
    except FileNotFoundError:
        os.makedirs(folder, _FOLDER, exist_ok=True)  # noqa: PTH103  pathlib is not needed for anything else here
        file = os.open(path, _FLAGS | os.O_CREAT, _MODE)
        with suppress(PermissionError):
            os.fchmod(file, os.fstat(file).st_mode & 0o7777 | _MODE & 0o060)
        return file


def _renew(file: int, path: str) -> None:
    """Renames a file that is full, unless another process has done so. Raises `OSError`."""
    if os.stat(path).st_ino == os.fstat(file).st_ino:  # noqa: PTH116  pathlib is not needed here
        os.replace(path, f"{path}.1")  # noqa: PTH105  as above

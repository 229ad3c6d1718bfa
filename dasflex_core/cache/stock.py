# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies in the folder of a source below CACHE_ROOT/data: the blocks of its levels, what is damaged, what is left.

Only what has the name of a file of a block is ever looked at or removed, and no link to a folder is followed: sources
lie below one another, and a classic server may keep its blocks beside ours.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from dasflex_core.cache.block import Block, read_block
from dasflex_core.errors import DasflexError
from dasflex_core.times import FOREVER, parse_time
from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Lying", "LyingState", "Place", "folders_of", "is_left", "lying", "remove_all"]

#: Seconds after which a file of a writer is taken for that of one which was killed.
_LEFT: Final = 86_400.0
_DIGITS: Final = re.compile(r"\d{4}|\d\d")
_RESOLUTION: Final = re.compile(r"(intrinsic|bin-\d+(?:s|ms|us|ns))(?:_\d+)?")
_PERIOD: Final = r"(\d{4}(?:-\d\d){0,2}(?:T\d\d(?:-\d\d){0,2})?)"
#: How deep folders are below a level: year, month, day, hour, minute.
_DEPTH: Final = 5


#: What files are: a block; `damaged`, where a file vouches for what is no block; `left` by a writer, where they were
#: never whole or have lost the file that vouches for them; or `foreign`, a stream that none of our files stands beside.
LyingState = Literal["block", "damaged", "left", "foreign"]


@dataclass(frozen=True, slots=True)
class Place:
    """A folder that has blocks of one level: `folder`, and `name`, with which their files end."""

    folder: str
    name: str


@dataclass(frozen=True, slots=True)
class Lying:
    """Files that belong together: those of a block, or what a writer has left.

    `base` is their path without suffix, `begin` the nanoseconds at which their period begins, `files` their paths, the
    one that vouches first, `size` their bytes. `block` is what they are where their `state` says that they are one.
    """

    base: str
    begin: int
    files: tuple[str, ...]
    size: int
    state: LyingState
    block: Block | None = None
    touched: float = 0.0

    @property
    def period(self) -> str:
        """The period as the files have it in their names."""
        return self.base.rpartition("/")[2].lstrip(".").partition("_")[0]


def folders_of(source: str) -> Iterator[Place]:
    """The folders that have the names of levels in that of a source: parameters, and below them a resolution."""
    for parameters in _folders(source):
        for each in _folders(parameters):
            found = _RESOLUTION.fullmatch(each.rpartition("/")[2])
            if found:
                yield Place(each, found[1])


def lying(place: Place, begin: int | None = None, end: int | None = None) -> Iterator[Lying]:
    """What lies in the folder of a level, of periods that begin in [begin, end); in the order of time."""
    whole = re.compile(rf"{_PERIOD}_{re.escape(place.name)}\.(\w+)")
    part = re.compile(rf"\.{_PERIOD}_{re.escape(place.name)}\.(\w+)\.[0-9a-f]+-[0-9a-f]{{8}}")
    lowest = begin if begin is not None else -FOREVER.ns
    highest = end if end is not None else FOREVER.ns
    for folder in _deep(place.folder, _DEPTH):
        for group in _groups(folder, whole, part):
            if lowest <= group.begin < highest:
                yield group


def remove_all(found: Iterable[Lying], top: str) -> int:
    """Removes files, and the folders below `top` that are empty then; gives the bytes. Raises `OSError`."""
    freed = 0
    for each in found:
        for file in each.files:
            with suppress(FileNotFoundError):
                Path(file).unlink()
        freed += each.size
        folder = Path(each.base).parent
        while folder != Path(top) and folder.is_relative_to(top):
            try:
                folder.rmdir()
            except OSError:  # it is not empty
                break
            folder = folder.parent
    return freed


def is_left(found: Lying) -> bool:
    """Whether files were left by a writer that was killed, since nobody has touched them for a day."""
    return found.state == "left" and found.touched + _LEFT < time.time()


def _groups(folder: str, whole: re.Pattern[str], part: re.Pattern[str]) -> list[Lying]:
    """The files of a folder by what they belong to."""
    blocks: dict[str, list[os.DirEntry[str]]] = {}
    made: list[Lying] = []
    for entry in _entries(folder):
        name = entry.name
        if whole.fullmatch(name):
            blocks.setdefault(name.rpartition(".")[0], []).append(entry)
        elif part.fullmatch(name):
            made += _lying(folder, name.rpartition(".")[0].rpartition(".")[0], [entry], left=True)
    for base, entries in blocks.items():
        made += _lying(folder, base, entries)
    return sorted(made, key=lambda each: (each.begin, each.base))


def _lying(folder: str, base: str, entries: list[os.DirEntry[str]], *, left: bool = False) -> list[Lying]:
    """The files of a period; nothing where its name is no time, or they vanish while we look."""
    period = base.lstrip(".").partition("_")[0]
    day, _, clock = period.partition("T")
    try:
        begin = parse_time(f"{day}T{clock.replace('-', ':')}" if clock else day).ns
        found = [each.stat(follow_symlinks=False) for each in entries]
    except (OSError, DasflexError):
        return []
    suffixes = {each.name.rpartition(".")[2] for each in entries}
    block = read_block(f"{folder}/{base}") if "block" in suffixes and not left else None
    state: LyingState = "foreign"
    if left or ("block" not in suffixes and "sums" in suffixes):
        state = "left"
    elif "block" in suffixes:
        state = "damaged" if block is None else "block"
    return [
        Lying(
            f"{folder}/{base}",
            begin,
            tuple(sorted((each.path for each in entries), key=lambda path: not path.endswith(".block"))),
            sum(each.st_size for each in found),
            state,
            block,
            max(each.st_mtime for each in found),
        )
    ]


def _deep(folder: str, depth: int) -> Iterator[str]:
    """A folder, and those of times below it, in order."""
    yield folder
    if depth:
        for each in _folders(folder):
            if _DIGITS.fullmatch(each.rpartition("/")[2]):
                yield from _deep(each, depth - 1)


def _folders(folder: str) -> list[str]:
    """The folders in a folder, sorted; links are none."""
    return sorted(each.path for each in _entries(folder) if each.is_dir(follow_symlinks=False))


def _entries(folder: str) -> list[os.DirEntry[str]]:
    """What is in a folder; nothing where it is not there."""
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []

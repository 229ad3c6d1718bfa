# SPDX-License-Identifier: GPL-3.0-or-later
"""What kinds of files have in common whose records can be read from one place to another: the records of a range."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dasflex_files.kinds import BATCH
from dasflex_files.picking import rows_within, runs_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

__all__ = ["records_within"]


def records_within(
    pieces: Iterator[tuple[int, NDArray[Any]]],
    time: tuple[str, str],
    names: Sequence[str],
    read: Callable[[str, int, int], NDArray[Any]],
    size: int,
    span: tuple[int, int],
) -> Iterator[Mapping[str, NDArray[Any]]]:
    """Batches of the records of a range [begin, end), in nanoseconds since 1970.

    `pieces` are the times, each with the place of its first record; `time` is the name of their variable, and their
    units. `read(name, first, last)` gives records [first, last) of a variable; `size` is the bytes of a record.
    """
    count = max(1, BATCH // max(1, size))
    for start, times in pieces:
        for first, last in runs_of(rows_within(times, time[1], *span)):
            for row in range(first, last, count):
                stop = min(row + count, last)
                columns = {name: read(name, start + row, start + stop) for name in names}
                yield {time[0]: times[row:stop], **columns}

# SPDX-License-Identifier: GPL-3.0-or-later
"""The reader of a collection: the records of a range, from the files that overlap it, in order of time."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING

from dasflex_core.arrays import NoData, Properties, Property, StreamHeader
from dasflex_core.loading import load
from dasflex_files.asking import moment
from dasflex_files.calendar_fields import ALWAYS
from dasflex_files.choosing import Item, wished
from dasflex_files.index import Index
from dasflex_files.kinds import kind_of, opened
from dasflex_files.layout import Layout
from dasflex_files.pattern import parse_pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dasflex_core import arrays
    from dasflex_files.index import OneFile

__all__ = ["FilesReader"]


class FilesReader:
    """Reads a collection of files.

    `pattern` is that of their absolute paths, `time` the variable of times, blank for the usual, `keep` where the index
    is, `said` what the definition says, as `dasflex_files.binding` writes it, and `decoder` what reads files that are
    streams. `begin` and `end` are the range; `read_time_min` and `read_time_max` where somebody else trims.
    """

    def __init__(  # noqa: PLR0913  the keywords are the parameters of the declaration, and what the binding gives
        self,
        *,
        pattern: str,
        said: str,
        time: str = "",
        keep: str = "",
        decoder: str = "",
        begin: str | None = None,
        end: str | None = None,
        data: tuple[str, ...] | None = None,
        read_time_min: str | None = None,
        read_time_max: str | None = None,
    ) -> None:
        self._pattern = parse_pattern(pattern)
        self._time = time
        self._keep = keep
        self._decoder = decoder
        told = json.loads(said)
        self._title: str = told["title"]
        self._told: str = told.get("files", "")
        self._wishes = {name: Item(source, tuple(axes), default) for name, source, axes, default in told["data"]}
        self._spelt: dict[str, str] = {name.lower(): name for name in told["coords"]}
        self._names = data
        self._begin = moment(begin or read_time_min, ALWAYS[0])
        self._end = moment(end or read_time_max, ALWAYS[1])

    def items(self, cancelled: Callable[[], bool]) -> Iterator[arrays.Item]:
        """The stream: its header, and the datasets and records of each file."""
        with Index(self._pattern, self._keep) as index:
            files = index.look(self._begin, self._end).files if self._begin < self._end else ()
        if not files:
            yield self._header()
            yield NoData("there is no file with data of this range")
            return
        yield from self._streams(files, cancelled) if self._decoder else self._tables(files, cancelled)

    def _header(self) -> StreamHeader:
        """The header of the stream."""
        return StreamHeader(properties=Properties((Property("title", self._title),) if self._title else ()))

    def _streams(self, files: tuple[OneFile, ...], cancelled: Callable[[], bool]) -> Iterator[arrays.Item]:
        """The items of files that are streams."""
        from dasflex_files.streams import Joined

        joined = Joined(load(self._decoder), self._wishes, self._names)
        for file in files:
            if cancelled():
                return
            yield from joined.items(file.path, self._begin, self._end, cancelled)

    def _tables(self, files: tuple[OneFile, ...], cancelled: Callable[[], bool]) -> Iterator[arrays.Item]:
        """The items of files that are opened. A dataset is declared again where one is not as in the files before."""
        kind = kind_of(self._pattern.suffix, self._pattern.text)
        declared: dict[int, arrays.Dataset] = {}
        found = False
        for file in files:
            if cancelled():
                return
            with closing(opened(kind, file.path, self._time, self._told)) as data:
                layout = Layout(
                    data.described, wished(data.described, self._wishes, self._names), data.constant, self._spelt
                )
                if not declared:
                    yield self._header()
                for dataset in layout.datasets:
                    if declared.get(dataset.id) != dataset:
                        declared[dataset.id] = dataset
                        yield dataset
                for batch in data.batches(layout.names, self._begin, self._end):
                    if cancelled():
                        return
                    found = True
                    yield from layout.records(batch)
        if not found:
            yield NoData("no record is in this range")

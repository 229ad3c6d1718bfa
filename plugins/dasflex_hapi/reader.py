# SPDX-License-Identifier: GPL-3.0-or-later
"""The reader of a data set of a HAPI server: its records as arrays, in the binary form where the server has it."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Final

import numpy as np

from dasflex_core.arrays import NoData, Records
from dasflex_core.errors import QueryError, SourceError
from dasflex_core.remote.knowing import Knowledge
from dasflex_core.times import Time, format_time, parse_time
from dasflex_hapi.address import hapi_set
from dasflex_hapi.asking import HapiServer, NothingError, OutsideError
from dasflex_hapi.info import read_info
from dasflex_hapi.knowing import found_out
from dasflex_hapi.layout import Layout
from dasflex_hapi.rows import binary_rows, csv_rows
from dasflex_hapi.spelling import picked

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from dasflex_core.arrays import Item
    from dasflex_hapi.info import Info

__all__ = ["HapiReader"]

#: The most requests into which one is cut, because the server takes no longer ones.
_MOST_PIECES: Final = 10_000


class HapiReader:
    """One request to a HAPI server.

    `begin` and `end` are the half-open range, `data` the variables that are asked for (all where there are none), and
    `names` a JSON object of the parameters by what the definition calls them. `url` is that of the definition, `keep`
    where it is kept what is known of the data set.
    """

    def __init__(
        self,
        *,
        url: str,
        keep: str,
        silence: float,
        names: str,
        begin: str,
        end: str,
        data: tuple[str, ...] = (),
    ) -> None:
        self._source = hapi_set(url, os.environ)
        self._knowledge = Knowledge(keep, "hapi", self._source.key)
        self._silence = silence
        self._names: Mapping[str, str] = json.loads(names)
        self._begin, self._end = parse_time(begin), parse_time(end)
        self._data = data

    def items(self, cancelled: Callable[[], bool]) -> Iterator[Item]:
        """The items of the stream. Raises `DasflexError` for an answer that is none, or is cut."""
        if self._end <= self._begin:
            return
        self._knowledge.renew(lambda seconds: found_out(self._source, seconds))
        server = HapiServer(self._source, self._silence, cancelled)
        try:
            asked = self._asked(server)
            info = read_info(server.info(asked))
            form = self._form(server)
        except (NothingError, OutsideError) as error:
            raise SourceError(str(error), kind="source.stream") from error
        layout = Layout(info)
        yield layout.header
        yield from layout.datasets
        nothing = True
        for columns in self._rows(server, info, [each.name for each in info.parameters[1:]] if asked else [], form):
            for batch in layout.records(columns):
                kept = _within(batch, self._begin, self._end)
                if len(kept):
                    nothing = False
                    yield kept
        if nothing:
            yield NoData()

    def _asked(self, server: HapiServer) -> list[str]:
        """The parameters to ask for, and those that have the values of their bins; none for all."""
        if not self._data and not self._source.parameters:
            return []
        info = read_info(server.info())
        only = self._source.parameters
        there = [
            each.name
            for each in info.parameters[1:]
            if each.name not in info.axes and (not only or each.name in only)
        ]  # fmt: skip
        wanted = picked(self._data, there, self._names) if self._data else there
        if not wanted:
            known = ", ".join(there)
            raise QueryError(f"read.data names none of the parameters; there are {known}", kind="query.bad-value")
        needed = {name for each in info.parameters if each.name in wanted for name in each.named}
        return [each.name for each in info.parameters[1:] if each.name in wanted or each.name in needed]

    def _form(self, server: HapiServer) -> str:
        """The form to ask for."""
        kept = self._knowledge.kept()
        formats = (kept[0].get("formats") if kept else None) or server.formats()
        return "binary" if "binary" in formats else "csv"

    def _rows(
        self, server: HapiServer, info: Info, parameters: list[str], form: str
    ) -> Iterator[Mapping[str, NDArray[np.generic]]]:
        """The rows of the range, which is cut where the server takes no longer one, or has no data for all of it."""
        for begin, end in self._pieces(info):
            try:
                yield from _piece(server, info, begin, end, parameters, form)
            except NothingError:
                continue
            except OutsideError as error:
                clipped = _clipped(begin, end, info, error)
                if clipped is not None:
                    yield from _last_piece(server, info, *clipped, parameters, form)

    def _pieces(self, info: Info) -> Iterator[tuple[Time, Time]]:
        """The range in pieces that the server takes."""
        longest = int(info.longest * 1e9) if info.longest else self._end.ns - self._begin.ns
        if (self._end.ns - self._begin.ns) / longest > _MOST_PIECES:
            what = f"The range is more than {_MOST_PIECES:,} times what the HAPI server takes at once; ask for less"
            raise QueryError(what, kind="query.too-large")
        for first in range(self._begin.ns, self._end.ns, longest):
            yield Time(first), Time(min(first + longest, self._end.ns))


def _piece(
    server: HapiServer, info: Info, begin: Time, end: Time, parameters: list[str], form: str
) -> Iterator[Mapping[str, NDArray[np.generic]]]:
    """The rows of one request."""
    read = binary_rows if form == "binary" else csv_rows
    with server.data(_text(begin), _text(end), parameters, form) as reply:
        yield from read(reply.chunks(), info.parameters)


def _last_piece(
    server: HapiServer, info: Info, begin: Time, end: Time, parameters: list[str], form: str
) -> Iterator[Mapping[str, NDArray[np.generic]]]:
    """The rows of a request that cannot be clipped any more."""
    try:
        yield from _piece(server, info, begin, end, parameters, form)
    except NothingError:
        return
    except OutsideError as error:
        raise SourceError(str(error), kind="source.stream") from error


def _clipped(begin: Time, end: Time, info: Info, error: OutsideError) -> tuple[Time, Time] | None:
    """What of a range the server has data for; None where that is nothing. Raises `SourceError` where it is all."""
    try:
        first = max(begin, parse_time(info.start)) if info.start else begin
        last = min(end, parse_time(info.stop)) if info.stop else end
    except QueryError as unread:
        raise SourceError(str(error), kind="source.stream") from unread
    if (first, last) == (begin, end):
        raise SourceError(str(error), kind="source.stream") from error
    return (first, last) if first < last else None


def _text(moment: Time) -> str:
    """A time as HAPI has it: with its Z, and to the nanosecond where that counts."""
    return f"{format_time(moment)}Z"


def _within(batch: Records, begin: Time, end: Time) -> Records:
    """The records of the range: not each server keeps to it."""
    times = np.asarray(batch.columns["time"])
    first, last = np.datetime64(begin.ns, "ns"), np.datetime64(end.ns, "ns")
    inside = (times >= first) & (times < last)
    if inside.all():
        return batch
    kept = {name: column[inside] for name, column in batch.columns.items() if isinstance(column, np.ndarray)}
    return Records(batch.dataset, kept)

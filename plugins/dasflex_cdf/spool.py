# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes a stream and makes a CDF of it: all datasets in one file, each with an epoch of its own.

That is how ISTP files hold data of several cadences: DEPEND_0 says for each variable which epoch is its. A dataset that
is declared anew in another form begins another group of variables, since a CDF variable has one shape throughout.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np

from dasflex_cdf.about import globals_of, merged
from dasflex_cdf.attributes import LIMITS, Own, written_number
from dasflex_cdf.group import Group, Made
from dasflex_cdf.holding import MEMORY, Room
from dasflex_cdf.kinds import TYPES
from dasflex_cdf.names import Names, clean
from dasflex_cdf.skeleton import read_skeleton
from dasflex_cdf.table import Told
from dasflex_cdf.writing import File
from dasflex_core import epochs
from dasflex_core.arrays import Dataset, NoData, Problem, Properties, Records, StreamHeader
from dasflex_core.errors import SourceError
from dasflex_core.times import format_time, parse_time

if TYPE_CHECKING:
    from pathlib import Path

    from dasflex_cdf.attributes import Attributes
    from dasflex_core.arrays import Item, Variable

__all__ = ["CdfSpool"]

#: The most bytes of a file where nobody says what they are.
_MOST: Final = 10 << 30


class CdfSpool:
    """A CDF of a stream. `quota` is how many bytes it may have, and may be set before the first item comes.

    Raises `SourceError` where the stream tells a failure or is none, and `QueryError` (`query.too-large`) where there
    is more than the quota.
    """

    def __init__(
        self,
        scratch: Path,
        compression: str = "gzip",
        read_time_min: str | None = None,
        facts: str = "",
        words: str = "",
    ) -> None:
        self._scratch = scratch
        self._compressed = compression == "gzip"
        self._begin = read_time_min or ""
        self._told = Told.read(facts, words)
        self._skeleton = read_skeleton(self._told.skeleton)
        self._stream = StreamHeader()
        self._groups: list[Group] = []
        self._current: dict[int, Group] = {}
        self._notes: list[str] = []
        self._room = Room(scratch, _MOST, MEMORY)

    @property
    def quota(self) -> int:
        """The most bytes of the file."""
        return self._room.most

    @quota.setter
    def quota(self, most: int) -> None:
        self._room.most = most

    def feed(self, item: Item, /) -> None:
        """Takes one item."""
        match item:
            case Records():
                self._records(item)
            case Dataset():
                self._dataset(item)
            case StreamHeader():
                self._stream = item
            case Problem():
                raise SourceError(item.message, kind="source.stream")
            case NoData():
                self._notes.append(item.message)

    def finish(self) -> Path:
        """The file."""
        names = Names(self._told.names)
        made = File(compressed=self._compressed)
        kept = [each for each in self._groups if each.records or self._current[each.dataset.id] is each]
        plain = globals_of(
            self._told, self._stream, [each.dataset for each in kept], self._day(kept), tuple(self._notes)
        )
        about = merged(plain, self._told, self._skeleton.attributes)
        made.tell(about)
        for group in kept:
            for variable in group.variables(names):
                made.add(self._described(variable))
        if not kept:
            made.add(_no_times())
        for name, variable in self._skeleton.constants.items():
            if names.free(name) == name:
                made.adopt(variable)
        path = self._scratch / f"{clean(about['Logical_file_id'][0])}.cdf"
        made.save(path)
        return path

    def _dataset(self, dataset: Dataset) -> None:
        """A dataset is declared; one in the same form as before goes on."""
        before = self._current.get(dataset.id)
        if before is not None and _form(before.dataset) == _form(dataset):
            return
        self._current[dataset.id] = Group(self._stream, dataset, self._room)
        self._groups.append(self._current[dataset.id])

    def _records(self, batch: Records) -> None:
        """Some records. Raises `SourceError` for those that nothing has declared."""
        group = self._current.get(batch.dataset.id)
        if group is None:
            raise SourceError(f"Records of {batch.dataset.name} come before its declaration", kind="source.stream")
        if batch.dataset is not group.dataset and _form(batch.dataset) != _form(group.dataset):
            self._dataset(batch.dataset)
            group = self._current[batch.dataset.id]
        group.add(batch)

    def _day(self, groups: list[Group]) -> str:
        """The day of the first record, or that of the request; blank where neither is known."""
        found = [each.first for each in groups if each.first is not None]
        if found:
            time = epochs.to_datetime64(np.array([min(found)]), "TT2000")[0]
            return str(time.astype("M8[D]")).replace("-", "")
        return format_time(parse_time(self._begin))[:10].replace("-", "") if self._begin else ""

    def _described(self, made: Made) -> Made:
        """The variable with what the definition and the skeleton say of it."""
        said: Attributes = dict(self._skeleton.variables.get(made.name, {}))
        for name, text in self._told.variables.get(made.source, {}).items():
            number = written_number(made.type, text) if name in LIMITS and made.type else None
            said[name] = text if number is None else Own(number)
        return replace(made, attributes={**made.attributes, **said}) if said else made


def _form(dataset: Dataset) -> tuple[tuple[Variable, ...], tuple[str, ...]]:
    """What must be the same for records to go on in the same variables: all but what is only said."""
    bare = tuple(
        replace(each, properties=Properties(), label="", encoding=None, text="") for each in dataset.variables.values()
    )
    return bare, dataset.wire


def _no_times() -> Made:
    """The epoch of a file without any variable, so that programs find what they look for."""
    about: Attributes = {
        "CATDESC": "Time",
        "FIELDNAM": "Epoch",
        "VAR_TYPE": "support_data",
        "LABLAXIS": "Epoch",
        "FORMAT": TYPES["time"].format,
        "FILLVAL": Own(TYPES["time"].fill),
        "VALIDMIN": Own(TYPES["time"].low),
        "VALIDMAX": Own(TYPES["time"].high),
        "UNITS": "ns",
        "SCALETYP": "linear",
    }
    return Made("Epoch", np.empty(0, "i8"), TYPES["time"], records=True, attributes=about)

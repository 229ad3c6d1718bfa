# SPDX-License-Identifier: GPL-3.0-or-later
"""What a stretch of a stream tells of its data set: the form of its records, and when they come.

A source may declare its records anew, with other values on an inner axis (another table of frequencies), or with more
of them. Then the axis is given with each record, and there is room for the most values that were seen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from dasflex_core.arrays import Dataset, Problem, Ragged, Records
from dasflex_core.batching import one_kind_only
from dasflex_core.errors import SourceError
from dasflex_core.values import dataclass
from dasflex_hapi.writing.columns import rounded_times
from dasflex_hapi.writing.form import Form, Wishes, form_of, time_shown

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from dasflex_core.arrays import Item

__all__ = ["Learned", "learn"]

_SECOND: Final = 1_000_000_000
#: Times that are kept to see the cadence.
_TIMES: Final = 100_000


@dataclass(frozen=True, slots=True)
class Learned:
    """The form, the times of the first and the last record that were seen (ns since 1970), and how many there were.

    `cadence` is the usual time between records in seconds, None where there were too few to see.
    """

    form: Form
    first: int
    last: int
    records: int
    cadence: float | None


def learn(items: Iterable[Item], wishes: Wishes | None = None, most: int = 64_000_000) -> Learned:
    """What the items tell, of one stretch or several. No more is looked at once there were `most` bytes of values.

    `wishes` are those that were learned before, and go on to hold. Raises `QueryError` where there are several kinds of
    record, or what HAPI cannot hold, and `SourceError` where there is no record, or the stream itself tells a failure.
    """
    learning = _Learning(wishes or Wishes())
    for item in items:
        if isinstance(item, Problem):
            raise SourceError(item.message, kind="source.stream")
        if isinstance(item, Dataset):
            learning.declared(item)
        elif isinstance(item, Records):
            learning.seen(item)
            if learning.bytes >= most:
                break
    return learning.learned()


class _Learning:
    """Looks at declarations and records in turn."""

    def __init__(self, wishes: Wishes) -> None:
        self._wishes = wishes
        self._kinds: list[Dataset] = []
        self._lengths: dict[str, tuple[int, int]] = {}
        self._times: list[NDArray[np.int64]] = []
        self._kept = 0
        self._range = (np.iinfo(np.int64).max, np.iinfo(np.int64).min)
        self._records = 0
        self.bytes = 0

    def declared(self, dataset: Dataset) -> None:
        """Takes a declaration."""
        if not any(dataset == each for each in self._kinds):
            self._kinds.append(dataset)

    def seen(self, batch: Records) -> None:
        """Takes some records."""
        self.declared(batch.dataset)
        for variable in batch.dataset.columns:
            column = batch[variable.name]
            if isinstance(column, Ragged):
                lengths = np.diff(column.offsets)
                self._measured(variable.name, int(lengths.min(initial=1)), int(lengths.max(initial=1)))
                column = column.leaves
            if column.dtype.kind == "S" and not variable.dtype.itemsize and column.size:
                lengths = np.strings.str_len(np.strings.rstrip(column, b" \0"))
                self._measured(f"{variable.name}#", max(1, int(lengths.min())), max(1, int(lengths.max())))
            self.bytes += column.nbytes
        self._timed(batch)

    def _measured(self, name: str, low: int, high: int) -> None:
        """Notes how many values records have."""
        known = self._lengths.get(name, (low, high))
        self._lengths[name] = (min(low, known[0]), max(high, known[1]))

    def _timed(self, batch: Records) -> None:
        """Notes when some records are."""
        ns = rounded_times(time_shown(batch.dataset), batch)
        ns = ns[ns != np.iinfo(np.int64).min]
        if not len(ns):
            return
        self._range = (min(int(ns.min()), self._range[0]), max(int(ns.max()), self._range[1]))
        self._records += len(ns)
        if self._kept < _TIMES:
            self._times.append(ns[: _TIMES - self._kept])
            self._kept += len(self._times[-1])

    def learned(self) -> Learned:
        """What was found."""
        if not self._records:
            raise SourceError("There are no records from which the data set could be described", kind="source.stream")
        first, *others = self._kinds
        wishes = self._wished()
        form = form_of(first, wishes)
        for each in others:
            if form_of(each, wishes).digest != form.digest:
                raise one_kind_only(first.name, each.name)
        return Learned(form, *self._range, self._records, _cadence(self._times))

    def _wished(self) -> Wishes:
        """What must be wished so that all records that were seen are of one form."""
        varying = dict.fromkeys(self._wishes.varying)
        first = self._kinds[0].variables
        for dataset in self._kinds[1:]:
            for name, variable in dataset.variables.items():
                other = first.get(name)
                if other is None or other == variable:
                    continue
                if variable.values is not None and other.values is not None:
                    varying[name] = None
                if len(variable.shape) == len(other.shape) == 1 and variable.shape != other.shape:
                    for extent in (*variable.shape, *other.shape):
                        self._measured(name, extent, extent)
        known = dict(self._wishes.sizes)
        found = {name: _room(low, high, known.get(name, 0)) for name, (low, high) in self._lengths.items()}
        return Wishes(tuple(sorted((known | found).items())), tuple(varying))


def _room(low: int, high: int, before: int) -> int:
    """For how many values there is room, where records have from `low` to `high`: some more than were seen."""
    return max(before, high if low == high else high + high // 4)


def _cadence(pieces: list[NDArray[np.int64]]) -> float | None:
    """The usual time between records in seconds, the median; None where there are too few of them to see."""
    steps = np.diff(np.concatenate(pieces)).astype(np.float64)
    steps = steps[steps > 0]
    return round(float(np.median(steps)) / _SECOND, 9) if len(steps) > 1 else None

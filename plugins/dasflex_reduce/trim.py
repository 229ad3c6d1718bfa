# SPDX-License-Identifier: GPL-3.0-or-later
"""Trims the records of a reader that is not exact to the range that was asked, [min, max).

What counts is the one time that a record has: its center; of a waveform the reference, which is the time of its first
sample; else the begin of its range. A record is kept or dropped whole, so the samples of a waveform may go beyond the
end, as they do where a reader trims by itself. A record whose time is fill is dropped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dasflex_core import epochs
from dasflex_core.arrays import Ragged, Records
from dasflex_core.record_times import time_of
from dasflex_core.stages import Reducer, param
from dasflex_core.times import FOREVER, parse_time
from dasflex_reduce.picking import rows_where

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from dasflex_core.arrays import Dataset, Variable

__all__ = ["Trim"]

#: What a datetime64[ns] reaches.
_REACH: Final = 2**63 - 1


class Trim(
    Reducer,
    name="trim",
    accepts="arrays",
    per_gb=0.2,
):
    """Records within the time range that was asked."""

    begin: str | None = param(
        "read.time.min", mode="offered", type="time", title="First time", help="Records before it are dropped"
    )
    end: str | None = param(
        "read.time.max", mode="offered", type="time", title="Last time", help="Records at or after it are dropped"
    )

    _time: Variable | None = None

    def dataset(self, dataset: Dataset) -> Dataset:
        """The same; where no record has a time, all of them pass."""
        self._time = time_of(dataset)
        if self._time is not None:
            self._low = _limit(self.begin, self._time)
            self._high = _limit(self.end, self._time)
        return dataset

    def records(self, batch: Records) -> Iterable[Records]:
        """The records of a batch that are in the range."""
        if self._time is None:
            return (batch,)
        times = batch[self._time.name]
        if isinstance(times, Ragged):
            return (batch,)
        wanted = np.ones(len(batch), dtype=np.bool_)
        if self._low is not None:
            wanted &= times >= self._low
        if self._high is not None:
            wanted &= times < self._high
        found = rows_where(batch, wanted)
        return () if found is None else (found,)


def _limit(text: str | None, variable: Variable) -> Any:  # noqa: ANN401  a scalar in the type of the column
    """A time in the units of a column; None where there is no limit, or one that no column reaches."""
    if text is None:
        return None
    moment = parse_time(text)
    if moment == FOREVER or abs(moment.ns) >= _REACH:
        return None
    one: NDArray[Any] = np.array([moment.ns], dtype="M8[ns]")
    units = "UTC" if variable.dtype.kind == "M" else variable.units
    return epochs.from_datetime64(
        one,
        units,
        None
        if variable.dtype.kind == "M"
        else np.dtype(variable.dtype.str[1:] if variable.dtype.kind in "iu" else "f8"),
    )[0]

# SPDX-License-Identifier: GPL-3.0-or-later
"""What a stream said last: the newest value of each variable, how late it was, and what was remarked."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dasflex_core.arrays import Comment, NoData, Problem, Ragged, Records
from dasflex_ws.dating import instants

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from dasflex_core.arrays import Item, Variable
    from dasflex_core.catalog.model import DataItem

__all__ = ["Latest", "Measured", "measured"]

#: How many values of a single number are kept for its history, and how many remarks.
_HISTORY: Final = 512
_REMARKS: Final = 4


@dataclass(frozen=True, slots=True)
class Measured:
    """One value of a variable: `values` is a number, the numbers of a record (fill as NaN), or a text.

    `axis` are the coordinates of the numbers where there is one axis, with its units. `log` says that they are best
    drawn by their logarithm; `outside` that one of them is beyond what the definition warns of.
    """

    name: str
    units: str
    values: NDArray[np.float64] | float | str
    axis: NDArray[np.float64] | None = None
    axis_units: str = ""
    log: bool = False
    outside: bool = False


@dataclass(slots=True)
class Latest:
    """Takes items; `facts` is what the definition says of the variables, by their names."""

    facts: Mapping[str, DataItem] = field(default_factory=dict)
    readings: dict[str, Measured] = field(default_factory=dict)
    history: dict[str, deque[float]] = field(default_factory=dict)
    remarks: deque[str] = field(default_factory=lambda: deque(maxlen=_REMARKS))
    warnings: int = 0
    records: int = 0
    moment: float | None = None
    lag: float | None = None

    def take(self, item: Item, came: float) -> None:
        """Takes an item that came at a time, in seconds since 1970."""
        if isinstance(item, Records) and len(item):
            self._take_records(item, came)
        elif isinstance(item, Comment) and item.type.startswith("log:"):
            self.warnings += item.type in ("log:warning", "log:error")
            self.remarks.append(_plain(item.text))
        elif isinstance(item, Problem):
            self.warnings += 1
            self.remarks.append(_plain(f"{item.type}: {item.message}"))
        elif isinstance(item, NoData):
            self.remarks.append(_plain(item.message) or "no data")

    def _take_records(self, batch: Records, came: float) -> None:
        """Remembers the last record of a batch, and the single numbers of all."""
        self.records += len(batch)
        if moments := instants(batch):
            self.moment, self.lag = moments[-1], came - moments[-1]
        for each in measured(batch, len(batch) - 1, self.facts):
            self.readings[each.name] = each
            if isinstance(each.values, float):
                column = batch.floats(each.name).reshape(-1)
                self.history.setdefault(each.name, deque(maxlen=_HISTORY)).extend(column.tolist())


def measured(batch: Records, row: int, facts: Mapping[str, DataItem]) -> list[Measured]:
    """What the data variables of a record are."""
    return [
        _measured(batch, variable, row, facts) for variable in batch.dataset.data() if variable.name in batch.columns
    ]


def _measured(batch: Records, variable: Variable, row: int, facts: Mapping[str, DataItem]) -> Measured:
    """One value of a variable."""
    column = batch[variable.name]
    fact = facts.get(variable.name)
    if isinstance(column, Ragged) or column.dtype.kind not in "iufb":
        return Measured(variable.name, variable.units, _text(column, row))
    one = batch.slice(slice(row, row + 1))
    numbers = one.floats(variable.name)[0]
    outside = False
    if fact is not None and fact.warn is not None:
        outside = bool(((numbers < fact.warn[0]) | (numbers > fact.warn[1])).any())
    if not numbers.ndim:
        return Measured(variable.name, variable.units, float(numbers), outside=outside)
    axis, units = _axis(batch, variable)
    log = _is_log(numbers) if fact is None or not fact.scale else fact.scale == "log"
    return Measured(variable.name, variable.units, numbers.reshape(-1), axis, units, log, outside)


def _axis(batch: Records, variable: Variable) -> tuple[NDArray[np.float64] | None, str]:
    """The coordinates of the only inner axis, where they are the same in all records."""
    found = [each for each in batch.dataset.axes(variable) if len(each.shape) == 1 and each.values is not None]
    if len(variable.shape) != 1 or not found or found[0].values is None:
        return None, ""
    return found[0].values.astype(np.float64), found[0].units


def _is_log(numbers: NDArray[np.float64]) -> bool:
    """Whether numbers are all positive and far apart."""
    known = numbers[np.isfinite(numbers)]
    return bool(known.size and known.min() > 0 and known.max() > 1000 * known.min())


def _text(column: Any, row: int) -> str:  # noqa: ANN401  an array of any type, or runs
    """A value that is no number, or numbers in runs, in a few words."""
    if isinstance(column, Ragged):
        count = int(column.offsets[row + 1] - column.offsets[row])
        return f"{count} value{'' if count == 1 else 's'}"
    value = column[row]
    if isinstance(value, np.ndarray):
        return f"{value.size} values"
    return _plain(value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value))


def _plain(text: str) -> str:
    """A text on one line, without characters that a terminal would obey."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())

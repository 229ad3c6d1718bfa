# SPDX-License-Identifier: GPL-3.0-or-later
"""Sequences that change from record to record along an index whose length varies: they borrow the runs of others.

Such a variable has no bytes in a packet. How many values it has there is what another variable over the same indices
has (the das3 stream format, index space).
"""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Final

import numpy as np

from dasflex_core.arrays import Ragged
from dasflex_core.errors import SourceError
from dasflex_das.das3_levels import levels_of
from dasflex_das.das3_text import TooWideError
from dasflex_das.das3_values import evaluate_at

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from dasflex_core.arrays import Column, Sequence, Variable
    from dasflex_das.das3_levels import Runs

__all__ = ["borrowed", "lender"]

#: Values of a column that are made at a time.
_MOST: Final = 1 << 22


def lender(variable: Variable, others: Iterable[tuple[Variable, Runs]], where: str) -> Variable:
    """The variable whose runs a sequence borrows. Raises `SourceError` where none has runs over the same indices."""
    wanted = levels_of(variable)
    for other, runs in others:
        if [(each.letter, each.extent) for each in runs.levels[: len(wanted)]] == [
            (each.letter, each.extent) for each in wanted
        ]:
            return other
    raise SourceError(
        f"{where}, variable {variable.name}: a sequence over the record borrows the length of its runs, and no variable"
        " in the packets has runs over the same indices",
        kind="source.stream",
    )


def borrowed(variable: Variable, sequences: tuple[Sequence, ...], runs: Column, first: int) -> Ragged:
    """The column of a sequence along the runs of another variable; `first` is the number of the first record.

    Raises `TooWideError` for more values than are made at a time.
    """
    offsets: list[NDArray[np.int64]] = []
    while len(offsets) < variable.depth and isinstance(runs, Ragged):
        offsets.append(runs.offsets)
        runs = runs.values
    leaf = [(place, extent) for place, extent in enumerate(variable.index) if place and extent is not None]
    inner, fixed = leaf[: len(offsets)], leaf[len(offsets) :]
    if int(offsets[-1][-1]) * prod(extent for _place, extent in fixed) > _MOST:
        raise TooWideError(f"{variable.name} has more than {_MOST:,} values at once", kind="source.stream")
    counters = {0: np.arange(len(offsets[0]) - 1) + first}
    for (place, _extent), own in zip(inner, offsets, strict=True):
        lengths = np.diff(own)
        counters = {known: np.repeat(counter, lengths) for known, counter in counters.items()}
        counters[place] = np.arange(int(own[-1])) - np.repeat(own[:-1], lengths)
    rank = 1 + len(fixed)
    spread = {place: counter.reshape(-1, *([1] * len(fixed))) for place, counter in counters.items()}
    for axis, (place, extent) in enumerate(fixed, 1):
        spread[place] = np.arange(extent).reshape([-1 if axis == at else 1 for at in range(rank)])
    column: Column = evaluate_at(sequences, spread, variable.dtype).reshape(-1, *variable.leaf)
    for own in reversed(offsets):
        column = Ragged(column, own)
    if not isinstance(column, Ragged):
        raise TypeError(f"{variable.name} has no runs")
    return column

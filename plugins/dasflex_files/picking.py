# SPDX-License-Identifier: GPL-3.0-or-later
"""Which records lie in a range of time, and how they follow one another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from dasflex_core import epochs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

__all__ = ["MANY", "cadence_of", "limit", "rows_within", "runs_of"]

#: How many times are looked at for their cadence.
MANY: Final = 1 << 16
#: Beyond these, in nanoseconds since 1970, there is no limit: what a datetime64 holds, less the shift of TT2000.
_LOWEST: Final = -(2**63) + 10**18
_HIGHEST: Final = 2**63 - 10**18


def limit(moment: int, units: str) -> Any:  # noqa: ANN401  a scalar of the type of the times
    """A moment, in nanoseconds since 1970, as times of these units compare with; None where it is no limit."""
    if not _LOWEST < moment < _HIGHEST:
        return None
    one = np.array([moment], dtype=np.int64).view("M8[ns]")
    return epochs.from_datetime64(one, units)[0]


def rows_within(times: NDArray[Any], units: str, begin: int, end: int) -> NDArray[np.bool_]:
    """Where times are in [begin, end), in nanoseconds since 1970. Fill is nowhere."""
    low, high = limit(begin, units), limit(end, units)
    wanted = ~np.isnat(times) if times.dtype.kind == "M" else times > -(2**63) + 10
    if low is not None:
        wanted &= times >= low
    if high is not None:
        wanted &= times < high
    return np.asarray(wanted)


def runs_of(wanted: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """The runs of true values, each as [first, last)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], wanted, [False]]).astype(np.int8)))
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


def cadence_of(times: NDArray[Any], units: str) -> float:
    """The seconds from one time to the next where most keep to them, within a hundredth; else 0."""
    known = epochs.to_datetime64(times, units)
    steps = np.diff(known[~np.isnat(known)].astype(np.int64))
    if len(steps) < 2:
        return 0.0
    usual = float(np.median(steps))
    near = np.abs(steps.astype(np.float64) - usual) <= 0.01 * usual
    return usual / 1e9 if usual > 0 and near.mean() >= 0.75 else 0.0

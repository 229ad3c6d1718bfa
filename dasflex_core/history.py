# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs of a source gave and cost, kept for estimates: one small file of JSON for each source.

Of each shape of request, which is all of it but its range of time and the width of its bins, two runs are kept: a short
one and a long one, by which the cost of beginning and that of going on are told apart. A run that tells no more than
those before it is not written, and the oldest shapes give way to new ones. Processes that write at the same time lose
no more than a run of one of them.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from time import time
from typing import TYPE_CHECKING, Final

from dasflex_core.values import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Run", "Shape", "note_runs", "read_history"]

#: The most shapes that are kept of a source.
_SHAPES: Final = 48
#: Seconds for which a run stands, where another one is about as long: more than this is not written.
_FRESH: Final = 60.0
#: How many times longer than the short run the long one must be for the two to tell more than one.
_APART: Final = 4.0
#: No file that this program writes is longer.
_LONGEST_FILE: Final = 1 << 16
_FIELDS: Final = 5


@dataclass(frozen=True, slots=True)
class Run:
    """What a run gave: its units (seconds of data time, or bins), bytes, records, seconds of work, and bytes read.

    `records` is None where they were not counted, since bytes were passed on.
    """

    units: float
    bytes: float
    records: float | None
    seconds: float
    read: float


@dataclass(frozen=True, slots=True)
class Shape:
    """The runs of a shape, a short and a long one, which may be the same; `when` the last was noted."""

    short: Run
    long: Run
    when: float = 0.0

    def expected(self, value: Callable[[Run], float], units: float, begin: float, most: float) -> float:
        """A value of a run of so many units, on a line through the long run.

        The line has the value at 0 that the short run tells, between 0 and `most`; `begin` where it tells nothing.
        There it is no more than half of what the long run gave.
        """
        long = value(self.long)
        if self.long.units >= _APART * self.short.units:
            slope = (long - value(self.short)) / (self.long.units - self.short.units)
            begin = value(self.short) - slope * self.short.units
        begin = min(max(begin, 0.0), most, long / 2)
        return begin + (long - begin) / self.long.units * units

    def with_run(self, run: Run, now: float) -> Shape | None:
        """These runs with another one; None where that would tell nothing new."""
        stale = now - self.when > _FRESH
        long = run if run.units > 2 * self.long.units or (stale and run.units >= self.long.units / 2) else self.long
        short = run if run.units < self.short.units / 2 or (stale and run.units <= self.short.units * 2) else self.short
        if long is self.long and short is self.short:
            return None
        return Shape(short if short.units <= long.units else long, long, now)


def read_history(file: str) -> Mapping[str, Shape]:
    """The shapes that are kept in a file, by name: none where there is no file, or another one than we write."""
    try:
        with open(file, "rb") as kept:  # noqa: PTH123  as above
            text = kept.read(_LONGEST_FILE + 1)
        return {name: _shape(each) for name, each in json.loads(text)["shapes"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def note_runs(file: str, runs: Mapping[str, Run], note: Callable[[str], None]) -> None:
    """Keeps runs by the names of their shapes. A disk that is full or not there fails nothing: `note` is told."""
    now = time()
    shapes = dict(read_history(file))
    changed = False
    for name, run in runs.items():
        known = shapes.get(name)
        new = Shape(run, run, now) if known is None else known.with_run(run, now)
        if new is not None:
            shapes[name] = new
            changed = True
    if not changed:
        with suppress(OSError):  # somebody else's, or gone: it is looked at again sooner
            os.utime(file)
        return
    from pathlib import Path

    from dasflex_core.run.filing import replaced

    kept = sorted(shapes.items(), key=lambda item: item[1].when)[-_SHAPES:]
    text = json.dumps({"shapes": {name: _plain(shape) for name, shape in kept}}, separators=(",", ":"))
    path = Path(file)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replaced(path, text.encode())
    except OSError as error:
        note(f"what a run cost cannot be kept in {file}: {error.strerror}")


def _plain(shape: Shape) -> dict[str, object]:
    """A shape as JSON has it."""
    return {"when": round(shape.when), "short": _values(shape.short), "long": _values(shape.long)}


def _values(run: Run) -> list[float | None]:
    """The figures of a run, in the order of its fields."""
    return [run.units, run.bytes, run.records, run.seconds, run.read]


def _shape(kept: Mapping[str, object]) -> Shape:
    """The shape that was kept. Raises `ValueError` or its kin for what is none."""
    return Shape(_run(kept["short"]), _run(kept["long"]), _number(kept["when"]))


def _run(kept: object) -> Run:
    """The run that was kept. Raises `ValueError` for what is none."""
    if not isinstance(kept, list) or len(kept) != _FIELDS:
        raise ValueError("a run has five figures")
    units, size, records, seconds, read = kept
    if not _number(units):
        raise ValueError("a run of nothing tells nothing")
    counted = None if records is None else _number(records)
    return Run(_number(units), _number(size), counted, _number(seconds), _number(read))


def _number(kept: object) -> float:
    """A number that is not below zero. Raises `ValueError` for anything else."""
    if not isinstance(kept, int | float) or not 0 <= kept < float("inf"):
        raise ValueError("a figure is a number")
    return float(kept)

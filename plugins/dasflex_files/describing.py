# SPDX-License-Identifier: GPL-3.0-or-later
"""What a file says of itself, as plain data that can be kept: its times, its variables, how much of them there is."""

from __future__ import annotations

import json
from dataclasses import asdict, field
from typing import Any

from dasflex_core.values import dataclass

__all__ = ["Described", "Held", "taken"]


@dataclass(frozen=True, slots=True)
class Held:
    """One variable of a file.

    `dtype` is numpy's name of the type of its values, `shape` that of one record. `axes` are the names of the variables
    that its inner indices run over, blank where there is none; `parts` the names of its components, where it has them.
    `supports` is true for what serves other variables and is not given by itself. One that does not depend on the
    record (`varies`) is an axis, or nothing. `fill` is text as in a definition.
    """

    name: str
    dtype: str
    shape: tuple[int, ...] = ()
    units: str = ""
    title: str = ""
    label: str = ""
    fill: str = ""
    valid: tuple[float, float] | None = None
    scale: str = ""
    axes: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    supports: bool = False
    varies: bool = True

    @property
    def count(self) -> int:
        """How many values a record has."""
        found = 1
        for extent in self.shape:
            found *= extent
        return found


@dataclass(frozen=True, slots=True)
class Described:
    """A file: the variable that holds the times and the units of these, the variables, and the title, if it has one.

    `records` is how many there are, 0 where nobody has counted; `begin` and `end` are the first and the last time, in
    nanoseconds since 1970, both 0 where they are not known; `cadence` is the seconds from one to the next, 0 where they
    keep none. `about` are other facts, by name.
    """

    time: str
    units: str
    variables: tuple[Held, ...]
    title: str = ""
    records: int = 0
    begin: int = 0
    end: int = 0
    cadence: float = 0.0
    about: tuple[tuple[str, str], ...] = field(default=())

    def variable(self, name: str) -> Held | None:
        """The variable of a name, without regard to case where none is spelt so; None where there is none."""
        exact = next((each for each in self.variables if each.name == name), None)
        return exact or next((each for each in self.variables if each.name.lower() == name.lower()), None)

    @property
    def data(self) -> tuple[Held, ...]:
        """The variables that a file has to give."""
        axes = {name for each in self.variables for name in each.axes}
        return tuple(
            each
            for each in self.variables
            if each.varies and not each.supports and each.name != self.time and each.name not in axes
        )

    def text(self) -> str:
        """All of it as JSON, for `read`."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> Described:
        """What `text` wrote. Raises `ValueError` and `TypeError` for anything else."""
        held: dict[str, Any] = json.loads(text)
        held["variables"] = tuple(_held(each) for each in held["variables"])
        held["about"] = tuple((name, value) for name, value in held["about"])
        return cls(**held)


def _held(told: dict[str, Any]) -> Held:
    """A variable as it was kept, with its lists as tuples."""
    tuples = ("shape", "axes", "parts", "valid")
    kept: dict[str, Any] = {key: tuple(told[key]) for key in tuples if told.get(key) is not None}
    return Held(**{**told, **kept})


def taken(name: str) -> tuple[str, tuple[int | None, ...]]:
    """The variable that `from` names, and which of its inner indices: `B[0]`, `matrix[0,1,:]`; None takes all.

    Raises `ValueError` for brackets that hold something else.
    """
    variable, bracket, inside = name.partition("[")
    if not bracket:
        return name, ()
    if not inside.endswith("]"):
        raise ValueError(f"{name!r} ends within its brackets")
    words = [word.strip() for word in inside[:-1].split(",")]
    return variable.strip(), tuple(None if word == ":" else int(word) for word in words)

# SPDX-License-Identifier: GPL-3.0-or-later
"""Which sources have bins, decided while a request is planned: nothing heavy is imported here."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dasflex_core.catalog.model import Definition

__all__ = ["has_coordinate", "has_records"]


_FAMILIES = ("bin.", "calc.")
_MODEL = "the source is a model, which has values at any time: ask for their interval with read.time.inter"


def has_records(request: Mapping[str, str], source: Definition) -> bool | str:
    """Whether the source has records to reduce, else why not: a model has values at any interval that is asked."""
    asked = any(name.startswith(_FAMILIES) for name in request)
    if asked and _is_model(source):
        return _MODEL
    ragged = _ragged(request, source) if "bin.time.max" in request else ""
    if ragged:
        return f"{ragged} has rows of different lengths, which have no mean in common; leave it out with read.data"
    return True


def _ragged(request: Mapping[str, str], source: Definition) -> str:
    """The first variable asked for whose rows have different lengths and are no waveform; blank where there is none."""
    named = {name.strip().lower() for name in request.get("read.data", "").split(",")} - {""}
    for name, item in source.data.items():
        axes = [source.coords[axis] for axis in item.axes if axis in source.coords]
        if any(axis.ragged and axis.of != "time" for axis in axes) and (not named or name.lower() in named):
            return name
    return ""


def has_coordinate(request: Mapping[str, str], source: Definition) -> bool | str:
    """Whether bins of another coordinate than time are asked; those of time have a stage of their own."""
    asked = {name for name in request if name.startswith("bin.") and name.endswith(".max")}
    if asked == {"bin.time.max"}:
        return "bins of time are made by bin-average"
    for name, coord in source.coords.items():
        if coord.ragged and f"bin.{name}.max" in request:
            return f"{name} differs from record to record, so that there are no bins of it"
    if any(_is_zero(request[name]) for name in asked):
        return "a bin has to be wider than 0"
    return _MODEL if "bin.time.max" in asked and _is_model(source) else True


def _is_zero(text: str) -> bool:
    """Whether a text is the number 0; what is no number is told elsewhere."""
    try:
        return float(text) == 0
    except ValueError:
        return False


def _is_model(source: Definition) -> bool:
    """Whether a client says at which interval the source has values."""
    time = source.coords.get("time")
    return time is not None and time.interval is not None
